import Domain
import Support
import Testing

private let p1 = Event.added(provider("p1", models: models("m1", "a/b")))
private let a1 = AccountID("a1")
private let acme = OrganisationID("acme")
private let acmeCreated = Event.organisation(.created(.init(id: acme, name: "Acme")))
private let everyone = PolicyID(organisation: PolicyID.everyone, model: "m1")

private func key(_ id: String, _ organisation: OrganisationID, _ print: Int) -> KeyEvent.Created {
  .init(
    id: KeyID(id), name: id, organisation: organisation, fingerprint: fingerprint(print),
    masked: "sb-…", diagnostics: false, expiresAt: nil)
}

private func setPolicy(
  _ id: PolicyID, _ accounts: [(String, UInt32)], allowUnresolved: Bool = false
) -> Command {
  .policy(
    .set(
      id, accounts: accounts.map { PolicyAccount(account: AccountID($0.0), weight: $0.1) },
      failoverThreshold: 3, allowUnresolved: allowUnresolved))
}

@Test(
  "the rules of organisations hold",
  arguments: [
    Scenario(
      "limits and budgets come with the organisation", given: [],
      when: .organisation(
        .create(
          .init(
            id: acme, name: "Acme", limits: Limits(requestsPerSecond: 5),
            budgets: [Budget(period: .day, microUSD: nil, tokens: 9)]))),
      then: .events([
        acmeCreated,
        .organisation(.limitsSet(.init(id: acme, limits: Limits(requestsPerSecond: 5)))),
        .organisation(
          .budgetsSet(
            .init(id: acme, budgets: [Budget(period: .day, microUSD: nil, tokens: 9)]))),
      ])),
    Scenario(
      "creating twice never overwrites", given: [acmeCreated],
      when: .organisation(.create(.init(id: acme, name: "Other"))),
      then: .refused(.alreadyExists, field: "id")),
    Scenario(
      "a burst without a rate is refused", given: [acmeCreated],
      when: .organisation(.change(.init(id: acme, limits: Limits(burst: 9)))),
      then: .refused(.invalidField, field: "limits.burst")),
    Scenario(
      "a budget of nothing is refused", given: [acmeCreated],
      when: .organisation(
        .change(
          .init(id: acme, budgets: [Budget(period: .day, microUSD: nil, tokens: nil)]))),
      then: .refused(.invalidField, field: "budgets")),
    Scenario(
      "two budgets of one period are refused", given: [acmeCreated],
      when: .organisation(
        .change(
          .init(
            id: acme,
            budgets: [
              Budget(period: .day, microUSD: 1, tokens: nil),
              Budget(period: .day, microUSD: nil, tokens: 1),
            ]))), then: .refused(.invalidField, field: "budgets.period")),
    Scenario(
      "a zone with summer time is refused", given: [acmeCreated],
      when: .organisation(
        .change(
          .init(
            id: acme,
            budgets: [Budget(period: .day, timezone: "Europe/Berlin", microUSD: 1, tokens: nil)]))),
      then: .refused(.invalidField, field: "budgets.timezone")),
    Scenario(
      "an organisation with a key stays",
      given: [acmeCreated, .key(.created(key("k1", acme, 1)))],
      when: .organisation(.remove(acme)), then: .refused(.organisationInUse, field: "id")),
    Scenario(
      "an organisation whose keys are revoked goes",
      given: [acmeCreated, .key(.created(key("k1", acme, 1))), .key(.revoked(KeyID("k1")))],
      when: .organisation(.remove(acme)), then: .events([.organisation(.removed(acme))])),
    Scenario(
      "the standard organisation stays", given: [], when: .organisation(.remove(.standard)),
      then: .refused(.organisationInUse, field: "id")),
    Scenario(
      "a key of an unknown organisation is refused", given: [],
      when: .key(.create(key("k1", acme, 1))),
      then: .refused(.unknownOrganisation, field: "organisation")),
    Scenario(
      "a key's rights come with the key", given: [p1, .added(account("a1"))],
      when: .key(
        .create(
          key("k1", .standard, 1),
          rights: KeyRights(allowedModels: ["p1/*"], allowedAccounts: [a1], limits: Limits()))),
      then: .events([
        .key(.created(key("k1", .standard, 1))),
        .key(
          .accessChanged(
            .init(id: KeyID("k1"), allowedModels: ["p1/*"], allowedAccounts: [a1]))),
      ])),
    Scenario(
      "a key cannot be bound to an unknown account",
      given: [.key(.created(key("k1", .standard, 1)))],
      when: .key(.changeRights(KeyID("k1"), KeyRights(allowedAccounts: [a1]))),
      then: .refused(.unknownAccount, field: "id")),
  ])
func organisations(_ scenario: Scenario) { scenario.check() }

@Test(
  "the rules of combos and policies hold",
  arguments: [
    Scenario(
      "a combo is a list of known models", given: [p1],
      when: .combo(.set(name: "smart", models: ["p1/m1", "a/b"], allowUnresolved: false)),
      then: .events([
        .combo(.set(.init(name: "smart", models: ["p1/m1", "a/b"], isUnresolved: false)))
      ])),
    Scenario(
      "an unknown model is refused", given: [p1],
      when: .combo(.set(name: "smart", models: ["p1/m1", "p1/m7"], allowUnresolved: false)),
      then: .refused(.unknownTarget, field: "models")),
    Scenario(
      "an unknown model is flagged where that is allowed", given: [p1],
      when: .combo(.set(name: "smart", models: ["p1/m7"], allowUnresolved: true)),
      then: .events([
        .combo(.set(.init(name: "smart", models: ["p1/m7"], isUnresolved: true)))
      ])),
    Scenario(
      "an empty combo is refused", given: [p1],
      when: .combo(.set(name: "smart", models: [], allowUnresolved: false)),
      then: .refused(.invalidField, field: "number of models")),
    Scenario(
      "a model twice is refused", given: [p1],
      when: .combo(.set(name: "smart", models: ["p1/m1", "p1/m1"], allowUnresolved: false)),
      then: .refused(.invalidField, field: "models")),
    Scenario(
      "a combo cannot take an alias's name", given: [p1, .aliased("fast", "p1/m1")],
      when: .combo(.set(name: "fast", models: ["p1/m1"], allowUnresolved: false)),
      then: .refused(.nameCollision, field: "name")),
    Scenario(
      "a combo cannot hold an alias", given: [p1, .aliased("fast", "p1/m1")],
      when: .combo(.set(name: "smart", models: ["fast"], allowUnresolved: false)),
      then: .refused(.aliasOfAlias, field: "models")),
    Scenario(
      "an alias cannot take a combo's name",
      given: [p1, .combo(.set(.init(name: "smart", models: ["p1/m1"], isUnresolved: false)))],
      when: .alias(.set(name: "smart", target: "p1/m1", allowUnresolved: false)),
      then: .refused(.nameCollision, field: "name")),
    Scenario(
      "a provider's model cannot take a combo's name",
      given: [p1, .combo(.set(.init(name: "smart", models: ["p1/m1"], isUnresolved: false)))],
      when: .provider(.change(.init(id: ProviderID("p1"), models: models("m1", "smart")))),
      then: .refused(.nameCollision, field: "models")),
    Scenario(
      "a missing combo cannot be removed", given: [], when: .combo(.remove(name: "smart")),
      then: .refused(.unknownCombo, field: "name")),
    Scenario(
      "a policy names accounts that offer its model", given: [p1, .added(account("a1"))],
      when: setPolicy(everyone, [("a1", 80)]),
      then: .events([
        .policy(
          .set(
            .init(
              id: everyone, accounts: [PolicyAccount(account: a1, weight: 80)],
              failoverThreshold: 3, isUnresolved: false)))
      ])),
    Scenario(
      "a policy of an unknown account is refused", given: [p1],
      when: setPolicy(everyone, [("a1", 80)]), then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "a policy of an unknown organisation is refused", given: [p1, .added(account("a1"))],
      when: setPolicy(PolicyID(organisation: acme, model: "m1"), [("a1", 80)]),
      then: .refused(.unknownOrganisation, field: "organisation")),
    Scenario(
      "a policy for what an account does not offer is refused",
      given: [p1, .added(account("a1"))],
      when: setPolicy(PolicyID(organisation: PolicyID.everyone, model: "m9"), [("a1", 1)]),
      then: .refused(.unknownTarget, field: "accounts")),
    Scenario(
      "a policy of no weight is refused", given: [p1, .added(account("a1"))],
      when: setPolicy(everyone, [("a1", 0)]), then: .refused(.invalidField, field: "weight")),
    Scenario(
      "an account twice is refused", given: [p1, .added(account("a1"))],
      when: setPolicy(everyone, [("a1", 1), ("a1", 2)]),
      then: .refused(.invalidField, field: "accounts")),
  ])
func combosAndPolicies(_ scenario: Scenario) { scenario.check() }

private func cooling(_ scope: CooldownScope, until: UInt64) -> HealthEvent.CooldownStarted {
  .init(account: a1, scope: scope, rule: "operator", until: second(until))
}

private func tested(valid: Bool) -> HealthEvent.Tested {
  .init(
    account: a1, model: "m1", isValid: valid, latencyMicroseconds: 5, status: valid ? 200 : 401,
    errorClass: valid ? nil : .account, errorCode: valid ? nil : "status_401")
}

@Test(
  "the rules of health, models and prices hold",
  arguments: [
    Scenario(
      "a passing test ends every cooldown",
      given: [
        p1, .added(account("a1")), .health(.cooldownStarted(cooling(.model("m1"), until: 90))),
      ], when: .health(.recordTest(tested(valid: true), began: 9)),
      then: .events([
        .health(.tested(tested(valid: true))),
        .health(.cooldownEnded(.init(account: a1, scope: nil, reason: .passedTest))),
      ])),
    Scenario(
      "a passing test says nothing of a cooldown that began after it did",
      given: [
        p1, .added(account("a1")), .health(.cooldownStarted(cooling(.model("m1"), until: 90))),
        .health(.cooldownStarted(cooling(.account, until: 90))),
      ], when: .health(.recordTest(tested(valid: true), began: 3)),
      then: .events([
        .health(.tested(tested(valid: true))),
        .health(.cooldownEnded(.init(account: a1, scope: .model("m1"), reason: .passedTest))),
      ])),
    Scenario(
      "a failing test ends none",
      given: [
        p1, .added(account("a1")), .health(.cooldownStarted(cooling(.account, until: 90))),
      ], when: .health(.recordTest(tested(valid: false), began: 9)),
      then: .events([.health(.tested(tested(valid: false)))])),
    Scenario(
      "ending what does not cool is no event", given: [p1, .added(account("a1"))],
      when: .health(.endCooldown(a1, scope: nil, reason: .byOperator)), then: .nothing),
    Scenario(
      "an account that is not there has no health", given: [p1],
      when: .health(.startCooldown(cooling(.account, until: 9))),
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "a degraded account is not lifted by a test",
      given: [
        p1, .added(account("a1")), .account(.degraded(.init(id: a1, reason: "incident"))),
      ], when: .health(.recordTest(tested(valid: true), began: 9)),
      then: .events([.health(.tested(tested(valid: true)))])),
    Scenario(
      "a degraded account is restored by an operator",
      given: [
        p1, .added(account("a1")), .account(.degraded(.init(id: a1, reason: "incident"))),
      ], when: .account(.restore(a1)), then: .events([.account(.restored(a1))])),
    Scenario(
      "a model with a slash in its name is disabled", given: [p1],
      when: .model(.disable(ModelID(provider: ProviderID("p1"), name: "a/b"))),
      then: .events([.model(.disabled(ModelID(provider: ProviderID("p1"), name: "a/b")))])),
    Scenario(
      "a model does not come back under a name that is an alias by now",
      given: [
        p1, .model(.disabled(ModelID(provider: ProviderID("p1"), name: "m1"))),
        .aliased("m1", "p1/a/b"),
      ], when: .model(.enable(ModelID(provider: ProviderID("p1"), name: "m1"))),
      then: .refused(.nameCollision, field: "models")),
    Scenario(
      "a credential's end is a revision of the account",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7)],
      when: .account(.setCredentialExpiry(a1, second(9))),
      then: .events([
        .credential(.expirySet(.init(account: a1, generation: 1, expiresAt: second(9)))),
        .account(.credentialSet(.init(id: a1, generation: 1))),
      ])),
    Scenario(
      "a model's switch goes with its provider, and says so",
      given: [p1, .model(.disabled(ModelID(provider: ProviderID("p1"), name: "m1")))],
      when: .provider(.remove(ProviderID("p1"))),
      then: .events([
        .model(.enabled(ModelID(provider: ProviderID("p1"), name: "m1"))),
        .provider(.removed(ProviderID("p1"))),
      ])),
    Scenario(
      "an unknown model is not", given: [p1],
      when: .model(.disable(ModelID(provider: ProviderID("p1"), name: "m9"))),
      then: .refused(.unknownModel, field: "model")),
    Scenario(
      "a price that holds already is no event",
      given: [
        .pricing(
          .changed(
            .init(set: [
              .init(
                id: PriceID(provider: ProviderID("p1"), model: "m1"),
                price: Price(input: 1, output: 2))
            ])))
      ],
      when: .pricing(
        .change(
          .init(
            set: [
              .init(
                id: PriceID(provider: ProviderID("p1"), model: "m1"),
                price: Price(input: 1, output: 2))
            ], removed: [PriceID(provider: ProviderID("p1"), model: "m2")]))),
      then: .nothing),
  ])
func healthModelsPrices(_ scenario: Scenario) { scenario.check() }

// MARK: Routing

private func decision(
  _ state: ControlState, _ model: String, organisation: OrganisationID? = nil,
  key: KeyID? = nil, at now: UInt64 = 1, seed: UInt64 = 0, tried: [Tried] = []
) -> Result<RoutingDecision, RoutingRefusal> {
  route(
    RoutingSnapshot(state),
    RequestFacts(
      model: model, organisation: organisation, key: key, operation: .chatCompletions),
    now: second(now), seed: seed, local: .none, tried: tried)
}

private let pool: [Event] = [
  .added(provider("p1", models: models("m1", "m2"))),
  .added(provider("p2", models: models("m1"))), .added(account("a1", priority: 1)),
  .issued("a1", 1, 1), .added(account("a2", priority: 2)), .issued("a2", 1, 2),
  .added(account("b1", at: "p2")), .issued("b1", 1, 3),
]

@Test("a cooldown holds until its time and not longer")
func honoursCooldowns() throws {
  let state = state(
    pool + [
      .health(.cooldownStarted(cooling(.account, until: 10))),
      .health(
        .cooldownStarted(
          .init(
            account: AccountID("a2"), scope: .model("m1"), rule: "operator", until: second(20)))),
    ])
  #expect(
    decision(state, "p1/m1", at: 9)
      == .failure(
        .noAccount(rejected: [
          .init(account: a1, reason: .cooling(until: second(10))),
          .init(account: AccountID("a2"), reason: .modelCooling(until: second(20))),
        ])))
  #expect(try decision(state, "p1/m2", at: 9).get().account == AccountID("a2"))
  #expect(try decision(state, "p1/m1", at: 10).get().account == a1)
}

@Test("a combo falls back from model to model, each account once for each of them")
func fallsBack() throws {
  let state = state(
    pool + [
      .combo(.set(.init(name: "smart", models: ["p1/m1", "p1/m2"], isUnresolved: false)))
    ])
  var tried: [Tried] = []
  var served: [String] = []
  while case .success(let decision) = decision(state, "smart", tried: tried) {
    #expect(decision.rule == .combo)
    served.append("\(decision.account.rawValue):\(decision.upstreamModel)")
    tried.append(Tried(decision.account, model: decision.upstreamModel))
  }
  #expect(served == ["a1:m1", "a2:m1", "a1:m2", "a2:m2"])
}

@Test(
  "a policy draws by its weights, its own organisation's before everybody's", arguments: [7, 8])
func draws(_ first: UInt64) throws {
  let acmes = PolicyID(organisation: acme, model: "m1")
  func set(_ id: PolicyID, _ shares: [(String, UInt32)]) -> Event {
    .policy(
      .set(
        .init(
          id: id,
          accounts: shares.map { PolicyAccount(account: AccountID($0.0), weight: $0.1) },
          failoverThreshold: 3, isUnresolved: false)))
  }
  let state = state(
    pool + [
      acmeCreated, set(everyone, [("b1", 1)]), set(acmes, [("a1", 80), ("b1", 20)]),
      .aliased("fast", "m1"),
    ])
  var counts: [String: Int] = [:]
  var random = SeededRandom(seed: first)
  for _ in 0..<10_000 {
    let one = try decision(state, "fast", organisation: acme, seed: random.next()).get()
    #expect(one.rule == .weighted)
    counts[one.account.rawValue, default: 0] += 1
  }
  // Five standard deviations of 10,000 draws at 80 %.
  #expect(abs((counts["a1"] ?? 0) - 8_000) < 200, "\(counts)")
  #expect(counts.values.reduce(0, +) == 10_000)
  #expect(try decision(state, "m1").get().account == AccountID("b1"))
  #expect(
    try decision(state, "m1", organisation: acme, tried: [Tried(AccountID("a1"), model: nil)]).get()
      .account
      == AccountID("b1"))
  // A prefix says more than a policy.
  #expect(try decision(state, "p1/m1", organisation: acme).get().rule == .fillFirst)
}

@Test("a key leads where it may, and hears of nothing else")
func fencesKeys() throws {
  let k1 = KeyID("k1")
  let state = state(
    pool + [
      .aliased("fast", "p1/m1"), .key(.created(key("k1", .standard, 9))),
      .key(
        .accessChanged(
          .init(id: k1, allowedModels: ["p1/m1"], allowedAccounts: [AccountID("a2")]))),
    ])
  #expect(try decision(state, "fast", key: k1).get().account == AccountID("a2"))
  #expect(decision(state, "p1/m2", key: k1) == .failure(.modelNotAllowed))
  #expect(
    decision(state, "fasst", key: k1) == .failure(.unknownModel(near: ["fast"])))
  let snapshot = RoutingSnapshot(state)
  #expect(snapshot.models(for: k1).map(\.id) == ["fast", "p1/m1"])
  #expect(snapshot.model("p1/m2", for: k1) == nil)
  #expect(snapshot.models(for: nil).count == 4)
}

@Test("a key that may ask for a model by its own name alone is listed that name")
func listsOwnNames() throws {
  let (k1, name) = (KeyID("k1"), "m2")
  let state = state(
    pool + [
      .key(.created(key("k1", .standard, 9))),
      .key(
        .accessChanged(
          .init(id: k1, allowedModels: [name, "none*", "nowhere"], allowedAccounts: nil))),
    ])
  let snapshot = RoutingSnapshot(state)
  #expect(snapshot.model(name, for: k1) != nil)
  #expect(snapshot.models(for: k1).map(\.id) == [name])
  #expect(decision(state, "p1/m2", key: k1) == .failure(.modelNotAllowed))
}

@Test("what is degraded, disabled or paused is out until an operator says otherwise")
func takesOut() throws {
  let degraded = state(pool + [.account(.degraded(.init(id: a1, reason: "incident")))])
  #expect(try decision(degraded, "p1/m1").get().account == AccountID("a2"))
  let disabled = state(
    pool + [.model(.disabled(ModelID(provider: ProviderID("p1"), name: "m1")))])
  #expect(throws: RoutingRefusal.self) { try decision(disabled, "p1/m1").get() }
  #expect(try decision(disabled, "m1").get().account == AccountID("b1"))
  let paused = state([
    acmeCreated, .key(.created(key("k1", acme, 9))), .organisation(.paused(acme)),
  ])
  #expect(RoutingSnapshot(paused).key(fingerprint(9))?.status == .paused)
  #expect(paused.keys[KeyID("k1")]?.status == .active)
}

@Test(
  "discovered models are offered behind the configured ones, and give way to names that are taken")
func offersDiscovered() throws {
  let state = state(
    pool + [
      .aliased("fast", "p1/m1"),
      .provider(
        .modelsDiscovered(
          .init(id: ProviderID("p1"), account: a1, models: ["fast", "m1", "new/one"]))),
    ])
  #expect(try decision(state, "p1/new/one").get().upstreamModel == "new/one")
  #expect(try decision(state, "p1/fast").get().upstreamModel == "fast")
  #expect(try decision(state, "fast").get().upstreamModel == "m1")
}

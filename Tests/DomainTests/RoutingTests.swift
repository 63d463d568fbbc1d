import Domain
import Support
import Testing

private func routed(
  _ state: ControlState, _ model: String, tried: [String] = []
) -> Result<RoutingDecision, RoutingRefusal> {
  route(
    RoutingSnapshot(state), facts(model), now: second(1), seed: 0, local: .none,
    tried: tried.map { Tried(AccountID($0), model: nil) })
}

private func facts(_ model: String) -> RequestFacts {
  RequestFacts(model: model, organisation: nil, key: nil, operation: .chatCompletions)
}

/// Two providers: p1 with three accounts, p2 with one; both offer `m1`.
private let two: [Event] = [
  .added(
    provider(
      "p1", models: [ProviderModel(name: "m1"), ProviderModel(name: "only1", alias: "big")])),
  .added(provider("p2", models: models("m1", "a/b/c", "hidden-x"), excluded: ["hidden-*"])),
  .added(account("a3", name: "z", priority: 1)), .issued("a3", 1, 3),
  .added(account("a1", name: "y", priority: 2)), .issued("a1", 1, 1),
  .added(account("a2", name: "x", priority: 2)), .issued("a2", 1, 2),
  .added(account("b1", at: "p2")), .issued("b1", 1, 4),
  .aliased("fast", "p1/m1"), .aliased("bare", "only1"),
  .aliased("lost", "p1/gone", isUnresolved: true),
  .aliased("both", "m1", isUnresolved: true), .aliased("deep", "a/b/c"),
]

/// One row of the table of resolutions.
private struct Row: Sendable, CustomTestStringConvertible {
  var name: String
  var more: [Event] = []
  var model: String
  var tried: [String] = []
  var account: String
  var upstream: String
  var rule: ChoiceRule = .fillFirst

  var testDescription: String { name }
}

@Test(
  "a name leads to its account",
  arguments: [
    Row(name: "prefix and model", model: "p1/m1", account: "a3", upstream: "m1"),
    Row(
      name: "prefix and second name", model: "p1/big", account: "a3", upstream: "only1"),
    Row(
      name: "slashes in a model's name", model: "p2/a/b/c", account: "b1", upstream: "a/b/c",
      rule: .only),
    Row(
      name: "a bare name with slashes whose first part is no prefix", model: "a/b/c",
      account: "b1", upstream: "a/b/c", rule: .only),
    Row(name: "an alias of a prefixed model", model: "fast", account: "a3", upstream: "m1"),
    Row(name: "an alias of a bare model", model: "bare", account: "a3", upstream: "only1"),
    Row(
      name: "an alias of a bare model with slashes", model: "deep", account: "b1",
      upstream: "a/b/c", rule: .only),
    Row(
      name: "a bare name that one provider offers", model: "only1", account: "a3", upstream: "only1"
    ),
    Row(name: "a bare second name", model: "big", account: "a3", upstream: "only1"),
    Row(
      name: "a bare name that one enabled provider offers",
      more: [.provider(.disabled(ProviderID("p1")))], model: "m1", account: "b1", upstream: "m1",
      rule: .only),
    Row(
      name: "an alias while prefixes are forced",
      more: [.settings(.changed(.init(forceModelPrefix: true)))], model: "bare", account: "a3",
      upstream: "only1"),
    Row(
      name: "a prefixed name while prefixes are forced",
      more: [.settings(.changed(.init(forceModelPrefix: true)))], model: "p1/m1", account: "a3",
      upstream: "m1"),
    Row(
      name: "the next priority after the first was tried", model: "p1/m1", tried: ["a3"],
      account: "a2", upstream: "m1"),
    Row(
      name: "the next name of the same priority", model: "p1/m1", tried: ["a2", "a3"],
      account: "a1", upstream: "m1", rule: .only),
    Row(
      name: "past a disabled account", more: [.account(.disabled(AccountID("a3")))],
      model: "p1/m1", account: "a2", upstream: "m1"),
    Row(
      name: "past an account without credential", more: [.credential(.revoked(AccountID("a3")))],
      model: "p1/m1", account: "a2", upstream: "m1"),
    Row(
      name: "by the new priority",
      more: [.account(.changed(.init(id: AccountID("a1"), priority: 1)))],
      model: "p1/m1", account: "a1", upstream: "m1"),
    Row(
      name: "by the new prefix",
      more: [.provider(.changed(.init(id: ProviderID("p1"), prefix: "q")))], model: "q/m1",
      account: "a3", upstream: "m1"),
  ])
private func resolves(_ row: Row) throws {
  let state = state(two + row.more)
  let decision = try routed(state, row.model, tried: row.tried).get()
  #expect(decision.account == AccountID(row.account))
  #expect(decision.upstreamModel == row.upstream)
  #expect(decision.rule == row.rule)
  let snapshot = RoutingSnapshot(state)
  #expect(snapshot.accounts[decision.accountIndex].id == decision.account)
  #expect(snapshot.accounts[decision.accountIndex].provider == decision.provider)
  #expect(state.accounts[decision.account]?.provider == decision.provider)
}

/// A row of the table of refusals.
private struct Refused: Sendable, CustomTestStringConvertible {
  var name: String
  var more: [Event] = []
  var model: String
  var tried: [String] = []
  var refusal: RoutingRefusal

  var testDescription: String { name }
}

private func rejections(_ rows: (String, RejectionReason)...) -> RoutingRefusal {
  .noAccount(rejected: rows.map { .init(account: AccountID($0.0), reason: $0.1) })
}

private let p1Off: Event = .provider(.disabled(ProviderID("p1")))
private let p2Off: Event = .provider(.disabled(ProviderID("p2")))

@Test(
  "a name that leads nowhere is refused, and nothing falls through",
  arguments: [
    Refused(name: "unknown", model: "nothing", refusal: .unknownModel(near: [])),
    Refused(name: "empty", model: "", refusal: .unknownModel(near: [])),
    Refused(name: "a lone slash", model: "/", refusal: .unknownModel(near: [])),
    Refused(
      name: "another provider's model under a known prefix", model: "p2/only1",
      refusal: .unknownModel(near: ["p1/only1"])),
    Refused(
      name: "a slip of the pen", model: "p1/onyl1",
      refusal: .unknownModel(near: ["p1/only1"])),
    Refused(
      name: "the wrong prefix", model: "pp/only1",
      refusal: .unknownModel(near: ["p1/only1"])),
    Refused(name: "excluded, prefixed", model: "p2/hidden-x", refusal: .unknownModel(near: [])),
    Refused(name: "excluded, bare", model: "hidden-x", refusal: .unknownModel(near: [])),
    Refused(
      name: "an alias whose target is gone", model: "lost",
      refusal: .unknownModel(near: [])),
    Refused(
      name: "a bare name of two providers", model: "m1",
      refusal: .ambiguousModel(candidates: ["p1/m1", "p2/m1"])),
    Refused(
      name: "an alias of a bare name of two providers", model: "both",
      refusal: .ambiguousModel(candidates: ["p1/m1", "p2/m1"])),
    Refused(
      name: "a bare name while prefixes are forced",
      more: [.settings(.changed(.init(forceModelPrefix: true)))], model: "only1",
      refusal: .ambiguousModel(candidates: ["p1/only1"])),
    Refused(
      name: "all tried", model: "p1/m1", tried: ["a1", "a2", "a3"],
      refusal: rejections(("a3", .alreadyTried), ("a2", .alreadyTried), ("a1", .alreadyTried))),
    Refused(
      name: "tried or unusable",
      more: [.account(.disabled(AccountID("a1"))), .credential(.revoked(AccountID("a2")))],
      model: "fast", tried: ["a3"],
      refusal: rejections(("a3", .alreadyTried), ("a2", .noCredential), ("a1", .disabled))),
    Refused(
      name: "a disabled provider", more: [p2Off], model: "p2/m1",
      refusal: rejections(("b1", .providerDisabled))),
    Refused(
      name: "a bare name that only a disabled provider offers", more: [p2Off], model: "a/b/c",
      refusal: rejections(("b1", .providerDisabled))),
    Refused(
      name: "a bare name that only disabled providers offer", more: [p1Off, p2Off], model: "m1",
      refusal: rejections(
        ("a3", .providerDisabled), ("a2", .providerDisabled), ("a1", .providerDisabled),
        ("b1", .providerDisabled))),
    Refused(
      name: "a provider without accounts",
      more: [.added(provider("p3", models: models("m3")))], model: "m3", refusal: rejections()),
    Refused(
      name: "a bare name that looks prefixed is never taken for another provider's",
      more: [.added(provider("p3", models: models("p2/m1", "p2/else")))], model: "p2/else",
      refusal: .unknownModel(near: ["p3/p2/else"])),
  ])
private func refuses(_ row: Refused) {
  let outcome = routed(state(two + row.more), row.model, tried: row.tried)
  #expect(outcome == .failure(row.refusal))
}

@Test("an explanation names every account of the target, the chosen one without a reason")
func explains() {
  let snapshot = RoutingSnapshot(state(two + [.account(.disabled(AccountID("a2")))]))
  let explained = candidates(
    snapshot, facts("fast"), now: second(1), seed: 0, local: .none, tried: [])
  #expect(explained.map(\.account.rawValue) == ["a3", "a2", "a1"])
  #expect(explained.map(\.rejection) == [nil, .disabled, .lowerPriority(than: AccountID("a3"))])
  let unknown = candidates(
    snapshot, facts("nothing"), now: second(1), seed: 0, local: .none, tried: [])
  #expect(unknown.isEmpty)
}

private let asked = [
  "p1/m1", "p2/m2", "p3/big", "p4/a/b", "p1/p2/m1", "p2/m1", "m1", "m2", "a/b", "big", "fast",
  "smart", "c1", "x", "p1", "nowhere", "p1/", "/m1",
]

/// Any client's, under any policy and any fence.
private func randomFacts(_ model: String, _ random: inout SeededRandom) -> RequestFacts {
  RequestFacts(
    model: model,
    organisation: random.oneIn(3)
      ? nil : OrganisationID(["default", "o1", "o2"][random.int(0...2)]),
    key: random.oneIn(2) ? KeyID("k\(random.int(1...4))") : nil,
    operation: Operation.allCases.randomElement(using: &random) ?? .unknown,
    owner: random.oneIn(4) ? AccountID("a\(random.int(1...6))") : nil)
}

@Test("decision and explanation never drift apart", arguments: UInt64(0)..<60)
func explanationAgrees(seed: UInt64) {
  var random = SeededRandom(seed: seed)
  let snapshot = RoutingSnapshot(folded(randomHistory(seed: seed, steps: 80)))
  for model in asked {
    let tried = (1...6).filter { _ in random.oneIn(3) }
      .map { Tried(AccountID("a\($0)"), model: random.oneIn(2) ? nil : "m1") }
    let facts = randomFacts(model, &random)
    let now = second(UInt64(random.int(0...100)))
    let dice = random.next()
    let outcome = route(snapshot, facts, now: now, seed: dice, local: .none, tried: tried)
    let explained = candidates(
      snapshot, facts, now: now, seed: dice, local: .none, tried: tried)
    let chosen = explained.filter { $0.rejection == nil }.map(\.account)
    switch outcome {
    case .success(let decision):
      #expect(chosen == [decision.account], "seed \(seed), \(model)")
      #expect(
        !tried.contains {
          $0.account == decision.account && ($0.model == nil || $0.model == decision.upstreamModel)
        }, "seed \(seed), \(model)")
      let account = snapshot.accounts[decision.accountIndex]
      #expect(
        account.obstacle(to: decision.upstreamModel, at: now) == nil, "seed \(seed), \(model)")
    case .failure(.modelNotAllowed):
      #expect(chosen.isEmpty && facts.key != nil, "seed \(seed), \(model)")
    case .failure(.noAccount(let rejected)):
      #expect(chosen.isEmpty)
      #expect(explained.map(\.account) == rejected.map(\.account), "seed \(seed), \(model)")
      #expect(explained.map(\.rejection) == rejected.map(\.reason), "seed \(seed), \(model)")
    case .failure(.unknownModel(let near)):
      #expect(explained.isEmpty && near.count <= 10 && near == near.sorted())
    case .failure(.ambiguousModel(let names)):
      #expect(explained.isEmpty && !names.isEmpty && names == names.sorted())
    }
  }
}

@Test("an alias that was accepted as known is known to routing", arguments: UInt64(0)..<60)
func aliasesResolve(seed: UInt64) {
  var random = SeededRandom(seed: seed)
  let state = folded(randomHistory(seed: seed, steps: 80))
  for target in asked {
    let name = "alias\(random.int(1...9))"
    let set = Command.alias(.set(name: name, target: target, allowUnresolved: false))
    let snapshot: RoutingSnapshot
    let isAccepted: Bool
    if let proposed = try? decide(set, state) {
      isAccepted = true
      snapshot = RoutingSnapshot(
        folded(recorded(proposed.map(\.event), from: state.position + 1), from: state))
    } else {
      isAccepted = false
      snapshot = RoutingSnapshot(state)
    }
    let model = isAccepted ? name : target
    let outcome = route(
      snapshot, facts(model), now: second(1), seed: 0, local: .none, tried: [])
    switch outcome {
    case .success, .failure(.noAccount):
      // What is refused as a target although routing knows it can only be an alias itself.
      #expect(
        isAccepted || state.aliases[target] != nil || state.combos[target] != nil
          || state.policies.keys.contains { $0.model == target }, "seed \(seed), \(target)")
    case .failure(.modelNotAllowed): Issue.record("no key was given")
    case .failure(.unknownModel): #expect(!isAccepted, "seed \(seed), \(target)")
    case .failure(.ambiguousModel):
      #expect(
        !isAccepted || state.settings.forceModelPrefix, "seed \(seed), \(target)")
    }
  }
}

@Test(
  "the same configuration gives the same routes, in whatever order it came about",
  arguments: UInt64(0)..<40)
func isDeterministic(seed: UInt64) {
  var random = SeededRandom(seed: seed)
  let providers = (1...4).map { number in
    Event.added(
      provider("p\(number)", models: models("m\(number)", "m\(number % 2)", "shared/\(number)")))
  }
  let accounts = (1...8).flatMap { number -> [Event] in
    let id = "a\(number)"
    return [
      .added(account(id, at: "p\(number % 4 + 1)", name: "n\(number / 4)\(id)", priority: 1)),
      .issued(id, 1, number),
    ]
  }
  let aliases: [Event] = (1...4).map { .aliased("alias\($0)", "p\($0)/m\($0)") }
  // Accounts and their credentials stay in order; everything else may come in any.
  let straight = providers + accounts + aliases
  let pairs = stride(from: 0, to: accounts.count, by: 2).map { Array(accounts[$0...($0 + 1)]) }
  let shuffled =
    aliases.shuffled(using: &random) + pairs.shuffled(using: &random).flatMap(\.self)
    + providers.shuffled(using: &random)
  let first = RoutingSnapshot(state(straight))
  let second = RoutingSnapshot(state(shuffled))
  #expect(first.accounts == second.accounts, "seed \(seed)")
  #expect(first.providers == second.providers, "seed \(seed)")
  #expect(first.models().map(\.id) == second.models().map(\.id), "seed \(seed)")
  let names = first.models().map(\.id) + ["m1", "m2", "m0", "shared/1", "nope", "alias9"]
  for model in names {
    for tried in [[], [Tried(AccountID("a1"), model: nil), Tried(AccountID("a5"), model: "m1")]] {
      let one = route(
        first, facts(model), now: UnixNanoseconds(1), seed: 1, local: .none, tried: tried)
      let other = route(
        second, facts(model), now: UnixNanoseconds(2), seed: 2, local: .none, tried: tried)
      #expect(one == other, "seed \(seed), \(model)")
    }
  }
}

@Test("the list holds prefixed models and aliases of enabled providers, sorted")
func listsModels() {
  let snapshot = RoutingSnapshot(state(two))
  #expect(
    snapshot.models().map(\.id) == [
      "bare", "deep", "fast", "p1/big", "p1/m1", "p1/only1", "p2/a/b/c", "p2/m1",
    ])
  let model = snapshot.models().first { $0.id == "p2/m1" }
  #expect(model?.ownedBy == "p2")
  #expect(model?.createdAt == 2)
  #expect(snapshot.models().first?.createdAt == 12)
  let without = RoutingSnapshot(state(two + [p1Off]))
  #expect(without.models().map(\.id) == ["both", "deep", "p2/a/b/c", "p2/m1"])
}

@Test("one model is found by every name that routes, under that name")
func findsModel() {
  let snapshot = RoutingSnapshot(state(two))
  #expect(snapshot.model("only1")?.id == "only1")
  #expect(snapshot.model("only1")?.ownedBy == "p1")
  #expect(snapshot.model("fast")?.ownedBy == "p1")
  #expect(snapshot.model("p2/a/b/c")?.id == "p2/a/b/c")
  #expect(snapshot.model("m1") == nil)
  #expect(snapshot.model("lost") == nil)
  #expect(snapshot.model("nothing") == nil)
  #expect(RoutingSnapshot(state(two + [p1Off])).model("p1/m1") == nil)
}

@Test("a snapshot knows keys of every status by their fingerprint")
func findsKeys() {
  let snapshot = RoutingSnapshot(
    state([
      .created(key("k1", 1)), .created(key("k2", 2)), .key(.revoked(KeyID("k2"))),
    ]))
  #expect(snapshot.key(fingerprint(1))?.id == KeyID("k1"))
  #expect(snapshot.key(fingerprint(2))?.status == .revoked)
  #expect(snapshot.key(fingerprint(3)) == nil)
  #expect(snapshot.position == 3)
}

@Test("near names are at most ten, the nearest ones, sorted")
func boundsNearNames() {
  let many = (10..<40).map { ProviderModel(name: "model-\($0)") }
  let state = state([.added(provider("p1", models: many))])
  guard case .failure(.unknownModel(let near)) = routed(state, "p1/model-1") else {
    Issue.record("the name was routed")
    return
  }
  #expect(near.count == 10)
  #expect(near == near.sorted())
  // One edit away: model-10 … model-19; the others are two away.
  #expect(near.allSatisfy { $0.hasPrefix("p1/model-1") })
  guard case .failure(.unknownModel(let none)) = routed(state, String(repeating: "m", count: 5_000))
  else {
    Issue.record("the name was routed")
    return
  }
  #expect(none.isEmpty)
}

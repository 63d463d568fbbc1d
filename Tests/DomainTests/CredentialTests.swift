import Domain
import Support
import Testing

private let a1 = AccountID("a1")
private let here = NodeID("here")
private let there = NodeID("there")
private let oauth = OAuthClient(tokenURL: "https://auth.example.com/token", clientID: "c")
/// A provider with a token endpoint, an account of it, and a node of our own.
private let base: [Event] = [
  .gateway(.identified(.init(node: here, incarnation: 1))), .added(provider("p1")),
  .provider(.oauthSet(.init(id: ProviderID("p1"), client: oauth))), .added(account("a1")),
]
private let token: Event = held(1, 7)
private let open: Event = attempted(1, 1)
private let away: Event = .credential(.homeMoved(.init(account: a1, home: there, homeEpoch: 1)))

private func held(
  _ generation: UInt64, _ number: Int, home: NodeID? = here, epoch: UInt64 = 0,
  expiresAt: UnixNanoseconds? = second(1_000)
) -> Event {
  .credential(
    .issued(
      .init(
        account: a1, generation: generation, fingerprint: fingerprint(number), kind: .token,
        home: home, homeEpoch: epoch, canRefresh: true, expiresAt: expiresAt)))
}

private func terms(_ number: Int, expiresAt: UnixNanoseconds? = second(1_000)) -> CredentialTerms {
  .init(
    fingerprint: fingerprint(number), kind: .token, canRefresh: true, expiresAt: expiresAt)
}

private func attempted(
  _ generation: UInt64, _ number: UInt64, _ cause: RefreshCause = .proactive
) -> Event {
  .credential(
    .refreshAttempted(
      .init(account: a1, generation: generation, attempt: number, cause: cause)))
}

private func attempt(
  _ generation: UInt64, _ cause: RefreshCause = .proactive, at: UInt64 = 900
) -> Command {
  .credential(.attempt(a1, generation: generation, cause: cause, at: second(at)))
}

private func settle(
  _ generation: UInt64, _ number: UInt64, _ outcome: RefreshOutcome, at: UInt64 = 910
) -> Command {
  .credential(
    .settle(
      a1, .init(attempt: number, generation: generation, outcome: outcome, at: second(at))))
}

private func failed(
  _ number: UInt64, unknown: Bool = false, retryAt: UInt64 = 940, code: String = "status_503"
) -> Event {
  .credential(
    .refreshFailed(
      .init(
        account: a1, generation: 1, attempt: number, code: code, outcomeUnknown: unknown,
        retryAt: second(retryAt))))
}

private func refreshed(_ from: UInt64, _ number: Int, _ attempt: UInt64) -> Event {
  .credential(
    .refreshed(
      .init(
        account: a1, from: from, generation: from + 1, fingerprint: fingerprint(number),
        expiresAt: second(2_000), attempt: attempt)))
}

private let rejected: Event = .credential(
  .refreshRejected(.init(account: a1, generation: 1, attempt: 1, code: "invalid_grant")))

private func uncertain(
  _ reason: Credential.Uncertainty.Reason, _ number: UInt64? = nil
) -> Event {
  .credential(
    .markedUncertain(.init(account: a1, generation: 1, reason: reason, attempt: number)))
}

private func stale(
  _ generation: UInt64, _ number: Int?, epoch: UInt64 = 0, from source: String = "refresh",
  _ rule: CredentialEvent.StaleWriteRefused.Rule = .older
) -> Event {
  .credential(
    .staleWriteRefused(
      .init(
        account: a1, homeEpoch: epoch, generation: generation,
        fingerprint: number.map(fingerprint), source: source, rule: rule)))
}

private func foreign(_ epoch: UInt64, _ generation: UInt64, _ number: Int) -> Command {
  .credential(
    .take(
      a1,
      .init(
        version: .init(homeEpoch: epoch, generation: generation), terms: terms(number),
        home: there, source: "peer-1")))
}

private let credentialRules: [Scenario] = [
  Scenario(
    "issuing a token makes this node its home", given: base,
    when: .account(.issueCredential(a1, terms(7))),
    then: .events([token, .account(.credentialSet(.init(id: a1, generation: 1)))])),
  Scenario(
    "the same token with another end is the next generation", given: base + [token],
    when: .account(.issueCredential(a1, terms(7, expiresAt: second(3_000)))),
    then: .events([
      held(2, 7, expiresAt: second(3_000)),
      .account(.credentialSet(.init(id: a1, generation: 2))),
    ])),
  Scenario(
    "issuing over another node's credential takes it over",
    given: base + [held(4, 7, home: there, epoch: 2)],
    when: .account(.issueCredential(a1, terms(8))),
    then: .events([
      held(5, 8, epoch: 3), .account(.credentialSet(.init(id: a1, generation: 5))),
    ])),

  Scenario(
    "an attempt is noted before the call", given: base + [token], when: attempt(1),
    then: .events([attempted(1, 1)])),
  Scenario(
    "attempts are counted through", given: base + [token, open, failed(1)],
    when: attempt(1, at: 941), then: .events([attempted(1, 2)])),
  Scenario(
    "with a newer generation in force there is nothing to refresh",
    given: base + [token, open, refreshed(1, 8, 1)], when: attempt(1), then: .nothing),
  Scenario(
    "no second attempt while one is open", given: base + [token, open],
    when: attempt(1, .byOperator),
    then: .refused(.refreshInProgress, field: "credential")),
  Scenario(
    "an API key is not refreshed", given: base + [.issued("a1", 1, 7)], when: attempt(1),
    then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "without a token endpoint nothing is refreshed",
    given: base + [token, .provider(.oauthSet(.init(id: ProviderID("p1"), client: nil)))],
    when: attempt(1), then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "only the home refreshes", given: base + [held(1, 7, home: there)],
    when: attempt(1, .byOperator), then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "a failed one waits", given: base + [token, open, failed(1)],
    when: attempt(1, .reactive, at: 939),
    then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "an operator does not wait", given: base + [token, open, failed(1)],
    when: attempt(1, .byOperator, at: 939), then: .events([attempted(1, 2, .byOperator)])),
  Scenario(
    "a refused one is not tried again by itself", given: base + [token, open, rejected],
    when: attempt(1, .reactive), then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "an operator may try a refused one", given: base + [token, open, rejected],
    when: attempt(1, .byOperator), then: .events([attempted(1, 2, .byOperator)])),
  Scenario(
    "an uncertain one is not touched while its access token works",
    given: base + [token, open, uncertain(.unfinished, 1)], when: attempt(1, .proactive, at: 999),
    then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "nor by an operator who has not released it",
    given: base + [token, open, uncertain(.unfinished, 1)], when: attempt(1, .byOperator, at: 999),
    then: .refused(.notRefreshable, field: "credential")),
  Scenario(
    "an uncertain one is tried when its access token ended",
    given: base + [token, open, uncertain(.unfinished, 1)], when: attempt(1, .recovery, at: 1_000),
    then: .events([attempted(1, 2, .recovery)])),
  Scenario(
    "an uncertain one is tried when its access token is refused",
    given: base + [token, open, uncertain(.answerLost, 1)], when: attempt(1, .reactive),
    then: .events([attempted(1, 2, .reactive)])),
  Scenario(
    "a restored one is not tried, not even by an operator",
    given: base + [token, uncertain(.restored)], when: attempt(1, .byOperator, at: 2_000),
    then: .refused(.notRefreshable, field: "credential")),

  Scenario(
    "success is the next generation", given: base + [token, open],
    when: settle(1, 1, .succeeded(fingerprint: fingerprint(8), expiresAt: second(2_000))),
    then: .events([refreshed(1, 8, 1)])),
  Scenario(
    "a refusal of the refresh token is noted", given: base + [token, open],
    when: settle(1, 1, .rejected(code: "invalid_grant")), then: .events([rejected])),
  Scenario(
    "a failure waits half a minute", given: base + [token, open],
    when: settle(1, 1, .failed(code: "status_503", isUnknown: false, retryAfterSeconds: nil)),
    then: .events([failed(1)])),
  Scenario(
    "the second failure waits twice as long",
    given: base + [token, open, failed(1), attempted(1, 2)],
    when: settle(1, 2, .failed(code: "status_503", isUnknown: false, retryAfterSeconds: nil)),
    then: .events([failed(2, retryAt: 970)])),
  Scenario(
    "the provider's own wait is kept", given: base + [token, open],
    when: settle(1, 1, .failed(code: "status_429", isUnknown: false, retryAfterSeconds: 90)),
    then: .events([failed(1, retryAt: 1_000, code: "status_429")])),
  Scenario(
    "a success for an older generation is refused and recorded",
    given: base + [token, open, held(2, 9)],
    when: settle(1, 1, .succeeded(fingerprint: fingerprint(8), expiresAt: nil)),
    then: .events([stale(2, 8)])),
  Scenario(
    "a failure for an older generation is recorded and changes nothing",
    given: base + [token, open, held(2, 9)],
    when: settle(1, 1, .rejected(code: "invalid_grant")), then: .events([stale(1, nil)])),
  Scenario(
    "an attempt that is not the open one is refused", given: base + [token, open],
    when: settle(1, 2, .succeeded(fingerprint: fingerprint(8), expiresAt: nil)),
    then: .events([stale(2, 8)])),

  Scenario(
    "an attempt without an outcome makes it uncertain", given: base + [token, open],
    when: .credential(.recover(a1)), then: .events([uncertain(.unfinished, 1)])),
  Scenario(
    "without an open attempt there is nothing to recover", given: base + [token],
    when: .credential(.recover(a1)), then: .nothing),
  Scenario(
    "a copied directory's token is uncertain", given: base + [token],
    when: .credential(.suspect(a1)), then: .events([uncertain(.restored)])),
  Scenario(
    "a copied directory's API key is not", given: base + [.issued("a1", 1, 7)],
    when: .credential(.suspect(a1)), then: .nothing),
  Scenario(
    "an operator releases an uncertain one", given: base + [token, uncertain(.restored)],
    when: .credential(.release(a1)),
    then: .events([.credential(.released(.init(account: a1, generation: 1)))])),
  Scenario(
    "a usable one needs no release", given: base + [token], when: .credential(.release(a1)),
    then: .nothing),
  Scenario(
    "nothing is released while a refresh is open", given: base + [token, open],
    when: .credential(.release(a1)), then: .refused(.refreshInProgress, field: "credential")),

  Scenario(
    "moving home raises its epoch", given: base + [token],
    when: .credential(.moveHome(a1, to: there)),
    then: .events([.credential(.homeMoved(.init(account: a1, home: there, homeEpoch: 1)))])),
  Scenario(
    "another node's does not move away from it", given: base + [token, away],
    when: .credential(.moveHome(a1, to: here)), then: .refused(.notHome, field: "node")),
  Scenario(
    "but by force", given: base + [token, away],
    when: .credential(.moveHome(a1, to: here, force: true)),
    then: .events([.credential(.homeMoved(.init(account: a1, home: here, homeEpoch: 2)))])),
  Scenario(
    "it does not move to where it is", given: base + [token],
    when: .credential(.moveHome(a1, to: here)), then: .nothing),
  Scenario(
    "it does not move while a refresh is open", given: base + [token, open],
    when: .credential(.moveHome(a1, to: there)),
    then: .refused(.refreshInProgress, field: "credential")),
  Scenario(
    "what nodes agree on about a home holds also while a refresh is open",
    given: base + [token, open],
    when: .credential(.settleHome(a1, there, homeEpoch: 3)),
    then: .events([.credential(.homeMoved(.init(account: a1, home: there, homeEpoch: 3)))])),
  Scenario(
    "a home epoch never goes back", given: base + [token],
    when: .credential(.settleHome(a1, there, homeEpoch: 0)), then: .nothing),
  Scenario(
    "a node has a visible name", given: base + [token],
    when: .credential(.moveHome(a1, to: NodeID("a b"))),
    then: .refused(.invalidField, field: "node")),

  Scenario(
    "another node's newer generation is taken", given: base + [token], when: foreign(0, 2, 8),
    then: .events([held(2, 8, home: there)])),
  Scenario(
    "a change of home wins over generations", given: base + [held(9, 7)], when: foreign(1, 3, 8),
    then: .events([held(3, 8, home: there, epoch: 1)])),
  Scenario(
    "the same again is no event", given: base + [token], when: foreign(0, 1, 7), then: .nothing),
  Scenario(
    "an older one is refused and recorded", given: base + [held(2, 7)], when: foreign(0, 1, 6),
    then: .events([stale(1, 6, from: "peer-1")])),
  Scenario(
    "the same version with another secret is a conflict", given: base + [token],
    when: foreign(0, 1, 8), then: .events([stale(1, 8, from: "peer-1", .conflict)])),
  Scenario(
    "a credential of no account cannot be refreshed", when: attempt(1),
    then: .refused(.unknownAccount, field: "id")),

  Scenario(
    "a log gets its identity once", given: base,
    when: .node(.identify(there, incarnation: 2)), then: .nothing),
  Scenario(
    "a copied directory says so, and doubts its tokens", given: base + [token],
    when: .node(.restore(incarnation: 2)),
    then: .events([
      .gateway(.restored(.init(node: here, incarnation: 2, previous: 1))), uncertain(.restored),
    ])),
]

@Test("the rules of credentials hold", arguments: credentialRules)
func decidesCredentials(_ scenario: Scenario) { scenario.check() }

private func credential(_ events: [Event]) -> Credential? {
  state(base + events).accounts[a1]?.credential
}

@Test("a refused refresh leaves the access token in use and names the attempt")
func keepsRefused() throws {
  let before = try #require(credential([token, open]))
  let after = try #require(credential([token, open, rejected]))
  #expect(after.fingerprint == before.fingerprint && after.position == before.position)
  #expect(after.expiresAt == before.expiresAt && after.canRefresh)
  #expect(
    after.standing
      == .reauthRequired(.init(attempt: 6, code: "invalid_grant", since: second(7))))
}

@Test("a refusal after an attempt without an outcome names that attempt")
func namesLostAttempt() throws {
  let refused: Event = .credential(
    .refreshRejected(.init(account: a1, generation: 1, attempt: 2, code: "invalid_grant")))
  let after = try #require(
    credential([token, open, uncertain(.unfinished, 1), attempted(1, 2, .recovery), refused]))
  guard case .reauthRequired(let rejection) = after.standing else {
    Issue.record("\(after.standing)")
    return
  }
  #expect(rejection.attempt == 6)
}

@Test("an answer that got lost makes it uncertain; any success makes it usable again")
func doubtsLostAnswer() throws {
  let lost = try #require(credential([token, open, failed(1, unknown: true)]))
  #expect(
    lost.standing
      == .uncertain(.init(reason: .answerLost, since: second(7), attempt: 6)))
  #expect(lost.fingerprint == fingerprint(7))
  let good = try #require(
    credential([token, open, failed(1, unknown: true), attempted(1, 2), refreshed(1, 8, 2)]))
  #expect(good.standing == .usable && good.failures == 0 && good.retryAt == nil)
  #expect(good.generation == 2 && good.expiresAt == second(2_000))
}

@Test("an older generation that comes late changes nothing")
func ignoresOlder() throws {
  let now = try #require(credential([token, held(3, 9, epoch: 1)]))
  for late in [held(2, 8, epoch: 1), held(9, 8), refreshed(2, 8, 1)] {
    #expect(credential([token, held(3, 9, epoch: 1), late]) == now)
  }
}

// MARK: Which are due

@Test("a token is refreshed its lead before it ends, and never later than half of its life")
func plansLead() {
  let state = state(base + [token])
  // Issued at 5, ends at 1000, lead 300.
  #expect(state.refreshPlan(at: second(699)) == RefreshPlan(due: [], next: second(700)))
  #expect(state.refreshPlan(at: second(700)).due.map(\.account) == [a1])
  let short = folded(recorded(base + [held(1, 7, expiresAt: second(105))]))
  #expect(short.refreshPlan(at: second(54)) == RefreshPlan(due: [], next: second(55)))
}

@Test(
  "cooling, degraded and disabled accounts are refreshed like others",
  arguments: [
    Event.account(.disabled(a1)), .account(.degraded(.init(id: a1, reason: "r"))),
    .health(
      .cooldownStarted(
        .init(account: a1, scope: .account, rule: "r", until: second(9_000), status: 401))),
    .provider(.disabled(ProviderID("p1"))),
  ])
func plansUnrouted(_ event: Event) {
  #expect(state(base + [token, event]).refreshPlan(at: second(700)).due.map(\.account) == [a1])
}

@Test(
  "what cannot or must not be refreshed is not due",
  arguments: [
    [Event.issued("a1", 1, 7)], [held(1, 7, expiresAt: nil)], [held(1, 7, home: there)],
    [token, open], [token, open, rejected], [token, uncertain(.restored)],
    [token, open, uncertain(.unfinished, 1)], [token, .credential(.revoked(a1))],
  ])
func plansNothing(_ events: [Event]) {
  #expect(state(base + events).refreshPlan(at: second(999)).due.isEmpty)
}

@Test("an uncertain one is due when its access token ended")
func plansRecovery() {
  let state = state(base + [token, open, uncertain(.unfinished, 1)])
  #expect(state.refreshPlan(at: second(999)) == RefreshPlan(due: [], next: second(1_000)))
  #expect(
    state.refreshPlan(at: second(1_000)).due
      == [.init(account: a1, generation: 1, cause: .recovery)])
}

@Test("accounts of one client follow one another with the client's spacing")
func plansFamily() {
  var shared = oauth
  shared.isSharedFamily = true
  shared.spacingSeconds = 10
  let a2 = AccountID("a2")
  var events: [Event] = [
    .added(provider("p1")), .provider(.oauthSet(.init(id: ProviderID("p1"), client: shared))),
  ]
  for id in ["a1", "a2"] {
    events.append(.added(account(id)))
    events.append(
      .credential(
        .issued(
          .init(
            account: AccountID(id), generation: 1, fingerprint: fingerprint(1), kind: .token,
            canRefresh: true, expiresAt: second(1_000)))))
  }
  var state = state(events)
  #expect(state.refreshPlan(at: second(900)).due.map(\.account) == [a1])
  // Begun at 900: nobody else of the family, and a new plan when it ends.
  state.apply(
    Recorded(
      position: 20, time: second(900), kind: open.kind, provenance: .system,
      content: .event(open)))
  #expect(state.refreshPlan(at: second(905)) == RefreshPlan(due: [], next: nil))
  let done = refreshed(1, 8, 1)
  state.apply(
    Recorded(
      position: 21, time: second(901), kind: done.kind, provenance: .system,
      content: .event(done)))
  #expect(state.refreshPlan(at: second(905)).due.isEmpty)
  #expect(state.refreshPlan(at: second(905)).next == second(910))
  #expect(state.refreshPlan(at: second(910)).due.map(\.account) == [a2])
}

// MARK: What an answer means

@Test(
  "only a provider's own word that the refresh token is bad is a refusal",
  arguments: [
    (RefreshCallFacts.notSent(code: "connect_failed"), "connect_failed", false, false),
    (.noAnswer(code: "timeout"), "timeout", false, true),
    (
      .answered(status: 400, error: "invalid_grant", retryAfterSeconds: nil), "invalid_grant", true,
      false
    ),
    (
      .answered(status: 401, error: "refresh_token_reused", retryAfterSeconds: nil),
      "refresh_token_reused", true, false
    ),
    (
      .answered(status: 200, error: "bad_refresh_token", retryAfterSeconds: nil),
      "bad_refresh_token", true, false
    ),
    (.answered(status: 400, error: nil, retryAfterSeconds: nil), "status_400", false, false),
    (
      .answered(status: 400, error: "a secret text", retryAfterSeconds: nil), "status_400", false,
      false
    ),
    (
      .answered(status: 401, error: "invalid_client", retryAfterSeconds: nil), "invalid_client",
      false, false
    ),
    (.answered(status: 403, error: nil, retryAfterSeconds: nil), "status_403", false, false),
    (.answered(status: 404, error: nil, retryAfterSeconds: nil), "status_404", false, false),
    (.answered(status: 302, error: nil, retryAfterSeconds: nil), "status_302", false, false),
    (.answered(status: 429, error: nil, retryAfterSeconds: 9), "status_429", false, false),
    (.answered(status: 500, error: nil, retryAfterSeconds: nil), "status_500", false, false),
    (.answered(status: 502, error: nil, retryAfterSeconds: nil), "status_502", false, true),
    (.answered(status: 503, error: nil, retryAfterSeconds: 9), "status_503", false, false),
    (.answered(status: 504, error: nil, retryAfterSeconds: nil), "status_504", false, true),
    (.answered(status: 200, error: nil, retryAfterSeconds: nil), "unreadable_answer", false, true),
  ])
func classifies(_ facts: RefreshCallFacts, _ code: String, _ isRefusal: Bool, _ isUnknown: Bool) {
  switch RefreshOutcome(facts) {
  case .succeeded: Issue.record("a call without a token is no success")
  case .rejected(let told):
    #expect(isRefusal && told == code)
  case .failed(let told, let unknown, _):
    #expect(!isRefusal && told == code && unknown == isUnknown)
  }
}

// MARK: Laws

@Test(
  "whatever happens, versions only grow and no secret is lost",
  arguments: 1...60 as ClosedRange<UInt64>)
func keepsLaws(seed: UInt64) throws {
  var random = SeededRandom(seed: seed)
  var state = state(base)
  var position = UInt64(base.count)
  var accepted = 0
  for step in 0..<200 {
    let now = UInt64(100 + step * 20)
    let held = state.accounts[a1]?.credential ?? state.removedAccounts[a1]?.credential ?? .none
    let generation = random.oneIn(4) ? UInt64(random.int(0...5)) : held.generation
    let number = random.oneIn(4) ? UInt64(random.int(0...5)) : held.attempts
    let outcomes: [RefreshOutcome] = [
      .succeeded(fingerprint: fingerprint(random.int(1...99)), expiresAt: second(now + 300)),
      .rejected(code: "invalid_grant"),
      .failed(code: "status_503", isUnknown: random.oneIn(2), retryAfterSeconds: nil),
    ]
    let commands: [Command] = [
      .account(.issueCredential(a1, terms(random.int(1...99), expiresAt: second(now + 300)))),
      attempt(generation, RefreshCause.allCases[random.int(0...3)], at: now),
      attempt(generation, .reactive, at: now),
      settle(generation, number, outcomes[random.int(0...2)], at: now),
      settle(generation, number, outcomes[0], at: now), .credential(.recover(a1)),
      .credential(.suspect(a1)), .credential(.release(a1)),
      .credential(.moveHome(a1, to: random.oneIn(2) ? here : there)),
      foreign(
        UInt64(random.int(0...Int(held.homeEpoch) + 1)),
        UInt64(random.int(0...Int(held.generation) + 1)), random.int(1...99)),
      random.oneIn(8) ? .account(.remove(a1)) : .credential(.release(a1)),
      .account(.add(account("a1"), credential: terms(random.int(1...99)))),
      .node(.restore(incarnation: UInt64(step))),
    ]
    let command = commands[random.int(0...commands.count - 1)]
    guard let proposed = try? decide(command, state) else { continue }
    for one in proposed {
      let before = state.accounts[a1]?.credential
      let versionBefore = held.version
      position += 1
      accepted += 1
      state.apply(
        Recorded(
          position: position, time: second(now), kind: one.event.kind, provenance: .system,
          content: .event(one.event)))
      let after = try #require(state.accounts[a1] ?? state.removedAccounts[a1]).credential
      #expect(after.version >= versionBefore, "seed \(seed), step \(step): \(one.event)")
      switch one.event {
      case .credential(.revoked), .account(.added), .account(.removed): break
      case .credential(.issued), .credential(.refreshed):
        #expect(after.fingerprint != nil)
      case .credential(.refreshAttempted):
        #expect(before?.attempt == nil, "seed \(seed), step \(step)")
        #expect(after.isHome(of: here))
      case _:
        // Nothing else touches what is in use.
        #expect(after.fingerprint == before?.fingerprint, "seed \(seed), step \(step)")
        #expect(after.position == before?.position)
      }
    }
  }
  #expect(accepted > 20)
}

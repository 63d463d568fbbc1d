import Domain
import Testing

private let a1 = AccountID("a1")
private let p1: Event = .added(provider("p1"))

private func add(_ it: AccountEvent.Added, _ number: Int? = nil) -> Command {
  .account(.add(it, credential: number.map { .key(fingerprint($0)) }))
}
private func change(_ it: AccountEvent.Changed) -> Command { .account(.change(it)) }

@Test(
  "the rules of accounts hold",
  arguments: [
    Scenario(
      "an account and its credential come together", given: [p1], when: add(account("a1"), 7),
      then: .events([.added(account("a1")), .issued("a1", 1, 7)])),
    Scenario(
      "an account may come without credential", given: [p1], when: add(account("a1")),
      then: .events([.added(account("a1"))])),
    Scenario(
      "an account needs its provider", when: add(account("a1")),
      then: .refused(.unknownProvider, field: "provider")),
    Scenario(
      "a removed provider takes no accounts", given: [p1, .provider(.removed(ProviderID("p1")))],
      when: add(account("a1")), then: .refused(.unknownProvider, field: "provider")),
    Scenario(
      "adding twice never overwrites", given: [p1, .added(account("a1"))],
      when: add(account("a1", priority: 9), 7), then: .refused(.alreadyExists, field: "id")),
    Scenario(
      "an id is unique over all providers",
      given: [p1, .added(provider("p2")), .added(account("a1"))],
      when: add(account("a1", at: "p2")), then: .refused(.alreadyExists, field: "id")),
    Scenario(
      "a name is unique in its provider", given: [p1, .added(account("a1", name: "x"))],
      when: add(account("a2", name: "x")), then: .refused(.nameCollision, field: "name")),
    Scenario(
      "a name may be used at another provider",
      given: [p1, .added(provider("p2")), .added(account("a1", name: "x"))],
      when: add(account("a2", at: "p2", name: "x")),
      then: .events([.added(account("a2", at: "p2", name: "x"))])),
    Scenario(
      "a name cannot be changed to a neighbour's",
      given: [p1, .added(account("a1")), .added(account("a2"))],
      when: change(.init(id: a1, name: "a2")), then: .refused(.nameCollision, field: "name")),
    Scenario(
      "its own name is no collision", given: [p1, .added(account("a1"))],
      when: change(.init(id: a1, name: "a1", priority: 5)),
      then: .events([.account(.changed(.init(id: a1, priority: 5)))])),
    Scenario(
      "a change that changes nothing is no event", given: [p1, .added(account("a1"))],
      when: change(.init(id: a1, name: "a1", priority: 1, weight: 1)), then: .nothing),
    Scenario(
      "a missing account cannot be changed", given: [p1], when: change(.init(id: a1, priority: 0)),
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "an account is disabled", given: [p1, .added(account("a1"))], when: .account(.disable(a1)),
      then: .events([.account(.disabled(a1))])),
    Scenario(
      "a disabled account is disabled already",
      given: [p1, .added(account("a1")), .account(.disabled(a1))], when: .account(.disable(a1)),
      then: .nothing),
    Scenario(
      "a disabled account is enabled",
      given: [p1, .added(account("a1")), .account(.disabled(a1))], when: .account(.enable(a1)),
      then: .events([.account(.enabled(a1))])),
    Scenario(
      "a missing account cannot be enabled", when: .account(.enable(a1)),
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "a missing account cannot be disabled", when: .account(.disable(a1)),
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "removing an account revokes its credential",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7)], when: .account(.remove(a1)),
      then: .events([.credential(.revoked(a1)), .account(.removed(a1))])),
    Scenario(
      "without credential there is nothing to revoke", given: [p1, .added(account("a1"))],
      when: .account(.remove(a1)), then: .events([.account(.removed(a1))])),
    Scenario(
      "a missing account cannot be removed", when: .account(.remove(a1)),
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "a new secret is the next generation",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7)],
      when: .account(.issueCredential(a1, .key(fingerprint(8)))),
      then: .events([
        .issued("a1", 2, 8), .account(.credentialSet(.init(id: a1, generation: 2))),
      ])),
    Scenario(
      "the same secret again is no event",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7)],
      when: .account(.issueCredential(a1, .key(fingerprint(7)))), then: .nothing),
    Scenario(
      "an older secret is a new generation, never the old one",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7), .issued("a1", 2, 8)],
      when: .account(.issueCredential(a1, .key(fingerprint(7)))),
      then: .events([
        .issued("a1", 3, 7), .account(.credentialSet(.init(id: a1, generation: 3))),
      ])),
    Scenario(
      "a revoked secret can be issued again, as a new generation",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7), .credential(.revoked(a1))],
      when: .account(.issueCredential(a1, .key(fingerprint(7)))),
      then: .events([
        .issued("a1", 2, 7), .account(.credentialSet(.init(id: a1, generation: 2))),
      ])),
    Scenario(
      "a missing account gets no credential", given: [p1],
      when: .account(.issueCredential(a1, .key(fingerprint(7)))),
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "generations go on when an account comes back",
      given: [
        p1, .added(account("a1")), .issued("a1", 1, 7), .issued("a1", 2, 8),
        .credential(.revoked(a1)), .account(.removed(a1)),
      ], when: add(account("a1"), 8), then: .events([.added(account("a1")), .issued("a1", 3, 8)])),
    Scenario(
      "priority 0 is refused", given: [p1], when: add(account("a1", priority: 0)),
      then: .refused(.invalidField, field: "priority")),
    Scenario(
      "priority 1001 is refused", given: [p1, .added(account("a1"))],
      when: change(.init(id: a1, priority: 1_001)), then: .refused(.invalidField, field: "priority")
    ),
    Scenario(
      "weight 10001 is refused", given: [p1], when: add(account("a1", weight: 10_001)),
      then: .refused(.invalidField, field: "weight")),
    Scenario(
      "a name is not empty", given: [p1], when: add(account("a1", name: "")),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "a name has at most 64 characters", given: [p1],
      when: add(account("a1", name: String(repeating: "x", count: 65))),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "a name has no line break", given: [p1], when: add(account("a1", name: "a\nb")),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "a name does not end in a space", given: [p1], when: add(account("a1", name: "a ")),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "a name may be in any script, with spaces inside", given: [p1],
      when: add(account("a1", name: "Büro 東京")),
      then: .events([.added(account("a1", name: "Büro 東京"))])),

    Scenario(
      "the right revision lets a change pass", given: [p1, .added(account("a1"))],
      when: change(.init(id: a1, priority: 2)), ifMatch: 1,
      then: .events([.account(.changed(.init(id: a1, priority: 2)))])),
    Scenario(
      "a stale revision is refused",
      given: [p1, .added(account("a1")), .account(.disabled(a1))],
      when: change(.init(id: a1, priority: 2)), ifMatch: 1,
      then: .refused(.revisionMismatch, field: "revision")),
    Scenario(
      "a stale revision is refused even if nothing would change",
      given: [p1, .added(account("a1")), .account(.disabled(a1))], when: .account(.disable(a1)),
      ifMatch: 1, then: .refused(.revisionMismatch, field: "revision")),
    Scenario(
      "credentials do not move the revision that a change is based on",
      given: [p1, .added(account("a1")), .issued("a1", 1, 7), .issued("a1", 2, 8)],
      when: change(.init(id: a1, priority: 2)), ifMatch: 1,
      then: .events([.account(.changed(.init(id: a1, priority: 2)))])),
    Scenario(
      "what is missing is said before the revision", when: .account(.enable(a1)), ifMatch: 4,
      then: .refused(.unknownAccount, field: "id")),
    Scenario(
      "a stale revision is said before a wrong field", given: [p1, .added(account("a1"))],
      when: change(.init(id: a1, priority: 0)), ifMatch: 9,
      then: .refused(.revisionMismatch, field: "revision")),
  ])
func decidesAccounts(_ scenario: Scenario) { scenario.check() }

@Test("a revision mismatch tells the current revision")
func tellsCurrentRevision() {
  let refusal = #expect(throws: Refusal.self) {
    try decide(
      .account(.disable(a1)),
      state([p1, .added(account("a1")), .account(.changed(.init(id: a1)))]),
      ifMatch: 1)
  }
  #expect(refusal == .revisionMismatch(current: 2))
  #expect(refusal?.value == "2")
}

@Test("an account knows the generation, fingerprint and position of its credential")
func knowsCredential() {
  var state = state([p1, .added(account("a1")), .issued("a1", 1, 7), .issued("a1", 2, 8)])
  #expect(state.accounts[a1]?.credential.generation == 2)
  #expect(state.accounts[a1]?.credential.fingerprint == fingerprint(8))
  #expect(state.accounts[a1]?.credential.position == 4)
  #expect(state.accounts[a1]?.revision == 1)
  // An older generation that comes late changes nothing.
  for record in recorded([.issued("a1", 1, 7)], from: 5) { state.apply(record) }
  #expect(state.accounts[a1]?.credential.fingerprint == fingerprint(8))
  for record in recorded([.credential(.revoked(a1))], from: 6) { state.apply(record) }
  #expect(state.accounts[a1]?.credential.fingerprint == nil)
  #expect(state.accounts[a1]?.credential.position == nil)
  #expect(state.accounts[a1]?.credential.generation == 2)
  #expect(state.revision(ofStream: "credential/a1") == 4)
}

@Test("a removed account is kept apart with its generation")
func keepsTombstone() {
  let removed = state([
    p1, .added(account("a1")), .issued("a1", 1, 7), .credential(.revoked(a1)),
    .account(.removed(a1)),
  ])
  #expect(removed.accounts[a1] == nil)
  #expect(removed.removedAccounts[a1]?.credential.generation == 1)
  #expect(removed.removedAccounts[a1]?.credential.fingerprint == nil)
  #expect(removed.revision(ofStream: "account/a1") == 2)
}

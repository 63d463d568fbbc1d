import Domain
import Testing

private func issued(_ id: String, name: String = "node b") -> SyncTokenEvent.Issued {
  .init(id: SyncTokenID(id), name: name, fingerprint: fingerprint(1))
}

private let sixtyFour: [Event] = (1...64).map { .syncToken(.issued(issued("t\($0)"))) }

@Test(
  "the rules of sync tokens hold",
  arguments: [
    Scenario(
      "a token is issued", when: .syncToken(.issue(issued("t1"))),
      then: .events([.syncToken(.issued(issued("t1")))])),
    Scenario(
      "an id is given once, also after it was revoked",
      given: [.syncToken(.issued(issued("t1"))), .syncToken(.revoked(SyncTokenID("t1")))],
      when: .syncToken(.issue(issued("t1"))), then: .refused(.alreadyExists, field: "id")),
    Scenario(
      "an id is letters and digits, since the token has it between underscores",
      when: .syncToken(.issue(issued("t_1"))), then: .refused(.invalidField, field: "id")),
    Scenario(
      "a token has a name", when: .syncToken(.issue(issued("t1", name: ""))),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "64 tokens are enough", given: sixtyFour, when: .syncToken(.issue(issued("t65"))),
      then: .refused(.invalidField, field: "name")),
    Scenario(
      "a revoked one makes room", given: sixtyFour + [.syncToken(.revoked(SyncTokenID("t1")))],
      when: .syncToken(.issue(issued("t65"))),
      then: .events([.syncToken(.issued(issued("t65")))])),
    Scenario(
      "a token is revoked", given: [.syncToken(.issued(issued("t1")))],
      when: .syncToken(.revoke(SyncTokenID("t1"))),
      then: .events([.syncToken(.revoked(SyncTokenID("t1")))])),
    Scenario(
      "what is not there cannot be revoked", when: .syncToken(.revoke(SyncTokenID("t1"))),
      then: .refused(.unknownSyncToken, field: "id")),
    Scenario(
      "a stale revision is refused", given: [.syncToken(.issued(issued("t1")))],
      when: .syncToken(.revoke(SyncTokenID("t1"))), ifMatch: 4,
      then: .refused(.revisionMismatch, field: "revision")),
  ])
func decidesSyncTokens(_ scenario: Scenario) { scenario.check() }

import Testing

@testable import Domain

private func issued(_ id: String, name: String = "node b") -> SyncTokenEvent.Issued {
  .init(id: SyncTokenID(id), name: name, fingerprint: fingerprint(1))
}

private let t1 = SyncTokenID("t1")

private func bound(_ id: String, _ node: String, isProven: Bool = true) -> Event {
  .syncToken(.bound(.init(id: SyncTokenID(id), node: NodeID(node), isProven: isProven)))
}

private func bind(_ id: String, _ node: String) -> Command {
  .syncToken(.bind(.init(id: SyncTokenID(id), node: NodeID(node), isProven: false)))
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
      "a token is made for a node", given: [.syncToken(.issued(issued("t1")))],
      when: bind("t1", "n1"), then: .events([bound("t1", "n1", isProven: false)])),
    Scenario(
      "one node has a token", given: [.syncToken(.issued(issued("t1"))), bound("t1", "n1")],
      when: bind("t1", "n1"), then: .nothing),
    Scenario(
      "a token of one node becomes no other's",
      given: [.syncToken(.issued(issued("t1"))), bound("t1", "n1")],
      when: bind("t1", "n2"), then: .refused(.invalidField, field: "node")),
    Scenario(
      "a revoked token becomes nobody's",
      given: [.syncToken(.issued(issued("t1"))), .syncToken(.revoked(t1))],
      when: bind("t1", "n1"), then: .refused(.notActive, field: "id")),
    Scenario(
      "a node's name is visible ASCII", given: [.syncToken(.issued(issued("t1")))],
      when: bind("t1", "a\nb"), then: .refused(.invalidField, field: "node")),
    Scenario(
      "no token is nobody's", when: bind("t1", "n1"),
      then: .refused(.unknownSyncToken, field: "id")),
    Scenario(
      "a stale revision is refused", given: [.syncToken(.issued(issued("t1")))],
      when: .syncToken(.revoke(SyncTokenID("t1"))), ifMatch: 4,
      then: .refused(.revisionMismatch, field: "revision")),
  ])
func decidesSyncTokens(_ scenario: Scenario) { scenario.check() }

@Suite("Who may come with a sync token")
struct SyncTokenClaimTests {
  private func after(_ events: Event...) -> ControlState {
    state(
      [.gateway(.identified(.init(node: NodeID("hub"), incarnation: 1)))]
        + ["t1", "t2"].map { .syncToken(.issued(issued($0))) } + events)
  }

  private func code(_ state: ControlState, _ id: String, _ node: String) -> String? {
    do throws(SyncRefusal) {
      _ = try state.claim(SyncTokenID(id), by: NodeID(node))
      return nil
    } catch {
      return error.code
    }
  }

  @Test("it is the first one's who proves it, and nobody else's after that")
  func first() throws {
    let fresh = after()
    let noted = try fresh.claim(t1, by: NodeID("n1"))
    #expect(noted == .init(id: t1, node: NodeID("n1"), isProven: true))
    let held = after(bound("t1", "n1"))
    #expect(try held.claim(t1, by: NodeID("n1")) == nil)
    #expect(code(held, "t1", "n2") == "sync_token_of_another")
    #expect(code(held, "t3", "n1") == "sync_token_of_another", "no such token")
  }

  @Test("a node that has one is nobody with another, unless an operator made it for that node")
  func taken() throws {
    let held = after(bound("t1", "n1"))
    #expect(code(held, "t2", "n1") == "sync_name_taken")
    #expect(code(held, "t2", "n2") == nil)
    #expect(code(held, "t2", "hub") == "sync_same_node")
    let renewed = after(bound("t1", "n1"), bound("t2", "n1", isProven: false))
    #expect(code(renewed, "t2", "n1") == nil)
    #expect(code(renewed, "t1", "n1") == nil, "a directory that was restored has the former one")
    let revoked = after(bound("t1", "n1"), .syncToken(.revoked(t1)))
    #expect(code(revoked, "t2", "n1") == nil)
  }

  @Test("of names that come anew there are as many as are remembered, and known ones still come")
  func many() throws {
    let peers: [Event] = (1...SyncState.peersMost).map {
      .sync(.enabled(.init(peer: "p\($0)", url: "")))
    }
    let full = state([.syncToken(.issued(issued("t1")))] + peers)
    #expect(code(full, "t1", "n1") == "sync_too_many_peers")
    #expect(code(full, "t1", "p7") == nil)
    let roomy = state(
      [.syncToken(.issued(issued("t1")))] + peers + [.sync(.forgotten(.init(peer: "p9")))])
    #expect(roomy.sync.peers["p9"] == nil && roomy.sync.peers.count == SyncState.peersMost - 1)
    #expect(code(roomy, "t1", "n1") == nil)
  }

  @Test("who was refused is noted once, and others under the same token at most once an hour")
  func refusals() throws {
    let hour: Int64 = 3_600_000_000_000
    func refused(_ node: String) -> SyncTokenEvent.Refused {
      .init(id: t1, node: NodeID(node), code: "sync_token_of_another")
    }
    var state = after(bound("t1", "n1"))
    let noted = try #require(state.refusing(refused("n2"), now: UnixNanoseconds(1)))
    state.apply(.syncToken(.refused(noted)), position: 99, time: UnixNanoseconds(1))
    #expect(state.syncTokens[t1]?.refusal?.node == NodeID("n2"))
    #expect(state.refusing(refused("n2"), now: UnixNanoseconds(9 * hour)) == nil)
    #expect(state.refusing(refused("n3"), now: UnixNanoseconds(hour)) == nil)
    #expect(state.refusing(refused("n3"), now: UnixNanoseconds(hour + 1)) == refused("n3"))
    // A clock that was set back keeps nothing from being noted.
    #expect(state.refusing(refused("n3"), now: UnixNanoseconds(0)) == refused("n3"))
  }

  @Test("when a token was last used is in the log, as far as it brought anything")
  func use() throws {
    var state = after(bound("t1", "n1", isProven: false))
    #expect(state.syncTokens[t1]?.usedAt == nil)
    let received = SyncEvent.Exchanged(
      peer: "n1", exchange: 1, streams: 3, credentials: 0, clock: UnixNanoseconds(0), token: t1)
    state.apply(.sync(.received(received)), position: 99, time: UnixNanoseconds(5))
    #expect(state.syncTokens[t1]?.usedAt == UnixNanoseconds(5))
    #expect(state.syncTokens[SyncTokenID("t2")]?.usedAt == nil)
  }
}

import Crypto
import Domain
import EventStore
import HTTPTypes
import Support
import Surface
import Synchronization
import Testing

@testable import ControlPlane

extension SyncBoxes {
  /// One more node beside the two, with a token of `a`'s.
  func withThird(
    token: String, _ body: (TestBox) async throws -> Void
  ) async throws {
    try await withDirectory { directory in
      let third = try await TestBox.open(
        directory, clock: a.clock, masterKey: String(repeating: "ab", count: 32), network: network)
      do {
        try await third.set(cloudToken: token)
        try await body(third)
      } catch {
        try? third.store.close()
        throw error
      }
      third.views.stop()
      try third.store.close()
    }
  }

  /// What whoever holds a token can send under any name.
  func say(
    _ ask: SyncMessage.Ask, as node: NodeID, with token: String
  ) async throws -> SyncMessage.Reply? {
    let text = try #require(SyncTokenText(Secret(token)))
    let desk = try #require(a.sync).desk
    let nonce = a.clock.edge.drawn(SyncCipher.drawnBytes)
    let challenge = desk.hello(
      token: text.id.rawValue, client: node, nonce: nonce, address: "198.51.100.9")
    let cipher = SyncCipher(
      key: text.sealingKey, token: text.id.rawValue, client: node,
      server: a.control.state.sync.node, nonce: nonce, challenge: challenge)
    let sealed = try await desk.answer(
      token: text.id.rawValue, client: node, challenge: challenge,
      sealed: try cipher.seal(ask.encoded, .toServer), address: "198.51.100.9")
    return cipher.open(sealed, .toClient).flatMap { SyncMessage.Reply($0) }
  }
}

extension TestBox {
  var node: String { control.state.sync.node.rawValue }

  fileprivate func set(cloudToken: String) async throws {
    try await edit(
      .patch, "/api/settings",
      "{\"cloudUrl\":\"\(SyncBoxes.url)\",\"cloudToken\":\"\(cloudToken)\"}")
  }

  fileprivate func issueToken(_ name: String, node: String? = nil) async throws -> String {
    let made = node.map { ",\"node\":\"\($0)\"" } ?? ""
    let reply = try await call(
      .post, "/api/sync/tokens", "{\"name\":\"\(name)\"\(made)}", as: try await signIn(),
      showsSecret: true)
    return try #require(reply.json["token"]?.string, "\(reply.text)")
  }

  fileprivate func tokens() async throws -> [JSONValue] {
    try await call(.get, "/api/sync/tokens", as: try await signIn()).json["tokens"]?.array ?? []
  }

  fileprivate func events(_ stream: String) throws -> [Event] {
    try store.reader.events(ofStream: stream, from: Revision(1)).compactMap {
      try recorded($0).event
    }
  }

  fileprivate func reason(_ action: String) async throws -> String? {
    try await act(action).json["error"]?["reason"]?.string
  }

  fileprivate var shownToken: String {
    get throws {
      String(decoding: try #require(control.cloudToken).bytes, as: UTF8.self)
    }
  }
}

private let provider =
  "{\"id\":\"mock\",\"protocol\":\"openai\",\"baseUrl\":\"http://127.0.0.1:9/v1\",\"prefix\":\"mock\",\"models\":[{\"name\":\"m1\"},{\"name\":\"m2\"}]}"

@Suite("Whom a node syncs with, and by which token")
struct SyncPeerTests {
  @Test("a token is the first node's that comes with it, also after a restart")
  func bound() async throws {
    try await SyncBoxes.with { pair in
      #expect(try await pair.b.act("enable").status == 200)
      let token = try pair.b.shownToken
      let id = try #require(SyncTokenText(Secret(token))).id
      #expect(pair.a.control.state.syncTokens[id]?.node?.rawValue == pair.b.node)
      try await pair.withThird(token: token) { third in
        for _ in 0..<3 { #expect(try await third.reason("enable") == "sync_token_of_another") }
        #expect(pair.a.control.state.sync.peers[third.node] == nil)
        #expect(Set(pair.a.control.state.sync.peers.keys) == [pair.b.node])
        let refused = try pair.a.events(id.stream).compactMap { event -> String? in
          if case .syncToken(.refused(let it)) = event { it.node.rawValue } else { nil }
        }
        #expect(refused == [third.node], "once")
        let shown = try #require(try await pair.a.tokens().first)
        #expect(shown["node"]?.string == pair.b.node)
        #expect(shown["lastRefusal"]?["node"]?.string == third.node)
        #expect(shown["lastRefusal"]?["code"]?.string == "sync_token_of_another")
        // With one of its own it may come.
        try await third.set(cloudToken: try await pair.a.issueToken("third"))
        #expect(try await third.act("enable").status == 200)
      }
      try await pair.b.edit(.post, "/api/provider-nodes", provider)
      try await pair.settle()
    }
  }

  @Test("who holds a token is nobody else with it, and says nothing in another's name")
  func impersonation() async throws {
    try await SyncBoxes.with { pair in
      #expect(try await pair.b.act("enable").status == 200)
      let before = pair.a.control.state.sync.peers[pair.b.node]
      let evil = try await pair.a.issueToken("evil")
      let b = NodeID(pair.b.node)
      let key = try #require(SyncTokenText(Secret(evil))).sealingKey
      let told = pair.b.control.told(under: key, exchange: 3)
      for ask in [SyncMessage.Ask.check, .forget, .tell(told)] {
        let fault = await #expect(throws: SyncFault.self) {
          _ = try await pair.say(ask, as: b, with: evil)
        }
        #expect(fault?.code == "sync_name_taken")
      }
      #expect(pair.a.control.state.sync.peers[pair.b.node] == before, "b is not blamed for it")
      _ = try await pair.say(.check, as: NodeID("evil"), with: evil)
      let fault = await #expect(throws: SyncFault.self) {
        _ = try await pair.say(.forget, as: b, with: evil)
      }
      #expect(fault?.code == "sync_token_of_another")
      #expect(pair.a.control.state.sync.peers[pair.b.node]?.isEnabled == true)
      try await pair.settle()
      // Made for it by an operator, another token of the same node is another matter.
      try await pair.b.set(cloudToken: try await pair.a.issueToken("new", node: pair.b.node))
      #expect(try await pair.b.act("sync").status == 200)
    }
  }

  @Test(
    "what came under a token is written by the node and the token, and the token's use is known after a restart"
  )
  func evidence() async throws {
    try await SyncBoxes.with { pair in
      try await pair.b.edit(.post, "/api/provider-nodes", provider)
      #expect(try await pair.b.act("enable").status == 200)
      let id = try #require(SyncTokenText(Secret(try pair.b.shownToken))).id
      let stored = try pair.a.store.reader.events(ofStream: "provider/mock", from: Revision(1))
      let writers = try stored.map { try recorded($0).provenance.actor }
      #expect(Set(writers) == ["peer:\(pair.b.node) token:\(id.rawValue)"])
      let received = try pair.events(pair.a, pair.b).compactMap { event -> SyncTokenID? in
        if case .received(let it) = event { it.token } else { nil }
      }
      #expect(received == [id])
      // The other way no token of b's is concerned.
      let answers = try pair.events(pair.b, pair.a)
      #expect(
        answers.allSatisfy {
          if case .received(let it) = $0 { it.token == nil } else { true }
        })
      pair.a.clock.advance(seconds: 60)
      #expect(try await pair.b.act("sync").status == 200)
      let used = try #require(try await pair.a.tokens().first?["lastUsedAt"]?.string)
      pair.a.control.syncTokenUses.withLock { $0 = [:] }
      let kept = try #require(try await pair.a.tokens().first?["lastUsedAt"]?.string)
      #expect(kept < used, "as far as it brought something")
    }
  }

  @Test("there are as many peers as are remembered, and an operator makes room")
  func many() async throws {
    try await SyncBoxes.with { pair in
      let most = SyncState.peersMost
      try await pair.a.control.execute(provenance: .system) { _ in
        (1...most).map { Change(.sync(.note(.enabled(.init(peer: "gone-\($0)", url: ""))))) }
      }
      #expect(try await pair.b.reason("enable") == "sync_too_many_peers")
      #expect(pair.a.control.state.sync.peers.count == most)
      let session = try await pair.a.signIn()
      let forgotten = try await pair.a.call(.delete, "/api/sync/peers/gone-7", as: session)
      #expect(forgotten.status == 200, "\(forgotten.text)")
      #expect(forgotten.json["revokedTokens"]?.array?.isEmpty == true)
      #expect(try await pair.b.act("enable").status == 200)
      let again = try await pair.a.call(.delete, "/api/sync/peers/gone-7", as: session)
      #expect(again.status == 404 && again.code == "unknown_sync_peer", "\(again.text)")
      let kept = try pair.a.events("sync/gone-7")
      #expect(kept.contains(.sync(.forgotten(.init(peer: "gone-7")))))
    }
  }

  @Test("who is forgotten comes no more, and whom this node goes to is left first")
  func forget() async throws {
    try await SyncBoxes.with { pair in
      #expect(try await pair.b.act("enable").status == 200)
      let own = try await pair.b.call(
        .delete, "/api/sync/peers/\(pair.a.node)", as: try await pair.b.signIn())
      #expect(own.status == 409 && own.code == "sync_peer_in_use", "\(own.text)")
      let gone = try await pair.a.call(
        .delete, "/api/sync/peers/\(pair.b.node)", as: try await pair.a.signIn())
      let id = try #require(SyncTokenText(Secret(try pair.b.shownToken))).id
      #expect(gone.json["revokedTokens"]?.array?.compactMap(\.string) == [id.rawValue])
      #expect(pair.a.control.state.sync.peers.isEmpty)
      #expect(try await pair.b.reason("sync") == "sync_unauthorized")
      #expect(pair.a.control.state.sync.peers.isEmpty)
      #expect(try await pair.b.act("disable").json["told"]?.bool == false)
      let left = try await pair.b.call(
        .delete, "/api/sync/peers/\(pair.a.node)", as: try await pair.b.signIn())
      #expect(left.status == 200, "\(left.text)")
      #expect(try await pair.b.status()["peers"]?.array?.isEmpty == true)
    }
  }

  @Test("who was forgotten or left and comes again is a peer again, though both hold the same")
  func comesAgain() async throws {
    try await SyncBoxes.with { pair in
      #expect(try await pair.b.act("enable").status == 200)
      try await pair.settle()
      _ = try await pair.a.call(
        .delete, "/api/sync/peers/\(pair.b.node)", as: try await pair.a.signIn())
      #expect(pair.a.control.state.sync.peers.isEmpty)
      let token = try await pair.a.issueToken("b again")
      try await pair.b.edit(.patch, "/api/settings", "{\"cloudToken\":\"\(token)\"}")
      #expect(try await pair.b.act("enable").status == 200)
      let known = try #require(pair.a.control.state.sync.peers[pair.b.node])
      #expect(known.isEnabled && known.life == pair.b.control.state.identity?.incarnation)
      #expect(try await pair.b.act("disable").status == 200)
      #expect(pair.a.control.state.sync.peers[pair.b.node]?.isEnabled == false)
      #expect(try await pair.b.act("enable").status == 200)
      #expect(pair.a.control.state.sync.peers[pair.b.node]?.isEnabled == true)
      // And then it is at rest.
      try await pair.settle()
      let events = pair.a.store.reader.last
      try await pair.settle()
      #expect(pair.a.store.reader.last == events)
    }
  }

  @Test("whoever answers at cloudUrl without the token's proof is no peer, under whatever names")
  func nobody() async throws {
    try await SyncBoxes.with { pair in
      let count = Mutex(0)
      pair.network.meddle { url, body, isAnswer in
        guard url.hasSuffix("/hello"), isAnswer, let hello = try? JSONValue.parse(body) else {
          return body
        }
        let number = count.withLock {
          $0 += 1
          return $0
        }
        return JSONValue.object(
          (hello.members ?? []).map {
            $0.name == "node" ? .init("node", JSONValue("node-\(number)")) : $0
          }
        ).bytes
      }
      for _ in 0..<4 {
        let reply = try await pair.b.act("enable")
        #expect(reply.status == 502)
      }
      #expect(Set(pair.b.control.state.sync.peers.keys) == [SyncState.unnamedPeer])
    }
  }

  @Test("sync ends on record also where cloudUrl leads nowhere or elsewhere by now")
  func withoutTarget() async throws {
    try await SyncBoxes.with { pair in
      #expect(try await pair.b.act("disable").json["untold"]?.array?.isEmpty == true)
      #expect(try await pair.b.act("enable").status == 200)
      try await pair.b.edit(.patch, "/api/settings", "{\"cloudUrl\":null}")
      #expect(try await pair.b.act("sync").code == "sync_not_configured")
      let off = try await pair.b.act("disable")
      #expect(off.status == 200, "\(off.text)")
      #expect(off.json["told"]?.bool == false && off.json["copyRemoved"]?.bool == false)
      #expect(off.json["untold"]?[0]?["peer"]?.string == pair.a.node)
      #expect(off.json["message"]?.string?.contains(SyncBoxes.url) == true)
      let row = try await pair.b.status()["peers"]?[0]
      #expect(row?["enabled"]?.bool == false && row?["owesRemoval"]?.bool == true)
      #expect(try await pair.b.act("disable").code == "sync_not_configured", "nothing is on")
      // Where it leads there again, the other side is asked again.
      try await pair.b.edit(.patch, "/api/settings", "{\"cloudUrl\":\"\(SyncBoxes.url)\"}")
      pair.b.clock.advance(seconds: 600)
      await (try #require(pair.b.sync)).step()
      #expect(try await pair.b.status()["peers"]?[0]?["owesRemoval"]?.bool == false)
      #expect(pair.a.control.state.sync.peers[pair.b.node]?.isEnabled == false)

      #expect(try await pair.b.act("enable").status == 200)
      try await pair.b.edit(
        .patch, "/api/settings", "{\"cloudUrl\":\"http://127.0.0.1:9/elsewhere\"}")
      let elsewhere = try await pair.b.act("disable")
      #expect(elsewhere.json["untold"]?[0]?["url"]?.string == SyncBoxes.url, "\(elsewhere.text)")
      #expect(try await pair.b.status()["peers"]?[0]?["enabled"]?.bool == false)
    }
  }

  @Test("what cannot be taken in names the resource, the field and the numbers on both sides")
  func named() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      try await pair.a.edit(.put, "/api/models/alias", "{\"alias\":\"z\",\"model\":\"mock/m1\"}")
      let key = try #require(pair.b.control.cloudToken.flatMap { SyncTokenText($0) }?.sealingKey)
      // Somebody told b another value of the very edit that a made.
      var told = pair.a.control.told(under: key, exchange: 5)
      told.document.node = NodeID("ghost")
      told.document.credentials = []
      for (index, stream) in told.document.streams.enumerated() where stream.stream == "alias/z" {
        for field in stream.fields.indices
        where told.document.streams[index].fields[field].name == "model" {
          told.document.streams[index].fields[field].value = .text("mock/m2")
        }
      }
      _ = try await pair.b.control.take(told, from: Sender(node: NodeID("ghost")), under: key)
      let reply = try await pair.b.act("sync")
      let error = try #require(reply.json["error"])
      #expect(error["reason"]?.string == "sync_ambiguous_edit", "\(reply.text)")
      #expect(error["stream"]?.string == "alias/z" && error["field"]?.string == "model")
      #expect(error["remedy"]?.string == "Edit that field anew on either node.", "\(reply.text)")
      for body in pair.network.sent {
        #expect(!String(decoding: body.body + body.answer, as: UTF8.self).contains("alias/z"))
      }
      let about = SyncEvent.Failed.About(stream: "alias/z", field: "model")
      #expect(pair.a.control.state.sync.peers[pair.b.node]?.failure?.about == about)
      #expect(
        pair.b.control.state.sync.peers.values.contains {
          $0.failure?.code == "sync_ambiguous_edit" && $0.failure?.about == about
        })
      let row = try await pair.a.status()["peers"]?.array?.first {
        $0["peer"]?.string == pair.b.node
      }
      #expect(row?["failure"]?["stream"]?.string == "alias/z")
      let drift = row?["drift"]?.array?.first { $0["rule"]?.string == "sync_ambiguous_edit" }
      #expect(drift?["stream"]?.string == "alias/z" && drift?["field"]?.string == "model")
      // As the remedy says.
      try await pair.a.edit(.put, "/api/models/alias", "{\"alias\":\"z\",\"model\":\"mock/m2\"}")
      try await pair.settle()
      #expect(pair.a.control.state.sync.peers.values.allSatisfy { $0.failure == nil })

      var fewer = pair.b.control.told(under: key, exchange: 6)
      fewer.document.streams.removeLast()
      let refused = await #expect(throws: SyncDesk.Refused.self) {
        _ = try await pair.say(
          .tell(fewer), as: NodeID(pair.b.node), with: try pair.b.shownToken)
      }
      #expect(refused?.code == "sync_shrunken" && refused?.about.isEmpty == false)
      let count = UInt64(fewer.document.streams.count)
      #expect(
        pair.a.control.state.sync.peers[pair.b.node]?.failure?.about?.counts
          == .init(told: count, before: count + 1))
      let shown = try await pair.a.status()["peers"]?.array?.first {
        $0["peer"]?.string == pair.b.node
      }
      #expect(shown?["failure"]?["told"]?.uint == count)
      #expect(shown?["failure"]?["before"]?.uint == count + 1)
      #expect(
        shown?["drift"]?.array?.contains {
          $0["rule"]?.string == "sync_shrunken" && $0["theirs"]?.uint == count
        } == true)
    }
  }

  @Test("what a refusal is about comes out of its bytes, and nothing else does")
  func bytes() {
    for about in [
      SyncEvent.Failed.About(stream: "alias/fast", field: "model"),
      .init(counts: .init(told: 3, before: .max)), .init(stream: "alias/schön"),
    ] {
      let bytes = SyncMessage.bytes(about)
      #expect(SyncMessage.about(bytes) == about)
      for end in bytes.indices { #expect(SyncMessage.about(Array(bytes[..<end])) == nil) }
      #expect(SyncMessage.about(bytes + [0]) == nil)
    }
    #expect(SyncMessage.about([UInt8](repeating: 0, count: 4_096)) == nil)
  }

  @Test("a node's token goes to no worker of the older protocol, at no action")
  func nodeTokenForWorker() async throws {
    try await SyncBoxes.with { pair in
      try await pair.b.edit(
        .patch, "/api/settings", "{\"cloudProtocol\":\"9router\",\"machineId\":\"m\"}")
      for action in ["check", "enable", "sync"] {
        #expect(try await pair.b.reason(action) == "sync_token_malformed")
      }
      #expect(try await pair.b.act("disable").json["told"]?.bool == false)
      #expect(pair.network.sent.isEmpty, "nothing was sent anywhere")
      #expect(
        pair.b.control.state.sync.peers[SyncState.unnamedPeer]?.failure?.code
          == "sync_token_malformed")
    }
  }
}

import Domain
import EventStore
import HTTPTypes
import Logging
import NIOCore
import Support
import Surface
import Synchronization
import Testing

@testable import ControlPlane

/// Carries messages between boxes in one process; a test may lose, change and keep them.
final class BoxNetwork: TokenEndpoint {
  struct Sent: Sendable {
    var url: String
    var body: [UInt8]
    var answer: [UInt8]
    var status: Int
  }

  private let boxes = Mutex<[String: TestBox]>([:])
  private let cut = Mutex<Bool>(false)
  private let log = Mutex<[Sent]>([])
  private let meddler = Mutex<(@Sendable (String, [UInt8], Bool) -> [UInt8]?)?>(nil)

  func put(_ box: TestBox, at url: String) { boxes.withLock { $0[url] = box } }
  func cut(_ isCut: Bool) { cut.withLock { $0 = isCut } }
  /// Gets each body with its URL and whether it is an answer; nil loses it.
  func meddle(_ body: (@Sendable (String, [UInt8], Bool) -> [UInt8]?)?) {
    meddler.withLock { $0 = body }
  }
  var sent: [Sent] { log.withLock { $0 } }

  func send(_ request: TokenRequest) async -> TokenAnswer {
    guard !cut.withLock({ $0 }),
      let (base, box) = boxes.withLock({ all in all.first { request.url.hasPrefix($0.key) } })
    else { return .notSent("unreachable") }
    let meddle = meddler.withLock { $0 }
    guard let body = meddle.map({ $0(request.url, request.body, false) }) ?? request.body else {
      return .noAnswer("timeout")
    }
    let answer = await box.post(String(request.url.dropFirst(base.count)), body)
    log.withLock {
      $0.append(.init(url: request.url, body: body, answer: answer.body, status: answer.status))
    }
    guard let back = meddle.map({ $0(request.url, answer.body, true) }) ?? answer.body else {
      return .noAnswer("timeout")
    }
    return .answered(status: UInt16(answer.status), retryAfterSeconds: nil, body: back)
  }
}

extension TestBox {
  /// Sends what another node sends.
  func post(_ path: String, _ body: [UInt8]) async -> (status: Int, body: [UInt8]) {
    let answer = await responder.respond(
      to: AdminRequest(
        method: .post, uri: path,
        headers: [.contentType: "application/json"], body: ByteBuffer(bytes: body),
        remoteAddress: "198.51.100.7", requestID: RequestID(clock.edge.mintID())))
    return (answer.status.code, Array(answer.body.readableBytesView))
  }

  func act(_ action: String) async throws -> Reply {
    try await call(.post, "/api/sync/cloud", "{\"action\":\"\(action)\"}", as: try await signIn())
  }

  func edit(_ method: HTTPRequest.Method, _ path: String, _ body: String = "") async throws {
    let reply = try await call(method, path, body, as: try await signIn())
    guard (200..<300).contains(reply.status) else { throw Unexpected(reply.text) }
  }

  func status() async throws -> JSONValue {
    try await call(.get, "/api/sync/cloud", as: try await signIn()).json
  }

  /// What nodes have in common, as bytes.
  var intent: [UInt8] {
    control.state.document(secretsKey: control.vault.fingerprintKeyName, clock: UnixNanoseconds(0))
      .encodedIntent()
  }
}

/// Two nodes; `b` has a token of `a`'s and comes to it.
struct SyncBoxes {
  var a: TestBox
  var b: TestBox
  var network: BoxNetwork
  static let url = "http://127.0.0.1:9/a"

  static func with(
    sameMasterKey: Bool = true, _ body: (SyncBoxes) async throws -> Void
  ) async throws {
    try await withDirectory { first in
      try await withDirectory { second in
        let network = BoxNetwork()
        let key = String(repeating: "ab", count: 32)
        let other = String(repeating: "cd", count: 32)
        let clock = TestClock()
        let a = try await TestBox.open(first, clock: clock, masterKey: key, network: network)
        let b = try await TestBox.open(
          second, clock: clock, masterKey: sameMasterKey ? key : other, network: network)
        network.put(a, at: url)
        let pair = SyncBoxes(a: a, b: b, network: network)
        do {
          let issued = try await a.call(
            .post, "/api/sync/tokens", "{\"name\":\"b\"}", as: try await a.signIn(),
            showsSecret: true)
          let token = try #require(issued.json["token"]?.string)
          try await b.edit(
            .patch, "/api/settings", "{\"cloudUrl\":\"\(url)\",\"cloudToken\":\"\(token)\"}")
          try await body(pair)
        } catch {
          try? a.store.close()
          try? b.store.close()
          throw error
        }
        for box in [a, b] {
          box.views.stop()
          try box.store.close()
        }
      }
    }
  }

  /// Exchanges until both hold the same.
  func settle() async throws {
    for _ in 0..<4 {
      let reply = try await b.act("sync")
      #expect(reply.status == 200, "\(reply.text)")
      if reply.json["exchange"]?.isNull == true { break }
    }
    #expect(a.intent == b.intent)
  }

  func events(_ box: TestBox, _ peer: TestBox) throws -> [SyncEvent] {
    let stream = syncStream(peer.control.state.sync.node.rawValue)
    return try box.store.reader.events(ofStream: stream, from: Revision(1)).compactMap {
      if case .sync(let event) = try recorded($0).event { event } else { nil }
    }
  }
}

private let provider =
  "{\"id\":\"mock\",\"protocol\":\"openai\",\"baseUrl\":\"http://127.0.0.1:9/v1\",\"prefix\":\"mock\",\"models\":[{\"name\":\"m1\"},{\"name\":\"m2\"}]}"

@Suite("Two nodes that exchange what they have in common")
struct SyncExchangeTests {
  @Test(
    "what was edited on either side is on both, credentials included", arguments: [true, false])
  func both(sameMasterKey: Bool) async throws {
    try await SyncBoxes.with(sameMasterKey: sameMasterKey) { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      try await pair.a.edit(
        .post, "/api/providers",
        "{\"provider\":\"mock\",\"name\":\"a1\",\"apiKey\":\"sk-upstream-of-a\"}")
      let a1 = try #require(pair.a.control.state.accounts.keys.first)
      let first = try await pair.b.act("enable")
      #expect(first.status == 200, "\(first.text)")
      #expect(first.json["verified"]?.bool == true)
      try await pair.b.edit(
        .put, "/api/models/alias", "{\"alias\":\"fast\",\"model\":\"mock/m1\"}")
      try await pair.b.edit(
        .put, "/api/providers/\(a1.rawValue)/credential",
        "{\"accessToken\":\"at-of-b\",\"refreshToken\":\"rt-of-b\"}")
      try await pair.settle()
      for box in [pair.a, pair.b] {
        #expect(box.control.state.aliases["fast"] != nil)
        #expect(box.published.secrets[a1] == Secret("at-of-b"))
        let held = try #require(box.control.held(a1))
        #expect(held.material.refresh == Secret("rt-of-b"))
        #expect(held.credential.home == pair.b.control.state.sync.node)
      }
      let status = try await pair.b.status()
      #expect(status["enabled"]?.bool == true && status["connected"]?.bool == true)
      for body in pair.network.sent {
        let text = String(decoding: body.body + body.answer, as: UTF8.self)
        #expect(!text.contains("upstream-of-a") && !text.contains("mock"), "in clear on the wire")
      }
      for said in pair.a.everythingSaid + pair.b.everythingSaid {
        #expect(!said.contains("sk-upstream-of-a") && !said.contains("rt-of-b"))
      }
    }
  }

  @Test("nodes that hold the same exchange a digest, write nothing and are told so")
  func idle() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      #expect(try await pair.b.act("enable").status == 200)
      try await pair.settle()
      let (a, b) = (pair.a.store.lastWritten, pair.b.store.lastWritten)
      let before = pair.network.sent.count
      let reply = try await pair.b.act("sync")
      #expect(reply.json["exchange"]?.isNull == true, "\(reply.text)")
      // Signing in to ask is an event of its own.
      #expect(pair.a.store.lastWritten == a)
      #expect(pair.b.store.lastWritten.rawValue <= b.rawValue + 1)
      let said = pair.network.sent[before...]
      #expect(said.count == 2)
      #expect(said.allSatisfy { $0.body.count < 600 && $0.answer.count < 300 })
    }
  }

  @Test("edits that did not see each other are a conflict on both sides' records, once")
  func conflict() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      try await pair.a.edit(.put, "/api/models/alias", "{\"alias\":\"fast\",\"model\":\"mock/m1\"}")
      #expect(try await pair.b.act("enable").status == 200)
      pair.a.clock.advance(seconds: 1)
      try await pair.a.edit(.put, "/api/models/alias", "{\"alias\":\"fast\",\"model\":\"mock/m2\"}")
      pair.a.clock.advance(seconds: 1)
      try await pair.b.edit(
        .put, "/api/models/alias",
        "{\"alias\":\"fast\",\"model\":\"mock/m3\",\"allowUnresolved\":true}")
      try await pair.settle()
      #expect(pair.a.control.state.aliases["fast"]?.target == "mock/m3")
      // The one that lost says so, where it lost.
      let rows = try await pair.a.status()["peers"]?.array ?? []
      let drift = rows.flatMap { $0["drift"]?.array ?? [] }.filter {
        $0["rule"]?.string == "concurrent"
      }
      #expect(
        drift.contains { $0["stream"]?.string == "alias/fast" })
      // The next edit has seen both.
      try await pair.b.edit(.put, "/api/models/alias", "{\"alias\":\"fast\",\"model\":\"mock/m1\"}")
      try await pair.settle()
      let after = try await pair.a.status()["peers"]?.array ?? []
      let left = after.flatMap { $0["drift"]?.array ?? [] }
      #expect(!left.contains { $0["stream"]?.string == "alias/fast" }, "\(left)")
    }
  }

  @Test("a message that was changed, cut or sent before is refused, and nothing of it taken")
  func meddling() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      #expect(try await pair.b.act("enable").status == 200)
      try await pair.b.edit(.put, "/api/models/alias", "{\"alias\":\"x\",\"model\":\"mock/m1\"}")
      let told = pair.network.sent.filter { $0.url.hasSuffix("/exchange") }
      let again = try #require(told.last)
      let replayed = await pair.a.post("/api/sync/exchange", again.body)
      #expect(replayed.status == 409)
      #expect(String(decoding: replayed.body, as: UTF8.self).contains("sync_challenge_over"))

      let before = pair.a.intent
      for isAnswer in [false, true] {
        pair.network.meddle { url, body, isAnswerNow in
          guard url.hasSuffix("/exchange"), isAnswerNow == isAnswer else { return body }
          var other = body
          let at = other.count - 20
          other[at] = other[at] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
          return other
        }
        let reply = try await pair.b.act("sync")
        #expect(reply.status == 502)
        #expect(
          reply.json["error"]?["reason"]?.string
            == (isAnswer ? "sync_not_authentic" : "sync_unauthorized"))
        #expect(pair.a.intent == before)
      }
      pair.network.meddle(nil)
      #expect(
        pair.b.control.state.sync.peers.values.contains { $0.failure?.code == "sync_not_authentic" }
      )
      try await pair.settle()
      #expect(pair.b.control.state.sync.peers.values.allSatisfy { $0.failure == nil })
      #expect(pair.a.control.state.sync.peers.values.allSatisfy { $0.failure == nil })
    }
  }

  @Test("an answer that was lost is made up for, and nothing is decided twice")
  func lostAnswer() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      #expect(try await pair.b.act("enable").status == 200)
      try await pair.b.edit(.put, "/api/models/alias", "{\"alias\":\"x\",\"model\":\"mock/m1\"}")
      let count = Mutex(0)
      pair.network.meddle { url, body, isAnswer in
        guard url.hasSuffix("/exchange"), isAnswer else { return body }
        return count.withLock {
          $0 += 1
          return $0 == 2 ? nil : body
        }
      }
      #expect(try await pair.b.act("sync").json["error"]?["reason"]?.string == "sync_timeout")
      #expect(pair.a.control.state.aliases["x"] != nil)
      pair.network.meddle(nil)
      try await pair.settle()
      let decided = try pair.events(pair.a, pair.b).reduce(0) { sum, event in
        guard case .reconciled(let it) = event else { return sum }
        return sum + it.decisions.count { $0.stream == "alias/x" && $0.field.isEmpty }
      }
      #expect(decided == 1)
    }
  }

  @Test("unknown, revoked and wrong tokens are answered alike, and few times a minute")
  func tokens() async throws {
    try await SyncBoxes.with { pair in
      #expect(try await pair.b.act("check").status == 200)
      let id = try #require(pair.a.control.state.syncTokens.keys.first)
      try await pair.a.edit(.delete, "/api/sync/tokens/\(id.rawValue)")
      var said: Set<String> = []
      let edge = pair.a.clock.edge
      let unknown = SyncTokenText(edge)
      let revoked = String(
        decoding: try #require(pair.b.control.cloudToken).bytes, as: UTF8.self)
      let wrong =
        revoked.prefix(while: { $0 != "_" }) + "_\(id.rawValue)_" + Base64URL.text(edge.drawn(32))
      for token in [revoked, String(wrong), String(decoding: unknown.text.bytes, as: UTF8.self)] {
        try await pair.b.edit(.patch, "/api/settings", "{\"cloudToken\":\"\(token)\"}")
        let reply = try await pair.b.act("check")
        #expect(reply.status == 502)
        #expect(reply.json["error"]?["reason"]?.string == "sync_unauthorized")
        let answer = try #require(pair.network.sent.last)
        #expect(answer.status == 401)
        let error = try JSONValue.parse(answer.answer)["error"]
        said.insert("\(error?["code"]?.string ?? "") \(error?["message"]?.string ?? "")")
      }
      #expect(said.count == 1, "\(said)")
      for _ in 0..<4 { _ = try await pair.b.act("check") }
      #expect(pair.network.sent.last?.status == 429)
    }
  }

  @Test("a copy of a node, and a node that tells of less than before, are refused on record")
  func copies() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      try await pair.b.edit(
        .put, "/api/models/alias",
        "{\"alias\":\"x\",\"model\":\"mock/m1\",\"allowUnresolved\":true}")
      #expect(try await pair.b.act("enable").status == 200)
      let key = try #require(pair.b.control.cloudToken.flatMap { SyncTokenText($0) }?.sealingKey)
      var told = pair.b.control.told(under: key, exchange: 7)
      let node = pair.b.control.state.sync.node
      told.document.streams = []
      await #expect(throws: SyncRefusal.self) {
        try await pair.a.control.take(told, from: Sender(node: node), under: key)
      }
      // Another directory of the same name comes, and then the first again.
      let identity = try #require(pair.b.control.state.identity)
      try await pair.b.control.execute(provenance: .system) { _ in
        [Change(.node(.restore(incarnation: identity.incarnation &+ 1)))]
      }
      #expect(try await pair.b.act("sync").status == 200)
      try await pair.b.control.execute(provenance: .system) { _ in
        [Change(.node(.restore(incarnation: identity.incarnation)))]
      }
      let reply = try await pair.b.act("sync")
      #expect(reply.json["error"]?["reason"]?.string == "sync_copied_node", "\(reply.text)")
      #expect(pair.a.control.state.sync.peers[node.rawValue]?.failure?.code == "sync_copied_node")
    }
  }

  @Test(
    "enabling says so only after a first exchange; disabling has the other side forget us, or tries again"
  )
  func onAndOff() async throws {
    try await SyncBoxes.with { pair in
      pair.network.cut(true)
      #expect(try await pair.b.act("enable").json["error"]?["reason"]?.string == "sync_unreachable")
      var status = try await pair.b.status()
      #expect(status["enabled"]?.bool == false)
      #expect(status["peers"]?.array?.first?["failure"]?["code"]?.string == "sync_unreachable")
      pair.network.cut(false)
      #expect(try await pair.b.act("enable").status == 200)
      status = try await pair.b.status()
      #expect(status["enabled"]?.bool == true && status["peers"]?.array?.count == 1)
      let node = pair.b.control.state.sync.node.rawValue
      #expect(pair.a.control.state.sync.peers[node]?.isEnabled == true)

      pair.network.cut(true)
      #expect(try await pair.b.act("disable").json["copyRemoved"]?.bool == false)
      #expect(try await pair.b.status()["enabled"]?.bool == false)
      pair.network.cut(false)
      let keeper = try #require(pair.b.sync)
      await keeper.step()
      #expect(
        pair.a.control.state.sync.peers[node]?.isEnabled == true, "not before the pause is over")
      pair.b.clock.advance(seconds: 3)
      await keeper.step()
      #expect(pair.a.control.state.sync.peers[node]?.isEnabled == false)
      #expect(pair.b.control.state.sync.peers.values.allSatisfy { !$0.owesRemoval })
      // A node is no copy: both know, and each keeps what it has.
      for (box, other) in [(pair.a, pair.b), (pair.b, pair.a)] {
        let said = try pair.events(box, other).compactMap { event -> SyncEvent.Farewell? in
          if case .disabled(let it) = event { it.farewell } else { nil }
        }
        #expect(said == (box === pair.a ? [.told] : [.owed, .told]))
      }
      #expect(try await pair.b.act("enable").status == 200)
      let off = try await pair.b.act("disable").json
      #expect(off["copyRemoved"]?.bool == false && off["told"]?.bool == true, "\(off)")
      #expect(off["message"]?.string?.contains("keeps what it has") == true)
    }
  }

  @Test(
    "an edit is told two seconds later, a failure tried again ever later, and all from time to time"
  )
  func pace() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      #expect(try await pair.b.act("enable").status == 200)
      let keeper = try #require(pair.b.sync)
      func calls() async -> Int {
        let before = pair.network.sent.count
        await keeper.step()
        return pair.network.sent.count - before
      }
      // What was taken over is looked at once more, and then there is rest.
      for _ in 0..<5 {
        _ = await calls()
        pair.b.clock.advance(seconds: 2)
      }
      #expect(await calls() == 0)
      try await pair.b.edit(.put, "/api/models/alias", "{\"alias\":\"x\",\"model\":\"mock/m1\"}")
      #expect(await calls() == 0)
      pair.b.clock.advance(seconds: 1)
      #expect(await calls() == 0)
      pair.b.clock.advance(seconds: 1)
      #expect(await calls() == 4)
      #expect(pair.a.control.state.aliases["x"] != nil)

      pair.network.cut(true)
      pair.b.clock.advance(seconds: 330)
      var tries = 0
      for _ in 0..<120 {
        let before = keeper.board.figures.exchanges["sync_unreachable"] ?? 0
        await keeper.step()
        tries += Int((keeper.board.figures.exchanges["sync_unreachable"] ?? 0) - before)
        pair.b.clock.advance(seconds: 1)
      }
      #expect((4...8).contains(tries), "\(tries) tries in two minutes")
      // Noted once.
      let failed = try pair.events(pair.b, pair.a).count {
        if case .failed = $0 { true } else { false }
      }
      #expect(failed == 1)
      pair.network.cut(false)
      pair.b.clock.advance(seconds: 300)
      #expect(await calls() > 0)
      #expect(pair.b.control.state.sync.peers.values.allSatisfy { $0.failure == nil })
    }
  }

  @Test("a clock that is ahead waits, and is shown")
  func aheadOfTime() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      #expect(try await pair.b.act("enable").status == 200)
      let key = try #require(pair.b.control.cloudToken.flatMap { SyncTokenText($0) }?.sealingKey)
      try await pair.b.edit(.put, "/api/models/alias", "{\"alias\":\"x\",\"model\":\"mock/m1\"}")
      let told = pair.b.control.told(under: key, exchange: 9)
      // To a, whose clock is ten minutes behind.
      pair.a.clock.advance(seconds: -600)
      _ = try await pair.a.control.take(
        told, from: Sender(node: pair.b.control.state.sync.node), under: key)
      #expect(pair.a.control.state.aliases["x"] == nil)
      let peers = try await pair.a.status()["peers"]?.array ?? []
      #expect(
        peers.first?["drift"]?.array?.contains { $0["rule"]?.string == "clock-ahead" } == true)
      pair.a.clock.advance(seconds: 600)
      try await pair.settle()
      #expect(pair.a.control.state.aliases["x"] != nil)
    }
  }

  @Test("more credentials than one batch takes go in parts, too")
  func manyCredentials() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      let vault = pair.a.control.vault
      let count = 2_500
      for start in stride(from: 0, to: count, by: 500) {
        try await pair.a.control.execute(provenance: .system) { _ in
          (start..<start + 500).map { number in
            let secret = CredentialMaterial(access: Secret("sk-\(number)")).encoded
            let terms = CredentialTerms(
              fingerprint: vault.fingerprint(secret), kind: .apiKey, canRefresh: false,
              expiresAt: nil)
            let added = AccountEvent.Added(
              id: AccountID("many-\(number)"), provider: ProviderID("mock"),
              name: "many-\(number)", priority: 1, weight: 1)
            return Change(.account(.add(added, credential: terms)), secret: secret)
          }
        }
      }
      #expect(try await pair.b.act("enable").status == 200)
      let taken = pair.b.control.state.accounts.values.filter { $0.credential.fingerprint != nil }
      #expect(taken.count >= count)
      try await pair.settle()
    }
  }

  @Test("many resources go in parts, each with its decisions, and edits are let in between")
  func many() async throws {
    try await SyncBoxes.with { pair in
      try await pair.a.edit(.post, "/api/provider-nodes", provider)
      let count = 4_000
      for start in stride(from: 0, to: count, by: 500) {
        try await pair.a.control.execute(provenance: .system) { _ in
          (start..<start + 500).map {
            Change(.alias(.set(name: "alias-\($0)", target: "mock/m1", allowUnresolved: true)))
          }
        }
      }
      #expect(try await pair.b.act("enable").status == 200)
      #expect(pair.b.control.state.aliases.count == count)
      let parts = try pair.events(pair.b, pair.a).count {
        if case .reconciled = $0 { true } else { false }
      }
      #expect(parts > 1)
      try await pair.settle()
    }
  }
}

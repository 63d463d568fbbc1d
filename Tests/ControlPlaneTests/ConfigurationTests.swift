import Domain
import EventStore
import FoundationEssentials
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// The administration changes what it says, and nothing else.
struct ConfigurationTests {
  static let node = """
    {"id":"mock","name":"Mock","protocol":"openai","baseUrl":"http://127.0.0.1:9000/v1/",
     "prefix":"mock","models":[{"name":"gpt-4o-mini"},{"name":"gpt-4o","alias":"big"}]}
    """
  static let account = """
    {"provider":"mock","apiKey":"sk-upstream-1","name":"a1","priority":2,"weight":80}
    """

  /// A box with a provider and an account, and a token.
  private func prepared(
    _ body: (TestBox, String, TestBox.Reply, TestBox.Reply) async throws -> Void
  ) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let node = try await box.call(.post, "/api/provider-nodes", Self.node, as: token)
      let account = try await box.call(.post, "/api/providers", Self.account, as: token)
      #expect(node.status == 201, "\(node.text)")
      #expect(account.status == 201, "\(account.text)")
      try await body(box, token, node, account)
    }
  }

  @Test func `a provider and an account are published before the answer`() async throws {
    try await prepared { box, _, node, account in
      #expect(node.json["node"]?["baseUrl"]?.string == "http://127.0.0.1:9000/v1")
      #expect(node.json["node"]?["models"]?[1]?["alias"]?.string == "big")
      let id = AccountID(try #require(account.json["connection"]?["id"]?.string))
      let published = box.published
      #expect(published.state.providers[ProviderID("mock")]?.prefix == "mock")
      #expect(published.state.accounts[id]?.priority == 2)
      #expect(published.secrets[id] == Secret("sk-upstream-1"))
      #expect(published.state == box.control.state)
      #expect(account.json["connection"]?["testStatus"]?.string == "unknown")
      #expect(account.json["connection"]?["authType"]?.string == "apikey")
    }
  }

  @Test func `the same provider or account again is 409 and overwrites nothing`() async throws {
    try await prepared { box, token, _, _ in
      let before = box.control.state
      let again = try await box.call(.post, "/api/provider-nodes", Self.node, as: token)
      #expect(again.status == 409)
      let other = try await box.call(
        .post, "/api/providers", #"{"provider":"mock","apiKey":"sk-upstream-2","name":"a1"}"#,
        as: token)
      #expect(other.status == 409, "\(other.text)")
      #expect(box.control.state == before)
      #expect(box.published.secrets.count == 1)
    }
  }

  @Test func `an account is changed per field, by id and by name`() async throws {
    try await prepared { box, token, _, account in
      let id = try #require(account.json["connection"]?["id"]?.string)
      let renamed = try await box.call(
        .put, "/api/providers/a1", #"{"priority":7,"isActive":false}"#, as: token)
      #expect(renamed.status == 200, "\(renamed.text)")
      #expect(renamed.json["connection"]?["priority"]?.int == 7)
      #expect(renamed.json["connection"]?["weight"]?.int == 80)
      #expect(renamed.json["connection"]?["isActive"]?.bool == false)
      let events = try box.store.reader.events(ofStream: "account/\(id)", from: Revision(2))
      #expect(events.map(\.kind) == ["account.changed.v1", "account.disabled.v1"])
      let again = try await box.call(
        .put, "/api/providers/\(id)", #"{"isActive":false,"priority":7}"#, as: token)
      #expect(again.tag == renamed.tag)
      #expect(box.store.lastWritten == events.last?.position)
    }
  }

  @Test func `a new key of an account is the next generation, the same one is no event`()
    async throws
  {
    try await prepared { box, token, _, account in
      let id = AccountID(try #require(account.json["connection"]?["id"]?.string))
      let next = try await box.call(
        .put, "/api/providers/a1", #"{"apiKey":"sk-upstream-2"}"#, as: token)
      #expect(next.json["connection"]?["credentialGeneration"]?.int == 2, "\(next.text)")
      #expect(box.published.secrets[id] == Secret("sk-upstream-2"))
      let last = box.store.lastWritten
      let same = try await box.call(
        .put, "/api/providers/a1", #"{"apiKey":"sk-upstream-2"}"#, as: token)
      #expect(same.status == 200)
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `a removed account is gone with its secret, its provider goes after it`() async throws
  {
    try await prepared { box, token, _, account in
      let inUse = try await box.call(.delete, "/api/provider-nodes/mock", as: token)
      #expect(inUse.status == 409, "\(inUse.text)")
      #expect(try await box.call(.delete, "/api/providers/a1", as: token).status == 200)
      #expect(box.published.secrets.isEmpty)
      let gone = try await box.call(.get, "/api/providers/a1", as: token)
      #expect(gone.status == 404)
      #expect(gone.code == "unknown_account")
      #expect(try await box.call(.delete, "/api/provider-nodes/mock", as: token).status == 200)
      #expect(box.control.state.providers.isEmpty)
    }
  }

  @Test func `a name that two accounts share is no address, and the ids are named`() async throws {
    try await prepared { box, token, _, _ in
      let second = Self.node.replacing("mock", with: "other")
      #expect(
        try await box.call(.post, "/api/provider-nodes", second, as: token).status == 201)
      let twin = Self.account.replacing("mock", with: "other")
        .replacing("sk-upstream-1", with: "sk-upstream-9")
      #expect(try await box.call(.post, "/api/providers", twin, as: token).status == 201)
      let reply = try await box.call(.get, "/api/providers/a1", as: token)
      #expect(reply.status == 404)
      #expect(reply.json["error"]?["candidates"]?.array?.count == 2)
    }
  }

  @Test func `aliases are set, read one by one, refused for unknown targets, and removed`()
    async throws
  {
    try await prepared { box, token, _, _ in
      let set = try await box.call(
        .put, "/api/models/alias", #"{"alias":"fast","model":"mock/gpt-4o-mini"}"#, as: token)
      #expect(set.status == 200, "\(set.text)")
      let star = try await box.call(
        .put, "/api/models/alias", #"{"alias":"other","model":"mock/gpt-4o"}"#, as: token,
        headers: [("if-match", "*")])
      #expect(star.status == 412, "`*` asks for one that is there")
      let there = try await box.call(
        .put, "/api/models/alias", #"{"alias":"fast","model":"mock/gpt-4o-mini"}"#, as: token,
        headers: [("if-match", "*")])
      #expect(there.status == 200)
      let all = try await box.call(.get, "/api/models/alias", as: token)
      #expect(all.json["aliases"]?["fast"]?.string == "mock/gpt-4o-mini")
      let one = try await box.call(.get, "/api/models/alias?alias=fast", as: token)
      #expect(one.tag == "\"1\"")
      let lost = try await box.call(
        .put, "/api/models/alias", #"{"alias":"lost","model":"mock/gpt-4o-minni"}"#, as: token)
      #expect((400..<500).contains(lost.status))
      #expect(lost.text.contains("mock/gpt-4o-mini"))
      let allowed = try await box.call(
        .put, "/api/models/alias",
        #"{"alias":"lost","model":"mock/gpt-5","allowUnresolved":true}"#, as: token)
      #expect(allowed.json["isUnresolved"]?.bool == true)
      let removed = try await box.call(.delete, "/api/models/alias?alias=fast", as: token)
      #expect(removed.status == 200)
      let again = try await box.call(.delete, "/api/models/alias?alias=fast", as: token)
      #expect(again.status == 404)
      #expect(again.code == "unknown_alias")
      #expect(try await box.call(.delete, "/api/models/alias", as: token).status == 400)
    }
  }

  @Test func `a key is shown once, paused, resumed and revoked`() async throws {
    try await prepared { box, token, _, _ in
      try await box.control.execute(provenance: .system) { _ in
        [Change(.organisation(.create(.init(id: OrganisationID("acme"), name: "Acme"))))]
      }
      let made = try await box.call(
        .post, "/api/keys", #"{"name":"ci","organization":"acme","diagnostics":true}"#, as: token,
        showsSecret: true)
      #expect(made.status == 201)
      let text = try #require(made.json["key"]?.string)
      #expect(text.hasPrefix("sk-sb-") && text.count == 38)
      #expect(made.json["maskedKey"]?.string == "\(text.prefix(8))…\(text.suffix(4))")
      let id = try #require(made.json["id"]?.string)
      let key = try #require(box.control.state.keys[KeyID(id)])
      #expect(key.organisation == OrganisationID("acme"))
      #expect(key.fingerprint == box.control.vault.fingerprint(Secret(text)))
      func status(_ method: HTTPRequest.Method, _ body: String) async throws -> String? {
        try await box.call(method, "/api/keys/\(id)", body, as: token).json["key"]?["status"]?
          .string
      }
      #expect(try await status(.put, #"{"isActive":false}"#) == "paused")
      #expect(try await status(.put, #"{"isActive":true}"#) == "active")
      #expect(try await status(.delete, "") == "revoked")
      let back = try await box.call(.put, "/api/keys/\(id)", #"{"isActive":true}"#, as: token)
      #expect(back.status == 409)
      let list = try await box.call(.get, "/api/keys", as: token)
      #expect(list.json["keys"]?.array?.count == 2)
      #expect(!list.text.contains(text))
    }
  }

  @Test func `settings are changed per field`() async throws {
    try await prepared { box, token, _, _ in
      let before = try await box.call(.get, "/api/settings", as: token)
      #expect(before.json["hasPassword"]?.bool == true)
      let after = try await box.call(
        .patch, "/api/settings", #"{"maxBodyBytes":1048576,"requireApiKey":false}"#, as: token)
      #expect(after.json["maxBodyBytes"]?.int == 1_048_576, "\(after.text)")
      #expect(after.json["requireApiKey"]?.bool == false)
      #expect(after.json["forceModelPrefix"]?.bool == false)
      #expect(after.tag != before.tag)
      #expect(box.published.state.settings.maxBodyBytes == 1_048_576)
    }
  }

  @Test func `a write on an old revision is 412 with the current one and changes nothing`()
    async throws
  {
    try await prepared { box, token, node, account in
      let alias = #"{"alias":"fast","model":"mock/gpt-4o-mini"}"#
      _ = try await box.call(.put, "/api/models/alias", alias, as: token)
      let key = try #require(box.control.state.keys.keys.first?.rawValue)
      let cases: [(HTTPRequest.Method, String, String)] = [
        (.put, "/api/provider-nodes/mock", #"{"name":"x"}"#),
        (.delete, "/api/provider-nodes/mock", ""),
        (.put, "/api/providers/a1", #"{"apiKey":"sk-upstream-3"}"#),
        (.delete, "/api/providers/a1", ""),
        (.put, "/api/models/alias", #"{"alias":"fast","model":"mock/gpt-4o"}"#),
        (.delete, "/api/models/alias?alias=fast", ""),
        (.put, "/api/keys/\(key)", #"{"name":"x"}"#), (.delete, "/api/keys/\(key)", ""),
        (.patch, "/api/settings", #"{"forceModelPrefix":true}"#),
      ]
      let before = box.control.state
      for (method, uri, body) in cases {
        for tag in ["\"99\"", "\"not ours\""] {
          let reply = try await box.call(
            method, uri, body, as: token, headers: [("if-match", tag)])
          #expect(reply.status == 412, "\(method) \(uri): \(reply.text)")
          let current = try #require(reply.json["error"]?["revision"]?.uint)
          #expect(reply.tag == "\"\(current)\"")
        }
      }
      #expect(box.control.state == before)
      let fresh = try await box.call(
        .put, "/api/provider-nodes/mock", #"{"name":"x"}"#, as: token,
        headers: [("if-match", try #require(node.tag))])
      #expect(fresh.status == 200)
      #expect(fresh.tag != node.tag)
      _ = account
    }
  }

  @Test func `the revision that a change was based on is recorded, and none is none`() async throws
  {
    try await prepared { box, token, _, _ in
      _ = try await box.call(
        .put, "/api/provider-nodes/mock", #"{"name":"x"}"#, as: token,
        headers: [("if-match", "\"1\"")])
      _ = try await box.call(.put, "/api/provider-nodes/mock", #"{"name":"y"}"#, as: token)
      let provenances = try box.store.reader
        .events(ofStream: "provider/mock", from: Revision(2)).map { try recorded($0).provenance }
      #expect(provenances.map(\.base) == [1, nil])
      #expect(provenances.map(\.actor) == ["admin", "admin"])
      #expect(provenances.map(\.address) == [TestBox.address, TestBox.address])
    }
  }

  @Test func `a field that means nothing is named and nothing is changed`() async throws {
    try await prepared { box, token, _, _ in
      let key = try #require(box.control.state.keys.keys.first?.rawValue)
      let cases: [(HTTPRequest.Method, String, String)] = [
        (.post, "/api/provider-nodes", #"{"id":"b","baseUrl":"http://h/v1","colour":"red"}"#),
        (.put, "/api/provider-nodes/mock", #"{"colour":"red"}"#),
        (
          .post, "/api/providers",
          #"{"provider":"mock","apiKey":"k","name":"b","colour":"red"}"#
        ), (.put, "/api/providers/a1", #"{"colour":"red"}"#),
        (
          .put, "/api/models/alias",
          #"{"alias":"x","model":"mock/gpt-4o","colour":"red"}"#
        ), (.post, "/api/keys", #"{"name":"x","colour":"red"}"#),
        (.put, "/api/keys/\(key)", #"{"colour":"red"}"#),
        (.patch, "/api/settings", #"{"colour":"red"}"#),
        (.post, "/api/auth/login", #"{"password":"x","colour":"red"}"#),
      ]
      let last = box.store.lastWritten
      for (method, uri, body) in cases {
        let reply = try await box.call(method, uri, body, as: token)
        #expect(reply.status == 400, "\(method) \(uri): \(reply.text)")
        #expect(reply.code == "unknown_field", "\(uri)")
        #expect(reply.field == "colour", "\(uri)")
      }
      #expect(box.store.lastWritten == last)
    }
  }

  @Test(arguments: [
    "", "[]", "{", "{\"name\":1}", "{\"name\":null}", "{\"name\":\"a\",\"name\":\"b\"}",
    "{\"name\":\"\"}",
  ])
  func `a body that is not what is asked is 400 and changes nothing`(body: String) async throws {
    try await prepared { box, token, _, _ in
      let last = box.store.lastWritten
      let reply = try await box.call(.put, "/api/provider-nodes/mock", body, as: token)
      #expect(reply.status == 400, "\(reply.text)")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `what is not there is 404 by its own code`() async throws {
    try await prepared { box, token, _, _ in
      let cases = [
        ("/api/provider-nodes/none", "unknown_provider"),
        ("/api/providers/none", "unknown_account"),
        ("/api/keys/none", "unknown_key"), ("/api/models/alias?alias=none", "unknown_alias"),
      ]
      for (uri, code) in cases {
        let reply = try await box.call(.get, uri, as: token)
        #expect(reply.status == 404)
        #expect(reply.code == code)
      }
    }
  }

  @Test func `everything is there again after a restart`() async throws {
    try await withDirectory { directory in
      let clock = TestClock()
      let first = try await TestBox.open(directory, clock: clock)
      let token = try await first.signIn()
      _ = try await first.call(.post, "/api/provider-nodes", Self.node, as: token)
      _ = try await first.call(.post, "/api/providers", Self.account, as: token)
      _ = try await first.call(
        .put, "/api/providers/a1", #"{"apiKey":"sk-upstream-2"}"#, as: token)
      _ = try await first.call(
        .put, "/api/models/alias", #"{"alias":"fast","model":"mock/gpt-4o"}"#, as: token)
      let before = first.published
      #expect(first.made.clientKey != nil)
      try first.store.close()
      let second = try await TestBox.open(directory, clock: clock)
      #expect(second.published.state == before.state)
      #expect(second.published.secrets == before.secrets)
      #expect(second.published.secrets.values.contains(Secret("sk-upstream-2")))
      #expect(second.made.clientKey == nil && second.made.adminPassword == nil)
      #expect(second.store.lastWritten.rawValue == before.state.position)
      try second.store.close()
    }
  }

  @Test func `another master key does not open the store's secrets`() async throws {
    try await withDirectory { directory in
      let one = String(repeating: "01", count: 32)
      let first = try await TestBox.open(directory, masterKey: one)
      try first.store.close()
      await #expect(throws: VaultError.self) {
        _ = try await TestBox.open(directory, masterKey: String(repeating: "02", count: 32))
      }
      let again = try await TestBox.open(directory, masterKey: one)
      try again.store.close()
    }
  }

  @Test func `changes at the same time all happen, one after the other`() async throws {
    try await prepared { box, token, _, _ in
      try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<40 {
          group.addTask {
            try await box.call(
              .put, "/api/models/alias",
              "{\"alias\":\"a\(number % 10)\",\"model\":\"mock/gpt-4o\(number < 20 ? "" : "-mini")\"}",
              as: token
            ).status
          }
        }
        for try await status in group { #expect(status == 200) }
      }
      #expect(box.control.state.aliases.count == 10)
      #expect(box.published.state == box.control.state)
      // What was folded step by step is what the log says from zero.
      #expect(try ControlState(reading: box.store.reader) == box.control.state)
    }
  }

  @Test func `an event that another writer appended is seen, and the change decided anew`()
    async throws
  {
    try await prepared { box, token, _, _ in
      // As a second door to the same log would: the control plane does not know of it yet.
      let set = Event.alias(
        .set(AliasEvent.Set(name: "fast", target: "mock/gpt-4o", isUnresolved: false)))
      _ = try box.store.appendAndWait(
        AppendBatch(events: [
          EventDraft(
            id: EventID(box.clock.edge.mintID()), stream: set.stream, kind: set.kind,
            time: box.clock.now.rawValue, payload: encode(set, .system))
        ]), durability: .durable)
      let reply = try await box.call(
        .put, "/api/models/alias", #"{"alias":"fast","model":"mock/gpt-4o-mini"}"#, as: token)
      #expect(reply.status == 200, "\(reply.text)")
      #expect(reply.tag == "\"2\"")
      #expect(try ControlState(reading: box.store.reader) == box.control.state)
    }
  }

  @Test func `no secret is in any other answer, nor in any file in clear`() async throws {
    try await prepared { box, token, _, _ in
      let secret = "sk-upstream-that-must-stay-hidden-0123456789"
      var secrets = [
        secret, "sk-upstream-1", TestBox.password, token,
        String(decoding: try #require(box.made.clientKey).bytes, as: UTF8.self),
      ]
      let body = "{\"provider\":\"mock\",\"apiKey\":\"\(secret)\",\"name\":\"hidden\"}"
      _ = try await box.call(.post, "/api/providers", body, as: token)
      _ = try await box.call(.post, "/api/providers", body, as: token)
      let made = try await box.call(
        .post, "/api/keys", #"{"name":"k"}"#, as: token, showsSecret: true)
      secrets.append(try #require(made.json["key"]?.string))
      for uri in [
        "/api/providers", "/api/providers/hidden", "/api/provider-nodes", "/api/keys",
        "/api/settings", "/api/usage/logs", "/api/models/alias", "/health",
      ] { _ = try await box.call(.get, uri, as: token) }
      let keyID = try #require(made.json["id"]?.string)
      _ = try await box.call(.get, "/api/keys/\(keyID)", as: token)
      _ = try await box.call(.delete, "/api/keys/\(keyID)", as: token)
      _ = try await box.call(
        .put, "/api/providers/hidden", "{\"apiKey\":\"\(secret) with space\"}", as: token)
      _ = try await box.call(
        .put, "/api/providers/hidden", "{\"apiKey\":[\"\(secret)\"]}", as: token)
      _ = try await box.call(.post, "/api/auth/login", "{\"password\":\"\(secret)\"}")

      for said in box.everythingSaid {
        for secret in secrets { #expect(!said.contains(secret)) }
      }
      var parts: [Data] = []
      try box.store.reader.scan(from: Position(1), through: nil) { entry in
        if case .event(let event) = entry {
          parts.append(Data(event.payload))
          parts.append(Data(event.sealed))
          parts.append(contentsOf: event.lookupKeys.map { Data($0) })
        }
        return .continue
      }
      #expect(parts.count > 10)
      parts += try filesUnder(box.directory).values
      for part in parts {
        for secret in secrets { #expect(part.firstRange(of: Data(secret.utf8)) == nil) }
      }
    }
  }
}

import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// What is known of an account's health comes from calls and operators, and never changes its configuration.
struct HealthTests {
  /// A box with provider `mock` and account `a1`.
  private func prepared(
    canProbe: Bool = true, _ body: (TestBox, String, AccountID) async throws -> Void
  ) async throws {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory, canProbe: canProbe)
      do {
        let token = try await box.signIn()
        _ = try await box.call(.post, "/api/provider-nodes", ConfigurationTests.node, as: token)
        let added = try await box.call(
          .post, "/api/providers", ConfigurationTests.account, as: token)
        let id = try #require(added.json["connection"]?["id"]?.string)
        try await body(box, token, AccountID(id))
      } catch {
        try? box.store.close()
        throw error
      }
      try box.store.close()
    }
  }

  private func kinds(_ box: TestBox, _ stream: String) throws -> [String] {
    try box.store.reader.refresh()
    return try box.store.reader.events(ofStream: stream, from: Revision(1)).map(\.kind)
  }

  private func shown(_ box: TestBox, _ token: String) async throws -> TestBox.Reply {
    try await box.call(.get, "/api/providers/a1", as: token)
  }

  // MARK: Tests

  @Test func `a good test is an event, ends the cooldown, and leaves the revision`() async throws {
    try await prepared { box, token, id in
      let until = rfc3339(UnixNanoseconds(box.clock.now.rawValue + 60_000_000_000))
      let cooled = try await box.call(
        .put, "/api/providers/a1", "{\"rateLimitedUntil\":\"\(until)\",\"errorCode\":429}",
        as: token)
      #expect(cooled.json["connection"]?["rateLimitedUntil"]?.string == until, "\(cooled.text)")
      let reply = try await box.call(.post, "/api/providers/a1/test", as: token)
      #expect(reply.status == 200, "\(reply.text)")
      #expect(reply.json["valid"]?.bool == true)
      #expect(reply.json["error"] == .null)
      #expect(reply.json["errorCode"] == .null)
      #expect(reply.json["refreshed"]?.bool == false)
      #expect(reply.json["latencyMs"]?.int == 12)
      #expect(reply.json["status"]?.int == 200)
      #expect(reply.json["model"]?.string == "gpt-4o-mini")
      #expect(reply.json["testedAt"]?.string == rfc3339(box.clock.now))
      #expect(reply.json["cooldownEnded"]?.bool == true)
      #expect(box.probe.asked == [.init(account: id, model: "gpt-4o-mini")])
      #expect(
        try kinds(box, "health/\(id.rawValue)")
          == [
            "health.cooldown_started.v1", "health.noted.v1", "health.tested.v1",
            "health.cooldown_ended.v1",
          ])
      let after = try await shown(box, token)
      #expect(after.tag == cooled.tag)
      #expect(after.json["connection"]?["testStatus"]?.string == "active")
      #expect(after.json["connection"]?["rateLimitedUntil"] == .null)
      #expect(after.json["connection"]?["lastError"] == .null)
      #expect(after.json["connection"]?["errorCode"] == .null)
      #expect(after.json["connection"]?["lastTested"]?.string == rfc3339(box.clock.now))
      #expect(after.json["connection"]?["latencyMs"]?.int == 12)
    }
  }

  @Test(arguments: [
    (UInt16?(401), ErrorClass.account, "status_401", "refused"),
    (429, .account, "rate_limited", "limits"), (500, .provider, "status_500", "failed"),
    (nil, .network, "tls_failed", "reached"), (200, .provider, "unexpected_answer", "protocol"),
    (nil, .provider, "timeout", "in time"),
  ])
  func `a bad test says what failed in our words, and keeps the cooldown`(
    _ status: UInt16?, _ errorClass: ErrorClass, _ code: String, _ word: String
  ) async throws {
    try await prepared { box, token, _ in
      let until = rfc3339(UnixNanoseconds(box.clock.now.rawValue + 60_000_000_000))
      _ = try await box.call(
        .put, "/api/providers/a1", "{\"rateLimitedUntil\":\"\(until)\"}", as: token)
      box.probe.fail(status, errorClass, code)
      for round in 1...2 {
        let reply = try await box.call(.post, "/api/providers/a1/test", as: token)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.json["valid"]?.bool == false)
        #expect(reply.json["errorCode"]?.string == code)
        #expect(reply.json["errorClass"]?.string == errorClass.name)
        #expect(reply.json["status"]?.int == status.map { Int64($0) })
        #expect(reply.json["error"]?.string?.contains(word) == true, "\(reply.text)")
        let backend = try await box.call(
          .get, "/v1/admin/routing/backends/a1/health", as: token)
        #expect(backend.json["consecutive_errors"]?.int == Int64(round))
        #expect(backend.json["status"]?.string == "unhealthy")
      }
      let connection = try await shown(box, token).json["connection"]
      #expect(connection?["testStatus"]?.string == "error")
      #expect(connection?["lastError"]?["code"]?.string == code)
      #expect(connection?["lastError"]?["type"]?.string == errorClass.name)
      #expect(connection?["errorCode"]?.int == status.map { Int64($0) })
      #expect(connection?["rateLimitedUntil"]?.string == until)
    }
  }

  @Test func `a test may name a model, and without any there is nothing to ask`() async throws {
    try await prepared { box, token, id in
      let named = try await box.call(
        .post, "/api/providers/a1/test", #"{"model":"org/other"}"#, as: token)
      #expect(named.json["model"]?.string == "org/other")
      _ = try await box.call(.put, "/api/provider-nodes/mock", #"{"models":[]}"#, as: token)
      let last = box.store.lastWritten
      let none = try await box.call(.post, "/api/providers/a1/test", as: token)
      #expect(none.json["valid"]?.bool == false)
      #expect(none.json["errorCode"]?.string == "no_model")
      #expect(box.probe.asked == [.init(account: id, model: "org/other")])
      #expect(box.store.lastWritten == last)
      for body in [#"{"model":"with space"}"#, #"{"model":7}"#, #"{"modell":"x"}"#, "[]"] {
        let bad = try await box.call(.post, "/api/providers/a1/test", body, as: token)
        #expect(bad.status == 400, "\(bad.text)")
      }
    }
  }

  @Test func `what says nothing of the account is an error and no event`() async throws {
    try await prepared { box, token, id in
      let last = box.store.lastWritten
      let unknown = try await box.call(.post, "/api/providers/nobody/test", as: token)
      #expect(unknown.status == 404)
      #expect(unknown.code == "unknown_account")
      #expect(box.probe.asked.isEmpty)
      for (code, status) in [("overloaded", 503), ("shutting_down", 503)] {
        box.probe.fail(nil, .gateway, code)
        let reply = try await box.call(.post, "/api/providers/a1/test", as: token)
        #expect(reply.status == status)
        #expect(reply.code == code)
      }
      #expect(box.store.lastWritten == last)
      // Removed while it was asked.
      box.probe.pass()
      box.probe.meanwhile {
        _ = try? await box.call(.delete, "/api/providers/\(id.rawValue)", as: token)
      }
      let gone = try await box.call(.post, "/api/providers/a1/test", as: token)
      #expect(gone.status == 404)
      #expect(try kinds(box, "health/\(id.rawValue)").isEmpty)
    }
  }

  @Test func `without a gateway nothing is asked, and the rest works`() async throws {
    try await prepared(canProbe: false) { box, token, _ in
      for path in ["test", "models/refresh"] {
        let reply = try await box.call(.post, "/api/providers/a1/\(path)", as: token)
        #expect(reply.status == 503)
        #expect(reply.code == "gateway_not_running")
      }
      let base = "/v1/admin/routing/backends/a1"
      #expect(try await box.call(.post, "\(base)/degrade", as: token).status == 200)
      let restored = try await box.call(.post, "\(base)/healthy", as: token)
      #expect(restored.status == 200)
      #expect(restored.json["probe"] == .null)
      #expect(restored.json["status"]?.string == "unknown")
    }
  }

  // MARK: Fields of a change

  @Test func `health fields of a change become health events of the same batch`() async throws {
    try await prepared { box, token, id in
      let before = try await shown(box, token)
      let reply = try await box.call(
        .put, "/api/providers/a1",
        """
        {"testStatus":"error","rateLimitedUntil":"2030-03-17T18:46:40Z","errorCode":429,
         "lastError":{"code":"quota_exhausted"},"expiresAt":"2030-06-01T00:00:00+02:00","priority":9}
        """, as: token)
      #expect(reply.status == 200, "\(reply.text)")
      let connection = reply.json["connection"]
      #expect(connection?["priority"]?.int == 9)
      #expect(connection?["testStatus"]?.string == "error")
      #expect(connection?["rateLimitedUntil"]?.string == "2030-03-17T18:46:40.000Z")
      #expect(connection?["errorCode"]?.int == 429)
      #expect(connection?["lastError"]?["code"]?.string == "quota_exhausted")
      #expect(connection?["expiresAt"]?.string == "2030-05-31T22:00:00.000Z")
      let events = try box.store.reader.events(
        ofStream: "health/\(id.rawValue)", from: Revision(1))
      let changed = try box.store.reader.events(
        ofStream: "account/\(id.rawValue)", from: Revision(2))
      #expect(events.map(\.kind) == ["health.cooldown_started.v1", "health.noted.v1"])
      #expect(changed.map(\.kind) == ["account.changed.v1", "account.credential_set.v1"])
      #expect(events.first?.position.rawValue == changed.first.map { $0.position.rawValue + 1 })
      // The priority and the credential's end are what the revision is of.
      #expect(reply.json["connection"]?["revision"]?.int == 3)
      #expect(before.json["connection"]?["revision"]?.int == 1)

      let again = try await box.call(
        .put, "/api/providers/a1",
        #"{"testStatus":"unknown","rateLimitedUntil":null,"lastError":null,"expiresAt":null}"#,
        as: token)
      #expect(again.tag == "\"4\"")
      let cleared = again.json["connection"]
      for name in ["rateLimitedUntil", "lastError", "errorCode", "expiresAt"] {
        #expect(cleared?[name] == .null, "\(name)")
      }
      #expect(cleared?["testStatus"]?.string == "unknown")
    }
  }

  @Test(arguments: [
    ("testStatus", #""good""#), ("testStatus", "null"), ("rateLimitedUntil", #""soon""#),
    ("rateLimitedUntil", "1900000000"), ("rateLimitedUntil", #""2030-01-01T00:00:00Z""#),
    ("rateLimitedUntil", #""2039-01-01T00:00:00Z""#), ("lastError", #""[429]: slow down""#),
    ("lastError", #"{"code":"Slow down!"}"#), ("lastError", "{}"),
    ("lastError", #"{"code":"status_429","type":"account"}"#), ("errorCode", "42"),
    ("errorCode", #""429""#), ("expiresAt", #""never""#),
  ])
  func `a health field out of bounds is refused by name, and nothing is changed`(
    _ field: String, _ value: String
  ) async throws {
    try await prepared { box, token, _ in
      let last = box.store.lastWritten
      let reply = try await box.call(
        .put, "/api/providers/a1", "{\"priority\":3,\"\(field)\":\(value)}", as: token)
      #expect(reply.status == 400, "\(reply.text)")
      #expect(
        reply.field?.hasPrefix(field) == true || reply.field == "errorCode", "\(reply.text)")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `an error may be written back as it was read, and changes nothing then`() async throws
  {
    try await prepared { box, token, _ in
      box.probe.fail(401, .account, "status_401")
      _ = try await box.call(.post, "/api/providers/a1/test", as: token)
      let last = box.store.lastWritten
      let body = #"{"lastError":{"code":"status_401","type":"account"},"errorCode":401}"#
      let again = try await box.call(.put, "/api/providers/a1", body, as: token)
      #expect(again.status == 200, "\(again.text)")
      #expect(again.json["connection"]?["lastError"]?["type"]?.string == "account")
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `a cooldown whose time is over is shown no more`() async throws {
    try await prepared { box, token, id in
      let until = rfc3339(UnixNanoseconds(box.clock.now.rawValue + 60_000_000_000))
      _ = try await box.call(
        .put, "/api/providers/a1",
        "{\"rateLimitedUntil\":\"\(until)\",\"testStatus\":\"unavailable\"}", as: token)
      let snapshot = RoutingSnapshot(box.published.state)
      let account = try #require(snapshot.accounts.first)
      #expect(account.obstacle(to: "gpt-4o", at: box.clock.now) != nil)
      #expect(
        try await shown(box, token).json["connection"]?["testStatus"]?.string == "unavailable")
      box.clock.advance(seconds: 60)
      let after = try await shown(box, token).json["connection"]
      #expect(after?["rateLimitedUntil"] == .null)
      #expect(after?["testStatus"]?.string == "unknown")
      #expect(account.obstacle(to: "gpt-4o", at: box.clock.now) == nil)
      #expect(try kinds(box, "health/\(id.rawValue)").count == 2)
    }
  }

  @Test func `ending a cooldown says whether there was one`() async throws {
    try await prepared { box, token, id in
      let path = "/api/providers/\(id.rawValue)/cooldown/end"
      let none = try await box.call(.post, path, as: token)
      #expect(none.status == 200, "\(none.text)")
      #expect(none.json["ended"]?.bool == false)
      let until = rfc3339(UnixNanoseconds(box.clock.now.rawValue + 60_000_000_000))
      _ = try await box.call(
        .put, "/api/providers/a1",
        "{\"rateLimitedUntil\":\"\(until)\",\"testStatus\":\"unavailable\"}", as: token)
      let ended = try await box.call(.post, path, as: token)
      #expect(ended.json["ended"]?.bool == true)
      #expect(ended.json["connection"]?["testStatus"]?.string == "unknown")
      #expect(ended.json["connection"]?["rateLimitedUntil"] == .null)
      #expect(ended.tag == none.tag)
      #expect(
        try await box.call(.post, "/api/providers/x/cooldown/end", as: token).status == 404)
    }
  }
}

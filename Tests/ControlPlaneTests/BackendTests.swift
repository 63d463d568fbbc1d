import Domain
import EventStore
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// Degraded is an operator's word: nothing but an operator takes it back.
struct BackendTests {
  private static let base = "/v1/admin/routing/backends"

  private func prepared(
    _ box: TestBox, _ token: String, accounts: [String] = ["a1", "a2"]
  ) async throws {
    _ = try await box.call(.post, "/api/provider-nodes", ConfigurationTests.node, as: token)
    for name in accounts {
      let added = try await box.call(
        .post, "/api/providers", #"{"provider":"mock","apiKey":"sk-\#(name)","name":"\#(name)"}"#,
        as: token)
      #expect(added.status == 201, "\(added.text)")
    }
  }

  private func obstacle(_ box: TestBox, _ name: String) throws -> RejectionReason? {
    let snapshot = RoutingSnapshot(box.published.state)
    let account = try #require(snapshot.accounts.first { $0.name == name })
    return account.obstacle(to: "gpt-4o", at: box.clock.now)
  }

  @Test func `degraded stays through tests, cooldowns and a new start, until restored`()
    async throws
  {
    try await withDirectory { directory in
      var box = try await TestBox.open(directory)
      var token = try await box.signIn()
      try await prepared(box, token)
      let degraded = try await box.call(
        .post, "\(Self.base)/a1/degrade", #"{"reason":"High error rate detected"}"#, as: token,
        headers: [("content-type", "application/json")])
      #expect(degraded.status == 200, "\(degraded.text)")
      #expect(degraded.json["status"]?.string == "degraded")
      #expect(degraded.json["reason"]?.string == "High error rate detected")
      #expect(degraded.json["updated_at"]?.string == rfc3339(box.clock.now))
      #expect(try obstacle(box, "a1") == .degraded)
      #expect(try obstacle(box, "a2") == nil)

      let test = try await box.call(.post, "/api/providers/a1/test", as: token)
      #expect(test.json["valid"]?.bool == true)
      #expect(test.json["degraded"]?.bool == true)
      _ = try await box.call(.post, "/api/providers/a1/cooldown/end", as: token)
      #expect(try obstacle(box, "a1") == .degraded)

      try box.store.close()
      box = try await TestBox.open(directory, clock: box.clock)
      token = try await box.signIn()
      #expect(try obstacle(box, "a1") == .degraded)
      let health = try await box.call(.get, "\(Self.base)/a1/health", as: token)
      #expect(health.json["status"]?.string == "degraded")
      #expect(health.json["health_status"]?.string == "degraded")
      #expect(health.json["reason"]?.string == "High error rate detected")
      #expect(health.json["uri"]?.string == "http://127.0.0.1:9000/v1")
      #expect(health.json["timeout_ms"]?.int == 300_000)
      #expect(health.json["latency_ms"]?.int == 12)
      let connection = try await box.call(.get, "/api/providers/a1", as: token)
      #expect(
        connection.json["connection"]?["degraded"]?["reason"]?.string
          == "High error rate detected")

      let restored = try await box.call(.post, "\(Self.base)/a1/healthy", as: token)
      #expect(restored.status == 200, "\(restored.text)")
      #expect(restored.json["status"]?.string == "healthy")
      #expect(restored.json["probe"]?["valid"]?.bool == true)
      #expect(try obstacle(box, "a1") == nil)
      try box.store.close()
    }
  }

  @Test func `healthy puts back what cools too, and tells what the test found`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try await prepared(box, token)
      let until = rfc3339(UnixNanoseconds(box.clock.now.rawValue + 60_000_000_000))
      _ = try await box.call(
        .put, "/api/providers/a1", "{\"rateLimitedUntil\":\"\(until)\"}", as: token)
      _ = try await box.call(.post, "\(Self.base)/a1/degrade", as: token)
      box.probe.fail(401, .account, "status_401")
      let restored = try await box.call(.post, "\(Self.base)/a1/healthy", as: token)
      #expect(restored.status == 200, "\(restored.text)")
      #expect(restored.json["status"]?.string == "unhealthy")
      #expect(restored.json["probe"]?["errorCode"]?.string == "status_401")
      // The operator's word counts: it is back all the same.
      #expect(try obstacle(box, "a1") == nil)
    }
  }

  @Test func `a reason may be left out, and must be fit to read`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try await prepared(box, token)
      for body in ["", "{}", #"{"reason":null}"#] {
        let reply = try await box.call(.post, "\(Self.base)/a1/degrade", body, as: token)
        #expect(reply.status == 200, "\(reply.text)")
        #expect(reply.json["reason"]?.string == "no reason was given")
      }
      let last = box.store.lastWritten
      for body in [
        #"{"reason":""}"#, #"{"reason":7}"#, #"{"why":"x"}"#, "[", #"{"reason":"a\nb"}"#,
      ] {
        let reply = try await box.call(.post, "\(Self.base)/a1/degrade", body, as: token)
        #expect(reply.status == 400, "\(body): \(reply.text)")
        #expect(reply.json["error"]?.string != nil, "the API Router's shape")
        #expect(reply.json["code"]?.string != nil)
      }
      #expect(box.store.lastWritten == last)
    }
  }

  @Test func `unknown ids are 404 and old revisions 412, in the API Router's shape`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try await prepared(box, token)
      for (method, path) in [
        (HTTPRequest.Method.get, "health"), (.post, "degrade"), (.post, "healthy"),
      ] {
        let reply = try await box.call(method, "\(Self.base)/nobody/\(path)", as: token)
        #expect(reply.status == 404)
        #expect(reply.json["code"]?.string == "unknown_account")
        #expect(reply.json["error"]?.string == "There is no such account.")
      }
      let tag = try #require(
        try await box.call(.get, "\(Self.base)/a1/health", as: token).tag)
      let first = try await box.call(
        .post, "\(Self.base)/a1/degrade", as: token, headers: [("if-match", tag)])
      #expect(first.status == 200)
      #expect(first.tag != tag)
      let second = try await box.call(
        .post, "\(Self.base)/a1/healthy", as: token, headers: [("if-match", tag)])
      #expect(second.status == 412)
      #expect(second.code == "revision_mismatch")
      #expect(try obstacle(box, "a1") == .degraded)
    }
  }

  @Test func `backends are listed by page and filter, without a secret`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      try await prepared(box, token, accounts: ["a1", "a2", "a3"])
      _ = try await box.call(.post, "\(Self.base)/a2/degrade", as: token)
      _ = try await box.call(.post, "/api/providers/a3/test", as: token)
      let all = try await box.call(.get, Self.base, as: token)
      let rows = try #require(all.json["backends"]?.array)
      #expect(rows.map { $0["health_status"]?.string } == ["unknown", "degraded", "healthy"])
      #expect(all.json["count"]?.int == 3)
      #expect(!all.text.contains("sk-"))
      let first = try await box.call(.get, "\(Self.base)?limit=2", as: token)
      #expect(first.json["backends"]?.array?.count == 2)
      #expect(first.json["count"]?.int == 3)
      let next = try #require(first.json["next"]?.string)
      let second = try await box.call(.get, "\(Self.base)?limit=2&after=\(next)", as: token)
      #expect(second.json["backends"]?[0]?["name"]?.string == "a3")
      let only = try await box.call(.get, "\(Self.base)?health_status=degraded", as: token)
      #expect(only.json["backends"]?.array?.count == 1)
      #expect(try await box.call(.get, "\(Self.base)?health_status=ill", as: token).status == 400)
      _ = try await box.call(.put, "/api/providers/a1", #"{"isActive":false}"#, as: token)
      let off = try await box.call(.get, "\(Self.base)?health_status=unhealthy", as: token)
      #expect(off.json["backends"]?[0]?["name"]?.string == "a1")
      let filtered = try await box.call(.get, "/api/providers?degraded=true", as: token)
      #expect(filtered.json["connections"]?.array?.count == 1)
      let active = try await box.call(.get, "/api/providers?testStatus=active", as: token)
      #expect(active.json["connections"]?[0]?["name"]?.string == "a3")
    }
  }
}

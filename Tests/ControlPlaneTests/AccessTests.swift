import Dispatch
import Domain
import EventStore
import FoundationEssentials
import HTTPTypes
import Surface
import Testing

@testable import ControlPlane

/// Who may call what.
struct AccessTests {
  @Test(arguments: Routes.all)
  func `a row of the control plane is registered, one of the data plane is not`(row: RouteRow)
    async throws
  {
    try await TestBox.with { box in
      let method = try #require(HTTPRequest.Method(rawValue: row.method.rawValue))
      let uri = row.path.replacing("{id}", with: "x")
      let reply = try await box.call(method, uri, "{}")
      switch (row.plane, row.tier) {
      case (.dataPlane, _): #expect(reply.status == 404)
      case (.controlPlane, .admin):
        #expect(reply.status == 401)
        #expect(reply.code == "unauthorized")
        #expect(reply.headers[.wwwAuthenticate] == "Bearer")
      // What nodes send is looked at before anything else.
      case (.controlPlane, .peer): #expect(reply.status == 400)
      case (.controlPlane, .public):
        #expect(reply.status != 404 && reply.status != 405 && reply.status != 500)
      case (.controlPlane, .client), (.controlPlane, .local): #expect(reply.status == 404)
      }
    }
  }

  @Test(arguments: Routes.all.filter { $0.plane == .controlPlane && $0.tier == .admin })
  func `a client's key opens the rows that say so, and no other`(row: RouteRow) async throws {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory)
      let key = String(decoding: try #require(box.made.clientKey).bytes, as: UTF8.self)
      let method = try #require(HTTPRequest.Method(rawValue: row.method.rawValue))
      let reply = try await box.call(method, row.path.replacing("{id}", with: "x"), "{}", as: key)
      #expect((reply.status == 401) == !row.admitsKeys, "\(reply.status)")
      try box.store.close()
    }
  }

  @Test func `what is no row is 404, and another method is 405 with what is allowed`() async throws
  {
    try await TestBox.with { box in
      let lost = try await box.call(.get, "/api/nothing")
      #expect(lost.status == 404)
      #expect(lost.code == "not_found")
      #expect(lost.json["error"]?["requestId"]?.string?.count == 36)
      for path in ["/api/settings/", "//api/settings", "/api//settings"] {
        for method in [HTTPRequest.Method.get, .patch, .options] {
          #expect(try await box.call(method, path, "{}").status == 404, "\(method) \(path)")
        }
      }
      let absolute = "http://localhost:8080/api/settings"
      #expect(try await box.call(.get, absolute).status == 401)
      #expect(try await box.call(.options, absolute).status == 405)
      let other = try await box.call(.delete, "/api/settings")
      #expect(other.status == 405)
      #expect(other.headers[.allow]?.contains("PATCH") == true)
      let client = try await box.call(.get, "/v1/nothing")
      #expect(client.json["error"]?["type"]?.string == "invalid_request_error")
    }
  }

  @Test func `a session opens by the password, by cookie and by token`() async throws {
    try await TestBox.with { box in
      let login = try await box.call(
        .post, "/api/auth/login", "{\"password\":\"\(TestBox.password)\"}", showsSecret: true)
      #expect(login.status == 200)
      #expect(login.json["success"]?.bool == true)
      let cookie = try #require(login.headers[.setCookie])
      for part in ["auth_token=", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=86400"] {
        #expect(cookie.contains(part))
      }
      #expect(!cookie.contains("Secure"))
      let pair = String(cookie.prefix { $0 != ";" })
      let byCookie = try await box.call(
        .get, "/api/settings", headers: [("cookie", "theme=dark; \(pair)")])
      #expect(byCookie.status == 200)
      let token = try #require(login.json["token"]?.string)
      #expect(try await box.call(.get, "/api/settings", as: token).status == 200)
    }
  }

  @Test func `off loopback the cookie is for TLS only`() async throws {
    try await withDirectory { directory in
      let box = try await TestBox.open(directory, isLoopback: false)
      let login = try await box.call(
        .post, "/api/auth/login", "{\"password\":\"\(TestBox.password)\"}", showsSecret: true)
      #expect(login.headers[.setCookie]?.contains("; Secure") == true)
      try box.store.close()
    }
  }

  @Test func `a session survives a restart, and ends after 24 hours`() async throws {
    try await withDirectory { directory in
      let clock = TestClock()
      let first = try await TestBox.open(directory, clock: clock)
      let token = try await first.signIn()
      try first.store.close()
      let second = try await TestBox.open(directory, clock: clock)
      #expect(try await second.call(.get, "/api/settings", as: token).status == 200)
      clock.advance(seconds: 24 * 60 * 60 - 1)
      #expect(try await second.call(.get, "/api/settings", as: token).status == 200)
      clock.advance(seconds: 1)
      #expect(try await second.call(.get, "/api/settings", as: token).status == 401)
      try second.store.close()
    }
  }

  @Test func `a session ends with logging out, and with another password`() async throws {
    try await TestBox.with { box in
      let first = try await box.signIn()
      let second = try await box.signIn()
      let logout = try await box.call(.post, "/api/auth/logout", as: first)
      #expect(logout.headers[.setCookie]?.contains("Max-Age=0") == true)
      #expect(try await box.call(.get, "/api/settings", as: first).status == 401)
      #expect(try await box.call(.get, "/api/settings", as: second).status == 200)
      let wrong = try await box.call(
        .patch, "/api/settings",
        "{\"currentPassword\":\"wrong\",\"newPassword\":\"another-password\"}", as: second)
      #expect(wrong.status == 401)
      let changed = try await box.call(
        .patch, "/api/settings",
        "{\"currentPassword\":\"\(TestBox.password)\",\"newPassword\":\"another-password\"}",
        as: second)
      #expect(changed.status == 200)
      #expect(try await box.call(.get, "/api/settings", as: second).status == 401)
      let third = try await box.signIn("another-password")
      #expect(try await box.call(.get, "/api/settings", as: third).status == 200)
    }
  }

  @Test func `a session of one gateway is none of another with the same JWT_SECRET and password`()
    async throws
  {
    try await withDirectory { one in
      try await withDirectory { other in
        let clock = TestClock()
        let secret = Secret("a-secret-that-both-gateways-have")
        let first = try await TestBox.open(one, clock: clock, sessionSecret: secret)
        let second = try await TestBox.open(other, clock: clock, sessionSecret: secret)
        let token = try await first.signIn()
        #expect(try await first.call(.get, "/api/settings", as: token).status == 200)
        #expect(try await second.call(.get, "/api/settings", as: token).status == 401)
        try first.store.close()
        try second.store.close()
      }
    }
  }

  @Test func `a rotated JWT_SECRET ends the sessions of the old one`() async throws {
    try await withDirectory { directory in
      let clock = TestClock()
      let old = Secret("the-old-secret-of-thirty-two-bytes")
      let first = try await TestBox.open(directory, clock: clock, sessionSecret: old)
      let token = try await first.signIn()
      #expect(try await first.call(.get, "/api/settings", as: token).status == 200)
      try first.store.close()
      let second = try await TestBox.open(
        directory, clock: clock, sessionSecret: Secret("the-new-secret-of-thirty-two-bytes"))
      #expect(try await second.call(.get, "/api/settings", as: token).status == 401)
      try second.store.close()
    }
  }

  @Test func `a token without a signature, with another or cut short opens nothing`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let parts = token.split(separator: ".", omittingEmptySubsequences: false)
      let none = Data(#"{"alg":"none","typ":"JWT"}"#.utf8).base64EncodedString()
        .replacing("=", with: "")
      let forged = [
        "\(none).\(parts[1]).", "\(none).\(parts[1]).\(parts[2])", "\(parts[0]).\(parts[1]).",
        "\(parts[0]).\(parts[1])", String(token.dropLast(2)), "x", "", "..",
        String(repeating: "a", count: 5000),
      ]
      for text in forged {
        #expect(try await box.call(.get, "/api/settings", as: text).status == 401)
      }
    }
  }

  @Test func `a client's key administers nothing`() async throws {
    try await TestBox.with { box in
      let key = try #require(box.made.clientKey)
      let text = String(decoding: key.bytes, as: UTF8.self)
      #expect(try await box.call(.get, "/api/settings", as: text).status == 401)
    }
  }

  @Test func `five wrong passwords make the address wait, others not`() async throws {
    try await TestBox.with { box in
      for _ in 0..<5 {
        let reply = try await box.call(.post, "/api/auth/login", "{\"password\":\"wrong\"}")
        #expect(reply.status == 401)
        #expect(reply.code == "invalid_password")
        #expect(reply.headers[.setCookie] == nil)
        box.clock.advance(seconds: 5)
      }
      let right = "{\"password\":\"\(TestBox.password)\"}"
      let refused = try await box.call(.post, "/api/auth/login", right)
      #expect(refused.status == 429)
      #expect(refused.headers[.retryAfter] == "35")
      let other = try await box.call(
        .post, "/api/auth/login", right, address: "203.0.113.10", showsSecret: true)
      #expect(other.status == 200)
      box.clock.advance(seconds: 35)
      #expect(
        try await box.call(.post, "/api/auth/login", right, showsSecret: true).status == 200)
    }
  }

  @Test(arguments: [nil, "evil.example", "evil.example:8080", "localhost.evil.example", "10.0.0.1"])
  func `a foreign host name is refused on administration, not on health`(host: String?)
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let refused = try await box.call(.get, "/api/settings", as: token, host: host)
      #expect(refused.status == 403)
      #expect(refused.code == "forbidden_host")
      let login = try await box.call(
        .post, "/api/auth/login", "{\"password\":\"\(TestBox.password)\"}", host: host)
      #expect(login.status == 403)
      #expect(try await box.call(.get, "/health", host: host).status == 200)
    }
  }

  @Test func `a write from another site's page is refused`() async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      func patch(_ origin: String) async throws -> Int {
        try await box.call(
          .patch, "/api/settings", "{\"requireApiKey\":true}", as: token,
          headers: [("origin", origin)]
        ).status
      }
      #expect(try await patch("https://evil.example") == 403)
      #expect(try await patch("null") == 403)
      #expect(try await patch("http://localhost:8080") == 200)
      // Another program's page on this machine: the browser sends the session to its port as well.
      for origin in ["http://localhost:3000", "http://localhost", "http://127.0.0.1:8080"] {
        #expect(try await patch(origin) == 403, "\(origin)")
      }
    }
  }

  @Test func `a page behind a proxy may write under a name that was allowed`() {
    let guardian = HostGuard(listenHost: "127.0.0.1", allowed: ["box.example"])
    #expect(guardian.accepts(origin: "https://box.example", host: "127.0.0.1:8080"))
    #expect(guardian.accepts(origin: "https://BOX.example:8443", host: "127.0.0.1:8080"))
    #expect(guardian.accepts(origin: "http://[::1]:8080", host: "[::1]:8080"))
    for origin in [
      "https://other.example", "null", "", "file://", "box.example", "https://[::1]:1",
    ] {
      #expect(!guardian.accepts(origin: origin, host: "[::1]:8080"), "\(origin)")
    }
  }

  @Test func `a password that is replaced while it is checked opens no session`() async throws {
    try await TestBox.with { box in
      let change = try await box.control.passwordChange(Secret("another-password"))
      let hashing = box.control.hashing
      let gate = DispatchSemaphore(value: 0)
      async let held: Void = hashing.run { gate.wait() }
      while hashing.count < 1 { await Task.yield() }
      async let token = box.signIn()
      while hashing.count < 2 { await Task.yield() }
      try await box.control.execute(provenance: .system) { _ in [change] }
      gate.signal()
      try await held
      let reply = try await box.call(.get, "/api/settings", as: try await token)
      #expect(reply.status == 401)
    }
  }

  @Test func `names of this gateway are told from others`() {
    let guardian = HostGuard(listenHost: "192.0.2.7", allowed: ["box.example"])
    for name in [
      "localhost", "LOCALHOST:1", "127.0.0.1:8080", "[::1]:8080", "192.0.2.7:8080", "box.example",
      "Box.Example.:443",
    ] { #expect(guardian.accepts(name), "\(name)") }
    for name in ["", "192.0.2.8", "box.example.evil", "evil", "[::2]:8080"] {
      #expect(!guardian.accepts(name), "\(name)")
    }
    let wildcard = HostGuard(listenHost: "0.0.0.0", allowed: [])
    #expect(wildcard.accepts("192.0.2.8:80"))
    #expect(wildcard.accepts("[2001:db8::1]:80"))
    #expect(!wildcard.accepts("evil.example"))
  }

  @Test func `forwarded addresses of a stranger count for nothing`() async throws {
    try await TestBox.with { box in
      for number in 0..<LoginLimiter.failures {
        let reply = try await box.call(
          .post, "/api/auth/login", "{\"password\":\"wrong\"}",
          headers: Self.forwarded("198.51.100.\(number)"))
        #expect(reply.status == 401)
      }
      let refused = try await box.call(
        .post, "/api/auth/login", "{\"password\":\"\(TestBox.password)\"}",
        headers: Self.forwarded("198.51.100.99"))
      #expect(refused.status == 429)
    }
  }

  private static func forwarded(_ address: String) -> [(String, String)] {
    [
      "x-forwarded-for", "x-real-ip", "x-client-ip", "true-client-ip", "cf-connecting-ip",
      "x-originating-ip", "x-remote-addr",
    ].map { ($0, address) } + [("forwarded", "for=\(address)")]
  }

  @Test func `a new password is none that everybody knows, and needs the current one`() async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let position = box.control.state.settings.adminPasswordPosition
      func patch(_ body: String) async throws -> TestBox.Reply {
        try await box.call(.patch, "/api/settings", body, as: token)
      }
      for (new, said) in [
        ("changeme", "12 characters"), ("changeme1234", "tries first"), ("aaaaaaaaaaaa", "repeats"),
      ] {
        let reply = try await patch(
          "{\"currentPassword\":\"\(TestBox.password)\",\"newPassword\":\"\(new)\"}")
        #expect(reply.status == 400)
        #expect(reply.code == "weak_password")
        #expect(reply.field == "newPassword")
        #expect(reply.text.contains(said) && !reply.text.contains(new), "\(reply.text)")
      }
      let missing = try await patch("{\"newPassword\":\"another-password\"}")
      #expect(missing.status == 400)
      #expect(missing.code == "missing_field" && missing.field == "currentPassword")
      let lonely = try await patch("{\"currentPassword\":\"\(TestBox.password)\"}")
      #expect(lonely.status == 400)
      #expect(lonely.field == "newPassword")
      let direct = try await patch("{\"password\":\"another-password\"}")
      #expect(direct.code == "unknown_field")
      #expect(box.control.state.settings.adminPasswordPosition == position)
      let changed = try await patch(
        "{\"currentPassword\":\"\(TestBox.password)\",\"newPassword\":\"another-password\"}")
      #expect(changed.status == 200)
      #expect(changed.headers[.setCookie]?.hasPrefix("auth_token=; ") == true)
      #expect(try await box.call(.get, "/api/settings", as: token).status == 401)
    }
  }

  @Test(arguments: ["changeme", "sk-...", "your-api-key", "${UPSTREAM_KEY}", "test-123"])
  func `an account's credential is none of a manual's`(key: String) async throws {
    try await TestBox.with { box in
      let token = try await box.signIn()
      let provider = try await box.call(
        .post, "/api/provider-nodes", "{\"id\":\"p\",\"baseUrl\":\"http://127.0.0.1:9\"}",
        as: token)
      #expect(provider.status == 201)
      let reply = try await box.call(
        .post, "/api/providers", "{\"provider\":\"p\",\"name\":\"a\",\"apiKey\":\"\(key)\"}",
        as: token)
      #expect(reply.status == 400)
      #expect(reply.code == "sample_key")
      #expect(reply.field == "apiKey")
      #expect(box.control.state.accounts.isEmpty)
    }
  }

  @Test func `the inventory lists every row once, with the checks that the admission runs`()
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      #expect(try await box.call(.get, "/api/settings/authz-inventory").status == 401)
      let reply = try await box.call(.get, "/api/settings/authz-inventory", as: token)
      #expect(reply.status == 200)
      let tiers = try #require(reply.json["tiers"]?.array)
      var listed: [String] = []
      for tier in tiers {
        for route in try #require(tier["routes"]?.array) {
          let name = try #require(tier["name"]?.string)
          listed.append(
            "\(name) \(route["method"]?.string ?? "") \(route["path"]?.string ?? "")")
          #expect(name != "admin" || route["checks"]?.array?.isEmpty == false)
        }
      }
      #expect(
        listed.sorted()
          == Routes.all.map { "\($0.tier.rawValue) \($0.method.rawValue) \($0.path)" }.sorted())
      func policies() async throws -> Set<String> {
        let reply = try await box.call(.get, "/api/settings/authz-inventory", as: token)
        return Set(
          try #require(reply.json["policies_active"]?.array).compactMap { $0["name"]?.string })
      }
      #expect(
        try await policies() == [
          "host-allow-list", "same-origin", "admin-credential", "admin-credential-or-client-key",
          "credential-unless-local", "client-key", "login-rate-limit", "sync-token",
          "control-socket-only",
        ])
      // What is switched off is not in force.
      _ = try await box.call(.patch, "/api/settings", "{\"requireApiKey\":false}", as: token)
      #expect(try await !policies().contains("client-key"))
    }
  }

  @Test func `signing out holds over a restart, of one session and of all`() async throws {
    try await withDirectory { directory in
      let clock = TestClock()
      var box = try await TestBox.open(directory, clock: clock)
      let (one, other) = (try await box.signIn(), try await box.signIn())
      #expect(try await box.call(.post, "/api/auth/logout", as: one).status == 200)
      try box.store.close()
      box = try await TestBox.open(directory, clock: clock)
      #expect(try await box.call(.get, "/api/settings", as: one).status == 401)
      #expect(try await box.call(.get, "/api/settings", as: other).status == 200)
      // Nobody without a session ends those of others.
      for session in [nil, one] {
        let refused = try await box.call(.post, "/api/auth/logout", #"{"all":true}"#, as: session)
        #expect(refused.status == 401)
      }
      #expect(try await box.call(.get, "/api/settings", as: other).status == 200)
      #expect(
        try await box.call(.post, "/api/auth/logout", #"{"all":true}"#, as: other).status == 200)
      #expect(try await box.call(.get, "/api/settings", as: other).status == 401)
      clock.advance(milliseconds: 1)
      let third = try await box.signIn()
      #expect(try await box.call(.get, "/api/settings", as: third).status == 200)
      try box.store.close()
      box = try await TestBox.open(directory, clock: clock)
      #expect(try await box.call(.get, "/api/settings", as: other).status == 401)
      #expect(try await box.call(.get, "/api/settings", as: third).status == 200)
      try box.store.close()
    }
  }

  @Test(arguments: [#"{"everywhere":true}"#, #"{"all":1}"#, "[]", "all"])
  func `a body that says nothing of signing out is refused, and the session stays`(body: String)
    async throws
  {
    try await TestBox.with { box in
      let token = try await box.signIn()
      #expect(try await box.call(.post, "/api/auth/logout", body, as: token).status == 400)
      #expect(try await box.call(.get, "/api/settings", as: token).status == 200)
    }
  }

  @Test func `a cookie that opens nothing any more is taken back`() async throws {
    try await TestBox.with { box in
      let refused = try await box.call(
        .get, "/api/settings", headers: [("cookie", "auth_token=of.another.secret")])
      #expect(refused.status == 401)
      #expect(refused.headers[.setCookie]?.hasPrefix("auth_token=; Path=/; Max-Age=0") == true)
      let bearer = try await box.call(.get, "/api/settings", as: "of.another.secret")
      #expect(bearer.status == 401)
      #expect(bearer.headers[.setCookie] == nil)
    }
  }

  @Test func `what came of each attempt is in the log, with address and without password`()
    async throws
  {
    try await TestBox.with { box in
      let right = "{\"password\":\"\(TestBox.password)\"}"
      _ = try await box.call(.post, "/api/auth/login", right, showsSecret: true)
      for number in 0..<(LoginLimiter.failures + 3) {
        _ = try await box.call(.post, "/api/auth/login", "{\"password\":\"guess-\(number)\"}")
      }
      let token = try await {
        let reply = try await box.call(
          .post, "/api/auth/login", right, address: "203.0.113.10", showsSecret: true)
        return try #require(reply.json["token"]?.string)
      }()
      _ = try await box.call(.post, "/api/auth/logout", as: token)
      _ = try await box.call(.post, "/api/auth/logout", as: token)
      var told: [String] = []
      for stored in try box.store.reader.events(ofStream: "access", from: Revision(1)) {
        let event = try recorded(stored)
        guard case .access(let fact) = event.event else { throw Unexpected("\(event.kind)") }
        let what =
          switch fact {
          case .loginSucceeded: "in"
          case .loginRefused(let it): "\(it.reason) \(it.count)"
          case .sessionRevoked: "out"
          case .allSessionsRevoked: "all out"
          }
        told.append("\(event.provenance.actor) \(event.provenance.address ?? "-") \(what)")
      }
      #expect(
        told == ["admin 203.0.113.9 in"]
          + Array(repeating: "anyone 203.0.113.9 wrong_password 1", count: LoginLimiter.failures)
          + ["anyone 203.0.113.9 locked 1", "admin 203.0.113.10 in", "admin 203.0.113.9 out"])
      for (path, data) in try filesUnder(box.directory) {
        #expect(!String(decoding: data, as: UTF8.self).contains("guess-"), "\(path)")
      }
    }
  }
}

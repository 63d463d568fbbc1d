import Domain
import EventStore
import HTTPTypes
import Testing

@testable import ControlPlane

/// How fast passwords may be guessed, and by whom an address is told.
struct LoginLimiterTests {
  private func isAdmitted(_ limiter: LoginLimiter, _ address: String, _ second: Int64 = 0) -> Bool {
    limiter.admit(address, now: UnixNanoseconds(second * 1_000_000_000)) == .admitted
  }

  @Test func `attempts under way count, so that many at once do not slip through`() {
    let limiter = LoginLimiter()
    let admitted = (0..<20).count { _ in isAdmitted(limiter, "a") }
    #expect(admitted == LoginLimiter.failures)
    let refused = limiter.admit("a", now: UnixNanoseconds(1))
    #expect(refused == .refused(seconds: 60, untold: 0))
  }

  @Test func `refusals are told of once between two attempts, those before with the next`() {
    let limiter = LoginLimiter()
    for _ in 0..<LoginLimiter.failures { _ = isAdmitted(limiter, "a") }
    var told: [UInt64] = []
    for second: Int64 in [0, 1, 2, 60, 61, 62] {
      if case .refused(_, let untold) = limiter.admit(
        "a", now: UnixNanoseconds(second * 1_000_000_000 + 1))
      {
        told.append(untold)
      }
      if second == 60 {
        for _ in 1..<LoginLimiter.failures { _ = isAdmitted(limiter, "a", 60) }
      }
    }
    #expect(told == [1, 0, 0, 3, 0])
  }

  @Test func `strangers together are bounded, whoever knew the password is not kept out by them`() {
    let limiter = LoginLimiter()
    #expect(isAdmitted(limiter, "192.0.2.1"))
    limiter.succeeded("192.0.2.1", now: UnixNanoseconds(0))
    let admitted = (0..<10_000).count { isAdmitted(limiter, "198.51.\($0 / 250).\($0 % 250)") }
    #expect(admitted == LoginLimiter.failuresInTotal)
    #expect(!isAdmitted(limiter, "203.0.113.5"))
    #expect(isAdmitted(limiter, "192.0.2.1"))
    // Its own failures still count.
    for _ in 1..<LoginLimiter.failures { #expect(isAdmitted(limiter, "192.0.2.1")) }
    #expect(!isAdmitted(limiter, "192.0.2.1"))
    #expect(isAdmitted(limiter, "203.0.113.5", 60))
  }

  @Test func `the limiter remembers a bounded number of addresses`() {
    let limiter = LoginLimiter()
    for number in 0..<(LoginLimiter.addresses + 100) {
      #expect(isAdmitted(limiter, "a\(number)", Int64(number) * 2))
    }
    #expect(limiter.count <= LoginLimiter.addresses)
    let many = LoginLimiter()
    for number in 0..<200 {
      _ = isAdmitted(many, "a\(number)", Int64(number) * 2)
      many.succeeded("a\(number)", now: UnixNanoseconds(Int64(number) * 2_000_000_000))
    }
    // Those that showed it longest ago are strangers again.
    for number in 0..<LoginLimiter.failuresInTotal { _ = isAdmitted(many, "b\(number)", 1_000) }
    #expect(!isAdmitted(many, "a0", 1_000))
    #expect(isAdmitted(many, "a199", 1_000))
  }

  @Test func `the addresses of one IPv6 network are one guesser, those of IPv4 are each their own`()
  {
    func admitted(_ address: (Int) -> String) -> Int {
      let limiter = LoginLimiter()
      return (1...20).count { isAdmitted(limiter, address($0)) }
    }
    #expect(admitted { "2001:db8:1:2::\($0)" } == LoginLimiter.failures)
    #expect(admitted { "2001:db8:1:\($0)::1" } == 20)
    #expect(admitted { "203.0.113.\($0)" } == 20)
    #expect(admitted { "::ffff:203.0.113.\($0)" } == 20)
    #expect(admitted { _ in "::1" } == LoginLimiter.failures)
    let limiter = LoginLimiter()
    for _ in 0..<LoginLimiter.failures { _ = isAdmitted(limiter, "2001:db8::1") }
    limiter.succeeded("2001:db8::2", now: UnixNanoseconds(0))
    #expect(isAdmitted(limiter, "2001:db8::1"))
  }

  @Test(
    arguments: [
      ("203.0.113.9", ["198.51.100.1"], "203.0.113.9"),
      ("10.0.0.1", [], "10.0.0.1"),
      ("10.0.0.1", ["198.51.100.1"], "198.51.100.1"),
      ("10.0.0.1", ["1.1.1.1, 198.51.100.1"], "198.51.100.1"),
      ("10.0.0.1", ["1.1.1.1", "198.51.100.1, 10.0.0.2"], "198.51.100.1"),
      ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
      ("10.0.0.1", ["198.51.100.1, unknown"], "10.0.0.1"),
      ("10.0.0.1", ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
      ("10.0.0.1", ["198.51.100.1:4711"], "198.51.100.1"),
      ("10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8:0:0:0:0:0:1"),
      ("::ffff:10.0.0.1", ["2001:db8::7"], "2001:db8:0:0:0:0:0:7"),
      ("10.0.0.1", [" \t198.51.100.1 "], "198.51.100.1"),
    ] as [(String, [String], String)])
  func `the client is the right-most address that is no proxy of ours`(
    peer: String, forwarded: [String], client: String
  ) throws {
    let proxies = TrustedProxies([try #require(AddressBlock("10.0.0.0/8"))])
    var headers = HTTPFields()
    for value in forwarded { headers.append(HTTPField(name: .xForwardedFor, value: value)) }
    #expect(proxies.client(peer: peer, headers: headers).address == client)
    #expect(TrustedProxies([]).client(peer: peer, headers: headers).address == peer)
  }

  @Test func `only a proxy of ours tells that the client spoke TLS`() throws {
    let proxies = TrustedProxies([try #require(AddressBlock("10.0.0.1"))])
    var headers = HTTPFields()
    headers[.xForwardedProto] = "http, https"
    #expect(proxies.client(peer: "10.0.0.1", headers: headers).isSecure == true)
    #expect(proxies.client(peer: "10.0.0.2", headers: headers).isSecure == nil)
    headers[.xForwardedProto] = "https, http"
    #expect(proxies.client(peer: "10.0.0.1", headers: headers).isSecure == false)
  }

  @Test func `proxies that the settings name are believed, and others are not`() async throws {
    try await TestBox.prepared { box, token in
      let forwarded = [("x-forwarded-for", "198.51.100.77")]
      func author() async throws -> String? {
        let target = box.control.state.aliases["fast"]?.target == "mock/gpt-4o"
        let reply = try await box.call(
          .put, "/api/models/alias",
          "{\"alias\":\"fast\",\"model\":\"mock/gpt-4o\(target ? "-mini" : "")\"}", as: token,
          headers: forwarded)
        #expect(reply.status == 200, "\(reply.text)")
        let last = try box.store.reader.events(
          ofStream: aliasStream("fast"), from: Revision(1)
        ).last
        return try recorded(try #require(last)).provenance.address
      }
      #expect(try await author()?.hasPrefix(TestBox.address) == true)
      try await box.control.execute(provenance: .system) { _ in
        [Change(.settings(.setTrustedProxies(["203.0.113.0/24"])))]
      }
      #expect(try await author()?.hasPrefix("198.51.100.77") == true)
    }
  }
}

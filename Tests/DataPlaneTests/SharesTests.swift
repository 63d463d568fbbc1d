import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Shares of the traffic", .timeLimit(.minutes(5)))
struct SharesTests {
  /// 80 to 20, beside accounts that must get nothing.
  private func configuration(port: Int) -> Configuration {
    var configuration = Configuration.one(port: port, accounts: ["a1", "a2", "a3", "a4", "a5"])
    configuration.setPolicy(
      "m", [("a1", 80), ("a2", 20), ("a3", 100), ("a4", 100), ("a5", 0)])
    configuration.apply(.account(.degraded(.init(id: AccountID("a3"), reason: "by hand"))))
    configuration.cool("a4", for: 3_600_000_000_000)
    return configuration
  }

  private let body = #"{"model":"m","messages":[]}"#

  @Test("1,000 requests over one connection keep to a policy of 80 to 20, also within short runs")
  func oneConnection() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(configuration(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      for _ in 0..<1000 {
        try await client.send(chat(body))
        #expect(try await client.response().status == 200)
      }
    }
    let asked = upstream.asked
    #expect((798...802).contains(asked.count { $0 == "a1" }))
    #expect(asked.count { $0 == "a2" } == 1000 - asked.count { $0 == "a1" })
    for start in 0...995 {
      let light = asked[start..<(start + 5)].count { $0 == "a2" }
      #expect((0...2).contains(light))
    }
    #expect(asked.prefix(10).contains("a2"), "the heavy first one does not starve the other")
  }

  @Test("the same over 32 connections on two loops, because all of them draw from one order")
  func manyConnections() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(configuration(port: upstream.port), options: { $0.loops = 2 }) {
      gateway in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<32 {
          let client = try await gateway.client()
          group.addTask { [body] in
            for _ in 0..<(number < 8 ? 32 : 31) {
              try await client.send(chat(body))
              #expect(try await client.response().status == 200)
            }
          }
        }
        try await group.waitForAll()
      }
      let finished = try await gateway.finished(1000)
      let places = finished.compactMap { $0.attempts.first?.local.cursor }
      #expect(Set(places).count == 1000, "each request has its own place in the order, on record")
    }
    let asked = upstream.asked
    #expect(asked.count == 1000)
    #expect((790...810).contains(asked.count { $0 == "a1" }))
    #expect(Set(asked) == ["a1", "a2"])
  }

  @Test("a session stays with its account, by header or body, and is recorded as a hash alone")
  func sessions() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    var configuration = Configuration.one(
      port: upstream.port, accounts: (1...10).map { "a\($0)" })
    configuration.set(strategy: .sessionSticky)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      func ask(_ headers: String = "", _ body: String = plainBody) async throws -> String {
        try await client.send(chat(body, headers: headers))
        #expect(try await client.response().status == 200)
        return upstream.asked.last ?? ""
      }
      var homes: Set<String> = []
      for session in 1...20 {
        let home = try await ask("X-Session-Id: s\(session)\r\n")
        for header in ["session_id", "X-Session-Affinity"] {
          #expect(try await ask("\(header): s\(session)\r\n") == home)
        }
        homes.insert(home)
      }
      #expect(homes.count > 3)
      let keyed = #"{"model":"p/m","prompt_cache_key":"my-cache","messages":[]}"#
      let home = try await ask("", keyed)
      #expect(try await ask("", keyed) == home)
      let finished = try await gateway.finished(62)
      #expect(finished.allSatisfy { $0.session != nil })
      #expect(Set(finished.map(\.session)).count == 21)
      #expect(finished.allSatisfy { $0.attempts.first?.rule == .sessionSticky })
    }
  }

  @Test("the quicker of two gets the requests, and figures grow old")
  func latency() {
    let gauges = AccountGauges()
    let account = AccountID("a")
    let second: Int64 = 1_000_000_000
    #expect(gauges.latency(of: account, now: 0) == 0)
    gauges.note(latency: 8_000, of: account, now: 0)
    #expect(gauges.latency(of: account, now: second) == 8_000)
    gauges.note(latency: 16_000, of: account, now: second)
    #expect(gauges.latency(of: account, now: second) == 9_000)
    #expect(gauges.latency(of: account, now: 11 * second) == 4_500)
    #expect(gauges.latency(of: account, now: 1000 * second) == 0)
  }
}

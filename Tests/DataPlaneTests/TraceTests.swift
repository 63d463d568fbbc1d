import Domain
import NIOHTTP1
import Support
import Testing

@testable import DataPlane

/// What of a client's trace reaches providers, and the log.
@Suite("W3C Trace Context", .timeLimit(.minutes(5)))
struct TraceTests {
  private static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
  private static let good = "00-\(trace)-00f067aa0ba902b7-01"

  /// Heads, with whether their trace is gone on with, and the `tracestate` that goes on.
  private static let heads: [(headers: [String], isTaken: Bool, state: [String])] = [
    ([], false, []),
    (["traceparent: \(good)"], true, []),
    (["TraceParent:\t\(good) \t", "TRACESTATE: a=1,b@c=2"], true, ["a=1,b@c=2"]),
    (["tracestate: a=1", "traceparent: \(good)", "tracestate: b=2"], true, ["a=1", "b=2"]),
    (["traceparent: cc-\(good.dropFirst(3))-more", "tracestate: a=1"], true, ["a=1"]),
    // Says nothing by itself.
    (["tracestate: a=1"], false, []),
    (["traceparent: \(good.uppercased())", "tracestate: a=1"], false, []),
    (["traceparent: \(good)", "traceparent: \(good)", "tracestate: a=1"], false, []),
    (["traceparent: ff-\(good.dropFirst(3))"], false, []),
    (["traceparent: \(good)-more"], false, []),
    (["traceparent: 00-\(String(repeating: "0", count: 32))-00f067aa0ba902b7-01"], false, []),
    (["trace-parent: \(good)"], false, []),
  ]

  @Test(
    "with a collector each call is a span of its own, in the client's trace or a new one",
    arguments: 0..<12)
  func told(_ row: Int) async throws {
    let (headers, isTaken, state) = Self.heads[row]
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(
      .one(port: upstream.port, accounts: ["a1", "a2"]), options: { $0.tellsSpans = true }
    ) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, headers: headers.map { $0 + "\r\n" }.joined()))
      let failed = await upstream.next()
      failed.answer("{}", status: 503)
      let served = await upstream.next()
      served.answer(plainAnswer)
      #expect(try await client.response().status == 200)
      let finished = try #require(try await gateway.finished(1).first)
      #expect((finished.trace != nil) == isTaken)
      #expect(finished.wireKind == (isTaken ? .requestFinishedV3 : finished.wireKind))
      let trace = isTaken ? Self.trace : hexText(finished.id.rawValue)
      for (number, call) in [failed, served].enumerated() {
        #expect(
          call.head.headers["traceparent"]
            == ["00-\(trace)-\(hexText(finished.id.span(UInt64(number + 1))))-01"])
        #expect(call.head.headers["tracestate"] == state)
      }
    }
  }

  @Test("what a client does not keep, providers are not asked to keep")
  func flags() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port), options: { $0.tellsSpans = true }) { gateway in
      let client = try await gateway.client()
      for (given, told) in [("00", "00"), ("02", "02"), ("03", "03"), ("ff", "03")] {
        let header = "traceparent: \(Self.good.dropLast(2))\(given)\r\n"
        try await client.send(chat(plainBody, headers: header))
        let call = await upstream.next()
        call.answer(plainAnswer)
        #expect(call.head.headers["traceparent"].first?.suffix(2) == told[...])
        #expect(try await client.response().status == 200)
      }
      #expect(try await gateway.finished(4).map { $0.trace?.flags } == [0, 2, 3, 3])
    }
  }

  @Test(
    "without one nothing stands between the client's span and the provider's", arguments: 0..<12)
  func passed(_ row: Int) async throws {
    let (headers, isTaken, state) = Self.heads[row]
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, headers: headers.map { $0 + "\r\n" }.joined()))
      let call = await upstream.next()
      call.answer(plainAnswer)
      #expect(try await client.response().status == 200)
      let given = headers.first { $0.lowercased().hasPrefix("traceparent") }
        .map { String($0.dropFirst(12).trimmingPrefix(/[ \t]+/).prefix { $0 != " " }) }
      #expect(call.head.headers["traceparent"] == (isTaken ? [given ?? ""] : []))
      #expect(call.head.headers["tracestate"] == state)
      #expect((try await gateway.finished(1).first?.trace != nil) == isTaken)
    }
  }
}

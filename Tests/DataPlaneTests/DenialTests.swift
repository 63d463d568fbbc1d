import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Denials", .timeLimit(.minutes(5)))
struct DenialTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var request: String
    var status: Int
    var code: String
    var text = ""
  }

  static let rows: [Row] = [
    Row(
      testDescription: "no key", request: chat(plainBody, key: nil), status: 401,
      code: "missing_api_key"),
    Row(
      testDescription: "a wrong key", request: chat(plainBody, key: "sk-wrong"), status: 401,
      code: "invalid_api_key"),
    Row(
      testDescription: "a paused key", request: chat(plainBody, key: "sk-paused"), status: 401,
      code: "key_paused"),
    Row(
      testDescription: "a revoked key", request: chat(plainBody, key: "sk-revoked"), status: 401,
      code: "key_revoked"),
    Row(
      testDescription: "an expired key", request: chat(plainBody, key: "sk-expired"), status: 401,
      code: "key_expired"),
    Row(
      testDescription: "an unknown model", request: chat(#"{"model":"p/mm"}"#), status: 404,
      code: "model_not_found", text: "p/m"),
    Row(
      testDescription: "an ambiguous model", request: chat(#"{"model":"m"}"#), status: 404,
      code: "model_not_found", text: "q/m"),
    Row(
      testDescription: "broken JSON", request: chat(#"{"model":"p/m",}"#), status: 400,
      code: "invalid_json", text: "line 1, column 16"),
    Row(
      testDescription: "two models", request: chat(#"{"model":"p/m","model":"p/m"}"#), status: 400,
      code: "duplicate_field"),
    Row(
      testDescription: "no model", request: chat(#"{"messages":[]}"#), status: 400,
      code: "missing_field"),
    Row(
      testDescription: "a model that is no string", request: chat(#"{"model":["p/m"]}"#),
      status: 400, code: "invalid_field"),
    Row(testDescription: "no body", request: chat(""), status: 400, code: "invalid_json"),
    Row(
      testDescription: "a compressed body",
      request: chat(plainBody, headers: "Content-Encoding: gzip\r\n"), status: 415,
      code: "unsupported_media_type"),
  ]

  @Test("is answered in OpenAI's shape, recorded once, and calls no upstream", arguments: rows)
  func denied(_ row: Row) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(Self.configuration(upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(row.request)
      let response = try await client.response()
      #expect(response.status == row.status)
      #expect(response.text.contains("\"code\":\"\(row.code)\""))
      #expect(response.text.contains("{\"error\":{\"message\":"))
      #expect(response.text.contains(row.text))
      let finished = try await gateway.finished(1)
      #expect(finished.count == 1)
      #expect(finished.first?.ending == .denied)
      #expect(finished.first?.errorCode == row.code)
      #expect(finished.first?.status == UInt16(row.status))
      #expect(finished.first?.attempts.isEmpty == true)
      #expect(upstream.callCount == 0)
      // The connection is as good as before.
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
    }
  }

  static func configuration(_ port: Int) -> Configuration {
    var configuration = Configuration.one(port: port)
    configuration.addProvider("q", port: port)
    configuration.addAccount("b1", at: "q")
    configuration.addKey("sk-paused", id: "k-paused")
    configuration.apply(.key(.paused(KeyID("k-paused"))))
    configuration.addKey("sk-revoked", id: "k-revoked")
    configuration.apply(.key(.revoked(KeyID("k-revoked"))))
    configuration.addKey("sk-expired", expiresAt: TestClock.start)
    return configuration
  }

  @Test("a 40 MB body is refused as soon as its length is known")
  func tooLargeByLength() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Gateway.key)\r\n"
          + "Content-Length: 40000000\r\n\r\n")
      let response = try await client.response()
      #expect(response.status == 413)
      #expect(response.headers["connection"] == "close")
      #expect(response.text.contains("\"body_too_large\""))
      // What the client still sends does not take the answer away from it.
      client.offer([UInt8](repeating: 0x20, count: 1 << 20))
      _ = await client.closed()
      #expect(try await gateway.finished(1).map(\.errorCode) == ["body_too_large"])
      #expect(upstream.callCount == 0)
    }
  }

  @Test("a 40 MB body in chunks is refused when it exceeds the limit, and not held")
  func tooLargeByChunks() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Gateway.key)\r\n"
          + "Transfer-Encoding: chunked\r\n\r\n")
      let chunk = Array("100000\r\n".utf8) + [UInt8](repeating: 0x20, count: 1 << 20) + [13, 10]
      for _ in 1...40 { client.offer(chunk) }
      let response = try await client.response()
      #expect(response.status == 413)
      #expect(response.headers["connection"] == "close")
      #expect(try await gateway.finished(1).map(\.errorCode) == ["body_too_large"])
      try await eventually { gateway.plane.counts.heldBodyBytes == 0 }
      #expect(upstream.callCount == 0)
    }
  }

  @Test("a head that is too large is 431, one that is no HTTP is 400; neither is a request")
  func malformed() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let large = try await gateway.client()
      large.offer(
        Array(("GET / HTTP/1.1\r\nHost: x\r\nA: " + String(repeating: "a", count: 40_000)).utf8))
      #expect(try await large.response().status == 431)
      _ = await large.closed()
      let odd = try await gateway.client()
      try await odd.send("GET / HTTP/1.1\nHost: x\n\n")
      #expect(try await odd.response().status == 400)
      _ = await odd.closed()
      #expect(gateway.plane.counts.malformedHeads == 2)
      #expect(try gateway.events().isEmpty)
    }
  }

  @Test("a body whose chunks are no chunks is 400 and recorded")
  func malformedBody() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let client = try await gateway.client()
      try await client.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Gateway.key)\r\n"
          + "Transfer-Encoding: chunked\r\n\r\nnot-hex\r\n")
      #expect(try await client.response().status == 400)
      _ = await client.closed()
      #expect(try await gateway.finished(1).map(\.errorCode) == ["malformed_request"])
    }
  }

  @Test("a body that stops coming is 408 and recorded; a silent connection is closed")
  func timeouts() async throws {
    try await Gateway.run(Configuration()) { gateway in
      let slow = try await gateway.client()
      try await slow.send(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Gateway.key)\r\n"
          + "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n")
      _ = await slow.receives("100 Continue\r\n\r\n")
      let half = try await gateway.client()
      try await half.send("POST /v1/chat")
      try await eventually { gateway.plane.counts.connectionsOpen == 2 }
      gateway.clock.advance(.seconds(31))
      let answer = await slow.receives("\"request_timeout\"")
      #expect(answer.contains("408"))
      // Half a head may have been read behind that jump only, and has its time from then on. By now it was read.
      gateway.clock.advance(.seconds(31))
      _ = await half.closed()
      #expect(try await gateway.finished(1).map(\.status) == [408])
    }
  }

  @Test("without require-api-key anybody may ask, also with a key that means nothing")
  func open() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    var configuration = Configuration.one(port: upstream.port)
    configuration.apply(.settings(.changed(.init(requireAPIKey: false))))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      for key in [nil, "sk-dummy", Gateway.key] {
        try await client.send(chat(plainBody, key: key))
        #expect(try await client.response().status == 200)
      }
      let finished = try await gateway.finished(3)
      #expect(finished.map { $0.key?.rawValue } == [nil, nil, "id-\(Gateway.key)"])
    }
  }

  @Test("x-api-key is a key as well")
  func apiKeyHeader() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(.one(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody, key: nil, headers: "X-Api-Key: \(Gateway.key)\r\n"))
      #expect(try await client.response().status == 200)
    }
  }

  @Test("a connection beyond the limit is told so and closed")
  func connectionLimit() async throws {
    try await Gateway.run(Configuration(), options: { $0.maxConnections = 1 }) { gateway in
      let first = try await gateway.client()
      try await first.send("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
      _ = try await first.response()
      let second = try await gateway.client()
      let response = try await second.response()
      #expect(response.status == 503)
      #expect(response.text.contains("\"overloaded\""))
      #expect(response.headers["retry-after"] == "1")
      _ = await second.closed()
      #expect(gateway.plane.counts.connectionsRefused == 1)
    }
  }
}

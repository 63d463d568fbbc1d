import Domain
import NIOCore
import Support
import Surface
import Testing

@testable import DataPlane

/// A protocol that clients speak: where they ask, and how a provider of the same one answers.
private struct Spoken: Sendable, CustomTestStringConvertible {
  var name: String
  var asked: UpstreamProtocol
  var path: String
  var body: String
  /// An error of a provider about the request.
  var refusal: String
  /// How an error of the gateway begins: `STATUS`, `CLASS` and `CODE` stand for what they say.
  var shape: String
  var testDescription: String { name }

  func request(_ headers: String = "", key: String? = Gateway.key, body: String? = nil) -> String {
    chat(body ?? self.body, key: key, headers: headers, path: path)
  }
}

private let spoken: [Spoken] = [
  Spoken(
    name: "responses", asked: .openai, path: "/v1/responses",
    body: #"{"model":"p/m","stream":true}"#,
    refusal: #"{"error":{"message":"No.","type":"invalid_request_error","param":"input"}}"#,
    shape: #"{"error":{"message":"#),
  Spoken(
    name: "messages", asked: .anthropic, path: "/v1/messages",
    body: #"{"model":"p/m","stream":true}"#,
    refusal:
      #"{"type":"error","error":{"type":"invalid_request_error","message":"No."},"request_id":"r"}"#,
    shape: #"{"type":"error","error":{"type":""#),
  Spoken(
    name: "gemini", asked: .gemini, path: "/v1beta/models/p/m:streamGenerateContent?alt=sse",
    body: #"{"contents":[]}"#,
    refusal: #"{"error":{"code":400,"message":"No.","status":"INVALID_ARGUMENT"}}"#,
    shape: #"{"error":{"code":"#),
  Spoken(
    name: "gemini's array", asked: .gemini, path: "/v1beta/models/p/m:streamGenerateContent",
    body: #"{"contents":[]}"#,
    refusal: #"[{"error":{"code":400,"message":"No.","status":"INVALID_ARGUMENT"}}]"#,
    shape: #"{"error":{"code":"#),
]

@Suite("Answers and errors in the client's protocol", .timeLimit(.minutes(5)))
struct ProtocolTests {
  private func configuration(
    _ port: Int, _ asked: UpstreamProtocol, accounts: Int = 1
  ) -> Configuration {
    var configuration = Configuration()
    configuration.addProvider("p", port: port, path: "", dialect: asked)
    for index in 1...accounts {
      configuration.addAccount("a\(index)", at: "p", priority: UInt32(index))
    }
    return configuration
  }

  @Test("refusals have the protocol's shape and its headers", arguments: spoken)
  private func refused(_ spoken: Spoken) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, spoken.asked)) { gateway in
      let client = try await gateway.client()
      try await client.send(spoken.request("x-request-id: mine\r\n", key: "sk-wrong"))
      let response = try await client.response()
      #expect(response.status == 401 && response.text.hasPrefix(spoken.shape))
      #expect(response.text.lowercased().contains("invalid_api_key"))
      #expect(response.headers["x-request-id"] == "mine")
      let isAnthropic = spoken.asked == .anthropic
      #expect(response.headers["request-id"] == (isAnthropic ? "mine" : nil))
      if isAnthropic {
        #expect(response.text.contains(#""type":"authentication_error""#))
        #expect(response.text.hasSuffix(#""request_id":"mine"}"#))
      }
      if spoken.asked == .gemini { #expect(response.text.contains("\"UNAUTHENTICATED\"")) }
      #expect(upstream.callCount == 0)
    }
  }

  @Test("a provider's error about the request comes as it is", arguments: spoken)
  private func quoted(_ spoken: Spoken) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(spoken.refusal, status: 400) }
    try await Gateway.run(configuration(upstream.port, spoken.asked)) { gateway in
      let client = try await gateway.client()
      try await client.send(spoken.request())
      let response = try await client.response()
      #expect(response.status == 400 && response.text == spoken.refusal)
      #expect(try await gateway.finished(1).first?.errorClass == .request)
    }
  }

  @Test(
    "a provider's error about our account is told in our words, with its class", arguments: spoken)
  private func ours(_ spoken: Spoken) async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer(#"{"type":"error","error":{"type":"x","message":"sk-secret"}}"#, status: 529)
    }
    try await Gateway.run(configuration(upstream.port, spoken.asked)) { gateway in
      let client = try await gateway.client()
      try await client.send(spoken.request())
      let response = try await client.response()
      #expect(response.status == 529 && response.text.hasPrefix(spoken.shape))
      #expect(!response.text.contains("secret"))
      if spoken.asked == .anthropic { #expect(response.text.contains("overloaded_error")) }
      if spoken.asked == .gemini { #expect(response.text.contains("UNAVAILABLE")) }
    }
  }

  @Test(
    "recorded streams go to a client of the same protocol as they are, and are counted",
    arguments: RecordedStream.all.filter { [.done, .whole].contains($0.ending) })
  func recorded(_ stream: RecordedStream) async throws {
    let (asked, path): (UpstreamProtocol, String) =
      switch stream.dialect {
      case .messages: (.anthropic, "/v1/messages")
      case .gemini: (.gemini, "/v1/models/p/m:streamGenerateContent?alt=sse")
      case .responses: (.openai, "/v1/responses")
      case _: (.openai, "/v1/chat/completions")
      }
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, asked)) { gateway in
      let client = try await gateway.client()
      let body =
        stream.dialect == .gemini
        ? #"{"contents":[]}"#
        : #"{"model":"p/m","stream":true,"stream_options":{"include_usage":true}}"#
      try await client.send(chat(body, path: path))
      let call = await upstream.next()
      call.startStream()
      call.chunk(stream.wire)
      call.endChunks()
      let response = try await client.response()
      #expect(response.status == 200 && response.body == stream.wire)
      #expect(response.headers["content-type"] == "text/event-stream")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .completed && finished.isStream)
      #expect(finished.usage == stream.usage ?? .notReported)
    }
  }

  /// A stream's beginning, an error within it, and how a cut must be told.
  private struct Broken: Sendable, CustomTestStringConvertible {
    var spoken: Spoken
    var beginning: String
    var cut: String
    var testDescription: String { spoken.name }
  }

  private static let broken: [Broken] = [
    Broken(
      spoken: spoken[0],
      beginning:
        "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{}}\n\nevent: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1}\n\n",
      cut:
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,\"code\":\"upstream_cut\","),
    Broken(
      spoken: spoken[1],
      beginning:
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3,\"cache_read_input_tokens\":4}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n",
      cut: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\","),
    Broken(
      spoken: spoken[2], beginning: "data: {\"candidates\": [{\"content\": {}}]}\r\n\r\n",
      cut: "data: {\"error\":{\"code\":502,"),
    Broken(
      spoken: spoken[3], beginning: "[{\"candidates\": [{\"content\": {}}]}",
      cut: ",\n{\"error\":{\"code\":502,"),
  ]

  @Test("a stream that breaks off ends with an error of its protocol", arguments: broken)
  private func cut(_ broken: Broken) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, broken.spoken.asked)) { gateway in
      let client = try await gateway.client()
      try await client.send(broken.spoken.request())
      let call = await upstream.next()
      start(call, broken.spoken)
      call.chunk(broken.beginning)
      let begun = await client.receives(String(broken.beginning.suffix(20)))
      #expect(begun.contains(broken.beginning))
      call.close()
      let response = try await client.response()
      #expect(response.text.hasPrefix(broken.beginning + broken.cut))
      if broken.spoken.name.contains("array") {
        #expect(try JSONValue.parse(response.body).array?.count == 2)
      }
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .upstreamCut)
      if broken.spoken.asked == .anthropic {
        #expect(finished.usage == TokenUsage(input: 7, cached: 4))
      }
    }
  }

  private static let failing: [(Int, String, String)] = [
    (
      0,
      "event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"sk-secret\",\"sequence_number\":2}\n\n",
      "event: error\ndata: {\"type\":\"error\",\"sequence_number\":2,\"code\":\"rate_limited\","
    ),
    (
      1,
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"sk-secret\"}}\n\n",
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"The provider"
    ),
    (
      2,
      "data: {\"error\": {\"code\": 503,\"status\": \"UNAVAILABLE\",\"message\":\"sk-secret\"}}\r\n\r\n",
      "data: {\"error\":{\"code\":503,"
    ),
    (
      3,
      ",{\"error\": {\"code\": 429,\"status\": \"RESOURCE_EXHAUSTED\",\"message\":\"sk-secret\"}}",
      ",\n{\"error\":{\"code\":429,"
    ),
  ]

  @Test(
    "an error within a stream is told in our words and the provider's class", arguments: failing)
  private func failed(_ row: (Int, String, String)) async throws {
    let broken = Self.broken[row.0]
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, broken.spoken.asked)) { gateway in
      let client = try await gateway.client()
      try await client.send(broken.spoken.request())
      let call = await upstream.next()
      start(call, broken.spoken)
      call.chunk(broken.beginning)
      _ = await client.receives(String(broken.beginning.suffix(20)))
      call.chunk(row.1)
      let response = try await client.response()
      #expect(response.text.hasPrefix(broken.beginning + row.2))
      #expect(!response.text.contains("secret"))
      #expect(try await gateway.finished(1).first?.ending == .failed)
    }
  }

  @Test("an error in the first frames fails over, and the client never sees it", arguments: failing)
  private func failsOver(_ row: (Int, String, String)) async throws {
    let broken = Self.broken[row.0]
    let isArray = broken.spoken.name.contains("array")
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, broken.spoken.asked, accounts: 2)) {
      gateway in
      let client = try await gateway.client()
      try await client.send(broken.spoken.request())
      let first = await upstream.next()
      start(first, broken.spoken)
      first.chunk(isArray ? "[" + row.1.dropFirst() : row.1)
      let second = await upstream.next()
      start(second, broken.spoken)
      second.chunk(broken.beginning)
      _ = await client.receives(String(broken.beginning.suffix(20)))
      second.close()
      let response = try await client.response()
      #expect(response.text.hasPrefix(broken.beginning + broken.cut))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.account.rawValue) == ["a1", "a2"])
    }
  }

  private func start(_ call: UpstreamCall, _ spoken: Spoken) {
    guard spoken.name.contains("array") else { return call.startStream() }
    call.send(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
  }

  @Test("Gemini's array goes on piece by piece, and its bracket when it is recorded")
  func array() async throws {
    let stream = try #require(
      RecordedStream.all.first { $0.dialect == .gemini && $0.name == "thinking" })
    let wire = stream.array
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, .gemini)) { gateway in
      let client = try await gateway.client()
      try await client.send(spoken[3].request())
      let call = await upstream.next()
      start(call, spoken[3])
      call.chunk(Array(wire.prefix(600)))
      _ = await client.receives("candidates")
      gateway.log.hold()
      call.chunk(Array(wire.dropFirst(600)))
      call.endChunks()
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      #expect(!String(decoding: client.received.bytes, as: UTF8.self).contains("\n]"))
      gateway.log.release()
      let response = try await client.response()
      #expect(response.headers["content-type"] == "application/json")
      #expect(try JSONValue.parse(response.body) == JSONValue.parse(wire))
      #expect(try await gateway.finished(1).first?.usage == stream.usage)
    }
  }

  @Test("clients of Anthropic's protocol read its names of rates")
  func rates() async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer(#"{"content":[],"usage":{"input_tokens":1,"output_tokens":1}}"#)
    }
    var configuration = configuration(upstream.port, .anthropic)
    configuration.apply(
      .organisation(
        .limitsSet(.init(id: OrganisationID("acme"), limits: Limits(requestsPerMinute: 2)))))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      for (status, remaining) in [(200, "1"), (200, "0"), (429, "0")] {
        try await client.send(chat(#"{"model":"p/m"}"#, path: "/v1/messages"))
        let response = try await client.response()
        #expect(response.status == status)
        #expect(response.headers["anthropic-ratelimit-requests-limit"] == "2")
        #expect(response.headers["anthropic-ratelimit-requests-remaining"] == remaining)
        #expect(response.headers["anthropic-ratelimit-tokens-limit"] == nil)
        let reset = try #require(response.headers["anthropic-ratelimit-requests-reset"])
        let wait = try #require(parseRFC3339(reset)).rawValue - TestClock.start
        #expect(wait == (remaining == "1" ? 30_000_000_000 : 60_000_000_000))
        #expect(response.headers["x-ratelimit-remaining-requests"] == remaining)
        #expect(response.headers["request-id"] == response.headers["x-request-id"])
      }
    }
  }
}

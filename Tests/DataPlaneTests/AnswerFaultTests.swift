import Domain
import NIOCore
import Surface
import Testing

@testable import DataPlane

/// A question in one protocol, and what a provider of another, or of the same, answers.
private struct Asked: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var speaks: UpstreamProtocol
  var path = "/v1/chat/completions"
  var body = #"{"model":"p/m","messages":[{"role":"user","content":"hi"}],"max_tokens":9}"#
  var isStream = false
  var answer: String
  var status = 200
  /// Of the account that is asked first.
  var secret: String?

  var request: String {
    chat(
      isStream && body.contains("model")
        ? body.replacing(#""model""#, with: #""stream":true,"model""#) : body, path: path)
  }

  func send(_ call: UpstreamCall) {
    guard isStream, status == 200 else { return call.answer(answer, status: status) }
    call.startStream()
    call.chunk(answer)
    call.endChunks()
  }

  static let picture =
    #"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1290}}"#
  static let image =
    #"{"choices":[{"index":0,"KEY":{"content":"see","images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":1290}}"#
  static let messages =
    #"{"model":"p/m","messages":[{"role":"user","content":"hi"}],"max_tokens":9}"#

  static let pictures = [
    Asked(testDescription: "a picture of Gemini's", speaks: .gemini, answer: picture),
    Asked(
      testDescription: "a picture in Gemini's stream", speaks: .gemini, isStream: true,
      answer: "data: \(picture)\r\n\r\n"),
    Asked(
      testDescription: "a picture of chat's", speaks: .openai, path: "/v1/messages",
      answer: image.replacing("KEY", with: "message")),
    Asked(
      testDescription: "a picture in chat's stream", speaks: .openai, path: "/v1/messages",
      isStream: true, answer: "data: \(image.replacing("KEY", with: "delta"))\n\n"),
  ]

  /// Errors about the request in a stream's first frame.
  static let faults = [
    Asked(
      testDescription: "Anthropic to chat", speaks: .anthropic, isStream: true,
      answer:
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"image too odd\"}}\n\n"
    ),
    Asked(
      testDescription: "Anthropic", speaks: .anthropic, path: "/v1/messages", isStream: true,
      answer:
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"image too odd\"}}\n\n"
    ),
    Asked(
      testDescription: "Responses, an error", speaks: .openai, path: "/v1/responses",
      body: #"{"model":"p/m","input":"hi"}"#, isStream: true,
      answer:
        "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"code\":\"invalid_prompt\",\"message\":\"image too odd\",\"param\":null}\n\n"
    ),
    Asked(
      testDescription: "Responses, a failed response", speaks: .openai, path: "/v1/responses",
      body: #"{"model":"p/m","input":"hi"}"#, isStream: true,
      answer:
        "event: response.failed\ndata: {\"type\":\"response.failed\",\"sequence_number\":1,\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"invalid_prompt\",\"message\":\"image too odd\"}}}\n\n"
    ),
  ]

  /// Errors that name the secret which they were asked with.
  static let leaks = [
    Asked(
      testDescription: "the same protocol", speaks: .openai,
      answer:
        #"{"error":{"message":"Bad request with secret-of-a1.","type":"invalid_request_error"}}"#,
      status: 400),
    Asked(
      testDescription: "another protocol", speaks: .anthropic,
      answer:
        #"{"type":"error","error":{"type":"invalid_request_error","message":"Bad request with secret-of-a1."}}"#,
      status: 400),
    Asked(
      testDescription: "escaped", speaks: .openai,
      answer:
        #"{"error":{"message":"Bad request with secret\u002Dof-a1.","type":"invalid_request_error"}}"#,
      status: 400),
    Asked(
      testDescription: "escaped for no reason", speaks: .openai,
      answer:
        #"{"error":{"message":"Bad request with secret/of/\/\u002B.","type":"invalid_request_error"}}"#,
      status: 400, secret: "secret/of//+"),
    Asked(
      testDescription: "an error within an error", speaks: .openai,
      answer:
        #"{"error":{"message":"{\"error\":\"Bad with secret\\u002dof-a1\"}","type":"invalid_request_error"}}"#,
      status: 400),
    Asked(
      testDescription: "another protocol, escaped", speaks: .anthropic,
      answer:
        #"{"type":"error","error":{"type":"invalid_request_error","message":"Bad with secret\u002dof-a1."}}"#,
      status: 400),
    Asked(
      testDescription: "in a stream's first frame", speaks: .openai, isStream: true,
      answer:
        "data: {\"error\":{\"message\":\"Bad with secret-of-a1.\",\"type\":\"invalid_request_error\"}}\n\n"
    ),
  ]
}

@Suite("What an answer cannot be told by, or quotes", .timeLimit(.minutes(5)))
struct AnswerFaultTests {
  private func configuration(
    _ port: Int, _ speaks: UpstreamProtocol, secret: String? = nil
  ) -> Configuration {
    var configuration = Configuration()
    configuration.addProvider("p", port: port, dialect: speaks)
    configuration.addAccount("a1", at: "p", priority: 1, secret: secret)
    configuration.addAccount("a2", at: "p", priority: 2)
    return configuration
  }

  @Test(
    "a picture is asked of nobody else, and what it cost is known", arguments: Asked.pictures)
  private func pictures(_ asked: Asked) async throws {
    let upstream = try await ScriptedUpstream.start { asked.send($0) }
    let health = TestHealth()
    try await Gateway.run(configuration(upstream.port, asked.speaks), health: health) { gateway in
      let client = try await gateway.client()
      try await client.send(asked.request)
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(response.text.contains("answer_not_carried"))
      #expect(response.text.contains(ErrorCode.answerNotCarried.summary))
      #expect(response.headers["x-should-retry"] == "false")
      #expect(upstream.callCount == 1)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .failed && finished.errorCode == "answer_not_carried")
      #expect(finished.attempts.map(\.errorCode) == ["answer_not_carried"])
      #expect(finished.usage == TokenUsage(input: 7, output: 1290))
      #expect(health.reports.value.isEmpty)
    }
  }

  @Test("a fault of the request in a first frame keeps its words", arguments: Asked.faults)
  private func words(_ asked: Asked) async throws {
    let upstream = try await ScriptedUpstream.start { asked.send($0) }
    try await Gateway.run(configuration(upstream.port, asked.speaks)) { gateway in
      let client = try await gateway.client()
      try await client.send(asked.request)
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(response.text.contains("image too odd"))
      #expect(upstream.callCount == 1)
    }
  }

  @Test("an error that quotes the account's secret is not quoted", arguments: Asked.leaks)
  private func leaks(_ asked: Asked) async throws {
    let upstream = try await ScriptedUpstream.start { asked.send($0) }
    try await Gateway.run(
      configuration(upstream.port, asked.speaks, secret: asked.secret)
    ) { gateway in
      let client = try await gateway.client()
      try await client.send(asked.request)
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(!response.text.contains("secret"))
      #expect(response.text.contains("error"))
    }
  }

  @Test(
    "a late error of a stream is quoted unless it names the account's secret",
    arguments: [
      ("image too odd", true), ("Bad with secret-of-a1.", false),
      (#"Bad with secret\u002dof-a1."#, false),
    ])
  func late(_ words: String, isQuoted: Bool) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, .openai)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(#"{"model":"p/m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#))
      let call = await upstream.next()
      call.startStream()
      call.chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n")
      _ = await client.receives("hello")
      call.chunk(
        "data: {\"error\":{\"message\":\"\(words)\",\"type\":\"invalid_request_error\"}}\n\n")
      let text = try await client.response().text
      await call.closed()
      #expect(text.contains(words) == isQuoted)
      #expect(text.contains(ErrorCode.upstreamError.summary) != isQuoted)
      #expect(!text.contains("of-a1"))
    }
  }

  /// An answer to a client of Messages, and the same as a frame.
  private static let many =
    #"{"choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],"x":[\#(String(repeating: "0,", count: 500_000))0],"usage":{"prompt_tokens":7,"completion_tokens":5}}"#

  @Test(
    "an answer of more values than are read is nobody's fault, and asked of nobody else",
    arguments: [(false, false), (true, false), (true, true)])
  func manyValues(isStream: Bool, isLate: Bool) async throws {
    let upstream = try await ScriptedUpstream.start()
    let health = TestHealth()
    try await Gateway.run(configuration(upstream.port, .openai), health: health) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(
          #"{"model":"p/m","stream":\#(isStream),"messages":[{"role":"user","content":"hi"}],"max_tokens":9}"#,
          path: "/v1/messages"))
      let call = await upstream.next()
      if isStream { call.startStream() }
      if isLate {
        call.chunk("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n")
        _ = await client.receives("hello")
      }
      isStream ? call.chunk("data: \(Self.many)\n\n") : call.answer(Self.many)
      let response = try await client.response()
      #expect(response.status == (isLate ? 200 : 502))
      #expect(response.text.contains(ErrorCode.answerTooLarge.summary))
      #expect(upstream.callCount == 1)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .failed && finished.errorCode == "answer_too_large")
      #expect(finished.errorClass == .gateway)
      if !isStream { #expect(finished.usage == TokenUsage(input: 7, output: 5)) }
      #expect(health.reports.value.isEmpty)
    }
  }

  /// Whole answers of more than a mebibyte.
  private static let largeAnswers: [(UpstreamProtocol, String, String, String, TokenUsage)] = [
    (
      .openai, "/v1/embeddings", #"{"model":"p/m","input":["x"]}"#,
      #"{"object":"list","data":[\#(String(repeating: "0.0123456789,", count: 98_304))0],"model":"m","usage":{"prompt_tokens":64000,"total_tokens":64000}}"#,
      .init(input: 64_000)
    ),
    (
      .gemini, "/v1beta/models/p/m:generateContent", #"{"contents":[]}"#,
      #"{"candidates":[{"content":{"parts":[{"inlineData":{"data":"\#(String(repeating: "A", count: 1_400_000))"}}]}}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1290},"modelVersion":"m"}"#,
      .init(input: 7, output: 1290)
    ),
  ]

  @Test("what a large whole answer cost is known", arguments: largeAnswers)
  private func large(
    _ row: (UpstreamProtocol, String, String, String, TokenUsage)
  ) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(row.3) }
    try await Gateway.run(configuration(upstream.port, row.0)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(row.2, path: row.1))
      _ = await client.receives(atLeast: row.3.utf8.count)
      let response = try await client.response()
      #expect(response.status == 200 && response.body == Array(row.3.utf8))
      #expect(try await gateway.finished(1).first?.usage == row.4)
    }
  }

  @Test("a stream that ends by a bound of its translation is recorded as failed")
  func full() async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, .openai)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(
          #"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
          path: "/v1beta/models/p/m:streamGenerateContent?alt=sse"))
      let call = await upstream.next()
      call.startStream()
      call.chunk(
        "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n"
      )
      _ = await client.receives("hello")
      let piece = String(repeating: "x", count: 1 << 20)
      for _ in 0..<9 {
        call.chunk(
          "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\",\"arguments\":\"\(piece)\"}}]}}]}\n\n"
        )
      }
      let response = try await client.response()
      await call.closed()
      #expect(response.text.split(separator: "data: ").count { $0.contains("\"error\"") } == 1)
      #expect(response.text.contains(ErrorCode.answerTooLarge.summary))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .failed && finished.errorCode == "answer_too_large")
      #expect(finished.usage == TokenUsage(input: 7, output: 5))
      #expect(upstream.callCount == 1)
    }
  }
}

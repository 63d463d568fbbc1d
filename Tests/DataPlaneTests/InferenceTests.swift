import Domain
import NIOHTTP1
import Support
import Testing

@testable import DataPlane

@Suite("The API Router's form", .timeLimit(.minutes(5)))
struct InferenceTests {
  private static let answers: [(UpstreamProtocol, target: String, asked: String, answer: String)] =
    [
      (
        .openai, "/v1/chat/completions", #""content":"Hello""#,
        #"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi"}}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#
      ),
      (
        .anthropic, "/v1/messages", #""text":"Hello""#,
        #"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":7}}"#
      ),
      (
        .gemini, "/v1beta/models/m:generateContent", #""text":"Hello""#,
        #"{"candidates":[{"content":{"role":"model","parts":[{"text":"Hi"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12}}"#
      ),
    ]

  private static func ask(_ fields: String) -> String {
    chat(#"{"model":"p/m",\#(fields)}"#, path: "/v1/inference")
  }

  private static func configuration(_ port: Int, _ dialect: UpstreamProtocol) -> Configuration {
    var configuration = Configuration()
    configuration.addProvider(
      "p", port: port, path: dialect == .openai ? "/v1" : "", dialect: dialect)
    configuration.addAccount("a1", at: "p")
    return configuration
  }

  @Test("one text is asked of a provider of any protocol, and one comes back", arguments: 0..<3)
  func any(_ row: Int) async throws {
    let (dialect, target, asked, answer) = Self.answers[row]
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(Self.configuration(upstream.port, dialect)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        Self.ask(
          #""request_id":"r-1","payload":"Hello","parameters":{"temperature":0.5,"max_tokens":64},"metadata":{"team":"x"},"stream":null"#
        ))
      let call = await upstream.next()
      #expect(call.head.uri == target)
      #expect(call.text.contains(asked) && call.text.contains("64") && call.text.contains("0.5"))
      #expect(!call.text.contains("team") && !call.text.contains("r-1"))
      call.answer(answer)
      let response = try await client.response()
      #expect(response.status == 200)
      let told = try #require(response.headers["x-signalbox-request-id"])
      let id = RequestID(try #require(parseUUID(told)))
      let text = response.text.replacing(/"latency_ms":\d+/, with: #""latency_ms":0"#)
        .replacing(hexText(id.rawValue), with: "ID").replacing(hexText(id.span(0)), with: "SPAN")
      #expect(
        text
          == #"{"request_id":"r-1","output":{"text":"Hi"},"usage":{"tokens_input":5,"tokens_output":7,"latency_ms":0,"limit_state":"WITHIN_LIMIT"},"trace_id":"ID","span_id":"SPAN"}"#
      )
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.operation == .inference && !finished.isStream)
      #expect(finished.clientRequestID == "r-1")
      #expect(finished.usage == TokenUsage(input: 5, output: 7))
    }
  }

  @Test(
    "the form's label is the client's id of the request, where a header's could be one",
    arguments: [
      (#""a\u0062c""#, "abc"), (#""test-123""#, "test-123"), (#""two words""#, "of-the-head"),
      (#""é""#, "of-the-head"),
      ("\"\(String(repeating: "x", count: 128))\"", String(repeating: "x", count: 128)),
    ])
  func label(_ written: String, _ id: String) async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(Self.answers[0].answer) }
    try await Gateway.run(Self.configuration(upstream.port, .openai)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(
          #"{"model":"p/m","payload":"Hello","metadata":{"request_id":"inner"},"request_id":\#(written)}"#,
          headers: "x-request-id: of-the-head\r\n", path: "/v1/inference"))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.headers["x-request-id"] == id)
      #expect(try await gateway.finished(1).first?.clientRequestID == id)
    }
  }

  @Test("it tells what it cost, of which trace it is and who served it", arguments: [true, false])
  func told(_ diagnostics: Bool) async throws {
    let (dialect, _, _, answer) = Self.answers[0]
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.configuration(upstream.port, dialect)
    configuration.addAccount("a2", at: "p")
    configuration.addKey("sk-2", diagnostics: diagnostics)
    configuration.apply(
      .pricing(
        .changed(
          .init(
            set: [
              .init(
                id: PriceID(provider: ProviderID("p"), model: "m"),
                price: Price(input: 1_000_000, output: 3_000_000))
            ]))))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
      for (decision, parent) in [
        ("FAILOVER", "00-\(trace)-00f067aa0ba902b7-01"), ("PRIMARY", "00-zz-00f067aa0ba902b7-01"),
      ] {
        try await client.send(
          chat(
            #"{"model":"p/m","request_id":"r","payload":"Hello"}"#, key: "sk-2",
            headers: "traceparent: \(parent)\r\n", path: "/v1/inference"))
        if decision == "FAILOVER" { await upstream.next().answer("{}", status: 503) }
        await upstream.next().answer(answer)
        let response = try await client.response()
        #expect(response.status == 200)
        #expect(response.text.contains(#""cost_usd":0.000026"#), "\(response.text)")
        #expect(response.text.contains(trace) == (decision == "FAILOVER"))
        let backend = response.headers["x-routing-backend"]
        #expect(backend == (diagnostics ? response.headers["x-signalbox-account"] : nil))
        #expect((backend != nil) == diagnostics)
        #expect(response.headers["x-routing-decision"] == (diagnostics ? decision : nil))
      }
      // Where nobody answered, nobody is named.
      try await client.send(
        chat(
          #"{"model":"p/m","request_id":"r","payload":"Hello"}"#, key: "sk-2", path: "/v1/inference"
        ))
      await upstream.next().answer(#"{"error":{"message":"no"}}"#, status: 400)
      let failed = try await client.response()
      #expect(failed.status == 400)
      #expect(failed.headers["x-routing-backend"] == nil)
      #expect(failed.headers["x-routing-decision"] == nil)
    }
  }

  @Test("a wait stands in the error as well as in the head")
  func wait() async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer("{}", status: 429, headers: "retry-after: 7\r\n")
    }
    try await Gateway.run(Self.configuration(upstream.port, .openai)) { gateway in
      let client = try await gateway.client()
      try await client.send(Self.ask(#""request_id":"r","payload":"a""#))
      let response = try await client.response()
      #expect(response.status == 429 && response.headers["retry-after"] == "7")
      #expect(response.text.contains(#""retry_after_seconds":7"#))
      // The account is cool now: the same wait, told by ourselves.
      try await client.send(
        chat(
          #"{"contents":[{"parts":[{"text":"a"}]}]}"#, path: "/v1beta/models/p%2Fm:generateContent")
      )
      let google = try await client.response()
      let seconds = try #require(google.headers["retry-after"])
      #expect(
        google.text.contains(
          #"{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"\#(seconds)s"}"#),
        "\(google.text)")
    }
  }

  @Test(
    "what it cannot be is refused in the router's form, and no account is called",
    arguments: [
      (#""payload":"a""#, "request_id"), (#""request_id":"","payload":"a""#, "request_id"),
      (#""request_id":"r""#, "payload"), (#""request_id":"r","payload":5"#, "payload"),
      (#""request_id":"r","payload":"a","parameters":[]"#, "parameters"),
      (#""request_id":"r","payload":"a","parameters":{"stream":true}"#, "parameters.stream"),
      (
        #""request_id":"r","payload":"a","parameters":{"temperature":"x"}"#,
        "parameters.temperature"
      ),
      (#""request_id":"r","payload":"a","content_type":"image/png""#, "content_type"),
      (#""request_id":"r","payload":"a","messages":[]"#, "messages"),
      (#""request_id":"r","payload":"a","stream":true"#, "stream"),
    ])
  func refused(_ fields: String, _ field: String) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(Self.configuration(upstream.port, .openai)) { gateway in
      let client = try await gateway.client()
      try await client.send(Self.ask(fields))
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(response.text.contains(#""field":"\#(field)""#), "\(response.text)")
      #expect(response.text.hasPrefix(#"{"error":""#))
      #expect(upstream.callCount == 0)
    }
  }
}

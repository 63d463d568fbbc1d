import Domain
import NIOCore
import Surface
import Testing

@testable import DataPlane

/// What the four protocols' clients send for the same question.
private struct Client: Sendable, CustomTestStringConvertible {
  var dialect: Dialect
  var operation: Operation
  var path: String
  var body: String
  var streamPath: String
  var streamBody: String
  /// Stands in the answer's text and in none of its ends.
  var text: String
  /// Stand at a stream's end only.
  var ends: [String]
  /// Stands in a stream's error.
  var error: String
  var testDescription: String { "\(dialect)" }

  func request(model: String, stream: Bool = false) -> String {
    let body = (stream ? streamBody : body).replacing("MODEL", with: model)
    let path = (stream ? streamPath : path).replacing("MODEL", with: model)
    return chat(body, path: path)
  }

  static let chatClient = Client(
    dialect: .chat, operation: .chatCompletions, path: "/v1/chat/completions",
    body: #"{"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":9}"#,
    streamPath: "/v1/chat/completions",
    streamBody:
      #"{"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":true}"#,
    text: #""content":"hello""#, ends: ["[DONE]", #""finish_reason":"stop""#],
    error: #"data: {"error":"#)
  static let messages = Client(
    dialect: .messages, operation: .messages, path: "/v1/messages",
    body: #"{"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":9}"#,
    streamPath: "/v1/messages",
    streamBody:
      #"{"model":"MODEL","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":true}"#,
    text: #""text":"hello""#, ends: ["message_stop", "message_delta"], error: "event: error")
  static let responses = Client(
    dialect: .responses, operation: .responses, path: "/v1/responses",
    body: #"{"model":"MODEL","input":"hi","max_output_tokens":9}"#, streamPath: "/v1/responses",
    streamBody: #"{"model":"MODEL","input":"hi","max_output_tokens":9,"stream":true}"#,
    text: #""hello""#, ends: ["response.completed"], error: "event: response.failed")
  static let gemini = Client(
    dialect: .gemini, operation: .generateContent,
    path: "/v1beta/models/MODEL:generateContent",
    body:
      #"{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":9}}"#,
    streamPath: "/v1beta/models/MODEL:streamGenerateContent?alt=sse",
    streamBody:
      #"{"contents":[{"role":"user","parts":[{"text":"hi"}]}],"generationConfig":{"maxOutputTokens":9}}"#,
    text: #""text":"hello""#, ends: [#""finishReason":"STOP""#], error: #"data: {"error":"#)
  static let all = [chatClient, messages, responses, gemini]
}

/// What the three protocols' providers answer.
private struct Provider: Sendable, CustomTestStringConvertible {
  var speaks: UpstreamProtocol
  var dialect: Dialect
  var target: String
  var streamTarget: String
  var answer: String
  /// Up to the text, and from there to the end.
  var frames: [String]
  var end: [String]
  var error: String
  /// Fields that its request must have.
  var fields: [String: String]
  var testDescription: String { "\(speaks)" }

  static let openai = Provider(
    speaks: .openai, dialect: .chat, target: "/v1/chat/completions",
    streamTarget: "/v1/chat/completions",
    answer:
      #"{"id":"c1","model":"m-1","created":5,"choices":[{"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":5}}"#,
    frames: [
      "data: {\"id\":\"c1\",\"model\":\"m-1\",\"created\":5,\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\"}}]}\n\n",
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n",
    ],
    end: [
      "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
      "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":5}}\n\n",
      "data: [DONE]\n\n",
    ],
    error: "data: {\"error\":{\"message\":\"secret words\",\"type\":\"server_error\"}}\n\n",
    fields: ["authorization": "Bearer secret-of-a1"])
  static let anthropic = Provider(
    speaks: .anthropic, dialect: .messages, target: "/v1/messages", streamTarget: "/v1/messages",
    answer:
      #"{"id":"msg_1","type":"message","role":"assistant","model":"m-1","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":7,"output_tokens":5}}"#,
    frames: [
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"m-1\",\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
      "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n",
    ],
    end: [
      "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
      "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n",
      "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    ],
    error:
      "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"secret words\"}}\n\n",
    fields: ["x-api-key": "secret-of-a1", "anthropic-version": "2023-06-01"])
  static let gemini = Provider(
    speaks: .gemini, dialect: .gemini, target: "/v1/models/m:generateContent",
    streamTarget: "/v1/models/m:streamGenerateContent?alt=sse",
    answer:
      #"{"responseId":"g1","modelVersion":"m-1","candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":5}}"#,
    frames: [
      "data: {\"responseId\":\"g1\",\"modelVersion\":\"m-1\",\"candidates\":[{\"content\":{\"parts\":[]}}],\"usageMetadata\":{\"promptTokenCount\":7}}\n\n",
      "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}\n\n",
    ],
    end: [
      "data: {\"candidates\":[{\"content\":{\"parts\":[]},\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":7,\"candidatesTokenCount\":5}}\n\n"
    ],
    error:
      "data: {\"error\":{\"code\":500,\"message\":\"secret words\",\"status\":\"INTERNAL\"}}\n\n",
    fields: ["x-goog-api-key": "secret-of-a1"])
  static let all = [openai, anthropic, gemini]
}

private struct Cell: Sendable, CustomTestStringConvertible {
  var client: Client
  var provider: Provider
  var testDescription: String { "\(client) client, \(provider) provider" }

  /// Those whose sides differ.
  static let all = Client.all.flatMap { client in
    Provider.all.compactMap { provider in
      provider.speaks.dialect(for: client.dialect) == client.dialect
        ? nil : Cell(client: client, provider: provider)
    }
  }

  func configuration(port: Int) -> Configuration {
    var configuration = Configuration()
    configuration.addProvider("p", port: port, dialect: provider.speaks)
    configuration.addAccount("a1", at: "p")
    return configuration
  }
}

@Suite("A request in another protocol than its provider's", .timeLimit(.minutes(5)))
struct TranslationTests {
  private static let usage = TokenUsage(input: 7, output: 5)

  private static func isUsage(_ usage: TokenUsage) -> Bool { usage.input == 7 && usage.output == 5 }

  /// Two providers behind one name, asked in this order; `first` may be of the client's own protocol.
  private static func both(
    _ first: UpstreamProtocol, _ second: UpstreamProtocol, port: Int
  ) -> Configuration {
    var configuration = Configuration()
    for (provider, account, speaks) in [("p", "a1", first), ("q", "b1", second)] {
      configuration.addProvider(provider, port: port, dialect: speaks)
      configuration.addAccount(account, at: provider)
    }
    configuration.apply(
      .combo(.set(.init(name: "both", models: ["p/m", "q/m"], isUnresolved: false))))
    return configuration
  }

  @Test("reaches it in its own, and the answer comes back in the client's", arguments: Cell.all)
  private func plain(_ cell: Cell) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(cell.client.request(model: "p/m"))
      let call = await upstream.next()
      #expect(call.path == cell.provider.target)
      for (name, value) in cell.provider.fields { #expect(call.header(name) == value) }
      #expect(call.text.contains(#""hi""#))
      #expect(call.text.contains(":9"))
      #expect(call.header("content-length") == "\(call.body.count)")
      call.answer(cell.provider.answer, headers: "etag: x\r\nx-upstream: y\r\n")
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.headers["content-type"] == "application/json")
      #expect(response.headers["etag"] == nil)
      #expect(response.text.contains(cell.client.text))
      #expect(response.text.contains("p/m"), "the model as the client asked for it")
      #expect(!response.text.contains("m-1"))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .completed)
      #expect(finished.operation == cell.client.operation)
      #expect(Self.isUsage(finished.usage))
      #expect(finished.modelResolved == "p/m")
      #expect(finished.responseBytes == UInt64(response.text.utf8.count))
      #expect(finished.attempts.map(\.status) == [200])
    }
  }

  @Test("streams as it comes, its end withheld until it is recorded", arguments: Cell.all)
  private func stream(_ cell: Cell) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(cell.client.request(model: "p/m", stream: true))
      let call = await upstream.next()
      #expect(call.path == cell.provider.streamTarget)
      #expect(call.header("accept") == "text/event-stream")
      #expect(call.text.contains("include_usage") == (cell.provider.dialect == .chat))
      call.startStream()
      call.chunk(cell.provider.frames[0])
      try await gateway.caughtUp()
      #expect(client.received.bytes.isEmpty, "nothing before a part of the answer")
      call.chunk(cell.provider.frames[1])
      let begun = await client.receives("hello")
      #expect(begun.lowercased().contains("content-type: text/event-stream"))
      gateway.log.hold()
      for frame in cell.provider.end { call.chunk(frame) }
      call.endChunks()
      _ = await gateway.log.submitted.when { $0.contains { $0.hasPrefix("request.finished.") } }
      try await gateway.caughtUp()
      let before = String(decoding: client.received.bytes, as: UTF8.self)
      for end in cell.client.ends { #expect(!before.contains(end)) }
      gateway.log.release()
      let response = try await client.response()
      for end in cell.client.ends { #expect(response.text.contains(end)) }
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .completed)
      #expect(finished.isStream)
      #expect(Self.isUsage(finished.usage))
    }
  }

  @Test("breaks off as an error of the client's protocol, never as an end", arguments: Cell.all)
  private func cut(_ cell: Cell) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      for isError in [false, true] {
        let client = try await gateway.client()
        try await client.send(cell.client.request(model: "p/m", stream: true))
        let call = await upstream.next()
        call.startStream()
        for frame in cell.provider.frames { call.chunk(frame) }
        _ = await client.receives("hello")
        if isError {
          call.chunk(cell.provider.error)
        } else {
          try await call.channel.close()
        }
        let response = try await client.response()
        #expect(response.text.contains(cell.client.error))
        #expect(!response.text.contains("secret words"))
        for end in cell.client.ends { #expect(!response.text.contains(end)) }
      }
      let finished = try await gateway.finished(2)
      #expect(finished.map(\.ending) == [.upstreamCut, .failed])
      #expect(finished.map(\.errorCode) == ["upstream_cut", "upstream_error"])
      #expect(finished.map(\.attempts.first?.errorCode)[0] == "cut")
    }
  }

  /// What a first provider may do before it has said anything.
  private static let first:
    [(name: String, act: @Sendable (UpstreamCall, Provider) -> Void, code: String)] = [
      ("status 529", { call, _ in call.answer("{}", status: 529) }, "status_529"),
      (
        "an error in the stream",
        { call, provider in
          call.startStream()
          call.chunk(provider.frames[0])
          call.chunk(provider.error)
        }, "server_error"
      ),
      (
        "an empty stream",
        { call, _ in
          call.startStream()
          call.endChunks()
        }, "empty_stream"
      ),
      (
        "a cut",
        { call, provider in
          call.startStream()
          call.chunk(provider.frames[0])
          call.channel.close(promise: nil)
        }, "cut"
      ),
      ("a whole answer", { call, provider in call.answer(provider.answer) }, "malformed_answer"),
      (
        "what is no JSON",
        { call, _ in
          call.startStream()
          call.chunk("data: oops\n\n")
        }, "malformed_answer"
      ),
      (
        "encoded bytes",
        { call, _ in
          call.answer("xxx", headers: "content-encoding: gzip\r\n")
        }, "malformed_answer"
      ),
    ]

  @Test("goes to an account of another protocol as long as nothing was said", arguments: 0..<7)
  func failover(_ number: Int) async throws {
    let row = Self.first[number]
    let upstream = try await ScriptedUpstream.start { call in
      if call.header("x-api-key") != nil {
        row.act(call, .anthropic)
      } else {
        call.startStream()
        for frame in Provider.gemini.frames + Provider.gemini.end { call.chunk(frame) }
        call.endChunks()
      }
    }
    let both = Self.both(.anthropic, .gemini, port: upstream.port)
    try await Gateway.run(both) { gateway in
      let client = try await gateway.client()
      try await client.send(Client.chatClient.request(model: "both", stream: true))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.text.contains("hello") && response.text.hasSuffix("data: [DONE]\n\n"))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.account.rawValue) == ["a1", "b1"], "\(row.name)")
      #expect(finished.attempts.first?.errorCode == row.code, "\(row.name)")
      #expect(finished.ending == .completed)
      #expect(Self.isUsage(finished.usage))
    }
  }

  @Test("goes on to an account of the client's own protocol with the bytes as they came")
  func failoverHome() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.header("x-api-key") != nil
        ? call.answer("{}", status: 500) : call.answer(plainAnswer)
    }
    try await Gateway.run(Self.both(.anthropic, .openai, port: upstream.port)) { gateway in
      let client = try await gateway.client()
      let body = plainBody.replacing("p/m", with: "both")
      try await client.send(chat(body))
      let response = try await client.response()
      #expect(response.text == plainAnswer)
      _ = await upstream.next()
      #expect(await upstream.next().text == plainBodyUpstream)
    }
  }

  @Test("goes on to an account of another protocol from one of the client's own")
  func failoverAway() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.header("x-api-key") == nil
        ? call.answer("{}", status: 500) : call.answer(Provider.anthropic.answer)
    }
    try await Gateway.run(Self.both(.openai, .anthropic, port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(Client.chatClient.request(model: "both"))
      let response = try await client.response()
      #expect(response.text.contains(Client.chatClient.text))
      #expect(upstream.callCount == 2)
    }
  }

  private static let uncarried =
    #"{"model":"MODEL","messages":[{"role":"user","content":"hi"}],"logprobs":true}"#

  @Test("is refused before any call where it cannot be told, and no account suffers")
  func notCarried() async throws {
    let upstream = try await ScriptedUpstream.start()
    let health = TestHealth()
    let both = Self.both(.anthropic, .gemini, port: upstream.port)
    try await Gateway.run(both, health: health) { gateway in
      let client = try await gateway.client()
      let rows = [
        (Self.uncarried, "not_carried", "logprobs"),
        (
          #"{"model":"MODEL","messages":[{"role":"robot","content":"hi"}]}"#, "invalid_field",
          "messages[0].role"
        ),
        (
          #"{"model":"MODEL","messages":[{"role":"user","content":[{"type":"file","file":{"file_id":"f"}}]}]}"#,
          "state_not_carried", "messages[0].content[0]"
        ),
      ]
      for (body, code, field) in rows {
        try await client.send(chat(body.replacing("MODEL", with: "both")))
        let response = try await client.response()
        #expect(response.status == 400)
        #expect(response.text.contains(#""code":"\#(code)""#), "\(response.text)")
        #expect(response.text.contains(#""param":"\#(field)"#), "\(response.text)")
        #expect(response.headers["x-should-retry"] == "false")
      }
      let finished = try await gateway.finished(rows.count)
      for (request, row) in zip(finished, rows) {
        #expect(request.ending == .denied)
        #expect(request.errorCode == row.1)
        #expect(request.errorClass == .client)
        #expect(request.attempts.map(\.account.rawValue) == ["a1", "b1"])
        #expect(request.attempts.allSatisfy { $0.errorCode == row.1 && $0.status == nil })
        #expect(request.attempts.allSatisfy { $0.errorClass == .request })
      }
      #expect(upstream.callCount == 0)
      #expect(health.reports.value.isEmpty)
    }
  }

  @Test("goes to the account of its group that can carry it")
  func carriedElsewhere() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(Self.both(.anthropic, .openai, port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(Self.uncarried.replacing("MODEL", with: "both")))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.text == plainAnswer)
      #expect(await upstream.next().text.contains(#""logprobs":true"#))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["not_carried", nil])
      #expect(finished.ending == .completed)
    }
  }

  /// Nine accounts that cannot be told, and one behind them, more than may be called.
  private static func many(port: Int) -> Configuration {
    var configuration = both(.anthropic, .openai, port: port)
    for number in 2...9 { configuration.addAccount("a\(number)", at: "p") }
    configuration.set(maxAttempts: 1)
    return configuration
  }

  @Test("passes over all accounts of a provider that it cannot be told to, and none of them counts")
  func passedOver() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    var configuration = Self.many(port: upstream.port)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      let body = chat(Self.uncarried.replacing("MODEL", with: "both"))
      try await client.send(body)
      #expect(try await client.response().status == 200)
      // The one that could be told is back by itself: that is what the client hears.
      configuration.cool("b1", for: 30_000_000_000)
      gateway.board.publish(configuration.published)
      try await client.send(body)
      let cooling = try await client.response()
      #expect(cooling.status == 429 && cooling.headers["retry-after"] == "30")
      #expect(cooling.headers["x-should-retry"] == "true")
      configuration.apply(.account(.disabled(AccountID("b1"))))
      gateway.board.publish(configuration.published)
      try await client.send(body)
      let disabled = try await client.response()
      #expect(disabled.status == 400 && disabled.text.contains("not_carried"))
      let finished = try await gateway.finished(3)
      #expect(
        finished.map { $0.attempts.map(\.account.rawValue) } == [["a1", "b1"], ["a1"], ["a1"]])
      #expect(finished.map(\.errorCode) == [nil, "rate_limited", "not_carried"])
    }
  }

  @Test("is refused where the account that cools could not be told either")
  func coolingUntold() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Self.both(.anthropic, .gemini, port: upstream.port)
    configuration.cool("b1", for: 30_000_000_000)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(Self.uncarried.replacing("MODEL", with: "both")))
      let response = try await client.response()
      #expect(response.status == 400 && response.text.contains("not_carried"))
      #expect(try await gateway.finished(1).first?.attempts.count == 1)
    }
  }

  @Test("keeps the failure of the account that was asked where no other can carry it")
  func failedThenUncarried() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer("{}", status: 500) }
    try await Gateway.run(Self.both(.openai, .anthropic, port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(Self.uncarried.replacing("MODEL", with: "both")))
      let response = try await client.response()
      #expect(response.status == 500)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["status_500", "not_carried"])
      #expect(finished.errorCode == "upstream_error")
    }
  }

  @Test(
    "is told what the provider finds wrong with it, in the client's protocol", arguments: Cell.all)
  private func providersRefusal(_ cell: Cell) async throws {
    let error =
      #"{"type":"error","error":{"code":400,"type":"invalid_request_error","message":"max_tokens: too large","status":"INVALID_ARGUMENT"},"extra":"mark"}"#
    let upstream = try await ScriptedUpstream.start { $0.answer(error, status: 400) }
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(cell.client.request(model: "p/m"))
      let response = try await client.response()
      #expect(response.status == 400)
      #expect(response.text.contains("max_tokens: too large"))
      #expect(!response.text.contains("mark"), "it is not passed as it came")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.errorClass == .request)
    }
  }

  @Test("is asked again without the usage option where the provider rejects it")
  func usageOption() async throws {
    let error =
      #"{"error":{"message":"Unknown field: stream_options","param":"stream_options","type":"invalid_request_error"}}"#
    let upstream = try await ScriptedUpstream.start { call in
      if call.text.contains("stream_options") { return call.answer(error, status: 400) }
      call.startStream()
      for frame in Provider.openai.frames + Provider.openai.end { call.chunk(frame) }
      call.endChunks()
    }
    let health = TestHealth()
    let cell = Cell(client: .messages, provider: .openai)
    try await Gateway.run(cell.configuration(port: upstream.port), health: health) { gateway in
      let client = try await gateway.client()
      for count in 1...2 {
        try await client.send(cell.client.request(model: "p/m", stream: true))
        let response = try await client.response()
        #expect(response.text.contains("message_stop"))
        #expect(upstream.callCount == count + 1, "the second time it is known")
      }
    }
  }

  @Test("ends with its client: upstream is cut, and what was used is noted")
  func hangUp() async throws {
    let upstream = try await ScriptedUpstream.start()
    let cell = Cell(client: .chatClient, provider: .anthropic)
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(cell.client.request(model: "p/m", stream: true))
      let call = await upstream.next()
      call.startStream()
      for frame in cell.provider.frames { call.chunk(frame) }
      _ = await client.receives("hello")
      await client.close()
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .clientHungUp)
      #expect(finished.usage.input == 7)
      await call.closed()
    }
  }

  @Test(
    "has the class of the provider's refusal in OpenAI's words",
    arguments: [400, 404, 413, 422], [Client.chatClient, .responses])
  private func refusalsClass(_ status: Int, _ client: Client) async throws {
    let upstream = try await ScriptedUpstream.start {
      $0.answer(#"{"type":"error","error":{"type":"x","message":"words"}}"#, status: status)
    }
    let cell = Cell(client: client, provider: .anthropic)
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      let asking = try await gateway.client()
      try await asking.send(client.request(model: "p/m"))
      let response = try await asking.response()
      #expect(response.status == status)
      #expect(
        response.text
          == #"{"error":{"message":"words","type":"invalid_request_error","param":null,"code":"upstream_error"}}"#
      )
    }
  }

  @Test(
    "is told that its prompt is too long so that its client can shorten it", arguments: Cell.all)
  private func tooLong(_ cell: Cell) async throws {
    // Gemini's models behind some relays answer so with 500.
    let upstream = try await ScriptedUpstream.start {
      $0.answer(
        #"{"error":{"code":"context_length_exceeded","type":"x","message":"9 of 8 tokens"}}"#,
        status: 500)
    }
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      for stream in [false, true] {
        let asking = try await gateway.client()
        try await asking.send(cell.client.request(model: "p/m", stream: stream))
        let response = try await asking.response()
        #expect(response.status == 400)
        #expect(response.text.contains("9 of 8 tokens"))
        switch cell.client.dialect {
        case .messages:
          #expect(response.text.contains(#""message":"prompt is too long: 9 of 8 tokens""#))
          #expect(response.text.contains(#""type":"invalid_request_error""#))
        case .gemini:
          #expect(response.text.contains("exceeds the maximum number of tokens allowed"))
          #expect(response.text.contains(#""status":"INVALID_ARGUMENT""#))
        case _:
          #expect(response.text.contains(#""type":"invalid_request_error""#))
          #expect(response.text.contains(#""code":"context_length_exceeded""#))
        }
      }
      let finished = try await gateway.finished(2)
      #expect(finished.map(\.errorCode) == Array(repeating: "context_length_exceeded", count: 2))
      #expect(finished.allSatisfy { $0.attempts.count == 1 })
    }
  }

  @Test("a provider's word for its limit is not taken for one of ours")
  func providersWord() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.startStream()
      for frame in Provider.openai.frames { call.chunk(frame) }
    }
    for (client, code, word) in [
      (Client.messages, ErrorCode.rateLimitExceeded, "rate_limit_error"),
      (.gemini, .rateLimitExceeded, "RESOURCE_EXHAUSTED"),
      (.messages, .quotaExceeded, "rate_limit_error"),
      (.gemini, .quotaExceeded, "RESOURCE_EXHAUSTED"),
      (.messages, .overloaded, "overloaded_error"), (.gemini, .overloaded, "UNAVAILABLE"),
      (.messages, .upstreamError, "api_error"),
    ] {
      let cell = Cell(client: client, provider: .openai)
      try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
        let asking = try await gateway.client()
        try await asking.send(client.request(model: "p/m", stream: true))
        let call = await upstream.next()
        _ = await asking.receives("hello")
        call.chunk("data: {\"error\":{\"code\":\"\(code.rawValue)\"}}\n\n")
        let text = try await asking.response().text
        #expect(text.contains(word))
        #expect(code == .upstreamError || !text.contains(code.summary))
      }
    }
  }

  @Test("is one JSON array for a Gemini client that did not ask for events")
  func array() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.startStream()
      for frame in Provider.openai.frames + Provider.openai.end { call.chunk(frame) }
      call.endChunks()
    }
    let cell = Cell(client: .gemini, provider: .openai)
    try await Gateway.run(cell.configuration(port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(
        chat(cell.client.streamBody, path: "/v1beta/models/p/m:streamGenerateContent"))
      let response = try await client.response()
      #expect(response.headers["content-type"] == "application/json")
      let array = try JSONValue.parse(Array(response.text.utf8))
      #expect(array.array?.count ?? 0 >= 2)
    }
  }

  @Test("takes room for what is read of it, and is refused where there is none")
  func room() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(Provider.anthropic.answer) }
    let cell = Cell(client: .chatClient, provider: .anthropic)
    let text = String(repeating: "x", count: 10_000)
    let body = cell.client.body.replacing("MODEL", with: "p/m").replacing("hi", with: text)
    var configuration = cell.configuration(port: upstream.port)
    for account in ["b1", "b2", "b3"] { configuration.addAccount(account, at: "p") }
    try await Gateway.run(configuration, options: { $0.maxHeldBodyBytes = 25_000 }) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(body))
      let refused = try await client.response()
      #expect(refused.status == 503 && refused.text.contains(#""code":"overloaded""#))
      #expect(upstream.callCount == 0)
      try await eventually { gateway.plane.counts.heldBodyBytes == 0 }
      // No other account has more room.
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["overloaded"])
      // Nothing is left behind: there is room for a smaller one, however often.
      for _ in 0..<20 {
        try await client.send(cell.client.request(model: "p/m"))
        #expect(try await client.response().status == 200)
      }
    }
  }

  /// Each where values can stand: more than the bound of them.
  private static let manyValues: [(String, String)] = [
    (
      "tools",
      #"{"model":"MODEL","messages":[{"role":"user","content":"hi"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","enum":[VALUES]}}}]}"#
    ),
    (
      "a call's arguments",
      #"{"model":"MODEL","messages":[{"role":"user","content":"hi"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":[VALUES]}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]}"#
    ),
  ]

  @Test("is refused where it has more values than are translated", arguments: manyValues)
  private func values(_ row: (String, String)) async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.answer(
        call.header("x-api-key") != nil ? Provider.anthropic.answer : Provider.openai.answer)
    }
    let body = row.1.replacing(
      "VALUES", with: String(repeating: "0,", count: TranslatedExchange.valuesMax) + "0")
    try await Gateway.run(Self.both(.anthropic, .openai, port: upstream.port)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(body.replacing("MODEL", with: "p/m")))
      let refused = try await client.response()
      #expect(refused.status == 413 && upstream.callCount == 0)
      #expect(refused.text.contains(#""code":"body_too_large""#))
      #expect(refused.text.contains("it may have \(TranslatedExchange.valuesMax)."))
      try await eventually { gateway.plane.counts.heldBodyBytes == 0 }
      // To a provider of its own protocol it goes as it is.
      try await client.send(chat(body.replacing("MODEL", with: "both")))
      #expect(try await client.response().status == 200)
      #expect(upstream.callCount == 1)
      let finished = try await gateway.finished(2)
      #expect(finished.map(\.errorCode) == ["body_too_large", nil])
      #expect(finished[1].attempts.map(\.errorCode) == ["body_too_large", nil])
    }
  }

  @Test("a model's broken call speaks against no account")
  func broken() async throws {
    let broken = #"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#
    let upstream = try await ScriptedUpstream.start { call in
      call.header("x-goog-api-key") != nil
        ? call.answer(broken) : call.answer(Provider.anthropic.answer)
    }
    let health = TestHealth()
    let both = Self.both(.gemini, .anthropic, port: upstream.port)
    try await Gateway.run(both, health: health) { gateway in
      let client = try await gateway.client()
      try await client.send(Client.chatClient.request(model: "both"))
      #expect(try await client.response().status == 200)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["broken_answer", nil])
      #expect(health.reports.value.isEmpty)
    }
  }
}

import Domain
import NIOCore
import Support
import Surface
import Testing

@testable import DataPlane

/// Base64 of no picture, which differs along its way.
private func picture(_ count: Int) -> String {
  let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
  return String(
    unsafeUninitializedCapacity: count,
    initializingUTF8With: { bytes in
      for index in 0..<count { bytes[index] = alphabet[(index &* 31 ^ index >> 9) & 63] }
      return count
    })
}

private func event(_ name: String, _ number: Int, _ fields: String) -> String {
  "event: \(name)\ndata: {\"type\":\"\(name)\",\"sequence_number\":\(number),\(fields)}\n\n"
}

/// A stream with a frame that is far larger than others.
private struct LargeFrame: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var dialect: Dialect
  var speaks: UpstreamProtocol
  var path: String
  var request: @Sendable () -> String
  var isArray = false
  var stream: @Sendable () -> String
  var usage: TokenUsage

  private static let geminiPath = "/v1beta/models/p/m:streamGenerateContent"
  private static let geminiEnd =
    #"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1290}}"#
  private static func geminiPicture(_ count: Int) -> String {
    #"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"\#(picture(count))"}}]}}]}"#
  }
  private static func instructions(_ count: Int) -> String {
    String(repeating: "w ", count: count / 2)
  }

  static let all = [
    LargeFrame(
      testDescription: "a picture of Gemini's", dialect: .gemini, speaks: .gemini,
      path: geminiPath + "?alt=sse", request: { #"{"contents":[]}"# },
      stream: { "data: \(geminiPicture(1_400_000))\r\n\r\ndata: \(geminiEnd)\r\n\r\n" },
      usage: .init(input: 3, output: 1290)),
    LargeFrame(
      testDescription: "a picture in Gemini's array", dialect: .gemini, speaks: .gemini,
      path: geminiPath, request: { #"{"contents":[]}"# }, isArray: true,
      stream: { "[\(geminiPicture(1_400_000))\n,\r\n\(geminiEnd)\n]\n" },
      usage: .init(input: 3, output: 1290)),
    LargeFrame(
      testDescription: "a picture of Responses", dialect: .responses, speaks: .openai,
      path: "/v1/responses", request: { #"{"model":"p/m","input":"hi","stream":true}"# },
      stream: {
        let item =
          #"{"type":"image_generation_call","id":"ig_1","status":"completed","result":"\#(picture(3_000_000))"}"#
        return event("response.created", 0, #""response":{"id":"resp_1"}"#)
          + event("response.output_item.done", 1, #""output_index":0,"item":\#(item)"#)
          + event(
            "response.completed", 2,
            #""response":{"id":"resp_1","status":"completed","output":[\#(item)],"usage":{"input_tokens":9,"output_tokens":4}}"#
          )
      }, usage: .init(input: 9, output: 4)),
    LargeFrame(
      testDescription: "instructions that Responses repeat", dialect: .responses, speaks: .openai,
      path: "/v1/responses",
      request: {
        #"{"model":"p/m","input":"hi","instructions":"\#(instructions(1_200_000))","stream":true}"#
      },
      stream: {
        let response = #""id":"resp_1","instructions":"\#(instructions(1_200_000))","output":["#
        return event("response.created", 0, #""response":{\#(response)]}"#)
          + event("response.output_text.delta", 1, #""delta":"x""#)
          + event(
            "response.completed", 2,
            #""response":{\#(response){"type":"message"}],"usage":{"input_tokens":9,"output_tokens":4}}"#
          )
      }, usage: .init(input: 9, output: 4)),
  ]
}

/// A client and a provider, and what makes an answer begin between them.
private struct Bound: Sendable, CustomTestStringConvertible {
  var client: Dialect
  var speaks: UpstreamProtocol
  var isBegun: Bool
  var isArray = false
  var testDescription: String {
    "\(client) client, \(speaks) provider\(isArray ? ", array" : "")\(isBegun ? ", begun" : "")"
  }

  static let all = [
    Bound(client: .chat, speaks: .openai, isBegun: false),
    Bound(client: .chat, speaks: .openai, isBegun: true),
    Bound(client: .messages, speaks: .anthropic, isBegun: true),
    Bound(client: .gemini, speaks: .gemini, isBegun: false, isArray: true),
    Bound(client: .gemini, speaks: .gemini, isBegun: true, isArray: true),
    Bound(client: .responses, speaks: .anthropic, isBegun: false),
    Bound(client: .responses, speaks: .anthropic, isBegun: true),
    Bound(client: .messages, speaks: .openai, isBegun: true),
  ]

  var path: String {
    switch client {
    case .messages: "/v1/messages"
    case .responses: "/v1/responses"
    case .gemini: "/v1beta/models/p/m:streamGenerateContent"
    case _: "/v1/chat/completions"
    }
  }

  var body: String {
    switch client {
    case .gemini: #"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#
    case .responses: #"{"model":"p/m","input":"hi","stream":true}"#
    case _:
      #"{"model":"p/m","messages":[{"role":"user","content":"hi"}],"max_tokens":9,"stream":true}"#
    }
  }

  /// Up to the first words.
  var beginning: String {
    switch speaks {
    case .openai:
      "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"hello\"}}]}\n\n"
    case .anthropic:
      "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"m\",\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n"
        + (isBegun
          ? "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n"
          : "")
    case .gemini: "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hello\"}]}}]}"
    }
  }

  /// Begins the frame that is too large.
  var large: String {
    switch speaks {
    case .openai: "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\""
    case .anthropic:
      "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\""
    case .gemini: "\(isBegun ? "," : "["){\"candidates\":[{\"content\":{\"parts\":[{\"text\":\""
    }
  }
}

@Suite("Frames of a stream that are large", .timeLimit(.minutes(5)))
struct FrameSizeTests {
  private func configuration(
    _ port: Int, _ speaks: UpstreamProtocol, accounts: Int
  ) -> Configuration {
    var configuration = Configuration()
    configuration.addProvider("p", port: port, path: "", dialect: speaks)
    for index in 1...accounts {
      configuration.addAccount("a\(index)", at: "p", priority: UInt32(index))
    }
    return configuration
  }

  private func start(_ call: UpstreamCall, isArray: Bool) {
    guard isArray else { return call.startStream() }
    call.send(
      "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
  }

  @Test("arrive as they were sent, and what the stream cost is known", arguments: LargeFrame.all)
  private func same(_ frame: LargeFrame) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, frame.speaks, accounts: 1)) { gateway in
      let client = try await gateway.client()
      let request = frame.request()
      try await client.send(chat(request, path: frame.path))
      let call = await upstream.next()
      #expect(call.body.count + 2 >= request.utf8.count, "its model's name is shorter")
      start(call, isArray: frame.isArray)
      let wire = Array(frame.stream().utf8)
      call.chunk(wire)
      call.endChunks()
      _ = await client.receives(atLeast: wire.count)
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.body.count == wire.count - (frame.isArray ? 1 : 0))
      #expect(wire.starts(with: response.body), "what stands behind an array's bracket is nothing")
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .completed && finished.usage == frame.usage)
    }
  }

  @Test("beyond the bound ask no other account, and are an error of ours", arguments: Bound.all)
  private func bound(_ bound: Bound) async throws {
    let upstream = try await ScriptedUpstream.start()
    try await Gateway.run(configuration(upstream.port, bound.speaks, accounts: 2)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(bound.body, path: bound.path))
      let call = await upstream.next()
      start(call, isArray: bound.isArray)
      if bound.isBegun || bound.speaks == .anthropic { call.chunk(bound.beginning) }
      if bound.isBegun { _ = await client.receives("hello") }
      call.chunk(bound.large)
      for _ in 0...16 { call.chunk([UInt8](repeating: UInt8(ascii: "a"), count: 1 << 20)) }
      let response = try await client.response()
      await call.closed()
      #expect(upstream.callCount == 1)
      #expect(response.status == (bound.isBegun ? 200 : 502))
      if !bound.isBegun { #expect(response.headers["x-should-retry"] == "false") }
      #expect(
        bound.client == .gemini || response.text.contains(ErrorCode.answerTooLarge.summary))
      switch bound.client {
      case .gemini where bound.isBegun:
        let last = try #require(try JSONValue.parse(response.body).array?.last)
        #expect(last["error"]?["code"] == 502)
        #expect(last["error"]?["message"] == .string(ErrorCode.answerTooLarge.summary))
      case .gemini:
        #expect(try JSONValue.parse(response.body)["error"]?["code"] == 502)
      case .messages: #expect(response.text.contains(#""type":"api_error""#))
      case _: #expect(response.text.contains(#""code":"answer_too_large""#))
      }
      #expect(!response.text.contains("[DONE]") && !response.text.contains("message_stop"))
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.ending == .failed)
      #expect(finished.errorCode == "answer_too_large" && finished.errorClass == .gateway)
      #expect(finished.attempts.map(\.errorCode) == ["frame_too_long"])
      if bound.speaks == .anthropic { #expect(finished.usage.input == 7) }
    }
  }

  /// An answer of which five mebibytes are held and nothing can go: in a frame, by an array's element, or as a whole.
  private static let waiting: [(UpstreamProtocol, String, String, String, isStream: Bool)] = {
    let long = String(repeating: "x", count: 5 << 20)
    let gemini = #"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#
    let chatBody = #"{"model":"p/m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#
    return [
      (.openai, "/v1/chat/completions", chatBody, "data: {\"x\":\"\(long)", true),
      (
        .openai, "/v1beta/models/p/m:streamGenerateContent?alt=sse", gemini,
        "data: {\"x\":\"\(long)", true
      ),
      (.gemini, "/v1beta/models/p/m:streamGenerateContent", gemini, "[{\"x\":\"\(long)", true),
      (.openai, "/v1beta/models/p/m:generateContent", gemini, "{\"x\":\"\(long)", false),
    ]
  }()

  @Test(
    "count among the bytes that may be held, and nobody else is asked where there is no room",
    arguments: 0..<4, [false, true])
  private func counted(_ index: Int, isRefused: Bool) async throws {
    let (speaks, path, body, held, isStream) = Self.waiting[index]
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration()
    configuration.addProvider("p", port: upstream.port, dialect: speaks)
    for index in 1...2 { configuration.addAccount("a\(index)", at: "p", priority: UInt32(index)) }
    try await Gateway.run(
      configuration, options: { $0.maxHeldBodyBytes = isRefused ? 3 << 20 : 64 << 20 }
    ) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(body, path: path))
      let call = await upstream.next()
      if isStream {
        call.startStream()
        call.chunk(held)
      } else {
        call.send(
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9000000\r\n\r\n"
            + held)
      }
      if !isRefused {
        try await eventually { gateway.plane.counts.heldBodyBytes >= 4 << 20 }
        call.close()
        let next = await upstream.next()
        next.answer(#"{"error":{"message":"no","type":"server_error"}}"#, status: 500)
      }
      let response = try await client.response()
      #expect(response.status == (isRefused ? 503 : 500))
      let finished = try #require(try await gateway.finished(1).first)
      try await eventually { gateway.plane.counts.heldBodyBytes == 0 }
      guard isRefused else { return }
      #expect(response.text.contains(ErrorCode.overloaded.summary))
      #expect(finished.ending == .failed && finished.errorCode == "overloaded")
      #expect(
        finished.errorClass == .gateway && finished.attempts.map(\.errorCode) == ["overloaded"])
      #expect(upstream.callCount == 1)
    }
  }

  /// Quadratic work would take hours here.
  @Test("of ten megabytes cost as much as their bytes, in pieces of one kibibyte")
  func pieces() {
    for isArray in [false, true] {
      var relay = StreamRelay(.gemini, hidesUsageChunk: false, isArray: isArray)
      let frame =
        #"{"candidates":[{"content":{"parts":[{"text":"\#(picture(10 << 20))"}]},"finishReason":"STOP"}]}"#
      let wire = Array((isArray ? "[\(frame)]" : "data: \(frame)\r\n\r\n").utf8)
      var (at, step) = (0, StreamRelay.Step.continue)
      while at < wire.count, step == .continue {
        let end = min(wire.count, at + 1024)
        step = relay.take(ByteBuffer(bytes: wire[at..<end]))
        at = end
      }
      #expect(step == (isArray ? .done : .continue))
      if !isArray { #expect(relay.finish() == .whole) }
      let sent = relay.takeReleased().flatMap { Array($0.readableBytesView) }
      #expect(sent + (relay.end.map { Array($0.readableBytesView) } ?? []) == wire)
    }
  }
}

import Domain
import Foundation
import Support
import Surface
import Testing

@testable import Translation

/// Events of another provider and the file that they become.
private let written: [(name: String, events: [StreamEvent])] = [
  (
    "text",
    [
      .began(id: "chatcmpl-1", model: "x", created: 1_780_000_000), .opened(0, .text),
      .piece(0, .text("Sal")), .piece(0, .text("")), .piece(0, .text("ut \"é\"\n")),
      .piece(0, .signature("TS")), .closed(0), .usage(TokenUsage(input: 9, output: 2)),
      .usage(TokenUsage(input: 9, output: 3, cached: 4, reasoning: 0)), .stopped(.end), .ended,
    ]
  ),
  (
    "thinking-and-tools",
    [
      .began(id: "msg_1", model: "x", created: nil), .usage(TokenUsage(input: 20)),
      .opened(0, .thinking), .piece(0, .text("Let me ")), .piece(0, .text("see.")),
      .piece(0, .signature("SIG")), .closed(0), .opened(1, .redactedThinking("RED")), .closed(1),
      .opened(2, .thinking), .closed(2), .opened(3, .text), .piece(3, .text("Both.")), .closed(3),
      .opened(4, .toolCall(id: "call_a", name: "f", signature: "CS")),
      .opened(5, .toolCall(id: "call_b", name: "g", signature: nil)),
      .piece(4, .arguments(#"{"a""#)), .piece(4, .arguments(":1}")), .closed(4), .closed(5),
      .stopped(.toolCalls), .usage(TokenUsage(input: 20, output: 30, reasoning: 10)), .ended,
    ]
  ),
  (
    "signed-thinking-only",
    [
      .began(id: "", model: "x", created: nil), .opened(0, .thinking), .piece(0, .signature("SIG")),
      .closed(0), .opened(1, .text), .piece(1, .text("a")), .closed(1), .stopped(.end), .ended,
    ]
  ),
  (
    "refusal",
    [
      .began(id: "", model: "x", created: nil), .opened(0, .refusal), .piece(0, .text("No.")),
      .closed(0), .stopped(.refusal), .ended,
    ]
  ),
  (
    "length",
    [
      .began(id: "", model: "x", created: nil), .opened(0, .text), .piece(0, .text("Once")),
      .closed(0), .opened(1, .toolCall(id: "call_a", name: "f", signature: nil)),
      .piece(1, .arguments(#"{"a":"#)), .closed(1), .usage(TokenUsage(input: 1, output: 2)),
      .stopped(.length), .ended,
    ]
  ),
  ("empty", [.began(id: "", model: "x", created: nil), .stopped(.filtered), .ended]),
  (
    "error",
    [
      .began(id: "", model: "x", created: nil), .opened(0, .text), .piece(0, .text("whole")),
      .closed(0), .opened(1, .text), .piece(1, .text("Par")),
      .failed(StreamFailure(type: "overloaded_error")), .piece(1, .text("late")), .ended,
    ]
  ), ("error-at-once", [.failed(StreamFailure(type: "RESOURCE_EXHAUSTED: bad\n words"))]),
]

private let request: JSONValue = [
  "instructions": "be brief", "temperature": .number("0.50"),
  "tools": [["type": "function", "name": "f", "parameters": ["type": "object"]]],
]

@Suite struct ResponsesStreamWriteTests {
  @Test("events become the frames that the SDK demands", arguments: written)
  func eventsBecomeTheFramesThat(name: String, events: [StreamEvent]) throws {
    let stream = Responses.stream(events, request: request)
    let file = "client-\(name).sse"
    if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] != nil {
      try Data(stream.utf8).write(to: Responses.directory.appending(path: file))
    }
    #expect(stream == (try Responses.fixture(file)))
  }

  @Test("frames are numbered and named", arguments: written)
  func framesAreNumberedAndNamed(name: String, events: [StreamEvent]) throws {
    let frames = try Responses.frames(Responses.stream(events))
    for (index, frame) in frames.enumerated() {
      #expect(frame.data["sequence_number"] == JSONValue(index))
      #expect(frame.data["type"]?.string == frame.event)
    }
    #expect(frames.first?.event == "response.created")
    let last = frames.last?.data
    #expect(
      ["response.completed", "response.incomplete", "response.failed"].contains(
        last?["type"]?.string))
    #expect(Set(frames.compactMap { $0.data["response"]?["id"]?.string }).count == 1)
  }

  /// Streamed or whole, an answer is the same to the client.
  @Test("a stream ends with the response that a whole answer is") func aStreamEndsWithThe() throws {
    let frames = try Responses.frames(
      Responses.stream([
        .began(id: "", model: "x", created: 5), .opened(0, .thinking), .piece(0, .text("why")),
        .piece(0, .signature("SIG")), .closed(0), .opened(1, .text), .piece(1, .text("a")),
        .piece(1, .text("b")), .closed(1),
        .opened(2, .toolCall(id: "c", name: "f", signature: "CS")), .piece(2, .arguments("{")),
        .closed(2), .usage(TokenUsage(input: 1, output: 2)), .stopped(.length), .ended,
      ]))
    let whole = ResponsesClient.write(
      Answer(
        id: "", model: "x", created: 5,
        parts: [
          Part(.thinking("why"), signature: "SIG"), Part(.text("ab")),
          Part(.toolCall(ToolCall(id: "c", name: "f", arguments: "{")), signature: "CS"),
        ], stop: .length, usage: TokenUsage(input: 1, output: 2)), for: Responses.facts())
    #expect(frames.last?.data["response"] == whole)
  }

  @Test(
    "a failure has its class, and of two codes the one that fits",
    arguments: [
      ("rate_limit_exceeded", "rate_limit_exceeded"), ("overloaded_error", "server_error"),
      ("insufficient_quota", "rate_limit_exceeded"), ("RESOURCE_EXHAUSTED", "rate_limit_exceeded"),
      ("context_length_exceeded", "context_length_exceeded"), ("upstream_cut", "server_error"),
      ("answer_not_carried", "invalid_prompt"), ("overloaded", "server_error"),
      ("", "server_error"),
    ])
  func failures(type: String, code: String) throws {
    let frames = try Responses.frames(
      Responses.stream([.failed(StreamFailure(type: type))])
    ).map(\.data)
    let error = frames.first { $0["type"] == "error" }
    #expect(error?["code"]?.string == (type.isEmpty ? "server_error" : type))
    #expect(error?["error"]?["code"] == error?["code"])
    #expect(frames.last?["response"]?["error"]?["code"]?.string == code)
    let message = frames.last?["response"]?["error"]?["message"]?.string
    #expect(message == error?["message"]?.string)
    if let own = ErrorCode(rawValue: type) {
      #expect(message == own.summary)
      #expect(code == own.responsesCode)
      #expect(error?["error"]?["type"]?.string == own.openAIType)
    }
  }

  @Test("an answer beyond all bounds fails") func anAnswerBeyondAllBounds() throws {
    var writer = ResponsesStreamWriter(for: Responses.facts(), textMax: 10)
    var bytes: [UInt8] = []
    writer.write(.opened(0, .text), into: &bytes)
    writer.write(.piece(0, .text("0123456789")), into: &bytes)
    #expect(
      try Responses.frames(String(decoding: bytes, as: UTF8.self)).last?.event
        == "response.output_text.delta")
    #expect(!writer.isFull)
    writer.write(.piece(0, .text("0")), into: &bytes)
    #expect(writer.isFull)
    writer.write(.failed(StreamFailure(type: "answer_too_large")), into: &bytes)
    let frames = try Responses.frames(String(decoding: bytes, as: UTF8.self))
    #expect(frames.last?.data["response"]?["error"]?["code"] == "server_error")
    bytes = []
    writer.write(.piece(0, .text("0")), into: &bytes)
    writer.write(.ended, into: &bytes)
    #expect(bytes.isEmpty)
  }

  /// What the writer writes the reader reads: the same parts in the same pieces.
  @Test("what is written is read again") func whatIsWrittenIsRead() throws {
    var random = SeededRandom(seed: .random(in: 0 ... .max))
    for _ in 0..<300 {
      let (events, expected) = generate(&random)
      let found = try Responses.events(Responses.stream(events))
      #expect(found == expected, "seed \(random.seed)")
      #expect(Responses.brokenPromise(found) == nil, "seed \(random.seed)")
    }
  }

  /// Legal events, and what comes back of them: signatures come back within what their item carries.
  private func generate(_ random: inout SeededRandom) -> ([StreamEvent], [StreamEvent]) {
    let begin = StreamEvent.began(id: "resp_7", model: "alias", created: 9)
    var sent = [begin]
    var expected = [begin]
    func both(_ events: StreamEvent...) {
      sent += events
      expected += events
    }
    func text() -> String {
      let alphabet = ["a", "é", "\"", "\\", "\n", "\u{2028}", "🙂", "\u{1}", " "]
      return (0...random.int(0...5)).map { _ in alphabet[random.int(0...8)] }.joined()
    }
    var part = 0
    var hasCalls = false
    var hasRefusal = false
    for _ in 0..<random.int(0...5) {
      switch random.int(0...3) {
      case 0, 1:
        let kind: StreamPart = random.oneIn(4) ? .refusal : .text
        if kind == .refusal { hasRefusal = true }
        both(.opened(part, kind))
        for _ in 0...random.int(0...3) { both(.piece(part, .text(text()))) }
        both(.closed(part))
        part += 1
      case 2:
        both(.opened(part, .thinking))
        for _ in 0...random.int(0...2) { both(.piece(part, .text(text()))) }
        if random.oneIn(2) {
          sent.append(.piece(part, .signature("S")))
          expected.append(
            .piece(part, .signature("responses:rs_7_\(part):signalbox.thinking:S")))
        }
        both(.closed(part))
        part += 1
      default:
        hasCalls = true
        var calls = Array(part...part + random.int(0...2))
        for call in calls {
          both(.opened(call, .toolCall(id: "c\(call)", name: "f", signature: nil)))
        }
        part += calls.count
        for call in calls { both(.piece(call, .arguments(text()))) }
        while !calls.isEmpty {
          let index = random.int(0...calls.count - 1)
          if random.oneIn(2) {
            both(.piece(calls[index], .arguments(text())))
          } else {
            both(.closed(calls.remove(at: index)))
          }
        }
      }
    }
    let usage = TokenUsage(
      input: UInt64(random.int(0...9)), output: 3, cached: 1, reasoning: 2, cacheCreation: 0)
    both(.usage(usage))
    let stop: StopReason =
      random.oneIn(3) ? .length : hasCalls ? .toolCalls : hasRefusal ? .refusal : .end
    both(.stopped(stop), .ended)
    return (sent, expected)
  }
}

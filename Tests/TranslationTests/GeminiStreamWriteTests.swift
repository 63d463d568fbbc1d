import Domain
import Support
import Surface
import Testing

@testable import Translation

@Suite("Gemini: a client's streams")
struct GeminiStreamWriteTests {
  private let events: [StreamEvent] = [
    .began(id: "r1", model: "theirs", created: 5), .usage(TokenUsage(input: 9, cached: 4)),
    .opened(0, .thinking), .piece(0, .text("Hm")), .piece(0, .signature("s+g/")), .closed(0),
    .opened(1, .redactedThinking("dark")), .closed(1), .opened(2, .text),
    .piece(2, .text("")), .piece(2, .text("Hi \"you\"\n")), .closed(2),
    .opened(3, .toolCall(id: "t1", name: "f", signature: nil)),
    .opened(4, .toolCall(id: "t2", name: "g", signature: "x")), .piece(3, .arguments("{\"a\":")),
    .piece(4, .arguments("")), .closed(4), .piece(3, .arguments("1.0}")), .closed(3),
    .stopped(.toolCalls), .usage(TokenUsage(input: 9, output: 7, cached: 4, reasoning: 2)),
    .ended,
  ]

  @Test("every frame has parts, the last one the reason and the usage")
  func frames() throws {
    let frames = try GeminiTest.frames(Array(GeminiTest.stream(events).utf8))
    let parts = frames.map { $0["candidates"]?[0]?["content"]?["parts"] }
    let signature = GeminiSignature.foreign("s+g/").text
    #expect(
      parts == [
        [["text": "Hm", "thought": true]],
        [["text": "", "thought": true, "thoughtSignature": .string(signature)]],
        [
          [
            "text": "", "thought": true,
            "thoughtSignature": .string(GeminiSignature.redacted("dark").text),
          ]
        ],
        [["text": "Hi \"you\"\n"]],
        [["functionCall": ["id": "t1", "name": "f", "args": ["a": .number("1.0")]]]],
        [
          [
            "functionCall": ["id": "t2", "name": "g", "args": [:]],
            "thoughtSignature": .string(GeminiSignature.foreign("x").text),
          ]
        ],
        [["text": ""]],
      ])
    for (index, frame) in frames.enumerated() {
      let candidate = frame["candidates"]?[0]
      #expect(frame["modelVersion"] == "asked")
      #expect(frame["responseId"] == "r1")
      #expect(candidate?["content"]?["role"] == "model")
      #expect(candidate?["index"] == 0)
      #expect(candidate?["finishReason"] == (index == frames.count - 1 ? "STOP" : nil))
    }
    #expect(
      frames.last?["usageMetadata"] == [
        "promptTokenCount": 9, "cachedContentTokenCount": 4, "candidatesTokenCount": 5,
        "thoughtsTokenCount": 2, "totalTokenCount": 16,
      ])
  }

  @Test("Google's Python SDK finds nothing but frames and blank lines")
  func lines() {
    for line in GeminiTest.stream(events).split(separator: "\n", omittingEmptySubsequences: false) {
      #expect(line.isEmpty || line.hasPrefix("data: {\"candidates\""))
    }
  }

  @Test("without alt=sse, the same frames are one array")
  func array() throws {
    let array = try GeminiTest.json(GeminiTest.stream(events, as: .array))
    #expect(array.array == (try GeminiTest.frames(Array(GeminiTest.stream(events).utf8))))
    let nothing = try GeminiTest.json(
      GeminiTest.stream([.began(id: "", model: "", created: nil), .ended], as: .array))
    #expect(nothing.array?.count == 1)
    #expect(nothing[0]?["responseId"] == "minted")
    let failed = try GeminiTest.json(
      GeminiTest.stream([.failed(StreamFailure(type: "overloaded_error")), .ended], as: .array))
    #expect(failed.array?.count == 1)
    #expect(failed[0]?["error"]?["code"] == 503)
  }

  @Test(
    "reasons",
    arguments: [
      (.end, "STOP"), (.sequence("x"), "STOP"), (.toolCalls, "STOP"), (.length, "MAX_TOKENS"),
      (.contextFull, "MAX_TOKENS"), (.refusal, "SAFETY"), (.filtered, "SAFETY"), (.paused, "OTHER"),
    ] as [(StopReason, String)])
  func reasons(stop: StopReason, expected: String) throws {
    let stream = GeminiTest.stream([
      .began(id: "r", model: "", created: nil), .stopped(stop), .ended,
    ])
    let frames = try GeminiTest.frames(Array(stream.utf8))
    #expect(frames.map { $0["candidates"]?[0]?["finishReason"] } == [.string(expected)])
  }

  @Test(
    "an error is the last frame, known by its first member",
    arguments: [
      ("overloaded_error", 503, "UNAVAILABLE"), ("rate_limit_error", 429, "RESOURCE_EXHAUSTED"),
      ("rate_limit_exceeded", 429, "RESOURCE_EXHAUSTED"), ("UNAVAILABLE", 503, "UNAVAILABLE"),
      ("invalid_request_error", 400, "INVALID_ARGUMENT"), ("api_error", 500, "INTERNAL"),
      ("server_error", 500, "INTERNAL"), ("permission_error", 403, "PERMISSION_DENIED"),
      ("timeout_error", 504, "DEADLINE_EXCEEDED"), ("anything", 500, "INTERNAL"),
      ("upstream_cut", 502, "UNAVAILABLE"), ("rate_limited", 429, "RESOURCE_EXHAUSTED"),
      ("context_length_exceeded", 400, "INVALID_ARGUMENT"),
    ])
  func failures(type: String, code: Int64, status: String) throws {
    let stream = GeminiTest.stream([
      .began(id: "r", model: "", created: nil), .opened(0, .text), .piece(0, .text("a")),
      .failed(StreamFailure(type: type)), .piece(0, .text("b")), .ended,
    ])
    let frames = try GeminiTest.frames(Array(stream.utf8))
    #expect(frames.count == 2)
    #expect(frames.last?.members?.first?.name == "error")
    #expect(frames.last?["error"]?["code"]?.int == code)
    #expect(frames.last?["error"]?["status"]?.string == status)
    #expect(stream.contains(type) == (type == status))
  }

  @Test("arguments that are no object are a call that Google calls malformed")
  func brokenCalls() throws {
    for arguments in ["{\"a\":", "[1]", "\"a\"", "{}{}"] {
      let stream = GeminiTest.stream([
        .began(id: "r", model: "", created: nil),
        .opened(0, .toolCall(id: "t", name: "f", signature: nil)),
        .piece(0, .arguments(arguments)), .closed(0), .stopped(.toolCalls), .ended,
      ])
      let frames = try GeminiTest.frames(Array(stream.utf8))
      #expect(frames.count == 1)
      #expect(frames[0]["candidates"]?[0]?["finishReason"] == "MALFORMED_FUNCTION_CALL")
    }
  }

  @Test("calls are held up to 8 MiB, then nothing but an error can follow")
  func bounded() throws {
    var writer = GeminiStreamWriter(for: GeminiTest.facts)
    var bytes: [UInt8] = []
    let piece = String(repeating: "a", count: 1 << 20)
    writer.write(.began(id: "r", model: "", created: nil), into: &bytes)
    writer.write(.opened(0, .toolCall(id: "t", name: "f", signature: nil)), into: &bytes)
    for _ in 0..<8 { writer.write(.piece(0, .arguments(piece)), into: &bytes) }
    #expect(bytes.isEmpty && !writer.isFull)
    writer.write(.piece(0, .arguments("a")), into: &bytes)
    #expect(bytes.isEmpty && writer.isFull)
    writer.write(.failed(StreamFailure(type: "answer_too_large")), into: &bytes)
    let frames = try GeminiTest.frames(bytes)
    #expect(frames.map { $0["error"]?["code"] } == [502])
    writer.write(.ended, into: &bytes)
    #expect(try GeminiTest.frames(bytes).count == 1)
  }

  @Test("what was written is read as the same events", arguments: UInt64(0)..<200)
  func roundTrip(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var events: [StreamEvent] = [.began(id: "r1", model: "asked", created: nil)]
    var hasCalls = false
    var last: StreamPart?
    for number in 0..<random.int(0...6) {
      var part: StreamPart
      repeat {
        part =
          switch random.int(0...2) {
          case 0: .text
          case 1: .thinking
          default: .toolCall(id: "t\(number)", name: "f", signature: nil)
          }
      } while part == last  // Two texts side by side are one to Gemini.
      last = part
      events.append(.opened(number, part))
      if case .toolCall = part {
        hasCalls = true
        events.append(.piece(number, .arguments("{\"n\":\(random.int(0...99)).0}")))
      } else {
        for _ in 0..<random.int(1...4) {
          events.append(.piece(number, .text("\(random.int(0...99)) ☔\n")))
        }
      }
      events.append(.closed(number))
    }
    let usage = TokenUsage(input: 9, output: 7, cached: 3, reasoning: random.oneIn(2) ? 2 : nil)
    events += [.stopped(hasCalls ? .toolCalls : .end), .usage(usage), .ended]
    let stream = GeminiTest.stream(events)
    let read = try GeminiTest.events(try GeminiTest.frames(Array(stream.utf8)))
    // Usage stands in the last frame, before the end that this frame is.
    func withoutUsage(_ events: [StreamEvent]) -> [StreamEvent] {
      events.filter { if case .usage = $0 { false } else { true } }
    }
    #expect(withoutUsage(read) == withoutUsage(events), "seed \(seed)")
    #expect(read.contains(.usage(usage)), "seed \(seed)")
  }
}

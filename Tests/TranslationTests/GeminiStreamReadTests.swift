import Domain
import Support
import Surface
import Testing

@testable import Translation

private let began = StreamEvent.began(
  id: "Qk1saGVsbG8-_1", model: "gemini-3-flash-preview", created: nil)

private let recorded: [(String, [StreamEvent])] = [
  (
    "text",
    [
      began, .opened(0, .text), .piece(0, .text("Rain")), .usage(TokenUsage(input: 9, output: 1)),
      .piece(0, .text(" is likely\nin Ulm ☔")), .usage(TokenUsage(input: 9, output: 6)),
      .usage(TokenUsage(input: 9, output: 8)), .closed(0), .stopped(.end), .ended,
    ]
  ),
  (
    "thinking",
    [
      began, .opened(0, .thinking), .piece(0, .text("**Weighing**")),
      .usage(TokenUsage(input: 12, output: 20, reasoning: 20)), .piece(0, .text(" both ways.")),
      .usage(TokenUsage(input: 12, output: 41, reasoning: 41)), .closed(0), .opened(1, .text),
      .piece(1, .text("Seven")), .usage(TokenUsage(input: 12, output: 42, reasoning: 41)),
      .piece(1, .text(" it is.")), .usage(TokenUsage(input: 12, output: 45, reasoning: 41)),
      .piece(1, .signature("EpQDCpEDAb4tLS8+/w==")), .closed(1), .stopped(.end), .ended,
    ]
  ),
  (
    "tool",
    [
      began,
      .opened(0, .toolCall(id: "k3xw01pd", name: "weather", signature: "CiQBtLS8xyz+/w==")),
      .piece(0, .arguments(#"{"city":"Ulm","days":2}"#)), .closed(0),
      .usage(TokenUsage(input: 50, output: 42, reasoning: 30)), .stopped(.toolCalls), .ended,
    ]
  ),
  (
    "parallel",
    [
      began, .opened(0, .text), .piece(0, .text("Looking.")),
      .usage(TokenUsage(input: 60, output: 2)), .closed(0),
      .opened(
        1, .toolCall(id: "call_Qk1saGVsbG81_1", name: "weather", signature: "CiQBtLS8abc=")),
      .piece(1, .arguments(#"{"city":"Ulm"}"#)), .closed(1),
      .opened(2, .toolCall(id: "call_Qk1saGVsbG81_2", name: "weather", signature: nil)),
      .piece(2, .arguments(#"{"city":"Bonn"}"#)), .closed(2),
      .usage(TokenUsage(input: 60, output: 20)),
      .opened(3, .toolCall(id: "call_Qk1saGVsbG81_3", name: "clock", signature: nil)),
      .piece(3, .arguments("{}")), .closed(3), .usage(TokenUsage(input: 60, output: 24)),
      .stopped(.toolCalls), .ended,
    ]
  ),
  (
    "cached",
    [
      began, .opened(0, .text), .piece(0, .text("Yes")),
      .usage(TokenUsage(input: 4025, output: 1, cached: 3900)), .closed(0), .stopped(.end), .ended,
    ]
  ),
  ("blocked", [began, .usage(TokenUsage(input: 14, output: 0)), .stopped(.filtered), .ended]),
  (
    "filtered",
    [
      began, .opened(0, .text), .piece(0, .text("First, ")),
      .usage(TokenUsage(input: 8, output: 2)), .closed(0), .stopped(.filtered), .ended,
    ]
  ),
  (
    "length",
    [
      began, .opened(0, .text), .piece(0, .text("One, two")),
      .usage(TokenUsage(input: 5, output: 3)), .piece(0, .text(", three")),
      .usage(TokenUsage(input: 5, output: 6)), .closed(0), .stopped(.length), .ended,
    ]
  ),
  (
    "old",
    [
      .began(id: "", model: "", created: nil), .opened(0, .text), .piece(0, .text("A")),
      .piece(0, .text("B")), .usage(TokenUsage(input: 3, output: 2)), .closed(0), .stopped(.end),
      .ended,
    ]
  ),
  (
    "late-usage",
    [
      began, .opened(0, .text), .piece(0, .text("Done")), .usage(TokenUsage(input: 3, output: 1)),
      .closed(0), .stopped(.end), .ended,
    ]
  ),
  (
    "broken-call",
    [
      began, .opened(0, .text), .piece(0, .text("Let me see")),
      .usage(TokenUsage(input: 30, output: 3)), .usage(TokenUsage(input: 30, output: 9)),
      .failed(StreamFailure(type: "MALFORMED_FUNCTION_CALL")),
    ]
  ),
  (
    "error",
    [
      began, .opened(0, .text), .piece(0, .text("Half an ans")),
      .usage(TokenUsage(input: 7, output: 4)), .failed(StreamFailure(type: "UNAVAILABLE")),
    ]
  ),
  // Broken off: no end is made up.
  (
    "cut",
    [
      began, .opened(0, .text), .piece(0, .text("Half an ans")),
      .usage(TokenUsage(input: 7, output: 4)), .piece(0, .text("wer and")),
      .usage(TokenUsage(input: 7, output: 6)),
    ]
  ),
]

@Suite("Gemini: a provider's streams")
struct GeminiStreamReadTests {
  @Test("recorded streams", arguments: recorded)
  func recordedStreams(name: String, expected: [StreamEvent]) throws {
    #expect(try GeminiTest.events(try GeminiTest.fixture(name)) == expected)
  }

  @Test("frames that say nothing are skipped, nothing follows the end")
  func tolerance() throws {
    var reader = GeminiStreamReader()
    func take(_ text: String) throws -> [StreamEvent] {
      try reader.take(event: nil, data: try GeminiTest.json(text))
    }
    #expect(try take("{}") == [.began(id: "", model: "", created: nil)])
    #expect(try take(#"{"candidates":[]}"#).isEmpty)
    #expect(try take(#"{"candidates":null,"usageMetadata":{"promptTokenCount":-5}}"#).isEmpty)
    #expect(try take(#"{"usageMetadata":{"promptTokenCount":99999999999}}"#).isEmpty)
    #expect(
      try take(#"{"candidates":[{"content":{"parts":[{"newPart":{}},{"text":""}]}}]}"#).isEmpty)
    // Another answer than the first.
    #expect(
      try take(#"{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]}}]}"#).isEmpty)
    #expect(reader.finish().isEmpty)
    #expect(try take(#"{"candidates":[{"finishReason":"NEW_REASON"}]}"#).isEmpty)
    #expect(reader.finish() == [.stopped(.end), .ended])
    #expect(reader.finish().isEmpty)
    #expect(try take(#"{"candidates":[{"content":{"parts":[{"text":"b"}]}}]}"#).isEmpty)
  }

  @Test(
    "frames that are none",
    arguments: [
      "[]", "5", #"{"candidates":{}}"#,
      #"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}"#,
      #"{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","willContinue":true}}]}}]}"#,
      #"{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":""}}]}}]}"#,
    ])
  func faults(frame: String) throws {
    let data = try GeminiTest.json(frame)
    var reader = GeminiStreamReader()
    #expect(throws: TranslationFault.self) { try reader.take(event: nil, data: data) }
  }

  @Test("an error is known by Google's name only")
  func errors() throws {
    for (frame, type) in [
      (#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED"}}"#, "RESOURCE_EXHAUSTED"),
      (#"{"error":{"code":500,"status":"words of theirs"}}"#, "INTERNAL"),
      (#"{"error":"what"}"#, "INTERNAL"),
    ] {
      #expect(
        try GeminiTest.events([try GeminiTest.json(frame)]) == [.failed(StreamFailure(type: type))])
    }
  }

  @Test("any sequence of frames keeps the promise of events", arguments: UInt64(0)..<200)
  func promise(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var frames: [JSONValue] = []
    var said = ""
    var calls = 0
    for _ in 0..<random.int(1...12) {
      var parts: [JSONValue] = []
      for _ in 0..<random.int(0...3) {
        switch random.int(0...5) {
        case 0:
          calls += 1
          parts.append(["functionCall": ["name": "f", "args": ["n": 1]]])
        case 1: parts.append(["text": "t", "thought": true])
        case 2: parts.append(["text": "", "thoughtSignature": "c2ln"])
        case 3: parts.append(["text": ""])
        default:
          let word = String(random.int(0...999))
          said += word
          parts.append(["text": .string(word)])
        }
      }
      var frame: [JSONValue.Member] = [
        .init("candidates", [["content": ["parts": .array(parts)], "index": 0]])
      ]
      if random.oneIn(2) {
        frame.append(
          .init("usageMetadata", ["promptTokenCount": JSONValue(random.int(1...9))]))
      }
      frames.append(.object(frame))
    }
    let ending = random.int(0...2)
    if ending == 0 { frames.append(["candidates": [["finishReason": "STOP"]]]) }
    if ending == 1 { frames.append(["error": ["status": "UNAVAILABLE"]]) }
    let events = try GeminiTest.events(frames)
    var open: Set<Int> = []
    var opened = 0
    var text = ""
    var texts: Set<Int> = []
    for (index, event) in events.enumerated() {
      switch event {
      case .began: #expect(index == 0, "seed \(seed)")
      case .opened(let number, let part):
        #expect(number == opened, "seed \(seed)")
        opened += 1
        #expect(open.isEmpty, "seed \(seed)")
        open.insert(number)
        if part == .text { texts.insert(number) }
      case .piece(let number, let piece):
        #expect(open.contains(number), "seed \(seed)")
        if case .text(let word) = piece, texts.contains(number) { text += word }
      case .closed(let number): #expect(open.remove(number) != nil, "seed \(seed)")
      case .usage: #expect(index > 0, "seed \(seed)")
      case .stopped(let reason):
        #expect(open.isEmpty && index == events.count - 2, "seed \(seed)")
        #expect(reason == (calls > 0 ? .toolCalls : .end), "seed \(seed)")
      case .ended, .failed: #expect(index == events.count - 1, "seed \(seed)")
      }
    }
    #expect(text == said, "seed \(seed)")
    switch ending {
    case 0: #expect(events.last == .ended, "seed \(seed)")
    case 1: #expect(events.last == .failed(StreamFailure(type: "UNAVAILABLE")), "seed \(seed)")
    default: #expect(!events.contains(.ended), "seed \(seed)")
    }
  }
}

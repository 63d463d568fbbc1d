import Domain
import Support
import Surface
import Testing

/// An answer or a frame in one of the dialects, and what must be read of it.
private struct Reading: Sendable, CustomTestStringConvertible {
  let dialect: Dialect
  let body: String
  let usage: TokenUsage?
  let isAnswer: Bool
  let hasError: Bool
  var testDescription: String { "\(dialect): \(body)" }

  init(
    _ dialect: Dialect, _ body: String, _ usage: TokenUsage? = nil, isAnswer: Bool = false,
    hasError: Bool = false
  ) {
    self.dialect = dialect
    self.body = body
    self.usage = usage
    self.isAnswer = isAnswer
    self.hasError = hasError
  }
}

private let readings: [Reading] = [
  // Chat as servers differ in it.
  .init(
    .chat,
    #"{"choices":[{}],"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":3},"completion_tokens":1}}"#,
    TokenUsage(input: 9, output: 1, cached: 4, cacheCreation: 3), isAnswer: true),
  .init(
    .chat, #"{"choices":[{}],"usage":{"prompt_tokens":9,"cache_creation_input_tokens":2}}"#,
    TokenUsage(input: 9, cacheCreation: 2), isAnswer: true),
  .init(
    .chat,
    #"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":5}}}"#,
    TokenUsage(input: 9, output: 7, reasoning: 5), isAnswer: true),
  .init(
    .chat,
    #"{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":7,"total_tokens":16,"completion_tokens_details":{"reasoning_tokens":5}}}"#,
    TokenUsage(input: 9, output: 7, reasoning: 5), isAnswer: true),

  // Completions and embeddings.
  .init(
    .completions, #"{"choices":[{"text":"x"}],"usage":{"prompt_tokens":2,"completion_tokens":1}}"#,
    TokenUsage(input: 2, output: 1), isAnswer: true),
  .init(
    .embeddings, #"{"object":"list","data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":8}}"#,
    TokenUsage(input: 8), isAnswer: true),
  .init(.embeddings, #"{"choices":[{}]}"#),

  // Responses.
  .init(
    .responses,
    #"{"status":"completed","error":null,"output":[],"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":3,"output_tokens_details":{"reasoning_tokens":1}}}"#,
    TokenUsage(input: 9, output: 3, cached: 4, reasoning: 1, cacheCreation: 2), isAnswer: true),
  .init(.responses, #"{"status":"queued","output":[],"usage":null}"#, isAnswer: true),
  .init(
    .responses, #"{"status":"failed","error":{"code":"server_error"},"output":[{}]}"#,
    hasError: true),
  .init(.responses, #"{"output":[],"status":"cancelled"}"#, hasError: true),
  .init(
    .responses,
    #"{"type":"response.completed","response":{"status":"completed","output":[{"id":"m"}],"usage":{"input_tokens":5,"output_tokens":6}}}"#,
    TokenUsage(input: 5, output: 6), isAnswer: true),
  .init(
    .responses, #"{"type":"response.completed","response":{"output":[ ],"usage":{}}}"#,
    TokenUsage()),
  .init(
    .responses,
    #"{"type":"response.failed","response":{"status":"failed","error":{"code":"x"},"usage":{"input_tokens":5}}}"#,
    TokenUsage(input: 5), hasError: true),
  .init(.responses, #"{"response":{"response":{"usage":{"input_tokens":5}}}}"#),

  // Messages: the cache's tokens are parts of the input here.
  .init(
    .messages,
    #"{"type":"message","content":[],"usage":{"input_tokens":12,"cache_creation_input_tokens":2048,"cache_read_input_tokens":51200,"cache_creation":{"ephemeral_5m_input_tokens":2048},"output_tokens":4,"output_tokens_details":{"thinking_tokens":3}}}"#,
    TokenUsage(input: 53_260, output: 4, cached: 51_200, reasoning: 3, cacheCreation: 2_048),
    isAnswer: true),
  .init(
    .messages,
    #"{"type":"message_start","message":{"content":[],"usage":{"input_tokens":12,"cache_read_input_tokens":null,"output_tokens":1}}}"#,
    TokenUsage(input: 12, output: 1)),
  .init(
    .messages,
    #"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":9}}"#,
    TokenUsage(output: 9)),
  .init(
    .messages, #"{"type":"error","error":{"type":"overloaded_error","message":"m"}}"#,
    hasError: true),
  .init(
    .messages, #"{"message":{"message":{"usage":{"input_tokens":1}}},"x":{"usage":{"a":1}}}"#),
  .init(.countTokens, #"{"input_tokens":7}"#, isAnswer: true),
  .init(.countTokens, #"{"usage":{"input_tokens":7}}"#),

  // Gemini: thoughts stand beside the answer, zeros are left out.
  .init(
    .gemini,
    #"{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":4,"thoughtsTokenCount":6,"cachedContentTokenCount":3,"toolUsePromptTokenCount":2,"totalTokenCount":22}}"#,
    TokenUsage(input: 12, output: 10, cached: 3, reasoning: 6), isAnswer: true),
  .init(
    .gemini, #"{"promptFeedback":{"blockReason":"OTHER"},"usageMetadata":{"promptTokenCount":3}}"#,
    TokenUsage(input: 3), isAnswer: true),
  .init(
    .gemini, #"{"candidates":[{}],"usageMetadata":{"promptTokenCount":3,"totalTokenCount":8}}"#,
    TokenUsage(input: 3, output: 5), isAnswer: true),
  .init(
    .gemini, #"{"candidates":[ ],"usageMetadata":{"promptTokenCount":3}}"#, TokenUsage(input: 3)),
  .init(
    .gemini, #"{"candidates":[{}],"usage_metadata":{"prompt_token_count":3}}"#,
    TokenUsage(input: 3), isAnswer: true),
  .init(.gemini, #"{"error":{"code":503}}"#, hasError: true),
  .init(
    .gemini, #"{"candidates":[{}],"usageMetadata":{"promptTokenCount":4294967297}}"#,
    TokenUsage(), isAnswer: true),

  // No JSON, no reading.
  .init(.messages, #"{"content":[],"usage":{"input_tokens":1}"#),
  .init(.gemini, #"[{"candidates":[{}]}]"#),
  .init(.responses, ""),
]

@Suite("What is read of an answer, by its dialect")
struct UsageScanDialectTests {
  @Test("figures, errors and answers", arguments: readings)
  private func reads(_ reading: Reading) {
    let found = withBytes(Array(reading.body.utf8)) { UsageScan.scan($0, as: reading.dialect) }
    #expect(found.usage?.summed(as: reading.dialect) == reading.usage)
    #expect(found.isAnswer == reading.isAnswer)
    #expect(found.hasError == reading.hasError)
  }

  @Test("every cut of a document is read without a trap, and says nothing", arguments: readings)
  private func cut(_ reading: Reading) {
    let bytes = Array(reading.body.utf8)
    for end in bytes.indices {
      let found = withBytes(Array(bytes[..<end])) { UsageScan.scan($0, as: reading.dialect) }
      #expect(!found.isObject)
    }
  }

  @Test(
    "the type is the top level's, where it stands plainly",
    arguments: [
      (#"{"type":"ping"}"#, "ping"), (#"{"a":{"type":"x"},"type": "y"}"#, "y"),
      (#"{"a":{"type":"x"}}"#, nil), (#"{"type":7}"#, nil), (#"{"type":"\u0061"}"#, nil),
      ("[DONE]", nil), ("", nil), (#"{"type":"cut"#, nil),
    ] as [(String, String?)])
  func types(_ body: String, _ expected: String?) {
    let found = withBytes(Array(body.utf8)) { bytes in UsageScan.type(in: bytes).map { text($0) } }
    #expect(found == expected)
  }

  @Test("the number of an event is the top level's")
  func numbers() {
    let number = { (text: String) in
      withBytes(Array(text.utf8)) { UsageScan.sequenceNumber(in: $0) }
    }
    #expect(number(#"{"type":"x","sequence_number":12}"#) == 12)
    #expect(number(#"{"a":{"sequence_number":12}}"#) == nil)
    #expect(number(#"{"sequence_number":"1"}"#) == nil)
  }
}

@Suite("The elements of an array as frames")
struct JSONArrayFramerTests {
  private static let array = "[{\"a\": \"}],\\\"{[\"}\n,\r\n{\"b\":[[{}],{}]} , {}\n]\n"

  /// What was framed: data, and where frames end in the stream.
  private func frames(_ wire: [UInt8], _ seed: UInt64, limit: Int = 1 << 20) throws -> [String] {
    var random = SeededRandom(seed: seed)
    var framer = JSONArrayFramer(maximumFrameBytes: limit)
    var found: [String] = []
    var at = 0
    while at < wire.count {
      let size = min(random.int(1...9), wire.count - at)
      try withBytes(Array(wire[at..<(at + size)])) { bytes in
        try framer.append(bytes) { frame in
          found.append(
            "\(at + frame.end):" + text(Array(frame.data ?? .init(start: nil, count: 0))))
        }
      }
      at += size
    }
    return found
  }

  @Test("elements are the same for every chunking", arguments: 1...100 as ClosedRange<UInt64>)
  func chunkings(_ seed: UInt64) throws {
    #expect(
      try frames(Array(Self.array.utf8), seed) == [
        "17:{\"a\": \"}],\\\"{[\"}", "36:{\"b\":[[{}],{}]}", "41:{}", "43:]",
      ], "seed \(seed)")
  }

  @Test(
    "what is no array of objects is refused",
    arguments: ["[1]", "x", "[{} {}]", "[,]", "[{},]", "{}{}", "[]x", "]", "<html>", "[{}],"])
  func malformed(_ wire: String) {
    #expect(throws: JSONArrayFramer.Fault.malformed) { try frames(Array(wire.utf8), 1) }
  }

  @Test("an object alone is a frame, an empty array only its end")
  func small() throws {
    #expect(try frames(Array(" {\"error\":1}\n".utf8), 3) == ["12:{\"error\":1}"])
    #expect(try frames(Array("[ ]".utf8), 3) == ["3:]"])
  }

  @Test("a frame beyond its bound is refused")
  func long() {
    let wire = Array(("[{\"a\":\"" + String(repeating: "x", count: 200) + "\"}]").utf8)
    #expect(throws: JSONArrayFramer.Fault.frameTooLong(limit: 100)) {
      try frames(wire, 1, limit: 100)
    }
  }
}

@Suite("Usage of answers that pass")
struct PassingUsageTests {
  private static let answers: [(Dialect, String, TokenUsage?)] = [
    (
      .embeddings, #"{"data":[0.1,[2]],"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
      .init(input: 5)
    ),
    (
      .gemini,
      #"{"candidates":[{"usageMetadata":{"promptTokenCount":1}}], "usageMetadata" : {"promptTokenCount":7,"promptTokensDetails":[{"a":"}"}]},"x":"usage"}"#,
      .init(input: 7)
    ),
    (
      .messages,
      #"{"usage":{"input_tokens":3,"output_tokens":4},"content":[{"text":"\"usage\":{"}]}"#,
      .init(input: 3, output: 4)
    ),
    (.chat, #"{"a":"usage","choices":[{"usage":{"prompt_tokens":9}}],"usage":null}"#, nil),
    (.chat, #"["usage",{"prompt_tokens":9}]"#, nil), (.chat, "no JSON: {\"usage\"", nil),
    (
      .responses, #"{"output":[],"us\u0061ge":1,"usage":{"input_tokens":1,"output_tokens":2}}"#,
      .init(input: 1, output: 2)
    ),
  ]

  @Test("is found at the top level alone, however the bytes are cut", arguments: answers)
  private func found(_ answer: (Dialect, String, TokenUsage?)) {
    let bytes = Array(answer.1.utf8)
    for size in [1, 3, 7, bytes.count] {
      var passing = PassingUsage(answer.0)
      for start in stride(from: 0, to: bytes.count, by: size) {
        Array(bytes[start..<min(start + size, bytes.count)]).withUnsafeBytes { passing.take($0) }
      }
      #expect(passing.usage == answer.2, "pieces of \(size)")
    }
  }
}

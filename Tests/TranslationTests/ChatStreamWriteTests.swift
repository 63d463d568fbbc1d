import Domain
import Surface
import Testing

@testable import Translation

private let began = StreamEvent.began(id: "msg_1", model: "real", created: nil)

/// A chunk's delta and reason with what all chunks have.
private func chunk(_ delta: String, _ reason: String = "null", hasUsage: Bool = true) -> String {
  """
  {"id":"chatcmpl-ours","object":"chat.completion.chunk","created":1700000000,"model":"asked",\
  "choices":[{"index":0,"delta":\(delta),"logprobs":null,"finish_reason":\(reason)}]\
  \(hasUsage ? #","usage":null"# : "")}
  """
}

private let role = chunk(#"{"role":"assistant","content":null}"#)
private func call(_ id: String) -> StreamPart { .toolCall(id: id, name: "f", signature: nil) }
private func callChunk(_ index: Int, _ id: String) -> String {
  chunk(
    """
    {"tool_calls":[{"index":\(index),"id":"\(id)","type":"function",\
    "function":{"name":"f","arguments":""}}]}
    """)
}
private func argumentsChunk(_ index: Int, _ text: String) -> String {
  chunk(#"{"tool_calls":[{"index":\#(index),"function":{"arguments":"\#(text)"}}]}"#)
}

private let streams: [(String, [StreamEvent], [String])] = [
  (
    "text with usage",
    [
      began, .opened(0, .text), .piece(0, .text("a\"\n")), .piece(0, .signature("s1")),
      .piece(0, .signature("s2")), .closed(0), .usage(TokenUsage(input: 1)), .stopped(.end),
      .usage(TokenUsage(input: 5, output: 3, cached: 2)), .ended,
    ],
    [
      role, chunk(#"{"content":"a\"\n"}"#),
      chunk(#"{"extra_content":{"google":{"thought_signature":"s1"}}}"#), chunk("{}", #""stop""#),
      """
      {"id":"chatcmpl-ours","object":"chat.completion.chunk","created":1700000000,\
      "model":"asked","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,\
      "total_tokens":8,"prompt_tokens_details":{"cached_tokens":2}}}
      """, "[DONE]",
    ]
  ),
  (
    "thoughts",
    [
      began, .opened(0, .thinking), .piece(0, .text("a")), .piece(0, .signature("s")), .closed(0),
      .opened(1, .redactedThinking("d")), .closed(1), .opened(2, .thinking),
      .piece(2, .text("b")), .closed(2), .stopped(.length), .ended,
    ],
    [
      role,
      chunk(
        """
        {"reasoning_content":"a","reasoning_details":\
        [{"index":0,"type":"reasoning.text","text":"a"}]}
        """),
      chunk(#"{"reasoning_details":[{"index":0,"type":"reasoning.text","signature":"s"}]}"#),
      chunk(#"{"reasoning_details":[{"index":1,"type":"reasoning.encrypted","data":"d"}]}"#),
      chunk(
        """
        {"reasoning_content":"b","reasoning_details":\
        [{"index":2,"type":"reasoning.text","text":"b"}]}
        """), chunk("{}", #""length""#), "[DONE]",
    ]
  ),
  (
    "a refusal",
    [
      began, .opened(0, .refusal), .piece(0, .text("no")), .closed(0), .stopped(.refusal), .ended,
    ], [role, chunk(#"{"refusal":"no"}"#), chunk("{}", #""stop""#), "[DONE]"]
  ),
  (
    "a call without arguments, and one of Gemini's",
    [
      began, .opened(0, call("c1")), .closed(0),
      .opened(1, .toolCall(id: "c2", name: "g", signature: "s")), .piece(1, .arguments("")),
      .piece(1, .arguments("{}")), .closed(1), .stopped(.toolCalls), .ended,
    ],
    [
      role, callChunk(0, "c1"), argumentsChunk(0, "{}"),
      chunk(
        """
        {"tool_calls":[{"index":1,"id":"c2","type":"function",\
        "function":{"name":"g","arguments":""},\
        "extra_content":{"google":{"thought_signature":"s"}}}]}
        """), argumentsChunk(1, "{}"), chunk("{}", #""tool_calls""#), "[DONE]",
    ]
  ),
  (
    "calls side by side go out one by one",
    [
      began, .opened(0, call("c1")), .opened(1, call("c2")), .piece(1, .arguments("[2")),
      .opened(2, call("c3")), .piece(0, .arguments("[1")), .piece(2, .arguments("[3]")),
      .piece(0, .arguments("]")), .closed(0), .piece(1, .arguments("]")), .closed(2), .closed(1),
      .stopped(.toolCalls), .ended,
    ],
    [
      role, callChunk(0, "c1"), argumentsChunk(0, "[1"), argumentsChunk(0, "]"),
      callChunk(1, "c2"), argumentsChunk(1, "[2"), argumentsChunk(1, "]"), callChunk(2, "c3"),
      argumentsChunk(2, "[3]"), chunk("{}", #""tool_calls""#), "[DONE]",
    ]
  ),
]

private let failures: [(String, String, String)] = [
  ("overloaded_error", "server_error", "overloaded_error"),
  ("rate_limit_error", "rate_limit_error", "rate_limit_error"),
  ("RESOURCE_EXHAUSTED", "rate_limit_error", "RESOURCE_EXHAUSTED"),
  ("UNAVAILABLE", "server_error", "UNAVAILABLE"),
  ("INVALID_ARGUMENT", "invalid_request_error", "INVALID_ARGUMENT"),
  ("429", "rate_limit_error", "429"),
  ("Your prompt \"hi\" is bad", "server_error", "upstream_error"),
  ("context_length_exceeded", "invalid_request_error", "context_length_exceeded"),
  ("upstream_cut", ErrorCode.upstreamCut.openAIType, "upstream_cut"),
]

@Suite struct ChatStreamWriteTests {
  @Test(arguments: streams)
  func `events become chunks`(name: String, events: [StreamEvent], expected: [String]) throws {
    #expect(try Chat.frames(Chat.stream(events)).map(\.data) == expected, "\(name)")
  }

  @Test func `usage is told only to those who asked`() throws {
    var facts = Chat.facts
    facts.includesUsage = false
    let events: [StreamEvent] = [
      .began(id: "chatcmpl-7", model: "real", created: 9), .usage(TokenUsage(input: 1, output: 1)),
      .stopped(.end), .ended,
    ]
    let frames = try Chat.frames(Chat.stream(events, for: facts)).map(\.data)
    #expect(frames.count == 3)
    for frame in frames.dropLast() {
      let chunk = try Chat.json(frame)
      #expect(chunk["id"] == "chatcmpl-7")
      #expect(chunk["created"] == 9)
      #expect(chunk["model"] == "asked")
      #expect(chunk["usage"] == nil)
    }
  }

  @Test(arguments: failures)
  func `an error ends the stream without a clean end`(
    type: String, openAIType: String, code: String
  ) throws {
    let events: [StreamEvent] = [began, .opened(0, .text), .failed(StreamFailure(type: type))]
    let frames = try Chat.frames(Chat.stream(events)).map(\.data)
    #expect(frames.count == 2)
    let last = try Chat.json(frames[1])
    let error = try #require(last["error"])
    #expect(error["type"]?.string == openAIType)
    #expect(error["code"]?.string == code)
    #expect(error["param"] == JSONValue.null)
    #expect(error["message"]?.string?.isEmpty == false)
  }

  @Test func `a call that waits too long goes out as it comes`() throws {
    let half = String(repeating: "1", count: 1 << 19)
    var events: [StreamEvent] = [began, .opened(0, call("c1")), .opened(1, call("c2"))]
    events += Array(repeating: .piece(1, .arguments(half)), count: 18)
    events += [.piece(0, .arguments("1")), .closed(0), .closed(1), .stopped(.toolCalls), .ended]
    let frames = try Chat.frames(Chat.stream(events)).map(\.data)
    try #require(frames.count == 24)
    #expect(frames[21] == argumentsChunk(0, "1"))
  }
}

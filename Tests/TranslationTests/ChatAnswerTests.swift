import Domain
import Surface
import Testing

@testable import Translation

private func call(_ id: String, _ name: String, _ arguments: String) -> Part.Content {
  .toolCall(ToolCall(id: id, name: name, arguments: arguments))
}

/// A provider's message and reason, and the parts and the stop that they are.
private struct Reading: Sendable, CustomTestStringConvertible {
  let name: String
  let message: String
  var reason = #""stop""#
  let parts: [Part]
  var stop = StopReason.end
  var testDescription: String { name }
}

private let readings: [Reading] = [
  Reading(name: "a text", message: #""content":"a","refusal":null"#, parts: [Part(.text("a"))]),
  Reading(name: "nothing", message: #""content":"""#, parts: []),
  Reading(
    name: "a refusal", message: #""content":null,"refusal":"no""#, parts: [Part(.refusal("no"))],
    stop: .refusal),
  Reading(
    name: "DeepSeek's thoughts", message: #""content":"b","reasoning_content":"a""#,
    parts: [Part(.thinking("a")), Part(.text("b"))]),
  Reading(
    name: "OpenRouter's thoughts",
    message: """
      "content":"b","reasoning":"a","reasoning_details":[
        {"type":"reasoning.text","text":"a","signature":"s","format":"anthropic-claude-v1"},
        {"type":"reasoning.encrypted","data":"d","format":"anthropic-claude-v1"},
        {"type":"reasoning.encrypted","data":"x","format":"openai-responses-v1"},
        {"type":"reasoning.summary","summary":"c"}]
      """,
    parts: [
      Part(.thinking("a"), signature: "s"), Part(.redactedThinking("d")), Part(.thinking("c")),
      Part(.text("b")),
    ]),
  Reading(
    name: "Mistral's thoughts",
    message: """
      "content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]},
        {"type":"text","text":"b"},{"type":"reference"}]
      """,
    parts: [Part(.thinking("a")), Part(.text("b"))]),
  Reading(
    name: "calls",
    message: """
      "content":null,"tool_calls":[
        {"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}},
        {"function":{"name":"g","arguments":{"b":9007199254740993}},
         "extra_content":{"google":{"thought_signature":"s"}}}]
      """,
    reason: #""tool_calls""#,
    parts: [
      Part(call("c1", "f", #"{"a":1}"#)),
      Part(call("call_chatcmpl1_1", "g", #"{"b":9007199254740993}"#), signature: "s"),
    ],
    stop: .toolCalls),
  Reading(
    name: "calls that end as texts do",
    message: #""content":"b","tool_calls":[{"id":"c1","function":{"name":"f","arguments":""}}]"#,
    parts: [Part(.text("b")), Part(call("c1", "f", ""))], stop: .toolCalls),
  Reading(
    name: "Gemini's signature of a text",
    message: #""content":"b","extra_content":{"google":{"thought_signature":"s"}}"#,
    parts: [Part(.text("b"), signature: "s")]),
]

private let reasons: [(String, StopReason)] = [
  (#""stop""#, .end), (#""length""#, .length), (#""content_filter""#, .filtered),
  (#""function_call""#, .toolCalls), (#""model_length""#, .contextFull),
  (#""insufficient_system_resource""#, .length), (#""eos""#, .end), ("null", .end), ("5", .end),
  (#""stop","stop_reason":"END""#, .sequence("END")), (#""stop","stop_reason":128001"#, .end),
]

private let usages: [(String, TokenUsage)] = [
  (#"{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}"#, TokenUsage(input: 5, output: 3)),
  (
    """
    {"prompt_tokens":50,"completion_tokens":30,"total_tokens":80,
     "prompt_tokens_details":{"cached_tokens":20,"cache_write_tokens":10,"audio_tokens":0},
     "completion_tokens_details":{"reasoning_tokens":12}}
    """,
    TokenUsage(input: 50, output: 30, cached: 20, reasoning: 12, cacheCreation: 10)
  ),
  (
    #"{"prompt_tokens":5,"completion_tokens":3,"prompt_cache_hit_tokens":4}"#,
    TokenUsage(input: 5, output: 3, cached: 4)
  ),
  // xAI's answer of 9 tokens after 94 of thought.
  (
    """
    {"prompt_tokens":32,"completion_tokens":9,"total_tokens":135,
     "completion_tokens_details":{"reasoning_tokens":94}}
    """, TokenUsage(input: 32, output: 103, reasoning: 94)
  ),
  (#"{"prompt_tokens":-1,"completion_tokens":1e18,"total_tokens":"8"}"#, .notReported),
  ("null", .notReported), ("[]", .notReported),
]

private func answer(_ message: String, _ reason: String, _ usage: String = "null") -> String {
  """
  {"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"m","choices":[
    {"index":0,"message":{"role":"assistant",\(message)},"finish_reason":\(reason)}],
   "usage":\(usage)}
  """
}

@Suite struct ChatAnswerTests {
  @Test(arguments: readings)
  private func `messages become parts`(_ reading: Reading) throws {
    let body = try Chat.json(answer(reading.message, reading.reason))
    #expect(
      try ChatProvider.read(body)
        == Answer(
          id: "chatcmpl-1", model: "m", created: 5, parts: reading.parts, stop: reading.stop,
          usage: .notReported))
  }

  @Test(arguments: reasons)
  func `reasons become stops`(reason: String, stop: StopReason) throws {
    let answer = try ChatProvider.read(Chat.json(answer(#""content":"a""#, reason)))
    #expect(answer.stop == stop)
  }

  @Test(arguments: usages)
  func `usage is read`(text: String, usage: TokenUsage) throws {
    let answer = try ChatProvider.read(Chat.json(answer(#""content":"a""#, #""stop""#, text)))
    #expect(answer.usage == usage)
  }

  @Test(arguments: [
    ("{}", "choices"), ("[]", "choices"), (#"{"choices":[]}"#, "choices[0].message"),
    (#"{"choices":[{"message":"hi"}]}"#, "choices[0].message"),
    (#"{"error":{"message":"no"}}"#, "choices"),
    (
      #"{"choices":[{"message":{"content":"a"},"finish_reason":"error"}]}"#,
      "choices[0].finish_reason"
    ),
    (
      #"{"choices":[{"message":{"tool_calls":[{"id":"a","type":"custom","custom":{}}]}}]}"#,
      "choices[0].message.tool_calls[0].function"
    ),
  ])
  func `what is no answer is a fault`(body: String, field: String) throws {
    let fault = #expect(throws: TranslationFault.self) {
      try ChatProvider.read(Chat.json(body))
    }
    #expect(fault?.kind == .malformed)
    #expect(fault?.field == field)
  }

  @Test func `an answer is written with all that the SDK demands`() throws {
    let answer = Answer(
      id: "msg_1", model: "real",
      parts: [
        Part(.thinking("t"), signature: "s"), Part(.redactedThinking("d")), Part(.text("a")),
        Part(.text("b"), signature: "g"), Part(call("c1", "f", ""), signature: "h"),
        Part(call("c2", "f", "{}")),
      ], stop: .toolCalls,
      usage: TokenUsage(input: 50, output: 30, cached: 20, reasoning: 12, cacheCreation: 10))
    let expected = """
      {"id":"chatcmpl-ours","object":"chat.completion","created":1700000000,"model":"asked",
       "choices":[{"index":0,"message":{"role":"assistant","content":"ab","refusal":null,
         "reasoning_content":"t","reasoning_details":[
           {"type":"reasoning.text","text":"t","signature":"s","index":0},
           {"type":"reasoning.encrypted","data":"d","index":1}],
         "tool_calls":[
           {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"},
            "extra_content":{"google":{"thought_signature":"h"}}},
           {"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}],
         "extra_content":{"google":{"thought_signature":"g"}}},
        "logprobs":null,"finish_reason":"tool_calls"}],
       "usage":{"prompt_tokens":50,"completion_tokens":30,"total_tokens":80,
         "prompt_tokens_details":{"cached_tokens":20,"cache_write_tokens":10},
         "completion_tokens_details":{"reasoning_tokens":12}}}
      """
    #expect(Chat.text(ChatClient.write(answer, for: Chat.facts)) == (try Chat.line(expected)))
  }

  @Test func `what the provider said about itself is kept where it fits`() {
    let answer = Answer(
      id: "chatcmpl-7", model: "real", created: 9, parts: [Part(.refusal("no"))], stop: .refusal,
      usage: TokenUsage(output: 3))
    let body = ChatClient.write(answer, for: Chat.facts)
    #expect(body["id"] == "chatcmpl-7")
    #expect(body["created"] == 9)
    #expect(body["choices"]?[0]?["message"]?["content"] == JSONValue.null)
    #expect(body["choices"]?[0]?["message"]?["refusal"] == "no")
    #expect(body["usage"]?["prompt_tokens"] == 0)
    #expect(body["usage"]?["total_tokens"] == 3)
  }

  @Test func `without figures there is no usage`() {
    let answer = Answer(id: "", model: "", parts: [], stop: .end, usage: .notReported)
    #expect(ChatClient.write(answer, for: Chat.facts)["usage"] == nil)
  }

  @Test(
    arguments: [
      (.end, false, false, "stop"), (.end, true, false, "tool_calls"),
      (.sequence("x"), false, false, "stop"), (.length, true, false, "length"),
      (.toolCalls, true, false, "tool_calls"), (.refusal, false, true, "stop"),
      (.refusal, false, false, "content_filter"), (.filtered, false, false, "content_filter"),
      (.contextFull, false, false, "length"), (.paused, false, false, "stop"),
    ] as [(StopReason, Bool, Bool, String)])
  func `stops become reasons`(
    stop: StopReason, hasCalls: Bool, hasRefusal: Bool, reason: String
  ) {
    #expect(ChatStop.write(stop, hasCalls: hasCalls, hasRefusal: hasRefusal) == reason)
  }

  @Test func `an answer comes back from a client as the turn it was`() throws {
    let parts = [
      Part(.thinking("t"), signature: "s"), Part(.redactedThinking("d")),
      Part(.text("b"), signature: "g"), Part(call("c1", "f", #"{"a":1}"#), signature: "h"),
    ]
    let answer = Answer(id: "", model: "", parts: parts, stop: .toolCalls, usage: .notReported)
    let message = ChatClient.write(answer, for: Chat.facts)["choices"]?[0]?["message"]
    let body: JSONValue = ["messages": [try #require(message)]]
    let turns = try ChatClient.read(body, model: "m", isStream: false).turns
    #expect(turns.first?.parts.map(\.content) == parts.map(\.content))
    #expect(turns.first?.parts.map(\.signature) == parts.map(\.signature))
  }
}

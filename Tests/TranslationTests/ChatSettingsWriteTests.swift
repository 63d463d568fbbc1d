import Surface
import Testing

@testable import Translation

/// A setting for a model, and the member that it becomes; nil: it is left out.
private let written: [(String, Setting.Value, String?)] = [
  ("gpt-4o", .maxTokens(5), #""max_completion_tokens":5"#),
  ("o3-mini", .maxTokens(5), #""max_completion_tokens":5"#),
  ("ft:gpt-4o:org", .maxTokens(5), #""max_completion_tokens":5"#),
  ("openai/gpt-5", .maxTokens(5), #""max_completion_tokens":5"#),
  ("gpt-oss-120b", .maxTokens(5), #""max_tokens":5"#),
  ("olmo", .maxTokens(5), #""max_tokens":5"#),
  ("m", .temperature("0.70"), #""temperature":0.70"#),
  ("m", .topP("1e-1"), #""top_p":1e-1"#),
  ("m", .presencePenalty("1"), #""presence_penalty":1"#),
  ("m", .frequencyPenalty("1"), #""frequency_penalty":1"#),
  ("m", .seed("9007199254740993"), #""seed":9007199254740993"#),
  ("m", .stop(["a", "b"]), #""stop":["a","b"]"#),
  ("m", .answers(1), nil),
  ("m", .toolChoice(.auto), nil),
  ("m", .toolChoice(.none), nil),
  ("m", .toolChoice(.required), #""tool_choice":"required""#),
  (
    "m", .toolChoice(.tool("f")),
    #""tool_choice":{"type":"function","function":{"name":"f"}}"#
  ),
  (
    "m", .toolChoice(.among(["f"], isRequired: false)),
    #"""
    "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
      "tools":[{"type":"function","function":{"name":"f"}}]}}
    """#
  ),
  ("m", .parallelToolCalls(true), nil),
  ("m", .parallelToolCalls(false), nil),
  ("m", .format(.text), nil),
  ("m", .format(.json), #""response_format":{"type":"json_object"}"#),
  (
    "m", .format(.schema(name: nil, description: "d", schema: ["a": 1], isStrict: true)),
    #"""
    "response_format":{"type":"json_schema","json_schema":{"name":"response","description":"d",
      "schema":{"a":1},"strict":true}}
    """#
  ),
  ("m", .reasoning(Reasoning(amount: .effort("max"))), #""reasoning_effort":"max""#),
  ("m", .reasoning(Reasoning(amount: .budget(1024))), #""reasoning_effort":"low""#),
  ("m", .reasoning(Reasoning(amount: .budget(8192))), #""reasoning_effort":"medium""#),
  ("m", .reasoning(Reasoning(amount: .budget(16_000))), #""reasoning_effort":"high""#),
  ("m", .reasoning(Reasoning(amount: .adaptive, isShown: true)), nil),
  ("m", .reasoning(Reasoning(isShown: false)), nil),
  ("m", .reasoning(Reasoning(amount: .off)), nil),
  ("gpt-5.2", .reasoning(Reasoning(amount: .off)), #""reasoning_effort":"none""#),
  ("gpt-5-chat-latest", .reasoning(Reasoning(amount: .off)), nil),
  ("gpt-4o", .reasoning(Reasoning(amount: .budget(0))), nil),
  ("gemini-2.5-flash", .reasoning(Reasoning(amount: .off)), #""reasoning_effort":"none""#),
  ("deepseek-v4", .reasoning(Reasoning(amount: .off)), #""thinking":{"type":"disabled"}"#),
  ("m", .verbosity("low"), #""verbosity":"low""#),
  ("m", .user("u"), #""user":"u""#),
  ("m", .user(String(repeating: "u", count: 65)), nil),
  ("m", .metadata(["a": "b"]), nil),
  ("m", .store(false), nil),
  ("m", .serviceTier("auto"), nil),
  ("m", .serviceTier("priority"), #""service_tier":"priority""#),
  ("gpt-5", .cacheKey("k"), #""prompt_cache_key":"k""#),
  ("m", .cacheKey("k"), nil),
  ("m", .includeUsage(false), nil),
  ("m", .logProbabilities(false), nil),
  ("m", .topLogProbabilities(0), nil),
]

private let refusedSettings: [(Setting.Value, TranslationFault.Kind)] = [
  (.topK("40"), .notCarried), (.answers(2), .notCarried), (.store(true), .notCarried),
  (.serviceTier("best"), .notCarried), (.logProbabilities(true), .notCarried),
  (.topLogProbabilities(2), .notCarried), (.own(1), .notCarried), (.state, .stateBound),
]

@Suite struct ChatSettingsWriteTests {
  @Test(arguments: written)
  func `settings become members`(model: String, value: Setting.Value, member: String?) throws {
    var conversation = Conversation(model: model)
    conversation.settings = [Setting(value, field: "s")]
    let rest = member.map { "," + $0 } ?? ""
    let expected = try Chat.line("{\"model\":\"\(model)\",\"messages\":[]\(rest)}")
    #expect(Chat.text(try ChatProvider.write(conversation)) == expected)
  }

  @Test func `what belongs to tools is written with tools only`() throws {
    var conversation = Conversation(model: "m", isStream: true)
    conversation.tools = [
      Tool(
        name: "f", description: "d", schema: ["type": "object"], isStrict: false,
        cache: CacheMark(), field: "t"), Tool(name: "g", field: "t"),
    ]
    conversation.settings = [
      Setting(.toolChoice(.auto), field: "s"), Setting(.parallelToolCalls(false), field: "s"),
    ]
    let expected = try Chat.line(
      """
      {"model":"m","messages":[],"tools":[
        {"type":"function","function":{"name":"f","description":"d",
          "parameters":{"type":"object"},"strict":false}},
        {"type":"function","function":{"name":"g"}}],
       "tool_choice":"auto","parallel_tool_calls":false,
       "stream":true,"stream_options":{"include_usage":true}}
      """)
    #expect(Chat.text(try ChatProvider.write(conversation)) == expected)
    conversation.settings = [Setting(.toolChoice(.none), field: "s")]
    #expect(try ChatProvider.write(conversation)["tool_choice"] == "none")
  }

  @Test(arguments: refusedSettings)
  func `settings without a place are refused`(
    value: Setting.Value, kind: TranslationFault.Kind
  ) throws {
    var conversation = Conversation(model: "gpt-5")
    conversation.settings = [Setting(value, field: "a.b")]
    let fault = #expect(throws: TranslationFault.self) { try ChatProvider.write(conversation) }
    #expect(fault?.kind == kind)
    #expect(fault?.field == "a.b")
  }
}

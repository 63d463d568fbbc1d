import Surface
import Testing

@testable import Translation

/// Members of a request beside its messages, and the settings that they become.
private let settings: [(String, [Setting])] = [
  (#""max_tokens":5"#, [Setting(.maxTokens(5), field: "max_tokens")]),
  (
    #""max_tokens":5,"max_completion_tokens":6"#,
    [Setting(.maxTokens(6), field: "max_completion_tokens")]
  ),
  (
    #""seed":9007199254740993,"temperature":0.70,"top_p":1e-1,"top_k":40"#,
    [
      Setting(.seed("9007199254740993"), field: "seed"),
      Setting(.temperature("0.70"), field: "temperature"), Setting(.topP("1e-1"), field: "top_p"),
      Setting(.topK("40"), field: "top_k"),
    ]
  ),
  (
    #""presence_penalty":-2,"frequency_penalty":0.5"#,
    [
      Setting(.presencePenalty("-2"), field: "presence_penalty"),
      Setting(.frequencyPenalty("0.5"), field: "frequency_penalty"),
    ]
  ),
  (#""stop":"a""#, [Setting(.stop(["a"]), field: "stop")]),
  (#""stop":["a","b"]"#, [Setting(.stop(["a", "b"]), field: "stop")]),
  (#""stop":[],"n":null"#, []),
  (#""n":2"#, [Setting(.answers(2), field: "n")]),
  (#""tool_choice":"auto""#, [Setting(.toolChoice(.auto), field: "tool_choice")]),
  (#""tool_choice":"none""#, [Setting(.toolChoice(.none), field: "tool_choice")]),
  (#""tool_choice":"required""#, [Setting(.toolChoice(.required), field: "tool_choice")]),
  (
    #""tool_choice":{"type":"function","function":{"name":"f"}}"#,
    [Setting(.toolChoice(.tool("f")), field: "tool_choice")]
  ),
  (
    #"""
    "tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[
      {"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"g"}}]}}
    """#,
    [Setting(.toolChoice(.among(["f", "g"], isRequired: true)), field: "tool_choice")]
  ),
  (
    #""parallel_tool_calls":false"#,
    [Setting(.parallelToolCalls(false), field: "parallel_tool_calls")]
  ),
  (
    #""response_format":{"type":"text"}"#, [Setting(.format(.text), field: "response_format")]
  ),
  (
    #""response_format":{"type":"json_object"}"#,
    [Setting(.format(.json), field: "response_format")]
  ),
  (
    #"""
    "response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d",
      "schema":{"type":"object"},"strict":false}}
    """#,
    [
      Setting(
        .format(
          .schema(name: "n", description: "d", schema: ["type": "object"], isStrict: false)),
        field: "response_format")
    ]
  ),
  (
    #""reasoning_effort":"none""#,
    [Setting(.reasoning(Reasoning(amount: .off)), field: "reasoning_effort")]
  ),
  (
    #""reasoning_effort":"xhigh","verbosity":"low""#,
    [
      Setting(.reasoning(Reasoning(amount: .effort("xhigh"))), field: "reasoning_effort"),
      Setting(.verbosity("low"), field: "verbosity"),
    ]
  ),
  (
    #""user":"u","metadata":{"a":"b"},"store":false,"service_tier":"flex","prompt_cache_key":"k""#,
    [
      Setting(.user("u"), field: "user"), Setting(.metadata(["a": "b"]), field: "metadata"),
      Setting(.store(false), field: "store"), Setting(.serviceTier("flex"), field: "service_tier"),
      Setting(.cacheKey("k"), field: "prompt_cache_key"),
    ]
  ),
  (#""user":"u","safety_identifier":"s""#, [Setting(.user("s"), field: "safety_identifier")]),
  (
    #""stream_options":{"include_usage":true,"include_obfuscation":false,"more":1}"#,
    [
      Setting(.includeUsage(true), field: "stream_options.include_usage"),
      Setting(.own(1), field: "stream_options.more"),
    ]
  ),
  (
    #""logprobs":true,"top_logprobs":3"#,
    [
      Setting(.logProbabilities(true), field: "logprobs"),
      Setting(.topLogProbabilities(3), field: "top_logprobs"),
    ]
  ),
  (
    #"""
    "prompt_cache_retention":"24h","prompt_cache_options":{"ttl":"30m"},"logit_bias":{},
    "modalities":["text"]
    """#, []
  ),
  (
    #""logit_bias":{"5":-100},"modalities":["audio"],"audio":{"voice":"v"}"#,
    [
      Setting(.own(["5": -100]), field: "logit_bias"),
      Setting(.own(["audio"]), field: "modalities"),
      Setting(.own(["voice": "v"]), field: "audio"),
    ]
  ),
  (
    #""web_search_options":{},"prediction":{"type":"content"},"functions":[],"x\u0007y":1"#,
    [
      Setting(.own(.object([])), field: "web_search_options"),
      Setting(.own(["type": "content"]), field: "prediction"),
      Setting(.own([]), field: "functions"), Setting(.own(1), field: "x\u{FFFD}y"),
    ]
  ),
]

@Suite struct ChatSettingsReadTests {
  @Test(arguments: settings)
  func `settings are read in the client's order`(body: String, expected: [Setting]) throws {
    let body = try Chat.json("{\(Chat.hello),\"model\":\"asked\",\(body)}")
    let conversation = try ChatClient.read(body, model: "m", isStream: false)
    #expect(conversation.settings == expected)
    #expect(conversation.turns == [Chat.helloTurn])
  }
}

import Surface
import Testing

@testable import Translation

/// A request of a client, without its model, and what must become of it.
private struct Reading: Sendable, CustomTestStringConvertible {
  let name: String
  let body: String
  var system: [Part] = []
  var turns: [Turn] = []
  var tools: [Tool] = []
  var settings: [Setting] = []
  var testDescription: String { name }
}

private let hello = #""messages":[{"role":"user","content":"hi"}]"#
private let helloTurn = Turn(
  .user, [Part(.text("hi"), field: "messages[0].content")], field: "messages[0]")

private func call(_ id: String, _ name: String, _ arguments: String) -> Part.Content {
  .toolCall(ToolCall(id: id, name: name, arguments: arguments))
}

private let messages: [Reading] = [
  Reading(name: "a text", body: hello, turns: [helloTurn]),
  Reading(
    name: "operators' words, also between the turns",
    body: """
      "messages":[{"role":"system","content":"a"},{"role":"user","content":"hi"},
        {"role":"developer","content":[{"type":"text","text":"b"}]}]
      """,
    system: [
      Part(.text("a"), field: "messages[0].content"),
      Part(.text("b"), field: "messages[2].content[0]"),
    ],
    turns: [
      Turn(.user, [Part(.text("hi"), field: "messages[1].content")], field: "messages[1]")
    ]),
  Reading(
    name: "every kind of content",
    body: """
      "messages":[{"role":"user","content":[
        {"type":"text","text":"see","prompt_cache_breakpoint":{"mode":"explicit"}},
        {"type":"image_url","image_url":{"url":"data:image/png;base64,iVBORw0=","detail":"low"}},
        {"type":"image_url","image_url":{"url":"https://example.com/a.jpg"}},
        {"type":"input_audio","input_audio":{"data":"UklG","format":"wav"}},
        {"type":"input_audio","input_audio":{"data":"SUQz","format":"mp3"}},
        {"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBE"}},
        {"type":"file","file":{"filename":"b.PDF","file_data":"JVBE"}},
        {"type":"file","file":{"filename":"c.csv","file_data":"YSxi"}},
        {"type":"file","file":{"file_id":"file-1"}}]}]
      """,
    turns: [
      Turn(
        .user,
        [
          Part(.text("see"), cache: CacheMark(), field: "messages[0].content[0]"),
          Part(
            .image(Media(.data("iVBORw0="), mediaType: "image/png", detail: "low")),
            field: "messages[0].content[1]"),
          Part(.image(Media(.url("https://example.com/a.jpg"))), field: "messages[0].content[2]"),
          Part(
            .audio(Media(.data("UklG"), mediaType: "audio/wav")), field: "messages[0].content[3]"),
          Part(
            .audio(Media(.data("SUQz"), mediaType: "audio/mp3")), field: "messages[0].content[4]"),
          Part(
            .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "a.pdf")),
            field: "messages[0].content[5]"),
          Part(
            .document(Media(.data("JVBE"), mediaType: "application/pdf", name: "b.PDF")),
            field: "messages[0].content[6]"),
          Part(.document(Media(.data("YSxi"), name: "c.csv")), field: "messages[0].content[7]"),
          Part(.document(Media(.file("file-1"))), field: "messages[0].content[8]"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "calls and their results",
    body: """
      "messages":[
        {"role":"assistant","content":null,"refusal":null,"annotations":[],"tool_calls":[
          {"index":0,"id":"c1","type":"function","function":{"name":"f","arguments":"{\\"a\\":1}"}},
          {"id":"c2","function":{"name":"g","arguments":"","parsed_arguments":{}},
           "extra_content":{"google":{"thought_signature":"sig"}}}]},
        {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"x"},
          {"type":"image_url","image_url":{"url":"https://example.com/b"}}]},
        {"role":"tool","tool_call_id":"c9","name":"h","content":"y"}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(call("c1", "f", #"{"a":1}"#), field: "messages[0].tool_calls[0]"),
          Part(call("c2", "g", ""), signature: "sig", field: "messages[0].tool_calls[1]"),
        ], field: "messages[0]"),
      Turn(
        .user,
        [
          Part(
            .toolResult(
              ToolResult(
                callID: "c2", name: "g",
                parts: [
                  Part(.text("x"), field: "messages[1].content[0]"),
                  Part(
                    .image(Media(.url("https://example.com/b"))), field: "messages[1].content[1]"),
                ])), field: "messages[1]")
        ], field: "messages[1]"),
      Turn(
        .user,
        [
          Part(
            .toolResult(
              ToolResult(
                callID: "c9", name: "h",
                parts: [Part(.text("y"), field: "messages[2].content")])), field: "messages[2]")
        ], field: "messages[2]"),
    ]),
  Reading(
    name: "thoughts as a text",
    body: """
      "messages":[{"role":"assistant","content":"b","reasoning_content":"a","reasoning":"a"}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(.thinking("a"), field: "messages[0].reasoning_content"),
          Part(.text("b"), field: "messages[0].content"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "thoughts in parts, whole or as a stream's pieces",
    body: """
      "messages":[{"role":"assistant","content":[{"type":"text","text":"b"}],
        "reasoning_content":"not read","reasoning_details":[
          {"type":"reasoning.text","text":"a1","index":0,"id":"x","format":"anthropic-claude-v1"},
          {"type":"reasoning.text","text":"a2","index":0},
          {"type":"reasoning.text","signature":"s1","index":0},
          {"type":"reasoning.encrypted","data":"d","index":1},
          {"type":"reasoning.text","text":"a3","signature":"s2","index":2},
          {"type":"reasoning.encrypted","data":"no","format":"openai-responses-v1","index":3},
          {"type":"reasoning.summary","summary":"a4"},
          {"type":"reasoning.new","what":1}],
        "refusal":"no","extra_content":{"google":{"thought_signature":"s3"}}}]
      """,
    turns: [
      Turn(
        .assistant,
        [
          Part(
            .thinking("a1a2"), signature: "s1", field: "messages[0].reasoning_details[0]"),
          Part(.redactedThinking("d"), field: "messages[0].reasoning_details[3]"),
          Part(.thinking("a3"), signature: "s2", field: "messages[0].reasoning_details[4]"),
          Part(.thinking("a4"), field: "messages[0].reasoning_details[6]"),
          Part(.text("b"), field: "messages[0].content[0]"),
          Part(.refusal("no"), signature: "s3", field: "messages[0].refusal"),
        ], field: "messages[0]")
    ]),
  Reading(
    name: "an answer without anything is no turn",
    body: """
      "messages":[{"role":"user","content":"hi"},{"role":"assistant","content":""}]
      """,
    turns: [helloTurn]),
  Reading(
    name: "tools",
    body: """
      \(hello),"tools":[
        {"type":"function","function":{"name":"f","description":"d","strict":true,
          "parameters":{"type":"object","maximum":9007199254740993}}},
        {"type":"function","function":{"name":"g"},"cache_control":{"type":"ephemeral","ttl":"5m"}}]
      """,
    turns: [helloTurn],
    tools: [
      Tool(
        name: "f", description: "d",
        schema: ["type": "object", "maximum": .number("9007199254740993")], isStrict: true,
        field: "tools[0]"),
      Tool(name: "g", cache: CacheMark(lifetime: "5m"), field: "tools[1]"),
    ]),
]

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

/// Requests that are refused, with what and where.
private let refused: [(String, TranslationFault.Kind, String)] = [
  (#""stream":true"#, .malformed, "messages"),
  (#""messages":{}"#, .malformed, "messages"),
  (#""messages":["hi"]"#, .malformed, "messages[0]"),
  (#""messages":[{"content":"hi"}]"#, .malformed, "messages[0].role"),
  (#""messages":[{"role":"owner","content":"hi"}]"#, .malformed, "messages[0].role"),
  (#""messages":[{"role":"function","content":"hi"}]"#, .notCarried, "messages[0].role"),
  (#""messages":[{"role":"user"}]"#, .malformed, "messages[0].content"),
  (#""messages":[{"role":"user","content":5}]"#, .malformed, "messages[0].content"),
  (#""messages":[{"role":"user","content":"","name":"n"}]"#, .notCarried, "messages[0].name"),
  (
    #""messages":[{"role":"user","content":[{"type":"video_url"}]}]"#, .malformed,
    "messages[0].content[0].type"
  ),
  (
    #""messages":[{"role":"user","content":[{"type":"text","text":"","secret":1}]}]"#, .notCarried,
    "messages[0].content[0].secret"
  ),
  (
    #""messages":[{"role":"user","content":[{"type":"image_url"}]}]"#, .malformed,
    "messages[0].content[0].image_url"
  ),
  (
    #"""
    "messages":[{"role":"user","content":[
      {"type":"image_url","image_url":{"url":"data:image/png,no"}}]}]
    """#, .malformed, "messages[0].content[0].image_url.url"
  ),
  (
    #"""
    "messages":[{"role":"user","content":[
      {"type":"input_audio","input_audio":{"data":"","format":"x"}}]}]
    """#, .malformed, "messages[0].content[0].input_audio.format"
  ),
  (
    #""messages":[{"role":"user","content":[{"type":"file","file":{"filename":"a"}}]}]"#,
    .malformed, "messages[0].content[0].file.file_data"
  ),
  (
    #"""
    "messages":[{"role":"system","content":[
      {"type":"image_url","image_url":{"url":"https://example.com"}}]}]
    """#, .malformed, "messages[0].content[0]"
  ),
  (
    #""messages":[{"role":"assistant","audio":{"id":"a"}}]"#, .stateBound, "messages[0].audio"
  ),
  (
    #""messages":[{"role":"assistant","function_call":{"name":"f"}}]"#, .notCarried,
    "messages[0].function_call"
  ),
  (
    #""messages":[{"role":"assistant","tool_calls":[{"type":"custom","id":"a"}]}]"#, .notCarried,
    "messages[0].tool_calls[0].custom"
  ),
  (
    #""messages":[{"role":"assistant","tool_calls":[{"function":{"name":"f"}}]}]"#, .malformed,
    "messages[0].tool_calls[0].id"
  ),
  (
    #""messages":[{"role":"assistant","reasoning_details":[{"text":"a"}]}]"#, .malformed,
    "messages[0].reasoning_details[0].type"
  ),
  (#""messages":[{"role":"tool","content":"a"}]"#, .malformed, "messages[0].tool_call_id"),
  (#"\#(hello),"tools":{}"#, .malformed, "tools"),
  (#"\#(hello),"tools":[{"type":"custom","custom":{}}]"#, .notCarried, "tools[0].custom"),
  (#"\#(hello),"tools":[{"type":"web_search"}]"#, .malformed, "tools[0].type"),
  (#"\#(hello),"tools":[{"type":"function"}]"#, .malformed, "tools[0].function"),
  (
    #"\#(hello),"tools":[{"type":"function","function":{"name":5}}]"#, .malformed,
    "tools[0].function.name"
  ),
  (#"\#(hello),"temperature":"hot""#, .malformed, "temperature"),
  (#"\#(hello),"max_tokens":-1"#, .malformed, "max_tokens"),
  (#"\#(hello),"stop":[1]"#, .malformed, "stop"),
  (#"\#(hello),"stop":{}"#, .malformed, "stop"),
  (#"\#(hello),"store":"yes""#, .malformed, "store"),
  (#"\#(hello),"stream_options":[]"#, .malformed, "stream_options"),
  (#"\#(hello),"tool_choice":"some""#, .malformed, "tool_choice"),
  (#"\#(hello),"tool_choice":{"type":"custom"}"#, .notCarried, "tool_choice.custom"),
  (#"\#(hello),"tool_choice":{"type":"function"}"#, .malformed, "tool_choice.function"),
  (
    #"\#(hello),"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"all","tools":[]}}"#,
    .malformed, "tool_choice.allowed_tools.mode"
  ),
  (
    #"""
    \#(hello),"tool_choice":{"type":"allowed_tools",
      "allowed_tools":{"mode":"auto","tools":[{"type":"mcp"}]}}
    """#, .notCarried, "tool_choice.allowed_tools.tools[0].type"
  ),
  (#"\#(hello),"response_format":{"type":"xml"}"#, .malformed, "response_format.type"),
  (
    #"\#(hello),"response_format":{"type":"json_schema"}"#, .malformed,
    "response_format.json_schema"
  ),
  (
    #"\#(hello),"response_format":{"type":"json_schema","json_schema":{"name":"n"}}"#, .malformed,
    "response_format.json_schema.schema"
  ),
  (#"\#(hello),"response_format":{"type":"grammar"}"#, .notCarried, "response_format.type"),
]

@Suite struct ChatRequestReadTests {
  @Test(arguments: messages)
  private func `messages and tools are read`(_ reading: Reading) throws {
    let body = try Chat.json("{\"model\":\"asked\",\"stream\":true,\(reading.body)}")
    var expected = Conversation(model: "m", isStream: true)
    expected.system = reading.system
    expected.turns = reading.turns
    expected.tools = reading.tools
    expected.settings = reading.settings
    #expect(try ChatClient.read(body, model: "m", isStream: true) == expected)
  }

  @Test(arguments: settings)
  func `settings are read in the client's order`(body: String, expected: [Setting]) throws {
    let body = try Chat.json("{\(hello),\"model\":\"asked\",\(body)}")
    let conversation = try ChatClient.read(body, model: "m", isStream: false)
    #expect(conversation.settings == expected)
    #expect(conversation.turns == [helloTurn])
  }

  @Test(arguments: refused)
  func `what cannot be read is refused by its place`(
    body: String, kind: TranslationFault.Kind, field: String
  ) throws {
    let body = try Chat.json("{\(body)}")
    let fault = #expect(throws: TranslationFault.self) {
      try ChatClient.read(body, model: "m", isStream: false)
    }
    #expect(fault?.kind == kind)
    #expect(fault?.field == field)
  }
}

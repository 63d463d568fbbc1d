import Domain
import Surface
import Testing

@testable import Translation

/// Frames as a provider's document shows them, in Fixtures/streams/chat, and their events.
private let fixtures: [(String, [String])] = [
  (
    "text",
    [
      "began chatcmpl-Aq1Text gpt-5.2-2026-01-10 1760000000", "0 + text", #"0 "Zwölf""#,
      #"0 " Züge""#, #"0 " 🚂\n""#, "usage 1200/41/1024/128/32", "0 -", "stopped end", "ended",
    ]
  ),
  (
    "tools",
    [
      "began chatcmpl-Aq2Tool gpt-5.2-2026-01-10 1760000000", "0 + call call_a1 departures",
      #"0 {"station""#, #"0 :"Köln"}"#, "0 -", "1 + call call_a2 weather", #"1 {"at":[1,"#,
      "1 2]}", "usage 90/31/-/-/-", "1 -", "stopped toolCalls", "ended",
    ]
  ),
  (
    "interleaved",
    [
      "began chatcmpl-vv qwen3-coder 1760000000", "0 + text", #"0 "Looking.""#, "0 -",
      "1 + call call_b1 left", #"1 {"a":"#, "2 + call call_chatcmplvv_1 right", #"2 {"b":"#,
      "1 1}", "2 2}", "usage 9/8/-/-/-", "1 -", "2 -", "stopped toolCalls", "ended",
    ]
  ),
  (
    "gemini",
    [
      "began Zx9 gemini-3-pro 1760000000", "0 + call function-call-11 f signed c2lnMQ==",
      #"0 {"a":1}"#, "usage 20/5/-/-/-", "0 -", "1 + call function-call-12 f", "1 {}",
      "usage 20/9/-/-/-", "usage 20/9/-/-/-", "1 -", "stopped toolCalls", "ended",
    ]
  ),
  (
    "thinking",
    [
      "began 7b2e deepseek-chat 1760000000", "0 + thinking", #"0 "Count ""#, #"0 "trains.""#,
      "0 -", "1 + text", #"1 "Twelve""#, #"1 ".""#, "usage 16/10/4/-/6", "1 -", "stopped end",
      "ended",
    ]
  ),
  (
    "signed",
    [
      "began gen-1760 anthropic/claude-sonnet-4.5 1760000000", "0 + thinking", #"0 "First""#,
      #"0 " look""#, "0 signed c2lnQQ==", "0 -", "1 + hidden aGlkZGVu", "1 -", "2 + thinking",
      #"2 "Then""#, "2 signed c2lnQg==", "2 -", "3 + text", #"3 "Yes""#, "usage 30/20/-/-/-",
      "3 -", "stopped end", "ended",
    ]
  ),
  (
    "refusal",
    [
      "began chatcmpl-Aq3No gpt-5.2-2026-01-10 1760000000", "0 + refusal", #"0 "I will""#,
      #"0 " not.""#, "0 -", "stopped refusal", "ended",
    ]
  ),
  (
    "azure",
    [
      "began chatcmpl-Az gpt-4o 1760000000", "0 + text", #"0 "Half""#, "0 -", "stopped filtered",
      "ended",
    ]
  ),
  (
    "error",
    [
      "began chatcmpl-Aq1Text gpt-5.2-2026-01-10 1760000000", "0 + text", #"0 "Zwölf""#,
      "failed server_error",
    ]
  ),
  (
    "cut",
    [
      "began chatcmpl-Aq1Text gpt-5.2-2026-01-10 1760000000", "0 + text", #"0 "Zwölf""#, "0 -",
      "1 + call call_a1 departures", #"1 {"st"#,
    ]
  ),
]

/// Choices of chunks that servers send beside the document, and their events behind `began`.
private let odd: [(String, [String], [String])] = [
  ("no reason: broken off", [#"{"delta":{"content":"a"}}"#], ["0 + text", #"0 "a""#]),
  ("an empty reason", [#"{"delta":{"content":"a"},"finish_reason":""}"#], ["0 + text", #"0 "a""#]),
  ("only a reason", [#"{"delta":{},"finish_reason":"length"}"#], ["stopped length", "ended"]),
  (
    "a reason in two chunks, text after the first",
    [
      #"{"delta":{"content":"a"},"finish_reason":"stop"}"#,
      #"{"delta":{"content":"b"},"finish_reason":"length"}"#,
    ], ["0 + text", #"0 "a""#, #"0 "b""#, "0 -", "stopped length", "ended"]
  ),
  (
    "a message instead of a delta",
    [#"{"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}"#],
    ["0 + text", #"0 "a""#, "0 -", "stopped end", "ended"]
  ),
  (
    "the text of the stop",
    [#"{"delta":{"content":"a"},"finish_reason":"stop","stop_reason":"X"}"#],
    ["0 + text", #"0 "a""#, "0 -", #"stopped sequence(Optional("X"))"#, "ended"]
  ),
  (
    "usage in the choice", [#"{"delta":{},"finish_reason":"stop","usage":{"prompt_tokens":1}}"#],
    ["usage 1/-/-/-/-", "stopped end", "ended"]
  ),
  ("another answer", [#"{"index":1,"delta":{"content":"b"},"finish_reason":"stop"}"#], []),
  (
    "Mistral's thoughts",
    [
      #"{"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"a"}]}]}}"#,
      #"{"delta":{"content":[{"type":"text","text":"b"}]},"finish_reason":"stop"}"#,
    ],
    [
      "0 + thinking", #"0 "a""#, "0 -", "1 + text", #"1 "b""#, "1 -", "stopped end", "ended",
    ]
  ),
  (
    "Gemini's signature of a text",
    [
      #"{"delta":{"content":"a"}}"#,
      #"{"delta":{"extra_content":{"google":{"thought_signature":"s"}}},"finish_reason":"stop"}"#,
    ], ["0 + text", #"0 "a""#, "0 signed s", "0 -", "stopped end", "ended"]
  ),
  (
    "calls without index or id",
    [
      #"{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}}"#,
      #"{"delta":{"tool_calls":[{"function":{"name":"g","arguments":"{"}}]}}"#,
      #"{"delta":{"tool_calls":[{"function":{"arguments":"}"}}]},"finish_reason":"stop"}"#,
    ],
    [
      "0 + call call_chatcmpl1_0 f", "0 {}", "0 -", "1 + call call_chatcmpl1_1 g", "1 {", "1 }",
      "1 -", "stopped toolCalls", "ended",
    ]
  ),
  (
    "id and name in every fragment",
    [
      #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"}"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":0,"id":"","function":{"name":"","arguments":" "}}]}}"#,
      #"{"delta":{},"finish_reason":"tool_calls"}"#,
    ], ["0 + call c f", "0 {", "0 }", "0  ", "0 -", "stopped toolCalls", "ended"]
  ),
  (
    "one id, or one index, for several calls",
    [
      #"{"delta":{"tool_calls":[{"index":0,"id":"f","function":{"name":"f","arguments":"{}"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":1,"id":"f","function":{"name":"f","arguments":""}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":1,"id":"g","function":{"name":"f","arguments":""}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":1,"function":{"arguments":"{}"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":0,"function":{"name":"h","arguments":"{}"}}]}}"#,
      #"{"delta":{},"finish_reason":"tool_calls"}"#,
    ],
    [
      "0 + call f f", "0 {}", "0 -", "1 + call f f", "1 {}", "1 -", "2 + call g f", "2 {}", "2 -",
      "3 + call call_chatcmpl1_3 h", "3 {}", "3 -", "stopped toolCalls", "ended",
    ]
  ),
  (
    "arguments before the name, and as an object",
    [
      #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"{\"a\":"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":0,"function":{"name":"f","arguments":"1}"}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":1,"id":"d","function":{"name":"f","arguments":{"b":1}}}]}}"#,
      #"{"delta":{},"finish_reason":"tool_calls"}"#,
    ],
    [
      "0 + call c f", #"0 {"a":1}"#, "0 -", "1 + call d f", #"1 {"b":1}"#, "1 -",
      "stopped toolCalls", "ended",
    ]
  ),
  (
    "text behind a call; its empty remainders",
    [
      #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}"#,
      #"{"delta":{"content":"a"}}"#,
      #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}}"#,
      #"{"delta":{"tool_calls":[{"index":0,"function":{"arguments":""}}]},"finish_reason":"stop"}"#,
    ],
    ["0 + call c f", "0 {}", "0 -", "1 + text", #"1 "a""#, "1 -", "stopped toolCalls", "ended"]
  ),
]

/// Frames that report an error, and its class.
private let failures: [(String, String)] = [
  (
    #"data: {"error":{"message":"m","type":"requests","code":"rate_limit_exceeded"}}"#,
    "rate_limit_exceeded"
  ),
  (#"data: {"error":{"code":429,"message":"m","metadata":{}}}"#, "429"),
  (#"data: {"id":"x","choices":[],"error":{"code":502,"type":"bad","message":"m"}}"#, "bad"),
  (#"data: {"error":"words"}"#, "server_error"),
  (#"data: {"choices":[{"delta":{},"finish_reason":"error"}]}"#, "server_error"),
  (
    #"data: {"choices":[{"delta":{},"finish_reason":"error","error":{"code":502}}]}"#, "502"
  ),
  (
    #"data: {"object":"error","message":"m","type":"BadRequestError","code":400}"#,
    "BadRequestError"
  ),
  ("event: error\ndata: {\"type\":\"overloaded\"}", "overloaded"),
]

@Suite struct ChatStreamReadTests {
  @Test(arguments: fixtures)
  func `recorded forms become events`(name: String, expected: [String]) throws {
    let events = try Chat.events(Chat.fixture(name))
    #expect(Chat.brief(events) == expected)
    #expect(Chat.breach(events) == nil)
  }

  @Test(arguments: odd)
  func `what servers do beside the document is understood`(
    name: String, choices: [String], expected: [String]
  ) throws {
    let events = try Chat.events(choices: choices)
    #expect(Chat.brief(Array(events.dropFirst(events.isEmpty ? 0 : 1))) == expected, "\(name)")
    #expect(events.isEmpty || Chat.breach(events) == nil)
  }

  @Test(arguments: failures)
  func `errors end the stream`(frame: String, type: String) throws {
    let later = #"data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}"#
    let events = try Chat.events(Array("\(frame)\n\n\(later)\n\n".utf8))
    #expect(events.last == .failed(StreamFailure(type: type)))
    #expect(Chat.breach(events) == nil)
  }

  @Test(arguments: [
    #"{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"more"}}]}}"#,
    #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"arguments":"more"}}]}}"#,
  ])
  func `a call that goes on after its end is a fault`(choice: String) throws {
    let fault = #expect(throws: TranslationFault.self) {
      try Chat.events(choices: [
        #"{"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]}}"#,
        #"{"delta":{"content":"a"}}"#, choice,
      ])
    }
    #expect(fault?.kind == .malformed)
    #expect(fault?.field == "choices[0].delta.tool_calls[0]")
  }

  @Test func `arguments without a name are held to a bound`() throws {
    var reader = ChatStreamReader()
    let megabyte = JSONValue.string(String(repeating: "x", count: 1 << 20))
    let call: JSONValue = ["index": 0, "id": "c", "function": ["arguments": megabyte]]
    let frame: JSONValue = ["choices": [["delta": ["tool_calls": [call]]]]]
    for _ in 0..<8 { #expect(try reader.take(event: nil, data: frame).count < 2) }
    #expect(throws: TranslationFault.self) { try reader.take(event: nil, data: frame) }
  }

  @Test func `an end without a beginning is nothing`() {
    var reader = ChatStreamReader()
    #expect(reader.finish() == [])
  }
}

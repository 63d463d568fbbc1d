import Domain
import Surface
import Testing

@testable import Translation

private let call = ToolCall(id: "call_1", name: "f", arguments: #"{"a": 1}"#)

/// A provider's response and the answer in it.
private struct Given: Sendable, CustomTestStringConvertible {
  let json: String
  let parts: [Part]
  let stop: StopReason
  var testDescription: String { json }

  init(_ json: String, _ parts: [Part], _ stop: StopReason) {
    self.json = json
    self.parts = parts
    self.stop = stop
  }
}

private let message =
  #"{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[],"logprobs":[]}]}"#
private let functionCall =
  #"{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"a\": 1}"}"#

private let given: [Given] = [
  .init(#""status":"completed","output":[\#(message)]"#, [Part(.text("hi"))], .end),
  .init(#""output":[\#(message)]"#, [Part(.text("hi"))], .end),
  .init(
    #""status":"completed","output":[\#(message),\#(functionCall)]"#,
    [Part(.text("hi")), Part(.toolCall(call))], .toolCalls),
  .init(
    #""status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"no"}]}]"#,
    [Part(.refusal("no"))], .refusal),
  .init(
    #""status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[\#(functionCall)]"#,
    [Part(.toolCall(call))], .length),
  .init(
    #""status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[]"#, [],
    .filtered),
  .init(
    #""status":"incomplete","incomplete_details":{"reason":"something_new"},"output":[]"#, [],
    .length),
  .init(#""status":"incomplete","incomplete_details":null,"output":[]"#, [], .length),
  .init(
    #""status":"completed","output":[{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"a"},{"type":"summary_text","text":"b"}],"encrypted_content":"gAAA"},\#(message)]"#,
    [Part(.thinking("a\n\nb"), signature: "responses:rs_1:gAAA"), Part(.text("hi"))], .end),
  .init(
    #""status":"completed","output":[{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA"}]"#,
    [Part(.redactedThinking("responses:rs_1:gAAA"))], .end),
  .init(
    #""status":"completed","output":[{"id":"rs_1","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"raw"}]},{"id":"rs_2","type":"reasoning","summary":[]}]"#,
    [Part(.thinking("raw"))], .end),
  .init(
    #""status":"completed","output":[{"type":"function_call","name":"f","arguments":""},{"type":"new_item"}]"#,
    [Part(.toolCall(ToolCall(id: "call_0", name: "f", arguments: "")))], .toolCalls),
]

/// An answer and the `status`, `incomplete_details`, last item's status.
private let ends: [(StopReason, [Part], String, String?)] = [
  (.end, [Part(.text("a"))], "completed", nil),
  (.sequence("x"), [Part(.text("a"))], "completed", nil),
  (.toolCalls, [Part(.toolCall(call))], "completed", nil),
  (.length, [Part(.text("a"))], "incomplete", "max_output_tokens"),
  (.contextFull, [Part(.toolCall(call))], "incomplete", "max_output_tokens"),
  (.paused, [Part(.text("a"))], "incomplete", "max_output_tokens"),
  (.filtered, [Part(.text("a"))], "incomplete", "content_filter"),
  (.refusal, [Part(.text("a"))], "incomplete", "content_filter"),
  (.refusal, [Part(.refusal("a"))], "completed", nil),
]

@Suite struct ResponsesAnswerTests {
  @Test("a provider's response is read", arguments: given)
  fileprivate func aProvidersResponseIsRead(row: Given) throws {
    let answer = try ResponsesProvider.read(
      try Responses.json(
        #"{"id":"resp_1","created_at":1741476777.0,"model":"gpt-5","usage":null,\#(row.json)}"#))
    #expect(
      answer
        == Answer(
          id: "resp_1", model: "gpt-5", created: 1_741_476_777, parts: row.parts, stop: row.stop,
          usage: .notReported))
  }

  @Test(
    "what is no answer is an upstream fault",
    arguments: [
      ("[]", ""), ("{}", "output"), (#"{"status":"failed","output":[]}"#, "status"),
      (#"{"status":"cancelled","output":[]}"#, "status"),
      (#"{"status":"queued","output":[]}"#, "status"),
      (#"{"status":"in_progress","output":[]}"#, "status"),
      (
        #"{"output":[{"type":"message","content":[{"type":"output_text"}]}]}"#,
        "output[0].content[0].text"
      ),
      (#"{"output":[{"type":"function_call","arguments":"{}"}]}"#, "output[0].name"),
      (#"{"output":[{"type":"function_call","name":"f","arguments":{}}]}"#, "output[0].arguments"),
    ])
  func whatIsNoAnswerIs(json: String, field: String) throws {
    let value = try Responses.json(json)
    let fault = #expect(throws: TranslationFault.self) { try ResponsesProvider.read(value) }
    #expect(fault?.field == field)
    #expect(fault?.kind == .malformed)
  }

  @Test(
    "usage is read as it is",
    arguments: [
      (
        #"{"input_tokens":10,"input_tokens_details":{"cached_tokens":4,"cache_write_tokens":2},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}"#,
        TokenUsage(input: 10, output: 8, cached: 4, reasoning: 5, cacheCreation: 2)
      ),
      (#"{"input_tokens":10,"output_tokens":8}"#, TokenUsage(input: 10, output: 8)),
      (#"{"input_tokens":18446744073709551615,"output_tokens":-1}"#, TokenUsage()),
      (#"{}"#, TokenUsage()), ("null", TokenUsage()), ("7", TokenUsage()),
    ])
  func usageIsReadAsIt(json: String, usage: TokenUsage) throws {
    let answer = try ResponsesProvider.read(
      try Responses.json(#"{"output":[],"usage":\#(json)}"#))
    #expect(answer.usage == usage)
  }

  @Test(
    "usage has all that the SDK demands",
    arguments: [
      (
        TokenUsage(input: 10, output: 8, cached: 4, reasoning: 5, cacheCreation: 2),
        #"{"input_tokens":10,"input_tokens_details":{"cache_write_tokens":2,"cached_tokens":4},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":5},"total_tokens":18}"#
      ),
      (
        TokenUsage(output: 8),
        #"{"input_tokens":0,"input_tokens_details":{"cache_write_tokens":0,"cached_tokens":0},"output_tokens":8,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":8}"#
      ),
      (
        TokenUsage(input: .max, output: .max),
        #"{"input_tokens":4294967296,"input_tokens_details":{"cache_write_tokens":0,"cached_tokens":0},"output_tokens":4294967296,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":8589934592}"#
      ),
      (TokenUsage(), "null"),
    ])
  func usageHasAllThatThe(usage: TokenUsage, json: String) {
    #expect(Responses.text(ResponsesUsage.write(usage)) == json)
  }

  @Test("each reason to stop has its status", arguments: ends)
  func eachReasonToStopHas(
    stop: StopReason, parts: [Part], status: String, reason: String?
  ) {
    let response = ResponsesClient.write(
      Answer(
        id: "", model: "x", parts: [Part(.text("first"))] + parts, stop: stop, usage: TokenUsage()),
      for: Responses.facts())
    #expect(response["status"]?.string == status)
    #expect(response["incomplete_details"]?["reason"]?.string == reason)
    #expect(response["output"]?[0]?["status"] == "completed")
    #expect(response["output"]?[1]?["status"]?.string == status)
  }

  @Test("a whole response says all that clients demand") func aWholeResponseSaysAll() {
    let answer = Answer(
      id: "msg_01", model: "claude", created: 1_780_000_000,
      parts: [
        Part(.thinking("why"), signature: "SIG"), Part(.redactedThinking("RED")),
        Part(.thinking("")), Part(.text("hi"), signature: "TS"), Part(.refusal("no")),
        Part(.toolCall(call), signature: "CS"),
        Part(.toolCall(ToolCall(id: "call_2", name: "g", arguments: ""))),
      ], stop: .toolCalls, usage: TokenUsage(input: 3, output: 4))
    let response = ResponsesClient.write(answer, for: Responses.facts())
    #expect(
      Responses.text(response)
        == #"{"id":"resp_0192","object":"response","created_at":1780000000,"status":"completed","background":false,"completed_at":null,"error":null,"incomplete_details":null,"model":"alias","output":[{"id":"rs_0192_0","type":"reasoning","summary":[{"type":"summary_text","text":"why"}],"encrypted_content":"signalbox.thinking:SIG"},{"id":"rs_0192_1","type":"reasoning","summary":[],"encrypted_content":"signalbox.redacted:RED"},{"id":"msg_0192_2","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"hi","annotations":[],"logprobs":[],"extra_content":{"google":{"thought_signature":"TS"}}}]},{"id":"msg_0192_3","type":"message","status":"completed","role":"assistant","content":[{"type":"refusal","refusal":"no"}]},{"id":"rs_0192_4","type":"reasoning","summary":[],"encrypted_content":"signalbox.call:CS"},{"id":"fc_0192_5","type":"function_call","status":"completed","arguments":"{\"a\": 1}","call_id":"call_1","name":"f"},{"id":"fc_0192_6","type":"function_call","status":"completed","arguments":"{}","call_id":"call_2","name":"g"}],"previous_response_id":null,"store":false,"usage":{"input_tokens":3,"input_tokens_details":{"cache_write_tokens":0,"cached_tokens":0},"output_tokens":4,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":7},"frequency_penalty":0,"instructions":null,"max_output_tokens":null,"max_tool_calls":null,"metadata":{},"parallel_tool_calls":true,"presence_penalty":0,"prompt_cache_key":null,"reasoning":{"effort":null,"summary":null},"safety_identifier":null,"service_tier":"default","temperature":1,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_logprobs":0,"top_p":1,"truncation":"disabled","user":null}"#
    )
  }

  @Test("the request stands in the response") func theRequestStandsInThe() throws {
    let request = try Responses.json(
      #"{"instructions":"be","max_output_tokens":9,"max_tool_calls":2,"metadata":{"a":"b"},"parallel_tool_calls":false,"prompt_cache_key":"k","reasoning":{"effort":"low"},"safety_identifier":"s","service_tier":"flex","store":true,"temperature":0.50,"text":{"verbosity":"low"},"tool_choice":{"type":"function","name":"f"},"tools":[{"type":"function","name":"f","parameters":{"x":1.0}}],"top_logprobs":1,"top_p":0.9,"truncation":null,"user":"u"}"#
    )
    let response = ResponsesClient.write(
      Answer(id: "resp_9", model: "x", parts: [], stop: .end, usage: TokenUsage()),
      for: Responses.facts(request: request))
    #expect(response["id"] == "resp_9")
    #expect(response["created_at"] == 1_790_000_000)
    #expect(response["usage"] == .null)
    for name in [
      "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls",
      "prompt_cache_key", "safety_identifier", "service_tier", "temperature", "tool_choice",
      "top_logprobs", "top_p", "user",
    ] {
      #expect(response[name] == request[name], "\(name)")
    }
    #expect(response["store"] == false)
    #expect(response["truncation"] == "disabled")
    #expect(response["reasoning"] == ["effort": "low", "summary": nil])
    #expect(response["text"] == ["verbosity": "low", "format": ["type": "text"]])
    #expect(
      response["tools"].map(Responses.text)
        == #"[{"type":"function","name":"f","parameters":{"x":1.0},"description":null,"strict":null}]"#
    )
  }

  @Test("an answer sent back is what the model said") func anAnswerSentBackIs() throws {
    let parts = [
      Part(.thinking("why"), signature: "SIG"), Part(.redactedThinking("RED")),
      Part(.text("hi"), signature: "TS"), Part(.refusal("no")),
      Part(.toolCall(call), signature: "CS"),
    ]
    let response = ResponsesClient.write(
      Answer(id: "", model: "x", parts: parts, stop: .toolCalls, usage: TokenUsage()),
      for: Responses.facts())
    let conversation = try ResponsesClient.read(
      ["input": response["output"] ?? .null], model: "m", isStream: false)
    let back = conversation.turns.flatMap(\.parts).map { part in
      Part(part.content, signature: part.signature)
    }
    #expect(back == parts)
    #expect(conversation.settings.isEmpty)
  }
}

import Domain
import Surface
import Testing

@testable import Translation

@Suite struct MessagesAnswerTests {
  @Test func `an answer is read whole`() throws {
    let answer = try MessagesProvider.read(
      MessagesSupport.json(
        #"""
        {"id":"msg_1","type":"message","role":"assistant","model":"claude-opus-5","content":[
          {"type":"thinking","thinking":"hm","signature":"s="},{"type":"redacted_thinking","data":"d"},
          {"type":"text","text":"Hi","citations":null},{"type":"server_tool_use","id":"s","name":"web_search","input":{}},
          {"type":"tool_use","id":"toolu_1","name":"n","input":{"b":9007199254740993, "a":[1.0]}},
          {"type":"tool_use","name":"m"}],
         "stop_reason":"tool_use","stop_sequence":null,
         "usage":{"input_tokens":10,"cache_read_input_tokens":200,"cache_creation_input_tokens":3000,"output_tokens":50,
           "output_tokens_details":{"thinking_tokens":40}}}
        """#))
    #expect(
      answer
        == Answer(
          id: "msg_1", model: "claude-opus-5",
          parts: [
            Part(.thinking("hm"), signature: "s="), Part(.redactedThinking("d")), Part(.text("Hi")),
            Part(
              .toolCall(
                ToolCall(
                  id: "toolu_1", name: "n", arguments: #"{"b":9007199254740993,"a":[1.0]}"#))),
            Part(.toolCall(ToolCall(id: "call_msg_1_4", name: "m", arguments: "{}"))),
          ], stop: .toolCalls,
          usage: TokenUsage(
            input: 3210, output: 50, cached: 200, reasoning: 40, cacheCreation: 3000)))
  }

  @Test(
    arguments: [
      ("end_turn", .end), ("max_tokens", .length), ("tool_use", .toolCalls), ("refusal", .refusal),
      ("stop_sequence", .sequence("X")), ("pause_turn", .paused),
      ("model_context_window_exceeded", .contextFull), ("tired", .end), ("", .end),
    ] as [(String, StopReason)])
  func `reasons are read, unknown ones as an end`(reason: String, stop: StopReason) throws {
    let sequence = reason == "stop_sequence" ? #""X""# : "null"
    let answer = try MessagesProvider.read(
      MessagesSupport.json(
        #"{"content":[],"stop_reason":"\#(reason)","stop_sequence":\#(sequence)}"#))
    #expect(answer == Answer(id: "", model: "", parts: [], stop: stop, usage: .notReported))
  }

  @Test func `an unknown reason after a call waits for its result`() throws {
    let answer = try MessagesProvider.read(
      MessagesSupport.json(
        #"{"content":[{"type":"tool_use","id":"i","name":"n","input":{}}],"stop_reason":"later"}"#))
    #expect(answer.stop == .toolCalls)
  }

  @Test(arguments: [
    "{}", "[]", #"{"content":"x"}"#, #"{"content":[{"type":"tool_use","id":"i"}]}"#,
    #"{"type":"error","error":{"type":"api_error","message":"s3cret"},"content":[]}"#,
  ])
  func `what is no message is a fault`(body: String) throws {
    let body = try MessagesSupport.json(body)
    let fault = #expect(throws: TranslationFault.self) { try MessagesProvider.read(body) }
    #expect(fault?.kind == .malformed)
    #expect(fault.map { "\($0)".contains("s3cret") } == false)
  }

  @Test func `an answer is written whole`() {
    let answer = Answer(
      id: "chatcmpl-1", model: "gpt",
      parts: [
        Part(.thinking("hm")), Part(.redactedThinking("d")), Part(.text("Hi"), signature: "T="),
        Part(
          .toolCall(ToolCall(id: "call_1", name: "n", arguments: #"{"a": 1.0}"#)), signature: "C="),
        Part(.toolCall(ToolCall(id: "call_2", name: "m", arguments: ""))),
      ], stop: .end,
      usage: TokenUsage(input: 3210, output: 50, cached: 200, reasoning: 40, cacheCreation: 3000))
    #expect(
      MessagesSupport.text(MessagesClient.write(answer, for: MessagesSupport.facts()))
        == #"{"id":"msg_own","type":"message","role":"assistant","model":"asked","content":["#
        + #"{"type":"thinking","thinking":"hm","signature":""},{"type":"redacted_thinking","data":"d"},"#
        + #"{"type":"text","text":"Hi"},{"type":"thinking","thinking":"","signature":"signalbox.text:T="},"#
        + #"{"type":"thinking","thinking":"","signature":"signalbox.call:C="},"#
        + #"{"type":"tool_use","id":"call_1","name":"n","input":{"a":1.0}},"#
        + #"{"type":"tool_use","id":"call_2","name":"m","input":{}}],"#
        + #""stop_reason":"tool_use","stop_sequence":null,"stop_details":null,"#
        + #""usage":{"input_tokens":10,"cache_creation_input_tokens":3000,"cache_read_input_tokens":200,"#
        + #""output_tokens":50,"output_tokens_details":{"thinking_tokens":40}}}"#)
  }

  @Test(
    arguments: [
      (.end, "end_turn"), (.length, "max_tokens"), (.toolCalls, "tool_use"),
      (.sequence("X"), "stop_sequence"), (.sequence(nil), "stop_sequence"), (.refusal, "refusal"),
      (.filtered, "refusal"), (.contextFull, "model_context_window_exceeded"),
      (.paused, "pause_turn"),
    ] as [(StopReason, String)])
  func `reasons are written`(stop: StopReason, reason: String) {
    let message = MessagesClient.write(
      Answer(id: "msg_1", model: "", parts: [], stop: stop, usage: .notReported),
      for: MessagesSupport.facts(id: "1"))
    #expect(message["id"] == "msg_1")
    #expect(message["stop_reason"]?.string == reason)
    #expect(message["stop_sequence"] == (stop == .sequence("X") ? "X" : .null))
    #expect(
      message["stop_details"]
        == (reason == "refusal"
          ? ["type": "refusal", "category": nil, "explanation": nil] : .null))
    // Figures that SDKs demand, and nothing where none was reported.
    #expect(
      message["usage"] == [
        "input_tokens": 0, "cache_creation_input_tokens": nil, "cache_read_input_tokens": nil,
        "output_tokens": 0,
      ])
  }

  @Test func `words of refusal are text, and the reason says so`() {
    let message = MessagesClient.write(
      Answer(id: "", model: "", parts: [Part(.refusal("No."))], stop: .end, usage: .notReported),
      for: MessagesSupport.facts(id: "7"))
    #expect(message["id"] == "msg_7")
    #expect(message["content"] == [["type": "text", "text": "No."]])
    #expect(message["stop_reason"] == "refusal")
  }

  @Test func `parts that exceed their sum leave no input`() {
    let usage = MessagesUsage(TokenUsage(input: 10, cached: 7, cacheCreation: 4))
    #expect(usage.input == 0)
  }

  @Test(arguments: [
    #"{"input_tokens":4294967297}"#, #"{"input_tokens":-1}"#, #"{"input_tokens":"7"}"#,
    #"{"output_tokens":null}"#, "[]",
  ])
  func `figures beyond all measure are none`(report: String) throws {
    var usage = MessagesUsage()
    usage.take(try MessagesSupport.json(report))
    #expect(usage.tokens == .notReported)
  }

  @Test func `what was written is read again`() throws {
    let answer = Answer(
      id: "msg_1", model: "asked",
      parts: [
        Part(.thinking("hm"), signature: "s"), Part(.text("Hi")),
        Part(.toolCall(ToolCall(id: "c", name: "n", arguments: #"{"a":1}"#))),
      ], stop: .toolCalls, usage: TokenUsage(input: 9, output: 8, cached: 7, reasoning: 6))
    #expect(
      try MessagesProvider.read(MessagesClient.write(answer, for: MessagesSupport.facts()))
        == answer)
  }
}

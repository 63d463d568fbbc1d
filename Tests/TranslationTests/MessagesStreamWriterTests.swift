import Domain
import Surface
import Testing

@testable import Translation

@Suite struct MessagesStreamWriterTests {
  /// Each frame as its data; that the name is the data's type is checked on the way.
  private func frames(_ events: [StreamEvent]) throws -> [String] {
    try MessagesSupport.frames(MessagesSupport.written(events)).map { frame in
      #expect(frame.event == frame.data["type"]?.string)
      return MessagesSupport.text(frame.data)
    }
  }

  private let began = StreamEvent.began(id: "chatcmpl-1", model: "gpt", created: 3)
  private let start =
    #"{"type":"message_start","message":{"id":"msg_own","type":"message","role":"assistant","model":"asked","content":[],"stop_reason":null,"stop_sequence":null,"stop_details":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":0}}}"#

  private func open(_ index: Int, _ block: String) -> String {
    #"{"type":"content_block_start","index":\#(index),"content_block":\#(block)}"#
  }
  private func delta(_ index: Int, _ delta: String) -> String {
    #"{"type":"content_block_delta","index":\#(index),"delta":\#(delta)}"#
  }
  private func close(_ index: Int) -> String { #"{"type":"content_block_stop","index":\#(index)}"# }
  private func end(_ reason: String, _ usage: String) -> [String] {
    [
      #"{"type":"message_delta","delta":{"stop_reason":"\#(reason)","stop_sequence":null,"stop_details":null},"usage":{\#(usage)}}"#,
      #"{"type":"message_stop"}"#,
    ]
  }
  private let noUsage =
    #""input_tokens":0,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":0"#

  @Test func `bytes are named frames, one line of data each`() {
    #expect(
      String(decoding: MessagesSupport.written([.failed(StreamFailure(type: "x"))]), as: UTF8.self)
        == "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"The provider failed while it was answering.\"}}\n\n"
    )
  }

  @Test func `thoughts, text and a call are blocks one after another`() throws {
    #expect(
      try frames([
        began, .opened(0, .thinking), .piece(0, .text("hm")), .piece(0, .signature("s=")),
        .closed(0), .opened(1, .redactedThinking("d")), .closed(1), .opened(2, .text),
        .piece(2, .text("Hi\u{2028}\n")), .closed(2),
        .opened(3, .toolCall(id: "call_1", name: "n", signature: nil)),
        .piece(3, .arguments(#"{"a":"#)), .piece(3, .arguments("1}")), .closed(3),
        .stopped(.toolCalls),
        .usage(TokenUsage(input: 9, output: 5, cached: 4, reasoning: 2)), .ended,
      ]) == [
        start, open(0, #"{"type":"thinking","thinking":"","signature":""}"#),
        delta(0, #"{"type":"thinking_delta","thinking":"hm"}"#),
        delta(0, #"{"type":"signature_delta","signature":"s="}"#), close(0),
        open(1, #"{"type":"redacted_thinking","data":"d"}"#), close(1),
        open(2, #"{"type":"text","text":""}"#),
        delta(2, "{\"type\":\"text_delta\",\"text\":\"Hi\u{2028}\\n\"}"), close(2),
        open(3, #"{"type":"tool_use","id":"call_1","name":"n","input":{}}"#),
        delta(3, #"{"type":"input_json_delta","partial_json":"{\"a\":"}"#),
        delta(3, #"{"type":"input_json_delta","partial_json":"1}"}"#), close(3),
      ]
        + end(
          "tool_use",
          #""input_tokens":5,"cache_creation_input_tokens":null,"cache_read_input_tokens":4,"output_tokens":5,"output_tokens_details":{"thinking_tokens":2}"#
        ))
  }

  @Test func `calls side by side are written one after the other`() throws {
    let call = { (id: String) in #"{"type":"tool_use","id":"\#(id)","name":"n","input":{}}"# }
    let json = { (text: String) in #"{"type":"input_json_delta","partial_json":"\#(text)"}"# }
    #expect(
      try frames([
        began, .opened(0, .toolCall(id: "a", name: "n", signature: nil)),
        .opened(1, .toolCall(id: "b", name: "n", signature: nil)), .piece(1, .arguments("1")),
        .piece(0, .arguments("0")), .piece(1, .arguments("2")), .closed(1),
        .opened(2, .toolCall(id: "c", name: "n", signature: nil)), .piece(0, .arguments("3")),
        .closed(0), .piece(2, .arguments("4")), .closed(2), .stopped(.end), .ended,
      ]) == [
        start, open(0, call("a")), delta(0, json("0")), delta(0, json("3")), close(0),
        open(1, call("b")), delta(1, json("12")), close(1), open(2, call("c")),
        delta(2, json("4")), close(2),
      ] + end("tool_use", noUsage))
  }

  @Test func `another provider's signatures go as thoughts beside their part`() throws {
    let thought = #"{"type":"thinking","thinking":"","signature":""}"#
    #expect(
      try frames([
        began, .opened(0, .text), .piece(0, .signature("T=")), .piece(0, .text("x")), .closed(0),
        .opened(1, .toolCall(id: "a", name: "n", signature: "C=")), .piece(1, .arguments("{}")),
        .closed(1), .stopped(.toolCalls), .ended,
      ]) == [
        start, open(0, #"{"type":"text","text":""}"#),
        delta(0, #"{"type":"text_delta","text":"x"}"#), close(0), open(1, thought),
        delta(1, #"{"type":"signature_delta","signature":"signalbox.text:T="}"#), close(1),
        open(2, thought),
        delta(2, #"{"type":"signature_delta","signature":"signalbox.call:C="}"#), close(2),
        open(3, #"{"type":"tool_use","id":"a","name":"n","input":{}}"#),
        delta(3, #"{"type":"input_json_delta","partial_json":"{}"}"#), close(3),
      ] + end("tool_use", noUsage))
  }

  @Test(arguments: [
    (#"{}"#, false, true), (#"{"thinking":{"type":"disabled"}}"#, false, true),
    (#"{"thinking":{"type":"enabled"}}"#, true, true),
    (#"{"tool_choice":{"type":"auto"}}"#, false, true),
    (#"{"tool_choice":{"type":"tool","name":"n"}}"#, false, false),
    (#"{"tool_choice":{"type":"any"}}"#, false, false),
    (#"{"tool_choice":{"type":"any"},"thinking":{"type":"adaptive"}}"#, true, true),
  ])
  func `who did not ask for thoughts finds text and call where they used to be`(
    request: String, hasTexts: Bool, hasCalls: Bool
  ) throws {
    let facts = MessagesSupport.facts(request: try MessagesSupport.json(request))
    let answer = Answer(
      id: "", model: "",
      parts: [
        Part(.text("x"), signature: "T="),
        Part(.toolCall(ToolCall(id: "a", name: "n", arguments: "{}")), signature: "C="),
      ], stop: .toolCalls, usage: .notReported)
    let expected =
      ["text"] + (hasTexts ? ["thinking"] : []) + (hasCalls ? ["thinking"] : []) + ["tool_use"]
    let blocks = MessagesClient.write(answer, for: facts)["content"]?.array ?? []
    #expect(blocks.map { $0["type"]?.string } == expected)
    let events: [StreamEvent] = [
      began, .opened(0, .text), .piece(0, .text("x")), .piece(0, .signature("T=")), .closed(0),
      .opened(1, .toolCall(id: "a", name: "n", signature: "C=")), .piece(1, .arguments("{}")),
      .closed(1), .stopped(.toolCalls), .ended,
    ]
    let streamed = try MessagesSupport.frames(MessagesSupport.written(events, facts: facts))
      .compactMap { $0.data["content_block"]?["type"]?.string }
    #expect(streamed == expected)
  }

  @Test func `a refusal is text with its own reason`() throws {
    let frames = try frames([
      began, .opened(0, .refusal), .piece(0, .text("No.")), .closed(0), .stopped(.end), .ended,
    ])
    #expect(
      frames.suffix(5) == [
        open(0, #"{"type":"text","text":""}"#), delta(0, #"{"type":"text_delta","text":"No."}"#),
        close(0),
        #"{"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null,"stop_details":{"type":"refusal","category":null,"explanation":null}},"usage":{\#(noUsage)}}"#,
        #"{"type":"message_stop"}"#,
      ])
  }

  @Test func `an answer of nothing has no block`() throws {
    #expect(try frames([began, .stopped(.end), .ended]) == [start] + end("end_turn", noUsage))
  }

  @Test func `a failure ends the stream, and nothing follows`() throws {
    #expect(
      try frames([
        began, .opened(0, .text), .piece(0, .text("x")),
        .failed(StreamFailure(type: "UNAVAILABLE")),
        .closed(0), .stopped(.end), .ended, .failed(StreamFailure(type: "x")),
      ]) == [
        start, open(0, #"{"type":"text","text":""}"#),
        delta(0, #"{"type":"text_delta","text":"x"}"#),
        #"{"type":"error","error":{"type":"overloaded_error","message":"The provider is overloaded."}}"#,
      ])
  }

  @Test func `how many wait is bounded`() {
    var writer = MessagesStreamWriter(for: MessagesSupport.facts())
    var bytes: [UInt8] = []
    writer.write(began, into: &bytes)
    for part in 0..<1024 {
      writer.write(
        .opened(part, .toolCall(id: "\(part)", name: "n", signature: nil)), into: &bytes)
    }
    #expect(!writer.isFull)
    writer.write(.opened(1024, .text), into: &bytes)
    #expect(writer.isFull)
  }

  @Test func `what waits is bounded`() {
    var writer = MessagesStreamWriter(for: MessagesSupport.facts())
    var bytes: [UInt8] = []
    writer.write(began, into: &bytes)
    for part in 0..<2 {
      writer.write(
        .opened(part, .toolCall(id: "\(part)", name: "n", signature: nil)), into: &bytes)
    }
    // In small pieces, as calls come: what they cost must not grow with what is held.
    let piece = String(repeating: "x", count: 64)
    for _ in 0..<(8 << 20) / 64 { writer.write(.piece(1, .arguments(piece)), into: &bytes) }
    #expect(!writer.isFull)
    writer.write(.piece(1, .arguments("x")), into: &bytes)
    #expect(writer.isFull)
  }
}

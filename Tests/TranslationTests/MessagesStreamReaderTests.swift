import Domain
import Surface
import Testing

@testable import Translation

/// A stream of Fixtures/streams/messages and the events in it.
struct MessagesStream: Sendable, CustomTestStringConvertible {
  let name: String
  let events: [StreamEvent]
  var testDescription: String { name }
}

private func began(_ id: String, _ model: String = "claude-sonnet-4-5-20250929") -> StreamEvent {
  .began(id: id, model: model, created: nil)
}

private func usage(_ input: UInt64, _ output: UInt64) -> StreamEvent {
  .usage(TokenUsage(input: input, output: output, cached: 0, cacheCreation: 0))
}

private let streams: [MessagesStream] = [
  .init(
    name: "text",
    events: [
      began("msg_01Lantern"), usage(14, 1), .opened(0, .text), .piece(0, .text("The lamp ")),
      .piece(0, .text("is “green”.\n")), .closed(0), usage(14, 9), .stopped(.end), .ended,
    ]),
  .init(
    name: "tool",
    events: [
      began("msg_01Points"), usage(402, 3), .opened(0, .text), .piece(0, .text("I look it up.")),
      .closed(0), .opened(1, .toolCall(id: "toolu_01Yard", name: "next_train", signature: nil)),
      .piece(1, .arguments(#"{"platform""#)),
      .piece(1, .arguments(#": 4, "run": 9007199254740993"#)),
      .piece(1, .arguments("}")), .closed(1), usage(402, 61), .stopped(.toolCalls), .ended,
    ]),
  .init(
    name: "parallel-tools",
    events: [
      began("msg_01Junction"), usage(410, 2),
      .opened(0, .toolCall(id: "toolu_01Up", name: "clock", signature: nil)),
      .piece(0, .arguments("{}")), .closed(0),
      .opened(1, .toolCall(id: "toolu_01Down", name: "next_train", signature: nil)),
      .piece(1, .arguments(#"{"platform":"#)), .piece(1, .arguments(#""2b"}"#)), .closed(1),
      usage(410, 88), .stopped(.toolCalls), .ended,
    ]),
  .init(
    name: "thinking",
    events: [
      began("msg_01Thought", "claude-opus-5"), usage(77, 5), .opened(0, .thinking),
      .piece(0, .text("Two trains, ")), .piece(0, .text("one track.")),
      .piece(0, .signature("RXhhbXBsZVNpZ25hdHVyZQ==")), .closed(0),
      .opened(1, .redactedThinking("RXhhbXBsZVJlZGFjdGVk")), .closed(1), .opened(2, .text),
      .piece(2, .text("Hold the second.")), .closed(2),
      .usage(
        TokenUsage(input: 77, output: 140, cached: 0, reasoning: 118, cacheCreation: 0)),
      .stopped(.end), .ended,
    ]),
  .init(
    name: "cached",
    events: [
      began("msg_01Cached"),
      .usage(TokenUsage(input: 53_260, output: 1, cached: 51_200, cacheCreation: 2048)),
      .opened(0, .text), .piece(0, .text("Ready")), .closed(0),
      .usage(TokenUsage(input: 53_260, output: 4, cached: 51_200, cacheCreation: 2048)),
      .stopped(.sequence("HALT")), .ended,
    ]),
  .init(
    name: "refusal",
    events: [
      began("msg_01Refused", "claude-opus-5-5"), usage(33, 1), .opened(0, .text),
      .piece(0, .text("No")), .closed(0), usage(33, 2), .stopped(.refusal), .ended,
    ]),
  .init(
    name: "error",
    events: [
      began("msg_01Broken"), usage(21, 1), .opened(0, .text), .piece(0, .text("Half a")),
      .failed(StreamFailure(type: "overloaded_error")),
    ]),
  .init(
    name: "cut",
    events: [
      began("msg_01Cut"), usage(21, 1), .opened(0, .text), .piece(0, .text("Half a")),
      .piece(0, .text(" sen")),
    ]),
  .init(
    name: "empty", events: [began("msg_01Empty"), usage(9, 1), .stopped(.end), .ended]),
  .init(
    name: "lenient",
    events: [
      began("", "other-model"), .opened(0, .thinking), .piece(0, .text("hm")), .closed(0),
      .opened(1, .text), .piece(1, .text("Go")), .closed(1),
      .opened(2, .toolCall(id: "call__2", name: "set_points", signature: nil)),
      .piece(2, .arguments(#"{"to":"left"}"#)), .closed(2),
      .usage(TokenUsage(input: 31, output: 17)), .stopped(.toolCalls),
      .ended,
    ]),
  .init(
    name: "server-tools",
    events: [
      began("msg_01Server"), usage(21, 1), .opened(0, .text), .piece(0, .text("Found.")),
      .closed(0), usage(21, 20), .stopped(.end), .ended,
    ]),
]

@Suite struct MessagesStreamReaderTests {
  @Test(arguments: streams)
  func `a provider's stream becomes events`(_ stream: MessagesStream) throws {
    let events = try MessagesSupport.events(try MessagesSupport.fixture(stream.name))
    #expect(events == stream.events)
    #expect(MessagesSupport.breach(events) == nil)
  }

  private func read(_ frames: String...) throws -> [StreamEvent] {
    var reader = MessagesStreamReader()
    var events: [StreamEvent] = []
    for frame in frames { events += try reader.take(event: nil, data: MessagesSupport.json(frame)) }
    return events + reader.finish()
  }

  @Test func `an error may be all there is`() throws {
    #expect(
      try read(#"{"type":"error","error":{"type":"rate_limit_error","message":"s3cret"}}"#)
        == [began("", ""), .failed(StreamFailure(type: "rate_limit_error"))])
    var reader = MessagesStreamReader()
    // A name that only the frame has.
    #expect(
      try reader.take(event: "error", data: [:])
        == [began("", ""), .failed(StreamFailure(type: "api_error"))])
    #expect(try reader.take(event: "message_start", data: ["message": [:]]).isEmpty)
  }

  @Test func `a second start and what follows the end are ignored`() throws {
    #expect(
      try read(
        #"{"type":"message_start","message":{"id":"a","model":"m"}}"#,
        #"{"type":"message_start","message":{"id":"b","model":"m"}}"#,
        #"{"type":"message_delta","delta":{"stop_reason":"max_tokens"}}"#,
        #"{"type":"message_delta","delta":{},"usage":{"output_tokens":3}}"#,
        #"{"type":"message_stop"}"#, #"{"type":"message_stop"}"#,
        #"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}"#)
        == [began("a", "m"), .usage(TokenUsage(output: 3)), .stopped(.length), .ended])
  }

  @Test func `of two signatures the last one counts`() throws {
    let events = try read(
      #"{"type":"message_start","message":{}}"#,
      #"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"a","signature":"1"}}"#,
      #"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"2"}}"#,
      #"{"type":"content_block_stop","index":0}"#)
    #expect(events.suffix(2) == [.piece(0, .signature("2")), .closed(0)])
  }

  @Test(arguments: [
    #"{"type":"message_start"}"#, #"{"type":"content_block_start","index":0}"#,
    #"{"type":"content_block_start","content_block":{"type":"text"}}"#,
    #"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"i"}}"#,
    #"{"type":"content_block_delta","index":0}"#,
    #"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"s3cret"}}"#,
  ])
  func `a frame that cannot be understood is a fault`(frame: String) throws {
    let fault = #expect(throws: TranslationFault.self) { try read(frame) }
    #expect(fault?.kind == .malformed)
    #expect(fault.map { "\($0)".contains("s3cret") } == false)
  }
}

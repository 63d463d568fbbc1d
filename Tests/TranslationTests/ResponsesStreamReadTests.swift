import Domain
import Support
import Surface
import Testing

@testable import Translation

private let began = StreamEvent.began(id: "resp_a1", model: "gpt-5.1", created: 1_741_476_542)

private func toolCall(_ part: Int, _ id: String, _ name: String) -> StreamEvent {
  .opened(part, .toolCall(id: id, name: name, signature: nil))
}

/// Frames after `response.created`, one a line, and what is read of them.
private struct Odd: Sendable, CustomTestStringConvertible {
  let name: String
  let lines: String
  let events: [StreamEvent]
  var testDescription: String { name }

  init(_ name: String, _ lines: String, _ events: [StreamEvent]) {
    self.name = name
    self.lines = lines
    self.events = events
  }
}

private let end: [StreamEvent] = [.stopped(.end), .ended]
private let wholeMessage =
  #"{"type":"message","id":"m","content":[{"type":"output_text","text":"hi"},{"type":"refusal","refusal":"no"}]}"#
private let wholeCall =
  #"{"type":"function_call","call_id":"c","name":"f","arguments":"{\"a\":1}"}"#
private let completed = #"{"type":"response.completed","response":{"status":"completed"}}"#

private let odd: [Odd] = [
  .init(
    "nothing but the end",
    #"{"type":"response.completed","response":{"status":"completed","output":[\#(wholeMessage),\#(wholeCall)]}}"#,
    [
      .opened(0, .text), .piece(0, .text("hi")), .closed(0), .opened(1, .refusal),
      .piece(1, .text("no")),
      .closed(1), toolCall(2, "c", "f"), .piece(2, .arguments(#"{"a":1}"#)), .closed(2),
      .stopped(.toolCalls), .ended,
    ]),
  .init(
    "items without deltas",
    """
    {"type":"response.output_item.done","output_index":0,"item":\(wholeMessage)}
    {"type":"response.output_item.done","output_index":1,"item":\(wholeCall)}
    {"type":"response.completed","response":{"status":"completed","output":[\(wholeMessage),\(wholeCall)]}}
    """,
    [
      .opened(0, .text), .piece(0, .text("hi")), .closed(0), .opened(1, .refusal),
      .piece(1, .text("no")), .closed(1), toolCall(2, "c", "f"),
      .piece(2, .arguments(#"{"a":1}"#)), .closed(2), .stopped(.toolCalls), .ended,
    ]),
  .init(
    "deltas without anything around",
    """
    {"type":"response.output_text.delta","item_id":"m","delta":"a"}
    {"type":"response.output_text.delta","item_id":"m","delta":""}
    {"type":"response.output_text.delta","item_id":"m","delta":"b"}
    \(completed)
    """, [.opened(0, .text), .piece(0, .text("a")), .piece(0, .text("b")), .closed(0)] + end),
  .init(
    "ids that change",
    """
    {"type":"response.output_item.added","output_index":0,"item":{"id":"x1","type":"message"}}
    {"type":"response.output_text.delta","output_index":0,"item_id":"x2","content_index":0,"delta":"a"}
    {"type":"response.output_item.done","output_index":0,"item":{"id":"x3","type":"message","content":[{"type":"output_text","text":"a"}]}}
    \(completed)
    """, [.opened(0, .text), .piece(0, .text("a")), .closed(0)] + end),
  .init(
    "a call named only at its end",
    """
    {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c"}}
    {"type":"response.function_call_arguments.delta","output_index":0,"delta":"{\\"a\\""}
    {"type":"response.output_item.done","output_index":0,"item":\(wholeCall)}
    \(completed)
    """,
    [
      toolCall(0, "c", "f"), .piece(0, .arguments(#"{"a":1}"#)), .closed(0), .stopped(.toolCalls),
      .ended,
    ]),
  .init(
    "a call without ids, its arguments whole",
    """
    {"type":"response.output_item.added","output_index":4,"item":{"type":"function_call","name":"f"}}
    {"type":"response.function_call_arguments.done","output_index":4,"arguments":"{}"}
    {"type":"response.output_item.done","output_index":4,"item":{"type":"function_call","name":"f","arguments":"{}"}}
    {"type":"response.output_item.done","output_index":4,"item":{"type":"function_call","name":"f","arguments":"{}"}}
    \(completed)
    """,
    [
      toolCall(0, "call_0", "f"), .piece(0, .arguments("{}")), .closed(0), .stopped(.toolCalls),
      .ended,
    ]),
  .init(
    "a summary and thoughts that say the same",
    """
    {"type":"response.reasoning_text.delta","output_index":0,"content_index":0,"delta":"t"}
    {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"s"}
    {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"s"}]}}
    \(completed)
    """, [.opened(0, .thinking), .piece(0, .text("t")), .closed(0)] + end),
  .init(
    "thoughts told only at the end",
    """
    {"type":"response.output_item.done","output_index":0,"item":{"type":"reasoning","id":"r","summary":[{"type":"summary_text","text":"s"}],"encrypted_content":"E"}}
    \(completed)
    """,
    [
      .opened(0, .thinking), .piece(0, .text("s")), .piece(0, .signature("responses:r:E")),
      .closed(0),
    ] + end),
  .init(
    "thoughts told whole in sections",
    """
    {"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":0,"text":"a"}
    {"type":"response.reasoning_summary_text.done","output_index":0,"summary_index":1,"text":"b"}
    \(completed)
    """,
    [.opened(0, .thinking), .piece(0, .text("a")), .piece(0, .text("\n\nb")), .closed(0)] + end),
  .init(
    "a text while a call is open",
    """
    {"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}
    {"type":"response.output_text.delta","output_index":1,"delta":"a"}
    \(completed)
    """,
    [
      toolCall(0, "c", "f"), .closed(0), .opened(1, .text), .piece(1, .text("a")), .closed(1),
      .stopped(.toolCalls), .ended,
    ]),
  .init(
    "an end that is none",
    #"{"type":"response.completed","response":{"status":"failed","error":{"code":"rate_limit_exceeded"}}}"#,
    [.failed(StreamFailure(type: "rate_limit_exceeded"))]),
  .init(
    "a failed response",
    #"{"type":"response.failed","response":{"error":{"code":"server_error","message":"m"}}}"#,
    [.failed(StreamFailure(type: "server_error"))]),
  .init(
    "a flat error", #"{"type":"error","code":"rate_limit_exceeded","message":"m","param":null}"#,
    [.failed(StreamFailure(type: "rate_limit_exceeded"))]),
  .init(
    "a flat error without a code", #"{"type":"error","code":null,"message":"m"}"#,
    [.failed(StreamFailure(type: "server_error"))]),
  .init(
    "an error without a type", #"{"error":{"type":"overloaded_error","code":null,"message":"m"}}"#,
    [.failed(StreamFailure(type: "overloaded_error"))]),
  .init(
    "an error with words for a code", #"{"type":"error","error":{"code":"a b: \u0007c"}}"#,
    [.failed(StreamFailure(type: "a"))]),
  .init(
    "frames after the end", "\(completed)\n\(completed)\n" + #"{"type":"error","code":"x"}"#, end),
]

@Suite struct ResponsesStreamReadTests {
  @Test("recorded streams are read", arguments: responsesRecorded)
  func recordedStreamsAreRead(name: String, events: [StreamEvent]) throws {
    let found = try Responses.events(try Responses.fixture("provider-\(name).sse"))
    #expect(found == events)
    #expect(Responses.brokenPromise(found) == nil)
  }

  @Test("odd providers are understood", arguments: odd)
  fileprivate func oddProvidersAreUnderstood(row: Odd) throws {
    var reader = ResponsesStreamReader()
    let created = try Responses.json(
      #"{"type":"response.created","response":{"id":"resp_a1","model":"gpt-5.1","created_at":1741476542}}"#
    )
    var events = try reader.take(event: nil, data: created)
    for line in row.lines.split(separator: "\n") {
      events += try reader.take(event: nil, data: try Responses.json(String(line)))
    }
    events += reader.finish()
    #expect(events == [began] + row.events)
    #expect(Responses.brokenPromise(events) == nil)
  }

  @Test("the frame's name counts where its data has no type") func theFramesNameCountsWhere() throws
  {
    var reader = ResponsesStreamReader()
    let events = try reader.take(event: "response.output_text.delta", data: ["delta": "a"])
    #expect(
      events == [
        .began(id: "", model: "", created: nil), .opened(0, .text), .piece(0, .text("a")),
      ])
  }

  @Test(
    "frames of a wrong form are faults",
    arguments: [
      "[]", "7", #"{"type":"response.output_text.delta","delta":7}"#,
      #"{"type":"response.function_call_arguments.delta"}"#,
      #"{"type":"response.output_item.done","item":{"type":"function_call"}}"#,
    ])
  func framesOfAWrongForm(frame: String) throws {
    var reader = ResponsesStreamReader()
    let data = try Responses.json(frame)
    #expect(throws: TranslationFault.self) { try reader.take(event: nil, data: data) }
  }

  @Test("a call that goes on beside a text is a fault") func aCallThatGoesOn() throws {
    var reader = ResponsesStreamReader()
    for line in [
      #"{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","call_id":"c","name":"f"}}"#,
      #"{"type":"response.output_text.delta","output_index":1,"delta":"a"}"#,
    ] {
      _ = try reader.take(event: nil, data: try Responses.json(line))
    }
    let data = try Responses.json(
      #"{"type":"response.function_call_arguments.delta","output_index":0,"delta":"{}"}"#)
    #expect(throws: TranslationFault.self) { try reader.take(event: nil, data: data) }
  }

  /// Providers leave frames out and send some twice: of a recorded stream any selection in order keeps the promise.
  @Test("whatever is missing, the promise holds", arguments: responsesRecorded.map(\.name))
  func whateverIsMissingThePromise(name: String) throws {
    let frames = try Responses.frames(try Responses.fixture("provider-\(name).sse"))
    var random = SeededRandom(seed: .random(in: 0 ... .max))
    for _ in 0..<300 {
      var reader = ResponsesStreamReader()
      var events: [StreamEvent] = []
      do throws(TranslationFault) {
        for frame in frames where !random.oneIn(4) {
          for _ in 0..<(random.oneIn(10) ? 2 : 1) {
            events += try reader.take(event: frame.event, data: frame.data)
          }
        }
        events += reader.finish()
      } catch {
        // A call that goes on where it was closed: a fault is the right end.
      }
      #expect(Responses.brokenPromise(events) == nil, "seed \(random.seed)")
    }
  }
}

import Domain
import Foundation
import Surface
import Testing

@testable import Translation

/// What the tests of one protocol share.
enum GeminiTest {
  /// The JSON of a text.
  static func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  /// What a client's body says.
  static func read(_ body: String, model: String = "m") throws -> Conversation {
    try GeminiClient.read(try json(body), model: model, isStream: false)
  }

  /// Reads contents with one user turn before `rest`, the other members of the body.
  static func readSettings(_ rest: String) throws -> Conversation {
    try read(#"{"contents":[{"parts":[{"text":"hi"}]}],\#(rest)}"#)
  }

  /// What a client's body is refused for; nil: it is not.
  static func refusal(_ body: String) throws -> TranslationFault? {
    let body = try json(body)
    do throws(TranslationFault) {
      _ = try GeminiClient.read(body, model: "m", isStream: false)
      return nil
    } catch {
      return error
    }
  }

  /// The body for a conversation of one user turn, changed by `change`.
  static func write(
    model: String = "gemini-3-flash", _ change: (inout Conversation) -> Void
  ) throws -> JSONValue {
    try GeminiProvider.write(conversation(model: model, change))
  }

  /// What a conversation is refused for; nil: it is not.
  static func refusal(
    model: String = "gemini-3-flash", _ change: (inout Conversation) -> Void
  ) -> TranslationFault? {
    do throws(TranslationFault) {
      _ = try GeminiProvider.write(conversation(model: model, change))
      return nil
    } catch {
      return error
    }
  }

  private static func conversation(
    model: String, _ change: (inout Conversation) -> Void
  ) -> Conversation {
    var conversation = Conversation(model: model)
    conversation.turns = [Turn(.user, [Part(.text("hi"))], field: "messages[0]")]
    change(&conversation)
    return conversation
  }

  /// The facts of a request.
  static let facts = AnswerFacts(
    model: "asked", id: "minted", now: 7, includesUsage: false, request: .object([]))

  /// Frames of a stream under Fixtures/streams/gemini.
  static func fixture(_ name: String) throws -> [JSONValue] {
    let file = URL(filePath: #filePath)
      .appending(path: "../../../Fixtures/streams/gemini/\(name).sse").standardizedFileURL
    return try frames([UInt8](Data(contentsOf: file)))
  }

  /// The data of a stream's frames.
  static func frames(_ stream: [UInt8]) throws -> [JSONValue] {
    var framer = SSEFramer(maximumFrameBytes: 1 << 20)
    var data: [[UInt8]] = []
    try stream.withUnsafeBytes { bytes in
      try framer.append(bytes) { frame in
        if let text = frame.data { data.append([UInt8](text)) }
      }
    }
    #expect(framer.finish { _ in } == 0, "the stream ends within a frame")
    return try data.map { try JSONValue.parse($0) }
  }

  /// All events of a stream that came to its end.
  static func events(_ frames: [JSONValue]) throws -> [StreamEvent] {
    var reader = GeminiStreamReader()
    var events: [StreamEvent] = []
    for frame in frames { events += try reader.take(event: nil, data: frame) }
    return events + reader.finish()
  }

  /// The stream for events.
  static func stream(
    _ events: [StreamEvent], as form: GeminiStreamWriter.Form = .events
  ) -> String {
    var writer = GeminiStreamWriter(for: facts, as: form)
    var bytes: [UInt8] = []
    for event in events { writer.write(event, into: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }
}

import Surface

@testable import Translation

/// What the tests of chat share.
enum Chat {
  static let facts = AnswerFacts(
    model: "asked", id: "chatcmpl-ours", now: 1_700_000_000, includesUsage: true, request: [:])

  /// A request's messages that say as little as they can, and the turn that they are.
  static let hello = #""messages":[{"role":"user","content":"hi"}]"#
  static let helloTurn = Turn(
    .user, [Part(.text("hi"), field: "messages[0].content")], field: "messages[0]")

  static func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  static func text(_ value: JSONValue) -> String { String(decoding: value.bytes, as: UTF8.self) }

  /// One line of JSON text, whatever its layout.
  static func line(_ text: String) throws -> String { Self.text(try json(text)) }
}

import Domain
import Foundation
import Surface

@testable import Translation

/// What several suites of Messages need.
enum MessagesSupport {
  static func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  static func text(_ value: JSONValue) -> String { String(decoding: value.bytes, as: UTF8.self) }

  /// Of a request that asked for thoughts.
  static func facts(
    id: String = "msg_own", request: JSONValue = ["thinking": ["type": "adaptive"]]
  ) -> AnswerFacts {
    AnswerFacts(
      model: "asked", id: id, now: 1_700_000_000, includesUsage: false, request: request)
  }

  /// The conversation that a client's body leads to; `body` lacks the braces, model and bound.
  static func read(_ members: String) throws -> Conversation {
    let messages = members.contains(#""messages""#) ? "" : #","messages":[]"#
    let body = try json(
      #"{"model":"alias","max_tokens":64\#(messages)\#(members.isEmpty ? "" : ",")\#(members)}"#)
    return try MessagesClient.read(body, model: "upstream", isStream: false)
  }

  static func fixture(_ name: String) throws -> [UInt8] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    return Array(
      try Data(contentsOf: root.appending(path: "Fixtures/streams/messages/\(name).sse")))
  }

  /// Name and data of each frame with data.
  static func frames(_ bytes: [UInt8]) throws -> [(event: String?, data: JSONValue)] {
    var framer = SSEFramer()
    var found: [(String?, [UInt8])] = []
    func keep(_ frame: borrowing SSEFrame) {
      guard let data = frame.data else { return }
      found.append((frame.event.map { String(decoding: $0, as: UTF8.self) }, Array(data)))
    }
    try bytes.withUnsafeBytes { try framer.append($0) { keep($0) } }
    _ = framer.finish { keep($0) }
    return try found.map { ($0.0, try JSONValue.parse($0.1)) }
  }

  /// What a reader makes of a whole stream.
  static func events(_ bytes: [UInt8]) throws -> [StreamEvent] {
    var reader = MessagesStreamReader()
    var events: [StreamEvent] = []
    for frame in try frames(bytes) {
      events += try reader.take(event: frame.event, data: frame.data)
    }
    return events + reader.finish()
  }

  static func written(_ events: [StreamEvent], facts: AnswerFacts = facts()) -> [UInt8] {
    var writer = MessagesStreamWriter(for: facts)
    var bytes: [UInt8] = []
    for event in events { writer.write(event, into: &bytes) }
    return bytes
  }

  /// What is wrong with a reader's events by the promise of `StreamEvent`; nil: nothing.
  static func breach(_ events: [StreamEvent]) -> String? {
    var open: [Int] = []
    /// Of them, those that are no calls.
    var words: Set<Int> = []
    var parts = 0
    var isStopped = false
    for (index, event) in events.enumerated() {
      if case .began = event {
        if index != 0 { return "began at \(index)" }
        continue
      }
      if index == 0 { return "not begun" }
      switch event {
      case .began, .usage: break
      case .opened(let part, let kind):
        if part != parts || isStopped { return "opened \(part) at \(index)" }
        let isCall = if case .toolCall = kind { true } else { false }
        if !open.isEmpty, !isCall || !words.isDisjoint(with: open) {
          return "opened \(part) beside another at \(index)"
        }
        if !isCall { words.insert(part) }
        open.append(part)
        parts += 1
      case .piece(let part, _):
        if !open.contains(part) { return "a piece of \(part) at \(index)" }
      case .closed(let part):
        if !open.contains(part) { return "closed \(part) at \(index)" }
        open.removeAll { $0 == part }
      case .stopped:
        if isStopped || !open.isEmpty { return "stopped at \(index)" }
        isStopped = true
      case .ended:
        if !isStopped || index != events.count - 1 { return "ended at \(index)" }
      case .failed:
        if index != events.count - 1 { return "failed at \(index)" }
      }
    }
    return nil
  }
}

import Foundation
import Surface
import Testing

@testable import Translation

/// What the tests of Responses share.
enum Responses {
  static func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  static func text(_ value: JSONValue) -> String { String(decoding: value.bytes, as: UTF8.self) }

  static func read(_ body: String, isStream: Bool = false) throws -> Conversation {
    try ResponsesClient.read(try json(body), model: "m", isStream: isStream)
  }

  /// The fault of reading a request, and then of writing it for another provider; nil: both went well.
  static func fault(
    _ body: String, by write: (Conversation) throws(TranslationFault) -> JSONValue
  ) throws -> TranslationFault? {
    let body = try json(body)
    do throws(TranslationFault) {
      _ = try write(try ResponsesClient.read(body, model: "m", isStream: false))
      return nil
    } catch {
      return error
    }
  }

  static func facts(
    request: JSONValue = [:], id: String = "0192", model: String = "alias"
  ) -> AnswerFacts {
    AnswerFacts(model: model, id: id, now: 1_790_000_000, includesUsage: false, request: request)
  }

  /// A file under Fixtures/streams/responses.
  static func fixture(_ name: String) throws -> String {
    try String(contentsOf: directory.appending(path: name), encoding: .utf8)
  }

  static let directory = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Fixtures/streams/responses").standardizedFileURL

  /// The frames of a stream.
  static func frames(_ stream: String) throws -> [(event: String?, data: JSONValue)] {
    var framer = SSEFramer(maximumFrameBytes: 1 << 20)
    var found: [(String?, [UInt8])] = []
    func note(_ frame: borrowing SSEFrame) {
      guard let data = frame.data else { return }
      found.append((frame.event.map { String(decoding: $0, as: UTF8.self) }, Array(data)))
    }
    let bytes = Array(stream.utf8)
    try bytes.withUnsafeBytes { buffer in try framer.append(buffer) { note($0) } }
    _ = framer.finish { note($0) }
    return try found.map { ($0.0, try JSONValue.parse($0.1)) }
  }

  /// What the reader makes of a stream.
  static func events(_ stream: String) throws -> [StreamEvent] {
    var reader = ResponsesStreamReader()
    var events: [StreamEvent] = []
    for frame in try frames(stream) {
      events += try reader.take(event: frame.event, data: frame.data)
    }
    return events + reader.finish()
  }

  /// What the writer makes of events.
  static func stream(_ events: [StreamEvent], request: JSONValue = [:]) -> String {
    var writer = ResponsesStreamWriter(for: facts(request: request))
    var bytes: [UInt8] = []
    for event in events { writer.write(event, into: &bytes) }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Where events break the promise of `StreamEvent`; nil: they keep it.
  static func brokenPromise(_ events: [StreamEvent]) -> String? {
    var open: [Int: Bool] = [:]
    var opened = 0
    var isStopped = false
    for (index, event) in events.enumerated() {
      if case .began = event {
        if index != 0 { return "began again" }
        continue
      }
      if index == 0 { return "does not begin" }
      switch event {
      case .began: break
      case .opened(let part, let kind):
        if part != opened { return "opens \(part) after \(opened)" }
        let isCall = if case .toolCall = kind { true } else { false }
        if open.values.contains(where: { !($0 && isCall) }) { return "\(part) beside others" }
        if isStopped { return "opens after the stop" }
        opened += 1
        open[part] = isCall
      case .piece(let part, let piece):
        guard let isCall = open[part] else { return "piece of closed \(part)" }
        if case .arguments = piece, !isCall { return "arguments of a text" }
        if case .text = piece, isCall { return "text of a call" }
      case .closed(let part):
        if open.removeValue(forKey: part) == nil { return "closes \(part) twice" }
      case .usage: break
      case .stopped:
        if isStopped || !open.isEmpty { return "stops twice or too early" }
        isStopped = true
      case .ended:
        if !isStopped || index != events.count - 1 { return "ends too early" }
      case .failed:
        if index != events.count - 1 { return "goes on after a failure" }
      }
    }
    return nil
  }
}

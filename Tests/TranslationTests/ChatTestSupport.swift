import Domain
import Glibc
import Support
import Surface
import Testing

@testable import Translation

/// What the tests of chat share.
enum Chat {
  static let facts = AnswerFacts(
    model: "asked", id: "chatcmpl-ours", now: 1_700_000_000, includesUsage: true, request: [:])

  static func json(_ text: String) throws -> JSONValue { try JSONValue.parse(Array(text.utf8)) }

  static func text(_ value: JSONValue) -> String { String(decoding: value.bytes, as: UTF8.self) }

  /// One line of JSON text, whatever its layout.
  static func line(_ text: String) throws -> String { Self.text(try json(text)) }

  // MARK: Streams

  /// The data of each frame.
  static func frames(_ stream: [UInt8]) throws -> [(event: String?, data: String)] {
    var framer = SSEFramer()
    var frames: [(event: String?, data: String)] = []
    // The compiler cannot pass an error of this type through the standard library's function.
    let fault: SSEFault? = stream.withUnsafeBytes { bytes in
      do throws(SSEFault) {
        try framer.append(bytes) { frame in
          guard let data = frame.data else { return }
          frames.append(
            (
              frame.event.map { String(decoding: $0, as: UTF8.self) },
              String(decoding: data, as: UTF8.self)
            ))
        }
        return nil
      } catch {
        return error
      }
    }
    #expect(fault == nil)
    #expect(framer.pendingBytes == 0)
    return frames
  }

  /// What the reader makes of a whole stream; the end of the bytes is the end of the stream.
  static func events(_ stream: [UInt8]) throws -> [StreamEvent] {
    var reader = ChatStreamReader()
    var events: [StreamEvent] = []
    for frame in try frames(stream) where frame.data != "[DONE]" {
      events += try reader.take(event: frame.event, data: json(frame.data))
    }
    return events + reader.finish()
  }

  /// The same of chunks without their common members.
  static func events(choices: [String]) throws -> [StreamEvent] {
    let head =
      #"{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m","choices":["#
    return try events(Array(choices.map { "data: \(head)\($0)]}\n\n" }.joined().utf8))
  }

  static func fixture(_ name: String, from file: String = #filePath) throws -> [UInt8] {
    let root = file.split(separator: "/").dropLast(3).joined(separator: "/")
    let file = try #require(fopen("/\(root)/Fixtures/streams/chat/\(name).sse", "r"))
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    let count = fread(&bytes, 1, bytes.count, file)
    #expect(count < bytes.count)
    return Array(bytes[..<count])
  }

  /// What the writer makes of events.
  static func stream(_ events: [StreamEvent], for facts: AnswerFacts = facts) -> [UInt8] {
    var writer = ChatStreamWriter(for: facts)
    var bytes: [UInt8] = []
    for event in events { writer.write(event, into: &bytes) }
    return bytes
  }

  /// What of a reader's promise the events break; nil: nothing.
  static func breach(_ events: [StreamEvent]) -> String? {
    var next = 0
    var open: [Int: Bool] = [:]
    var hasStopped = false
    var isOver = false
    for (index, event) in events.enumerated() {
      if isOver { return "something after the end" }
      if case .began = event {
        if index > 0 { return "began twice or late" }
      } else if index == 0 {
        return "not begun"
      }
      switch event {
      case .began, .usage: break
      case .opened(let number, let part):
        if number != next { return "part \(number) instead of \(next)" }
        var isCall = false
        if case .toolCall = part { isCall = true }
        if open.values.contains(where: { !($0 && isCall) }) { return "two parts open" }
        if hasStopped { return "a part after the stop" }
        open[number] = isCall
        next += 1
      case .piece(let number, _): if open[number] == nil { return "a piece of no open part" }
      case .closed(let number):
        if open.removeValue(forKey: number) == nil { return "closed what is not open" }
      case .stopped:
        if !open.isEmpty || hasStopped { return "stopped with open parts, or twice" }
        hasStopped = true
      case .ended:
        if !hasStopped { return "ended without a stop" }
        isOver = true
      case .failed: isOver = true
      }
    }
    return nil
  }
}

import Domain
import Glibc
import Surface
import Testing

@testable import Translation

/// Streams of chat, in and out.
extension Chat {
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

  // MARK: Events as texts

  /// One line for each event.
  static func brief(_ events: [StreamEvent]) -> [String] { events.map(brief) }

  private static func brief(_ event: StreamEvent) -> String {
    switch event {
    case .began(let id, let model, let created):
      "began \(id) \(model) \(created.map { "\($0)" } ?? "-")"
    case .opened(let number, let part): "\(number) + \(brief(part))"
    case .piece(let number, .text(let text)): "\(number) \(text.debugDescription)"
    case .piece(let number, .arguments(let text)): "\(number) \(text)"
    case .piece(let number, .signature(let text)): "\(number) signed \(text)"
    case .closed(let number): "\(number) -"
    case .usage(let usage): "usage \(brief(usage))"
    case .stopped(let stop): "stopped \(stop)"
    case .ended: "ended"
    case .failed(let failure): "failed \(failure.type)"
    }
  }

  private static func brief(_ part: StreamPart) -> String {
    switch part {
    case .text: "text"
    case .thinking: "thinking"
    case .redactedThinking(let data): "hidden \(data)"
    case .toolCall(let id, let name, let signature):
      "call \(id) \(name)\(signature.map { " signed " + $0 } ?? "")"
    case .refusal: "refusal"
    }
  }

  /// Input, output, and where known cached, written to the cache, reasoning.
  private static func brief(_ usage: TokenUsage) -> String {
    [usage.input, usage.output, usage.cached, usage.cacheCreation, usage.reasoning]
      .map { $0.map(String.init) ?? "-" }.joined(separator: "/")
  }

  /// What a client has in the end: each part with all of its pieces, the stop and the last usage.
  static func assembled(_ events: [StreamEvent]) -> [String] {
    var parts: [String] = []
    var signatures: [String] = []
    var rest: [String] = []
    var usage: String?
    for event in events {
      switch event {
      case .began, .closed: continue
      case .opened(_, let part):
        parts.append(brief(part) + ": ")
        signatures.append("")
      case .piece(let number, .text(let text)), .piece(let number, .arguments(let text)):
        parts[number] += text
      case .piece(let number, .signature(let text)): signatures[number] += text
      case .usage(let figures): usage = brief(figures)
      case .stopped, .ended, .failed: rest.append(brief(event))
      }
    }
    return zip(parts, signatures).map { "\($0) / \($1)" } + [usage ?? "no usage"] + rest
  }
}

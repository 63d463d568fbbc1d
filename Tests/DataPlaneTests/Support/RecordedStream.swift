import Domain
import Glibc
import NIOCore
import Support
import Surface
import Testing

@testable import DataPlane

/// A provider's stream as it lies under Fixtures/streams.
struct RecordedStream: Sendable, CustomTestStringConvertible {
  /// How a relay ends with it.
  enum Ending: String, Sendable {
    /// The mark of its end came.
    case done
    /// The connection ended, and nothing was missing but the mark.
    case whole
    case unfinished
    /// Nothing of an answer came.
    case empty
    case error
    case malformed
  }

  let dialect: Dialect
  let name: String
  let ending: Ending
  let usage: TokenUsage?
  var testDescription: String { "\(dialect)/\(name)" }

  init(_ dialect: Dialect, _ name: String, _ ending: Ending, _ usage: TokenUsage? = nil) {
    self.dialect = dialect
    self.name = name
    self.ending = ending
    self.usage = usage
  }

  /// The stream's bytes; empty if there is no such file.
  var wire: [UInt8] {
    let root = #filePath.split(separator: "/").dropLast(4).joined(separator: "/")
    guard let file = fopen("/\(root)/Fixtures/streams/\(dialect)/\(name).sse", "r") else {
      return []
    }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: 64 << 10)
    return Array(bytes[..<fread(&bytes, 1, bytes.count, file)])
  }

  /// The same frames as the elements of one array, as Gemini sends them without `alt=sse`.
  var array: [UInt8] {
    let elements = String(decoding: wire, as: UTF8.self).split(separator: "\r\n").map {
      String($0.dropFirst("data: ".count))
    }
    return Array(("[" + elements.joined(separator: "\n,\r\n") + "\n]\n").utf8)
  }

  static let all: [RecordedStream] = [
    .init(
      .chat, "text", .done,
      .init(input: 1200, output: 41, cached: 1024, reasoning: 32, cacheCreation: 128)),
    .init(.chat, "tools", .done, .init(input: 90, output: 31)),
    .init(.chat, "interleaved", .done, .init(input: 9, output: 8)),
    .init(.chat, "thinking", .done, .init(input: 16, output: 10, cached: 4, reasoning: 6)),
    .init(.chat, "signed", .done, .init(input: 30, output: 20)),
    .init(.chat, "gemini", .done, .init(input: 20, output: 9)),
    .init(.chat, "refusal", .done), .init(.chat, "azure", .done),
    .init(.chat, "error", .error), .init(.chat, "cut", .unfinished),

    .init(.messages, "text", .done, .init(input: 14, output: 9, cached: 0, cacheCreation: 0)),
    .init(.messages, "tool", .done, .init(input: 402, output: 61, cached: 0, cacheCreation: 0)),
    .init(
      .messages, "parallel-tools", .done,
      .init(input: 410, output: 88, cached: 0, cacheCreation: 0)),
    .init(
      .messages, "thinking", .done,
      .init(input: 77, output: 140, cached: 0, reasoning: 118, cacheCreation: 0)),
    .init(
      .messages, "cached", .done,
      .init(input: 53_260, output: 4, cached: 51_200, cacheCreation: 2_048)),
    .init(.messages, "refusal", .done, .init(input: 33, output: 2, cached: 0, cacheCreation: 0)),
    .init(
      .messages, "server-tools", .done, .init(input: 21, output: 20, cached: 0, cacheCreation: 0)),
    .init(.messages, "empty", .done, .init(input: 9, output: 1, cached: 0, cacheCreation: 0)),
    .init(.messages, "lenient", .whole, .init(input: 31, output: 17)),
    .init(.messages, "error", .error, .init(input: 21, output: 1, cached: 0, cacheCreation: 0)),
    .init(.messages, "cut", .unfinished, .init(input: 21, output: 1, cached: 0, cacheCreation: 0)),

    .init(
      .responses, "provider-text", .done,
      .init(input: 13, output: 9, cached: 0, reasoning: 0, cacheCreation: 0)),
    .init(
      .responses, "provider-refusal", .done,
      .init(input: 7, output: 3, cached: 0, reasoning: 0, cacheCreation: 0)),
    .init(
      .responses, "provider-length", .done,
      .init(input: 7, output: 16, cached: 0, reasoning: 0, cacheCreation: 0)),
    .init(
      .responses, "provider-parallel-tools", .done,
      .init(input: 50, output: 40, cached: 0, reasoning: 16, cacheCreation: 0)),
    .init(
      .responses, "provider-interleaved-tools", .done,
      .init(input: 5, output: 4, cached: 0, reasoning: 0, cacheCreation: 0)),
    .init(
      .responses, "provider-reasoning-cached", .done,
      .init(input: 2000, output: 300, cached: 1536, reasoning: 256, cacheCreation: 128)),
    .init(.responses, "provider-open-model", .done),
    .init(.responses, "provider-error", .error), .init(.responses, "provider-cut", .unfinished),

    .init(.gemini, "text", .whole, .init(input: 9, output: 8)),
    .init(.gemini, "thinking", .whole, .init(input: 12, output: 45, reasoning: 41)),
    .init(.gemini, "tool", .whole, .init(input: 50, output: 42, reasoning: 30)),
    .init(.gemini, "parallel", .whole, .init(input: 60, output: 24)),
    .init(.gemini, "cached", .whole, .init(input: 4025, output: 1, cached: 3900)),
    .init(.gemini, "blocked", .whole, .init(input: 14, output: 0)),
    .init(.gemini, "filtered", .whole, .init(input: 8, output: 2)),
    .init(.gemini, "length", .whole, .init(input: 5, output: 6)),
    .init(.gemini, "old", .whole, .init(input: 3, output: 2)),
    .init(.gemini, "late-usage", .whole, .init(input: 3, output: 1)),
    .init(.gemini, "broken-call", .whole, .init(input: 30, output: 9)),
    .init(.gemini, "error", .error, .init(input: 7, output: 4)),
    .init(.gemini, "cut", .unfinished, .init(input: 7, output: 6)),
  ]
}

/// What became of a stream in a relay.
struct Relayed: Equatable {
  var ending: RecordedStream.Ending
  /// What went out, the end not included.
  var sent: [UInt8] = []
  var end: [UInt8] = []
  var usage: TokenUsage?
  var error: [UInt8]?

  /// Feeds `wire` in pieces of random length, and takes what is released after some of them.
  init(_ wire: [UInt8], _ relay: consuming StreamRelay, _ random: inout SeededRandom) {
    var at = 0
    var sent: [UInt8] = []
    var ending: RecordedStream.Ending?
    let most = random.int(1...200)
    while at < wire.count, ending == nil {
      let size = min(random.int(1...most), wire.count - at)
      switch relay.take(ByteBuffer(bytes: wire[at..<(at + size)])) {
      case .continue: break
      case .done: ending = .done
      case .withoutContent: ending = .empty
      case .errorFirst, .errorLater: ending = .error
      case .frameTooLong, .malformed: ending = .malformed
      }
      at += size
      guard ending != nil || random.oneIn(2) else { continue }
      for piece in relay.takeReleased() { sent += piece.readableBytesView }
    }
    if ending == nil {
      switch relay.finish() {
      case .whole: ending = .whole
      case .empty: ending = .empty
      case .unfinished:
        relay.releaseHeld()
        ending = .unfinished
      }
      for piece in relay.takeReleased() { sent += piece.readableBytesView }
    }
    self.ending = ending ?? .empty
    self.sent = sent
    end = relay.end.map { Array($0.readableBytesView) } ?? []
    usage = relay.usage
    error = relay.errorFrame.map { Array($0.readableBytesView) }
  }
}

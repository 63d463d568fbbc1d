import Domain
import NIOCore
import Support
import Testing

@testable import DataPlane

@Suite("The relay of a stream, by the provider's dialect")
struct StreamRelayTests {
  private static let chunkings: UInt64 = 60

  @Test(
    "every chunking of a recorded stream sends the same bytes and tells the same tokens",
    arguments: RecordedStream.all)
  func recorded(_ stream: RecordedStream) throws {
    let wire = stream.wire
    try #require(!wire.isEmpty)
    for seed in 1...Self.chunkings {
      var random = SeededRandom(seed: seed)
      let found = Relayed(wire, StreamRelay(stream.dialect, hidesUsageChunk: false), &random)
      #expect(found.ending == stream.ending, "seed \(seed)")
      #expect(found.usage == stream.usage, "seed \(seed)")
      switch stream.ending {
      case .done, .whole:
        #expect(text(found.sent + found.end) == text(wire), "seed \(seed)")
        // The end goes out only when the request is recorded; without a mark, Gemini's last frame is it.
        #expect(
          !found.end.isEmpty || stream.ending == .whole && stream.dialect != .gemini, "seed \(seed)"
        )
      // What came before the error or the cut goes out in whole frames, or nothing does.
      case .error, .unfinished:
        #expect(wire.starts(with: found.sent), "seed \(seed)")
        #expect(found.sent.isEmpty || found.sent.last == 0x0A, "seed \(seed)")
        #expect((found.error != nil) == (stream.ending == .error), "seed \(seed)")
      case .empty, .malformed: Issue.record("no such stream is recorded")
      }
    }
  }

  @Test(
    "a recorded stream that is cut anywhere is never taken for a whole one",
    arguments: RecordedStream.all
  )
  func cut(_ stream: RecordedStream) {
    let wire = stream.wire
    let lastFrame = text(wire).components("\n\n", "\r\n\r\n").dropLast(2).joined().utf8.count
    for end in stride(from: 0, to: max(0, lastFrame - 8), by: 7) {
      var random = SeededRandom(seed: UInt64(end))
      let found = Relayed(
        Array(wire[..<end]), StreamRelay(stream.dialect, hidesUsageChunk: false), &random)
      #expect(found.ending != .done, "cut at \(end)")
      // Without a mark of its own the stream is whole once it said why it stopped.
      let said = ["finish_reason\":\"", "stop_reason\":\"", "finishReason\": \""].contains {
        text(wire[..<end]).contains($0)
      }
      #expect(found.ending != .whole || said, "cut at \(end)")
    }
  }

  @Test(
    "Gemini's array is forwarded like its events",
    arguments: RecordedStream.all.filter { $0.dialect == .gemini })
  func array(_ stream: RecordedStream) {
    let wire = stream.array
    for seed in 1...Self.chunkings {
      var random = SeededRandom(seed: seed)
      // A cut array has no bracket.
      let isCut = stream.ending == .unfinished
      let found = Relayed(
        isCut ? Array(wire.dropLast(3)) : wire,
        StreamRelay(.gemini, hidesUsageChunk: false, isArray: true), &random)
      #expect(found.ending == (stream.ending == .whole ? .done : stream.ending), "seed \(seed)")
      #expect(found.usage == stream.usage, "seed \(seed)")
      if stream.ending == .whole {
        #expect(text(found.sent + found.end) + "\n" == text(wire), "seed \(seed)")
        #expect(text(found.end).hasSuffix("]"), "seed \(seed)")
      }
    }
  }

  @Test(
    "an error before anything was sent is known as such",
    arguments: [
      (
        .messages,
        "event: ping\ndata: {}\n\nevent: error\ndata: {\"type\":\"error\",\"error\":{}}\n\n"
      ),
      (
        .messages,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{}}\n\ndata: {\"error\":{\"message\":\"m\"}}\n\n"
      ),
      (
        .responses,
        "data: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{}}\n\ndata: {\"type\":\"response.failed\",\"sequence_number\":1,\"response\":{}}\n\n"
      ),
      (.responses, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0}\n\n"),
      (.gemini, "data: {\"error\":{\"code\":429}}\n\n"),
      (.completions, "data: {\"error\":{\"message\":\"m\"}}\n\n"),
    ] as [(Dialect, String)])
  func errorFirst(_ dialect: Dialect, _ wire: String) {
    for seed in 1...Self.chunkings {
      var random = SeededRandom(seed: seed)
      let found = Relayed(
        Array(wire.utf8), StreamRelay(dialect, hidesUsageChunk: false), &random)
      #expect(found.ending == .error && found.sent.isEmpty, "seed \(seed)")
    }
  }

  @Test(
    "a stream without anything of an answer is empty",
    arguments: [
      (.messages, "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
      (
        .messages,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":1}}}\n\n"
      ),
      (
        .responses,
        "data: {\"type\":\"response.created\",\"response\":{}}\n\ndata: {\"type\":\"response.completed\",\"response\":{\"output\":[]}}\n\n"
      ),
      (.responses, "data: {\"type\":\"response.in_progress\",\"response\":{}}\n\n"),
      (.gemini, "data: {\"usageMetadata\":{\"promptTokenCount\":1}}\n\n"),
      (.gemini, ": nothing\n\n"), (.completions, "data: {\"choices\":[]}\n\ndata: [DONE]\n\n"),
    ] as [(Dialect, String)])
  func empty(_ dialect: Dialect, _ wire: String) {
    for seed in 1...Self.chunkings {
      var random = SeededRandom(seed: seed)
      let found = Relayed(
        Array(wire.utf8), StreamRelay(dialect, hidesUsageChunk: false), &random)
      #expect(found.ending == .empty && found.sent.isEmpty, "seed \(seed)")
    }
  }

  @Test("an answer of Responses that was cut short before it began is an answer")
  func incomplete() {
    var relay = StreamRelay(.responses, hidesUsageChunk: false)
    let wire =
      "event: response.incomplete\ndata: {\"type\":\"response.incomplete\",\"sequence_number\":4,\"response\":{\"output\":[]}}\n\n"
    #expect(relay.take(ByteBuffer(string: wire)) == .done)
    #expect(relay.end.map { String(buffer: $0) } == wire)
    #expect(relay.sequence == 4, "what stands in its place has its number")
  }

  @Test("events of Responses are counted on from the first one's number", arguments: [0, 1, 7])
  func numbers(_ first: Int) {
    var relay = StreamRelay(.responses, hidesUsageChunk: false)
    for number in first..<(first + 5) {
      let frame =
        "data: {\"type\":\"response.output_text.delta\",\"sequence_number\":\(number)}\n\n"
      #expect(relay.take(ByteBuffer(string: frame)) == .continue)
      #expect(relay.sequence == UInt64(number + 1))
    }
  }

  @Test("a stream of pages is no array")
  func page() {
    var relay = StreamRelay(.gemini, hidesUsageChunk: false, isArray: true)
    #expect(relay.take(ByteBuffer(string: "<html>")) == .malformed)
  }

  @Test(
    "the body of an answer is judged in its provider's words",
    arguments: [
      (.messages, #"{"content":[],"usage":{"input_tokens":1,"cache_read_input_tokens":2}}"#, nil),
      (.messages, #"{"type":"error","error":{"type":"api_error"}}"#, .errorInAnswer),
      (.messages, #"{"choices":[]}"#, .emptyAnswer), (.countTokens, #"{"input_tokens":3}"#, nil),
      (.responses, #"{"status":"failed","output":[],"error":{"code":"x"}}"#, .errorInAnswer),
      (.responses, #"{"status":"completed","output":[],"error":null}"#, nil),
      (.gemini, #"{"candidates":[]}"#, .emptyAnswer),
      (.gemini, #"{"promptFeedback":{"blockReason":"SAFETY"}}"#, nil),
      (.embeddings, #"{"data":[]}"#, nil), (.embeddings, #"{"error":"x"}"#, .errorInAnswer),
      (.completions, #"{"choices":[]}"#, nil),
    ] as [(Dialect, String, HiddenFault?)])
  func bodies(_ dialect: Dialect, _ body: String, _ fault: HiddenFault?) {
    var relay = BodyRelay(dialect, readsAnswer: true, reserve: 0)
    #expect(relay.take(ByteBuffer(string: body)) == .continue)
    let verdict = relay.verdict()
    #expect(verdict.fault == fault)
    if body.contains("cache_read") { #expect(verdict.usage == TokenUsage(input: 3, cached: 2)) }
  }
}

private func text(_ bytes: some Sequence<UInt8>) -> String {
  String(decoding: Array(bytes), as: UTF8.self)
}

extension String {
  /// The frames, each with what ends it, and what stands behind the last one.
  fileprivate func components(_ one: String, _ other: String) -> [String] {
    var found: [String] = []
    var current = ""
    for byte in unicodeScalars {
      current.unicodeScalars.append(byte)
      guard current.hasSuffix(one) || current.hasSuffix(other) else { continue }
      found.append(current)
      current = ""
    }
    return found + [current]
  }
}

import Domain
import Foundation
import NIOCore
import Support
import Surface
import Testing
import Translation

@testable import DataPlane

/// Recorded streams of every provider's protocol for clients of every other.
@Suite("A translated stream")
struct TranslatedStreamTests {
  struct Cell: Sendable, CustomTestStringConvertible {
    let client: Dialect
    let provider: Dialect
    var testDescription: String { "\(client) client, \(provider) provider" }
    var translator: Translator {
      get throws { try #require(Translator(client: client, provider: provider)) }
    }
  }

  static let spoken: [Dialect] = [.chat, .messages, .responses, .gemini]
  static let cells = spoken.flatMap { client in
    spoken.map { Cell(client: client, provider: $0) }
  }
  static let facts = AnswerFacts(
    model: "asked", id: "minted", now: 7, includesUsage: true, request: .object([]))

  /// What one way of cutting a stream into pieces led to.
  struct Outcome: Hashable {
    var forwarded: [UInt8] = []
    var end: [UInt8] = []
    var step = TranslatedStream.Step.continue
    var usage: TokenUsage?
    var fault: [UInt8] = []
    var text: String { String(decoding: forwarded, as: UTF8.self) }
  }

  /// Feeds the stream in pieces, taking what is released after each, and ends it.
  static func outcome(
    _ pieces: [ArraySlice<UInt8>], _ cell: Cell, takes: Bool = true
  ) throws -> Outcome {
    var relay = TranslatedStream(try cell.translator.stream(for: facts))
    var outcome = Outcome()
    func take() {
      for piece in relay.takeReleased() { outcome.forwarded += piece.readableBytesView }
    }
    for piece in pieces {
      outcome.step = relay.take(ByteBuffer(bytes: piece))
      if outcome.step != .continue { break }
      if takes { take() }
    }
    if outcome.step == .continue { outcome.step = relay.finish() }
    take()
    outcome.end = Array(relay.end.readableBytesView)
    outcome.usage = relay.usage
    outcome.fault = relay.faultFrame.map { Array($0.readableBytesView) } ?? []
    return outcome
  }

  static func streams(_ dialect: Dialect) throws -> [(name: String, bytes: [UInt8])] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fixtures/streams/\(dialect)").standardizedFileURL
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".sse") && !$0.hasPrefix("client-") }.sorted()
    return try names.map { ($0, Array(try Data(contentsOf: folder.appending(path: $0)))) }
  }

  /// What only the end of a client's stream holds.
  static func endMarks(_ client: Dialect) -> [String] {
    switch client {
    case .chat: ["[DONE]", "\"finish_reason\":\""]
    case .messages: ["message_stop", "\"stop_reason\":\""]
    case .responses: ["response.completed", "response.incomplete"]
    case .gemini: ["finishReason"]
    case .completions, .embeddings, .countTokens, .inference: []
    }
  }

  /// Where the frames of a stream end.
  static func borders(_ bytes: [UInt8]) throws -> [Int] {
    var framer = SSEFramer()
    var borders: [Int] = []
    try bytes.withUnsafeBytes { try framer.append($0) { borders.append($0.end) } }
    return borders
  }

  @Test("the same with pings, comments and events that nobody knows yet", arguments: cells)
  func strangers(_ cell: Cell) throws {
    let strange: [String] =
      switch cell.provider {
      case .messages:
        [
          "event: ping\ndata: {\"type\": \"ping\"}\n\n",
          "event: later\ndata: {\"type\":\"later\",\"index\":0}\n\n",
        ]
      case .responses:
        [
          "event: keepalive\ndata: {\"type\":\"keepalive\",\"sequence_number\":1}\n\n",
          "event: response.later\ndata: {\"type\":\"response.later\",\"sequence_number\":1}\n\n",
        ]
      case _: ["data: {\"later\":{\"choices\":1}}\n\n"]
      }
    for (name, bytes) in try Self.streams(cell.provider) {
      let expected = try Self.outcome([bytes[...]], cell)
      // Behind the first frame, which begins the answer.
      for border in try Self.borders(bytes).dropLast() {
        for frame in strange + [": comment\n\n", "\n", "id: 5\nretry: 9\n\n"] {
          let more = bytes[..<border] + Array(frame.utf8) + bytes[border...]
          #expect(try Self.outcome([more[...]], cell) == expected, "\(name), \(frame) at \(border)")
        }
      }
    }
  }

  @Test("the same whatever its pieces, its end kept apart", arguments: cells)
  func pieces(_ cell: Cell) throws {
    let streams = try Self.streams(cell.provider)
    #expect(streams.count > 5)
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    for (name, bytes) in streams {
      let whole = try Self.outcome([bytes[...]], cell)
      for mark in Self.endMarks(cell.client) {
        #expect(!whole.text.contains(mark), "\(name)")
      }
      if whole.step == .done {
        let end = String(decoding: whole.end, as: UTF8.self)
        #expect(Self.endMarks(cell.client).contains { end.contains($0) }, "\(name)")
      } else {
        #expect(whole.end.isEmpty, "\(name)")
      }
      // What is recorded is the same as where nothing is translated.
      let recorded = RecordedStream.all.first {
        $0.dialect == cell.provider && "\($0.name).sse" == name
      }
      if whole.step == .done, let recorded {
        #expect(whole.usage?.filled(from: .notReported) == recorded.usage, "\(name)")
      }
      for _ in 0..<8 {
        var pieces: [ArraySlice<UInt8>] = []
        var rest = bytes[...]
        while !rest.isEmpty {
          let count = min(rest.count, random.oneIn(4) ? random.int(1...3) : random.int(1...300))
          pieces.append(rest.prefix(count))
          rest = rest.dropFirst(count)
        }
        let taken = try Self.outcome(pieces, cell)
        #expect(taken == whole, "\(name), seed \(random.seed)")
        let late = try Self.outcome(pieces, cell, takes: false)
        #expect(late == whole, "\(name), seed \(random.seed)")
      }
    }
  }

  @Test("whole only where its provider said so", arguments: cells)
  func cuts(_ cell: Cell) throws {
    for (name, bytes) in try Self.streams(cell.provider) {
      for border in [0] + (try Self.borders(bytes)) {
        let outcome = try Self.outcome([bytes[..<border]], cell)
        let text = String(decoding: bytes[..<border], as: UTF8.self)
        let said =
          switch cell.provider {
          case .chat: text.contains(/"finish_reason": ?"/)
          case .messages: text.contains(/"stop_reason": ?"/) || text.contains("message_stop")
          case .responses:
            text.contains("response.completed") || text.contains("response.incomplete")
          case .gemini: text.contains("finishReason") || text.contains("blockReason")
          case .completions, .embeddings, .countTokens, .inference: false
          }
        if outcome.step == .done { #expect(said, "\(name) at \(border)") }
        if border == 0 { #expect(outcome.step == .empty) }
        if outcome.step != .done { #expect(outcome.end.isEmpty, "\(name) at \(border)") }
        if outcome.step == .empty { #expect(outcome.forwarded.isEmpty, "\(name) at \(border)") }
      }
    }
  }

  static let endings: [(provider: Dialect, name: String, step: TranslatedStream.Step)] = [
    (.chat, "text.sse", .done), (.chat, "cut.sse", .unfinished),
    (.chat, "error.sse", .fault(.reported)), (.messages, "text.sse", .done),
    (.messages, "cut.sse", .unfinished), (.messages, "error.sse", .fault(.reported)),
    (.gemini, "text.sse", .done), (.gemini, "cut.sse", .unfinished),
    (.gemini, "error.sse", .fault(.reported)), (.gemini, "broken-call.sse", .fault(.broken)),
    (.gemini, "blocked.sse", .done), (.responses, "provider-text.sse", .done),
    (.responses, "provider-cut.sse", .unfinished),
    (.responses, "provider-error.sse", .fault(.reported)),
  ]

  @Test("how recorded streams end", arguments: endings)
  func ending(_ row: (provider: Dialect, name: String, step: TranslatedStream.Step)) throws {
    let streams = try Self.streams(row.provider)
    let bytes = try #require(streams.first { $0.name == row.name }).bytes
    for client in Self.spoken {
      let cell = Cell(client: client, provider: row.provider)
      let outcome = try Self.outcome([bytes[...]], cell)
      #expect(outcome.step == row.step, "\(client)")
      #expect(outcome.fault.isEmpty == (row.step == .done || row.step == .unfinished))
    }
  }

  @Test("nothing goes before a part of an answer came")
  func preamble() throws {
    var relay = TranslatedStream(
      try Cell(client: .chat, provider: .messages).translator.stream(for: Self.facts))
    let start = """
      event: message_start
      data: {"type":"message_start","message":{"id":"msg_1","model":"m","usage":{"input_tokens":3}}}


      """
    #expect(relay.take(ByteBuffer(string: start)) == .continue)
    #expect(relay.takeReleased().isEmpty)
    #expect(relay.usage?.input == 3)
    let error = """
      event: error
      data: {"type":"error","error":{"type":"overloaded_error","message":"words"}}


      """
    #expect(relay.take(ByteBuffer(string: error)) == .fault(.reported))
    #expect(!relay.isTaken)
    #expect(relay.faultFrame.map { String(buffer: $0) }?.contains("overloaded_error") == true)
  }

  /// The pieces of a text as JSON, and the text that clients read.
  private static let halved: [([String], String)] = [
    ([#"a\ud83d"#, #"\ude82b"#], "a🚂b"), ([#"\ud83d"#, "", #"\ude82"#], "🚂"),
    ([#"a\ud83d"#, "b"], "a\u{FFFD}b"), ([#"\ude82"#, "b"], "\u{FFFD}b"),
    ([#"a\ud83d\ude82"#, #"\ud83d"#], "a🚂\u{FFFD}"),
    ([#"\ud83d\ud83d"#, #"\ude82"#], "\u{FFFD}🚂"),
  ]

  @Test("halves of characters are joined, and frames of nothing are passed over", arguments: halved)
  private func halves(_ row: ([String], String)) throws {
    var relay = TranslatedStream(
      try Cell(client: .gemini, provider: .chat).translator.stream(for: Self.facts))
    var text = ""
    func take(_ frame: String) throws {
      #expect(relay.take(ByteBuffer(string: "data: \(frame)\n\ndata:\n\ndata: \n\n")) == .continue)
      for piece in relay.takeReleased() {
        for line in String(buffer: piece).split(separator: "\n") {
          let data = try JSONValue.parse(Array(line.dropFirst("data: ".count).utf8))
          text += data["candidates"]?[0]?["content"]?["parts"]?[0]?["text"]?.string ?? ""
        }
      }
    }
    for piece in row.0 {
      try take(#"{"choices":[{"index":0,"delta":{"content":"\#(piece)"}}]}"#)
    }
    try take(
      #"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{}"}}]}}]}"#
    )
    #expect(text == row.1)
  }

  @Test("what is no JSON is a fault, and so is a frame beyond the bound", arguments: cells)
  func malformed(_ cell: Cell) throws {
    var relay = TranslatedStream(try cell.translator.stream(for: Self.facts))
    #expect(relay.take(ByteBuffer(string: "data: oops\n\n")) == .fault(.malformed))
    relay = TranslatedStream(try cell.translator.stream(for: Self.facts))
    let long = String(repeating: "x", count: SSEFramer.standardFrameBytes + 1)
    #expect(relay.take(ByteBuffer(string: "data: \(long)")) == .frameTooLong)
    #expect(relay.take(ByteBuffer(string: "\n\n")) == .continue, "it is over")
    #expect(relay.finish() == .unfinished)
  }

  @Test("a failure takes the place of an end, even of one that was made", arguments: spoken)
  func failure(_ client: Dialect) throws {
    let bytes = try #require(try Self.streams(.messages).first { $0.name == "text.sse" }).bytes
    for count in [bytes.count / 2, bytes.count] {
      var relay = TranslatedStream(
        try Cell(client: client, provider: .messages).translator.stream(for: Self.facts))
      _ = relay.take(ByteBuffer(bytes: bytes[..<count]))
      let before = relay.takeReleased().map { String(buffer: $0) }.joined()
      let text = String(buffer: relay.failure("upstream_cut"))
      #expect(text.contains("error"))
      for mark in Self.endMarks(client) { #expect(!(before + text).contains(mark)) }
    }
  }
}

@Suite("A translated answer")
struct TranslatedBodyTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var provider: Dialect
    var body: String
    var fault: AnswerFault?
    var testDescription: String { "\(provider): \(body.prefix(60))" }
  }

  static let rows: [Row] = [
    Row(provider: .chat, body: "oops", fault: .malformed),
    Row(provider: .chat, body: "[]", fault: .malformed),
    Row(provider: .chat, body: #"{"error":{"message":"x"}}"#, fault: .reported),
    Row(provider: .chat, body: #"{"error":null,"object":"x"}"#, fault: .empty),
    Row(provider: .chat, body: #"{"choices":[]}"#, fault: .empty),
    Row(provider: .chat, body: #"{"choices":[{}]}"#, fault: .malformed),
    Row(
      provider: .chat,
      body: #"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}],"#
        + #""usage":{"prompt_tokens":1,"completion_tokens":2}}"#),
    Row(
      provider: .messages, body: #"{"type":"error","error":{"type":"api_error"}}"#, fault: .reported
    ),
    Row(provider: .messages, body: #"{"type":"message"}"#, fault: .empty),
    Row(
      provider: .messages,
      body: #"{"content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","#
        + #""usage":{"input_tokens":1,"output_tokens":2}}"#),
    Row(provider: .responses, body: #"{"output":[],"status":"cancelled"}"#, fault: .reported),
    Row(
      provider: .responses,
      body: #"{"output":[],"status":"failed","error":{"code":"server_error"}}"#,
      fault: .reported),
    Row(provider: .responses, body: #"{"status":"completed"}"#, fault: .empty),
    Row(
      provider: .responses,
      body: #"{"output":[{"type":"message","content":[{"type":"output_text","text":"hi"}]}],"#
        + #""status":"completed","usage":{"input_tokens":1,"output_tokens":2}}"#),
    Row(provider: .gemini, body: #"{"usageMetadata":{}}"#, fault: .empty),
    Row(
      provider: .gemini, body: #"{"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}"#,
      fault: .broken),
    Row(
      provider: .gemini,
      body: #"{"candidates":[{"content":{"parts":[{"inlineData":{}}]},"finishReason":"STOP"}]}"#,
      fault: .notCarried),
    Row(
      provider: .gemini,
      body: #"{"candidates":[{"content":{"parts":[{"text":"hi"}]},"finishReason":"STOP"}],"#
        + #""usageMetadata":{"promptTokenCount":1,"candidatesTokenCount":2}}"#),
  ]

  @Test("what it is", arguments: rows)
  func row(_ row: Row) throws {
    for client in TranslatedStreamTests.spoken {
      let translator = try #require(Translator(client: client, provider: row.provider))
      var body = TranslatedBody()
      for byte in row.body.utf8 { #expect(body.take(ByteBuffer(bytes: [byte])) == .continue) }
      do throws(AnswerFault) {
        let answer = try body.translated(translator, for: TranslatedStreamTests.facts)
        #expect(row.fault == nil)
        #expect(answer.usage.input == 1 && answer.usage.output == 2)
        #expect(String(buffer: answer.body).contains("\"hi\""))
      } catch {
        #expect(error == row.fault)
      }
    }
  }

  @Test("markup is known at its first byte, and what is too large is given up")
  func bounds() {
    var body = TranslatedBody()
    #expect(body.take(ByteBuffer(string: " \n")) == .continue)
    #expect(body.take(ByteBuffer(string: "<html>")) == .markup)
    body = TranslatedBody()
    let large = ByteBuffer(repeating: 0x78, count: TranslatedBody.answerBytes)
    #expect(body.take(large) == .continue)
    #expect(body.take(ByteBuffer(string: "<")) == .tooLong)
  }

  @Test("neither completions nor embeddings nor counts are translated")
  func untranslatable() {
    for dialect in [Dialect.completions, .embeddings, .countTokens] {
      #expect(Translator(client: dialect, provider: .chat) == nil)
      #expect(Translator(client: .chat, provider: dialect) == nil)
    }
  }
}

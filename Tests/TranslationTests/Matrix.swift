import Domain
import Foundation
import Surface
import Testing

@testable import Translation

/// A protocol, on both sides.
struct Speech: Sendable, CustomTestStringConvertible {
  /// Its folder under Fixtures/streams.
  let name: String
  let client: any (ClientSide & SendableMetatype).Type
  let provider: any (ProviderSide & SendableMetatype).Type
  let reader: @Sendable () -> any StreamReader
  let writer: @Sendable (AnswerFacts) -> any StreamWriter
  var testDescription: String { name }

  static let all: [Speech] = [
    .init(
      name: "chat", client: ChatClient.self, provider: ChatProvider.self,
      reader: { ChatStreamReader() }, writer: { ChatStreamWriter(for: $0) }),
    .init(
      name: "messages", client: MessagesClient.self, provider: MessagesProvider.self,
      reader: { MessagesStreamReader() }, writer: { MessagesStreamWriter(for: $0) }),
    .init(
      name: "gemini", client: GeminiClient.self, provider: GeminiProvider.self,
      reader: { GeminiStreamReader() }, writer: { GeminiStreamWriter(for: $0) }),
    .init(
      name: "responses", client: ResponsesClient.self, provider: ResponsesProvider.self,
      reader: { ResponsesStreamReader() }, writer: { ResponsesStreamWriter(for: $0) }),
  ]

  /// The provider's streams in the fixtures.
  func streams() throws -> [(name: String, bytes: [UInt8])] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Fixtures/streams/\(name)").standardizedFileURL
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".sse") && !$0.hasPrefix("client-") }.sorted()
    return try names.map { ($0, Array(try Data(contentsOf: folder.appending(path: $0)))) }
  }

  /// What the reader makes of a stream.
  func events(_ bytes: [UInt8]) throws -> [StreamEvent] {
    var framer = SSEFramer(maximumFrameBytes: 1 << 20)
    var frames: [(event: String?, data: [UInt8])] = []
    func note(_ frame: borrowing SSEFrame) {
      guard let data = frame.data, !frame.isDone else { return }
      frames.append((frame.event.map { String(decoding: $0, as: UTF8.self) }, Array(data)))
    }
    try bytes.withUnsafeBytes { try framer.append($0) { note($0) } }
    _ = framer.finish { note($0) }
    var reader = self.reader()
    var events: [StreamEvent] = []
    for frame in frames {
      events += try reader.take(event: frame.event, data: try JSONValue.parse(frame.data))
    }
    return events + reader.finish()
  }

  /// The facts of any request.
  static let facts = AnswerFacts(
    model: "asked", id: "minted", now: 7, includesUsage: true, request: .object([]))
}

/// A client's protocol and a provider's.
struct MatrixCell: Sendable, CustomTestStringConvertible {
  let client: Speech
  let provider: Speech
  var testDescription: String { "\(client.name) client, \(provider.name) provider" }

  static let all = Speech.all.flatMap { client in
    Speech.all.map { MatrixCell(client: client, provider: $0) }
  }
}

/// The whole answer that a stream told; nil: it did not come to its end.
func wholeAnswer(_ events: [StreamEvent]) -> Answer? {
  var answer = Answer(id: "", model: "", parts: [], stop: .end, usage: .notReported)
  var hasEnded = false
  for event in events {
    switch event {
    case .began(let id, let model, let created):
      (answer.id, answer.model, answer.created) = (id, model, created)
    case .opened(_, .text): answer.parts.append(Part(.text("")))
    case .opened(_, .thinking): answer.parts.append(Part(.thinking("")))
    case .opened(_, .refusal): answer.parts.append(Part(.refusal("")))
    case .opened(_, .redactedThinking(let data)):
      answer.parts.append(Part(.redactedThinking(data)))
    case .opened(_, .toolCall(let id, let name, let signature)):
      let call = ToolCall(id: id, name: name, arguments: "")
      answer.parts.append(Part(.toolCall(call), signature: signature))
    case .piece(let part, let piece): answer.parts[part].add(piece)
    case .closed: break
    case .usage(let usage): answer.usage = usage
    case .stopped(let reason): answer.stop = reason
    case .ended: hasEnded = true
    case .failed: return nil
    }
  }
  return hasEnded ? answer : nil
}

extension Part {
  fileprivate mutating func add(_ piece: StreamPiece) {
    switch (piece, content) {
    case (.signature(let text), _): signature = text
    case (.text(let more), .text(let text)): content = .text(text + more)
    case (.text(let more), .thinking(let text)): content = .thinking(text + more)
    case (.text(let more), .refusal(let text)): content = .refusal(text + more)
    case (.arguments(let more), .toolCall(var call)):
      call.arguments += more
      content = .toolCall(call)
    default: Issue.record("a piece of another kind than its part")
    }
  }
}

/// What a client learns from an answer, whatever its protocol.
struct Told: Hashable {
  /// Texts and words of refusal, which not all protocols tell apart.
  var text = ""
  var thoughts = ""
  var calls: [ToolCall] = []
  var input: UInt64
  var output: UInt64
  var cached: UInt64
  var stop: String

  init(_ answer: Answer) {
    // Some tell 0 where nothing was reported.
    input = answer.usage.input ?? 0
    output = answer.usage.output ?? 0
    cached = answer.usage.cached ?? 0
    // As far as every protocol can tell.
    stop =
      switch answer.stop {
      case .end, .sequence: "end"
      case .length, .contextFull: "length"
      case .toolCalls: "calls"
      case .refusal, .filtered: "refused"
      case .paused: "paused"
      }
    for part in answer.parts {
      switch part.content {
      case .text(let more), .refusal(let more): text += more
      case .thinking(let more): thoughts += more
      case .toolCall(var call):
        call.arguments = canonical(call.arguments)
        calls.append(call)
      case .redactedThinking, .image, .audio, .document, .toolResult: break
      }
    }
  }
}

/// Gemini and Anthropic carry objects instead of their text, and where there are no arguments some write an empty one.
func canonical(_ arguments: String) -> String {
  if arguments.isEmpty { return "{}" }
  guard let value = try? JSONValue.parse(Array(arguments.utf8)) else { return arguments }
  return String(decoding: value.bytes, as: UTF8.self)
}

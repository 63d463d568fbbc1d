import Domain
import Surface

/// Writes the frames of `streamGenerateContent`.
///
/// Every frame holds a content with parts, the last one the reason and the usage: SDKs drop a turn from a chat
/// that has a frame without. Calls come whole. Nothing else may stand in the stream: Google's Python SDK takes any
/// line other than `data: ` for JSON, comments and names of events too; blank lines it skips.
struct GeminiStreamWriter: StreamWriter {
  /// How the client wants its frames.
  enum Form: Sendable {
    /// `alt=sse`.
    case events
    /// Without it: one JSON array.
    case array
  }

  /// A call whose arguments are still coming, or that waits for an earlier one.
  private struct Call {
    var number: Int
    var call: ToolCall
    var signature: String?
    var arguments: [UInt8] = []
    var isClosed = false
  }

  /// The arguments of calls that are not yet written may have so many bytes.
  static let argumentsMax = 8 << 20

  var isFull: Bool { held > Self.argumentsMax }

  private let facts: AnswerFacts
  private let form: Form
  private var id: String
  private var thoughts: Set<Int> = []
  private var calls: [Call] = []
  /// Bytes of their arguments.
  private var held = 0
  private var usage = TokenUsage()
  private var stop: StopReason?
  private var isBroken = false
  private var hasWritten = false
  private var isOver = false

  init(for facts: AnswerFacts) { self.init(for: facts, as: .events) }

  /// A writer of either form.
  init(for facts: AnswerFacts, as form: Form) {
    self.facts = facts
    self.form = form
    id = facts.id
  }

  mutating func write(_ event: StreamEvent, into bytes: inout [UInt8]) {
    guard !isOver else { return }
    switch event {
    case .began(let id, model: _, created: _): if !id.isEmpty { self.id = id }
    case .opened(let number, let part): open(number, part, into: &bytes)
    case .piece(let number, let piece): add(piece, to: number, into: &bytes)
    case .closed(let number): close(number, into: &bytes)
    case .usage(let usage): self.usage = usage
    case .stopped(let reason): stop = reason
    case .ended:
      let reason = isBroken ? GeminiAnswerPart.brokenReason : GeminiFinish.reason(stop ?? .end)
      frame([GeminiAnswerPart.empty], finish: reason, into: &bytes)
      end(into: &bytes)
    case .failed(let failure): fail(failure, into: &bytes)
    }
  }

  private mutating func open(_ number: Int, _ part: StreamPart, into bytes: inout [UInt8]) {
    switch part {
    case .text, .refusal: break
    case .thinking: thoughts.insert(number)
    case .redactedThinking(let text):
      put(.thought("", GeminiSignature.redacted(text).text), into: &bytes)
    case .toolCall(let id, let name, let signature):
      let call = ToolCall(id: id, name: name, arguments: "")
      calls.append(Call(number: number, call: call, signature: signature))
    }
  }

  private mutating func add(_ piece: StreamPiece, to number: Int, into bytes: inout [UInt8]) {
    switch piece {
    case .text(""): break
    case .text(let text): put(said(text, nil, in: number), into: &bytes)
    case .signature(let text):
      if let index = calls.firstIndex(where: { $0.number == number }) {
        calls[index].signature = text
      } else {
        put(said("", GeminiSignature.foreign(text).text, in: number), into: &bytes)
      }
    case .arguments(let text):
      guard let index = calls.firstIndex(where: { $0.number == number }) else { return }
      calls[index].arguments += text.utf8
      held += text.utf8.count
    }
  }

  private func said(_ text: String, _ signature: String?, in number: Int) -> GeminiAnswerPart {
    thoughts.contains(number) ? .thought(text, signature) : .text(text, signature)
  }

  /// Calls are written in the order of their opening.
  private mutating func close(_ number: Int, into bytes: inout [UInt8]) {
    thoughts.remove(number)
    guard let index = calls.firstIndex(where: { $0.number == number }) else { return }
    calls[index].isClosed = true
    while let first = calls.first, first.isClosed {
      calls.removeFirst()
      held -= first.arguments.count
      var call = first.call
      call.arguments = String(decoding: first.arguments, as: UTF8.self)
      put(.call(call, first.signature.map { GeminiSignature.foreign($0).text }), into: &bytes)
    }
  }

  private mutating func put(_ part: GeminiAnswerPart, into bytes: inout [UInt8]) {
    switch part {
    case .value(let value): frame([value], finish: nil, into: &bytes)
    case .brokenCall: isBroken = true
    case .nothing: break
    }
  }

  private mutating func frame(
    _ parts: [JSONValue], finish: String?, into bytes: inout [UInt8]
  ) {
    let value = GeminiClient.chunk(
      parts, finish: finish, usage: usage, model: facts.model, id: id)
    append(value.bytes, into: &bytes)
  }

  private mutating func fail(_ failure: StreamFailure, into bytes: inout [UInt8]) {
    append(googleErrorBody(failure), into: &bytes)
    end(into: &bytes)
  }

  private mutating func append(_ frame: [UInt8], into bytes: inout [UInt8]) {
    switch form {
    case .events: SSEWriter.append(data: frame, to: &bytes)
    case .array:
      bytes += (hasWritten ? ",\n" : "[").utf8
      bytes += frame
    }
    hasWritten = true
  }

  private mutating func end(into bytes: inout [UInt8]) {
    isOver = true
    if form == .array { bytes += "]\n".utf8 }
  }
}

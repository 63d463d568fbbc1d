import Domain
import Surface

/// Writes Anthropic's stream as its SDKs demand it: `message_start`, blocks one after another and numbered from 0,
/// one `message_delta`, `message_stop`.
struct MessagesStreamWriter: StreamWriter {
  /// Pieces of blocks that wait for an earlier one hold at most so many bytes together.
  static let heldBytesMax = 8 << 20
  /// So many blocks wait at most; providers allow a model 128 calls in one turn.
  static let heldMax = 1024

  var isFull: Bool { heldBytes > Self.heldBytesMax || open.count > Self.heldMax }

  /// A part that is open, or waits to be.
  private struct Held {
    let number: Int
    let part: StreamPart
    /// What it has to say, in one text: a part's pieces are all of one kind.
    var text = ""
    var signature: String?
    var isClosed = false
  }

  private let facts: AnswerFacts
  private let carrier: MessagesCarrier
  private var isOver = false
  /// Blocks begun on the wire so far.
  private var blocks = 0
  /// The first is open on the wire, the others wait.
  private var open: [Held] = []
  private var heldBytes = 0
  /// A text's signature goes behind it.
  private var textSignature: String?
  private var hasCalls = false
  private var hasRefusal = false
  private var usage = TokenUsage.notReported
  private var stop = StopReason.end

  init(for facts: AnswerFacts) {
    self.facts = facts
    carrier = MessagesCarrier(request: facts.request)
  }

  mutating func write(_ event: StreamEvent, into bytes: inout [UInt8]) {
    guard !isOver else { return }
    switch event {
    case .began(let id, model: _, created: _): start(id, into: &bytes)
    case .opened(let number, let part):
      open.append(Held(number: number, part: part))
      if open.count == 1 { startBlock(part, into: &bytes) }
    case .piece(let number, let piece):
      guard let place = open.firstIndex(where: { $0.number == number }) else { return }
      if place == 0 {
        add(piece, to: open[0].part, into: &bytes)
      } else {
        hold(piece, place, &bytes)
      }
    case .closed(let number):
      guard let place = open.firstIndex(where: { $0.number == number }) else { return }
      open[place].isClosed = true
      advance(into: &bytes)
    case .usage(let known): usage = known
    // Waits for what a provider tells of the usage after it.
    case .stopped(let reason): stop = reason
    case .ended: end(into: &bytes)
    case .failed(let failure): fail(failure, into: &bytes)
    }
  }

  // MARK: The message

  private func start(_ id: String, into bytes: inout [UInt8]) {
    frame("message_start", into: &bytes) { writer in
      writer.name("message")
      writer.value(
        .object([
          .init("id", .string(MessagesAnswer.id(id, facts))), .init("type", "message"),
          .init("role", "assistant"), .init("model", .string(facts.model)), .init("content", []),
          .init("stop_reason", nil), .init("stop_sequence", nil), .init("stop_details", nil),
          .init("usage", MessagesUsage(usage).object),
        ]))
    }
  }

  private mutating func end(into bytes: inout [UInt8]) {
    for place in open.indices { open[place].isClosed = true }
    advance(into: &bytes)
    frame("message_delta", into: &bytes) { writer in
      writer.name("delta")
      writer.value(
        .object(MessagesStop.members(stop, hasCalls: hasCalls, hasRefusal: hasRefusal)))
      writer.member("usage", MessagesUsage(usage).object)
    }
    frame("message_stop", into: &bytes) { _ in }
    isOver = true
  }

  private mutating func fail(_ failure: StreamFailure, into bytes: inout [UInt8]) {
    isOver = true
    open = []
    frame("error", into: &bytes) { writer in
      writer.member("error", messagesStreamError(failure))
    }
  }

  // MARK: Blocks

  private mutating func startBlock(_ part: StreamPart, into bytes: inout [UInt8]) {
    let block: JSONValue
    switch part {
    case .text: block = ["type": "text", "text": ""]
    case .refusal:
      block = ["type": "text", "text": ""]
      hasRefusal = true
    case .thinking: block = ["type": "thinking", "thinking": "", "signature": ""]
    case .redactedThinking(let data): block = ["type": "redacted_thinking", "data": .string(data)]
    case .toolCall(let id, let name, let signature):
      if let signature, carrier.hasCalls { writeSigned(.call(signature), into: &bytes) }
      block = ["type": "tool_use", "id": .string(id), "name": .string(name), "input": [:]]
      hasCalls = true
    }
    startBlock(block, into: &bytes)
  }

  private mutating func startBlock(_ block: JSONValue, into bytes: inout [UInt8]) {
    frame("content_block_start", into: &bytes) { writer in
      writer.member("index", blocks)
      writer.member("content_block", block)
    }
    blocks += 1
  }

  /// To the block that is open on the wire.
  private mutating func add(
    _ piece: StreamPiece, to part: StreamPart, into bytes: inout [UInt8]
  ) {
    switch (part, piece) {
    case (.text, .text(let text)), (.refusal, .text(let text)):
      delta("text_delta", "text", text, into: &bytes)
    case (.thinking, .text(let text)): delta("thinking_delta", "thinking", text, into: &bytes)
    case (.thinking, .signature(let text)):
      delta("signature_delta", "signature", text, into: &bytes)
    case (.toolCall, .arguments(let text)):
      delta("input_json_delta", "partial_json", text, into: &bytes)
    case (.text, .signature(let text)): if carrier.hasTexts { textSignature = text }
    // No reader makes these.
    case (.text, .arguments), (.refusal, .arguments), (.refusal, .signature),
      (.thinking, .arguments), (.toolCall, .text), (.toolCall, .signature), (.redactedThinking, _):
      break
    }
  }

  private func delta(
    _ type: String, _ name: String, _ text: String, into bytes: inout [UInt8]
  ) {
    frame("content_block_delta", into: &bytes) { writer in
      writer.member("index", blocks - 1)
      writer.name("delta")
      writer.object { writer in
        writer.member("type", type)
        writer.member(name, text)
      }
    }
  }

  private mutating func stopBlock(into bytes: inout [UInt8]) {
    frame("content_block_stop", into: &bytes) { writer in
      writer.member("index", blocks - 1)
    }
  }

  /// A block of its own for a signature that no block has a place for.
  private mutating func writeSigned(
    _ signature: MessagesSignature, into bytes: inout [UInt8]
  ) {
    startBlock(["type": "thinking", "thinking": "", "signature": ""], into: &bytes)
    delta("signature_delta", "signature", signature.carried, into: &bytes)
    stopBlock(into: &bytes)
  }

  // MARK: Order

  /// Keeps a piece until its block is the one on the wire.
  private mutating func hold(_ piece: StreamPiece, _ place: Int, _ bytes: inout [UInt8]) {
    switch piece {
    case .text(let text), .arguments(let text):
      open[place].text += text
      heldBytes += text.utf8.count
    case .signature(let text): open[place].signature = text
    }
  }

  /// Ends the block on the wire if its part is closed, then begins the next that waits, with all it has.
  private mutating func advance(into bytes: inout [UInt8]) {
    while let first = open.first, first.isClosed {
      stopBlock(into: &bytes)
      if let signature = textSignature {
        textSignature = nil
        writeSigned(.text(signature), into: &bytes)
      }
      open.removeFirst()
      guard let next = open.first else { return }
      startBlock(next.part, into: &bytes)
      if !next.text.isEmpty {
        let isCall = if case .toolCall = next.part { true } else { false }
        add(isCall ? .arguments(next.text) : .text(next.text), to: next.part, into: &bytes)
      }
      if let signature = next.signature { add(.signature(signature), to: next.part, into: &bytes) }
      heldBytes -= next.text.utf8.count
      open[0].text = ""
      open[0].signature = nil
    }
  }

  private func frame(
    _ name: String, into bytes: inout [UInt8], _ body: (inout JSONWriter) -> Void
  ) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("type", name)
      body(&writer)
    }
    bytes.append(contentsOf: "event: ".utf8)
    bytes.append(contentsOf: name.utf8)
    bytes.append(UInt8(ascii: "\n"))
    SSEWriter.append(data: writer.bytes, to: &bytes)
  }
}

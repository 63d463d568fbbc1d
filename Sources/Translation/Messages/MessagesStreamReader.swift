import Domain
import Surface

/// Reads Anthropic's stream: named frames, one message, its blocks one after another.
struct MessagesStreamReader: StreamReader {
  /// A block of the provider's that was opened and not yet closed.
  private struct Block {
    /// Its number in the events; nil: of a kind that no translated request can lead to.
    var part: Int?
    var isCall = false
    /// A call's arguments, where a provider sends them whole at the start.
    var input: JSONValue?
    var hasArguments = false
    var signature: String?
  }

  private var hasBegun = false
  private var messageID = ""
  private var isOver = false
  /// By the provider's index.
  private var blocks: [UInt64: Block] = [:]
  private var parts = 0
  /// The last part that was opened is no call.
  private var hasOpenWords = false
  private var hasCalls = false
  private var usage = MessagesUsage()
  private var reported: TokenUsage?
  /// Held until no block can follow.
  private var stop: StopReason?

  init() {}

  mutating func take(
    event: String?, data: JSONValue
  ) throws(TranslationFault) -> [StreamEvent] {
    var events: [StreamEvent] = []
    guard !isOver else { return events }
    switch data["type"]?.string ?? event {
    case "message_start":
      guard let message = data["message"] else { throw malformed("message") }
      begin(message, into: &events)
      report(message["usage"], into: &events)
    case "content_block_start": try open(data, into: &events)
    case "content_block_delta": try add(data, into: &events)
    case "content_block_stop":
      if let index = data["index"]?.uint { close(index, into: &events) }
    case "message_delta":
      begin(nil, into: &events)
      if let delta = data["delta"], let reason = delta["stop_reason"]?.string {
        stop = MessagesStop.read(
          reason, sequence: delta["stop_sequence"]?.string, hasCalls: hasCalls)
      }
      report(data["usage"], into: &events)
    case "message_stop":
      begin(nil, into: &events)
      end(stop ?? (hasCalls ? .toolCalls : .end), into: &events)
    case "error":
      begin(nil, into: &events)
      isOver = true
      let type = data["error"]?["type"]?.string ?? "api_error"
      events.append(.failed(StreamFailure(type: printable(type))))
    // Pings, and what is younger than this list.
    default: break
    }
    return events
  }

  mutating func finish() -> [StreamEvent] {
    var events: [StreamEvent] = []
    // A provider that told the reason has said all, though some leave out the last frame.
    if !isOver, let stop { end(stop, into: &events) }
    isOver = true
    return events
  }

  // MARK: The message

  /// A second start changes nothing; `message` nil: a provider that leaves out the first frame.
  private mutating func begin(_ message: JSONValue?, into events: inout [StreamEvent]) {
    guard !hasBegun else { return }
    hasBegun = true
    messageID = message?["id"]?.string ?? ""
    events.append(.began(id: messageID, model: message?["model"]?.string ?? "", created: nil))
  }

  private mutating func report(_ report: JSONValue?, into events: inout [StreamEvent]) {
    guard let report, report.members != nil else { return }
    usage.take(report)
    guard usage.tokens != reported else { return }
    reported = usage.tokens
    events.append(.usage(usage.tokens))
  }

  private mutating func end(_ stop: StopReason, into events: inout [StreamEvent]) {
    closeAll(into: &events)
    events += [.stopped(stop), .ended]
    isOver = true
  }

  // MARK: Blocks

  private mutating func open(
    _ data: JSONValue, into events: inout [StreamEvent]
  ) throws(TranslationFault) {
    guard let index = data["index"]?.uint, let content = data["content_block"] else {
      throw malformed("content_block")
    }
    begin(nil, into: &events)
    // A provider that forgot to close the block of this index.
    close(index, into: &events)
    var block = Block()
    var first: StreamPiece?
    switch content["type"]?.string {
    case "text":
      block.part = open(.text, into: &events)
      first = MessagesAnswer.nonEmpty(content["text"]?.string).map { .text($0) }
    case "thinking":
      block.part = open(.thinking, into: &events)
      first = MessagesAnswer.nonEmpty(content["thinking"]?.string).map { .text($0) }
      block.signature = MessagesAnswer.nonEmpty(content["signature"]?.string)
    case "redacted_thinking":
      block.part = open(.redactedThinking(content["data"]?.string ?? ""), into: &events)
    case "tool_use":
      guard let name = content["name"]?.string else { throw malformed("content_block") }
      // Some providers give none; a client needs one that no other call of the conversation has.
      let id = MessagesAnswer.nonEmpty(content["id"]?.string) ?? "call_\(messageID)_\(parts)"
      hasCalls = true
      block.isCall = true
      block.input = content["input"]
      block.part = open(.toolCall(id: id, name: name, signature: nil), into: &events)
    default: break
    }
    if let part = block.part, let first { events.append(.piece(part, first)) }
    blocks[index] = block
  }

  /// Only calls may be open side by side: what a provider forgot to close ends where the next begins.
  private mutating func open(_ part: StreamPart, into events: inout [StreamEvent]) -> Int {
    let isCall = if case .toolCall = part { true } else { false }
    if !isCall || hasOpenWords { closeAll(into: &events) }
    hasOpenWords = !isCall
    defer { parts += 1 }
    events.append(.opened(parts, part))
    return parts
  }

  /// In the order of their opening.
  private mutating func closeAll(into events: inout [StreamEvent]) {
    for (index, _) in blocks.sorted(by: { ($0.value.part ?? 0) < ($1.value.part ?? 0) }) {
      close(index, into: &events)
    }
  }

  private mutating func add(
    _ data: JSONValue, into events: inout [StreamEvent]
  ) throws(TranslationFault) {
    guard let index = data["index"]?.uint, let delta = data["delta"] else {
      throw malformed("delta")
    }
    begin(nil, into: &events)
    let type = delta["type"]?.string
    if blocks[index] == nil {
      // Some providers open no block for text or thoughts; a call's name is nowhere else.
      switch type {
      case "text_delta": blocks[index] = Block(part: open(.text, into: &events))
      case "thinking_delta": blocks[index] = Block(part: open(.thinking, into: &events))
      case "input_json_delta": throw malformed("index")
      default: return
      }
    }
    guard let block = blocks[index], let part = block.part else { return }
    switch type {
    case "text_delta":
      if let text = MessagesAnswer.nonEmpty(delta["text"]?.string) {
        events.append(.piece(part, .text(text)))
      }
    case "thinking_delta":
      if let text = MessagesAnswer.nonEmpty(delta["thinking"]?.string) {
        events.append(.piece(part, .text(text)))
      }
    case "signature_delta":
      // Each is whole; the last one counts.
      if let signature = MessagesAnswer.nonEmpty(delta["signature"]?.string) {
        blocks[index]?.signature = signature
      }
    case "input_json_delta":
      guard block.isCall else { return }
      if let text = MessagesAnswer.nonEmpty(delta["partial_json"]?.string) {
        blocks[index]?.hasArguments = true
        events.append(.piece(part, .arguments(text)))
      }
    // Citations, which no translated request asks for.
    default: break
    }
  }

  private mutating func close(_ index: UInt64, into events: inout [StreamEvent]) {
    guard let block = blocks.removeValue(forKey: index), let part = block.part else { return }
    if let signature = block.signature { events.append(.piece(part, .signature(signature))) }
    if block.isCall, !block.hasArguments {
      // A tool without arguments gets none here, and an object everywhere else.
      let input = block.input?.members.map(JSONValue.object) ?? [:]
      events.append(.piece(part, .arguments(String(decoding: input.bytes, as: UTF8.self))))
    }
    events.append(.closed(part))
  }

  private func malformed(_ field: String) -> TranslationFault {
    TranslationFault(.malformed, field, "A frame of the answer lacks \(field), or has it wrong.")
  }
}

import Domain
import Surface

/// Turns a provider's chat chunks into events.
///
/// Takes what providers do beside the document: no ids, empty or repeated fields, all calls under one index, calls
/// side by side, a reason to stop in several chunks, usage in any of them. The reason and the end are told by
/// `finish`, because usage comes after the reason and a client's protocol may want both at once.
struct ChatStreamReader: StreamReader {
  private var events: [StreamEvent] = []
  private var hasBegun = false
  private var isOver = false
  /// The provider's id of the answer.
  private var id = ""
  private var partCount = 0
  /// The part that is neither a call nor closed.
  private var open: OpenPart?
  private var calls = ChatCallAssembly()
  private var usage = TokenUsage.notReported
  private var reason: String?
  private var stopped: JSONValue?
  private var hasRefusal = false

  private struct OpenPart {
    var number: Int
    var kind: StreamPart
    /// Which of the provider's thoughts it is.
    var thought: Int64?
    var isSigned = false
  }

  mutating func take(event: String?, data: JSONValue) throws(TranslationFault) -> [StreamEvent] {
    if isOver { return [] }
    events = []
    // Several answers were never asked for.
    let choice = data["choices"]?.array?.first { ($0["index"]?.int ?? 0) == 0 }
    if let failure = Self.failure(event, data, choice) {
      begin(data)
      isOver = true
      return events + [.failed(failure)]
    }
    // Moonshot puts it into the choice.
    let usage = ChatUsage.read(data["usage"]) ?? ChatUsage.read(choice?["usage"])
    // Azure begins with a chunk about filters, without id, model or choice.
    guard choice != nil || usage != nil else { return [] }
    begin(data)
    if let choice { try take(choice) }
    if let usage, usage != .notReported {
      self.usage = usage.filled(from: self.usage)
      events.append(.usage(self.usage))
    }
    return events
  }

  mutating func finish() -> [StreamEvent] {
    guard hasBegun, !isOver, reason != nil else { return [] }
    events = []
    isOver = true
    closeAll()
    let stop = ChatStop.read(
      reason, stopped: stopped, hasCalls: calls.hasAny, hasRefusal: hasRefusal)
    return events + [.stopped(stop), .ended]
  }

  // MARK: One chunk

  private mutating func begin(_ data: JSONValue) {
    if hasBegun { return }
    hasBegun = true
    id = data["id"]?.string ?? ""
    events.append(
      .began(id: id, model: data["model"]?.string ?? "", created: data["created"]?.int))
  }

  private mutating func take(_ choice: JSONValue) throws(TranslationFault) {
    // Some servers send the whole message in their only chunk.
    if let delta = choice["delta"] ?? choice["message"] { try take(delta: delta) }
    if let reason = choice["finish_reason"]?.string, !reason.isEmpty { self.reason = reason }
    if let stopped = choice["stop_reason"], !stopped.isNull { self.stopped = stopped }
  }

  private mutating func take(delta: JSONValue) throws(TranslationFault) {
    if let name = chatMedia(delta) { throw chatMediaFault("choices[0].delta.\(name)") }
    takeThoughts(delta)
    if let text = Self.text(delta["content"]) {
      say(text, .text)
    } else {
      for element in delta["content"]?.array ?? [] {
        switch ChatPiece(element) {
        case .text(let text): say(text, .text)
        case .thinking(let text): say(text, .thinking)
        case nil: continue
        }
      }
    }
    if let text = Self.text(delta["refusal"]) {
      hasRefusal = true
      say(text, .refusal)
    }
    if let signature = ChatSignature.read(delta), let open, open.kind == .text {
      events.append(.piece(open.number, .signature(signature)))
    }
    for (index, call) in (delta["tool_calls"]?.array ?? []).enumerated() {
      closeOpen()
      try calls.take(call, at: index, of: id, &partCount, &events)
    }
  }

  private mutating func takeThoughts(_ delta: JSONValue) {
    let details = (delta["reasoning_details"]?.array ?? []).compactMap { ChatThought($0) }
    for thought in details {
      switch thought.content {
      case .text(let text):
        if text.isEmpty, thought.signature == nil { continue }
        // Its signature ends a thought; so does the number of the next.
        if let open, open.kind == .thinking, open.isSigned || open.thought != thought.index {
          closeOpen()
        }
        if !text.isEmpty { say(text, .thinking, thought: thought.index) }
        if let signature = thought.signature {
          let number = ensureOpen(.thinking, thought: thought.index)
          events.append(.piece(number, .signature(signature)))
          open?.isSigned = true
        }
      case .redacted(let data):
        closeOpen()
        _ = ensureOpen(.redactedThinking(data))
        closeOpen()
      }
    }
    // The same text stands here beside the details.
    guard details.isEmpty,
      let text = Self.text(delta["reasoning_content"]) ?? Self.text(delta["reasoning"])
    else { return }
    say(text, .thinking)
  }

  private static func text(_ value: JSONValue?) -> String? {
    value?.string.flatMap { $0.isEmpty ? nil : $0 }
  }

  // MARK: Parts

  private mutating func say(_ text: String, _ kind: StreamPart, thought: Int64? = nil) {
    // Some servers let line breaks of the model's own notation of calls through.
    if calls.hasUnfinished, text.allSatisfy(\.isWhitespace) { return }
    let number = ensureOpen(kind, thought: thought)
    events.append(.piece(number, .text(text)))
  }

  /// The number of the open part if it is of this kind, else of a new one.
  private mutating func ensureOpen(_ kind: StreamPart, thought: Int64? = nil) -> Int {
    if let open, open.kind == kind, !open.isSigned { return open.number }
    closeAll()
    let number = partCount
    partCount += 1
    events.append(.opened(number, kind))
    open = OpenPart(number: number, kind: kind, thought: thought)
    return number
  }

  private mutating func closeOpen() {
    if let open { events.append(.closed(open.number)) }
    open = nil
  }

  private mutating func closeAll() {
    closeOpen()
    calls.closeAll(of: id, &partCount, &events)
  }

  // MARK: Errors

  /// The error that a frame reports instead of a chunk; only its class.
  private static func failure(
    _ event: String?, _ data: JSONValue, _ choice: JSONValue?
  ) -> StreamFailure? {
    if let error = data["error"], !error.isNull { return StreamFailure(type: name(error)) }
    // Older versions of vLLM, and servers that name the frame.
    if data["object"]?.string == "error" || event == "error" {
      return StreamFailure(type: name(data))
    }
    // Mistral's and OpenRouter's reason, the latter with the error beside it.
    if choice?["finish_reason"] == "error" {
      return StreamFailure(type: name(choice?["error"] ?? .null))
    }
    return nil
  }

  /// OpenAI's `code` is the finer one; where it is a number, as OpenRouter's, the type or that number.
  private static func name(_ error: JSONValue) -> String {
    text(error["code"]) ?? text(error["type"]) ?? error["code"]?.uint.map(String.init)
      ?? "server_error"
  }
}

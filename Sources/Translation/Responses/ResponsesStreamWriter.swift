import Domain
import Surface

/// Writes the events of a streamed response: each item opened, filled and closed with its whole text, and at the
/// end the whole response, as the protocol wants it.
///
/// For that it keeps what was said, up to `textMax` bytes.
struct ResponsesStreamWriter: StreamWriter {
  private let textMax: Int
  private var response: ResponsesObject
  private var sequence = 0
  /// The items by their index; null while one is open.
  private var items: [JSONValue] = []
  private var open: [Int: ResponsesStreamItem] = [:]
  /// Closed, but not yet told so: whether its item is complete is known with the next event.
  private var closing: ResponsesStreamItem?
  private var usage: TokenUsage?
  private var stop: StopReason = .end
  private var hasRefusal = false
  private var textBytes = 0
  private var state = State.new

  private enum State {
    case new
    case begun
    case over
  }

  /// Larger answers than 32 MiB no model gives.
  init(for facts: AnswerFacts) { self.init(for: facts, textMax: 32 << 20) }

  init(for facts: AnswerFacts, textMax: Int) {
    response = ResponsesObject(facts)
    self.textMax = textMax
  }

  var isFull: Bool { textBytes > textMax }

  mutating func write(_ event: StreamEvent, into bytes: inout [UInt8]) {
    if state == .over { return }
    if case .began(let id, _, let created) = event { response.adopt(id: id, created: created) }
    begin(&bytes)
    switch event {
    case .began: break
    case .opened(let part, let kind):
      close(as: .completed, &bytes)
      opened(part, kind, &bytes)
    case .piece(let part, let piece):
      close(as: .completed, &bytes)
      self.piece(part, piece, &bytes)
    case .closed(let part):
      close(as: .completed, &bytes)
      closing = open.removeValue(forKey: part)
    case .usage(let figures): usage = figures
    case .stopped(let reason):
      stop = reason
      close(as: ResponsesEnd(reason, hasRefusal: hasRefusal), &bytes)
    case .ended: ended(&bytes)
    case .failed(let failure): failed(failure, &bytes)
    }
  }

  private mutating func begin(_ bytes: inout [UInt8]) {
    guard state == .new else { return }
    state = .begun
    let response = self.response.json(output: [], end: nil)
    emit("response.created", &bytes) { $0.member("response", response) }
    emit("response.in_progress", &bytes) { $0.member("response", response) }
  }

  private mutating func opened(_ part: Int, _ kind: StreamPart, _ bytes: inout [UInt8]) {
    switch kind {
    case .text, .refusal:
      if kind == .refusal { hasRefusal = true }
      var item = add(kind, .message, &bytes) { ResponsesOutput.message($0, [], "in_progress") }
      emit("response.content_part.added", item, &bytes) { writer, item in
        writer.member("content_index", 0)
        writer.member("part", item.content)
      }
      item.hasPart = true
      open[part] = item
    // Told with its first piece: without any there is nothing to tell.
    case .thinking: open[part] = ResponsesStreamItem(kind)
    case .redactedThinking(let data): whole(.redacted(data), &bytes)
    case .toolCall(let id, let name, let signature):
      if let signature { whole(.call(signature), &bytes) }
      open[part] = add(kind, .call, &bytes) {
        [
          "id": .string($0), "type": "function_call", "status": "in_progress", "arguments": "",
          "call_id": .string(id), "name": .string(name),
        ]
      }
    }
  }

  /// A new item, empty as yet.
  private mutating func add(
    _ kind: StreamPart, _ name: ResponsesOutput.Kind, _ bytes: inout [UInt8],
    _ make: (String) -> JSONValue
  ) -> ResponsesStreamItem {
    var item = ResponsesStreamItem(kind)
    item.index = items.count
    item.id = ResponsesOutput.itemID(name, of: response.id, at: items.count)
    items.append(.null)
    let json = make(item.id)
    emit("response.output_item.added", &bytes) { writer in
      writer.member("output_index", item.index)
      writer.member("item", json)
    }
    return item
  }

  /// A reasoning item that only carries what a provider wants back.
  private mutating func whole(_ mark: CarriedSignature, _ bytes: inout [UInt8]) {
    let item = add(.thinking, .reasoning, &bytes) { ResponsesOutput.reasoning($0, "", nil) }
    done(item, ResponsesOutput.reasoning(item.id, "", mark), &bytes)
  }

  private mutating func piece(_ part: Int, _ piece: StreamPiece, _ bytes: inout [UInt8]) {
    guard var item = open.removeValue(forKey: part) else { return }
    defer { open[part] = item }
    if item.kind == .thinking, item.id.isEmpty {
      item = add(.thinking, .reasoning, &bytes) { ResponsesOutput.reasoning($0, "", nil) }
    }
    switch piece {
    case .signature(let signature): item.signature = signature
    case .text(let text), .arguments(let text):
      if text.isEmpty { return }
      if item.kind == .thinking, !item.hasPart {
        item.hasPart = true
        emit("response.reasoning_summary_part.added", item, &bytes) { writer, _ in
          writer.member("summary_index", 0)
          writer.member("part", ResponsesOutput.summary(""))
        }
      }
      item.text += text
      textBytes += text.utf8.count
      delta(item, text, &bytes)
    }
  }

  private mutating func delta(
    _ item: ResponsesStreamItem, _ text: String, _ bytes: inout [UInt8]
  ) {
    switch item.kind {
    case .text:
      emit("response.output_text.delta", item, &bytes) { writer, _ in
        writer.member("content_index", 0)
        writer.member("delta", text)
        writer.member("logprobs", [])
      }
    case .refusal:
      emit("response.refusal.delta", item, &bytes) { writer, _ in
        writer.member("content_index", 0)
        writer.member("delta", text)
      }
    case .thinking, .redactedThinking:
      emit("response.reasoning_summary_text.delta", item, &bytes) { writer, _ in
        writer.member("summary_index", 0)
        writer.member("delta", text)
      }
    case .toolCall:
      emit("response.function_call_arguments.delta", item, &bytes) { writer, _ in
        writer.member("delta", text)
      }
    }
  }

  /// Tells that the part closed last is whole; `end` is its item's state.
  private mutating func close(as end: ResponsesEnd, _ bytes: inout [UInt8]) {
    guard var item = closing.take() else { return }
    switch item.kind {
    case .text:
      emit("response.output_text.done", item, &bytes) { writer, item in
        writer.member("content_index", 0)
        writer.member("text", item.text)
        writer.member("logprobs", [])
      }
      closeMessage(item, end, &bytes)
    case .refusal:
      emit("response.refusal.done", item, &bytes) { writer, item in
        writer.member("content_index", 0)
        writer.member("refusal", item.text)
      }
      closeMessage(item, end, &bytes)
    case .thinking, .redactedThinking:
      guard !item.id.isEmpty else { return }
      if item.hasPart {
        emit("response.reasoning_summary_text.done", item, &bytes) { writer, item in
          writer.member("summary_index", 0)
          writer.member("text", item.text)
        }
        emit("response.reasoning_summary_part.done", item, &bytes) { writer, item in
          writer.member("summary_index", 0)
          writer.member("part", ResponsesOutput.summary(item.text))
        }
      }
      let mark = item.signature.map { CarriedSignature.thinking($0) }
      done(item, ResponsesOutput.reasoning(item.id, item.text, mark), &bytes)
    case .toolCall(let id, let name, _):
      if item.text.isEmpty {
        item.text = "{}"
        delta(item, item.text, &bytes)
      }
      emit("response.function_call_arguments.done", item, &bytes) { writer, item in
        writer.member("name", name)
        writer.member("arguments", item.text)
      }
      let call = ToolCall(id: id, name: name, arguments: item.text)
      done(item, ResponsesOutput.call(item.id, call, end.status), &bytes)
    }
  }

  private mutating func closeMessage(
    _ item: ResponsesStreamItem, _ end: ResponsesEnd, _ bytes: inout [UInt8]
  ) {
    emit("response.content_part.done", item, &bytes) { writer, item in
      writer.member("content_index", 0)
      writer.member("part", item.content)
    }
    done(item, ResponsesOutput.message(item.id, [item.content], end.status), &bytes)
  }

  private mutating func done(
    _ item: ResponsesStreamItem, _ json: JSONValue, _ bytes: inout [UInt8]
  ) {
    items[item.index] = json
    emit("response.output_item.done", &bytes) { writer in
      writer.member("output_index", item.index)
      writer.member("item", json)
    }
  }

  private mutating func ended(_ bytes: inout [UInt8]) {
    let end = ResponsesEnd(stop, hasRefusal: hasRefusal)
    close(as: end, &bytes)
    state = .over
    let response = self.response.json(output: finished, end: end, usage: usage)
    emit("response.\(end.status)", &bytes) { $0.member("response", response) }
  }

  /// As OpenAI does it: an `error` event, which makes the SDK raise, and the failed response, which others look for.
  private mutating func failed(_ failure: StreamFailure, _ bytes: inout [UInt8]) {
    close(as: .completed, &bytes)
    state = .over
    let error = ResponsesFailure(failure)
    emit("error", &bytes) { writer in
      writer.member("code", error.code)
      writer.member("message", error.message)
      writer.member("param", .null)
      writer.member("error", error.json)
    }
    let response = self.response.json(
      output: finished, end: nil, usage: usage,
      error: ["code": .string(error.responseCode), "message": .string(error.message)])
    emit("response.failed", &bytes) { $0.member("response", response) }
  }

  private var finished: [JSONValue] { items.filter { !$0.isNull } }

  /// One frame about an item.
  private mutating func emit(
    _ type: String, _ item: ResponsesStreamItem, _ bytes: inout [UInt8],
    _ body: (inout JSONWriter, ResponsesStreamItem) -> Void
  ) {
    emit(type, &bytes) { writer in
      writer.member("item_id", item.id)
      writer.member("output_index", item.index)
      body(&writer, item)
    }
  }

  /// One frame: the event's name is its type.
  private mutating func emit(
    _ type: String, _ bytes: inout [UInt8], _ body: (inout JSONWriter) -> Void
  ) {
    var writer = JSONWriter()
    writer.object { writer in
      writer.member("type", type)
      writer.member("sequence_number", sequence)
      body(&writer)
    }
    sequence += 1
    bytes.append(contentsOf: "event: ".utf8)
    bytes.append(contentsOf: type.utf8)
    bytes.append(contentsOf: "\ndata: ".utf8)
    // One line: JSON as it is written here has no line ends.
    bytes.append(contentsOf: writer.bytes)
    bytes.append(contentsOf: "\n\n".utf8)
  }
}

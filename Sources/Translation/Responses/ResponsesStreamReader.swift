import Domain
import Surface

/// Reads a provider's streamed response.
struct ResponsesStreamReader: StreamReader {
  private var events: [StreamEvent] = []
  private var hasBegun = false
  private var isOver = false
  private var count = 0
  private var items: [ItemKey: Item] = [:]
  private var hasCalls = false
  private var hasRefusal = false
  /// The open parts, of which only calls may be several.
  private var open: [(part: Int, isCall: Bool)] = []

  init() {}

  /// Some providers leave the index out, some change an item's id from event to event: the index goes first.
  private enum ItemKey: Hashable {
    case index(UInt64)
    case id(String)
  }

  /// What was told of an item.
  private struct Item {
    /// The contents of a message by their index; a call or thoughts: at 0.
    var contents: [UInt64: Content] = [:]
    /// Which part of a summary, or of the thoughts, was told last.
    var section: String?
    var isDone = false
  }

  private struct Content {
    var part: Int
    var isWritten = false
  }

  mutating func take(
    event: String?, data: JSONValue
  ) throws(TranslationFault) -> [StreamEvent] {
    if isOver { return [] }
    guard data.members != nil else {
      throw TranslationFault(.malformed, "", "A frame of the answer is not an object.")
    }
    events = []
    switch data["type"]?.string ?? event ?? (data["error"] == nil ? "" : "error") {
    case "response.created", "response.queued", "response.in_progress":
      begin(data["response"])
    case "response.output_item.added": try added(data)
    case "response.content_part.added": contentAdded(data)
    case "response.output_text.delta": try delta(data, .text)
    case "response.output_text.done": try whole(data, key(data), .text, "text")
    case "response.refusal.delta": try delta(data, .refusal)
    case "response.refusal.done": try whole(data, key(data), .refusal, "refusal")
    case "response.content_part.done": contentDone(data)
    case "response.reasoning_summary_text.delta": try thought(data, "summary_index", "delta")
    case "response.reasoning_summary_text.done": try thought(data, "summary_index", "text")
    case "response.reasoning_text.delta": try thought(data, "content_index", "delta")
    case "response.reasoning_text.done": try thought(data, "content_index", "text")
    case "response.function_call_arguments.delta": try arguments(data, "delta")
    case "response.function_call_arguments.done": try arguments(data, "arguments")
    case "response.output_item.done": try done(data["item"] ?? .null, key(data))
    case "response.completed", "response.incomplete": try end(data["response"] ?? .null)
    case "response.failed", "response.cancelled": fail(data["response"]?["error"])
    // OpenAI documents the flat form and sends the other.
    case "error": fail(data["error"] ?? ["code": data["code"] ?? .null])
    default: break
    }
    return events
  }

  /// A stream that has not said that it is over has broken off.
  mutating func finish() -> [StreamEvent] { [] }

  private mutating func begin(_ response: JSONValue?) {
    guard !hasBegun else { return }
    hasBegun = true
    events.append(
      .began(
        id: response?["id"]?.string ?? "", model: response?["model"]?.string ?? "",
        created: response?["created_at"]?.int))
  }

  private func key(_ data: JSONValue) -> ItemKey {
    if let index = data["output_index"]?.uint { return .index(index) }
    return .id(data["item_id"]?.string ?? data["item"]?["id"]?.string ?? "")
  }

  private mutating func open(_ kind: StreamPart) -> Int {
    begin(nil)
    let isCall = if case .toolCall = kind { true } else { false }
    // Calls may stay open beside each other; nothing else may beside anything.
    for last in open where !(isCall && last.isCall) { events.append(.closed(last.part)) }
    open = isCall ? open.filter(\.isCall) : []
    if isCall { hasCalls = true }
    if kind == .refusal { hasRefusal = true }
    let part = count
    count += 1
    open.append((part, isCall))
    events.append(.opened(part, kind))
    return part
  }

  private func isOpen(_ part: Int) -> Bool { open.contains { $0.part == part } }

  private mutating func close(_ part: Int) {
    guard let index = open.firstIndex(where: { $0.part == part }) else { return }
    open.remove(at: index)
    events.append(.closed(part))
  }

  private mutating func added(_ data: JSONValue) throws(TranslationFault) {
    begin(nil)
    guard let item = data["item"], item["type"]?.string == "function_call" else { return }
    // Without a name it is opened when it is whole.
    if let name = item["name"]?.string, !name.isEmpty { call(item, name, key(data)) }
  }

  private mutating func call(_ item: JSONValue, _ name: String, _ key: ItemKey) {
    let id = item["call_id"]?.string ?? item["id"]?.string ?? "call_\(count)"
    let part = open(.toolCall(id: id, name: name, signature: nil))
    items[key, default: Item()].contents[0] = Content(part: part)
  }

  private mutating func contentAdded(_ data: JSONValue) {
    switch data["part"]?["type"]?.string {
    case "output_text": open(.text, key(data), index(data))
    case "refusal": open(.refusal, key(data), index(data))
    default: begin(nil)
    }
  }

  private func index(_ data: JSONValue) -> UInt64 { data["content_index"]?.uint ?? 0 }

  /// Opens a message's content, unless it is open or its item was closed already.
  private mutating func open(_ kind: StreamPart, _ key: ItemKey, _ index: UInt64) {
    var item = items[key] ?? Item()
    if item.isDone || item.contents[index].map({ isOpen($0.part) }) ?? false { return }
    item.contents[index] = Content(part: open(kind))
    items[key] = item
  }

  private mutating func delta(_ data: JSONValue, _ kind: StreamPart) throws(TranslationFault) {
    let text = try self.text(data, "delta")
    if text.isEmpty { return }
    open(kind, key(data), index(data))
    write(.text(text), key(data), index(data))
  }

  /// The whole text, for providers that send no deltas.
  private mutating func whole(
    _ data: JSONValue, _ key: ItemKey, _ kind: StreamPart, _ name: String
  ) throws(TranslationFault) {
    let index = index(data)
    if items[key]?.contents[index]?.isWritten == true { return }
    let text = try self.text(data, name)
    if text.isEmpty { return }
    open(kind, key, index)
    write(.text(text), key, index)
  }

  private mutating func contentDone(_ data: JSONValue) {
    guard let content = items[key(data)]?.contents[index(data)], content.isWritten else { return }
    close(content.part)
  }

  private mutating func write(_ piece: StreamPiece, _ key: ItemKey, _ index: UInt64) {
    guard let part = items[key]?.contents[index]?.part else { return }
    items[key]?.contents[index]?.isWritten = true
    events.append(.piece(part, piece))
  }

  /// Thoughts, or a summary of them: all sections of an item are one part, with a blank line between.
  private mutating func thought(
    _ data: JSONValue, _ indexName: String, _ name: String
  ) throws(TranslationFault) {
    let text = try self.text(data, name)
    let key = key(data)
    var item = items[key] ?? Item()
    let section = "\(indexName) \(data[indexName]?.uint ?? 0)"
    // Its `done` tells what its deltas have told.
    if item.isDone || (name == "text" && item.section == section) || text.isEmpty { return }
    // A provider that sends both tells the same twice.
    if let earlier = item.section, !earlier.hasPrefix(indexName) { return }
    let isNext = item.section != nil && item.section != section
    item.section = section
    if item.contents[0].map({ !isOpen($0.part) }) ?? true {
      item.contents[0] = Content(part: open(.thinking))
    }
    items[key] = item
    write(.text(isNext ? "\n\n" + text : text), key, 0)
  }

  private mutating func arguments(
    _ data: JSONValue, _ name: String
  ) throws(TranslationFault) {
    begin(nil)
    let text = try self.text(data, name)
    let key = key(data)
    // Not opened yet: the item's end will tell it whole.
    guard let call = items[key]?.contents[0], !text.isEmpty else { return }
    if name == "arguments", call.isWritten { return }
    guard isOpen(call.part) else {
      throw TranslationFault(
        .malformed, name, "The answer goes on with a call beside a text.")
    }
    write(.arguments(text), key, 0)
  }

  /// An item is whole: what was not told of it in pieces is told now.
  private mutating func done(_ item: JSONValue, _ key: ItemKey) throws(TranslationFault) {
    begin(nil)
    if items[key]?.isDone == true { return }
    switch item["type"]?.string {
    case "message":
      for (index, content) in (item["content"]?.array ?? []).enumerated() {
        let data: JSONValue = [
          "content_index": JSONValue(index), "text": content["text"] ?? "",
          "refusal": content["refusal"] ?? "",
        ]
        switch content["type"]?.string {
        case "output_text": try whole(data, key, .text, "text")
        case "refusal": try whole(data, key, .refusal, "refusal")
        default: break
        }
      }
    case "function_call":
      if items[key]?.contents[0] == nil { call(item, try text(item, "name"), key) }
      if let call = items[key]?.contents[0], !call.isWritten,
        let arguments = item["arguments"]?.string, !arguments.isEmpty, isOpen(call.part)
      {
        write(.arguments(arguments), key, 0)
      }
    case "reasoning": thoughts(item, key)
    default: break
    }
    for content in (items[key]?.contents ?? [:]).values.sorted(by: { $0.part < $1.part }) {
      close(content.part)
    }
    items[key, default: Item()].isDone = true
    items[key]?.contents = [:]
  }

  private mutating func thoughts(_ item: JSONValue, _ key: ItemKey) {
    let text = ResponsesAnswerReader.thoughts(of: item)
    if items[key]?.contents[0] == nil, !text.isEmpty {
      let part = open(.thinking)
      items[key, default: Item()].contents[0] = Content(part: part)
      write(.text(text), key, 0)
    }
    guard let signature = ResponsesAnswerReader.signature(of: item) else { return }
    if let part = items[key]?.contents[0]?.part, isOpen(part) {
      write(.signature(signature), key, 0)
    } else {
      close(open(.redactedThinking(signature)))
    }
  }

  private mutating func end(_ response: JSONValue) throws(TranslationFault) {
    begin(response)
    // A provider that streams nothing but the end.
    if count == 0 {
      for (index, item) in (response["output"]?.array ?? []).enumerated() {
        try done(item, .index(UInt64(index)))
      }
    }
    for last in open { events.append(.closed(last.part)) }
    open = []
    if let usage = ResponsesUsage.read(response["usage"]) { events.append(.usage(usage)) }
    guard
      let stop = ResponsesEnd.stop(of: response, hasCalls: hasCalls, hasRefusal: hasRefusal)
    else { return fail(response["error"]) }
    events += [.stopped(stop), .ended]
    isOver = true
  }

  private mutating func fail(_ error: JSONValue?) {
    begin(nil)
    isOver = true
    let type = error?["code"]?.string ?? error?["type"]?.string ?? ""
    events.append(.failed(StreamFailure(type: ResponsesFailure.word(type))))
  }

  private func text(_ data: JSONValue, _ name: String) throws(TranslationFault) -> String {
    guard let text = data[name]?.string else {
      throw TranslationFault(.malformed, name, "\(name) in the answer's stream is not a string.")
    }
    return text
  }
}

import Surface

/// Reads `contents`: who said what, and which result answers which call.
struct GeminiContents {
  /// What was read so far.
  private(set) var turns: [Turn] = []
  private var calls = GeminiCallLedger()

  /// Takes one content.
  mutating func take(_ value: JSONValue, _ path: String) throws(TranslationFault) {
    var content = try ProtoFields(value, path)
    let role: Turn.Role
    switch try content.text("role") {
    // `function`: what results had before they became the user's.
    case nil, "", "user", "function": role = .user
    case "model": role = .assistant
    case _: throw content.malformed("role", "user or model")
    }
    var parts: [Part] = []
    for (value, path) in try content.list("parts") ?? [] {
      Self.append(try part(value, path), to: &parts, role)
    }
    try content.finish()
    guard !parts.isEmpty else { return }
    // SDKs keep each piece of a stream as a content of its own.
    if role == .assistant, let last = turns.indices.last, turns[last].role == .assistant {
      for part in parts { Self.append(part, to: &turns[last].parts, role) }
    } else {
      turns.append(Turn(role, parts, field: path))
    }
  }

  /// Appends a part, or its text to the part before it where a stream has cut the model's words.
  private static func append(_ part: Part, to parts: inout [Part], _ role: Turn.Role) {
    guard role == .assistant else {
      parts.append(part)
      return
    }
    if let last = parts.indices.last, parts[last].signature == nil,
      parts[last].content.join(part.content)
    {
      parts[last].signature = part.signature
    } else if part.signature != nil || !part.content.isEmptyText {
      // The last frame of a stream says nothing, which others refuse in a history.
      parts.append(part)
    }
  }

  private mutating func part(_ value: JSONValue, _ path: String) throws(TranslationFault) -> Part {
    var fields = try ProtoFields(value, path)
    let signature = try fields.text("thoughtSignature").flatMap(GeminiSignature.init)
    let isThought = try fields.bool("thought") ?? false
    // What an application notes for itself.
    _ = fields.take("partMetadata")
    let detail = try mediaDetail(&fields)
    let content: Part.Content
    if let text = try fields.text("text") {
      content = isThought ? .thinking(text) : .text(text)
    } else if let media = try readMedia(&fields) {
      content = media
    } else if let call = try fields.object("functionCall") {
      content = try .toolCall(readCall(call))
    } else if let result = try fields.object("functionResponse") {
      content = try .toolResult(readResult(result))
    } else if signature != nil {
      content = isThought ? .thinking("") : .text("")
    } else {
      try fields.finish()
      throw TranslationFault(.malformed, path, "\(path) holds nothing.")
    }
    try fields.finish()
    var part = Part(content.looking(detail), field: path)
    switch signature {
    case .foreign(let text): part.signature = text
    case .redacted(let text): part.content = .redactedThinking(text)
    // Of thoughts, only Anthropic wants one back, and refuses any but its own; nobody else wants one alone.
    case .google(let text): part.signature = isThought || part.content.isEmptyText ? nil : text
    case nil: break
    }
    return part
  }

  private mutating func readCall(_ call: ProtoFields) throws(TranslationFault) -> ToolCall {
    var call = call
    let name = try call.requiredText("name")
    let given = try call.text("id") ?? ""
    let arguments = call.take("args") ?? .object([])
    guard arguments.members != nil else { throw call.malformed("args", "an object") }
    if try call.bool("willContinue") == true { throw call.notCarried("willContinue") }
    try call.finish()
    let id = calls.open(given, name)
    return ToolCall(id: id, name: name, arguments: text(of: arguments))
  }

  private mutating func readResult(_ result: ProtoFields) throws(TranslationFault) -> ToolResult {
    var result = result
    let name = try result.requiredText("name")
    let given = try result.text("id") ?? ""
    guard let id = calls.close(given, name) else {
      throw TranslationFault(
        .malformed, result.path, "\(result.path) answers no functionCall before it.")
    }
    let response = result.take("response") ?? .object([])
    guard let members = response.members else { throw result.malformed("response", "an object") }
    if try result.bool("willContinue") == true { throw result.notCarried("willContinue") }
    let said = members.filter { !$0.value.isNull }
    var answer = ToolResult(callID: id, name: name, parts: [])
    // What Google and its SDKs call a result and a failure; any other object is a result as a whole.
    if said.count == 1, let only = said.first, ["output", "result", "error"].contains(only.name) {
      answer.isError = only.name == "error"
      answer.parts = [Part(.text(text(of: only.value)), field: result.place("response"))]
    } else if !said.isEmpty {
      answer.parts = [Part(.text(text(of: response)), field: result.place("response"))]
    }
    for (value, path) in try result.list("parts") ?? [] {
      var part = try ProtoFields(value, path)
      let detail = try mediaDetail(&part)
      guard let media = try readMedia(&part) else {
        try part.finish()
        throw TranslationFault(.malformed, path, "\(path) holds nothing.")
      }
      try part.finish()
      answer.parts.append(Part(media.looking(detail), field: path))
    }
    try result.finish()
    return answer
  }

  /// A text as it is, all else as JSON.
  private func text(of value: JSONValue) -> String {
    value.string ?? String(decoding: value.bytes, as: UTF8.self)
  }
}

/// Which calls still wait for a result; Gemini's older models and clients name them by their function only.
private struct GeminiCallLedger {
  private var count = 0
  /// Of each function, the ids of its calls in order, and how many of them results without an id have taken.
  private var queues: [String: (ids: [String], taken: Int)] = [:]
  /// Calls that a result has named.
  private var named: Set<String> = []

  /// Notes a call; its id, made of its place if it has none.
  mutating func open(_ given: String, _ name: String) -> String {
    count += 1
    let id = given.isEmpty ? "call_\(count)" : given
    queues[name, default: ([], 0)].ids.append(id)
    return id
  }

  /// The id of the call that a result answers; nil: none is left.
  mutating func close(_ given: String, _ name: String) -> String? {
    if !given.isEmpty {
      named.insert(given)
      return given
    }
    guard let ids = queues[name]?.ids, var taken = queues[name]?.taken else { return nil }
    defer { queues[name]?.taken = taken }
    while taken < ids.count {
      taken += 1
      if !named.contains(ids[taken - 1]) { return ids[taken - 1] }
    }
    return nil
  }
}

extension Part.Content {
  /// Adds a text to this text, or a thought to this thought; false: they are not of one kind.
  fileprivate mutating func join(_ next: Part.Content) -> Bool {
    // Emptied before it grows: a text held twice would be copied with every piece.
    if case .text(let more) = next, case .text(var words) = self {
      self = .text("")
      words += more
      self = .text(words)
    } else if case .thinking(let more) = next, case .thinking(var words) = self {
      self = .thinking("")
      words += more
      self = .thinking(words)
    } else {
      return false
    }
    return true
  }

  /// A text or a thought without a word.
  fileprivate var isEmptyText: Bool { self == .text("") || self == .thinking("") }
}

import Surface

/// Reads a client's chat request.
struct ChatRequestReader {
  var conversation: Conversation
  /// The names of the tools by the ids of their calls so far: a result names the id only.
  private var namesOfCalls: [String: String] = [:]

  init(model: String, isStream: Bool) {
    conversation = Conversation(model: model, isStream: isStream)
  }

  mutating func read(_ body: JSONValue) throws(TranslationFault) {
    var fields = try Fields(body, "")
    // Both were read from the same bytes before, to find the model's provider.
    _ = fields.take("model")
    _ = fields.take("stream")
    guard let messages = try fields.array("messages") else { throw fields.missing("messages") }
    for (index, message) in messages.enumerated() {
      try self.message(message, "messages[\(index)]")
    }
    for (index, tool) in (try fields.array("tools") ?? []).enumerated() {
      conversation.tools.append(try self.tool(tool, "tools[\(index)]"))
    }
    try settings(&fields)
  }

  // MARK: Messages

  private mutating func message(_ value: JSONValue, _ path: String) throws(TranslationFault) {
    var fields = try Fields(value, path)
    switch try fields.requiredText("role") {
    case "system", "developer":
      // Some clients always send one; a text that says nothing Anthropic refuses.
      let parts = try content(&fields, required: true).filter { $0.content != .text("") }
      for part in parts {
        guard case .text = part.content else {
          throw TranslationFault(.malformed, part.field, "\(part.field) is not text.")
        }
      }
      conversation.says(parts, path)
    case "user":
      add(.user, try content(&fields, required: true), path)
    case "assistant":
      let parts = try assistant(&fields)
      // No protocol takes a turn in which nothing is said.
      if !parts.isEmpty { add(.assistant, parts, path) }
    case "tool":
      let id = try fields.requiredText("tool_call_id")
      // Not in the protocol any more; clients still send it.
      let name = try fields.text("name") ?? namesOfCalls[id]
      let parts = try content(&fields, required: true)
      let result = ToolResult(callID: id, name: name, parts: parts)
      add(.user, [Part(.toolResult(result), field: path)], path)
    case "function":
      throw TranslationFault.notCarried(fields.place("role"))
    default:
      throw fields.malformed("role", "a role of chat completions")
    }
    try fields.finish()
  }

  private mutating func add(_ role: Turn.Role, _ parts: [Part], _ field: String) {
    conversation.turns.append(Turn(role, parts, field: field))
  }

  private mutating func assistant(_ fields: inout Fields) throws(TranslationFault) -> [Part] {
    if fields.take("audio") != nil { throw TranslationFault.stateBound(fields.place("audio")) }
    var parts = try ChatThoughts.read(&fields)
    var said = try content(&fields, required: false)
    let signature = try ChatSignature.read(&fields)
    if let refusal = try fields.text("refusal"), !refusal.isEmpty {
      said.append(Part(.refusal(refusal), field: fields.place("refusal")))
    }
    // A client that hands an answer back sends the empty text of one that only calls tools.
    said.removeAll { $0.content == .text("") }
    if let last = said.indices.last { said[last].signature = signature }
    parts += said
    for (index, call) in (try fields.array("tool_calls") ?? []).enumerated() {
      parts.append(try self.call(call, fields.place("tool_calls[\(index)]")))
    }
    // What the SDK makes of an answer, and citations of the answer's text: nothing that is read again.
    _ = fields.take("parsed")
    _ = fields.take("annotations")
    return parts
  }

  private mutating func call(_ value: JSONValue, _ path: String) throws(TranslationFault) -> Part {
    var fields = try Fields(value, path)
    switch try fields.text("type") ?? "function" {
    case "function": break
    case "custom": throw fields.notCarried("custom")
    default: throw fields.malformed("type", "a type of tool call")
    }
    let id = try fields.requiredText("id")
    let signature = try ChatSignature.read(&fields)
    guard var function = try fields.object("function") else { throw fields.missing("function") }
    let name = try function.requiredText("name")
    let arguments = try function.text("arguments") ?? ""
    // What the SDK's stream helper leaves in a call that is handed back.
    _ = function.take("parsed_arguments")
    _ = fields.take("index")
    try function.finish()
    try fields.finish()
    namesOfCalls[id] = name
    return Part(
      .toolCall(ToolCall(id: id, name: name, arguments: arguments)), signature: signature,
      field: path)
  }

  // MARK: Content

  /// The member `content`: a text or an array of parts.
  private func content(
    _ fields: inout Fields, required: Bool
  ) throws(TranslationFault) -> [Part] {
    let place = fields.place("content")
    switch fields.take("content") {
    case nil:
      if required { throw fields.missing("content") }
      return []
    case .string(let text): return [Part(.text(text), field: place)]
    case .array(let elements):
      var parts: [Part] = []
      for (index, element) in elements.enumerated() {
        parts.append(try ChatContentPart.read(element, "\(place)[\(index)]"))
      }
      return parts
    default: throw fields.malformed("content", "a text or an array of parts")
    }
  }

  // MARK: Tools

  private func tool(_ value: JSONValue, _ path: String) throws(TranslationFault) -> Tool {
    var fields = try Fields(value, path)
    switch try fields.requiredText("type") {
    case "function": break
    case "custom": throw fields.notCarried("custom")
    default: throw fields.malformed("type", "a type of tool")
    }
    let cache = try ChatContentPart.cacheMark(&fields)
    guard var function = try fields.object("function") else { throw fields.missing("function") }
    let tool = Tool(
      name: try function.requiredText("name"), description: try function.text("description"),
      schema: function.take("parameters"), isStrict: try function.bool("strict"), cache: cache,
      field: path)
    try function.finish()
    try fields.finish()
    return tool
  }
}

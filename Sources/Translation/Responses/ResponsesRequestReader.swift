import Surface

/// Takes a request of Responses apart, field by field.
struct ResponsesRequestReader {
  var conversation: Conversation
  /// The tools' names by the ids of their calls, for the results.
  var names: [String: String] = [:]
  /// The signature of the call that comes next.
  var callSignature: String?

  init(_ conversation: Conversation) { self.conversation = conversation }

  mutating func add(_ value: Setting.Value?, _ field: String) {
    if let value { conversation.settings.append(Setting(value, field: field)) }
  }

  /// What was not taken: nobody else knows it.
  mutating func own(_ fields: inout Fields) {
    for member in fields.rest() { add(.own(member.value), fields.place(printable(member.name))) }
  }

  /// Instructions and input.
  mutating func words(_ fields: inout Fields) throws(TranslationFault) {
    if let text = try fields.text("instructions") {
      conversation.system.append(Part(.text(text), field: "instructions"))
    }
    for name in ["previous_response_id", "conversation", "prompt"] where fields.take(name) != nil {
      add(.state, name)
    }
    switch fields.take("input") {
    case .string(let text):
      conversation.turns.append(Turn(.user, [Part(.text(text), field: "input")], field: "input"))
    case .array(let items):
      for (index, item) in items.enumerated() { try self.item(item, "input[\(index)]") }
    case nil where conversation.settings.isEmpty: throw fields.missing("input")
    case nil: break  // It stands in what is stored, and that will be refused.
    default: throw fields.malformed("input", "a string or an array")
    }
  }

  /// Functions; what runs at OpenAI has no like elsewhere.
  mutating func tools(_ fields: inout Fields) throws(TranslationFault) {
    for (index, value) in (try fields.array("tools") ?? []).enumerated() {
      var tool = try Fields(value, "tools[\(index)]")
      guard try tool.requiredText("type") == "function" else {
        throw tool.notCarried("type")
      }
      let name = try tool.requiredText("name")
      let schema = tool.take("parameters")
      if schema != nil, schema?.members == nil { throw tool.malformed("parameters", "an object") }
      let description = try tool.text("description")
      let isStrict = try tool.bool("strict")
      // What says no more than the default.
      for flag in ["async", "defer_loading"] where try tool.bool(flag) == true {
        throw tool.notCarried(flag)
      }
      if let callers = try tool.array("allowed_callers"), callers != ["direct"] {
        throw tool.notCarried("allowed_callers")
      }
      try tool.finish()
      conversation.tools.append(
        Tool(
          name: name, description: description, schema: schema, isStrict: isStrict,
          field: tool.path))
    }
  }
}

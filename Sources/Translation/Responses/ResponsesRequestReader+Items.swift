import Surface

extension ResponsesRequestReader {
  /// One item of the input.
  mutating func item(_ value: JSONValue, _ path: String) throws(TranslationFault) {
    var fields = try Fields(value, path)
    let type = try fields.text("type")
    // The short forms: a message has a role, a reference has nothing but an id.
    switch type ?? (value["role"] == nil && value["id"] != nil ? "item_reference" : "message") {
    case "message": try message(&fields)
    case "function_call": try call(&fields)
    case "function_call_output": try result(&fields)
    case "reasoning": try thoughts(&fields)
    case "item_reference": add(.state, fields.place("id"))
    // A conversation that OpenAI has shortened and that only OpenAI can read.
    case "compaction": add(.state, fields.place("encrypted_content"))
    default: add(.own(type.map { .string($0) } ?? nil), fields.place("type"))
    }
  }

  private mutating func message(_ fields: inout Fields) throws(TranslationFault) {
    let role = try fields.requiredText("role")
    // The item's own name and state, and a hint about which text of several is the answer.
    for name in ["id", "status", "phase"] { _ = fields.take(name) }
    guard let content = fields.take("content") else { throw fields.missing("content") }
    let parts = try ResponsesContent.parts(content, fields.place("content"))
    try fields.finish()
    switch role {
    case "user": conversation.turns.append(Turn(.user, parts, field: fields.path))
    case "assistant": said(parts, fields.path)
    case "system", "developer": conversation.says(parts, fields.path)
    default: throw fields.malformed("role", "user, assistant, system or developer")
    }
  }

  /// Adds to the model's turn: text, thoughts and calls are items of their own here.
  private mutating func said(_ parts: [Part], _ path: String) {
    if let last = conversation.turns.indices.last, conversation.turns[last].role == .assistant {
      conversation.turns[last].parts += parts
    } else {
      conversation.turns.append(Turn(.assistant, parts, field: path))
    }
  }

  private mutating func call(_ fields: inout Fields) throws(TranslationFault) {
    let id = try fields.requiredText("call_id")
    let name = try fields.requiredText("name")
    let arguments = try fields.requiredText("arguments")
    for name in ["id", "status"] { _ = fields.take(name) }
    if try fields.bool("async") == true { throw fields.notCarried("async") }
    try caller(&fields)
    try fields.finish()
    names[id] = name
    let call = ToolCall(id: id, name: name, arguments: arguments)
    said([Part(.toolCall(call), signature: callSignature, field: fields.path)], fields.path)
    callSignature = nil
  }

  private mutating func result(_ fields: inout Fields) throws(TranslationFault) {
    let id = try fields.requiredText("call_id")
    let name = try fields.text("name")
    for name in ["id", "status"] { _ = fields.take(name) }
    try caller(&fields)
    guard let output = fields.take("output") else { throw fields.missing("output") }
    let parts = try ResponsesContent.parts(output, fields.place("output"))
    try fields.finish()
    let result = ToolResult(callID: id, name: name ?? names[id], parts: parts)
    let part = Part(.toolResult(result), field: fields.path)
    // Results of calls made side by side belong into one turn.
    if let last = conversation.turns.indices.last, conversation.turns[last].isOfResults {
      conversation.turns[last].parts.append(part)
    } else {
      conversation.turns.append(Turn(.user, [part], field: fields.path))
    }
  }

  /// Who called: the model itself, or a program that runs at OpenAI.
  private func caller(_ fields: inout Fields) throws(TranslationFault) {
    guard var caller = try fields.object("caller") else { return }
    guard try caller.text("type") == "direct" else { throw caller.notCarried("type") }
    try caller.finish()
  }

  private mutating func thoughts(_ fields: inout Fields) throws(TranslationFault) {
    let id = try fields.text("id")
    _ = fields.take("status")
    let summary = try thoughtTexts(&fields, "summary", "summary_text")
    let content = try thoughtTexts(&fields, "content", "reasoning_text")
    let encrypted = try fields.text("encrypted_content")
    try fields.finish()
    let text = (content.isEmpty ? summary : content).joined(separator: "\n\n")
    let path = fields.path
    guard let encrypted else {
      if !text.isEmpty {
        said([Part(.thinking(text), field: path)], path)
      } else if id != nil {
        add(.state, fields.place("id"))
      }
      return
    }
    switch CarriedSignature(encrypted) {
    case .thinking(let signature):
      said([Part(.thinking(text), signature: signature, field: path)], path)
    case .redacted(let data): said([Part(.redactedThinking(data), field: path)], path)
    case .call(let signature): callSignature = signature
    case nil: add(.state, fields.place("encrypted_content"))
    }
  }

  private func thoughtTexts(
    _ fields: inout Fields, _ name: String, _ type: String
  ) throws(TranslationFault) -> [String] {
    var texts: [String] = []
    for (index, value) in (try fields.array(name) ?? []).enumerated() {
      var part = try Fields(value, "\(fields.place(name))[\(index)]")
      guard try part.text("type") ?? type == type else { throw part.notCarried("type") }
      texts.append(try part.requiredText("text"))
      try part.finish()
    }
    return texts
  }
}

extension Turn {
  /// A message has no results among its parts: the first tells.
  fileprivate var isOfResults: Bool {
    if case .toolResult? = parts.first?.content { true } else { false }
  }
}

import Surface

/// Reads what a client of Anthropic's Messages asks for.
struct MessagesRequestReader {
  private var conversation: Conversation
  /// The amount of thought, which the protocol says in two places.
  private var thinking: (value: Reasoning, field: String)?
  private var effort: (name: String, field: String)?
  private var blocks = MessagesBlockReader()

  init(model: String, isStream: Bool) {
    conversation = Conversation(model: model, isStream: isStream)
  }

  mutating func read(_ body: JSONValue) throws(TranslationFault) -> Conversation {
    var fields = try Fields(body, "")
    var order = fields
    guard let messages = try fields.array("messages") else { throw fields.missing("messages") }
    let limit = try fields.count("max_tokens")
    guard let limit else { throw fields.missing("max_tokens") }
    var cache: CacheMark?
    for member in order.rest() {
      let name = member.name
      switch name {
      case "model", "stream", "messages": continue
      case "max_tokens":
        // Zero fills the provider's cache and asks for no answer at all.
        add(limit == 0 ? .own(member.value) : .maxTokens(limit), name)
      case "system": conversation.system = try systemParts(member.value, name)
      case "tools":
        guard let tools = try fields.array(name) else { continue }
        for (index, tool) in tools.enumerated() {
          conversation.tools.append(try readTool(tool, "tools[\(index)]"))
        }
      case "tool_choice": try readToolChoice(Fields(member.value, name))
      case "temperature": if let value = try fields.number(name) { add(.temperature(value), name) }
      case "top_p": if let value = try fields.number(name) { add(.topP(value), name) }
      case "top_k": if let value = try fields.number(name) { add(.topK(value), name) }
      case "stop_sequences": add(.stop(try strings(name, &fields)), name)
      case "metadata": try readMetadata(Fields(member.value, name))
      case "service_tier":
        // In the middle the tiers have OpenAI's names.
        guard let tier = try fields.text(name) else { continue }
        add(.serviceTier(tier == "standard_only" ? "default" : tier), name)
      case "speed":
        if try fields.text(name) != "standard" { add(.own(member.value), name) }
      case "thinking": try readThinking(Fields(member.value, name))
      case "output_config": try readOutputConfig(Fields(member.value, name))
      // The name that structured outputs had before they were in `output_config`.
      case "output_format": try readFormat(Fields(member.value, name))
      case "cache_control": cache = try CacheMark(member.value, name)
      case "container", "thread": add(.state, name)
      case "context_management": try readContextManagement(Fields(member.value, name))
      // Why a cache was missed; where nobody looks, the answer's field is null as for a hit.
      case "diagnostics": continue
      default: add(.own(member.value), fields.place(printable(name)))
      }
    }
    settleReasoning()
    try readMessages(messages)
    if let cache { mark(cache) }
    return conversation
  }

  private mutating func add(_ value: Setting.Value, _ field: String) {
    conversation.settings.append(Setting(value, field: field))
  }

  private func strings(
    _ name: String, _ fields: inout Fields
  ) throws(TranslationFault) -> [String] {
    var texts: [String] = []
    for element in try fields.array(name) ?? [] {
      guard let text = element.string else { throw fields.malformed(name, "an array of strings") }
      texts.append(text)
    }
    return texts
  }

  // MARK: Turns

  private mutating func readMessages(_ messages: [JSONValue]) throws(TranslationFault) {
    for (index, message) in messages.enumerated() {
      let path = "messages[\(index)]"
      var fields = try Fields(message, path)
      let role = try fields.requiredText("role")
      guard let content = fields.take("content") else { throw fields.missing("content") }
      try fields.finish()
      switch role {
      case "user":
        let parts = try blocks.read(content, path + ".content")
        conversation.turns.append(Turn(.user, parts, field: path))
      case "assistant":
        let parts = try blocks.read(content, path + ".content")
        conversation.turns.append(Turn(.assistant, parts, field: path))
      case "system": conversation.says(try systemParts(content, path + ".content"), path)
      default: throw fields.malformed("role", "user, assistant or system")
      }
    }
    // Only Anthropic's models go on where an assistant's turn at the end breaks off; others answer it.
    if let last = conversation.turns.last, last.role == .assistant {
      throw .notCarried(last.field)
    }
  }

  private func systemParts(
    _ value: JSONValue, _ path: String
  ) throws(TranslationFault) -> [Part] {
    var reader = MessagesBlockReader()
    let parts = try reader.read(value, path)
    for part in parts {
      guard case .text = part.content else { throw .notCarried(part.field + ".type") }
    }
    return parts
  }

  /// The mark of the whole request stands at its last part that may have one.
  private mutating func mark(_ cache: CacheMark) {
    guard let turn = conversation.turns.indices.last else { return }
    guard let part = conversation.turns[turn].parts.indices.last else { return }
    if conversation.turns[turn].parts[part].cache == nil {
      conversation.turns[turn].parts[part].cache = cache
    }
  }

  // MARK: Tools

  private func readTool(_ value: JSONValue, _ path: String) throws(TranslationFault) -> Tool {
    var fields = try Fields(value, path)
    // Any other type is Anthropic's own: run by its servers, or known to its models by name.
    if let type = try fields.text("type"), type != "custom" { throw fields.notCarried("type") }
    var tool = Tool(name: try fields.requiredText("name"), field: path)
    tool.description = try fields.text("description")
    guard let schema = fields.take("input_schema") else { throw fields.missing("input_schema") }
    guard schema.members != nil else { throw fields.malformed("input_schema", "an object") }
    tool.schema = schema
    tool.isStrict = try fields.bool("strict")
    if let mark = fields.take("cache_control") {
      tool.cache = try CacheMark(mark, fields.place("cache_control"))
    }
    // How large the stream's pieces are; what they say stays the same.
    _ = try fields.bool("eager_input_streaming")
    if try fields.bool("defer_loading") == true { throw fields.notCarried("defer_loading") }
    if let callers = try fields.array("allowed_callers"), callers != ["direct"] {
      throw fields.notCarried("allowed_callers")
    }
    try fields.finish()
    return tool
  }

  private mutating func readToolChoice(_ choice: Fields) throws(TranslationFault) {
    var fields = choice
    switch try fields.requiredText("type") {
    case "auto": add(.toolChoice(.auto), fields.path)
    case "any": add(.toolChoice(.required), fields.path)
    case "none": add(.toolChoice(.none), fields.path)
    case "tool": add(.toolChoice(.tool(try fields.requiredText("name"))), fields.path)
    default: throw fields.malformed("type", "auto, any, tool or none")
    }
    if let isDisabled = try fields.bool("disable_parallel_tool_use") {
      add(.parallelToolCalls(!isDisabled), fields.place("disable_parallel_tool_use"))
    }
    try fields.finish()
  }

  // MARK: Settings

  private mutating func readMetadata(_ metadata: Fields) throws(TranslationFault) {
    var fields = metadata
    if let user = try fields.text("user_id") { add(.user(user), fields.place("user_id")) }
    addRest(of: &fields)
  }

  private mutating func readThinking(_ thinking: Fields) throws(TranslationFault) {
    var fields = thinking
    var reasoning = Reasoning()
    switch try fields.requiredText("type") {
    case "disabled": reasoning.amount = .off
    case "adaptive": reasoning.amount = .adaptive
    case "enabled":
      guard let budget = try fields.count("budget_tokens") else {
        throw fields.missing("budget_tokens")
      }
      reasoning.amount = .budget(budget)
      // What models that take a budget do by themselves; of the others, it depends on the model.
      reasoning.isShown = true
    // "between_tools" has no like elsewhere.
    default: throw fields.notCarried("type")
    }
    switch try fields.text("display") {
    case nil: break
    case "summarized": reasoning.isShown = true
    case "omitted": reasoning.isShown = false
    default: throw fields.notCarried("display")
    }
    self.thinking = (reasoning, fields.path)
    addRest(of: &fields)
  }

  /// Which parts of the past Anthropic hides from its model.
  private mutating func readContextManagement(_ management: Fields) throws(TranslationFault) {
    var fields = management
    for (index, edit) in (try fields.array("edits") ?? []).enumerated() {
      // Earlier thoughts are of use to the model that signed them only.
      if edit["type"]?.string?.hasPrefix("clear_thinking_") == true { continue }
      add(.own(edit), "\(fields.place("edits"))[\(index)]")
    }
    addRest(of: &fields)
  }

  private mutating func readOutputConfig(_ config: Fields) throws(TranslationFault) {
    var fields = config
    if let name = try fields.text("effort") { effort = (name, fields.place("effort")) }
    if let format = try fields.object("format") { try readFormat(format) }
    addRest(of: &fields)
  }

  private mutating func readFormat(_ format: Fields) throws(TranslationFault) {
    var fields = format
    guard try fields.requiredText("type") == "json_schema" else { throw fields.notCarried("type") }
    guard let schema = fields.take("schema") else { throw fields.missing("schema") }
    guard schema.members != nil else { throw fields.malformed("schema", "an object") }
    try fields.finish()
    // Anthropic holds its models to every schema.
    add(
      .format(.schema(name: nil, description: nil, schema: schema, isStrict: true)),
      fields.path)
  }

  /// Makes one wish of `thinking` and `output_config.effort`.
  ///
  /// An effort says more than a bound beside it, which only `max_tokens` then keeps. Without thoughts, effort
  /// is about the length of the answer, for which there is no other word.
  private mutating func settleReasoning() {
    switch (thinking, effort) {
    case (nil, nil): break
    case (let thinking?, nil): add(.reasoning(thinking.value), thinking.field)
    case (nil, let effort?):
      add(.reasoning(Reasoning(amount: .effort(effort.name))), effort.field)
    case (let thinking?, let effort?):
      var reasoning = thinking.value
      if reasoning.amount == .off {
        // High is what Anthropic's models do by themselves.
        if effort.name != "high" { add(.own(.string(effort.name)), effort.field) }
      } else {
        reasoning.amount = .effort(effort.name)
      }
      add(.reasoning(reasoning), thinking.field)
    }
  }

  private mutating func addRest(of fields: inout Fields) {
    for member in fields.rest() { add(.own(member.value), fields.place(printable(member.name))) }
  }
}

extension CacheMark {
  /// Anthropic's `cache_control`; what else it says is no more than a hint either.
  init(_ value: JSONValue, _ path: String) throws(TranslationFault) {
    var fields = try Fields(value, path)
    guard try fields.requiredText("type") == "ephemeral" else {
      throw fields.malformed("type", "ephemeral")
    }
    self.init(lifetime: try fields.text("ttl"))
  }
}

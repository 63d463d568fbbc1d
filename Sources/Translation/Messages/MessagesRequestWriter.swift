import Surface

/// Writes a conversation as a request to Anthropic.
struct MessagesRequestWriter {
  private let conversation: Conversation
  private let model: ClaudeModel
  private var maxTokens: UInt64?
  private var choice: (value: ToolChoice, field: String)?
  private var isParallel = true
  private var reasoning: (value: Reasoning, field: String)?
  private var format: JSONValue?
  /// Fields that need no more than their value.
  private var plain: [JSONValue.Member] = []

  init(_ conversation: Conversation) {
    model = ClaudeModel(conversation.model)
    self.conversation =
      model.takesSystemTurns
      ? conversation.withOperatorBeforeAnswers(needsUser: true) : conversation.withOperatorFirst
  }

  mutating func write() throws(TranslationFault) -> JSONValue {
    for setting in conversation.settings { try take(setting) }
    let thought = try MessagesThinking(reasoning, model: model, maxTokens: maxTokens)
    var request: [JSONValue.Member] = [
      .init("model", .string(conversation.model)),
      .init("max_tokens", JSONValue(thought.maxTokens)),
    ]
    if let system = try MessagesBlockWriter.system(conversation.system) {
      request.append(.init("system", system))
    }
    request.append(.init("messages", try MessagesBlockWriter.messages(conversation.turns)))
    request += try toolFields()
    request += plain
    if let thinking = thought.thinking { request.append(.init("thinking", thinking)) }
    var config: [JSONValue.Member] = []
    if let effort = thought.effort { config.append(.init("effort", .string(effort))) }
    if let format { config.append(.init("format", format)) }
    if !config.isEmpty { request.append(.init("output_config", .object(config))) }
    if conversation.isStream { request.append(.init("stream", true)) }
    return .object(request)
  }

  // MARK: Settings

  private mutating func take(_ setting: Setting) throws(TranslationFault) {
    switch setting.value {
    case .maxTokens(let tokens): maxTokens = tokens
    case .temperature(let number): plain.append(.init("temperature", .number(number)))
    case .topP(let number): plain.append(.init("top_p", .number(number)))
    case .topK(let number): plain.append(.init("top_k", .number(number)))
    case .stop(let texts):
      plain.append(.init("stop_sequences", .array(texts.map { .string($0) })))
    case .user(let user): plain.append(.init("metadata", ["user_id": .string(user)]))
    case .toolChoice(let value): choice = (value, setting.field)
    case .parallelToolCalls(let value): isParallel = value
    case .reasoning(let value): reasoning = (value, setting.field)
    case .format(let value): format = try written(value, setting.field)
    case .serviceTier("auto"): plain.append(.init("service_tier", "auto"))
    case .serviceTier("default"): plain.append(.init("service_tier", "standard_only"))
    case .serviceTier: throw .notCarried(setting.field)
    // Penalties of nothing are what every model does.
    case .presencePenalty(let number), .frequencyPenalty(let number):
      if Double(number) != 0 { throw .notCarried(setting.field) }
    case .seed: throw .notCarried(setting.field)
    case .answers(let count): if count != 1 { throw .notCarried(setting.field) }
    // Medium is how much a model says by itself.
    case .verbosity(let level): if level != "medium" { throw .notCarried(setting.field) }
    case .logProbabilities(let isWanted): if isWanted { throw .notCarried(setting.field) }
    case .topLogProbabilities(let count): if count != 0 { throw .notCarried(setting.field) }
    // Anthropic keeps no answers for later.
    case .store(let isWanted): if isWanted { throw .notCarried(setting.field) }
    // Left out: kept for the client's own statistics; no part of the answer.
    case .metadata: break
    // Left out: a hint about cost; Anthropic finds its caches by the prompt.
    case .cacheKey: break
    // Left out: Anthropic's streams always tell.
    case .includeUsage: break
    case .own: throw .notCarried(setting.field)
    case .state: throw .stateBound(setting.field)
    }
  }

  private func written(
    _ format: OutputFormat, _ field: String
  ) throws(TranslationFault) -> JSONValue? {
    switch format {
    case .text: return nil
    // There is no way to ask for JSON without saying which.
    case .json: throw .notCarried(field)
    // The name is OpenAI's alone and means nothing to the model; a schema that need not be kept is kept.
    case .schema(name: _, let description, var schema, isStrict: _):
      if let description, case .object(var members) = schema,
        !members.contains(where: { $0.name == "description" })
      {
        members.append(.init("description", .string(description)))
        schema = .object(members)
      }
      return ["type": "json_schema", "schema": schema]
    }
  }

  // MARK: Tools

  private func toolFields() throws(TranslationFault) -> [JSONValue.Member] {
    var tools = conversation.tools
    var written: [JSONValue.Member] = []
    var hasParallel = true
    switch choice?.value {
    case nil: if !isParallel { written.append(.init("type", "auto")) }
    case .auto?: written.append(.init("type", "auto"))
    case .none?:
      written.append(.init("type", "none"))
      hasParallel = false
    case .required?: written.append(.init("type", "any"))
    case .tool(let name)?:
      written += [.init("type", "tool"), .init("name", .string(name))]
    case .among(let names, let isRequired)?:
      // The model may only call what it is shown.
      let shown = Set(names)
      tools.removeAll { !shown.contains($0.name) }
      if tools.isEmpty { throw .notCarried(choice?.field ?? "") }
      written.append(.init("type", isRequired ? "any" : "auto"))
    }
    guard !tools.isEmpty else {
      // Nothing can be called. Anthropic takes no choice without tools, so only one that cannot be met is refused.
      switch choice?.value {
      case nil, .auto?, .none?: return []
      case .required?, .tool?, .among?: throw .notCarried(choice?.field ?? "")
      }
    }
    var fields = [JSONValue.Member("tools", .array(tools.map(Self.written)))]
    if !isParallel, hasParallel { written.append(.init("disable_parallel_tool_use", true)) }
    if !written.isEmpty { fields.append(.init("tool_choice", .object(written))) }
    return fields
  }

  private static func written(_ tool: Tool) -> JSONValue {
    var members: [JSONValue.Member] = [.init("name", .string(tool.name))]
    if let description = tool.description {
      members.append(.init("description", .string(description)))
    }
    members.append(.init("input_schema", inputSchema(tool.schema)))
    // Not strict is the default.
    if tool.isStrict == true { members.append(.init("strict", true)) }
    if let cache = tool.cache { members.append(cache.member) }
    return .object(members)
  }

  /// Anthropic demands the type, which others leave open: arguments are objects everywhere.
  private static func inputSchema(_ schema: JSONValue?) -> JSONValue {
    guard let schema else { return ["type": "object", "properties": [:]] }
    guard case .object(let members) = schema, schema["type"] == nil else { return schema }
    return .object([.init("type", "object")] + members)
  }
}

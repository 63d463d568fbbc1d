import Surface

extension ChatRequestWriter {
  /// Writes one setting, refuses it, or leaves out what changes neither the answer nor its price.
  mutating func write(_ setting: Setting) throws(TranslationFault) {
    switch setting.value {
    case .maxTokens(let tokens): set(dialect.maxTokens, JSONValue(tokens))
    case .temperature(let number): set("temperature", .number(number))
    case .topP(let number): set("top_p", .number(number))
    case .presencePenalty(let number): set("presence_penalty", .number(number))
    case .frequencyPenalty(let number): set("frequency_penalty", .number(number))
    case .seed(let number): set("seed", .number(number))
    case .stop(let texts): set("stop", .array(texts.map { .string($0) }))
    case .toolChoice(let choice): write(choice)
    case .format(let format): write(format)
    case .reasoning(let reasoning): write(reasoning)
    case .verbosity(let value): set("verbosity", .string(value))

    // One is what there is anyway; of several an answer in another protocol has room for one.
    case .answers(let count): if count > 1 { throw refused(setting) }
    // True is what happens anyway; OpenAI takes the field only together with tools.
    case .parallelToolCalls(let areAllowed):
      if !areAllowed, !conversation.tools.isEmpty { set("parallel_tool_calls", false) }
    // OpenAI takes 64 bytes at most. It is for the watch over abuse and changes no answer.
    case .user(let name): if name.utf8.count <= 64 { set("user", .string(name)) }
    // OpenAI takes it only with what it stores; it changes no answer.
    case .metadata: break
    // Not to store is what happens anyway. What is stored by this protocol, another one could never ask for.
    case .store(let isStored): if isStored { throw refused(setting) }
    case .serviceTier(let tier): try write(tier: tier, setting)
    // A hint for OpenAI's cache; others refuse unknown fields.
    case .cacheKey(let key): if dialect.family == .openAI { set("prompt_cache_key", .string(key)) }
    // The stream always tells it.
    case .includeUsage: break
    // Not to tell is what happens anyway; there is no place for them in the answer's other form.
    case .logProbabilities(let areWanted): if areWanted { throw refused(setting) }
    case .topLogProbabilities(let count): if count > 0 { throw refused(setting) }

    case .topK, .own: throw refused(setting)
    case .state: throw TranslationFault.stateBound(setting.field)
    }
  }

  private func refused(_ setting: Setting) -> TranslationFault { .notCarried(setting.field) }

  private mutating func write(_ choice: ToolChoice) {
    switch choice {
    // Both are what happens anyway without tools, and OpenAI takes the field only together with some.
    case .auto: if !conversation.tools.isEmpty { set("tool_choice", "auto") }
    case .none: if !conversation.tools.isEmpty { set("tool_choice", "none") }
    case .required: set("tool_choice", "required")
    case .tool(let name): set("tool_choice", function(name))
    case .among(let names, let isRequired):
      set(
        "tool_choice",
        [
          "type": "allowed_tools",
          "allowed_tools": [
            "mode": isRequired ? "required" : "auto", "tools": .array(names.map(function)),
          ],
        ])
    }
  }

  private func function(_ name: String) -> JSONValue {
    ["type": "function", "function": ["name": .string(name)]]
  }

  private mutating func write(_ format: OutputFormat) {
    switch format {
    // What happens anyway.
    case .text: break
    case .json: set("response_format", ["type": "json_object"])
    case .schema(let name, let description, let schema, let isStrict):
      // The name is required here, and only tells the model what it is about.
      var members: [JSONValue.Member] = [.init("name", .string(name ?? "response"))]
      if let description { members.append(.init("description", .string(description))) }
      members.append(.init("schema", schema))
      if let isStrict { members.append(.init("strict", .bool(isStrict))) }
      set("response_format", ["type": "json_schema", "json_schema": .object(members)])
    }
  }

  /// Whether thoughts are shown is left out: the protocol has no field, its providers show them or do not.
  private mutating func write(_ reasoning: Reasoning) {
    guard let effort = reasoning.amount?.effort else { return }
    guard effort == "none" else { return set("reasoning_effort", .string(effort)) }
    switch dialect.family {
    // Those that cannot think refuse the field and do what was asked for anyway.
    case .openAI: if dialect.thinks { set("reasoning_effort", "none") }
    case .gemini: set("reasoning_effort", "none")
    case .deepSeek: set("thinking", ["type": "disabled"])
    // No field is known to all of the others; they think only if asked to, or always.
    case .claude, .other: break
    }
  }

  private mutating func write(tier: String, _ setting: Setting) throws(TranslationFault) {
    switch tier {
    // What happens anyway.
    case "auto": break
    case "default", "flex", "scale", "priority", "fast": set("service_tier", .string(tier))
    default: throw refused(setting)
    }
  }
}

import Surface

extension ChatRequestReader {
  /// All that is left, in the client's order.
  mutating func settings(_ fields: inout Fields) throws(TranslationFault) {
    var copy = fields
    let names = copy.rest().map(\.name)
    for name in names {
      // Of two names for one wish the newer one counts.
      let newer = Self.newerNames[name]
      if let newer, names.contains(newer) {
        _ = fields.take(name)
      } else if name == "stream_options" {
        try streamOptions(&fields)
      } else if let value = try setting(name, &fields) {
        conversation.settings.append(Setting(value, field: printable(name)))
      }
    }
  }

  private static let newerNames = [
    "max_tokens": "max_completion_tokens", "user": "safety_identifier",
  ]

  private func setting(
    _ name: String, _ fields: inout Fields
  ) throws(TranslationFault) -> Setting.Value? {
    switch name {
    case "max_completion_tokens", "max_tokens": try fields.count(name).map { .maxTokens($0) }
    case "temperature": try fields.number(name).map { .temperature($0) }
    case "top_p": try fields.number(name).map { .topP($0) }
    // Not OpenAI's; vLLM and others that speak its protocol know it.
    case "top_k": try fields.number(name).map { .topK($0) }
    case "presence_penalty": try fields.number(name).map { .presencePenalty($0) }
    case "frequency_penalty": try fields.number(name).map { .frequencyPenalty($0) }
    case "seed": try fields.number(name).map { .seed($0) }
    case "stop": try stop(&fields)
    case "n": try fields.count(name).map { .answers($0) }
    case "tool_choice": try toolChoice(&fields).map { .toolChoice($0) }
    case "parallel_tool_calls": try fields.bool(name).map { .parallelToolCalls($0) }
    case "response_format": try format(&fields).map { .format($0) }
    case "reasoning_effort":
      try fields.text(name).map {
        .reasoning(Reasoning(amount: $0 == "none" ? .off : .effort($0)))
      }
    case "verbosity": try fields.text(name).map { .verbosity($0) }
    case "user", "safety_identifier": try fields.text(name).map { .user($0) }
    case "metadata": fields.take(name).map { .metadata($0) }
    case "store": try fields.bool(name).map { .store($0) }
    case "service_tier": try fields.text(name).map { .serviceTier($0) }
    case "prompt_cache_key": try fields.text(name).map { .cacheKey($0) }
    // They only say how long what was kept stays: a matter of cost, which other providers settle by themselves.
    case "prompt_cache_options", "prompt_cache_retention": drop(name, &fields)
    case "logprobs": try fields.bool(name).map { .logProbabilities($0) }
    case "top_logprobs": try fields.count(name).map { .topLogProbabilities($0) }
    case "logit_bias": fields.take(name).flatMap { $0.members?.isEmpty == true ? nil : .own($0) }
    // Text is what every answer is.
    case "modalities": fields.take(name).flatMap { $0 == ["text"] ? nil : .own($0) }
    default: fields.take(name).map { .own($0) }
    }
  }

  private func drop(_ name: String, _ fields: inout Fields) -> Setting.Value? {
    _ = fields.take(name)
    return nil
  }

  private mutating func streamOptions(_ fields: inout Fields) throws(TranslationFault) {
    guard var options = try fields.object("stream_options") else { return }
    if let value = try options.bool("include_usage") {
      conversation.settings.append(
        Setting(.includeUsage(value), field: options.place("include_usage")))
    }
    // Random letters in OpenAI's own chunks, against those who count bytes on the wire.
    _ = try options.bool("include_obfuscation")
    for member in options.rest() {
      conversation.settings.append(
        Setting(.own(member.value), field: options.place(printable(member.name))))
    }
  }

  private func stop(_ fields: inout Fields) throws(TranslationFault) -> Setting.Value? {
    switch fields.take("stop") {
    case nil: return nil
    case .string(let text): return .stop([text])
    case .array(let elements):
      let texts = elements.compactMap(\.string)
      guard texts.count == elements.count else { fallthrough }
      return texts.isEmpty ? nil : .stop(texts)
    default: throw fields.malformed("stop", "a text or an array of texts")
    }
  }

  private func toolChoice(_ fields: inout Fields) throws(TranslationFault) -> ToolChoice? {
    switch fields.take("tool_choice") {
    case nil: return nil
    case "auto": return .auto
    case "none": return ToolChoice.none
    case "required": return .required
    case .object(let members):
      var choice = try Fields(.object(members), "tool_choice")
      switch try choice.requiredText("type") {
      case "function": return .tool(try functionName(&choice))
      case "allowed_tools": return try allowedTools(&choice)
      case "custom": throw choice.notCarried("custom")
      default: throw choice.malformed("type", "a choice of tools")
      }
    default: throw fields.malformed("tool_choice", "a choice of tools")
    }
  }

  private func functionName(_ fields: inout Fields) throws(TranslationFault) -> String {
    guard var function = try fields.object("function") else { throw fields.missing("function") }
    let name = try function.requiredText("name")
    try function.finish()
    try fields.finish()
    return name
  }

  private func allowedTools(_ fields: inout Fields) throws(TranslationFault) -> ToolChoice {
    guard var allowed = try fields.object("allowed_tools") else {
      throw fields.missing("allowed_tools")
    }
    let mode = try allowed.requiredText("mode")
    guard ["auto", "required"].contains(mode) else {
      throw allowed.malformed("mode", "a mode of choice")
    }
    guard let tools = try allowed.array("tools") else { throw allowed.missing("tools") }
    var names: [String] = []
    for (index, tool) in tools.enumerated() {
      var tool = try Fields(tool, allowed.place("tools[\(index)]"))
      guard try tool.requiredText("type") == "function" else { throw tool.notCarried("type") }
      names.append(try functionName(&tool))
    }
    try allowed.finish()
    try fields.finish()
    return .among(names, isRequired: mode == "required")
  }

  private func format(_ fields: inout Fields) throws(TranslationFault) -> OutputFormat? {
    guard var format = try fields.object("response_format") else { return nil }
    switch try format.requiredText("type") {
    case "text":
      try format.finish()
      return .text
    case "json_object":
      try format.finish()
      return .json
    case "json_schema":
      guard var schema = try format.object("json_schema") else {
        throw format.missing("json_schema")
      }
      let name = try schema.text("name")
      let description = try schema.text("description")
      let isStrict = try schema.bool("strict")
      guard let value = schema.take("schema") else { throw schema.missing("schema") }
      try schema.finish()
      try format.finish()
      return .schema(name: name, description: description, schema: value, isStrict: isStrict)
    // Of the document, but only for models that nobody else has.
    case "grammar", "python": throw format.notCarried("type")
    default: throw format.malformed("type", "a format of answers")
    }
  }
}

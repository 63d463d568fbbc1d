import Surface

extension GeminiClient {
  /// Reads `generationConfig`.
  static func readGeneration(
    _ config: ProtoFields, into conversation: inout Conversation
  ) throws(TranslationFault) {
    var config = config
    func add(_ value: Setting.Value, _ name: String) {
      conversation.settings.append(Setting(value, field: config.place(name)))
    }
    if let count = try config.count("maxOutputTokens") { add(.maxTokens(count), "maxOutputTokens") }
    if let number = try config.number("temperature") { add(.temperature(number), "temperature") }
    if let number = try config.number("topP") { add(.topP(number), "topP") }
    if let number = try config.number("topK") {
      // Google's SDKs write `40.0`, which others do not take for a whole number.
      add(.topK(JSONValue.number(number).int.map { String($0) } ?? number), "topK")
    }
    if let number = try config.number("presencePenalty") {
      add(.presencePenalty(number), "presencePenalty")
    }
    if let number = try config.number("frequencyPenalty") {
      add(.frequencyPenalty(number), "frequencyPenalty")
    }
    if let number = try config.number("seed") { add(.seed(number), "seed") }
    if let texts = try config.texts("stopSequences"), !texts.isEmpty {
      add(.stop(texts), "stopSequences")
    }
    if let count = try config.count("candidateCount") { add(.answers(count), "candidateCount") }
    if let isWanted = try config.bool("responseLogprobs") {
      add(.logProbabilities(isWanted), "responseLogprobs")
    }
    if let count = try config.count("logprobs") { add(.topLogProbabilities(count), "logprobs") }
    try readFormat(&config, into: &conversation)
    if var thinking = try config.object("thinkingConfig") {
      if let reasoning = try readThinking(&thinking) {
        conversation.settings.append(Setting(.reasoning(reasoning), field: thinking.path))
      }
      conversation.settings += thinking.rest()
    }
    let modalities = config.take("responseModalities") ?? []
    for modality in modalities.array ?? [modalities] where modality.string?.uppercased() != "TEXT" {
      add(.own(modalities), "responseModalities")
      break
    }
    if let name = try config.text("mediaResolution") {
      guard let detail = detail(ofResolution: name) else {
        throw config.notCarried("mediaResolution")
      }
      // One word for all media of the request that have none of their own.
      for turn in conversation.turns.indices {
        for part in conversation.turns[turn].parts.indices {
          let content = conversation.turns[turn].parts[part].content
          conversation.turns[turn].parts[part].content = content.looking(detail)
        }
      }
    }
    if try config.bool("enableEnhancedCivicAnswers") == true {
      add(.own(true), "enableEnhancedCivicAnswers")
    }
    conversation.settings += config.rest()
  }

  private static func readFormat(
    _ config: inout ProtoFields, into conversation: inout Conversation
  ) throws(TranslationFault) {
    var schema: (value: JSONValue, name: String)?
    for name in ["responseJsonSchema", "_responseJsonSchema"] {
      if let value = config.take(name) { schema = (value, name) }
    }
    if let value = config.take("responseSchema") {
      guard schema == nil else {
        throw config.malformed("responseSchema", "allowed beside responseJsonSchema")
      }
      schema = (jsonSchema(ofGoogle: value), "responseSchema")
    }
    let format: OutputFormat?
    switch try config.text("responseMimeType") {
    case nil where schema == nil: format = nil
    case "text/plain" where schema == nil: format = .text
    case "application/json":
      format =
        schema.map {
          .schema(name: nil, description: nil, schema: $0.value, isStrict: nil)
        } ?? .json
    // A schema without its type is refused by Google too.
    case nil, "text/plain": throw config.malformed("responseMimeType", "application/json")
    case _: throw config.notCarried("responseMimeType")
    }
    if let format {
      let field = config.place(schema?.name ?? "responseMimeType")
      conversation.settings.append(Setting(.format(format), field: field))
    }
  }

  private static func readThinking(
    _ thinking: inout ProtoFields
  ) throws(TranslationFault) -> Reasoning? {
    var reasoning = Reasoning()
    reasoning.isShown = try thinking.bool("includeThoughts")
    if let value = thinking.take("thinkingBudget") {
      switch value.int {
      case 0: reasoning.amount = .off
      case -1: reasoning.amount = .adaptive
      case let count?:
        guard let tokens = UInt64(exactly: count) else { fallthrough }
        reasoning.amount = .budget(tokens)
      case nil: throw thinking.malformed("thinkingBudget", "a whole number")
      }
    }
    if let level = try thinking.text("thinkingLevel"),
      level.uppercased() != "THINKING_LEVEL_UNSPECIFIED"
    {
      guard reasoning.amount == nil else {
        throw thinking.malformed("thinkingLevel", "allowed beside thinkingBudget")
      }
      reasoning.amount = .effort(level.lowercased())
    }
    return reasoning == Reasoning() ? nil : reasoning
  }
}

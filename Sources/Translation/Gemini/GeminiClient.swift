import Surface

/// Gemini's `generateContent` and `streamGenerateContent` as clients speak it.
enum GeminiClient: ClientSide {
  static func read(
    _ body: JSONValue, model: String, isStream: Bool
  ) throws(TranslationFault) -> Conversation {
    var fields = try ProtoFields(body, "")
    var conversation = Conversation(model: model, isStream: isStream)
    // The path names the model; SDKs repeat it here.
    _ = try fields.text("model")
    guard let contents = try fields.list("contents") else { throw fields.missing("contents") }
    var reader = GeminiContents()
    for (value, path) in contents { try reader.take(value, path) }
    conversation.turns = reader.turns
    if let value = fields.take("systemInstruction") {
      conversation.system = try systemParts(value, fields.place("systemInstruction"))
    }
    for (value, path) in try fields.list("tools") ?? [] {
      try readTool(value, path, into: &conversation)
    }
    if let config = try fields.object("toolConfig") {
      try readToolConfig(config, into: &conversation)
    }
    if let config = try fields.object("generationConfig") {
      try readGeneration(config, into: &conversation)
    }
    try readSafety(&fields, into: &conversation)
    if fields.take("cachedContent") != nil {
      conversation.settings.append(Setting(.state, field: fields.place("cachedContent")))
    }
    if fields.take("continuationToken") != nil {
      conversation.settings.append(Setting(.state, field: fields.place("continuationToken")))
    }
    if let store = try fields.bool("store") {
      conversation.settings.append(Setting(.store(store), field: fields.place("store")))
    }
    if let labels = fields.take("labels") {
      conversation.settings.append(Setting(.metadata(labels), field: fields.place("labels")))
    }
    if let tier = try fields.text("serviceTier") {
      conversation.settings.append(
        Setting(.serviceTier(openAITier(tier)), field: fields.place("serviceTier")))
    }
    conversation.settings += fields.rest()
    return conversation
  }

  /// The operator's words: a content of texts, whose role does not matter, or a text alone.
  private static func systemParts(
    _ value: JSONValue, _ path: String
  ) throws(TranslationFault) -> [Part] {
    if let text = value.string { return [Part(.text(text), field: path)] }
    var content = try ProtoFields(value, path)
    _ = try content.text("role")
    var parts: [Part] = []
    for (value, path) in try content.list("parts") ?? [] {
      var part = try ProtoFields(value, path)
      let text = try part.text("text")
      _ = part.take("partMetadata")
      try part.finish()
      parts.append(Part(.text(text ?? ""), field: path))
    }
    try content.finish()
    return parts
  }

  /// Google's tiers in OpenAI's words, which the middle speaks.
  private static func openAITier(_ tier: String) -> String {
    switch tier.lowercased() {
    case "unspecified", "service_tier_unspecified": "auto"
    case "standard": "default"
    case let other: other
    }
  }

  /// The thresholds of Google's filter.
  ///
  /// Other providers have no such filter: one that is off says what they do anyway, any other asks for what
  /// they cannot.
  private static func readSafety(
    _ fields: inout ProtoFields, into conversation: inout Conversation
  ) throws(TranslationFault) {
    for (value, path) in try fields.list("safetySettings") ?? [] {
      var setting = try ProtoFields(value, path)
      _ = try setting.text("category")
      switch try setting.text("threshold") {
      case nil, "OFF", "BLOCK_NONE", "HARM_BLOCK_THRESHOLD_UNSPECIFIED": break
      case _: conversation.settings.append(Setting(.own(value), field: setting.place("threshold")))
      }
      // How the filter judges.
      conversation.settings += setting.rest()
    }
  }
}

import Surface

/// Anthropic's Messages as a client speaks it.
enum MessagesClient: ClientSide {
  static func read(
    _ body: JSONValue, model: String, isStream: Bool
  ) throws(TranslationFault) -> Conversation {
    var reader = MessagesRequestReader(model: model, isStream: isStream)
    return try reader.read(body)
  }

  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue {
    MessagesAnswer.write(answer, for: facts)
  }
}

/// Anthropic's Messages as a provider speaks it.
enum MessagesProvider: ProviderSide {
  static func write(_ conversation: Conversation) throws(TranslationFault) -> JSONValue {
    var writer = MessagesRequestWriter(conversation)
    return try writer.write()
  }

  static func read(_ answer: JSONValue) throws(TranslationFault) -> Answer {
    try MessagesAnswer.read(answer)
  }
}

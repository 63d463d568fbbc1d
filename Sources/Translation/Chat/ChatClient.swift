import Surface

/// OpenAI's chat completions as a client speaks them.
enum ChatClient: ClientSide {
  static func read(_ body: JSONValue, model: String, isStream: Bool) throws(TranslationFault)
    -> Conversation
  {
    var reader = ChatRequestReader(model: model, isStream: isStream)
    try reader.read(body)
    return reader.conversation
  }

  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue {
    ChatAnswerWriter(facts).write(answer)
  }
}

/// OpenAI's chat completions as a provider speaks them.
enum ChatProvider: ProviderSide {
  static func write(_ conversation: Conversation) throws(TranslationFault) -> JSONValue {
    try ChatRequestWriter(conversation).write()
  }

  static func read(_ answer: JSONValue) throws(TranslationFault) -> Answer {
    try ChatAnswerReader.read(answer)
  }
}

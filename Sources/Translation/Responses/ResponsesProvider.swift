import Surface

/// OpenAI's Responses as a provider speaks it.
enum ResponsesProvider: ProviderSide {
  static func write(_ conversation: Conversation) throws(TranslationFault) -> JSONValue {
    let conversation = conversation.withOperatorBeforeAnswers(needsUser: false)
    var writer = ResponsesRequestWriter()
    writer.add("model", .string(conversation.model))
    try writer.system(conversation.system)
    for turn in conversation.turns { try writer.turn(turn) }
    writer.add("input", .array(writer.items))
    writer.tools(conversation.tools)
    for setting in conversation.settings { try writer.setting(setting) }
    writer.finish(conversation)
    return .object(writer.members)
  }

  static func read(_ answer: JSONValue) throws(TranslationFault) -> Answer {
    try ResponsesAnswerReader.read(answer)
  }
}

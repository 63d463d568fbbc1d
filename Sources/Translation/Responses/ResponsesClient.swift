import Surface

/// OpenAI's Responses as a client speaks it.
enum ResponsesClient: ClientSide {
  static func read(
    _ body: JSONValue, model: String, isStream: Bool
  ) throws(TranslationFault) -> Conversation {
    var fields = try Fields(body, "")
    var reader = ResponsesRequestReader(Conversation(model: model, isStream: isStream))
    try reader.words(&fields)
    try reader.tools(&fields)
    try reader.settings(&fields)
    return reader.conversation
  }

  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue {
    var response = ResponsesObject(facts)
    response.adopt(id: answer.id, created: answer.created)
    let end = ResponsesEnd(answer)
    let items = ResponsesOutput.items(of: answer.parts, id: response.id, end: end)
    return response.json(output: items, end: end, usage: answer.usage)
  }
}

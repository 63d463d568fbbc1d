import Surface

/// The items of a response's output.
enum ResponsesOutput {
  /// Every part is an item of its own, so that a stream need not wait to see whether more belongs to one.
  static func items(of parts: [Part], id: String, end: ResponsesEnd) -> [JSONValue] {
    var items: [JSONValue] = []
    func next(_ kind: Kind) -> String { itemID(kind, of: id, at: items.count) }
    for (index, part) in parts.enumerated() {
      let status = index == parts.count - 1 ? end.status : "completed"
      switch part.content {
      case .text(let text):
        items.append(
          message(next(.message), [self.text(text, signature: part.signature)], status))
      case .refusal(let text): items.append(message(next(.message), [refusal(text)], status))
      case .thinking(let text):
        let mark = part.signature.map { CarriedSignature.thinking($0) }
        // An item with neither would, sent back, mean one that OpenAI keeps.
        if !text.isEmpty || mark != nil { items.append(reasoning(next(.reasoning), text, mark)) }
      case .redactedThinking(let data):
        items.append(reasoning(next(.reasoning), "", .redacted(data)))
      case .toolCall(let call):
        if let signature = part.signature {
          items.append(reasoning(next(.reasoning), "", .call(signature)))
        }
        items.append(self.call(next(.call), call, status))
      // No reader of an answer makes these.
      case .image, .audio, .document, .toolResult: break
      }
    }
    return items
  }

  /// What an item's id begins with.
  enum Kind: String {
    case message = "msg"
    case reasoning = "rs"
    case call = "fc"
  }

  /// Made from the response's id and the item's place: unique, and the same in all events.
  static func itemID(_ kind: Kind, of response: String, at index: Int) -> String {
    "\(kind.rawValue)_\(response.dropFirst(5))_\(index)"
  }

  static func message(_ id: String, _ content: [JSONValue], _ status: String) -> JSONValue {
    [
      "id": .string(id), "type": "message", "status": .string(status), "role": "assistant",
      "content": .array(content),
    ]
  }

  static func text(_ text: String, signature: String?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("type", "output_text"), .init("text", .string(text)), .init("annotations", []),
      .init("logprobs", []),
    ]
    if let signature {
      members.append(.init("extra_content", ["google": ["thought_signature": .string(signature)]]))
    }
    return .object(members)
  }

  static func refusal(_ text: String) -> JSONValue {
    ["type": "refusal", "refusal": .string(text)]
  }

  /// Thoughts are a summary: that is what clients of Responses show.
  static func reasoning(_ id: String, _ text: String, _ mark: CarriedSignature?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string(id)), .init("type", "reasoning"),
      .init("summary", text.isEmpty ? [] : [summary(text)]),
    ]
    if let mark { members.append(.init("encrypted_content", .string(mark.text))) }
    return .object(members)
  }

  static func summary(_ text: String) -> JSONValue {
    ["type": "summary_text", "text": .string(text)]
  }

  /// Arguments are never empty: clients parse them.
  static func call(_ id: String, _ call: ToolCall, _ status: String) -> JSONValue {
    [
      "id": .string(id), "type": "function_call", "status": .string(status),
      "arguments": .string(call.arguments.isEmpty ? "{}" : call.arguments),
      "call_id": .string(call.id), "name": .string(call.name),
    ]
  }
}

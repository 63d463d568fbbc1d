import Surface

/// Writes a whole answer for a client.
struct ChatAnswerWriter {
  private let facts: AnswerFacts

  init(_ facts: AnswerFacts) { self.facts = facts }

  func write(_ answer: Answer) -> JSONValue {
    var text: String?
    var refusal: String?
    var calls: [JSONValue] = []
    var signature: String?
    for part in answer.parts {
      switch part.content {
      case .text(let more):
        text = (text ?? "") + more
        signature = signature ?? part.signature
      case .refusal(let more): refusal = (refusal ?? "") + more
      case .toolCall(let call): calls.append(self.call(call, part.signature))
      // Written below; the rest no answer holds.
      case .thinking, .redactedThinking, .image, .audio, .document, .toolResult: continue
      }
    }
    var message: [JSONValue.Member] = [
      .init("role", "assistant"), .init("content", JSONValue(text)),
      .init("refusal", JSONValue(refusal)),
    ]
    message += ChatThoughts.write(answer.parts)
    if !calls.isEmpty { message.append(.init("tool_calls", .array(calls))) }
    if let signature { message.append(ChatSignature.member(signature)) }
    let reason = ChatStop.write(answer.stop, hasCalls: !calls.isEmpty, hasRefusal: refusal != nil)
    var members: [JSONValue.Member] = [
      .init("id", .string(Self.id(answer.id, facts))), .init("object", "chat.completion"),
      .init("created", JSONValue(answer.created ?? facts.now)),
      .init("model", .string(facts.model)),
      .init(
        "choices",
        [
          [
            "index": 0, "message": .object(message), "logprobs": nil,
            "finish_reason": .string(reason),
          ]
        ]),
    ]
    if let usage = ChatUsage.write(answer.usage) { members.append(.init("usage", usage)) }
    return .object(members)
  }

  /// The provider's id if it looks like this protocol's.
  static func id(_ id: String, _ facts: AnswerFacts) -> String {
    id.hasPrefix("chatcmpl-") ? id : facts.id
  }

  private func call(_ call: ToolCall, _ signature: String?) -> JSONValue {
    var members: [JSONValue.Member] = [
      .init("id", .string(call.id)), .init("type", "function"),
      .init(
        "function",
        [
          "name": .string(call.name),
          "arguments": .string(call.arguments.isEmpty ? "{}" : call.arguments),
        ]),
    ]
    if let signature { members.append(ChatSignature.member(signature)) }
    return .object(members)
  }
}

import Domain
import Surface

/// Whole answers: Anthropic's message object.
enum MessagesAnswer {
  // MARK: Reading

  static func read(_ message: JSONValue) throws(TranslationFault) -> Answer {
    guard message["type"]?.string != "error", let blocks = message["content"]?.array else {
      throw TranslationFault(.malformed, "content", "The answer is no message with content.")
    }
    var parts: [Part] = []
    var hasCalls = false
    for block in blocks {
      guard
        let part = try read(block: block, id: "call_\(message["id"]?.string ?? "")_\(parts.count)")
      else { continue }
      if case .toolCall = part.content { hasCalls = true }
      parts.append(part)
    }
    var usage = MessagesUsage()
    if let report = message["usage"] { usage.take(report) }
    return Answer(
      id: message["id"]?.string ?? "", model: message["model"]?.string ?? "", parts: parts,
      stop: MessagesStop.read(
        message["stop_reason"]?.string ?? "", sequence: message["stop_sequence"]?.string,
        hasCalls: hasCalls),
      usage: usage.tokens)
  }

  /// nil: a block of a kind that no translated request can lead to; `id`: of a call to which the provider gave none.
  private static func read(block: JSONValue, id: String) throws(TranslationFault) -> Part? {
    switch block["type"]?.string {
    case "text": return Part(.text(block["text"]?.string ?? ""))
    case "thinking":
      return Part(
        .thinking(block["thinking"]?.string ?? ""), signature: nonEmpty(block["signature"]?.string))
    case "redacted_thinking": return Part(.redactedThinking(block["data"]?.string ?? ""))
    case "tool_use":
      guard let name = block["name"]?.string else {
        throw TranslationFault(.malformed, "content", "The answer calls a tool without a name.")
      }
      let id = nonEmpty(block["id"]?.string) ?? id
      let input = block["input"] ?? [:]
      return Part(
        .toolCall(
          ToolCall(id: id, name: name, arguments: String(decoding: input.bytes, as: UTF8.self))))
    default: return nil
    }
  }

  static func nonEmpty(_ text: String?) -> String? { text?.isEmpty == false ? text : nil }

  // MARK: Writing

  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue {
    let carrier = MessagesCarrier(request: facts.request)
    var content: [JSONValue] = []
    var hasCalls = false
    var hasRefusal = false
    for part in answer.parts {
      switch part.content {
      case .text(let text):
        content.append(["type": "text", "text": .string(text)])
        if let signature = part.signature, carrier.hasTexts {
          content.append(signed(.text(signature)))
        }
      case .refusal(let text):
        content.append(["type": "text", "text": .string(text)])
        hasRefusal = true
      case .thinking(let text):
        content.append([
          "type": "thinking", "thinking": .string(text), "signature": .string(part.signature ?? ""),
        ])
      case .redactedThinking(let data):
        content.append(["type": "redacted_thinking", "data": .string(data)])
      case .toolCall(let call):
        if let signature = part.signature, carrier.hasCalls {
          content.append(signed(.call(signature)))
        }
        content.append([
          "type": "tool_use", "id": .string(call.id), "name": .string(call.name),
          "input": MessagesBlockWriter.toolInput(call.arguments),
        ])
        hasCalls = true
      // No reader of answers makes these; a message has no block for them.
      case .image, .audio, .document, .toolResult: break
      }
    }
    return .object(
      [
        .init("id", .string(id(answer.id, facts))), .init("type", "message"),
        .init("role", "assistant"), .init("model", .string(facts.model)),
        .init("content", .array(content)),
      ] + MessagesStop.members(answer.stop, hasCalls: hasCalls, hasRefusal: hasRefusal)
        + [.init("usage", MessagesUsage(answer.usage).object)])
  }

  private static func signed(_ signature: MessagesSignature) -> JSONValue {
    ["type": "thinking", "thinking": "", "signature": .string(signature.carried)]
  }

  /// The provider's id if it has Anthropic's form.
  static func id(_ id: String, _ facts: AnswerFacts) -> String {
    if id.hasPrefix("msg_") { return id }
    return facts.id.hasPrefix("msg_") ? facts.id : "msg_" + facts.id
  }
}

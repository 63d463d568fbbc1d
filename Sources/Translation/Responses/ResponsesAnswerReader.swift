import Domain
import Surface

/// Takes a whole response of a provider apart.
enum ResponsesAnswerReader {
  static func read(_ value: JSONValue) throws(TranslationFault) -> Answer {
    guard value.members != nil else { throw malformed("", "The answer is not an object.") }
    guard let output = value["output"]?.array else {
      throw malformed("output", "The answer's output is not an array.")
    }
    var parts: [Part] = []
    for (index, item) in output.enumerated() {
      parts += try self.parts(of: item, index)
    }
    let stop = ResponsesEnd.stop(
      of: value,
      hasCalls: parts.contains { if case .toolCall = $0.content { true } else { false } },
      hasRefusal: parts.contains { if case .refusal = $0.content { true } else { false } })
    guard let stop else {
      throw malformed("status", "The answer's status is not completed or incomplete.")
    }
    return Answer(
      id: value["id"]?.string ?? "", model: value["model"]?.string ?? "",
      created: value["created_at"]?.int, parts: parts, stop: stop,
      usage: ResponsesUsage.read(value["usage"]) ?? .notReported)
  }

  /// Of items that server-side tools would make there are none: no request asks for such tools.
  private static func parts(
    of item: JSONValue, _ index: Int
  ) throws(TranslationFault) -> [Part] {
    let path = "output[\(index)]"
    switch item["type"]?.string {
    case "message":
      var parts: [Part] = []
      for (index, content) in (item["content"]?.array ?? []).enumerated() {
        switch content["type"]?.string {
        case "output_text":
          parts.append(Part(.text(try text(content, "text", "\(path).content[\(index)]"))))
        case "refusal":
          parts.append(Part(.refusal(try text(content, "refusal", "\(path).content[\(index)]"))))
        default: break
        }
      }
      return parts
    case "reasoning":
      let text = thoughts(of: item)
      let signature = signature(of: item)
      if !text.isEmpty { return [Part(.thinking(text), signature: signature)] }
      return signature.map { [Part(.redactedThinking($0))] } ?? []
    case "function_call":
      let call = ToolCall(
        id: item["call_id"]?.string ?? item["id"]?.string ?? "call_\(index)",
        name: try self.text(item, "name", path), arguments: try self.text(item, "arguments", path))
      return [Part(.toolCall(call))]
    default: return []
    }
  }

  /// What a reasoning item shows: the thoughts themselves, or a summary of them.
  static func thoughts(of item: JSONValue) -> String {
    func texts(_ name: String) -> [String] {
      (item[name]?.array ?? []).compactMap { $0["text"]?.string }
    }
    let content = texts("content")
    return (content.isEmpty ? texts("summary") : content).joined(separator: "\n\n")
  }

  /// What a reasoning item must be sent back with; nil: the provider encrypts nothing.
  static func signature(of item: JSONValue) -> String? {
    guard let encrypted = item["encrypted_content"]?.string, !encrypted.isEmpty else { return nil }
    return ReasoningSignature(id: item["id"]?.string ?? "", encrypted: encrypted).text
  }

  private static func text(
    _ value: JSONValue, _ name: String, _ path: String
  ) throws(TranslationFault) -> String {
    guard let text = value[name]?.string else {
      throw malformed("\(path).\(name)", "The answer's \(path).\(name) is not a string.")
    }
    return text
  }

  private static func malformed(_ field: String, _ message: String) -> TranslationFault {
    TranslationFault(.malformed, field, message)
  }
}

import Surface

/// Thoughts in a message of chat, which the protocol itself does not know.
///
/// Two public conventions: `reasoning_content`, a text (DeepSeek, vLLM), and OpenRouter's `reasoning_details`, whose
/// parts carry Anthropic's signatures and redacted thoughts as well. Both are fields that OpenAI's SDKs keep in a
/// message and send back with it, and the numbered parts are what their stream helpers put together.
enum ChatThoughts {
  /// Takes the thoughts out of an assistant's message; the parts, where there are any, hold the text too.
  static func read(_ fields: inout Fields) throws(TranslationFault) -> [Part] {
    let details = try fields.array("reasoning_details") ?? []
    // `reasoning` is OpenRouter's and vLLM's newer name of the same text.
    let other = try fields.text("reasoning")
    let text = try fields.text("reasoning_content") ?? other
    var parts: [Part] = []
    /// The thought that the last pieces make up.
    var thought = ""
    var lastIndex: UInt64?
    for (number, detail) in details.enumerated() {
      let place = fields.place("reasoning_details[\(number)]")
      var detail = try Fields(detail, place)
      let index = try detail.count("index")
      defer { lastIndex = index }
      guard let part = try part(&detail, place) else { continue }
      // Clients that only collect a stream's pieces send them back as they came.
      if index != nil, index == lastIndex, let last = parts.last, last.signature == nil,
        case .thinking = last.content, case .thinking(let more) = part.content
      {
        thought += more
        parts[parts.count - 1].signature = part.signature
        continue
      }
      finish(&parts, thought)
      if case .thinking(let text) = part.content { thought = text }
      parts.append(part)
    }
    finish(&parts, thought)
    if parts.isEmpty, let text, !text.isEmpty {
      parts.append(Part(.thinking(text), field: fields.place("reasoning_content")))
    }
    return parts
  }

  /// Gives the last part, where it is a thought, all of its pieces; once for each, so that many cost no more.
  private static func finish(_ parts: inout [Part], _ thought: String) {
    guard let last = parts.indices.last, case .thinking = parts[last].content else { return }
    parts[last].content = .thinking(thought)
  }

  /// nil: of a kind that only its own provider reads.
  private static func part(
    _ detail: inout Fields, _ place: String
  ) throws(TranslationFault) -> Part? {
    let signature = try detail.text("signature")
    switch try detail.requiredText("type") {
    case "reasoning.text":
      return Part(.thinking(try detail.text("text") ?? ""), signature: signature, field: place)
    case "reasoning.summary":
      return Part(.thinking(try detail.text("summary") ?? ""), signature: signature, field: place)
    case "reasoning.encrypted":
      guard try isAnthropic(detail.text("format")), let data = try detail.text("data") else {
        return nil
      }
      return Part(.redactedThinking(data), field: place)
    default: return nil
    }
  }

  /// Whose hidden thoughts are meant; others hide theirs in other ways.
  static func isAnthropic(_ format: String?) -> Bool { format?.hasPrefix("anthropic") ?? true }

  /// The thoughts as members of a message; with parts only if there is something that the text cannot carry.
  static func write(_ parts: [Part]) -> [JSONValue.Member] {
    var text = ""
    var details: [JSONValue] = []
    var needsDetails = false
    for part in parts {
      var members: [JSONValue.Member]
      switch part.content {
      case .thinking(let thought):
        text += thought
        members = [.init("type", "reasoning.text"), .init("text", .string(thought))]
        if let signature = part.signature {
          members.append(.init("signature", .string(signature)))
          needsDetails = true
        }
      case .redactedThinking(let data):
        members = [.init("type", "reasoning.encrypted"), .init("data", .string(data))]
        needsDetails = true
      case .text, .image, .audio, .document, .toolCall, .toolResult, .refusal: continue
      }
      members.append(.init("index", JSONValue(details.count)))
      details.append(.object(members))
    }
    var members: [JSONValue.Member] = []
    if !text.isEmpty { members.append(.init("reasoning_content", .string(text))) }
    if needsDetails { members.append(.init("reasoning_details", .array(details))) }
    return members
  }
}

/// Gemini's signatures where Google's own OpenAI-compatible path has them: `extra_content.google.thought_signature`,
/// in a call or in a message.
enum ChatSignature {
  static func read(_ fields: inout Fields) throws(TranslationFault) -> String? {
    guard var extra = try fields.object("extra_content"), var google = try extra.object("google")
    else { return nil }
    return try google.text("thought_signature")
  }

  /// The same of an answer, where nothing else of it matters.
  static func read(_ value: JSONValue) -> String? {
    value["extra_content"]?["google"]?["thought_signature"]?.string
  }

  static func member(_ signature: String) -> JSONValue.Member {
    .init("extra_content", ["google": ["thought_signature": .string(signature)]])
  }
}

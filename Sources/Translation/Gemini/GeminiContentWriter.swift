import Surface

/// Writes turns as `contents`: roles alternate, and results of tools come first in the content after their calls.
struct GeminiContentWriter {
  let model: GeminiModel
  let resolution: GeminiResolution
  private var written: [Content] = []
  /// What each call's function is called: results must repeat it.
  private var names: [String: String] = [:]

  /// One content: results stand before all else.
  private struct Content {
    var role: Turn.Role
    var results: [JSONValue] = []
    var others: [JSONValue] = []
    /// Only the first call is checked for a signature.
    var hasCall = false
  }

  init(model: GeminiModel, resolution: GeminiResolution) {
    self.model = model
    self.resolution = resolution
  }

  /// All that was written.
  var contents: [JSONValue] {
    written.map {
      ["role": $0.role == .user ? "user" : "model", "parts": .array($0.results + $0.others)]
    }
  }

  /// Writes a turn, into the content before it if that is of the same role.
  mutating func take(_ turn: Turn) throws(TranslationFault) {
    if written.last?.role != turn.role { written.append(Content(role: turn.role)) }
    let last = written.count - 1
    for part in turn.parts {
      switch part.content {
      case .toolResult(let result):
        let (value, besides) = try write(result, part.field)
        written[last].results.append(value)
        written[last].others += besides
      case .toolCall(let call):
        written[last].others.append(try write(call, part, isFirst: !written[last].hasCall))
        written[last].hasCall = true
      // Says nothing, and some models refuse it; alone in its turn it must stand.
      case .text("") where part.signature == nil && turn.parts.count > 1: break
      case .text(let text), .refusal(let text):
        var members: [JSONValue.Member] = [.init("text", .string(text))]
        if let signature = part.signature {
          members.append(.init("thoughtSignature", .string(signature)))
        }
        written[last].others.append(.object(members))
      case .thinking(let text):
        // A signature of thoughts is never Gemini's, which signs calls and texts only.
        written[last].others.append(["text": .string(text), "thought": true])
      // Only its maker can read it, and Gemini makes none.
      case .redactedThinking: break
      case .image(let media), .audio(let media), .document(let media):
        written[last].others.append(try write(media, part.field))
      }
    }
    if written[last].results.isEmpty, written[last].others.isEmpty { written.removeLast() }
  }

  private mutating func write(
    _ call: ToolCall, _ part: Part, isFirst: Bool
  ) throws(TranslationFault) -> JSONValue {
    names[call.id] = call.name
    guard let arguments = jsonArguments(call.arguments) else {
      throw TranslationFault(
        .malformed, part.field, "The arguments of the call at \(part.field) are not a JSON object.")
    }
    var function: [JSONValue.Member] = []
    if !call.id.isEmpty { function.append(.init("id", .string(call.id))) }
    function.append(.init("name", .string(call.name)))
    function.append(.init("args", arguments))
    var members = [JSONValue.Member("functionCall", .object(function))]
    if let signature = part.signature {
      members.append(.init("thoughtSignature", .string(signature)))
    } else if isFirst, model.isThird {
      members.append(.init("thoughtSignature", .string(GeminiSignature.unchecked)))
    }
    return .object(members)
  }

  /// A result, and what older models want beside it rather than in it.
  private func write(
    _ result: ToolResult, _ field: String
  ) throws(TranslationFault) -> (JSONValue, [JSONValue]) {
    guard let name = result.name ?? names[result.callID] else {
      throw TranslationFault(
        .malformed, field, "\(field) is the result of a call that does not stand before it.")
    }
    var texts: [JSONValue] = []
    var media: [JSONValue] = []
    for part in result.parts {
      switch part.content {
      case .text(let text), .refusal(let text): texts.append(.string(text))
      case .image(let medium), .audio(let medium), .document(let medium):
        media.append(try write(medium, part.field))
      case .thinking, .redactedThinking, .toolCall, .toolResult:
        throw .notCarried(part.field)
      }
    }
    let said: JSONValue =
      switch texts.count {
      case 0: ""
      case 1: texts[0]
      case _: .array(texts)
      }
    var function: [JSONValue.Member] = []
    if !result.callID.isEmpty { function.append(.init("id", .string(result.callID))) }
    function.append(.init("name", .string(name)))
    function.append(.init("response", .object([.init(result.isError ? "error" : "output", said)])))
    if model.isThird, !media.isEmpty { function.append(.init("parts", .array(media))) }
    return (["functionResponse": .object(function)], model.isThird ? [] : media)
  }

  private func write(_ media: Media, _ field: String) throws(TranslationFault) -> JSONValue {
    if case .file = media.origin { throw .stateBound(field) }
    // A document's name is left out: Gemini has a place for it only beside its own tools.
    guard var value = geminiMedia(media)?.members else { throw .notCarried(field) }
    if resolution.isMixed, let word = try GeminiResolution.word(media, field) {
      guard model.isThird else { throw .notCarried(field) }
      value.append(.init("mediaResolution", ["level": .string(word)]))
    }
    return .object(value)
  }
}

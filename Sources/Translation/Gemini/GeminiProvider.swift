import Domain
import Surface

/// Gemini's `generateContent` and `streamGenerateContent` as providers speak it; the path names model and stream.
enum GeminiProvider: ProviderSide {
  static func write(_ conversation: Conversation) throws(TranslationFault) -> JSONValue {
    // Gemini has no other place for the operator's words.
    let conversation = conversation.withOperatorFirst
    let model = GeminiModel(conversation.model)
    let resolution = try GeminiResolution(conversation)
    var writer = GeminiContentWriter(model: model, resolution: resolution)
    var system = try systemParts(conversation.system)
    for turn in conversation.turns { try writer.take(turn) }
    var contents = writer.contents
    if contents.isEmpty, !system.isEmpty {
      // Gemini answers nobody but a user.
      contents = [["role": "user", "parts": .array(system)]]
      system = []
    }
    var members: [JSONValue.Member] = [.init("contents", .array(contents))]
    if !system.isEmpty {
      members.append(.init("systemInstruction", ["parts": .array(system)]))
    }
    if !conversation.tools.isEmpty {
      members.append(
        .init("tools", [["functionDeclarations": .array(conversation.tools.map(declaration))]]))
    }
    var settings = GeminiSettings(model: model)
    for setting in conversation.settings { try settings.take(setting) }
    if conversation.tools.contains(where: { $0.isStrict == true }) { settings.validateCalls() }
    if let resolution = resolution.common {
      settings.set("mediaResolution", .string(resolution))
    }
    return .object(members + settings.members)
  }

  /// The operator's words; Gemini takes texts only.
  private static func systemParts(_ parts: [Part]) throws(TranslationFault) -> [JSONValue] {
    var texts: [JSONValue] = []
    for part in parts {
      switch part.content {
      case .text(""): break
      case .text(let text): texts.append(["text": .string(text)])
      case .image, .audio, .document, .thinking, .redactedThinking, .toolCall, .toolResult,
        .refusal:
        throw .notCarried(part.field)
      }
    }
    return texts
  }

  private static func declaration(_ tool: Tool) -> JSONValue {
    var members: [JSONValue.Member] = [.init("name", .string(tool.name))]
    if let description = tool.description {
      members.append(.init("description", .string(description)))
    }
    if let schema = tool.schema { members.append(.init("parametersJsonSchema", schema)) }
    // A cache mark is left out: Gemini caches the beginnings of prompts by itself.
    return .object(members)
  }
}

/// How closely to look at the request's media.
///
/// One word for all of them is what every model knows; a word for each, only those since Gemini 3.
struct GeminiResolution {
  /// The word that all media share; nil: they share none, or want no other than the model's own.
  let common: String?
  /// Media differ in it.
  let isMixed: Bool

  init(_ conversation: Conversation) throws(TranslationFault) {
    var words: Set<String?> = []
    for turn in conversation.turns {
      for part in turn.parts {
        var parts = [part]
        if case .toolResult(let result) = part.content { parts += result.parts }
        for part in parts {
          guard let media = part.content.media else { continue }
          words.insert(try Self.word(media, part.field))
        }
      }
    }
    isMixed = words.count > 1
    common = words.count == 1 ? words.first ?? nil : nil
  }

  /// The word for one medium; nil: the model's own choice.
  static func word(_ media: Media, _ field: String) throws(TranslationFault) -> String? {
    guard let detail = media.detail, detail != "auto" else { return nil }
    guard let word = resolution(ofDetail: detail) else { throw .notCarried(field) }
    return word
  }
}

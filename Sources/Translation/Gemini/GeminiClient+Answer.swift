import Domain
import Surface

extension GeminiClient {
  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue {
    var parts: [JSONValue] = []
    var isBroken = false
    for part in answer.parts {
      switch GeminiAnswerPart(part) {
      case .value(let value): parts.append(value)
      case .brokenCall: isBroken = true
      case .nothing: break
      }
    }
    return chunk(
      parts.isEmpty ? [GeminiAnswerPart.empty] : parts,
      finish: isBroken ? GeminiAnswerPart.brokenReason : GeminiFinish.reason(answer.stop),
      usage: answer.usage, model: facts.model, id: answer.id.isEmpty ? facts.id : answer.id)
  }

  /// One `GenerateContentResponse`; `finish` nil: more follows.
  static func chunk(
    _ parts: [JSONValue], finish: String?, usage: TokenUsage, model: String, id: String
  ) -> JSONValue {
    var candidate: [JSONValue.Member] = [
      .init("content", ["parts": .array(parts), "role": "model"])
    ]
    if let finish { candidate.append(.init("finishReason", .string(finish))) }
    candidate.append(.init("index", 0))
    var members: [JSONValue.Member] = [.init("candidates", [.object(candidate)])]
    if let google = usage.google { members.append(.init("usageMetadata", google)) }
    members.append(.init("modelVersion", .string(model)))
    members.append(.init("responseId", .string(id)))
    return .object(members)
  }
}

/// A part of an answer in Google's words.
enum GeminiAnswerPart {
  case value(JSONValue)
  /// The call's arguments are no JSON object, and Google knows no others.
  case brokenCall
  /// There is nothing to say.
  case nothing

  /// Google's word for an answer whose call cannot be read; the call itself is left out there too.
  static let brokenReason = "MALFORMED_FUNCTION_CALL"
  /// A part that says nothing: SDKs count a content without any as invalid, and drop the whole turn from a chat.
  static let empty: JSONValue = ["text": ""]

  init(_ part: Part) {
    let signature = part.signature.map { GeminiSignature.foreign($0).text }
    switch part.content {
    // Gemini has no other words for a refusal than any.
    case .text(let text), .refusal(let text): self = .text(text, signature)
    case .thinking(let text): self = .thought(text, signature)
    case .redactedThinking(let text): self = .thought("", GeminiSignature.redacted(text).text)
    case .toolCall(let call): self = .call(call, signature)
    case .image(let media), .audio(let media), .document(let media):
      self = geminiMedia(media).map { .value($0) } ?? .nothing
    // Only clients give results.
    case .toolResult: self = .nothing
    }
  }

  /// A text; with a signature, it may be empty.
  static func text(_ text: String, _ signature: String?) -> GeminiAnswerPart {
    .signed([.init("text", .string(text))], signature)
  }

  /// A thought.
  static func thought(_ text: String, _ signature: String?) -> GeminiAnswerPart {
    .signed([.init("text", .string(text)), .init("thought", true)], signature)
  }

  /// A call, as a whole.
  static func call(_ call: ToolCall, _ signature: String?) -> GeminiAnswerPart {
    guard let arguments = jsonArguments(call.arguments) else { return .brokenCall }
    var members: [JSONValue.Member] = []
    if !call.id.isEmpty { members.append(.init("id", .string(call.id))) }
    members.append(.init("name", .string(call.name)))
    members.append(.init("args", arguments))
    return .signed([.init("functionCall", .object(members))], signature)
  }

  private static func signed(
    _ members: [JSONValue.Member], _ signature: String?
  ) -> GeminiAnswerPart {
    .value(.object(members + (signature.map { [.init("thoughtSignature", .string($0))] } ?? [])))
  }
}

/// The object in a call's arguments; empty text is one without members, nil says that there is no object.
func jsonArguments(_ text: String) -> JSONValue? {
  if text.utf8.allSatisfy({ $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }) {
    return .object([])
  }
  guard let value = try? JSONValue.parse(Array(text.utf8)), value.members != nil else {
    return nil
  }
  return value
}

/// `inlineData` or `fileData`; nil: a type is missing, or the bytes are elsewhere than Google could reach.
func geminiMedia(_ media: Media) -> JSONValue? {
  switch media.origin {
  case .data(let data):
    guard let type = media.mediaType else { return nil }
    return ["inlineData": ["mimeType": .string(type), "data": .string(data)]]
  case .text(let text):
    let type = media.mediaType ?? "text/plain"
    return ["inlineData": ["mimeType": .string(type), "data": .string(base64Text(text.utf8))]]
  case .url(let address):
    guard let type = media.mediaType ?? mediaType(ofAddress: address) else { return nil }
    return ["fileData": ["mimeType": .string(type), "fileUri": .string(address)]]
  case .file: return nil
  }
}

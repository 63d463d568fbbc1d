import Domain
import Surface

/// Google's words for why an answer ended.
enum GeminiFinish {
  /// A model's answer that Google itself calls broken; nothing of it can be shown as an end.
  private static let broken: Set<String> = [
    "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE",
    "MISSING_THOUGHT_SIGNATURE", "TOO_MANY_TOOL_CALLS",
  ]
  private static let filters: Set<String> = [
    "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "ESCALATION",
    "PUP_LIMITED_DISABLED", "MODEL_ARMOR", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
  ]

  /// The answer broke rather than ended.
  static func isBroken(_ reason: String) -> Bool { broken.contains(reason) }

  /// What a reason means; calls of tools have none of their own.
  static func stop(_ reason: String, hasCalls: Bool) -> StopReason {
    switch reason {
    case "MAX_TOKENS": .length
    case "CONTINUATION": .paused
    case let reason where filters.contains(reason): .filtered
    // `STOP`, `OTHER`, and what may come.
    case _: hasCalls ? .toolCalls : .end
    }
  }

  /// The reason to give; Gemini tells neither texts nor calls from an end, nor a refusal from a filter.
  static func reason(_ stop: StopReason) -> String {
    switch stop {
    case .end, .sequence, .toolCalls: "STOP"
    case .length, .contextFull: "MAX_TOKENS"
    case .refusal, .filtered: "SAFETY"
    // `CONTINUATION` comes with a token to go on by, which no other provider gives.
    case .paused: "OTHER"
    }
  }
}

extension TokenUsage {
  /// Reads `usageMetadata`, where zeros are left out and thoughts stand beside the answer.
  init(google value: JSONValue) {
    func count(_ name: String) -> UInt64? {
      let figure = value[name] ?? value[snakeCase(name)]
      // More tokens than this no request has: such a figure is an error, and would eat up any budget.
      return figure?.uint.flatMap { $0 <= 1 << 32 ? $0 : nil }
    }
    let prompt = count("promptTokenCount")
    let tools = count("toolUsePromptTokenCount")
    let answer = count("candidatesTokenCount")
    let thoughts = count("thoughtsTokenCount")
    var usage = TokenUsage()
    if prompt != nil || tools != nil { usage.input = (prompt ?? 0) + (tools ?? 0) }
    if answer != nil || thoughts != nil {
      usage.output = (answer ?? 0) + (thoughts ?? 0)
    } else if let total = count("totalTokenCount"), let input = usage.input {
      usage.output = total > input ? total - input : 0
    }
    usage.cached = count("cachedContentTokenCount")
    usage.reasoning = thoughts
    self = usage
  }

  /// As `usageMetadata`; nil: nothing is known.
  var google: JSONValue? {
    var members: [JSONValue.Member] = []
    if let input { members.append(.init("promptTokenCount", JSONValue(input))) }
    if let cached { members.append(.init("cachedContentTokenCount", JSONValue(cached))) }
    if let output {
      let thoughts = min(reasoning ?? 0, output)
      members.append(.init("candidatesTokenCount", JSONValue(output - thoughts)))
    }
    if let reasoning { members.append(.init("thoughtsTokenCount", JSONValue(reasoning))) }
    guard !members.isEmpty else { return nil }
    let (total, isOver) = (input ?? 0).addingReportingOverflow(output ?? 0)
    members.append(.init("totalTokenCount", JSONValue(isOver ? .max : total)))
    return .object(members)
  }
}

/// A media type guessed from an address; nil: its ending tells nothing.
func mediaType(ofAddress address: String) -> String? {
  let path = address.prefix { $0 != "?" && $0 != "#" }
  guard let dot = path.lastIndex(of: "."), !path[dot...].contains("/") else { return nil }
  switch path[path.index(after: dot)...].lowercased() {
  case "jpg", "jpeg": return "image/jpeg"
  case "png": return "image/png"
  case "gif": return "image/gif"
  case "webp": return "image/webp"
  case "heic": return "image/heic"
  case "heif": return "image/heif"
  case "pdf": return "application/pdf"
  case "txt": return "text/plain"
  case "mp3": return "audio/mp3"
  case "wav": return "audio/wav"
  case "mp4": return "video/mp4"
  case _: return nil
  }
}

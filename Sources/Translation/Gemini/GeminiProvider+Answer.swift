import Domain
import Surface

extension GeminiProvider {
  static func read(_ answer: JSONValue) throws(TranslationFault) -> Answer {
    let chunk = try GeminiChunk(answer)
    if let failure = chunk.failure {
      throw TranslationFault(
        .malformed, "error", "The provider answered with an error: \(failure.type).")
    }
    var parts: [Part] = []
    var calls = 0
    for part in chunk.parts {
      switch part {
      case .text("", nil, isThought: _): break
      case .text(let text, let signature, let isThought):
        parts.append(Part(isThought ? .thinking(text) : .text(text), signature: signature))
      case .call(let id, let name, let arguments, let signature):
        calls += 1
        let call = ToolCall(
          id: id ?? geminiCallID(answer: chunk.id, number: calls), name: name, arguments: arguments)
        parts.append(Part(.toolCall(call), signature: signature))
      }
    }
    guard chunk.hasCandidate || chunk.stop != nil else {
      throw TranslationFault(.malformed, "candidates", "The provider gave no answer.")
    }
    let stop = GeminiFinish.stop(chunk.stop ?? "STOP", hasCalls: calls > 0)
    return Answer(
      id: chunk.id, model: chunk.model, parts: parts, stop: stop, usage: chunk.usage)
  }
}

/// A call's id where Gemini gives none: unique among the answers of a conversation, of letters that all
/// protocols allow, and no longer than OpenAI's 40 characters.
func geminiCallID(answer: String, number: Int) -> String {
  let kept = answer.unicodeScalars.filter {
    ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
  }
  return "call_\(String(String.UnicodeScalarView(kept.suffix(24))))_\(number)"
}

/// One `GenerateContentResponse`, which is a whole answer or a piece of one.
struct GeminiChunk {
  /// A part of the first candidate.
  enum Part {
    case text(String, String?, isThought: Bool)
    case call(id: String?, name: String, arguments: String, signature: String?)
  }

  /// Google's error in the place of an answer.
  var failure: StreamFailure?
  var id = ""
  var model = ""
  var hasCandidate = false
  var parts: [Part] = []
  /// Google's word for why it stopped; of a blocked prompt, `SAFETY`.
  var stop: String?
  var usage = TokenUsage()

  /// Reads it; what belongs to features that no translated request asks for is refused, anything unknown skipped.
  init(_ value: JSONValue) throws(TranslationFault) {
    guard value.members != nil else {
      throw TranslationFault(.malformed, "", "The provider's answer is not an object.")
    }
    if let error = value["error"], !error.isNull {
      failure = StreamFailure(type: googleStatus(error["status"]?.string))
      return
    }
    id = value["responseId"]?.string ?? ""
    model = value["modelVersion"]?.string ?? ""
    if let usage = value["usageMetadata"] { self.usage = TokenUsage(google: usage) }
    guard let candidate = try candidate(value) else {
      if let reason = value["promptFeedback"]?["blockReason"], !reason.isNull { stop = "SAFETY" }
      return
    }
    hasCandidate = true
    if let reason = candidate["finishReason"]?.string, reason != "FINISH_REASON_UNSPECIFIED" {
      if GeminiFinish.isBroken(reason) {
        failure = StreamFailure(type: reason)
        return
      }
      stop = reason
    }
    for (index, part) in (candidate["content"]?["parts"]?.array ?? []).enumerated() {
      if let part = try read(part, "candidates[0].content.parts[\(index)]") { parts.append(part) }
    }
  }

  private func candidate(_ value: JSONValue) throws(TranslationFault) -> JSONValue? {
    guard let candidates = value["candidates"], !candidates.isNull else { return nil }
    guard let candidates = candidates.array else {
      throw TranslationFault(.malformed, "candidates", "candidates is not an array.")
    }
    return candidates.first { ($0["index"]?.int ?? 0) == 0 }
  }

  private func read(_ part: JSONValue, _ path: String) throws(TranslationFault) -> Part? {
    let signature = part["thoughtSignature"]?.string
    if let call = part["functionCall"] {
      guard let name = call["name"]?.string, call["willContinue"]?.bool != true else {
        throw TranslationFault(.malformed, path, "The call at \(path) is not whole.")
      }
      var arguments = call["args"] ?? .null
      if arguments.isNull { arguments = .object([]) }
      let id = call["id"]?.string ?? ""
      return .call(
        id: id.isEmpty ? nil : id, name: name,
        arguments: String(decoding: arguments.bytes, as: UTF8.self), signature: signature)
    }
    for name in ["inlineData", "fileData", "executableCode", "codeExecutionResult", "toolCall"] {
      guard part[name] == nil else {
        throw TranslationFault(
          .notCarried, "\(path).\(name)", "\(path).\(name) has no place in other protocols.")
      }
    }
    guard part["text"] != nil || signature != nil else { return nil }
    return .text(
      part["text"]?.string ?? "", signature, isThought: part["thought"]?.bool ?? false)
  }
}

/// A status of Google's as far as it may be repeated: one of its names for classes of errors.
func googleStatus(_ text: String?) -> String {
  guard let text, !text.isEmpty, text.utf8.count <= 64,
    text.utf8.allSatisfy({ ($0 >= 0x41 && $0 <= 0x5A) || $0 == 0x5F })
  else { return "INTERNAL" }
  return text
}

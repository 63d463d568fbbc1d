import Domain
import Surface

/// The API Router's own form as a client speaks it: one text in, one text out; `parameters` are a chat's.
enum InferenceClient: ClientSide {
  /// Bytes of `payload`.
  static let payloadBytes = 65_536

  static func read(_ body: JSONValue, model: String, isStream: Bool) throws(TranslationFault)
    -> Conversation
  {
    var fields = try Fields(body, "")
    _ = fields.take("model")
    let label = try fields.requiredText("request_id")
    guard 1...128 ~= label.utf8.count else {
      throw fields.malformed("request_id", "a text of 1 to 128 bytes")
    }
    let payload = try fields.requiredText("payload")
    guard payload.utf8.count <= payloadBytes else {
      throw fields.malformed("payload", "a text of at most \(payloadBytes) bytes")
    }
    let kind = try fields.text("content_type")
    guard kind == nil || kind == "text/plain" || kind == "application/json" else {
      throw fields.malformed("content_type", "`text/plain` or `application/json`")
    }
    // Labels of the router's own; they never reached a model.
    _ = try fields.object("metadata")
    _ = fields.take("hmac_signature")
    var parameters = try fields.object("parameters")
    try fields.finish()
    let settings = parameters?.rest() ?? []
    if let foreign = settings.first(where: { own.contains($0.name) }) {
      throw TranslationFault(
        .malformed, "parameters.\(foreign.name)",
        "parameters.\(foreign.name) has no place in a request that is one text and gets one.")
    }
    let question: JSONValue = .object([
      .init("role", "user"), .init("content", .string(payload)),
    ])
    do throws(TranslationFault) {
      return try ChatClient.read(
        .object([JSONValue.Member("messages", .array([question]))] + settings), model: model,
        isStream: false)
    } catch {
      guard settings.contains(where: { error.field.hasPrefix($0.name) }) else { throw error }
      throw TranslationFault(
        error.kind, "parameters." + error.field, "parameters." + error.message)
    }
  }

  /// What of a chat the form itself says, or its answer has no place for.
  private static let own: Set<String> = [
    "model", "messages", "stream", "stream_options", "n", "tools", "tool_choice", "functions",
    "function_call", "parallel_tool_calls", "modalities", "audio",
  ]

  private static func text(of answer: Answer) -> String {
    answer.parts.reduce(into: "") { text, part in
      switch part.content {
      case .text(let words), .refusal(let words): text += words
      case .image, .audio, .document, .thinking, .redactedThinking, .toolCall, .toolResult: break
      }
    }
  }

  static func write(_ answer: Answer, for facts: AnswerFacts) -> JSONValue {
    var usage: [JSONValue.Member] = []
    if let input = answer.usage.input { usage.append(.init("tokens_input", .number("\(input)"))) }
    if let output = answer.usage.output {
      usage.append(.init("tokens_output", .number("\(output)")))
    }
    if let milliseconds = facts.milliseconds {
      usage.append(.init("latency_ms", .number("\(milliseconds)")))
    }
    if let cost = facts.price?.microUSD(of: answer.usage) {
      usage.append(.init("cost_usd", JSONValue(millionths: cost)))
    }
    usage.append(.init("limit_state", "WITHIN_LIMIT"))
    return .object([
      .init("request_id", facts.request["request_id"] ?? .null),
      .init("output", .object([.init("text", .string(text(of: answer)))])),
      .init("usage", .object(usage)),
      .init("trace_id", JSONValue(facts.trace)), .init("span_id", JSONValue(facts.span)),
    ])
  }
}

import Surface

/// Why an answer ended, in Anthropic's words.
enum MessagesStop {
  /// A reason younger than this list is an ordinary end, or, if the answer `hasCalls`, the wait for results.
  static func read(_ reason: String, sequence: String?, hasCalls: Bool) -> StopReason {
    switch reason {
    case "end_turn": .end
    case "stop_sequence": .sequence(sequence)
    case "max_tokens": .length
    case "tool_use": .toolCalls
    case "refusal": .refusal
    case "model_context_window_exceeded": .contextFull
    case "pause_turn": .paused
    default: hasCalls ? .toolCalls : .end
    }
  }

  /// The fields `stop_reason`, `stop_sequence` and `stop_details`.
  ///
  /// Some providers say only that an answer with calls, or with words of refusal, is at its end: clients of
  /// Anthropic run tools for `tool_use` alone.
  static func members(
    _ stop: StopReason, hasCalls: Bool, hasRefusal: Bool
  ) -> [JSONValue.Member] {
    var reason: String
    var sequence: String?
    switch stop {
    case .end: reason = hasCalls ? "tool_use" : hasRefusal ? "refusal" : "end_turn"
    case .sequence(let text):
      reason = "stop_sequence"
      sequence = text
    case .length: reason = "max_tokens"
    case .toolCalls: reason = "tool_use"
    case .refusal, .filtered: reason = "refusal"
    case .contextFull: reason = "model_context_window_exceeded"
    case .paused: reason = "pause_turn"
    }
    let details: JSONValue =
      reason == "refusal" ? ["type": "refusal", "category": nil, "explanation": nil] : .null
    return [
      .init("stop_reason", .string(reason)), .init("stop_sequence", JSONValue(sequence)),
      .init("stop_details", details),
    ]
  }
}

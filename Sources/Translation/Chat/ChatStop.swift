import Surface

/// Chat's `finish_reason`, both ways.
enum ChatStop {
  /// `reason` nil or unknown: the end, as far as nothing else tells more.
  ///
  /// `stopped`: vLLM's `stop_reason`, the text at which the answer ended.
  static func read(
    _ reason: String?, stopped: JSONValue? = nil, hasCalls: Bool, hasRefusal: Bool
  ) -> StopReason {
    switch reason {
    case "length": return .length
    case "content_filter": return .filtered
    // Mistral's: the window is full.
    case "model_length": return .contextFull
    // DeepSeek's: broken off, but not by the answer's own end.
    case "insufficient_system_resource": return .length
    case "tool_calls", "function_call": return .toolCalls
    default:
      // Some say `stop` after calls; the client must know that it is its turn.
      if hasCalls { return .toolCalls }
      if hasRefusal { return .refusal }
      if let text = stopped?.string { return .sequence(text) }
      return .end
    }
  }

  static func write(_ stop: StopReason, hasCalls: Bool, hasRefusal: Bool) -> String {
    switch stop {
    case .end: hasCalls ? "tool_calls" : "stop"
    // A paused turn goes on when it is sent back; for this the protocol has no word.
    case .sequence, .paused: "stop"
    case .length, .contextFull: "length"
    case .toolCalls: "tool_calls"
    // With its words in the message this is a usual end; without any, the filter is the nearest.
    case .refusal: hasRefusal ? "stop" : "content_filter"
    case .filtered: "content_filter"
    }
  }
}

import Surface

/// How an answer ended, in the words of Responses.
struct ResponsesEnd: Hashable {
  /// Why it is incomplete; nil: it is complete.
  var reason: String?

  /// Complete.
  static let completed = ResponsesEnd(reason: nil)

  /// `completed` or `incomplete`: of the response, and of its last item.
  var status: String { reason == nil ? "completed" : "incomplete" }

  init(reason: String?) { self.reason = reason }

  init(_ answer: Answer) {
    self.init(
      answer.stop,
      hasRefusal: answer.parts.contains { if case .refusal = $0.content { true } else { false } })
  }

  /// `hasRefusal`: the model's own words of refusal are in the answer.
  init(_ stop: StopReason, hasRefusal: Bool) {
    switch stop {
    case .end, .sequence, .toolCalls: reason = nil
    // The reasons that a client can act upon are two: the answer is cut off, or held back.
    case .length, .contextFull, .paused: reason = "max_output_tokens"
    case .filtered: reason = "content_filter"
    // With words it is an answer like others; without, the client must see that something is missing.
    case .refusal: reason = hasRefusal ? nil : "content_filter"
    }
  }

  /// What a provider's response says; nil: it is none that has ended.
  static func stop(
    of response: JSONValue, hasCalls: Bool, hasRefusal: Bool
  ) -> StopReason? {
    switch response["status"]?.string {
    case "completed", nil: hasCalls ? .toolCalls : hasRefusal ? .refusal : .end
    case "incomplete":
      // Others, `max_messages` among them, cut the answer off too.
      response["incomplete_details"]?["reason"]?.string == "content_filter" ? .filtered : .length
    default: nil
    }
  }
}

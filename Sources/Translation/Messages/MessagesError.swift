import Surface

extension MessagesErrorType {
  /// The class that any provider names so within a stream; nil: a name that none of them is known to give.
  init?(failure name: String) {
    switch name.lowercased() {
    case "invalid_request_error", "invalid_argument", "failed_precondition", "out_of_range",
      "invalid_prompt", "bad_request", "context_length_exceeded":
      self = .invalidRequest
    case "authentication_error", "unauthenticated", "invalid_api_key": self = .authentication
    case "billing_error", "insufficient_quota": self = .billing
    case "permission_error", "permission_denied": self = .permission
    case "not_found_error", "not_found", "model_not_found": self = .notFound
    case "conflict_error", "aborted", "already_exists": self = .conflict
    case "request_too_large": self = .requestTooLarge
    case "rate_limit_error", "rate_limit_exceeded", "resource_exhausted", "requests", "tokens":
      self = .rateLimit
    case "timeout_error", "deadline_exceeded", "timeout": self = .timeout
    case "api_error", "server_error", "internal", "internal_error": self = .apiError
    case "overloaded_error", "overloaded", "unavailable", "server_is_overloaded",
      "service_unavailable", "engine_overloaded", "slow_down":
      self = .overloaded
    case let name:
      // Some give their status for a name.
      guard let status = Int(name), (400...599).contains(status) else { return nil }
      self.init(status: status)
    }
  }

  /// One sentence for a failure of which nothing else may be said.
  var summary: String {
    switch self {
    case .invalidRequest: "The provider found the request invalid."
    case .authentication: "The provider refused the gateway's credential."
    case .billing: "The provider's account has nothing left to spend."
    case .permission: "The provider does not permit this."
    case .notFound: "The provider does not know what was asked for."
    case .conflict: "The provider met a conflict with another request."
    case .requestTooLarge: "The request is too large for the provider."
    case .rateLimit: "The provider limits the account that was answering."
    case .timeout: "The provider took too long."
    case .apiError: "The provider failed while it was answering."
    case .overloaded: "The provider is overloaded."
    }
  }
}

/// The data of an error within a stream: the class alone, in words of our own.
func messagesStreamError(_ failure: StreamFailure) -> JSONValue {
  var type = MessagesErrorType.apiError
  var message = type.summary
  if failure.type == ErrorCode.contextLengthExceeded.rawValue {
    type = .invalidRequest
    message = ErrorShape.anthropic.tooLong()
  } else if let known = MessagesErrorType(failure: failure.type) {
    type = known
    message = known.summary
  } else if let code = ErrorCode(rawValue: failure.type) {
    // What the gateway itself says: that the answer broke off, or that it is shutting down.
    type = MessagesErrorType(status: code.status)
    message = code.summary
  }
  return ["type": .string(type.rawValue), "message": .string(message)]
}

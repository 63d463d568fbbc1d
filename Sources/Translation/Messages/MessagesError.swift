public import Surface

/// The classes of Anthropic's errors, as its SDKs tell them apart.
public enum MessagesErrorType: String, Sendable, Hashable, CaseIterable {
  case invalidRequest = "invalid_request_error"
  case authentication = "authentication_error"
  case billing = "billing_error"
  case permission = "permission_error"
  case notFound = "not_found_error"
  case conflict = "conflict_error"
  case requestTooLarge = "request_too_large"
  case rateLimit = "rate_limit_error"
  case timeout = "timeout_error"
  case apiError = "api_error"
  case overloaded = "overloaded_error"

  /// The class of a status.
  public init(status: Int) {
    switch status {
    case 401: self = .authentication
    case 402: self = .billing
    case 403: self = .permission
    case 404: self = .notFound
    case 409: self = .conflict
    case 413: self = .requestTooLarge
    case 429: self = .rateLimit
    case 408, 504: self = .timeout
    case 503, 529: self = .overloaded
    case 400..<500: self = .invalidRequest
    default: self = .apiError
    }
  }

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
  if let known = MessagesErrorType(failure: failure.type) {
    type = known
    message = known.summary
  } else if let code = ErrorCode(rawValue: failure.type) {
    // What the gateway itself says: that the answer broke off, or that it is shutting down.
    type = MessagesErrorType(status: code.status)
    message = code.summary
  }
  return ["type": .string(type.rawValue), "message": .string(message)]
}

/// Anthropic's error object: `{"type":"error","error":{"type","message"},"request_id"}`.
///
/// `message` nil: the code's summary. No secret, prompt or upstream text belongs in it.
public func messagesErrorBody(
  code: ErrorCode, message: String? = nil, requestID: String
) -> [UInt8] {
  messagesErrorBody(
    type: MessagesErrorType(status: code.status), message: message ?? code.summary,
    requestID: requestID)
}

/// The same for an error whose class is the provider's.
public func messagesErrorBody(
  type: MessagesErrorType, message: String, requestID: String
) -> [UInt8] {
  var writer = JSONWriter()
  writer.object { writer in
    writer.member("type", "error")
    writer.name("error")
    writer.object { writer in
      writer.member("type", type.rawValue)
      writer.member("message", message)
    }
    writer.member("request_id", requestID)
  }
  return writer.bytes
}

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
}

/// Anthropic's error object: `{"type":"error","error":{"type","message","details"},"request_id"}`.
///
/// The class follows from the status. `details` hold the catalogue's code, the field and what else is known.
/// `message` nil: the code's summary. No secret, prompt or upstream text belongs in any of them.
public func messagesErrorBody(
  code: ErrorCode, status: Int? = nil, message: String? = nil, requestID: String,
  field: String? = nil, details: [JSONValue.Member] = []
) -> [UInt8] {
  var members: [JSONValue.Member] = [.init("error_code", .string(code.rawValue))]
  if let field, !field.isEmpty { members.append(.init("param", .string(field))) }
  return messagesErrorBody(
    type: MessagesErrorType(status: status ?? code.status), message: message ?? code.summary,
    requestID: requestID, details: .object(members + details))
}

/// The same for an error whose class is the provider's.
public func messagesErrorBody(
  type: MessagesErrorType, message: String, requestID: String, details: JSONValue? = nil
) -> [UInt8] {
  var writer = JSONWriter()
  writer.object { writer in
    writer.member("type", "error")
    writer.name("error")
    writer.object { writer in
      writer.member("type", type.rawValue)
      writer.member("message", message)
      if let details { writer.member("details", details) }
    }
    writer.member("request_id", requestID)
  }
  return writer.bytes
}

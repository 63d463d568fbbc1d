import Surface

/// An error within a stream, of which only the class is repeated.
///
/// Google's SDKs know it by `error` being the first member, and take its `code` for the HTTP status.
func googleErrorBody(_ failure: StreamFailure) -> [UInt8] {
  let status = httpStatus(of: failure.type)
  // The gateway's own reasons have words of their own.
  let isTooLong = failure.type == ErrorCode.contextLengthExceeded.rawValue
  let own = isTooLong ? nil : ErrorCode(rawValue: failure.type)?.summary
  let message =
    switch status {
    case _ where isTooLong:
      ErrorShape.google.tooLong()
    case 429: "The model's provider ran into a rate limit while it answered."
    case 503: "The model's provider was overloaded while it answered."
    case 504: "The model's provider took too long to answer."
    case _: "The model's provider reported an error while it answered."
    }
  return googleErrorBody(status: status, message: own ?? message)
}

/// The HTTP status that belongs to any provider's name for a class of errors; 500: a name that is not known.
private func httpStatus(of type: String) -> Int {
  switch type {
  case "invalid_request_error", "INVALID_ARGUMENT", "FAILED_PRECONDITION", "OUT_OF_RANGE": 400
  case "authentication_error", "UNAUTHENTICATED": 401
  case "billing_error": 402
  case "permission_error", "PERMISSION_DENIED": 403
  case "not_found_error", "NOT_FOUND": 404
  case "ABORTED", "ALREADY_EXISTS": 409
  case "request_too_large": 413
  case "rate_limit_error", "rate_limit_exceeded", "insufficient_quota", "tokens", "requests",
    "RESOURCE_EXHAUSTED":
    429
  case "CANCELLED": 499
  case "UNIMPLEMENTED": 501
  case "overloaded_error", "overloaded", "slow_down", "service_unavailable", "UNAVAILABLE": 503
  case "timeout_error", "timeout", "DEADLINE_EXCEEDED": 504
  // What the gateway itself says: that the answer broke off, or that it is shutting down.
  case _: ErrorCode(rawValue: type)?.status ?? 500
  }
}

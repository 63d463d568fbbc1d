public import Surface

/// Google's error object: `{"error":{"code","message","status","details":[…]}}`.
///
/// `code` repeats the HTTP status, `status` is Google's name for it, the details hold the catalogue's code, the
/// request's id and the field. `message` nil: the code's summary. No secret, prompt or upstream text belongs in it.
public func googleErrorBody(
  code: ErrorCode, message: String? = nil, requestID: String, field: String? = nil,
  details: [JSONValue.Member] = []
) -> [UInt8] {
  var information: [JSONValue] = [
    [
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      "reason": .string(code.rawValue.uppercased()), "domain": "signalbox",
      "metadata": .object(details.map { .init($0.name, .string(text(of: $0.value))) }),
    ],
    ["@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": .string(requestID)],
  ]
  if let field, !field.isEmpty {
    information.append([
      "@type": "type.googleapis.com/google.rpc.BadRequest",
      "fieldViolations": [
        ["field": .string(field), "description": .string(message ?? code.summary)]
      ],
    ])
  }
  return errorBody(
    code.status, message ?? code.summary, googleStatus(ofHTTP: code.status), information)
}

/// Google's name for the class of an HTTP status.
public func googleStatus(ofHTTP status: Int) -> String {
  switch status {
  case 401: "UNAUTHENTICATED"
  case 402, 412: "FAILED_PRECONDITION"
  case 403: "PERMISSION_DENIED"
  case 404: "NOT_FOUND"
  case 409: "ABORTED"
  case 429: "RESOURCE_EXHAUSTED"
  case 499: "CANCELLED"
  case 400..<500: "INVALID_ARGUMENT"
  case 501: "UNIMPLEMENTED"
  case 502, 503, 529: "UNAVAILABLE"
  case 504: "DEADLINE_EXCEEDED"
  case _: "INTERNAL"
  }
}

/// An error within a stream, of which only the class is repeated.
///
/// Google's SDKs know it by `error` being the first member, and take its `code` for the HTTP status.
func googleErrorBody(_ failure: StreamFailure) -> [UInt8] {
  let status = httpStatus(of: failure.type)
  let message =
    switch status {
    case 429: "The model's provider ran into a rate limit while it answered."
    case 503: "The model's provider was overloaded while it answered."
    case 504: "The model's provider took too long to answer."
    case _: "The model's provider reported an error while it answered."
    }
  return errorBody(status, message, googleStatus(ofHTTP: status), [])
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
  case _: 500
  }
}

/// Google's metadata are texts.
private func text(of value: JSONValue) -> String {
  value.string ?? String(decoding: value.bytes, as: UTF8.self)
}

private func errorBody(
  _ code: Int, _ message: String, _ status: String, _ details: [JSONValue]
) -> [UInt8] {
  var error: [JSONValue.Member] = [
    .init("code", JSONValue(code)), .init("message", .string(message)),
    .init("status", .string(status)),
  ]
  if !details.isEmpty { error.append(.init("details", .array(details))) }
  return JSONValue.object([.init("error", .object(error))]).bytes
}

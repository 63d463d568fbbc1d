/// Google's error object: `{"error":{"code","message","status","details":[…]}}`.
///
/// `code` repeats the HTTP status, `status` is Google's name for it, the details hold the catalogue's code, the
/// request's id, the field and the seconds of `Retry-After`. `message` nil: the code's summary. No secret, prompt or upstream text belongs in it.
public func googleErrorBody(
  code: ErrorCode, status: Int? = nil, message: String? = nil, requestID: String,
  field: String? = nil, retryAfter: Int? = nil, details: [JSONValue.Member] = []
) -> [UInt8] {
  var information: [JSONValue] = [
    [
      "@type": "type.googleapis.com/google.rpc.ErrorInfo",
      "reason": .string(code.rawValue.uppercased()), "domain": "signalbox",
      "metadata": .object(details.map { .init($0.name, .string(text(of: $0.value))) }),
    ],
    ["@type": "type.googleapis.com/google.rpc.RequestInfo", "requestId": .string(requestID)],
  ]
  if let retryAfter {
    information.append([
      "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": .string("\(retryAfter)s"),
    ])
  }
  if let field, !field.isEmpty {
    information.append([
      "@type": "type.googleapis.com/google.rpc.BadRequest",
      "fieldViolations": [
        ["field": .string(field), "description": .string(message ?? code.summary)]
      ],
    ])
  }
  return googleErrorBody(
    status: status ?? code.status, message: message ?? code.summary, details: information)
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

/// Google's metadata are texts.
private func text(of value: JSONValue) -> String {
  value.string ?? String(decoding: value.bytes, as: UTF8.self)
}

/// The same for an HTTP status alone; its only member is `error`, as Google's SDKs want an error within a stream.
public func googleErrorBody(
  status: Int, message: String, details: [JSONValue] = []
) -> [UInt8] {
  var error: [JSONValue.Member] = [
    .init("code", JSONValue(status)), .init("message", .string(message)),
    .init("status", .string(googleStatus(ofHTTP: status))),
  ]
  if !details.isEmpty { error.append(.init("details", .array(details))) }
  return JSONValue.object([.init("error", .object(error))]).bytes
}

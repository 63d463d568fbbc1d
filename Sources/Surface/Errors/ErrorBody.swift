/// OpenAI's error object: `{"error":{"message","type","param","code",…}}`, all four always there.
///
/// The type is the code's; where `status` is another than the code's, that status'. `message` nil: the code's summary.
/// `param` is the field's name, else null. `details` come last, in order. No secret, prompt or upstream text belongs in
/// any of them.
public func openAIErrorBody(
  code: ErrorCode, status: Int? = nil, message: String? = nil, param: String? = nil,
  details: [JSONValue.Member] = []
) -> [UInt8] {
  let status = status ?? code.status
  var writer = JSONWriter()
  writer.object { writer in
    writer.name("error")
    writer.object { writer in
      writer.member("message", message ?? code.summary)
      writer.member(
        "type", status == code.status ? code.openAIType : openAIErrorType(ofHTTP: status))
      writer.member("param", param)
      writer.member("code", code.rawValue)
      for detail in details { writer.member(detail.name, detail.value) }
    }
  }
  return writer.bytes
}

/// OpenAI's name for the class of an HTTP status.
public func openAIErrorType(ofHTTP status: Int) -> String {
  switch status {
  case 401: "authentication_error"
  case 402: "billing_error"
  case 403: "permission_error"
  case 409: "conflict_error"
  case 429: "rate_limit_error"
  case 400..<500: "invalid_request_error"
  case _: "server_error"
  }
}

/// Administration's error object: `{"error":{"code","message","requestId","field"?,"remedy",…}}`.
///
/// `message` and `remedy` nil: the catalogue's. `details` come last, in order; their names must not
/// repeat the others.
public func adminErrorBody(
  code: ErrorCode, message: String? = nil, requestID: String, field: String? = nil,
  remedy: String? = nil, details: [JSONValue.Member] = []
) -> [UInt8] {
  var writer = JSONWriter()
  writer.object { writer in
    writer.name("error")
    writer.object { writer in
      writer.member("code", code.rawValue)
      writer.member("message", message ?? code.summary)
      writer.member("requestId", requestID)
      if let field, !field.isEmpty { writer.member("field", field) }
      writer.member("remedy", remedy ?? code.remedy)
      for detail in details { writer.member(detail.name, detail.value) }
    }
  }
  return writer.bytes
}

/// API Router's error object: `{"error":message,"code","requestId","field"?,"remedy",…}`.
///
/// `message` and `remedy` nil: the catalogue's. `details` come last, in order.
public func routerErrorBody(
  code: ErrorCode, message: String? = nil, requestID: String, field: String? = nil,
  remedy: String? = nil, details: [JSONValue.Member] = []
) -> [UInt8] {
  var writer = JSONWriter()
  writer.object { writer in
    writer.member("error", message ?? code.summary)
    writer.member("code", code.rawValue)
    writer.member("requestId", requestID)
    if let field, !field.isEmpty { writer.member("field", field) }
    writer.member("remedy", remedy ?? code.remedy)
    for detail in details { writer.member(detail.name, detail.value) }
  }
  return writer.bytes
}

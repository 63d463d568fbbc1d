/// OpenAI's error object: `{"error":{"message","type","param","code",…}}`, all four always there.
///
/// `message` nil: the code's summary. `param` is the field's name, else null. `details` come last, in
/// order. No secret, prompt or upstream text belongs in any of them.
public func openAIErrorBody(
  code: ErrorCode, message: String? = nil, param: String? = nil,
  details: [JSONValue.Member] = []
) -> [UInt8] {
  var writer = JSONWriter()
  writer.object { writer in
    writer.name("error")
    writer.object { writer in
      writer.member("message", message ?? code.summary)
      writer.member("type", code.openAIType)
      writer.member("param", param)
      writer.member("code", code.rawValue)
      for detail in details { writer.member(detail.name, detail.value) }
    }
  }
  return writer.bytes
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

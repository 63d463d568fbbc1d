import Surface

/// An error within a stream as OpenAI's SDKs raise it: the provider's class of it, in words of our own.
func chatStreamError(_ failure: StreamFailure) -> [UInt8] {
  if let code = ErrorCode(rawValue: failure.type) { return openAIErrorBody(code: code) }
  var writer = JSONWriter()
  writer.object { writer in
    writer.name("error")
    writer.object { writer in
      writer.member("message", "The provider reported an error instead of the rest of its answer.")
      writer.member("type", openAIType(of: failure.type))
      writer.member("param", nil as String?)
      writer.member("code", isName(failure.type) ? failure.type : "upstream_error")
    }
  }
  return writer.bytes
}

/// OpenAI's word for the class that the other protocols name in theirs.
func openAIType(of type: String) -> String {
  let name = type.lowercased()
  let classes: [(type: String, names: [String])] = [
    ("rate_limit_error", ["rate_limit", "resource_exhausted", "too_many_requests", "429"]),
    ("insufficient_quota", ["insufficient_quota", "billing"]),
    ("authentication_error", ["authenticat", "invalid_api_key", "401"]),
    ("permission_error", ["permission", "403"]),
    (
      "invalid_request_error",
      ["invalid_request", "invalid_argument", "failed_precondition", "400"]
    ),
    ("not_found_error", ["not_found", "404"]),
  ]
  return classes.first { $0.names.contains { name.contains($0) } }?.type ?? "server_error"
}

/// A class's name, and no sentence of the provider's.
private func isName(_ text: String) -> Bool {
  (1...64).contains(text.utf8.count)
    && text.unicodeScalars.allSatisfy {
      $0.isASCII
        && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || ["_", "-", "."].contains($0))
    }
}

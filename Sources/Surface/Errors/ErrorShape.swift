/// Which clients read a path's errors, and so what these look like.
public enum ErrorShape: String, Sendable, Hashable, CaseIterable {
  /// `{"error":{"code","message","requestId","field"?,"remedy",…}}`.
  case administration = "AdminError"
  /// `{"error","code","requestId","field"?,"remedy",…}`: API Router's, with more.
  case apiRouter = "RouterError"
  /// `{"error":{"message","type","param","code"}}`.
  case openAI = "OpenAIError"
  /// `{"type":"error","error":{"type","message","details"},"request_id"}`.
  case anthropic = "AnthropicError"
  /// `{"error":{"code","message","status","details"}}`.
  case google = "GoogleError"

  /// The shape that belongs to a path, known or not.
  public init(path: some StringProtocol) {
    let known = path.hasPrefix("/api/v1") ? path.dropFirst(4) : path[...]
    let routers = ["/v1/audit/", "/v1/admin/", "/v1/status/", "/v1/metrics/"]
    if routers.contains(where: { path.hasPrefix($0) }) || known == "/v1/inference" {
      self = .apiRouter
    } else if known == "/v1/messages" || known.hasPrefix("/v1/messages/") {
      self = .anthropic
    } else if known.hasPrefix("/v1beta/") || Self.isGeminiCall(known) {
      self = .google
    } else if known.hasPrefix("/v1/") {
      self = .openAI
    } else {
      self = .administration
    }
  }

  /// A method of Google's stands behind the last colon; names of models have colons too.
  private static func isGeminiCall(_ path: some StringProtocol) -> Bool {
    guard path.hasPrefix("/v1/models/"), let path = percentDecoded(path.utf8),
      let colon = path.lastIndex(of: ":")
    else { return false }
    return [
      "generateContent", "streamGenerateContent", "countTokens", "embedContent",
      "batchEmbedContents",
    ].contains { path[path.index(after: colon)...] == $0 }
  }

  /// That a prompt is too long, so that clients which shorten it themselves know what to do; `words`: the provider's.
  ///
  /// Clients of OpenAI's protocols look at the code, those of the others for a phrase.
  public func tooLong(_ words: String? = nil) -> String {
    let phrase: String
    switch self {
    case .anthropic: phrase = "prompt is too long"
    case .google: phrase = "The input token count exceeds the maximum number of tokens allowed"
    case .administration, .apiRouter, .openAI:
      return words ?? ErrorCode.contextLengthExceeded.summary
    }
    guard let words else { return phrase + "." }
    return words.contains(phrase) ? words : "\(phrase): \(words)"
  }

  /// An error's body in this shape; what the shape has no place for is left out.
  ///
  /// `status` nil: the code's. `message` and `remedy` nil: the catalogue's. `retryAfter`: the seconds of the header, which
  /// Google's and the API Router's clients look for in the body. No secret and no prompt belongs in any
  /// of them, and upstream's words only where they tell what is wrong with the request.
  public func body(
    _ code: ErrorCode, status: Int? = nil, message: String? = nil, requestID: String,
    field: String? = nil, remedy: String? = nil, retryAfter: Int? = nil,
    details: [JSONValue.Member] = []
  ) -> [UInt8] {
    switch self {
    case .administration:
      adminErrorBody(
        code: code, message: message, requestID: requestID, field: field, remedy: remedy,
        details: details)
    case .apiRouter:
      routerErrorBody(
        code: code, message: message, requestID: requestID, field: field, remedy: remedy,
        details: details + Self.wait(retryAfter, unlessIn: details))
    case .openAI:
      openAIErrorBody(
        code: code, status: status, message: message, param: field, details: details)
    case .anthropic:
      messagesErrorBody(
        code: code, status: status, message: message, requestID: requestID, field: field,
        details: details)
    case .google:
      googleErrorBody(
        code: code, status: status, message: message, requestID: requestID, field: field,
        retryAfter: retryAfter, details: details)
    }
  }

  private static func wait(
    _ seconds: Int?, unlessIn details: [JSONValue.Member]
  ) -> [JSONValue.Member] {
    let name = "retry_after_seconds"
    guard let seconds, !details.contains(where: { $0.name == name }) else { return [] }
    return [.init(name, JSONValue(seconds))]
  }
}

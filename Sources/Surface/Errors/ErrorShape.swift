/// Which clients read a path's errors, and so what these look like.
public enum ErrorShape: String, Sendable, Hashable, CaseIterable {
  /// `{"error":{"code","message","requestId","field"?,"remedy",…}}`.
  case administration = "AdminError"
  /// `{"error","code","requestId","field"?,"remedy",…}`: API Router's, with more.
  case apiRouter = "RouterError"
  /// `{"error":{"message","type","param","code"}}`.
  case openAI = "OpenAIError"

  /// The shape that belongs to a path, known or not.
  public init(path: some StringProtocol) {
    let routers = ["/v1/audit/", "/v1/admin/", "/v1/status/", "/v1/metrics/"]
    if routers.contains(where: { path.hasPrefix($0) }) {
      self = .apiRouter
    } else if path.hasPrefix("/v1/") || path.hasPrefix("/api/v1/") {
      self = .openAI
    } else {
      self = .administration
    }
  }

  /// An error's body in this shape; what the shape has no place for is left out.
  ///
  /// `message` and `remedy` nil: the catalogue's. No secret, prompt or upstream text belongs in any of them.
  public func body(
    _ code: ErrorCode, message: String? = nil, requestID: String, field: String? = nil,
    remedy: String? = nil, details: [JSONValue.Member] = []
  ) -> [UInt8] {
    switch self {
    case .administration:
      adminErrorBody(
        code: code, message: message, requestID: requestID, field: field, remedy: remedy,
        details: details)
    case .apiRouter:
      routerErrorBody(
        code: code, message: message, requestID: requestID, field: field, remedy: remedy,
        details: details)
    case .openAI: openAIErrorBody(code: code, message: message, param: field)
    }
  }
}

/// What came of presenting a refresh token.
public enum RefreshOutcome: Sendable, Hashable {
  /// A new access token, and perhaps a new refresh token.
  case succeeded(fingerprint: Fingerprint, expiresAt: UnixNanoseconds?)
  /// The provider takes this refresh token no more.
  case rejected(code: String)
  /// Anything else.
  ///
  /// - Parameter isUnknown: the provider may have taken the refresh token all the same.
  case failed(code: String, isUnknown: Bool, retryAfterSeconds: UInt32?)

  /// The outcome of a call that brought no new token.
  ///
  /// Whatever is not known for certain to be a refusal of the refresh token leaves it in force.
  public init(_ facts: RefreshCallFacts) {
    switch facts {
    case .notSent(let code):
      self = .failed(code: code, isUnknown: false, retryAfterSeconds: nil)
    case .noAnswer(let code):
      self = .failed(code: code, isUnknown: true, retryAfterSeconds: nil)
    case .answered(let status, let error, let retryAfter):
      let known = error.flatMap { Self.codes.contains($0) ? $0 : nil }
      if let known, Self.refusals.contains(known) {
        self = .rejected(code: known)
        return
      }
      switch status {
      case 200..<300:
        // Something was done, and its result cannot be read.
        self =
          known.map { .failed(code: $0, isUnknown: false, retryAfterSeconds: retryAfter) }
          ?? .failed(code: "unreadable_answer", isUnknown: true, retryAfterSeconds: nil)
      case 502, 504:
        // A gateway's word; the provider behind it may have gone on.
        self = .failed(
          code: "status_\(status)", isUnknown: true, retryAfterSeconds: retryAfter)
      case _:
        self = .failed(
          code: known ?? "status_\(status)", isUnknown: false, retryAfterSeconds: retryAfter)
      }
    }
  }

  /// Codes by which providers say that a refresh token is good no more.
  private static let refusals: Set<String> = [
    "invalid_grant", "refresh_token_reused", "refresh_token_expired", "refresh_token_invalidated",
    "refresh_token_revoked", "token_revoked", "bad_refresh_token", "InvalidGrantException",
    "ExpiredTokenException",
  ]

  /// Codes that are told on; a provider's other words are not ours to repeat.
  private static let codes: Set<String> = refusals.union([
    "invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type",
    "invalid_scope", "access_denied", "slow_down", "authorization_pending", "server_error",
    "temporarily_unavailable", "rate_limit_exceeded", "incorrect_client_credentials",
  ])
}

/// What a refresh call that brought no new token is known by.
public enum RefreshCallFacts: Sendable, Hashable {
  /// It never reached the provider.
  case notSent(code: String)
  /// It was sent, at least in part, and no whole answer came.
  case noAnswer(code: String)
  /// An answer without a token.
  ///
  /// - Parameter error: the code that it gives, as it stands there.
  case answered(status: UInt16, error: String?, retryAfterSeconds: UInt32?)
}

extension Credential {
  /// How long to wait after failures in a row: half a minute, doubled each time, at most half an hour; what the
  /// provider asks for, up to six hours, if that is longer.
  static func wait(afterFailures failures: UInt32, retryAfterSeconds: UInt32?) -> Int64 {
    let doubled: Int64 = 30 << Int64(min(max(failures, 1) - 1, 6))
    let own = min(doubled, 1_800)
    let asked = Int64(min(retryAfterSeconds ?? 0, 21_600))
    return max(own, asked) * 1_000_000_000
  }
}

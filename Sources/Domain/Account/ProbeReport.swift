/// What one call to an account, made to learn about it, found.
public struct ProbeReport: Sendable, Hashable {
  /// Upstream's HTTP status; nil: there was no answer.
  public var status: UInt16?
  /// Whose fault it is; nil if the account is valid.
  public var errorClass: ErrorClass?
  /// Stable short code such as `status_401`, never upstream's text; nil if the account is valid.
  public var errorCode: String?
  /// From the start of the call to the end of its answer.
  public var microseconds: UInt64

  /// The account answered as its protocol says.
  public var isValid: Bool { errorCode == nil }
  /// Upstream answered 429: that says nothing of the credential.
  public var isRateLimited: Bool { errorCode == Self.rateLimited }

  /// The code of an answer with status 429.
  public static let rateLimited = "rate_limited"

  /// A finding.
  public init(
    status: UInt16?, errorClass: ErrorClass?, errorCode: String?, microseconds: UInt64
  ) {
    self.status = status
    self.errorClass = errorClass
    self.errorCode = errorCode
    self.microseconds = microseconds
  }
}

/// What asking an account for its models found.
public struct ModelListReport: Sendable, Hashable {
  /// How the call went.
  public var probe: ProbeReport
  /// Names that can be asked for, sorted, none twice, at most 2,000; empty unless the call was good.
  public var models: [String]
  /// Entries left out: names beyond the bounds of a model's name, or beyond the first 2,000.
  public var skipped: Int

  /// A finding.
  public init(probe: ProbeReport, models: [String] = [], skipped: Int = 0) {
    self.probe = probe
    self.models = models
    self.skipped = skipped
  }
}

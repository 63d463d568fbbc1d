/// How long a rule's cooldowns last and what begins one; all in nanoseconds.
public struct CooldownTerms: Sendable, Hashable {
  /// The first one's length; each further one in a row is twice as long.
  public var base: Int64
  /// No cooldown of this rule is longer, whatever its level.
  public var ceiling: Int64
  /// A provider's own reset time is honoured up to here; what it says beyond, a half-open probe finds out.
  public var hintCeiling: Int64
  /// Failures in a row that begin one, where no policy says otherwise.
  public var threshold: UInt32
  /// A provider that names a time is believed at the first failure.
  public var hintBeginsAtOnce: Bool

  private static let second: Int64 = 1_000_000_000

  /// In seconds.
  private init(
    base: Int64, ceiling: Int64, hintCeiling: Int64 = 0, threshold: UInt32 = 1,
    hintBeginsAtOnce: Bool = false
  ) {
    self.base = base * Self.second
    self.ceiling = ceiling * Self.second
    self.hintCeiling = hintCeiling * Self.second
    self.threshold = threshold
    self.hintBeginsAtOnce = hintBeginsAtOnce
  }

  /// No cooldown that a report begins is longer than this.
  public static let longest: Int64 = 3_600 * second

  /// What the whole table of cooldowns says of a rule; nil: it never cools anything.
  public static func of(_ rule: FailureRule) -> CooldownTerms? {
    switch rule {
    case .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
      .beyondLimit, .providerConflict, .gatewayError, .clientGone:
      nil
    case .rateLimited:
      CooldownTerms(base: 1, ceiling: 900, hintCeiling: 3_600, hintBeginsAtOnce: true)
    case .quotaExhausted:
      CooldownTerms(base: 300, ceiling: 3_600, hintCeiling: 3_600, hintBeginsAtOnce: true)
    case .paymentRequired, .unauthorized, .accountDeactivated, .regionBlocked:
      CooldownTerms(base: 1_800, ceiling: 1_800)
    // Some guard before the provider may have refused the request, not the account.
    case .forbidden: CooldownTerms(base: 10, ceiling: 1_800)
    case .modelNotFound, .modelForbidden, .modelUnsupported: CooldownTerms(base: 30, ceiling: 600)
    case .overloaded, .modelOverloaded:
      CooldownTerms(
        base: 10, ceiling: 120, hintCeiling: 300, threshold: 3, hintBeginsAtOnce: true)
    case .providerError, .challenged:
      CooldownTerms(base: 10, ceiling: 120, hintCeiling: 300, threshold: 3)
    case .providerTimeout, .redirected, .endpointNotFound, .badAnswer, .networkError:
      CooldownTerms(base: 10, ceiling: 120, threshold: 3)
    }
  }

  /// How long a cooldown is that follows `level` others in a row.
  ///
  /// - Parameter hint: how long the provider says that it takes; nil: it does not.
  public func length(level: UInt32, hint: Int64?) -> Int64 {
    if let hint, hintCeiling > 0 {
      // Less than a second would be over before the routing view shows it.
      return min(max(hint, Self.second), hintCeiling)
    }
    // Beyond 20 doublings every ceiling is reached.
    let doubled = base.multipliedReportingOverflow(by: 1 << Int64(min(level, 20)))
    return doubled.overflow ? ceiling : min(doubled.partialValue, ceiling)
  }
}

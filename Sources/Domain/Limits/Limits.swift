/// Rates and concurrency of a key or an organisation; 0 in a field: no limit.
public struct Limits: Sendable, Hashable {
  /// Requests a second, on average: 0…1,000,000.
  public var requestsPerSecond: UInt32
  /// Requests at once after a quiet time: 0…1,000,000; 0: as many as a second's.
  public var burst: UInt32
  /// Requests a minute: 0…10,000,000.
  public var requestsPerMinute: UInt32
  /// Tokens a minute: 0…10^12.
  public var tokensPerMinute: UInt64
  /// Requests under way at the same time: 0…100,000.
  public var concurrency: UInt32

  /// Made of its parts; what is left out has no limit.
  public init(
    requestsPerSecond: UInt32 = 0, burst: UInt32 = 0, requestsPerMinute: UInt32 = 0,
    tokensPerMinute: UInt64 = 0, concurrency: UInt32 = 0
  ) {
    self.requestsPerSecond = requestsPerSecond
    self.burst = burst
    self.requestsPerMinute = requestsPerMinute
    self.tokensPerMinute = tokensPerMinute
    self.concurrency = concurrency
  }

  /// No limit at all.
  public static let none = Limits()

  func check() throws(Refusal) {
    try Bounds.within(requestsPerSecond, 0...1_000_000, "limits.rps")
    try Bounds.within(burst, 0...1_000_000, "limits.burst")
    try Bounds.within(requestsPerMinute, 0...10_000_000, "limits.rpm")
    try Bounds.within(tokensPerMinute, 0...1_000_000_000_000, "limits.tpm")
    try Bounds.within(concurrency, 0...100_000, "limits.concurrency")
    if burst > 0, requestsPerSecond == 0 {
      throw .invalid(
        "limits.burst", String(burst), "a burst says nothing without a rate",
        remedy: "Set limits.rps as well.")
    }
  }
}

/// What may be spent in a period; at least one of the two amounts is there.
public struct Budget: Sendable, Hashable {
  /// Over which time the amounts hold.
  public var period: Period
  /// Where the period begins at midnight: `UTC`, or a fixed offset such as `+02:00`.
  public var timezone: String
  /// In millionths of a US dollar: 1…10^15.
  public var microUSD: UInt64?
  /// Input and output together: 1…10^15.
  public var tokens: UInt64?

  /// Made of its parts.
  public init(period: Period, timezone: String = "UTC", microUSD: UInt64?, tokens: UInt64?) {
    self.period = period
    self.timezone = timezone
    self.microUSD = microUSD
    self.tokens = tokens
  }

  /// Over which time a budget holds.
  public enum Period: UInt8, Sendable, Hashable, CaseIterable {
    case day = 1
    case month = 2

    /// As written in configuration and answers.
    public var name: String {
      switch self {
      case .day: "day"
      case .month: "month"
      }
    }
  }

  /// A list of them: each in its bounds, and one a period.
  static func check(_ budgets: [Budget]) throws(Refusal) {
    var seen: Set<Period> = []
    for budget in budgets {
      guard seen.insert(budget.period).inserted else {
        throw .invalid(
          "budgets.period", budget.period.name, "there is one budget a period at most")
      }
      guard isTimezone(budget.timezone) else {
        throw .invalid(
          "budgets.timezone", budget.timezone,
          "budgets.timezone must be UTC or a fixed offset such as +02:00")
      }
      guard budget.microUSD != nil || budget.tokens != nil else {
        throw .invalid(
          "budgets", budget.period.name, "a budget limits usd, tokens or both",
          remedy: "Give one of the two amounts.")
      }
      if let amount = budget.microUSD {
        try Bounds.within(amount, 1...1_000_000_000_000_000, "budgets.usd (in millionths)")
      }
      if let amount = budget.tokens {
        try Bounds.within(amount, 1...1_000_000_000_000_000, "budgets.tokens")
      }
    }
  }

  /// `UTC` or `±hh:mm` up to 14 hours; rules of summer time would make replay hang on a table of this machine.
  public static func isTimezone(_ text: String) -> Bool {
    if text == "UTC" { return true }
    let bytes = Array(text.utf8)
    guard bytes.count == 6, bytes[0] == 0x2B || bytes[0] == 0x2D, bytes[3] == 0x3A else {
      return false
    }
    let digits = [1, 2, 4, 5].map { Int(bytes[$0]) - 0x30 }
    guard digits.allSatisfy({ 0...9 ~= $0 }) else { return false }
    let hours = digits[0] * 10 + digits[1]
    let minutes = digits[2] * 10 + digits[3]
    return minutes < 60 && hours * 60 + minutes <= 14 * 60
  }
}

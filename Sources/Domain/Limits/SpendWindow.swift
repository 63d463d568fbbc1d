/// Money and tokens.
public struct Spend: Sendable, Hashable {
  /// In millionths of a US dollar.
  public var microUSD: UInt64
  /// Input and output together.
  public var tokens: UInt64

  /// Made of its parts.
  public init(microUSD: UInt64 = 0, tokens: UInt64 = 0) {
    self.microUSD = microUSD
    self.tokens = tokens
  }

  /// Nothing at all.
  public static let zero = Spend()

  /// Both parts added; neither goes beyond what a number holds.
  public static func + (a: Self, b: Self) -> Self {
    Spend(
      microUSD: a.microUSD.addingSaturated(b.microUSD), tokens: a.tokens.addingSaturated(b.tokens))
  }

  /// Both parts subtracted; neither goes below 0.
  public static func - (a: Self, b: Self) -> Self {
    Spend(
      microUSD: a.microUSD - min(a.microUSD, b.microUSD), tokens: a.tokens - min(a.tokens, b.tokens)
    )
  }

  /// Adds, within what a number holds.
  public static func += (a: inout Self, b: Self) { a = a + b }
}

extension UInt64 {
  /// The sum, or the greatest number if it is greater.
  func addingSaturated(_ other: UInt64) -> UInt64 {
    let (sum, isOver) = addingReportingOverflow(other)
    return isOver ? .max : sum
  }
}

/// What was spent in one day or month.
///
/// It only rolls forward: what belongs to an earlier window is no longer counted, and so the order in
/// which spends come makes no difference. A window keeps the ends it began with: another timezone holds
/// from the next one on, and nothing that is used is forgotten.
public struct SpendWindow: Sendable, Hashable {
  /// The first instant that belongs to it.
  public var start: UnixNanoseconds
  /// The first instant that does not.
  public var end: UnixNanoseconds
  /// What was spent by requests received in it.
  public var used: Spend

  /// Made of its parts.
  public init(start: UnixNanoseconds, end: UnixNanoseconds, used: Spend) {
    self.start = start
    self.end = end
    self.used = used
  }

  /// The empty window around an instant.
  ///
  /// - Parameter offsetSeconds: How far its timezone is east of UTC.
  public init(_ period: Budget.Period, around time: UnixNanoseconds, offsetSeconds: Int64) {
    let seconds = floorDivide(time.rawValue, by: 1_000_000_000).quotient + offsetSeconds
    let day = floorDivide(seconds, by: 86_400).quotient
    let bounds: (first: Int64, next: Int64)
    switch period {
    case .day: bounds = (day, day + 1)
    case .month: bounds = CivilDate(daysSinceEpoch: day).monthBounds
    }
    func instant(_ day: Int64) -> UnixNanoseconds {
      let (value, isOver) = (day * 86_400 - offsetSeconds).multipliedReportingOverflow(
        by: 1_000_000_000)
      return UnixNanoseconds(isOver ? (day < 0 ? .min : .max) : value)
    }
    self.init(start: instant(bounds.first), end: instant(bounds.next), used: .zero)
  }

  /// What is spent in the window that `now` is in: nothing, if this one is over.
  public func used(at now: UnixNanoseconds) -> Spend { now < end ? used : .zero }

  /// The window that `time` belongs to: this one or the next with something in it; nil: an earlier one.
  func rolled(
    to time: UnixNanoseconds, _ period: Budget.Period, offsetSeconds: Int64
  ) -> SpendWindow? {
    if time < start { return nil }
    if time < end { return self }
    var next = SpendWindow(period, around: time, offsetSeconds: offsetSeconds)
    // After a change of timezone the two could overlap: an instant belongs to one of them.
    next.start = max(next.start, end)
    return next
  }
}

extension CivilDate {
  /// The first day of the month and of the next one, in days since the epoch.
  fileprivate var monthBounds: (first: Int64, next: Int64) {
    var first = self
    first.day = 1
    var next = first
    next.month = month == 12 ? 1 : month + 1
    next.year = month == 12 ? year + 1 : year
    return (first.daysSinceEpoch, next.daysSinceEpoch)
  }
}

extension Budget {
  /// How far a timezone is east of UTC, in seconds; 0 for a text that is none.
  public static func offsetSeconds(ofTimezone text: String) -> Int64 {
    guard text != "UTC", isTimezone(text) else { return 0 }
    let bytes = Array(text.utf8)
    let digits = [1, 2, 4, 5].map { Int64(bytes[$0]) - 0x30 }
    let seconds = (digits[0] * 10 + digits[1]) * 3_600 + (digits[2] * 10 + digits[3]) * 60
    return bytes[0] == UInt8(ascii: "-") ? -seconds : seconds
  }
}

extension [Budget] {
  /// In which zone a period is counted: that of its budget, else UTC.
  public func offsetSeconds(of period: Budget.Period) -> Int64 {
    first { $0.period == period }.map { Budget.offsetSeconds(ofTimezone: $0.timezone) } ?? 0
  }
}

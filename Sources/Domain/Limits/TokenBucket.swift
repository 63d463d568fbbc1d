/// A token bucket in integers: it begins full, and every nanosecond counts, however often it is asked.
///
/// A bucket only remembers; whoever asks says what time it is. The clock is a monotonic one; if it goes
/// back all the same, nothing is added and nothing is taken away.
public struct TokenBucket: Sendable, Hashable {
  /// Tokens that flow in during `periodNanoseconds`: at least 1.
  public private(set) var rate: UInt64
  /// The time in which `rate` tokens flow in.
  public let periodNanoseconds: Int64
  /// Tokens that the full bucket holds: at least 1.
  public private(set) var capacity: UInt64
  /// In parts of a token: `periodNanoseconds` of them are one, and `rate` of them flow in each nanosecond.
  private var level: Int128
  private var time: Int64

  /// A full bucket; a rate or capacity of 0 counts as 1.
  public init(rate: UInt64, periodNanoseconds: Int64, capacity: UInt64, now: Int64) {
    self.rate = max(1, rate)
    self.periodNanoseconds = max(1, periodNanoseconds)
    self.capacity = max(1, capacity)
    level = Int128(self.capacity) * Int128(self.periodNanoseconds)
    time = now
  }

  /// Whole tokens that are there, rounded down; negative while more was charged than there was.
  public func available(at now: Int64) -> Int64 {
    let (whole, rest) = level(at: now).quotientAndRemainder(dividingBy: Int128(periodNanoseconds))
    return Int64(clamping: rest < 0 ? whole - 1 : whole)
  }

  /// Nanoseconds until `count` tokens are there: 0 if they are, `Int64.max` if they never will be.
  public func wait(for count: UInt64, at now: Int64) -> Int64 {
    if count > capacity { return .max }
    return wait(until: Int128(count) * Int128(periodNanoseconds), at: now)
  }

  /// Nanoseconds until there is more than nothing; 0: there is.
  public func waitForAny(at now: Int64) -> Int64 { wait(until: 1, at: now) }

  /// Nanoseconds until the bucket is full.
  public func waitUntilFull(at now: Int64) -> Int64 { wait(until: full, at: now) }

  /// Takes `count` tokens, also those that are not there: whoever must not owe asks `wait` first.
  public mutating func take(_ count: UInt64, at now: Int64) {
    refill(to: now)
    // A debt beyond what any caller could wait for says nothing more.
    level = max(level - Int128(count) * Int128(periodNanoseconds), -(Int128.max >> 8))
  }

  /// Gives back what was taken for nothing.
  public mutating func giveBack(_ count: UInt64, at now: Int64) {
    refill(to: now)
    level = min(full, level + Int128(count) * Int128(periodNanoseconds))
  }

  /// Takes on another rate and capacity: what has been used stays used, but nobody owes what was within
  /// the former limit.
  public mutating func change(rate: UInt64, capacity: UInt64, at now: Int64) {
    refill(to: now)
    let used = full - level
    let debt = min(level, 0)
    self.rate = max(1, rate)
    self.capacity = max(1, capacity)
    level = max(debt, full - used)
  }

  private var full: Int128 { Int128(capacity) * Int128(periodNanoseconds) }

  private func level(at now: Int64) -> Int128 {
    guard now > time else { return level }
    return min(full, level + (Int128(now) - Int128(time)) * Int128(rate))
  }

  private mutating func refill(to now: Int64) {
    level = level(at: now)
    time = max(time, now)
  }

  private func wait(until wanted: Int128, at now: Int64) -> Int64 {
    let missing = wanted - level(at: now)
    guard missing > 0 else { return 0 }
    // A clock that went back has to come this far first.
    let lag = max(0, Int128(time) - Int128(now))
    return Int64(clamping: (missing + Int128(rate) - 1) / Int128(rate) + lag)
  }
}

/// What of a key's or an organisation's rates is used: the state beside its `Limits`.
///
/// Held in memory only; after a start every bucket is full. Asking changes nothing: a request that any
/// rule refuses takes nothing from the others.
public struct RateState: Sendable, Hashable {
  /// The limits in force.
  public private(set) var limits: Limits
  /// Requests that were let in and have not ended.
  public private(set) var underWay: UInt32
  private var second: TokenBucket?
  private var minute: TokenBucket?
  private var tokens: TokenBucket?

  /// Nothing is used yet.
  public init(_ limits: Limits, now: Int64) {
    self.limits = limits
    underWay = 0
    second = Self.bucket(nil, RateRule.requestsPerSecond, limits, now)
    minute = Self.bucket(nil, RateRule.requestsPerMinute, limits, now)
    tokens = Self.bucket(nil, RateRule.tokensPerMinute, limits, now)
  }

  /// Takes on other limits; what is used stays used.
  public mutating func change(to limits: Limits, now: Int64) {
    guard limits != self.limits else { return }
    self.limits = limits
    second = Self.bucket(second, .requestsPerSecond, limits, now)
    minute = Self.bucket(minute, .requestsPerMinute, limits, now)
    tokens = Self.bucket(tokens, .tokensPerMinute, limits, now)
  }

  /// Why no request can be let in at `now`, by the rule that takes longest; nil: one can.
  public func denial(at now: Int64) -> RateDenial? {
    var worst: RateDenial?
    func deny(_ rule: RateRule, limit: UInt64, wait: Int64) {
      guard wait > 0, wait > worst?.waitNanoseconds ?? 0 else { return }
      worst = RateDenial(
        rule: rule, limit: limit, used: used(rule, at: now), waitNanoseconds: wait)
    }
    if limits.concurrency > 0, underWay >= limits.concurrency {
      // Nobody knows when one of them ends.
      deny(.concurrency, limit: UInt64(limits.concurrency), wait: RateDenial.unknownWait)
    }
    if let second {
      deny(.requestsPerSecond, limit: second.capacity, wait: second.wait(for: 1, at: now))
    }
    if let minute {
      deny(.requestsPerMinute, limit: minute.capacity, wait: minute.wait(for: 1, at: now))
    }
    if let tokens {
      deny(.tokensPerMinute, limit: tokens.capacity, wait: tokens.waitForAny(at: now))
    }
    return worst
  }

  /// Lets a request in, for which `denial` was nil.
  public mutating func begin(at now: Int64) {
    underWay += 1
    second?.take(1, at: now)
    minute?.take(1, at: now)
  }

  /// A request that was let in went nowhere: it takes nothing.
  public mutating func withdraw(at now: Int64) {
    underWay -= min(1, underWay)
    second?.giveBack(1, at: now)
    minute?.giveBack(1, at: now)
  }

  /// A request that was let in has ended, and cost this many tokens.
  public mutating func end(tokens count: UInt64, at now: Int64) {
    underWay -= min(1, underWay)
    tokens?.take(count, at: now)
  }

  /// What each rule that limits something has left, in the order of `RateRule`.
  public func readings(at now: Int64) -> [RateReading] {
    var readings: [RateReading] = []
    func add(_ rule: RateRule, _ bucket: TokenBucket?) {
      guard let bucket else { return }
      readings.append(
        RateReading(
          rule: rule, limit: bucket.capacity,
          remaining: UInt64(max(0, bucket.available(at: now))),
          fullInNanoseconds: bucket.waitUntilFull(at: now)))
    }
    add(.requestsPerSecond, second)
    add(.requestsPerMinute, minute)
    add(.tokensPerMinute, tokens)
    if limits.concurrency > 0 {
      readings.append(
        RateReading(
          rule: .concurrency, limit: UInt64(limits.concurrency),
          remaining: UInt64(limits.concurrency - min(underWay, limits.concurrency)),
          fullInNanoseconds: 0))
    }
    return readings
  }

  private func used(_ rule: RateRule, at now: Int64) -> UInt64 {
    func used(_ bucket: TokenBucket?) -> UInt64 {
      guard let bucket else { return 0 }
      return UInt64(clamping: Int128(bucket.capacity) - Int128(bucket.available(at: now)))
    }
    return switch rule {
    case .requestsPerSecond: used(second)
    case .requestsPerMinute: used(minute)
    case .tokensPerMinute: used(tokens)
    case .concurrency: UInt64(underWay)
    }
  }

  private static func bucket(
    _ former: TokenBucket?, _ rule: RateRule, _ limits: Limits, _ now: Int64
  ) -> TokenBucket? {
    let rate: UInt64
    let period: Int64
    var capacity: UInt64
    switch rule {
    case .requestsPerSecond:
      rate = UInt64(limits.requestsPerSecond)
      period = 1_000_000_000
      capacity = limits.burst > 0 ? UInt64(limits.burst) : rate
    case .requestsPerMinute:
      rate = UInt64(limits.requestsPerMinute)
      period = 60_000_000_000
      capacity = rate
    case .tokensPerMinute:
      rate = limits.tokensPerMinute
      period = 60_000_000_000
      capacity = rate
    case .concurrency: return nil
    }
    guard rate > 0 else { return nil }
    guard var bucket = former else {
      return TokenBucket(rate: rate, periodNanoseconds: period, capacity: capacity, now: now)
    }
    bucket.change(rate: rate, capacity: capacity, at: now)
    return bucket
  }
}

/// Which of the rates a reading or a refusal is about.
public enum RateRule: UInt8, Sendable, Hashable, CaseIterable {
  case requestsPerSecond = 1
  case requestsPerMinute = 2
  case tokensPerMinute = 3
  case concurrency = 4

  /// As configuration names it.
  public var name: String {
    switch self {
    case .requestsPerSecond: "rps"
    case .requestsPerMinute: "rpm"
    case .tokensPerMinute: "tpm"
    case .concurrency: "concurrency"
    }
  }
}

/// Why a rate lets no request in.
public struct RateDenial: Sendable, Hashable {
  /// By which rule.
  public var rule: RateRule
  /// What it allows: the bucket's size, or requests at the same time.
  public var limit: UInt64
  /// How much of it is used; for tokens it may be more than `limit`.
  public var used: UInt64
  /// Until the rule would let a request in, if nobody else came: more than 0.
  public var waitNanoseconds: Int64

  /// Told where nobody knows how long it takes.
  public static let unknownWait: Int64 = 1_000_000_000

  /// Made of its parts.
  public init(rule: RateRule, limit: UInt64, used: UInt64, waitNanoseconds: Int64) {
    self.rule = rule
    self.limit = limit
    self.used = used
    self.waitNanoseconds = waitNanoseconds
  }
}

/// A wait in whole seconds, rounded up, so that whoever waits for it is let in: at least 1.
public func secondsToWait(nanoseconds: Int64) -> Int64 {
  (max(1, nanoseconds) - 1) / 1_000_000_000 + 1
}

/// What a rate has left.
public struct RateReading: Sendable, Hashable {
  /// Of which rule.
  public var rule: RateRule
  /// What it allows at once.
  public var limit: UInt64
  /// Whole requests or tokens that are left.
  public var remaining: UInt64
  /// Until all of it is there again, if nobody came.
  public var fullInNanoseconds: Int64

  /// Made of its parts.
  public init(rule: RateRule, limit: UInt64, remaining: UInt64, fullInNanoseconds: Int64) {
    self.rule = rule
    self.limit = limit
    self.remaining = remaining
    self.fullInNanoseconds = fullInNanoseconds
  }
}

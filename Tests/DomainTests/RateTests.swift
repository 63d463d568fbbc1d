import Domain
import Support
import Testing

private let second: Int64 = 1_000_000_000

@Test("a bucket lets in its burst, then its rate, however often it is asked in between")
func bucketNeverStarves() {
  // 100 a second, asked every 3 ms: the ones in between take nothing and keep no fraction back.
  var bucket = TokenBucket(
    rate: 100, periodNanoseconds: second, capacity: 200, now: 0)
  var admitted = 0
  for millisecond in stride(from: Int64(0), to: 10_000, by: 1) {
    let now = millisecond * 1_000_000
    if bucket.wait(for: 1, at: now) == 0 {
      bucket.take(1, at: now)
      admitted += 1
    }
  }
  // The burst, and 100 in each of the 9.999 seconds behind the first instant.
  #expect(admitted == 200 + 999)
}

@Test("whoever waits as long as told is let in, and not a nanosecond earlier")
func bucketWaitIsRight() {
  for seed in UInt64(0)..<2_000 {
    var random = SeededRandom(seed: seed)
    let rate = UInt64(random.int(1...5_000))
    let capacity = UInt64(random.int(1...500))
    let period = random.oneIn(2) ? second : 60 * second
    var now = Int64(random.int(0...1_000_000))
    var bucket = TokenBucket(rate: rate, periodNanoseconds: period, capacity: capacity, now: now)
    for _ in 0..<20 {
      now += Int64(random.int(0...2_000_000))
      let count = UInt64(random.int(1...Int(capacity)))
      let wait = bucket.wait(for: count, at: now)
      if wait > 0 {
        #expect(bucket.wait(for: count, at: now + wait) == 0, "seed \(seed)")
        #expect(bucket.wait(for: count, at: now + wait - 1) > 0, "seed \(seed)")
        #expect(bucket.available(at: now) < Int64(count), "seed \(seed)")
      } else {
        #expect(bucket.available(at: now) >= Int64(count), "seed \(seed)")
        bucket.take(count, at: now)
      }
    }
  }
}

@Test("in any time no more is let in than the burst and what flowed in meanwhile")
func bucketNeverExceedsItsRate() {
  for seed in UInt64(0)..<500 {
    var random = SeededRandom(seed: seed)
    let rate = UInt64(random.int(1...1_000))
    let capacity = UInt64(random.int(1...100))
    var bucket = TokenBucket(
      rate: rate, periodNanoseconds: second, capacity: capacity, now: 0)
    var now: Int64 = 0
    var admitted: UInt64 = 0
    for _ in 0..<500 {
      now += Int64(random.int(0...5_000_000))
      // Clocks that go back let nobody in that would not have been.
      let seen = random.oneIn(10) ? now - Int64(random.int(0...1_000_000_000)) : now
      if bucket.wait(for: 1, at: seen) == 0 {
        bucket.take(1, at: seen)
        admitted += 1
      }
      let most = capacity + UInt64(now) * rate / UInt64(second)
      #expect(admitted <= most, "seed \(seed)")
    }
  }
}

@Test("a clock that goes back takes nothing away")
func bucketClockGoesBack() {
  var bucket = TokenBucket(
    rate: 10, periodNanoseconds: second, capacity: 10, now: 100 * second)
  bucket.take(4, at: 100 * second)
  #expect(bucket.available(at: 50 * second) == 6)
  bucket.take(6, at: 50 * second)
  #expect(bucket.available(at: 100 * second) == 0)
  // From the time that was seen last, it is 0.1 s to the next token.
  #expect(bucket.wait(for: 1, at: 100 * second) == second / 10)
  #expect(bucket.wait(for: 1, at: 50 * second) == second / 10 + 50 * second)
}

@Test("what is charged after the fact is owed until it has flowed in")
func bucketOwes() {
  var bucket = TokenBucket(
    rate: 600, periodNanoseconds: 60 * second, capacity: 600, now: 0)
  #expect(bucket.waitForAny(at: 0) == 0)
  bucket.take(900, at: 0)
  #expect(bucket.available(at: 0) == -300)
  let wait = bucket.waitForAny(at: 0)
  #expect(wait == 30 * second + 1)
  #expect(bucket.waitForAny(at: wait) == 0)
  #expect(bucket.waitUntilFull(at: 0) == 90 * second)
}

@Test("more than the bucket holds never comes, and no amount overflows it")
func bucketBounds() {
  var bucket = TokenBucket(
    rate: 1_000_000_000_000, periodNanoseconds: 60 * second, capacity: 1_000_000_000_000, now: .min)
  #expect(bucket.wait(for: 1_000_000_000_001, at: .max) == .max)
  for _ in 0..<10 { bucket.take(.max, at: .max) }
  #expect(bucket.available(at: .max) == .min)
  #expect(bucket.waitForAny(at: .max) == .max)
  bucket.giveBack(.max, at: .max)
}

@Test("other limits keep what is used, and make nobody owe what was allowed")
func bucketChanges() {
  var bucket = TokenBucket(
    rate: 100, periodNanoseconds: second, capacity: 100, now: 0)
  bucket.take(80, at: 0)
  bucket.change(rate: 200, capacity: 200, at: 0)
  #expect(bucket.available(at: 0) == 120)
  bucket.change(rate: 50, capacity: 50, at: 0)
  #expect(bucket.available(at: 0) == 0)
  // A debt stays one.
  bucket.take(30, at: 0)
  bucket.change(rate: 10, capacity: 1_000, at: 0)
  #expect(bucket.available(at: 0) == 920)
}

// MARK: Rates together

private struct RateRow {
  var limits: Limits
  /// Requests let in at 0 before the one that is asked about, and tokens that each of them cost, if they ended.
  var before: Int
  var tokens: UInt64?
  var denial: RateDenial?
}

@Test("of all rules, the one that takes longest is told")
func ratesDeny() {
  let rows: [RateRow] = [
    RateRow(limits: .none, before: 1_000, tokens: nil, denial: nil),
    RateRow(limits: Limits(requestsPerSecond: 2), before: 1, tokens: nil, denial: nil),
    RateRow(
      limits: Limits(requestsPerSecond: 2), before: 2, tokens: nil,
      denial: RateDenial(
        rule: .requestsPerSecond, limit: 2, used: 2, waitNanoseconds: second / 2)),
    RateRow(
      limits: Limits(requestsPerSecond: 2, burst: 5), before: 5, tokens: nil,
      denial: RateDenial(
        rule: .requestsPerSecond, limit: 5, used: 5, waitNanoseconds: second / 2)),
    RateRow(
      limits: Limits(requestsPerSecond: 2, requestsPerMinute: 2), before: 2, tokens: nil,
      denial: RateDenial(
        rule: .requestsPerMinute, limit: 2, used: 2, waitNanoseconds: 30 * second)),
    RateRow(limits: Limits(tokensPerMinute: 100), before: 1, tokens: 99, denial: nil),
    RateRow(
      limits: Limits(tokensPerMinute: 100), before: 1, tokens: 100,
      denial: RateDenial(
        rule: .tokensPerMinute, limit: 100, used: 100, waitNanoseconds: 1)),
    RateRow(
      limits: Limits(tokensPerMinute: 100), before: 1, tokens: 250,
      denial: RateDenial(
        rule: .tokensPerMinute, limit: 100, used: 250, waitNanoseconds: 90 * second + 1)),
    RateRow(limits: Limits(concurrency: 3), before: 3, tokens: 5, denial: nil),
    RateRow(
      limits: Limits(concurrency: 3), before: 3, tokens: nil,
      denial: RateDenial(
        rule: .concurrency, limit: 3, used: 3, waitNanoseconds: RateDenial.unknownWait)),
  ]
  for row in rows {
    var state = RateState(row.limits, now: 0)
    for _ in 0..<row.before {
      #expect(state.denial(at: 0) == nil)
      state.begin(at: 0)
    }
    for _ in 0..<row.before {
      if let tokens = row.tokens { state.end(tokens: tokens, at: 0) }
    }
    #expect(state.denial(at: 0) == row.denial)
  }
}

@Test("the seconds of Retry-After are enough and no second too many")
func retryAfterSeconds() {
  let rows: [(Int64, Int64)] = [
    (.min, 1), (0, 1), (1, 1), (second - 1, 1), (second, 1), (second + 1, 2), (30 * second, 30),
    (.max, 9_223_372_037),
  ]
  for (wait, seconds) in rows {
    #expect(secondsToWait(nanoseconds: wait) == seconds)
  }
}

@Test("asking takes nothing, and a request that went nowhere gives everything back")
func ratesGiveBack() {
  let limits = Limits(
    requestsPerSecond: 3, burst: 4, requestsPerMinute: 10, tokensPerMinute: 100, concurrency: 2)
  let fresh = RateState(limits, now: 0)
  var state = fresh
  for _ in 0..<100 { _ = state.denial(at: 0) }
  #expect(state == fresh)
  state.begin(at: 0)
  #expect(state.underWay == 1)
  #expect(state.readings(at: 0).map(\.remaining) == [3, 9, 100, 1])
  state.withdraw(at: 0)
  #expect(state == fresh)
  state.withdraw(at: 0)
  #expect(state == fresh)
}

@Test("limits that change keep those under way and what is used")
func ratesChange() {
  var state = RateState(Limits(requestsPerMinute: 10, concurrency: 10), now: 0)
  for _ in 0..<6 { state.begin(at: 0) }
  state.change(to: Limits(requestsPerMinute: 7, concurrency: 5), now: 0)
  #expect(state.readings(at: 0).map(\.remaining) == [1, 0])
  #expect(state.denial(at: 0)?.rule == .concurrency)
  state.end(tokens: 0, at: 0)
  state.end(tokens: 0, at: 0)
  #expect(state.denial(at: 0) == nil)
  state.change(to: .none, now: 0)
  #expect(state.denial(at: 0) == nil)
  #expect(state.readings(at: 0) == [])
  #expect(state.underWay == 4)
}

import Synchronization

/// Bounds how many further attempts all requests together may make, so that an outage is not answered with a
/// multiple of the traffic; shared by all loops.
///
/// Each request puts one attempt aside, up to `savedMax`; beyond what was saved, `floorPerSecond` are always
/// free, for gateways with little traffic. So an account that fails every second call is never noticed, and
/// upstreams that are all down get twice the traffic at most. Integers only; never blocks.
final class RetryBudget: Sendable {
  /// Attempts saved up at most.
  static let savedMax = 100
  /// Attempts a second that nobody has to pay for, and as many at once.
  static let floorPerSecond: Int64 = 20

  /// Attempts that requests have put aside.
  private let saved = Atomic<Int>(0)
  /// When the floor's attempts will all be free again, in nanoseconds of the monotonic clock.
  private let floorFreeAt = Atomic<Int64>(0)

  /// Attempts that were asked for and not left.
  private let refused = Atomic<UInt64>(0)

  /// Attempts put aside at present, and those refused so far.
  var figures: (saved: Int, refused: UInt64) {
    (saved.load(ordering: .relaxed), refused.load(ordering: .relaxed))
  }

  /// A request makes its first attempt.
  func requested() {
    // Mostly full: then nothing is written that other loops read.
    guard saved.load(ordering: .relaxed) < Self.savedMax else { return }
    saved.wrappingAdd(1, ordering: .relaxed)
  }

  /// Takes one further attempt out of the budget; false: there is none left.
  func take(now: Int64) -> Bool {
    var current = saved.load(ordering: .relaxed)
    while current > 0 {
      let (done, found) = saved.weakCompareExchange(
        expected: current, desired: current - 1, ordering: .relaxed)
      if done { return true }
      current = found
    }
    let step = 1_000_000_000 / Self.floorPerSecond
    var freeAt = floorFreeAt.load(ordering: .relaxed)
    while true {
      let next = max(freeAt, now) + step
      guard next - now <= 1_000_000_000 else {
        refused.count()
        return false
      }
      let (done, found) = floorFreeAt.weakCompareExchange(
        expected: freeAt, desired: next, ordering: .relaxed)
      if done { return true }
      freeAt = found
    }
  }
}

import Glibc

/// The two clocks of the data plane, injected so that tests can move them.
public protocol GatewayClock: Sendable {
  /// Nanoseconds since the Unix epoch, for what is written down; may step.
  var wallNanoseconds: Int64 { get }
  /// Nanoseconds since some fixed instant, for durations and deadlines; never goes back.
  var monotonicNanoseconds: Int64 { get }
}

/// The machine's own clocks.
public struct SystemGatewayClock: GatewayClock {
  /// The clocks of this machine.
  public init() {}

  /// `CLOCK_REALTIME`.
  public var wallNanoseconds: Int64 { read(CLOCK_REALTIME) }
  /// `CLOCK_MONOTONIC`.
  public var monotonicNanoseconds: Int64 { read(CLOCK_MONOTONIC) }

  private func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

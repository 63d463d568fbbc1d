import Glibc
import Synchronization

/// Unix time in nanoseconds, which a test moves and stops.
final class SimulatorClock: Sendable {
  private struct State {
    var offset: Int64 = 0
    /// What it shows while it stands still.
    var stoppedAt: Int64?
  }

  private let state = Mutex(State())

  var now: Int64 {
    state.withLock { $0.stoppedAt ?? SimulatorClock.wall + $0.offset }
  }

  /// How far it is ahead of the machine's clock, in nanoseconds.
  var ahead: Int64 { now - SimulatorClock.wall }

  var isStopped: Bool { state.withLock { $0.stoppedAt != nil } }

  /// Moves by `nanoseconds`, backwards too.
  func advance(by nanoseconds: Int64) {
    state.withLock { state in
      state.offset += nanoseconds
      if let stopped = state.stoppedAt { state.stoppedAt = stopped + nanoseconds }
    }
  }

  /// Stands still, or goes on from where it stood.
  func stop(_ stops: Bool) {
    state.withLock { state in
      if stops {
        state.stoppedAt = state.stoppedAt ?? SimulatorClock.wall + state.offset
      } else if let stopped = state.stoppedAt {
        state.offset = stopped - SimulatorClock.wall
        state.stoppedAt = nil
      }
    }
  }

  /// The machine's time again.
  func reset() {
    state.withLock { $0 = State() }
  }

  /// The machine's own time.
  static var wall: Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000_000 + Int64(now.tv_nsec)
  }
}

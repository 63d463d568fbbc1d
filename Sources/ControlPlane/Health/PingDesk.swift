import Dispatch
import Domain
import EventStore
import Synchronization

/// Touches the log and the views for pings: once for everybody who waits, on a thread that nothing else waits for.
///
/// Anybody may ping, so a burst costs one read or two, and lists that take long are not before it. Each ping is
/// answered by a touch that began after it came.
final class PingDesk: Sendable {
  /// As many wait as may.
  struct Full: Error {}

  /// What a touch found.
  struct Touch: Sendable {
    /// The log's last event when it began.
    var position: Position
    /// Whether that event could be read back.
    var hasLog: Bool
    var views: Views
  }

  /// How the views were found.
  enum Views: String, Sendable {
    case ok, behind, unavailable
    /// Nobody keeps any here.
    case missing = "not_configured"
  }

  private struct State {
    var waiting: [CheckedContinuation<Touch, Never>] = []
    var isRunning = false
  }

  private let store: EventStore
  private let keeper: ViewKeeper?
  private let limit: Int
  private let queue = DispatchQueue(label: "signalbox.ping")
  private let state = Mutex(State())

  /// - Parameter limit: Pings that may wait; the next one is refused.
  init(store: EventStore, keeper: ViewKeeper?, limit: Int = 4096) {
    self.store = store
    self.keeper = keeper
    self.limit = limit
  }

  /// What the next touch finds.
  ///
  /// - Throws: `Full`.
  func touch() async throws(Full) -> Touch {
    guard state.withLock({ $0.waiting.count < limit }) else { throw Full() }
    return await withCheckedContinuation { continuation in
      let mustStart = state.withLock { state in
        state.waiting.append(continuation)
        defer { state.isRunning = true }
        return !state.isRunning
      }
      if mustStart { queue.async { self.run() } }
    }
  }

  /// Pings that wait for a touch to begin.
  var waiting: Int { state.withLock { $0.waiting.count } }

  private func run() {
    while true {
      let asked = state.withLock { state in
        defer { state.waiting = [] }
        state.isRunning = !state.waiting.isEmpty
        return state.waiting
      }
      guard !asked.isEmpty else { return }
      let found = look()
      for continuation in asked { continuation.resume(returning: found) }
    }
  }

  private func look() -> Touch {
    let last = store.lastWritten
    let event = try? store.reader.event(at: last)
    var views = Views.missing
    if let keeper {
      views = (try? keeper.touch()).map { $0 ? .ok : .behind } ?? .unavailable
    }
    return Touch(
      position: last, hasLog: last == .origin || event?.position == last, views: views)
  }
}

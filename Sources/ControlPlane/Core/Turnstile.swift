import Synchronization

/// Lets one operation in at a time, in the order of arrival, across suspensions.
///
/// An actor would let a second operation in while the first one waits for the disk; two decisions
/// on the same state would then both be appended.
final class Turnstile: Sendable {
  /// As many are waiting as may.
  struct Full: Error {}

  private struct State {
    var isTaken = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let limit: Int
  private let state = Mutex(State())

  /// - Parameter limit: How many may wait; the next one is refused.
  init(limit: Int) { self.limit = limit }

  /// Runs `body` when all that came before are through.
  func pass<Value: Sendable>(_ body: () async throws -> Value) async throws -> Value {
    try await enter()
    defer { leave() }
    return try await body()
  }

  private func enter() async throws(Full) {
    let isFull = state.withLock { $0.isTaken && $0.waiting.count >= limit }
    guard !isFull else { throw Full() }
    await withCheckedContinuation { continuation in
      let mayGo = state.withLock { state in
        guard state.isTaken else {
          state.isTaken = true
          return true
        }
        state.waiting.append(continuation)
        return false
      }
      if mayGo { continuation.resume() }
    }
  }

  private func leave() {
    let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
      guard state.waiting.isEmpty else { return state.waiting.removeFirst() }
      state.isTaken = false
      return nil
    }
    next?.resume()
  }
}

import Synchronization

/// A value that tests wait on without sleeping: a waiter goes on as soon as its condition holds.
final class Watched<Value: Sendable>: Sendable {
  private struct Waiter: Sendable {
    var condition: @Sendable (Value) -> Bool
    var continuation: CheckedContinuation<Value, Never>
  }

  private struct State {
    var value: Value
    var waiters: [Waiter] = []
  }

  private let state: Mutex<State>

  init(_ value: Value) { state = Mutex(State(value: value)) }

  var value: Value { state.withLock { $0.value } }

  /// Changes the value and lets go whoever waited for that.
  @discardableResult
  func change<Result: Sendable>(_ body: (inout Value) -> Result) -> Result {
    let (result, ready, value) = state.withLock { state in
      let result = body(&state.value)
      let value = state.value
      let ready = state.waiters.filter { $0.condition(value) }
      state.waiters.removeAll { $0.condition(value) }
      return (result, ready, value)
    }
    for waiter in ready { waiter.continuation.resume(returning: value) }
    return result
  }

  /// Returns the value once `condition` holds for it.
  func when(_ condition: @escaping @Sendable (Value) -> Bool) async -> Value {
    await withCheckedContinuation { continuation in
      let now = state.withLock { state -> Value? in
        if condition(state.value) { return state.value }
        state.waiters.append(Waiter(condition: condition, continuation: continuation))
        return nil
      }
      if let now { continuation.resume(returning: now) }
    }
  }
}

/// Waits until `condition` holds of something that tells nobody when it changes.
func eventually(_ condition: () -> Bool) async throws {
  while !condition() { try await Task.sleep(for: .milliseconds(1)) }
}

internal import Synchronization

/// Resumes suspended appends, all of a group in one call.
final class ContinuationSink: AppendSink {
  typealias Continuation = CheckedContinuation<Result<AppendReceipt, StoreError>, Never>

  private struct State {
    var next: UInt64 = 0
    var waiting: [UInt64: Continuation] = [:]
  }

  private let state = Mutex(State())

  /// The token under which `continuation` is resumed.
  func add(_ continuation: Continuation) -> UInt64 {
    state.withLock { state in
      state.next += 1
      state.waiting[state.next] = continuation
      return state.next
    }
  }

  func completed(_ completions: [AppendCompletion]) {
    let ready = state.withLock { state in
      completions.map { (state.waiting.removeValue(forKey: $0.token), $0.result) }
    }
    for (continuation, result) in ready { continuation?.resume(returning: result) }
  }
}

/// Lets one thread wait for one answer.
final class WaitingSink: AppendSink {
  private let answer = Mutex<Result<AppendReceipt, StoreError>?>(nil)
  private let signal = Signal()

  func completed(_ completions: [AppendCompletion]) {
    answer.withLock { $0 = completions.first?.result }
    signal.post()
  }

  func wait() -> Result<AppendReceipt, StoreError> {
    signal.wait()
    return answer.withLock { $0 } ?? .failure(StoreError(.closed, "no answer was given"))
  }
}

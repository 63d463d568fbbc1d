internal import Synchronization

/// Resumes suspended appends.
///
/// The token is the continuation itself: nothing is looked up or locked. The engine answers every
/// submission exactly once, which is what a continuation demands.
final class ContinuationSink: AppendSink {
  typealias Continuation = UnsafeContinuation<Result<AppendReceipt, StoreError>, Never>

  static func token(_ continuation: Continuation) -> UInt64 {
    UInt64(UInt(bitPattern: unsafeBitCast(continuation, to: UnsafeRawPointer.self)))
  }

  func completed(_ completions: [AppendCompletion]) {
    for completion in completions {
      guard let address = UnsafeRawPointer(bitPattern: UInt(completion.token)) else { continue }
      unsafeBitCast(address, to: Continuation.self).resume(returning: completion.result)
    }
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

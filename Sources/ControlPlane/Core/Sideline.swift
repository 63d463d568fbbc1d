import Dispatch
import Synchronization

/// One thread beside the cooperative pool, for work that blocks: syncs of key files, scrypt, reads
/// of the log.
///
/// The pool has a thread per core; a sync or a 100 ms hash on it would stall every stream it serves.
final class Sideline: Sendable {
  /// As much is waiting as may.
  struct Full: Error {}

  private let queue: DispatchQueue
  private let limit: Int
  private let pending = Mutex(0)

  /// - Parameters:
  ///   - label: The thread's purpose, for debuggers.
  ///   - limit: Pieces of work that may wait or run; the next one is refused.
  init(label: String, limit: Int) {
    queue = DispatchQueue(label: label)
    self.limit = limit
  }

  /// Pieces of work that wait or run.
  var count: Int { pending.withLock { $0 } }

  /// Runs `work` on the thread, after what came before.
  func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    let isFull = pending.withLock { pending in
      guard pending < limit else { return true }
      pending += 1
      return false
    }
    guard !isFull else { throw Full() }
    defer { pending.withLock { $0 -= 1 } }
    return try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try work() }) }
    }
  }
}

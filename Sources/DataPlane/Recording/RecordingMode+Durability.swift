import Domain
import EventStore

extension RecordingMode {
  /// What must have happened to a request's `finished` before its client has the whole answer; nil:
  /// nothing is recorded.
  ///
  /// If it cannot be recorded: in `strict` the client does not get the end of the answer, in `standard`
  /// and `relaxed` the answer goes out and the loss is counted.
  var durability: Durability? {
    switch self {
    case .strict: .durable
    case .standard: .written
    case .relaxed: .queued
    case .off: nil
    }
  }

  /// What must have happened to a request's `dispatched` before its first call; nil: nothing is recorded.
  ///
  /// In `strict` the kernel has it then, and the disk at the latest with `finished`, which lies behind it: what
  /// the mode promises is that nothing *answered* gets lost, and one wait for the disk keeps that. `isBinding`:
  /// later requests are decided by it (a reserve, an idempotency key), also if this one is never answered; that
  /// waits for the disk.
  func dispatchedDurability(isBinding: Bool) -> Durability? {
    self == .strict && !isBinding ? .written : durability
  }
}

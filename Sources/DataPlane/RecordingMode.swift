public import EventStore

/// What must have happened to a request's `finished` event before its client has the whole answer.
public enum RecordingMode: String, Sendable, Hashable, CaseIterable {
  /// On stable storage. If it cannot be recorded, the client does not get the end of the answer.
  case strict
  /// Handed to the kernel. If it cannot be recorded, the answer goes out and the loss is counted.
  case standard
  /// In the writer's queue. If it cannot be recorded, the answer goes out and the loss is counted.
  case relaxed
  /// Nothing is recorded; for measuring only.
  case off

  /// The durability that the log is asked for; nil: the log is not asked.
  public var durability: Durability? {
    switch self {
    case .strict: .durable
    case .standard: .written
    case .relaxed: .queued
    case .off: nil
    }
  }
}

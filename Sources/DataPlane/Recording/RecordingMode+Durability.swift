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
}

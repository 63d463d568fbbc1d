public import EventStore

/// Why a change was not made, beyond what the rules say (`Refusal`).
public enum ControlError: Error, Sendable, CustomStringConvertible {
  /// Others kept changing the same streams; nothing was written.
  case conflict
  /// Too many changes are waiting; nothing was written.
  case overloaded
  /// A batch exceeds what the log takes at once; nothing was written.
  case tooManyEvents(Int)
  /// A command that stores a secret came without one; nothing was written.
  case missingSecret(stream: String)
  /// The log did not take the events. For `.io` and `.poisoned` the outcome is unknown.
  case log(StoreError)
  /// The log is damaged, and nobody accepted the loss.
  case damaged(LogGap)
  /// An event cannot be decoded.
  case unreadable(position: Position, reason: String)
  /// The log is not what was signed before; nothing is signed.
  case notAsSigned(position: Position, reason: String)
  /// The views of requests cannot be read now; the log can.
  case views(String)

  /// One sentence for a person.
  public var description: String {
    switch self {
    case .conflict: "the configuration kept changing while this change was made"
    case .overloaded: "too many changes are waiting"
    case .tooManyEvents(let count): "\(count) events are more than one batch takes"
    case .missingSecret(let stream): "a change of \(stream) came without its secret"
    case .log(let error): "the log did not take the change: \(error)"
    case .damaged(let gap): "the log is damaged: \(gap.sentence)"
    case .unreadable(let position, let reason):
      "the configuration cannot be read at position \(position): \(reason)"
    case .notAsSigned(let position, let reason):
      "the log is not what was signed, at position \(position): \(reason)"
    case .views(let why): "the views of requests cannot be read now: \(why)"
    }
  }
}

/// Why the views cannot be used.
public enum ViewFault: Error, Sendable, Hashable, CustomStringConvertible {
  /// They are of another log, another version, or hold what they never could.
  case damaged(String)
  /// Somebody deleted them.
  case missing
  /// They are of a position or a history that the log does not have.
  case astray(String)

  /// For a line of the log.
  public var description: String {
    switch self {
    case .missing: "the views are missing: somebody deleted the file"
    case .damaged(let what): "the views are damaged: \(what)"
    case .astray(let what): "the views are not of this log: \(what)"
    }
  }
}

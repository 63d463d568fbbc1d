/// Why the views cannot be used.
public enum ViewFault: Error, Sendable, Hashable, CustomStringConvertible {
  /// The file does not hold what was written to it.
  case damaged(String)
  /// They are another build's, of this layout.
  case layout(Int64)
  /// Somebody deleted them.
  case missing
  /// They are of a position or a history that the log does not have.
  case astray(String)
  /// They were closed meanwhile, to be made anew or for a stop.
  case closed

  /// For a line of the log.
  public var description: String {
    switch self {
    case .missing: "the views are missing: somebody deleted the file"
    case .closed: "the views are closed"
    case .layout(let version):
      "the views have layout \(version), this build's have \(ViewStore.version)"
    case .damaged(let what): "the views are damaged: \(what)"
    case .astray(let what): "the views are not of this log: \(what)"
    }
  }
}

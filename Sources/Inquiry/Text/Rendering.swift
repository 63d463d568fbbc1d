/// What a verb of `replay` answers: a value with its two renderings and its exit code.
public protocol InquiryReport: Sendable {
  /// For people, with a line break at the end; deterministic.
  var text: String { get }
  /// For machines; deterministic.
  var json: JSONTree { get }
  /// Of `replay`: 0 same, 1 differs, 3 log damaged in what was read, 4 not reproducible.
  var exitCode: ExitCode { get }
}

extension InquiryReport {
  /// What `--json` and `/api/replay` answer: `json` with `version` behind its first member, the verb's name.
  public var document: JSONTree {
    guard case .object(var members) = json, !members.isEmpty else { return json }
    members.insert(.init("version", .count(Replay.documentVersion)), at: 1)
    return .object(members)
  }
}

/// How `replay` ends.
public enum ExitCode: Int32, Sendable, CaseIterable {
  /// Everything was read, nothing differs.
  case same = 0
  /// Something differs from what was recorded.
  case differs = 1
  /// The question could not be understood, or names something that is not there.
  case usage = 2
  /// A part of the log that the answer depends on is damaged.
  case damaged = 3
  /// Inputs that the answer needs are not in the log.
  case notReproducible = 4
}

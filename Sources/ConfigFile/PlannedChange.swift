public import Domain

/// One thing of the file compared with the log.
public struct PlannedChange: Sendable {
  /// What applying the file would do to it.
  public enum Kind: String, Sendable, CaseIterable {
    case added
    case changed
    /// Already so, or deliberately left alone; `text` says which.
    case unchanged
    /// The file says that it shall not be there.
    case removed
  }

  /// What applying the file would do.
  public var kind: Kind
  /// What to decide; nil exactly if `kind` is unchanged.
  public var command: Command?
  /// In clear, where the command issues a credential or creates a key.
  public var secret: SecretText?
  /// One line for people, `provider mock: prefix a → b`; secrets masked, control characters escaped.
  public var text: String
  /// Where in the file it stands, from 1.
  public var line: Int
  /// For example `providers[0].accounts[1]`.
  public var path: String

  /// What it is about, `provider mock`: the beginning of `text`.
  var title: String { text.split(separator: ":", maxSplits: 1).first.map(String.init) ?? text }

  /// One row of a plan.
  public init(
    kind: Kind, command: Command?, secret: SecretText? = nil, text: String, line: Int,
    path: String = ""
  ) {
    self.kind = kind
    self.command = command
    self.secret = secret
    self.text = text
    self.line = line
    self.path = path
  }
}

extension [PlannedChange] {
  /// The same rows, standing at a path of the file.
  func at(_ path: String) -> [PlannedChange] {
    map { row in
      var placed = row
      placed.path = path
      return placed
    }
  }
}

/// Something that the log has and the file does not mention: reported, never removed.
public struct Unmanaged: Sendable, Hashable {
  /// `provider`, `account`, `organisation`, `key`, `alias`, `combo`, `policy` or `price`.
  public var what: String
  /// Its id or its name; `organisation/model` of a policy, `provider/model` of a price.
  public var id: String
  /// One line for people.
  public var text: String

  /// One row of drift.
  public init(what: String, id: String, text: String) {
    self.what = what
    self.id = id
    self.text = text
  }
}

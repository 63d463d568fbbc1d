/// What a client-facing model name means.
public struct AliasTarget: Sendable, Hashable {
  /// The alias itself: 1…128 visible ASCII, no `/`.
  public var name: String
  /// `prefix/model`, or a model name.
  public var target: String
  /// Written although the target was unknown.
  public var isUnresolved: Bool
  /// Of `alias/<name>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    name: String, target: String, isUnresolved: Bool, revision: UInt64,
    createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.name = name
    self.target = target
    self.isUnresolved = isUnresolved
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of an alias.
public enum AliasCommand: Sendable, Hashable {
  /// Makes the alias mean the target, whatever it meant before.
  case set(name: String, target: String, allowUnresolved: Bool)
  case remove(name: String)

  /// Which alias the command is about.
  public var name: String {
    switch self {
    case .set(let name, _, _), .remove(let name): name
    }
  }
}

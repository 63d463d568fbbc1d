/// Facts in `alias/<name>`.
public enum AliasEvent: Sendable, Hashable {
  case set(Set)
  case removed(String)

  /// The alias now means this target.
  public struct Set: Sendable, Hashable {
    /// Client-facing name: 1…128 visible ASCII, no `/`.
    public var name: String
    /// `prefix/model`, or a model name.
    public var target: String
    /// Written although the target was unknown (`allowUnresolved`).
    public var isUnresolved: Bool

    /// Made of its parts.
    public init(name: String, target: String, isUnresolved: Bool) {
      self.name = name
      self.target = target
      self.isUnresolved = isUnresolved
    }
  }
}

/// Which build this is, for answers and events.
public struct BuildInfo: Sendable, Hashable {
  public var version: String
  /// Empty if unknown.
  public var commit: String
  /// RFC 3339; empty if unknown.
  public var buildTime: String

  public init(version: String, commit: String = "", buildTime: String = "") {
    self.version = version
    self.commit = commit
    self.buildTime = buildTime
  }
}

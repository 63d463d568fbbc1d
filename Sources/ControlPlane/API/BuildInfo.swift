/// Which build this is, for answers and events.
public struct BuildInfo: Sendable, Hashable {
  /// For example `0.1.0`.
  public var version: String
  /// Empty if unknown.
  public var commit: String
  /// RFC 3339; empty if unknown.
  public var buildTime: String

  /// A build by its version, and what else is known of it.
  public init(version: String, commit: String = "", buildTime: String = "") {
    self.version = version
    self.commit = commit
    self.buildTime = buildTime
  }

  /// Of the compiler, as far as a program can tell.
  static let swiftVersion: String = {
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #else
      "6.3"
    #endif
  }()
}

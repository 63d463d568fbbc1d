public import Domain

/// A command with the secret that it puts into the vault, if there is one.
public struct Change: Sendable {
  public var command: Command
  /// The credential or the password's hash, in clear; sealed before it leaves the control plane.
  public var secret: Secret?

  public init(_ command: Command, secret: Secret? = nil) {
    self.command = command
    self.secret = secret
  }
}

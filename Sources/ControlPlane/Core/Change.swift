public import Domain

/// A command with the secret that it puts into the vault, if there is one.
public struct Change: Sendable {
  /// What to decide.
  public var command: Command
  /// The credential or the password's hash, in clear; sealed before it leaves the control plane.
  public var secret: Secret?
  /// Who and why, where that is not what is true of the whole operation.
  public var provenance: Provenance?

  /// A command, with its secret where it stores one.
  public init(_ command: Command, secret: Secret? = nil, provenance: Provenance? = nil) {
    self.command = command
    self.secret = secret
    self.provenance = provenance
  }
}

/// The configuration at a position: what the control plane decides on and the data plane routes by.
public struct ControlState: Sendable, Hashable {
  /// Position of the last routing-relevant event applied; 0: none.
  public var position: UInt64
  public internal(set) var providers: [ProviderID: Provider]
  public internal(set) var accounts: [AccountID: Account]
  /// By name.
  public internal(set) var aliases: [String: AliasTarget]
  /// Revoked ones included: a key is never forgotten.
  public internal(set) var keys: [KeyID: Key]
  public internal(set) var settings: Settings
  /// Accounts as they were when they were removed, so that generations only grow when one comes back.
  public internal(set) var removedAccounts: [AccountID: Account]
  /// Last revision of each operator-intent and credential stream.
  var revisions: [String: UInt64]

  /// Before the first event.
  public static let initial = ControlState()

  private init() {
    position = 0
    providers = [:]
    accounts = [:]
    aliases = [:]
    keys = [:]
    settings = .initial
    removedAccounts = [:]
    revisions = [:]
  }

  /// The stream's last revision as counted by `apply`; 0 if it has no event.
  public func revision(ofStream stream: String) -> UInt64 { revisions[stream] ?? 0 }

  /// Takes in the next event of the log. Total: irrelevant and unknown events change nothing.
  public mutating func apply(_ recorded: Recorded) {
    preconditionFailure("not written yet")
  }
}

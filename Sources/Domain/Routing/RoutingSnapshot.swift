/// An account as routing sees it.
public struct SnapshotAccount: Sendable, Hashable {
  public let id: AccountID
  public let name: String
  public let provider: ProviderID
  /// Index into `RoutingSnapshot.providers`.
  public let providerIndex: Int
  public let priority: UInt32
  public let weight: UInt32
  /// Why no request may go there; nil: usable.
  public let obstacle: RejectionReason?
  /// Enabled, with a credential, at an enabled provider.
  public var isUsable: Bool { obstacle == nil }
}

/// A provider as routing sees it.
public struct SnapshotProvider: Sendable, Hashable {
  public let id: ProviderID
  public let dialect: UpstreamProtocol
  public let baseURL: String
  public let prefix: String
  public let isEnabled: Bool
}

/// A model as `GET /v1/models` shows it.
public struct ListedModel: Sendable, Hashable {
  /// `prefix/model`, or an alias.
  public let id: String
  /// The provider's id.
  public let ownedBy: String
  /// Seconds since the Unix epoch.
  public let createdAt: Int64
}

/// The routing view at a position: immutable, shared by all loops, built once per change.
public final class RoutingSnapshot: Sendable {
  /// Of the last routing-relevant event.
  public let position: UInt64
  /// Sorted by (provider, priority, name, id).
  public let accounts: [SnapshotAccount]
  /// Sorted by id.
  public let providers: [SnapshotProvider]
  public let settings: Settings

  public init(_ state: ControlState) {
    preconditionFailure("not written yet")
  }

  /// The key with this fingerprint, whatever its status: the caller refuses paused, revoked and expired ones.
  public func key(_ fingerprint: Fingerprint) -> Key? {
    preconditionFailure("not written yet")
  }

  /// What clients may ask for: `prefix/model` of enabled providers and aliases of these, sorted by id.
  public func models() -> [ListedModel] {
    preconditionFailure("not written yet")
  }

  /// The model by any name that `route` accepts, shown under that name; nil if it is unknown or ambiguous.
  public func model(_ name: String) -> ListedModel? {
    preconditionFailure("not written yet")
  }
}

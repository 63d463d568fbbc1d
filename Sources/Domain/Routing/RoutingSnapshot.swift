/// An account as routing sees it.
public struct SnapshotAccount: Sendable, Hashable {
  /// The same as in the configuration.
  public let id: AccountID
  /// Unique within the provider.
  public let name: String
  /// At which provider it is.
  public let provider: ProviderID
  /// Index into `RoutingSnapshot.providers`.
  public let providerIndex: Int
  /// 1…1000; lower is tried first.
  public let priority: UInt32
  /// 0…10000; share among accounts where the strategy is weighted.
  public let weight: UInt32
  /// Why no request may go there; nil: usable.
  public let obstacle: RejectionReason?

  /// Enabled, with a credential, at an enabled provider.
  public var isUsable: Bool { obstacle == nil }
}

/// A provider as routing sees it.
public struct SnapshotProvider: Sendable, Hashable {
  /// The same as in the configuration.
  public let id: ProviderID
  /// The wire dialect that upstream speaks.
  public let dialect: UpstreamProtocol
  /// Where the provider is reached, without a trailing slash.
  public let baseURL: String
  /// What clients write before the slash in `prefix/model`.
  public let prefix: String
  /// Whether requests may go there.
  public let isEnabled: Bool
  /// Its accounts, as a range of `RoutingSnapshot.accounts`.
  public let accounts: Range<Int>
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
///
/// Everything that a decision needs is worked out here, so that `route` is one look-up and a walk along the
/// accounts of one provider, best first.
public final class RoutingSnapshot: Sendable {
  /// Of the last routing-relevant event.
  public let position: UInt64
  /// Sorted by (provider, priority, name, id).
  public let accounts: [SnapshotAccount]
  /// Sorted by id.
  public let providers: [SnapshotProvider]
  /// What holds for the whole gateway.
  public let settings: Settings
  /// What each name that a client may write means.
  let meanings: [String: Meaning]
  let listed: [ListedModel]
  private let keys: [Fingerprint: Key]

  /// Works out everything that decisions on this state need.
  public init(_ state: ControlState) {
    position = state.position
    settings = state.settings
    let sorted = state.providers.values.sorted { $0.id < $1.id }
    (providers, accounts) = Self.places(of: sorted, state)
    var index = NameIndex(sorted)
    let isPrefixForced = state.settings.forceModelPrefix
    for alias in state.aliases.values { index.add(alias) }
    index.addBareNames(isPrefixForced: isPrefixForced)
    meanings = index.meanings
    listed = index.listed()
    // Two keys never share a fingerprint; if a log says otherwise, the first by id has it.
    keys = [Fingerprint: Key](
      state.keys.values.lazy.map { ($0.fingerprint, $0) },
      uniquingKeysWith: { $0.id < $1.id ? $0 : $1 })
  }

  /// The key with this fingerprint, whatever its status: the caller refuses paused, revoked and expired ones.
  public func key(_ fingerprint: Fingerprint) -> Key? { keys[fingerprint] }

  /// What clients may ask for: `prefix/model` of enabled providers and aliases of these, sorted by id.
  public func models() -> [ListedModel] { listed }

  /// The model by any name that `route` accepts, under that name; nil if it is unknown, ambiguous or disabled.
  public func model(_ name: String) -> ListedModel? {
    guard case .target(let target) = meanings[name], providers[target.provider].isEnabled else {
      return nil
    }
    return ListedModel(
      id: name, ownedBy: providers[target.provider].id.rawValue, createdAt: target.createdAt)
  }

  private static func places(
    of sorted: [Provider], _ state: ControlState
  ) -> ([SnapshotProvider], [SnapshotAccount]) {
    var byProvider: [ProviderID: [Account]] = [:]
    for account in state.accounts.values {
      byProvider[account.provider, default: []].append(account)
    }
    var providers: [SnapshotProvider] = []
    var accounts: [SnapshotAccount] = []
    for (index, provider) in sorted.enumerated() {
      let first = accounts.count
      let own = (byProvider[provider.id] ?? []).sorted {
        ($0.priority, $0.name, $0.id) < ($1.priority, $1.name, $1.id)
      }
      for account in own {
        accounts.append(
          SnapshotAccount(
            id: account.id, name: account.name, provider: provider.id, providerIndex: index,
            priority: account.priority, weight: account.weight,
            obstacle: obstacle(of: account, at: provider)))
      }
      providers.append(
        SnapshotProvider(
          id: provider.id, dialect: provider.dialect, baseURL: provider.baseURL,
          prefix: provider.prefix, isEnabled: provider.isEnabled, accounts: first..<accounts.count)
      )
    }
    return (providers, accounts)
  }

  private static func obstacle(of account: Account, at provider: Provider) -> RejectionReason? {
    if !provider.isEnabled { return .providerDisabled }
    if !account.isEnabled { return .disabled }
    return account.credentialFingerprint == nil ? .noCredential : nil
  }
}

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
  /// What the provider was found to refuse.
  public let quirks: [Quirk]
  /// Of the id: what sessions are spread by.
  let hash: UInt64
  /// Why no request may go there, whatever the time; nil: nothing but time may stand against it.
  public let obstacle: RejectionReason?
  /// Of the credential in force.
  public let generation: UInt64
  /// Whether there may be a newer one where a provider refuses it: this node refreshes it, or asks the one that does.
  public let isRenewable: Bool
  /// The credential is a token of a sign-in or one that was brought, not an API key.
  public let holdsToken: Bool
  /// Cooldowns and the credential's end; nil, as for nearly all: the time stands against nothing.
  let timed: Timed?

  /// What stands against an account until, or from, some time.
  struct Timed: Sendable, Hashable {
    var cooldown: AccountHealth.Cooldown?
    var modelCooldowns: [String: AccountHealth.Cooldown]
    var expiresAt: UnixNanoseconds?
  }

  /// What of it has cooled and not proved since that it serves again, of what concerns a model; nil: nothing.
  public func halfOpenScope(of upstreamModel: String, at now: UnixNanoseconds) -> CooldownScope? {
    guard let timed else { return nil }
    if timed.cooldown?.isHalfOpen(at: now) == true { return .account }
    guard timed.modelCooldowns[upstreamModel]?.isHalfOpen(at: now) == true else { return nil }
    return .model(upstreamModel)
  }

  /// By which rules it or a model of it cools, or did and has not proved since that it serves again.
  public var cooldownRules: [String] {
    guard let timed else { return [] }
    return (timed.cooldown.map { [$0.rule] } ?? []) + timed.modelCooldowns.values.map(\.rule)
  }

  /// Whether time has anything to do with where requests may go.
  public var isTimed: Bool { timed != nil }

  /// Why a request for a model may not go there at `now`; nil: it may.
  public func obstacle(
    to upstreamModel: String, at now: UnixNanoseconds
  ) -> RejectionReason? {
    if let obstacle { return obstacle }
    guard let timed else { return nil }
    if let until = timed.cooldown?.until, now < until { return .cooling(until: until) }
    if let until = timed.modelCooldowns[upstreamModel]?.until, now < until {
      return .modelCooling(until: until)
    }
    if let end = timed.expiresAt, now >= end { return .credentialExpired(at: end) }
    return nil
  }
}

/// Who serves a model under a policy, with everything worked out.
struct PolicyGroup: Sendable {
  var id: PolicyID
  /// Of the order in which its accounts take turns.
  var name: String
  /// In the order of the policy.
  var members: [Member]

  struct Member: Sendable {
    /// Index into `RoutingSnapshot.accounts`.
    var account: Int
    /// nil: the account's provider does not offer the model now.
    var upstreamModel: String?
    var weight: UInt32
  }
}

/// Where a key may lead, for keys that may not lead everywhere.
struct Fence: Sendable {
  var models: [String]
  var accounts: Set<AccountID>

  func admits(account: AccountID) -> Bool { accounts.isEmpty || accounts.contains(account) }

  /// By the name that the client wrote, or by the one that it stands for.
  func admits(model name: String, _ qualified: String) -> Bool {
    models.isEmpty
      || models.contains { matches(name, wildcard: $0) || matches(qualified, wildcard: $0) }
  }
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
  /// By every name that clients may write for the policy's model, then by organisation.
  let policies: [String: [OrganisationID: PolicyGroup]]
  let fences: [KeyID: Fence]
  /// What tokens cost; its revision is the price version that requests record.
  public let pricing: Pricing
  private let organisations: [OrganisationID: Organisation]
  private let thresholds: [PolicyID: UInt32]
  private let keys: [Fingerprint: Key]

  /// Works out everything that decisions on this state need.
  public init(_ state: ControlState) {
    position = state.position
    settings = state.settings
    pricing = state.pricing
    organisations = state.organisations
    thresholds = state.policies.mapValues(\.failoverThreshold)
    let sorted = state.providers.values.sorted { $0.id < $1.id }
    (providers, accounts) = Self.places(of: sorted, state)
    var index = NameIndex(sorted, others: state.aliases.count + state.combos.count)
    let isPrefixForced = state.settings.forceModelPrefix
    for alias in state.aliases.values { index.add(alias) }
    for combo in state.combos.values { index.add(combo) }
    policies = Self.policies(of: state, index, sorted, accounts)
    index.addBareNames(isPrefixForced: isPrefixForced)
    meanings = index.meanings
    listed = index.listed()
    // Two keys never share a fingerprint; if a log says otherwise, the first by id has it.
    keys = [Fingerprint: Key](
      state.keys.values.lazy.map { key in
        var key = key
        // Who may not come in by its organisation may not by its key.
        if key.status == .active, state.organisations[key.organisation]?.isPaused == true {
          key.status = .paused
        }
        return (key.fingerprint, key)
      }, uniquingKeysWith: { $0.id < $1.id ? $0 : $1 })
    var fences: [KeyID: Fence] = [:]
    for key in state.keys.values where !key.allowedModels.isEmpty || !key.allowedAccounts.isEmpty {
      fences[key.id] = Fence(models: key.allowedModels, accounts: Set(key.allowedAccounts))
    }
    self.fences = fences
  }

  /// The key with this fingerprint, whatever its status: the caller refuses paused, revoked and expired ones.
  ///
  /// While its organisation is paused, so is the key.
  public func key(_ fingerprint: Fingerprint) -> Key? { keys[fingerprint] }

  /// A tenant, for its limits and budgets; nil: it has no event of its own.
  public func organisation(_ id: OrganisationID) -> Organisation? { organisations[id] }

  /// After how many failures in a row under the policy an account cools.
  public func failoverThreshold(of policy: PolicyID) -> UInt32? { thresholds[policy] }

  /// What clients may ask for: `prefix/model` of enabled providers, aliases of these and combos, sorted by id.
  public func models() -> [ListedModel] { listed }

  /// Whether the key may not ask for everything.
  public func isFenced(_ key: KeyID) -> Bool { fences[key] != nil }

  /// What a client with this key may ask for, sorted by id.
  public func models(for key: KeyID?) -> [ListedModel] {
    guard let key, let fence = fences[key], !fence.models.isEmpty else { return listed }
    let named = listed.filter { isAllowed($0.id, fence) }
    // What is allowed by a name that no list has, such as a model's without its provider, is listed by that.
    let known = Set(named.map(\.id))
    let more = fence.models.filter { !known.contains($0) && !$0.contains("*") }
      .compactMap { model($0, for: key) }
    return more.isEmpty ? named : (named + more).sorted { $0.id < $1.id }
  }

  private func isAllowed(_ name: String, _ fence: Fence) -> Bool {
    switch meanings[name] {
    case .target(let target): fence.admits(model: name, target.qualified)
    case .combo(let targets):
      targets.contains { fence.admits(model: name, $0.qualified) }
    case .disabled, .ambiguous, .dangling, nil: fence.admits(model: name, name)
    }
  }

  /// The model by any name that `route` accepts, under that name; nil if it is unknown, ambiguous or disabled.
  public func model(_ name: String, for key: KeyID? = nil) -> ListedModel? {
    if let key, let fence = fences[key], !isAllowed(name, fence) { return nil }
    switch meanings[name] {
    case .target(let target):
      guard providers[target.provider].isEnabled else { return nil }
      return ListedModel(
        id: name, ownedBy: providers[target.provider].id.rawValue, createdAt: target.createdAt)
    case .combo(let targets):
      guard let target = targets.first(where: { providers[$0.provider].isEnabled }) else {
        return nil
      }
      return ListedModel(id: name, ownedBy: "combo", createdAt: target.createdAt)
    case .disabled, .ambiguous, .dangling, nil: return nil
    }
  }

  /// The groups of all policies, by the names that lead to them: the model itself unless something else has
  /// that name, and every alias of it.
  private static func policies(
    of state: ControlState, _ index: NameIndex, _ providers: [Provider],
    _ accounts: [SnapshotAccount]
  ) -> [String: [OrganisationID: PolicyGroup]] {
    guard !state.policies.isEmpty else { return [:] }
    let indexes = Dictionary(
      uniqueKeysWithValues: accounts.enumerated().map { ($0.element.id, $0.offset) })
    let aliases = Dictionary(grouping: state.aliases.values, by: \.target)
    var groups: [String: [OrganisationID: PolicyGroup]] = [:]
    for policy in state.policies.values {
      let model = policy.id.model
      let members = policy.accounts.compactMap { share -> PolicyGroup.Member? in
        guard let account = indexes[share.account] else { return nil }
        let provider = providers[accounts[account].providerIndex]
        return PolicyGroup.Member(
          account: account, upstreamModel: provider.upstreamModel(of: model),
          weight: share.weight)
      }
      let group = PolicyGroup(id: policy.id, name: policy.id.stream, members: members)
      // Only bare names are missing from the index yet.
      if index.meanings[model] == nil {
        groups[model, default: [:]][policy.id.organisation] = group
      }
      for alias in aliases[model] ?? [] {
        groups[alias.name, default: [:]][policy.id.organisation] = group
      }
    }
    return groups
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
            quirks: state.health[account.id]?.quirks ?? [], hash: hash(account.id.rawValue),
            obstacle: obstacle(of: account, at: provider),
            generation: account.credential.generation,
            isRenewable: account.credential.canRefresh
              && (provider.oauth != nil || !account.credential.isHome(of: state.node)),
            holdsToken: account.credential.kind != .apiKey,
            timed: timed(account, state.health[account.id])))
      }
      providers.append(
        SnapshotProvider(
          id: provider.id, dialect: provider.dialect, baseURL: provider.baseURL,
          prefix: provider.prefix, isEnabled: provider.isEnabled, accounts: first..<accounts.count)
      )
    }
    return (providers, accounts)
  }

  /// FNV-1a.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  private static func obstacle(of account: Account, at provider: Provider) -> RejectionReason? {
    if !provider.isEnabled { return .providerDisabled }
    if !account.isEnabled { return .disabled }
    if account.degradation != nil { return .degraded }
    if !provider.speaks(account.credential.kind) { return .otherProtocol }
    return account.credential.fingerprint == nil ? .noCredential : nil
  }

  private static func timed(
    _ account: Account, _ health: AccountHealth?
  ) -> SnapshotAccount.Timed? {
    let timed = SnapshotAccount.Timed(
      cooldown: health?.cooldown, modelCooldowns: health?.modelCooldowns ?? [:],
      expiresAt: account.credential.expiresAt)
    let isEmpty =
      timed.cooldown == nil && timed.modelCooldowns.isEmpty && timed.expiresAt == nil
    return isEmpty ? nil : timed
  }
}

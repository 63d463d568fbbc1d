/// The configuration at a position: what the control plane decides on and the data plane routes by.
public struct ControlState: Sendable, Hashable {
  /// Position of the last routing-relevant event applied; 0: none.
  public var position: UInt64
  /// Those that are there; removed ones are not.
  public internal(set) var providers: [ProviderID: Provider]
  /// Those that are there; removed ones are kept apart.
  public internal(set) var accounts: [AccountID: Account]
  /// Those of which anything is known.
  public internal(set) var health: [AccountID: AccountHealth]
  /// By name.
  public internal(set) var aliases: [String: AliasTarget]
  /// By name.
  public internal(set) var combos: [String: Combo]
  /// By organisation and model.
  public internal(set) var policies: [PolicyID: Policy]
  /// The standard one is always there.
  public internal(set) var organisations: [OrganisationID: Organisation]
  /// Revoked ones included: a key is never forgotten.
  public internal(set) var keys: [KeyID: Key]
  /// What holds for the whole gateway.
  public internal(set) var settings: Settings
  /// What tokens cost.
  public internal(set) var pricing: Pricing
  /// Which sessions are over before their time.
  public internal(set) var access: AccessState
  /// Which node the log belongs to; nil: logs of older builds.
  public internal(set) var identity: NodeIdentity?
  /// Accounts as they were when they were removed, so that generations only grow when one comes back.
  ///
  /// A credential is still in force in it if the account went only because it cannot be here for a while.
  public internal(set) var removedAccounts: [AccountID: Account]
  /// What edits are known by among nodes.
  public internal(set) var sync: SyncState
  /// Revoked ones included: an id is never given twice.
  public internal(set) var syncTokens: [SyncTokenID: SyncToken]
  /// Last revision of each operator-intent and credential stream.
  var revisions: [String: UInt64]

  /// Before the first event.
  public static let initial = ControlState()

  private init() {
    position = 0
    providers = [:]
    accounts = [:]
    health = [:]
    aliases = [:]
    combos = [:]
    policies = [:]
    organisations = [.standard: .implied(.standard, UnixNanoseconds(0))]
    keys = [:]
    settings = .initial
    pricing = .initial
    access = .initial
    identity = nil
    removedAccounts = [:]
    sync = .initial
    syncTokens = [:]
    revisions = [:]
  }

  /// Whether an account that cannot be here for a while left its credential, which waits for it.
  public func keepsCredential(of id: AccountID) -> Bool {
    accounts[id] == nil && removedAccounts[id]?.credential.fingerprint != nil
  }

  /// The stream's last revision as counted or told by `apply`; 0 if it has no event.
  public func revision(ofStream stream: String) -> UInt64 { revisions[stream] ?? 0 }

  /// How many events operators' intent is made of: grows with every edit, and with nothing else.
  public var configurationRevision: UInt64 {
    revisions.reduce(0) { sum, entry in
      Subject(stream: entry.key)?.isIntent ?? false ? sum + entry.value : sum
    }
  }

  /// Takes in the next event of the log.
  ///
  /// Total: irrelevant and unknown events change nothing, and no event can be refused.
  ///
  /// - Parameter revision: What the log says the event is in its stream; nil: one more than before. More
  ///   than that if events between cannot be read any more, and a person accepted their loss.
  public mutating func apply(_ recorded: Recorded, revision: UInt64? = nil) {
    guard case .event(let event) = recorded.content else { return }
    if let revision, revision > 1, revision - 1 > self.revision(ofStream: event.stream) {
      switch event {
      case .provider, .account, .credential, .health, .model, .alias, .combo, .policy,
        .organisation, .key, .settings, .pricing, .access, .sync, .syncToken:
        revisions[event.stream] = revision - 1
      case .request, .gateway: break
      }
    }
    // What came from a peer is told by the `sync.reconciled` behind it.
    let edited = recorded.provenance.source == .peer ? nil : Subject(edited: event)
    let before = edited.flatMap { sharedFields(of: $0) }
    apply(
      event, position: recorded.position, time: recorded.time,
      isOwn: recorded.provenance.source != .peer)
    if let edited {
      sync.take(edited, before, sharedFields(of: edited), time: recorded.time)
    }
  }

  /// - Parameter isOwn: it was decided here, whoever asked for it; false: it came from a peer.
  mutating func apply(
    _ event: Event, position: UInt64, time: UnixNanoseconds, isOwn: Bool = true
  ) {
    switch event {
    case .provider(let event):
      let revision = advance(event.id.stream)
      Provider.evolve(
        &providers[event.id], event, revision: revision, position: position, time: time)
    case .account(let event):
      let revision = advance(event.id.stream)
      Account.evolve(
        &accounts[event.id], tombstone: &removedAccounts[event.id], event, revision: revision,
        time: time)
      if case .removed(let id) = event { health[id] = nil }
    case .credential(let event):
      advance(event.account.credentialStream)
      let rivals = sync.peers.values.compactMap { $0.credentialConflicts[event.account]?.rival }
      let author = isOwn ? sync.author : nil
      accounts[event.account]?.credential.take(
        event, position: position, time: time, author: author, rivals: isOwn ? rivals : [])
      if let version = accounts[event.account]?.credential.version, !sync.peers.isEmpty {
        sync.forgetConflicts(of: event.account, before: version)
      }
      removedAccounts[event.account]?.credential.take(
        event, position: position, time: time, author: author, rivals: [])
    case .health(let event):
      advance(event.account.healthStream)
      // Nothing is known of an account that is not there.
      guard accounts[event.account] != nil else { break }
      health[event.account, default: .unknown].evolve(event, position: position, time: time)
    case .model(let event):
      advance(event.id.stream)
      providers[event.id.provider]?.evolve(event)
    case .alias(let event):
      let revision = advance(aliasStream(event.name))
      AliasTarget.evolve(&aliases[event.name], event, revision: revision, time: time)
    case .combo(let event):
      let revision = advance(comboStream(event.name))
      Combo.evolve(&combos[event.name], event, revision: revision, time: time)
    case .policy(let event):
      let revision = advance(event.id.stream)
      Policy.evolve(&policies[event.id], event, revision: revision, time: time)
    case .organisation(let event):
      let revision = advance(event.id.stream)
      Organisation.evolve(&organisations[event.id], event, revision: revision, time: time)
      if event == .removed(.standard) { organisations[.standard] = .implied(.standard, time) }
    case .key(let event):
      let revision = advance(event.id.stream)
      if case .created(let it) = event, organisations[it.organisation] == nil {
        // Keys of older logs, which knew no organisations.
        organisations[it.organisation] = .implied(it.organisation, time)
      }
      Key.evolve(&keys[event.id], event, revision: revision, time: time)
    case .settings(let event):
      let revision = advance(settingsStream)
      settings.evolve(event, position: position, revision: revision, time: time)
    case .pricing(let event):
      let revision = advance(pricingStream)
      pricing.evolve(event, revision: revision, time: time)
    case .access(let event):
      advance(accessStream)
      access.evolve(event, time: time)
      // Nothing that routing sees.
      return
    case .sync(let event):
      advance(syncStream(event.peer))
      sync.evolve(event, position: position, time: time)
      if case .received(let it) = event, let token = it.token {
        syncTokens[token]?.usedAt = time
      }
      if case .reconciled(let it) = event {
        for floor in it.floors {
          accounts[floor.account]?.credential.rise(to: floor.version)
          removedAccounts[floor.account]?.credential.rise(to: floor.version)
        }
      }
      return
    case .syncToken(let event):
      let revision = advance(event.id.stream)
      SyncToken.evolve(
        &syncTokens[event.id], event, revision: revision, position: position, time: time)
      return
    case .gateway(.identified(let it)):
      identity = NodeIdentity(node: it.node, incarnation: it.incarnation)
      let isFirst = sync.node.rawValue.isEmpty
      sync.identify(it.node)
      if isFirst { nameCredentials() }
      return
    case .gateway(.restored(let it)):
      identity = NodeIdentity(node: it.node, incarnation: it.incarnation)
      sync.identify(it.node, incarnation: it.incarnation)
      return
    case .request, .gateway:
      return
    }
    self.position = position
  }

  /// Puts in what a stream's own events need to be told alone: the account of a credential or of health,
  /// the provider of a model.
  public mutating func holdPlace(for subject: Subject) {
    switch subject {
    case .credential(let id), .health(let id):
      accounts[id] = Account(
        id: id, provider: ProviderID(""), name: "", priority: 1, weight: 1, isEnabled: true,
        revision: 0, createdAt: UnixNanoseconds(0), updatedAt: UnixNanoseconds(0))
    case .model(let id):
      providers[id.provider] = Provider(
        id: id.provider, name: "", dialect: .openai, baseURL: "", prefix: "", models: [],
        excludedModels: [], isEnabled: true, revision: 0, createdAt: UnixNanoseconds(0),
        updatedAt: UnixNanoseconds(0))
    case .provider, .account, .alias, .key, .combo, .policy, .organisation, .settings, .pricing:
      break
    }
  }

  /// As `SyncState.identify` names edits.
  private mutating func nameCredentials() {
    let author = sync.author
    for id in accounts.keys { accounts[id]?.credential.ancestry.name(author) }
    for id in removedAccounts.keys { removedAccounts[id]?.credential.ancestry.name(author) }
  }

  @discardableResult
  private mutating func advance(_ stream: String) -> UInt64 {
    let revision = revision(ofStream: stream) + 1
    revisions[stream] = revision
    return revision
  }
}

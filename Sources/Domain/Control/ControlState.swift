/// The configuration at a position: what the control plane decides on and the data plane routes by.
public struct ControlState: Sendable, Hashable {
  /// Position of the last routing-relevant event applied; 0: none.
  public var position: UInt64
  /// Those that are there; removed ones are not.
  public internal(set) var providers: [ProviderID: Provider]
  /// Those that are there; removed ones are kept apart.
  public internal(set) var accounts: [AccountID: Account]
  /// By name.
  public internal(set) var aliases: [String: AliasTarget]
  /// Revoked ones included: a key is never forgotten.
  public internal(set) var keys: [KeyID: Key]
  /// What holds for the whole gateway.
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

  /// The stream's last revision as counted or told by `apply`; 0 if it has no event.
  public func revision(ofStream stream: String) -> UInt64 { revisions[stream] ?? 0 }

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
      case .provider, .account, .credential, .alias, .key, .settings:
        revisions[event.stream] = revision - 1
      case .request, .gateway: break
      }
    }
    apply(event, position: recorded.position, time: recorded.time)
  }

  mutating func apply(_ event: Event, position: UInt64, time: UnixNanoseconds) {
    switch event {
    case .provider(let event):
      let revision = advance(event.id.stream)
      Provider.evolve(&providers[event.id], event, revision: revision, time: time)
    case .account(let event):
      let revision = advance(event.id.stream)
      Account.evolve(
        &accounts[event.id], tombstone: &removedAccounts[event.id], event, revision: revision,
        time: time)
    case .credential(let event):
      advance(event.account.credentialStream)
      accounts[event.account]?.take(event, position: position)
      removedAccounts[event.account]?.take(event, position: position)
    case .alias(let event):
      let revision = advance(aliasStream(event.name))
      AliasTarget.evolve(&aliases[event.name], event, revision: revision, time: time)
    case .key(let event):
      let revision = advance(event.id.stream)
      Key.evolve(&keys[event.id], event, revision: revision, time: time)
    case .settings(let event):
      let revision = advance(settingsStream)
      settings.evolve(event, position: position, revision: revision, time: time)
    case .request, .gateway:
      return
    }
    self.position = position
  }

  /// Lets a credential's generations be counted where the account itself is not known.
  mutating func hold(placeholder id: AccountID) {
    accounts[id] = Account(
      id: id, provider: ProviderID(""), name: "", priority: 1, weight: 1, isEnabled: true,
      credentialGeneration: 0, credentialFingerprint: nil, credentialPosition: nil, revision: 0,
      createdAt: UnixNanoseconds(0), updatedAt: UnixNanoseconds(0))
  }

  @discardableResult
  private mutating func advance(_ stream: String) -> UInt64 {
    let revision = revision(ofStream: stream) + 1
    revisions[stream] = revision
    return revision
  }
}

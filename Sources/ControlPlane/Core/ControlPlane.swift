public import Domain
public import EventStore
import Synchronization

/// The one place where commands become events.
///
/// Holds the configuration as the log has it, with the secrets that it needs in clear. A change is
/// decided, sealed, appended durably, applied, published, and only then answered: whoever got the
/// answer sees its effect in the next request. Changes are made one at a time.
public final class ControlPlane: Sendable {
  /// Takes the state after each change; runs in the order of the log and must not block.
  public typealias Publish = @Sendable (ControlState, [AccountID: Secret]) -> Void

  /// The log.
  public let store: EventStore
  /// What seals secrets and fingerprints keys.
  public let vault: Vault
  /// Accounts whose credential could not be opened because its data key was erased, sorted.
  public let lostCredentials: [AccountID]
  /// What opening folded, and from where.
  public let restoration: Restoration

  let edge: Edge
  let passwordCost: UInt8
  private let sideline = Sideline(label: "signalbox.vault", limit: 256)
  /// One at a time: each hash takes 32 MiB.
  let hashing = Sideline(label: "signalbox.password", limit: 16)
  /// Reads whole streams of the configuration, to see who wrote them.
  let streams = Sideline(label: "signalbox.streams", limit: 16)
  /// Compares what other nodes tell with all that is here.
  let syncing = Sideline(label: "signalbox.sync", limit: 16)
  private let publish: Publish
  private let turnstile = Turnstile(limit: 256)
  /// When a sync token was last used, in this life.
  let syncTokenUses = Mutex<[SyncTokenID: UnixNanoseconds]>([:])
  let current: Mutex<View>
  /// The log as opening found it, until the start is noted.
  private let opened: Mutex<GatewayProjection?>

  /// What the log says, folded through a position.
  struct View: Sendable {
    var state: ControlState
    /// What is sent upstream: API keys and access tokens.
    var secrets: [AccountID: Secret] = [:]
    /// Of credentials that are more than what is sent upstream: all of it.
    var materials: [AccountID: CredentialMaterial] = [:]
    /// Tokens that the other side of a sync uses and that nobody here knows, until it is found out whether they work.
    var candidates: [AccountID: CredentialMaterial] = [:]
    /// Of the providers' OAuth clients that have one.
    var clientSecrets: [ProviderID: Secret] = [:]
    /// Shown to the peer that this node exchanges with.
    var cloudToken: Secret?
    /// What the sync tokens that are accepted stand for.
    var syncKeys: [SyncTokenID: Secret] = [:]
    /// The administrator's password as `PasswordHash.encoded`.
    var password: Secret?
    /// The last position folded, of whatever kind.
    var folded: Position

    init(_ projection: GatewayProjection) {
      state = projection.state
      folded = Position(projection.position)
    }
  }

  /// How often a batch is decided anew when the log disagrees.
  private static let attempts = 4
  /// What one append takes.
  static let maximumEvents = 4096

  private init(
    store: EventStore, vault: Vault, edge: Edge, passwordCost: UInt8, view: View,
    lost: [AccountID], opened: GatewayProjection, restoration: Restoration,
    publish: @escaping Publish
  ) {
    self.store = store
    self.vault = vault
    self.edge = edge
    self.passwordCost = passwordCost
    self.publish = publish
    lostCredentials = lost
    self.restoration = restoration
    current = Mutex(view)
    self.opened = Mutex(opened)
  }

  /// Folds the log from its newest usable snapshot, opens the credentials in force, and publishes both once.
  ///
  /// - Parameter passwordCost: log2 of scrypt's cost for passwords set from now on.
  /// - Throws: `StoreError` (`.damaged`) that names all damage and how it is accepted, if there is any where
  ///   the log is folded; `ControlError.unreadable` for an event that cannot be decoded, `VaultError` for a
  ///   credential that does not open.
  public static func open(
    store: EventStore, vault: Vault, edge: Edge = .system, passwordCost: UInt8 = 15,
    publish: @escaping Publish
  ) throws -> ControlPlane {
    let (projection, restoration): (GatewayProjection, Restoration)
    do {
      (projection, restoration) = try GatewayProjection.restored(from: store.reader)
    } catch let error as ControlError {
      if case .damaged = error, let refusal = try store.refusal() { throw refusal }
      throw error
    }
    var view = View(projection)
    let lost = try view.unseal(store.reader, vault)
    publish(view.state, view.secrets)
    return ControlPlane(
      store: store, vault: vault, edge: edge, passwordCost: passwordCost, view: view, lost: lost,
      opened: projection, restoration: restoration, publish: publish)
  }

  /// All that the log tells now, beyond the configuration.
  func projection() throws -> GatewayProjection {
    var projection =
      try opened.withLock { $0 } ?? GatewayProjection.restored(from: store.reader).projection
    try projection.fold(store.reader)
    return projection
  }

  /// The start is noted: what opening found has served its purpose.
  func forgetOpened() { opened.withLock { $0 = nil } }

  /// The configuration after the last change that was answered.
  public var state: ControlState { current.withLock { $0.state } }

  /// Who a provider's accounts are, as far as a sign-in said.
  func identities(at provider: ProviderID) -> [AccountID: SignedInIdentity] {
    current.withLock { view in
      view.materials.filter { view.state.accounts[$0.key]?.provider == provider }
        .mapValues(\.signedIn)
    }
  }

  /// nil: there is no such account, or nothing is known in clear of its credential.
  func held(_ account: AccountID) -> Held? {
    current.withLock { view in
      guard let it = view.state.accounts[account],
        let material = view.materials[account]
          ?? view.secrets[account].map({ CredentialMaterial(access: $0) })
      else { return nil }
      return Held(
        credential: it.credential, material: material,
        client: view.state.providers[it.provider]?.oauth,
        clientSecret: view.clientSecrets[it.provider])
    }
  }

  /// The configuration, and the credentials known in clear, at one moment.
  func credentialsHeld() -> (ControlState, [AccountID: CredentialMaterial]) {
    let view = current.withLock { $0 }
    let bare = view.secrets.mapValues { CredentialMaterial(access: $0) }
    return (view.state, bare.merging(view.materials) { $1 })
  }

  /// Of a provider's OAuth client; nil: it has none.
  func clientSecret(of provider: ProviderID) -> Secret? {
    current.withLock { $0.clientSecrets[provider] }
  }

  /// Position of the administrator's password if this is it; nil if not, and while none was set.
  ///
  /// Takes some 100 ms on a thread of its own. Another password may be in force by then: what the
  /// answer permits must be bound to the position.
  func position(ofPassword password: Secret) async throws -> UInt64? {
    let (kept, position) = current.withLock {
      ($0.password, $0.state.settings.adminPasswordPosition)
    }
    guard let kept, let position else {
      // As long as a comparison takes: the time tells nobody that there is nothing to compare with.
      let cost = passwordCost
      _ = try await hashing.run { try PasswordHash.make(password, logCost: cost) }
      return nil
    }
    let matches = try await hashing.run { try PasswordHash(encoded: kept).matches(password) }
    return matches ? position : nil
  }

  /// The change that sets the administrator's password to another one.
  ///
  /// - Throws: `WeakPassword`.
  func passwordChange(_ password: Secret) async throws -> Change {
    if let flaw = WeakPassword(of: String(decoding: password.bytes, as: UTF8.self)) { throw flaw }
    let cost = passwordCost
    let hash = try await hashing.run { try PasswordHash.make(password, logCost: cost) }
    return Change(.settings(.setAdminPassword), secret: hash.encoded)
  }

  /// What a change led to.
  public struct Outcome: Sendable {
    /// The configuration with the change in it.
    public var state: ControlState
    /// Where the events stand; nil: it was already so, nothing was written.
    public var receipt: AppendReceipt?
    /// The events written, in order.
    public var events: [Event]
  }

  /// Makes changes: all of them, in one batch, or none.
  ///
  /// - Parameters:
  ///   - provenance: Who and why; recorded with each event.
  ///   - ifMatch: The revision that the first command's stream must have.
  ///   - build: Turns the state into changes; runs again when the log disagrees, so it must be pure.
  /// - Returns: When the events are durable and published.
  /// - Throws: `Refusal` (the rules say no), `ControlError`, `VaultError`, or what `build` throws.
  @discardableResult
  public func execute(
    provenance: Provenance, ifMatch: UInt64? = nil,
    _ build: @Sendable (ControlState) throws -> [Change]
  ) async throws -> Outcome {
    do {
      return try await turnstile.pass {
        for _ in 0..<Self.attempts {
          if let outcome = try await attempt(provenance, ifMatch, build) { return outcome }
        }
        throw ControlError.conflict
      }
    } catch is Turnstile.Full {
      throw ControlError.overloaded
    } catch is Sideline.Full {
      throw ControlError.overloaded
    }
  }

  /// Appends events that change no configuration (the gateway's own life), durably.
  @discardableResult
  public func record(
    _ events: [Event], provenance: Provenance = .system
  ) async throws -> AppendReceipt? {
    var receipt: AppendReceipt?
    let now = edge.now().rawValue
    var rest = events[...]
    while !rest.isEmpty {
      let drafts = rest.prefix(Self.maximumEvents).map { event in
        EventDraft(
          id: EventID(edge.mintID()), stream: event.stream, kind: event.kind, time: now,
          lookupKeys: event.lookupKeys, payload: encode(event, provenance))
      }
      rest = rest.dropFirst(Self.maximumEvents)
      do {
        receipt = try await store.append(AppendBatch(events: drafts), durability: .durable)
      } catch {
        throw ControlError.log(error)
      }
    }
    return receipt
  }

  // MARK: One attempt

  /// nil: the log is ahead of us; the view has caught up and the caller decides anew.
  private func attempt(
    _ provenance: Provenance, _ ifMatch: UInt64?,
    _ build: @Sendable (ControlState) throws -> [Change]
  ) async throws -> Outcome? {
    let view = current.withLock { $0 }
    let changes = try build(view.state)
    if let ifMatch, let first = changes.first {
      let revision = view.state.revision(ofStream: first.command.stream)
      if revision != ifMatch { throw Refusal.revisionMismatch(current: revision) }
    }
    let decided = try decide(changes.map(\.command), view.state)
    let proposals = zip(decided, changes).flatMap { events, change in
      events.map {
        Proposal(
          event: $0, secret: change.secret, provenance: change.provenance ?? provenance)
      }
    }
    guard !proposals.isEmpty else {
      return Outcome(state: view.state, receipt: nil, events: [])
    }
    guard proposals.count <= Self.maximumEvents else {
      throw ControlError.tooManyEvents(proposals.count)
    }

    let now = edge.now()
    let ids = proposals.map { _ in edge.mintID() }
    let drafts = try await sideline.run { [vault] in
      try zip(proposals, ids).map { proposal, id in
        try proposal.draft(id: id, time: now, vault: vault)
      }
    }
    var expected: [(stream: String, revision: ExpectedRevision)] = []
    var seen: Set<String> = []
    // Whoever opens the log writes to the gateway's own stream; nobody decides by its revision.
    for proposal in proposals
    where proposal.event.stream != gatewayStream && seen.insert(proposal.event.stream).inserted {
      expected.append(
        (proposal.event.stream, .exactly(Revision(proposal.event.expectedRevision))))
    }
    let receipt: AppendReceipt
    do throws(StoreError) {
      receipt = try await store.append(
        AppendBatch(events: drafts, expected: expected),
        durability: Self.durability(of: proposals.map(\.event.event)))
    } catch {
      guard error.code == .conflict else { throw ControlError.log(error) }
      try catchUp()
      return nil
    }

    var next = view
    for (offset, proposal) in proposals.enumerated() {
      next.apply(
        Recorded(
          position: receipt.first.rawValue + UInt64(offset), time: now,
          kind: proposal.event.event.kind, provenance: proposal.provenance,
          content: .event(proposal.event.event)), secret: proposal.secret)
    }
    next.folded = receipt.last
    let done = next
    current.withLock { $0 = done }
    // Nobody routes by who signed in.
    if done.state.position != view.state.position { publish(done.state, done.secrets) }
    return Outcome(state: done.state, receipt: receipt, events: proposals.map(\.event.event))
  }

  /// What is only known of accounts, and refused sign-ins, need not wait for the disk; all else must.
  private static func durability(of events: [Event]) -> Durability {
    let isLight = events.allSatisfy { event in
      switch event {
      case .health, .access(.loginRefused): true
      case _: false
      }
    }
    return isLight ? .written : .durable
  }

  /// Reads what others appended; rare, so that blocking this thread on the page cache is no matter.
  private func catchUp() throws {
    var view = current.withLock { $0 }
    try view.fold(store.reader)
    _ = try view.unseal(store.reader, vault)
    let done = view
    current.withLock { $0 = done }
    publish(done.state, done.secrets)
  }
}

/// An event that will be appended, with the secret that it seals.
private struct Proposal: Sendable {
  var event: ProposedEvent
  var secret: Secret?
  var provenance: Provenance

  func draft(id: UInt128, time: UnixNanoseconds, vault: Vault) throws -> EventDraft {
    var sealed: [UInt8] = []
    if let subject = sealSubject(event.event) {
      guard let secret else { throw ControlError.missingSecret(stream: event.stream) }
      sealed = try vault.seal(secret, subject: subject, event: id)
    }
    return EventDraft(
      id: EventID(id), stream: event.stream, kind: event.event.kind, time: time.rawValue,
      lookupKeys: event.event.lookupKeys, payload: encode(event.event, provenance),
      sealed: sealed)
  }
}

/// Under whose data key an event's secret is sealed; nil for events that carry none.
func sealSubject(_ event: Event) -> String? {
  switch event {
  case .credential(.issued(let fact)): "account/\(fact.account.rawValue)"
  case .credential(.refreshed(let fact)): "account/\(fact.account.rawValue)"
  case .provider(.oauthSet(let fact)) where fact.client?.secret != nil:
    "provider/\(fact.id.rawValue)"
  case .settings(.adminPasswordSet), .settings(.cloudTokenSet): "settings"
  case .syncToken(.issued(let fact)): fact.id.stream
  case .sync(.candidateKept(let fact)): "account/\(fact.account.rawValue)"
  case .credential, .settings, .provider, .account, .health, .model, .alias, .combo, .policy,
    .organisation, .key, .pricing, .access, .sync, .syncToken, .request, .gateway:
    nil
  }
}

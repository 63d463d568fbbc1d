import Crypto
import Domain
import EventStore

extension ControlPlane {
  /// What was taken in of a peer's document.
  struct SyncTaken: Sendable {
    /// Resources that are otherwise now than before.
    var streams: Set<String> = []
    var decisions = 0
    var conflicts = 0
    /// Whether anything was written.
    var isNews = false
  }

  /// Resources and credentials that are decided at once at first; halved where a batch would be too large.
  ///
  /// As many as go into one batch if each is one event: with each part everything that is configured is looked at anew.
  private static let syncPart = maximumEvents - 512
  /// Of one event, in bytes; the log takes a little more.
  fileprivate static let syncEventBytes = 1_000_000
  /// Of one batch's events about decisions, in bytes; the log takes a few more, for what they change.
  private static let syncBatchBytes = 4_000_000
  /// How often a decision is made beside the turnstile before it is made within.
  private static let syncTries = 3

  /// What is told to a peer, with fingerprints under the token's key.
  func told(under key: SymmetricKey, exchange: UInt128) -> SyncMessage.Told {
    let (state, held) = credentialsHeld()
    var document = state.document(secretsKey: vault.fingerprintKeyName, clock: edge.now())
    document.credentials = document.credentials.compactMap { holding in
      var holding = holding
      guard holding.terms != nil else { return holding }
      // One whose secret was lost here cannot be told, and says nothing.
      guard let material = held[holding.account] else { return nil }
      holding.terms?.fingerprint = key.syncFingerprint(material.encoded)
      return holding
    }
    return SyncMessage.Told(
      incarnation: state.identity?.incarnation ?? 0, exchange: exchange, document: document,
      materials: held)
  }

  /// Takes in what a peer told, in parts that each are one batch with the decisions about it.
  ///
  /// - Throws: `SyncRefusal`, with nothing of it taken; else what `execute` throws, with a beginning of it taken that
  ///   stands by itself.
  func take(
    _ told: SyncMessage.Told, from sender: Sender, under key: SymmetricKey
  ) async throws -> SyncTaken {
    let (document, secrets) = try own(told, key)
    let offer = SyncOffer(
      document: document, secrets: secrets, sender: sender, life: told.incarnation,
      exchange: told.exchange, secretsKey: vault.fingerprintKeyName)
    var taken = SyncTaken()
    var start = 0
    var size = Self.syncPart
    while true {
      let part = start..<min(start + size, document.count)
      if let step = try await take(offer, part, isFirst: !taken.isNews) {
        taken.add(step)
        start = part.upperBound
        if start == document.count { return taken }
      } else {
        guard size > 1 else { throw ControlError.tooManyEvents(Self.maximumEvents + 1) }
        size /= 2
      }
    }
  }

  /// The document with fingerprints as this store makes them, and the secrets by account.
  private func own(
    _ told: SyncMessage.Told, _ key: SymmetricKey
  ) throws -> (SyncDocument, [AccountID: Secret]) {
    var document = told.document
    var secrets: [AccountID: Secret] = [:]
    for index in document.credentials.indices {
      guard let terms = document.credentials[index].terms else { continue }
      let account = document.credentials[index].account
      guard let secret = told.materials[account]?.encoded,
        key.syncFingerprint(secret) == terms.fingerprint
      else { throw SyncRefusal.malformed(stream: "credential/\(account.rawValue)") }
      document.credentials[index].terms?.fingerprint = vault.fingerprint(secret)
      secrets[account] = secret
    }
    return (document, secrets)
  }

  /// nil: what is decided of so many resources goes into no batch or event.
  private func take(_ offer: SyncOffer, _ part: Range<Int>, isFirst: Bool) async throws
    -> SyncTaken?
  {
    for attempt in 1...Self.syncTries {
      let before = state
      let now = edge.now()
      let made = try await syncing.run { try offer.decide(part, before, now) }
      guard made.bytes <= Self.syncBatchBytes, made.largest <= Self.syncEventBytes else {
        return nil
      }
      guard !made.isEmpty else { return SyncTaken() }
      let known = attempt == Self.syncTries ? nil : before
      if let step = try await put(offer, part, made, decidedIn: known, isFirst: isFirst) {
        return step.isTooLarge ? nil : step.taken
      }
    }
    return nil
  }

  /// Appends a decision; nil: somebody edited something since it was made.
  ///
  /// - Parameter before: the state that it was made in; nil: it is made anew within the turnstile.
  private func put(
    _ offer: SyncOffer, _ part: Range<Int>, _ made: SyncPart, decidedIn before: ControlState?,
    isFirst: Bool
  ) async throws -> SyncStep? {
    let provenance = offer.sender.provenance(offer.exchange)
    let now = edge.now()
    do {
      let outcome = try await execute(provenance: provenance) { state in
        // Deciding takes a while with many resources: beside the others' edits where none came between.
        guard let before else {
          return try offer.decide(part, state, now).changes(offer, isFirst, state)
        }
        guard state.isSame(as: before) else { throw SyncPartStale() }
        return made.changes(offer, isFirst, state)
      }
      return SyncStep(taken: SyncTaken(outcome.events))
    } catch {
      if error is SyncPartStale { return nil }
      if let fault = error as? ControlError, fault.isTooManyEvents {
        return SyncStep(taken: SyncTaken(), isTooLarge: true)
      }
      throw error
    }
  }
}

/// Somebody edited something meanwhile.
private struct SyncPartStale: Error {}

/// What came of one part.
private struct SyncStep: Sendable {
  var taken: ControlPlane.SyncTaken
  var isTooLarge = false
}

/// What a peer told, ready to be decided about.
private struct SyncOffer: Sendable {
  var document: SyncDocument
  var secrets: [AccountID: Secret]
  var sender: Sender
  /// Incarnation of the directory that it was told from.
  var life: UInt64
  var exchange: UInt128
  var secretsKey: String

  var peer: String { sender.node.rawValue }

  func decide(
    _ part: Range<Int>, _ state: ControlState, _ now: UnixNanoseconds
  ) throws -> SyncPart {
    var reconciliation = try state.reconcile(
      document, part: part, peer: peer, life: life, exchange: exchange, secretsKey: secretsKey,
      now: now)
    if reconciliation.event == nil, part.upperBound == document.count,
      state.sync.peers[peer]?.failure != nil
    {
      // Nothing is new but that it works again.
      reconciliation.event = state.nothingNew(of: peer, exchange)
    }
    return SyncPart(reconciliation)
  }
}

/// What taking in some resources of a document comes to.
private struct SyncPart: Sendable {
  let reconciliation: Reconciliation
  /// What was decided, in events that the log takes.
  let decided: [SyncEvent.Reconciled]
  /// Of all events about what was decided, and of the largest one.
  let bytes: Int
  let largest: Int

  init(_ reconciliation: Reconciliation) {
    self.reconciliation = reconciliation
    decided = reconciliation.event?.split(bytes: ControlPlane.syncEventBytes / 2) ?? []
    let sizes = decided.map { encode(.sync(.reconciled($0)), .system).count }
    bytes = sizes.reduce(0, +)
    largest = sizes.max() ?? 0
  }

  var isEmpty: Bool {
    reconciliation.lifeBegan == nil && decided.isEmpty && reconciliation.conflicts.isEmpty
  }

  /// In one batch: that something came, what it changes, and last what was decided.
  func changes(_ offer: SyncOffer, _ isFirst: Bool, _ state: ControlState) -> [Change] {
    var changes = reconciliation.lifeBegan.map { [Change(.sync(.note(.lifeBegan($0))))] } ?? []
    if isFirst {
      let received = SyncEvent.Exchanged(
        peer: offer.peer, exchange: offer.exchange, streams: UInt64(offer.document.streams.count),
        credentials: UInt64(offer.document.credentials.count), clock: offer.document.clock,
        token: offer.sender.token)
      changes.append(Change(.sync(.note(.received(received)))))
    }
    for command in reconciliation.commands {
      if case .credential(.take(let account, _)) = command {
        changes.append(Change(command, secret: offer.secrets[account]))
        // What a call with the old one led to says nothing of the new one.
        if state.health[account]?.cooldown?.needsProof == true {
          changes += AdminService.endingCooldown(of: account, state)
        }
      } else {
        changes.append(Change(command))
      }
    }
    changes += reconciliation.conflicts.map { Change(.sync(.note(.conflict($0)))) }
    changes += decided.map { Change(.sync(.note(.reconciled($0)))) }
    return changes
  }
}

extension ControlError {
  fileprivate var isTooManyEvents: Bool {
    if case .tooManyEvents = self { true } else { false }
  }
}

extension ControlPlane.SyncTaken {
  fileprivate init(_ events: [Event]) {
    isNews = !events.isEmpty
    for event in events {
      switch event {
      case .sync(.reconciled(let it)):
        decisions += it.decisions.count
        conflicts += it.decisions.count(where: \.isConflict)
      case .sync(.conflict): conflicts += 1
      case .sync: break
      case _: streams.insert(event.stream)
      }
    }
  }

  fileprivate mutating func add(_ other: Self) {
    isNews = isNews || other.isNews
    streams.formUnion(other.streams)
    decisions += other.decisions
    conflicts += other.conflicts
  }
}

extension ControlState {
  /// That an exchange came to its end, where one before had not.
  func nothingNew(of peer: String, _ exchange: UInt128) -> SyncEvent.Reconciled {
    SyncEvent.Reconciled(peer: peer, exchange: exchange)
  }
}

extension ControlState {
  /// Whether a decision about what a peer told would be the same.
  fileprivate func isSame(as other: ControlState) -> Bool {
    position == other.position && identity == other.identity && sync == other.sync
  }
}

extension SyncMessage.Told {
  /// What is held, to be compared: the same of nodes that hold the same.
  func standing(under key: SymmetricKey) -> SyncMessage.Standing {
    let intent = document.encodedIntent()
    let held = document.encodedCredentials()
    return SyncMessage.Standing(
      incarnation: incarnation,
      digest: key.syncDigest("standing", key.syncDigest("intent", intent) + held))
  }
}

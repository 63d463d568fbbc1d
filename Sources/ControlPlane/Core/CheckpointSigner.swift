public import Domain
import EventStore
public import Logging
import Synchronization

/// Signs checkpoints of the log, beside the work and never in its way.
///
/// A checkpoint covers what is durable since the one before, at most 65,536 events, and is an event
/// itself. Each continues the chain from what was signed before: a log that is not the one that was
/// signed gets no new signature. What was signed last is known from the key's own file, not from the log
/// alone: else whoever rewrote the log between two lives would get it signed.
public final class CheckpointSigner: Sendable {
  /// Events that one checkpoint covers at most; a proof from it has at most 16 hashes.
  public static let spanEvents: UInt64 = 65_536
  /// Something new waits for its signature no longer than this.
  static let interval: Int64 = 600_000_000_000
  /// A failure is not repeated sooner.
  static let retry: Int64 = 60_000_000_000
  private static let look = Duration.seconds(5)
  /// How long a stop waits for signatures; what is left is signed at the next start.
  static let stopping = Duration.seconds(2)

  private let control: ControlPlane
  private let logger: Logger
  private let spanEvents: UInt64
  private let stopping: Duration
  private let sideline = Sideline(label: "signalbox.checkpoint", limit: 8)
  private let turnstile = Turnstile(limit: 8)
  private let state = Mutex(State())

  private struct State {
    /// nil: not read from the log yet.
    var ledger: Ledger?
    var key: CheckpointKey?
    /// When the interval is over, when a failure may be repeated, and when both were set: a clock that
    /// was set back must not put anything off.
    var due: Int64 = .min
    var notBefore: Int64 = .min
    var setAt: Int64 = .min
  }

  /// What the log's own checkpoints say.
  private struct Ledger {
    /// Everything through here is covered.
    var covered: UInt64 = 0
    /// Chain value there, as signed.
    var chain = Digest.zero
    /// The key of the newest checkpoint.
    var publicKey: [UInt8]?
    /// Where checkpoints stand that are not covered themselves: they are nothing new.
    var own: [UInt64] = []

    func news(through end: UInt64) -> UInt64 {
      guard end > covered else { return 0 }
      return end - covered - UInt64(own.count { $0 <= end })
    }
  }

  /// Events to be covered by one checkpoint.
  private struct Span {
    var previous: UInt64
    var position: UInt64
    var epoch: UInt64
    var chain: Digest
    var root: Digest
  }

  /// Signs with the vault of `control`; nothing happens before it is told to.
  public convenience init(control: ControlPlane, logger: Logger) {
    self.init(control: control, logger: logger, spanEvents: Self.spanEvents)
  }

  /// - Parameters:
  ///   - spanEvents: events that one checkpoint covers at most.
  ///   - stopping: how long a stop waits for signatures.
  init(
    control: ControlPlane, logger: Logger, spanEvents: UInt64, stopping: Duration = stopping
  ) {
    self.control = control
    self.logger = logger
    self.spanEvents = spanEvents
    self.stopping = stopping
  }

  /// Signs at once, then whenever it is time, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      let clock = ContinuousClock()
      let began = clock.now
      let isMore = await step()
      // A large backlog gets half of one core at most.
      let pause = isMore ? max(clock.now - began, .milliseconds(1)) : Self.look
      // A pause between looks, which only cancelling ends early; tests call `step`.
      do { try await Task.sleep(for: pause) } catch { return }
    }
  }

  /// Signs one span if it is time; a failure is logged and tried again later.
  ///
  /// - Returns: whether another span is due at once.
  @discardableResult
  func step() async -> Bool {
    let now = control.edge.now().rawValue
    let (isDue, isPaused) = state.withLock { state in
      now < state.setAt ? (true, false) : (now >= state.due, now < state.notBefore)
    }
    guard !isPaused else { return false }
    do {
      let ledger = try await readLedger()
      let end = control.store.lastDurable.rawValue
      let isFull = end > ledger.covered && end - ledger.covered >= spanEvents
      guard ledger.news(through: end) > 0, isDue || isFull else { return false }
      _ = try await signSpan(through: end)
      let left = state.withLock { $0.ledger?.news(through: end) ?? 0 }
      if left == 0 {
        state.withLock { ($0.setAt, $0.due) = (now, now + Self.interval) }
      }
      return isDue ? left > 0 : left >= spanEvents
    } catch {
      state.withLock { ($0.setAt, $0.notBefore) = (now, now + Self.retry) }
      logger.error(
        "no checkpoint could be signed; it is tried again", metadata: ["error": "\(error)"])
      return false
    }
  }

  /// Signs everything that is durable now and not covered yet.
  ///
  /// - Parameter limit: No further span is begun after this time; nil: no limit.
  /// - Returns: the newest checkpoint and how many were made; nil if there was nothing new.
  public func sign(
    within limit: Duration? = nil
  ) async throws -> (newest: GatewayEvent.CheckpointSigned, count: Int)? {
    let clock = ContinuousClock()
    let began = clock.now
    let end = control.store.lastDurable.rawValue
    // Also where nothing is new: a log that went back is covered by what it says of itself.
    try await sideline.run { [self] in _ = try keptKey() }
    var newest: GatewayEvent.CheckpointSigned?
    var count = 0
    while try await readLedger().news(through: end) > 0 {
      if let limit, clock.now - began > limit { break }
      guard let signed = try await signSpan(through: end) else { break }
      newest = signed
      count += 1
    }
    return newest.map { ($0, count) }
  }

  /// The last signatures of a life, after its last event; a failure is logged.
  public func finish() async {
    do {
      _ = try await sign(within: stopping)
    } catch {
      logger.error(
        "no checkpoint could be signed at the end; the next start does it",
        metadata: ["error": "\(error)"])
    }
  }

  // MARK: One span

  private func signSpan(through end: UInt64) async throws -> GatewayEvent.CheckpointSigned? {
    try await turnstile.pass {
      let ledger = try await readLedger()
      guard ledger.news(through: end) > 0 else { return nil }
      let (signed, span) = try await sideline.run { [self] in
        let key = try openKey(ledger.publicKey)
        let span = try nextSpan(after: ledger, through: end)
        return (try sign(span, with: key), span)
      }
      guard let receipt = try await control.record([.gateway(.checkpointSigned(signed))]) else {
        return nil
      }
      state.withLock {
        $0.ledger = Ledger(
          covered: span.position, chain: span.chain, publicKey: signed.publicKey,
          own: (ledger.own + [receipt.last.rawValue]).filter { $0 > span.position })
      }
      return signed
    }
  }

  private func nextSpan(after ledger: Ledger, through end: UInt64) throws -> Span {
    let reader = control.store.reader
    var previous = ledger.covered
    var last = min(end, previous + spanEvents)
    var leaves: [Digest]
    do throws(StoreError) {
      leaves = try reader.leaves(from: Position(previous + 1), through: Position(last))
    } catch {
      guard error.code == .damaged, let bad = error.position?.rawValue else { throw error }
      // What is before the damage is signed first; then it is passed over, and `previous` tells.
      if bad == previous + 1 {
        previous = try lastUnreadable(from: bad, through: end)
        last = min(end, previous + spanEvents)
      } else {
        last = bad - 1
      }
      leaves = try reader.leaves(from: Position(previous + 1), through: Position(last))
    }
    let chain = try reader.chainValue(at: Position(last))
    if previous == ledger.covered {
      guard leaves.reduce(ledger.chain, { $0.chain(with: $1) }) == chain else {
        throw ControlError.notAsSigned(
          position: Position(last),
          reason: "the chain does not follow from the checkpoint at \(ledger.covered): events were"
            + " changed since; ask `replay verify`")
      }
    }
    guard let event = try reader.event(at: Position(last)) else {
      throw ControlError.unreadable(position: Position(last), reason: "there is no such event")
    }
    return Span(
      previous: previous, position: last, epoch: event.epoch.rawValue, chain: chain,
      root: MerkleTree.root(of: leaves))
  }

  /// The last position of the damaged range that begins at `first`.
  private func lastUnreadable(from first: UInt64, through end: UInt64) throws -> UInt64 {
    var next: UInt64?
    try control.store.reader.scan(from: Position(first), through: Position(end)) { entry in
      guard case .event(let event) = entry else { return .continue }
      next = event.position.rawValue
      return .stop
    }
    guard let next else {
      throw ControlError.unreadable(position: Position(first), reason: "nothing readable follows")
    }
    return next - 1
  }

  private func sign(
    _ span: Span, with key: CheckpointKey
  ) throws -> GatewayEvent.CheckpointSigned {
    // Before the signature exists: there is none that is not remembered.
    try control.vault.remember(.init(position: span.position, chain: span.chain.bytes), with: key)
    var signed = GatewayEvent.CheckpointSigned(
      position: span.position, epoch: span.epoch, chain: span.chain.bytes, previous: span.previous,
      root: span.root.bytes, publicKey: key.publicKey, signature: [])
    signed.signature = try key.signature(over: signed.statement(store: control.store.storeID))
    return signed
  }

  private func openKey(_ before: [UInt8]?) throws -> CheckpointKey {
    if let key = state.withLock({ $0.key }) { return key }
    let key = try keptKey() ?? control.vault.makeCheckpointKey()
    state.withLock { $0.key = key }
    let metadata: Logger.Metadata = ["public-key": "\(hexadecimalText(key.publicKey))"]
    if let before, before != key.publicKey {
      logger.warning(
        "checkpoints are signed with another key from now on; tell whoever verifies them",
        metadata: metadata)
    } else {
      logger.notice(
        "checkpoints are signed with this key; keep it where this directory is not",
        metadata: metadata)
    }
    return key
  }

  /// The key, if there is one; the log is the one that it signed.
  private func keptKey() throws -> CheckpointKey? {
    if let key = state.withLock({ $0.key }) { return key }
    let kept = try control.vault.checkpointKey()
    if let signed = kept?.signed { try compare(signed) }
    return kept
  }

  // MARK: What was signed before

  /// - Throws: if the log is not the one that this was signed of.
  private func compare(_ signed: CheckpointKey.Signed) throws {
    let reader = control.store.reader
    let remedy =
      "; if you put another copy there yourself, remove keys/checkpoint.key: a new key is made, and"
      + " whoever verifies must be told"
    guard signed.position <= reader.last.rawValue else {
      throw ControlError.notAsSigned(
        position: reader.last.next,
        reason:
          "the log ends before position \(signed.position), through which this key signed it: its"
          + " end was cut off, or it is an older copy" + remedy)
    }
    do throws(StoreError) {
      guard try reader.chainValue(at: Position(signed.position)).bytes == signed.chain else {
        throw StoreError(.conflict, "")
      }
    } catch {
      switch error.code {
      case .conflict:
        throw ControlError.notAsSigned(
          position: Position(signed.position),
          reason:
            "the log is not the one that this key signed through here: events were changed, or it"
            + " is another one" + remedy)
      case .damaged:
        // Whoever runs the gateway has accepted that damage, else it would not run.
        logger.warning(
          "what was signed last cannot be read any more: it is not known whether the log is the same",
          metadata: ["position": "\(signed.position)"])
      default: throw error
      }
    }
  }

  private func readLedger() async throws -> Ledger {
    if let ledger = state.withLock({ $0.ledger }) { return ledger }
    let reader = control.store.reader
    let found = try await sideline.run {
      var ledger = Ledger()
      try reader.backwards(ofStream: gatewayStream) { stored in
        if ledger.publicKey != nil, stored.position.rawValue <= ledger.covered { return false }
        guard case .gateway(.checkpointSigned(let fact)) = try recorded(stored).event else {
          return true
        }
        if ledger.publicKey == nil {
          guard fact.position < stored.position.rawValue, let chain = Digest(bytes: fact.chain)
          else {
            throw ControlError.notAsSigned(
              position: stored.position, reason: "this checkpoint covers what was not there yet")
          }
          ledger = Ledger(covered: fact.position, chain: chain, publicKey: fact.publicKey)
        }
        ledger.own.append(stored.position.rawValue)
        return true
      }
      return ledger
    }
    return state.withLock {
      let ledger = $0.ledger ?? found
      $0.ledger = ledger
      return ledger
    }
  }
}

public import Domain
public import Logging
import Synchronization

/// Exchanges what nodes have in common with the other side that an operator named: on demand, soon after an edit here,
/// and from time to time.
///
/// One exchange at a time. What came to nothing is tried again, each time later; what came of it is in the log.
public final class SyncKeeper: Sendable {
  /// What can be asked for.
  enum Action: String, Sendable, CaseIterable {
    /// A first exchange; others follow by themselves if it came to its end.
    case enable
    /// One exchange now.
    case sync
    /// No more by itself, and the other side is to forget us.
    case disable
    /// Whether the other side is there.
    case check
  }

  /// What came of an action.
  enum Result: Sendable {
    case exchanged(SyncOutcome)
    /// What the other side said to that, and who was not told, by where it is.
    case disabled(SyncEvent.Farewell, untold: [String: String])
    /// Its name.
    case there(String)
  }

  /// From an edit here to the exchange that tells of it, so that several are told at once: 2 s.
  static let settling: Int64 = 2_000_000_000
  /// Edits that follow closely put the exchange off for no longer than this: 10 s.
  static let settlingMost: Int64 = 10_000_000_000
  /// The first pause after a failure, doubled with each: 2 s.
  static let pause: Int64 = 2_000_000_000
  /// The longest pause, unless the interval is longer: 5 min.
  static let pauseMost: Int64 = 300_000_000_000
  private static let look = Duration.seconds(1)

  /// Answers others.
  let desk: SyncDesk
  /// What exchanges came to.
  public let board = SyncBoard()
  private let control: ControlPlane
  private let endpoint: any TokenEndpoint
  private let probe: any AccountProbe
  private let logger: Logger
  private let turnstile = Turnstile(limit: 16)
  private let state = Mutex(State())

  private struct State {
    var mark: SyncMark?
    /// The first and the last look that found an edit which nobody was told of.
    var edited: (first: Int64, last: Int64)?
    var next: Int64 = 0
    var failures = 0
    var isClosed = false
    /// The exchange that somebody waits for who needs a newer credential.
    var bringing: Task<Void, Never>?
  }

  /// A keeper of what `control` shares; nothing is exchanged before `run`, except on demand and when others ask.
  ///
  /// - Parameter probe: finds out whether tokens that a system of the older protocol uses do work.
  public init(
    control: ControlPlane, endpoint: any TokenEndpoint, probe: any AccountProbe, logger: Logger
  ) {
    self.control = control
    self.endpoint = endpoint
    self.probe = probe
    self.logger = logger
    desk = SyncDesk(control: control, board: board, logger: logger)
  }

  /// Exchanges what is due, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      await step()
      // A pause between looks, which only cancelling ends early; tests call `step`.
      do { try await Task.sleep(for: Self.look) } catch { return }
    }
  }

  /// Begins no more exchanges, and returns when the one under way ended.
  public func finish() async {
    state.withLock { $0.isClosed = true }
    try? await turnstile.pass {}
  }

  /// Does what is due now, and returns when that is recorded.
  func step() async {
    guard let target = control.syncTarget else { return }
    let peers = control.state.sync.peers
    let enabled = Self.enabled(peers, target)
    let owing = peers.first { $0.value.owesRemoval && $0.value.url == target.url }?.key
    guard enabled != nil || owing != nil, isDue(target, isEnabled: enabled != nil) else { return }
    do {
      try await turnstile.pass {
        if enabled != nil {
          _ = try await exchange(target, expected: enabled, .sync)
        } else {
          try await finishLeaving(target)
        }
      }
      settle(target, failed: false)
    } catch {
      settle(target, failed: true)
    }
  }

  /// Does what an operator asks for.
  ///
  /// - Throws: `SyncFault`; it is in the log.
  func perform(_ action: Action, _ provenance: Provenance) async throws -> Result {
    do {
      return try await turnstile.pass {
        guard let target = control.syncTarget else {
          return try await performWithoutTarget(action, provenance)
        }
        return try await perform(action, target, provenance)
      }
    } catch is Turnstile.Full {
      throw SyncFault("sync_overloaded")
    }
  }

  /// Asks the other side for a newer credential than `presented`, where another node refreshes it.
  ///
  /// One exchange serves all who ask meanwhile. Of what this node refreshes itself, or nobody does, no other knows more.
  ///
  /// - Returns: whether a newer generation than `presented` is in force now.
  public func bring(_ account: AccountID, newerThan presented: UInt64) async -> Bool {
    let before = control.state
    guard let credential = before.accounts[account]?.credential, credential.canRefresh,
      !credential.isHome(of: before.sync.node)
    else { return false }
    let task = state.withLock { state -> Task<Void, Never>? in
      if let task = state.bringing { return task }
      guard !state.isClosed, let target = control.syncTarget, target.kind == .signalbox,
        Self.enabled(control.state.sync.peers, target) != nil
      else { return nil }
      let task = Task {
        _ = try? await self.perform(.sync, .system)
        self.state.withLock { $0.bringing = nil }
      }
      state.bringing = task
      return task
    }
    await task?.value
    return (control.state.accounts[account]?.credential.generation ?? 0) > presented
  }

  private func perform(
    _ action: Action, _ target: SyncTarget, _ provenance: Provenance
  ) async throws -> Result {
    switch action {
    case .check: return .there(try await partner(target).check())
    case .sync:
      let expected = Self.enabled(control.state.sync.peers, target)
      let outcome = try await exchange(target, expected: expected, .sync)
      settle(target, failed: false)
      return .exchanged(outcome)
    case .enable:
      let outcome = try await exchange(target, expected: nil, .enable)
      do throws(SyncFault) {
        try await partner(target).verify()
      } catch {
        await control.noteSyncFailure(error, of: outcome.peer, action: "enable")
        throw error
      }
      try await control.enable(outcome.peer, at: target.url, provenance)
      settle(target, failed: false)
      return .exchanged(outcome)
    case .disable:
      let farewell = await leave(target)
      let untold = try await control.disable(at: target.url, farewell, provenance)
      settle(target, failed: farewell == .owed)
      return .disabled(farewell, untold: untold)
    }
  }

  /// With nobody to ask any more, what is on record can still be ended.
  private func performWithoutTarget(
    _ action: Action, _ provenance: Provenance
  ) async throws -> Result {
    let isOn = control.state.sync.peers.values.contains { $0.isEnabled && !$0.url.isEmpty }
    guard action == .disable, isOn else { throw SyncFault("sync_not_configured") }
    return .disabled(.owed, untold: try await control.disable(at: nil, .owed, provenance))
  }

  private func leave(_ target: SyncTarget) async -> SyncEvent.Farewell {
    do throws(SyncFault) {
      return try await partner(target).leave()
    } catch {
      await tell(error, Self.enabled(control.state.sync.peers, target), .disable)
      return .owed
    }
  }

  /// Asks again whoever did not confirm that it is over.
  private func finishLeaving(_ target: SyncTarget) async throws {
    let farewell = await leave(target)
    guard farewell != .owed else { throw SyncFault("sync_copy_not_removed") }
    try await control.noteFarewell(at: target.url, farewell)
  }

  private func exchange(
    _ target: SyncTarget, expected: String?, _ action: Action
  ) async throws -> SyncOutcome {
    let mark = SyncMark(control.state)
    do throws(SyncFault) {
      let outcome = try await partner(target).exchange(expected: expected)
      board.began(.success(outcome), at: control.edge.now())
      state.withLock { state in
        state.mark = mark
        state.edited = nil
      }
      return outcome
    } catch {
      board.began(.failure(error), at: control.edge.now())
      await tell(error, expected, action)
      throw error
    }
  }

  private func tell(_ fault: SyncFault, _ expected: String?, _ action: Action) async {
    // Whoever answers may call itself anything, and each time anew: only who is known already has a record.
    let known = control.state.sync.peers
    let peer =
      expected ?? fault.peer.flatMap { known[$0] == nil ? nil : $0 } ?? SyncState.unnamedPeer
    logger.warning(
      "an exchange with another node came to nothing",
      metadata: ["peer": "\(peer)", "cause": "\(fault.code)"])
    await control.noteSyncFailure(fault, of: peer, action: action.rawValue)
  }

  /// The one place where protocols are told apart.
  private func partner(_ target: SyncTarget) throws(SyncFault) -> any SyncPartner {
    switch target.kind {
    case .signalbox:
      guard let token = SyncTokenText(target.token) else { throw SyncFault("sync_token_malformed") }
      return NodePartner(control: control, endpoint: endpoint, url: target.url, token: token)
    case .nineRouter:
      // A node's token opens its gateway, and goes to no worker as it is.
      guard SyncTokenText(target.token) == nil else { throw SyncFault("sync_token_malformed") }
      return MirrorPartner(control: control, endpoint: endpoint, probe: probe, target: target)
    }
  }

  private static func enabled(_ peers: [String: SyncPeer], _ target: SyncTarget) -> String? {
    peers.filter { $0.value.isEnabled && $0.value.url == target.url }.keys.min()
  }

  // MARK: When

  private func isDue(_ target: SyncTarget, isEnabled: Bool) -> Bool {
    let mark = SyncMark(control.state)
    let now = control.edge.now().rawValue
    return state.withLock { state in
      if state.isClosed { return false }
      // A clock that was set back puts nothing off for longer than an interval.
      let longest = max(target.intervalSeconds * 1_000_000_000, Self.pauseMost)
      if state.next > now &+ longest { state.next = now }
      if now >= state.next { return true }
      guard isEnabled, state.failures == 0, let known = state.mark else { return false }
      if known != mark {
        state.mark = mark
        state.edited = (state.edited?.first ?? now, now)
      }
      guard let edited = state.edited else { return false }
      return now &- edited.last >= Self.settling || now &- edited.first >= Self.settlingMost
    }
  }

  /// Sets the time of the next exchange, a little off, so that nodes do not all come together.
  private func settle(_ target: SyncTarget, failed: Bool) {
    let now = control.edge.now().rawValue
    let chance = Int64(control.edge.random() % 1_000)
    let interval = target.intervalSeconds * 1_000_000_000
    state.withLock { state in
      guard failed else {
        state.failures = 0
        state.next = now &+ interval - interval / 10_000 * chance
        return
      }
      state.failures = min(state.failures + 1, 32)
      let pause = min(
        Self.pause << Int64(min(state.failures - 1, 20)), max(interval, Self.pauseMost))
      state.next = now &+ pause - pause / 2_000 * chance
    }
  }
}

/// Tells whether anything was edited here, or a credential became another.
private struct SyncMark: Hashable {
  var clock: HybridClock
  var credentials: UInt64

  init(_ state: ControlState) {
    clock = state.sync.clock
    credentials = state.accounts.values.reduce(0) { sum, account in
      let version = account.credential.version
      return sum &+ version.generation &+ version.homeEpoch &<< 32
    }
  }
}

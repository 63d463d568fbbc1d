public import Domain
import EventStore
public import Logging
import Synchronization

/// Refreshes credentials: ahead of their end, when a provider refuses one, and when an operator wants it.
///
/// One refresh of an account at a time, and one of a family; whoever wants the same waits for it. Each begins with a
/// durable `credential.refresh_attempted` and what it brings is durable before its first use, so that after any crash
/// the log tells what may have happened.
public final class CredentialKeeper: Sendable {
  /// What became of a wish for a newer credential.
  public enum Result: Sendable {
    /// A generation newer than the one presented is in force.
    case newer(UInt64)
    /// There is none; a stable short word says why.
    case failed(code: String)
    /// The rules say that it must not be tried.
    case refused(Refusal)
    /// It is begun by itself, but not before this: another account of the client was refreshed, or is to be.
    case waits(until: UnixNanoseconds)
  }

  /// Refreshes under way at once.
  private static let concurrency = 16
  /// Longer than this nobody waits for an account's turn, in nanoseconds.
  private static let patience: Int64 = 5_000_000_000
  private static let look = Duration.seconds(1)

  private let control: ControlPlane
  let endpoint: any TokenEndpoint
  private let logger: Logger
  private let pause: @Sendable (Duration) async throws -> Void
  private let state = Mutex(State())

  private struct State {
    /// Those under way, by the generation presented.
    var flights: [AccountID: Flight] = [:]
    /// The last one of each family, while it goes on.
    var lanes: [String: Lane] = [:]
    var lanesEver: UInt64 = 0
    var isClosed = false
    /// Those that wait for their turn, so that `finish` need not.
    var pauses: [UInt64: Task<Void, Never>] = [:]
    var pausesEver: UInt64 = 0
    /// The log's routing position that the last plan was made of, and when it asks to look again.
    var planned: (position: UInt64, next: UnixNanoseconds?)?
  }

  private struct Lane {
    var number: UInt64
    var task: Task<Void, Never>
  }

  private struct Flight {
    var number: UInt64
    var generation: UInt64
    var task: Task<Result, Never>
  }

  /// A keeper of the credentials in `control`; nothing is refreshed before `run`, except on demand.
  ///
  /// - Parameter pause: how it waits, which tests do without time going by; throws when the task is cancelled.
  public init(
    control: ControlPlane, endpoint: any TokenEndpoint, logger: Logger,
    pause: @escaping @Sendable (Duration) async throws -> Void = {
      try await Task.sleep(for: $0)
    }
  ) {
    self.control = control
    self.endpoint = endpoint
    self.logger = logger
    self.pause = pause
  }

  /// Says of every attempt that an earlier life left open that nobody knows how it ended.
  ///
  /// To be called once, before anything is refreshed.
  public func recover() async throws {
    try await control.execute(provenance: .system) { state in
      state.accounts.values.filter { $0.credential.attempt != nil }.sorted { $0.id < $1.id }
        .map { Change(.credential(.recover($0.id))) }
    }
  }

  /// Refreshes what is due, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      await giveAway()
      begin()
      // A pause between looks, which only cancelling ends early; tests call `begin`.
      do { try await pause(Self.look) } catch { return }
    }
  }

  /// Begins no more refreshes, and returns when those under way ended; what only waits for its turn is given up.
  public func finish() async {
    while true {
      let (open, pauses) = state.withLock { state in
        state.isClosed = true
        return (state.flights.values.map(\.task), Array(state.pauses.values))
      }
      for pause in pauses { pause.cancel() }
      if open.isEmpty { return }
      for task in open { _ = await task.value }
    }
  }

  /// Gives away what another node refreshes for the sake of its family.
  func giveAway() async {
    guard !control.state.familyMoves().isEmpty else { return }
    do {
      try await control.execute(provenance: .system) { state in
        state.familyMoves().map { Change(.credential($0)) }
      }
    } catch {
      logger.warning("a credential could not be given away", metadata: ["cause": "\(error)"])
    }
  }

  /// Begins what is due now.
  func begin() {
    let configured = control.state
    let now = control.edge.now()
    let isIdle = state.withLock { state in
      guard let planned = state.planned, planned.position == configured.position else {
        return false
      }
      return planned.next.map { now < $0 } ?? true
    }
    if isIdle { return }
    let plan = configured.refreshPlan(at: now)
    let room = Self.concurrency - state.withLock { $0.flights.count }
    for refresh in plan.due.prefix(max(0, room)) {
      _ = flight(refresh.account, refresh.generation, refresh.cause, .system)
    }
    state.withLock { state in
      // What there was no room for is looked at again at once.
      state.planned = plan.due.isEmpty ? (configured.position, plan.next) : nil
    }
  }

  /// Gets a credential newer than the one presented: by a refresh, or because there is one.
  ///
  /// - Parameters:
  ///   - presented: the generation that was of no use.
  ///   - provenance: who wants it; whoever joins a refresh under way is not told of in the log.
  public func refresh(
    _ account: AccountID, presented: UInt64, cause: RefreshCause, provenance: Provenance
  ) async -> Result {
    let turn = turn(of: account)
    guard let task = flight(account, presented, cause, provenance) else {
      return .failed(code: "shutting_down")
    }
    // Whoever asks is not kept waiting for what is an hour away: it goes on without them.
    if let turn, turn.rawValue &- control.edge.now().rawValue > Self.patience {
      return .waits(until: turn)
    }
    return await task.value
  }

  /// When the account's turn in its family comes, if that is not now.
  private func turn(of account: AccountID) -> UnixNanoseconds? {
    let configured = control.state
    guard let held = configured.accounts[account], held.credential.attempt == nil,
      Self.hasTurn(held, configured)
    else { return nil }
    var wait = spacing(of: held, configured)
    if let oauth = configured.providers[held.provider]?.oauth, oauth.isSharedFamily {
      // Behind another one there is the whole pause to come.
      let isBehind = state.withLock { state in
        state.flights[account] == nil && state.lanes[oauth.family(of: held)] != nil
      }
      if isBehind { wait = max(wait, Int64(oauth.spacingSeconds) * 1_000_000_000) }
    }
    return wait > 0 ? UnixNanoseconds(control.edge.now().rawValue &+ wait) : nil
  }

  private func flight(
    _ account: AccountID, _ presented: UInt64, _ cause: RefreshCause, _ provenance: Provenance
  ) -> Task<Result, Never>? {
    let configured = control.state
    let held = configured.accounts[account]
    let family = held.flatMap { held in
      configured.providers[held.provider]?.oauth?.family(of: held)
    }
    return state.withLock { state in
      if let flight = state.flights[account], flight.generation >= presented { return flight.task }
      if state.isClosed { return nil }
      let lane = family ?? "account \(account.rawValue)"
      let before = state.lanes[lane]?.task
      state.lanesEver += 1
      let number = state.lanesEver
      let task = Task {
        await before?.value
        let result = await self.perform(account, presented, cause, provenance)
        self.state.withLock { state in
          if state.flights[account]?.number == number { state.flights[account] = nil }
          if state.lanes[lane]?.number == number { state.lanes[lane] = nil }
        }
        return result
      }
      state.flights[account] = Flight(number: number, generation: presented, task: task)
      state.lanes[lane] = Lane(number: number, task: Task { _ = await task.value })
      return task
    }
  }

  // MARK: One refresh

  private func perform(
    _ account: AccountID, _ presented: UInt64, _ cause: RefreshCause, _ provenance: Provenance
  ) async -> Result {
    await keepSpacing(of: account)
    if state.withLock({ $0.isClosed }) { return .failed(code: "shutting_down") }
    let now = control.edge.now()
    let number: UInt64
    do {
      let outcome = try await control.execute(provenance: provenance) { _ in
        [
          Change(
            .credential(.attempt(account, generation: presented, cause: cause, at: now)))
        ]
      }
      guard let held = outcome.state.accounts[account]?.credential else {
        return .failed(code: "unknown_account")
      }
      guard let attempt = held.attempt, !outcome.events.isEmpty else {
        return .newer(held.generation)
      }
      number = attempt.number
    } catch let refusal as Refusal {
      return .refused(refusal)
    } catch {
      // Not in the log: the provider is not called.
      tell("a refresh could not be noted, and was not begun", account, "\(error)")
      return .failed(code: "log_unavailable")
    }
    let (outcome, material) = await call(account, presented)
    return await settle(account, presented, number, outcome, material, provenance)
  }

  /// Two refreshes of one family do not follow too closely.
  private func keepSpacing(of account: AccountID) async {
    let configured = control.state
    guard let held = configured.accounts[account], Self.hasTurn(held, configured) else { return }
    let wait = spacing(of: held, configured)
    if wait > 0 { await keepTurn(.nanoseconds(wait)) }
  }

  /// Whether a turn comes for the account here: what another node refreshes is refused at once.
  private static func hasTurn(_ held: Account, _ configured: ControlState) -> Bool {
    guard held.credential.isHome(of: configured.node) else { return false }
    // One that was refused is presented again where an operator wants it.
    if case .reauthRequired = held.credential.standing { return true }
    return configured.mayRefresh(held)
  }

  /// How long the account's family still pauses, in nanoseconds; 0: it does not.
  private func spacing(of held: Account, _ configured: ControlState) -> Int64 {
    guard let oauth = configured.providers[held.provider]?.oauth, oauth.spacingSeconds > 0
    else { return 0 }
    let family = oauth.family(of: held)
    let last = configured.accounts.values.reduce(Int64.min) { last, other in
      guard let client = configured.providers[other.provider]?.oauth,
        client.family(of: other) == family
      else { return last }
      return max(last, other.credential.attemptedAt?.rawValue ?? .min)
    }
    guard last > .min else { return 0 }
    let spacing = Int64(oauth.spacingSeconds) * 1_000_000_000
    let wait = last &+ spacing &- control.edge.now().rawValue
    // The provider's own pause between two of a family, and not ours to shorten: it takes closer ones for theft. A clock
    // that was set back makes nobody wait for longer than that.
    return max(0, min(wait, spacing))
  }

  /// Waits, or until `finish`.
  private func keepTurn(_ wait: Duration) async {
    let task = Task { _ = try? await pause(wait) }
    let number = state.withLock { state in
      state.pausesEver += 1
      state.pauses[state.pausesEver] = task
      if state.isClosed { task.cancel() }
      return state.pausesEver
    }
    await task.value
    state.withLock { $0.pauses[number] = nil }
  }

  /// Calls the provider; the material is what is in force from now on if it gave a token.
  private func call(
    _ account: AccountID, _ presented: UInt64
  ) async -> (RefreshOutcome, CredentialMaterial?) {
    guard let held = control.held(account), held.credential.generation == presented,
      let client = held.client,
      case let refresh = TokenRefresh(client: client, clientSecret: held.clientSecret),
      let request = refresh.request(held.material)
    else {
      return (RefreshOutcome(.notSent(code: "superseded")), nil)
    }
    switch refresh.finding(await endpoint.send(request), now: control.edge.now()) {
    case .nothing(let outcome): return (outcome, nil)
    case .token(let newer, let life):
      let material = held.material.renewed(by: newer)
      let now = control.edge.now().rawValue
      return (
        .succeeded(
          fingerprint: control.vault.fingerprint(material.encoded),
          expiresAt: life.map { UnixNanoseconds(now + $0 * 1_000_000_000) }), material
      )
    }
  }

  /// Writes down how it ended.
  ///
  /// A token that is not in the log is not used, and not given up as long as the log may take it.
  private func settle(
    _ account: AccountID, _ presented: UInt64, _ number: UInt64, _ outcome: RefreshOutcome,
    _ material: CredentialMaterial?, _ provenance: Provenance
  ) async -> Result {
    let at = control.edge.now()
    let settlement = CredentialCommand.Settlement(
      attempt: number, generation: presented, outcome: outcome, at: at)
    while true {
      do {
        let done = try await control.execute(provenance: provenance) { state in
          guard state.accounts[account] != nil else { return [] }
          var changes = [
            Change(.credential(.settle(account, settlement)), secret: material?.encoded)
          ]
          // What a call with the old token led to says nothing of the new one.
          if material != nil, state.health[account]?.cooldown?.needsProof == true {
            changes += AdminService.endingCooldown(of: account, state)
          }
          return changes
        }
        return result(account, presented, outcome, done.state)
      } catch {
        tell("the end of a refresh could not be noted", account, "\(error)")
        guard mayPass(error) else { return .failed(code: "log_unavailable") }
        // Until the disk may have room again: the provider has given the old token up for this one.
        try? await pause(.seconds(1))
        if state.withLock({ $0.isClosed }) { return .failed(code: "log_unavailable") }
      }
    }
  }

  private func result(
    _ account: AccountID, _ presented: UInt64, _ outcome: RefreshOutcome, _ state: ControlState
  ) -> Result {
    guard let held = state.accounts[account]?.credential else {
      return .failed(code: "unknown_account")
    }
    if held.generation > presented { return .newer(held.generation) }
    switch outcome {
    case .succeeded: return .newer(held.generation)
    case .rejected(let code):
      tell("a provider refused a refresh token; sign in again", account, code)
      return .failed(code: code)
    case .failed(let code, _, _):
      tell("a credential could not be refreshed", account, code)
      return .failed(code: code)
    }
  }

  /// Whether the log may take it a little later.
  private func mayPass(_ error: any Error) -> Bool {
    guard let error = error as? ControlError else { return false }
    switch error {
    case .conflict, .overloaded: return true
    case .log(let error): return error.code == .full || error.code == .overloaded
    case _: return false
    }
  }

  private func tell(_ text: String, _ account: AccountID, _ cause: String) {
    logger.warning(
      "\(text)", metadata: ["account": "\(account.rawValue)", "cause": "\(cause)"])
  }
}

extension ControlPlane {
  /// A credential with all that a refresh of it needs, as they stand at one moment.
  struct Held {
    var credential: Credential
    var material: CredentialMaterial
    var client: OAuthClient?
    var clientSecret: Secret?
  }
}

import Domain
import Synchronization

/// What traffic alone says of accounts and groups, shared by all loops; it outlives routing views and is lost
/// with the process.
///
/// Asked only where a decision needs it: requests by fill-first to healthy accounts touch nothing here but one
/// flag. As large as the configuration it serves, and bounded beyond.
final class AccountGauges: Sendable {
  /// A permit is over after this long, in nanoseconds, whatever became of its request: another may try then.
  static let permitNanoseconds: Int64 = 10_000_000_000
  /// Groups and accounts known at a time; of more nothing is kept.
  static let knownMax = 65_536

  /// The right to be the one request that finds out whether an account serves again.
  struct Permit: Sendable, Hashable {
    var account: AccountID
    var scope: CooldownScope
    fileprivate var number: UInt64
    fileprivate var until: Int64
  }

  /// Counts the requests of a group, so that they take turns.
  final class Turns: Sendable {
    private let next = Atomic<UInt64>(0)

    /// The next place in the order.
    func take() -> UInt64 { next.wrappingAdd(1, ordering: .relaxed).oldValue }
  }

  private struct Latency {
    var microseconds: UInt64
    var at: Int64
  }

  private struct State {
    var turns: [String: Turns] = [:]
    var permits: [AccountID: [Permit]] = [:]
    var lastPermit: UInt64 = 0
    var suspects: Set<AccountID> = []
    var latencies: [AccountID: Latency] = [:]
  }

  private let state = Mutex(State())
  private let suspectCount = Atomic<Int>(0)

  // MARK: Turns

  /// The counter of a group; nil: there are too many groups.
  ///
  /// Loops keep what they got.
  func turns(of group: String) -> Turns? {
    state.withLock { state in
      if let known = state.turns[group] { return known }
      guard state.turns.count < Self.knownMax else { return nil }
      let new = Turns()
      state.turns[group] = new
      return new
    }
  }

  // MARK: Probes

  /// Whether nobody holds a permit that stands against a request for this model of the account.
  func isProbeFree(_ account: AccountID, model: String, now: Int64) -> Bool {
    state.withLock { state in
      !(state.permits[account] ?? []).contains {
        $0.until > now && ($0.scope == .account || $0.scope == .model(model))
      }
    }
  }

  /// Takes the permit for a scope that is half-open; nil: somebody was faster.
  func takePermit(_ account: AccountID, _ scope: CooldownScope, now: Int64) -> Permit? {
    state.withLock { state in
      var held = (state.permits[account] ?? []).filter { $0.until > now }
      guard !held.contains(where: { $0.scope == .account || $0.scope == scope }) else { return nil }
      state.lastPermit += 1
      let permit = Permit(
        account: account, scope: scope, number: state.lastPermit,
        until: now + Self.permitNanoseconds)
      held.append(permit)
      state.permits[account] = held
      return permit
    }
  }

  /// Gives a permit back; one that is over already may be another's by now, which stays.
  func giveBack(_ permit: Permit) {
    state.withLock { state in
      let rest = (state.permits[permit.account] ?? []).filter { $0.number != permit.number }
      state.permits[permit.account] = rest.isEmpty ? nil : rest
    }
  }

  // MARK: Suspects

  /// The account failed: its next success is worth a report.
  func suspect(_ account: AccountID) {
    state.withLock { state in
      guard state.suspects.count < Self.knownMax, state.suspects.insert(account).inserted else {
        return
      }
      suspectCount.store(state.suspects.count, ordering: .relaxed)
    }
  }

  /// Whether the account failed since its last success, and forgets it.
  func clear(_ account: AccountID) -> Bool {
    guard suspectCount.load(ordering: .relaxed) > 0 else { return false }
    return state.withLock { state in
      guard state.suspects.remove(account) != nil else { return false }
      suspectCount.store(state.suspects.count, ordering: .relaxed)
      return true
    }
  }

  // MARK: Latency

  /// A figure counts half as much with each of these, so that a slow account is tried again, in nanoseconds.
  private static let halfLife: Int64 = 10_000_000_000

  /// Smoothed microseconds to the first byte; 0: not known, or too long ago.
  func latency(of account: AccountID, now: Int64) -> UInt64 {
    state.withLock { state in
      guard let latency = state.latencies[account] else { return 0 }
      return Self.decayed(latency, now)
    }
  }

  /// Takes in how long an answer took to its first byte.
  func note(latency microseconds: UInt64, of account: AccountID, now: Int64) {
    state.withLock { state in
      guard let latency = state.latencies[account] else {
        if state.latencies.count < Self.knownMax {
          state.latencies[account] = Latency(microseconds: microseconds, at: now)
        }
        return
      }
      let old = Self.decayed(latency, now)
      let smoothed = old == 0 ? microseconds : old - old / 8 + microseconds / 8
      state.latencies[account] = Latency(microseconds: smoothed, at: now)
    }
  }

  private static func decayed(_ latency: Latency, _ now: Int64) -> UInt64 {
    latency.microseconds >> UInt64(min(63, max(0, now - latency.at) / halfLife))
  }
}

/// What one decision asks of live state, with a note of what it was told.
struct LiveSource: LocalSource {
  private(set) var noted = LocalInputs()
  /// The request's place in the order, once it was drawn: its retries keep it.
  private(set) var place: UInt64?
  private let context: LoopContext

  init(_ context: LoopContext, place: UInt64?) {
    self.context = context
    self.place = place
  }

  mutating func cursor(of group: String) -> UInt64? {
    if place == nil { place = context.turn(of: group) }
    noted.cursor = place
    return place
  }

  mutating func isProbeFree(_ account: AccountID, model: String) -> Bool {
    let now = context.plane.clock.monotonicNanoseconds
    if context.plane.gauges.isProbeFree(account, model: model, now: now) { return true }
    if !noted.heldProbes.contains(account) { noted.heldProbes.append(account) }
    return false
  }

  mutating func latency(of account: AccountID) -> UInt64 {
    let now = context.plane.clock.monotonicNanoseconds
    let figure = context.plane.gauges.latency(of: account, now: now)
    noted.latencies.append(.init(account: account, microseconds: figure))
    return figure
  }
}

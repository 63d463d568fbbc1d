public import Domain
import Synchronization

/// Where limits and budgets are counted, for all loops at once.
///
/// Called on event loops, so it must not block on anything outside the process: a store that several nodes
/// share answers from shares that it fetched before.
protocol LimitStore: AnyObject, Sendable {
  /// What a key and its organisation are counted in, under the limits in force at a snapshot.
  func counters(
    of key: Key, organisation: Organisation?, position: UInt64, monotonic: Int64
  ) -> KeyLimits
  /// Lets a request in or refuses it; a refused one takes nothing anywhere.
  func admit(_ request: LimitedRequest, _ limits: KeyLimits) -> LimitAnswer
  /// A request that was let in went nowhere: it takes nothing.
  func withdraw(_ grant: LimitGrant, monotonic: Int64)
  /// A request that was let in has ended.
  ///
  /// - Parameters:
  ///   - cost: what the log will tell as well.
  ///   - tokens: what the rate of tokens is charged with.
  func settle(_ grant: LimitGrant, cost: Spend, tokens: UInt64, monotonic: Int64)
  /// A request that no limit held has ended.
  func count(_ cost: Spend, receivedAt: UnixNanoseconds, _ limits: KeyLimits)
  /// The longest of the answers that a model gave the organisation lately, in tokens; nil: it gave none.
  func lately(_ model: PriceID, _ limits: KeyLimits) -> UInt64?
  /// Takes in how long an answer of a model was.
  func observe(_ output: UInt64, of model: PriceID, _ limits: KeyLimits)
}

/// What a limit must know of a request.
struct LimitedRequest: Sendable {
  var receivedAt: UnixNanoseconds
  var monotonic: Int64
  /// What it may cost.
  var estimate: SpendEstimate
}

/// The counters of a key and of its organisation.
///
/// One for each loop and snapshot; what they count in is shared.
final class KeyLimits: Sendable {
  let organisation: LimitCounter
  let key: LimitCounter
  /// Whether anything is limited at all.
  let isLimited: Bool
  /// Whether there is a budget: then a request is in the log before its first call.
  let isBudgeted: Bool

  init(
    organisation: LimitCounter, key: LimitCounter, isLimited: Bool, isBudgeted: Bool
  ) {
    self.organisation = organisation
    self.key = key
    self.isLimited = isLimited
    self.isBudgeted = isBudgeted
  }
}

/// What one key or organisation uses.
final class LimitCounter: Sendable {
  struct State {
    /// Of the snapshot whose limits are in force.
    var position: UInt64
    var rates: RateState
    var budget: BudgetState
    /// How long answers were; of organisations, because one's long answers are no other's concern.
    var outputs: [PriceID: LatelySeen] = [:]
  }

  let state: Mutex<State>

  init(spent: Ledger.Entry, monotonic: Int64) {
    state = Mutex(
      State(
        position: 0, rates: RateState(.none, now: monotonic), budget: BudgetState([], spent: spent))
    )
  }

  /// Takes on what a snapshot says, unless a later one was heard already: loops do not turn at once.
  func update(_ limits: Limits, _ budgets: [Budget], position: UInt64, monotonic: Int64) {
    state.withLock { state in
      guard position >= state.position else { return }
      state.position = position
      state.rates.change(to: limits, now: monotonic)
      state.budget.change(to: budgets)
    }
  }
}

/// What a limit said of a request.
struct LimitAnswer: Sendable {
  var verdict: Verdict
  /// What held and was used when the request came, for the log.
  var readings: [LimitReading]
  /// What is left with the request counted, for the client.
  var headers: LimitHeaders

  enum Verdict: Sendable {
    case granted(LimitGrant)
    case refused(LimitRefusal)
  }
}

/// That a request was let in, and what it holds.
struct LimitGrant: Sendable {
  var limits: KeyLimits
  /// nil: it is under no budget.
  var reserve: Spend?
  /// What it may cost; known where something is counted in tokens or money.
  var estimate: SpendEstimate
  var organisation: BudgetState.Reservation?
  var key: BudgetState.Reservation?
  var receivedAt: UnixNanoseconds
}

/// Which limit lets a request not in, and why.
struct LimitRefusal: Sendable, Hashable {
  var scope: LimitReading.Scope
  var cause: Cause

  enum Cause: Sendable, Hashable {
    case rate(RateDenial)
    case reserved(BudgetRoom)
    case exceeded(BudgetRoom)
  }
}

/// Counts in this process's memory; begins with what the log tells.
public final class Limiter: LimitStore {
  private let counters = Mutex<[LimitScope: LimitCounter]>([:])
  private let ledger: Mutex<[LimitScope: Ledger.Entry]>

  /// An organisation's models beyond this many are estimated as if they had never answered.
  private static let modelsMax = 256

  /// A limiter that goes on where the log's fold ends.
  public init(_ ledger: Ledger) { self.ledger = Mutex(ledger.entries) }

  private func counter(_ scope: LimitScope, _ monotonic: Int64) -> LimitCounter {
    counters.withLock { counters in
      if let counter = counters[scope] { return counter }
      let spent = ledger.withLock { $0.removeValue(forKey: scope) }
      let counter = LimitCounter(spent: spent ?? Ledger.Entry(), monotonic: monotonic)
      counters[scope] = counter
      return counter
    }
  }

  func counters(
    of key: Key, organisation: Organisation?, position: UInt64, monotonic: Int64
  ) -> KeyLimits {
    let ofOrganisation = counter(.organisation(key.organisation), monotonic)
    let ofKey = counter(.key(key.id), monotonic)
    let limits = organisation?.limits ?? .none
    let budgets = organisation?.budgets ?? []
    ofOrganisation.update(limits, budgets, position: position, monotonic: monotonic)
    ofKey.update(key.limits, key.budgets, position: position, monotonic: monotonic)
    let isBudgeted = !budgets.isEmpty || !key.budgets.isEmpty
    return KeyLimits(
      organisation: ofOrganisation, key: ofKey,
      isLimited: isBudgeted || limits != .none || key.limits != .none, isBudgeted: isBudgeted)
  }

  func admit(_ request: LimitedRequest, _ limits: KeyLimits) -> LimitAnswer {
    // The organisation's lock is always taken first.
    limits.organisation.state.withLock { organisation in
      limits.key.state.withLock { key in
        Self.admit(request, limits, &organisation, &key)
      }
    }
  }

  private static func admit(
    _ request: LimitedRequest, _ limits: KeyLimits, _ organisation: inout LimitCounter.State,
    _ key: inout LimitCounter.State
  ) -> LimitAnswer {
    let now = request.monotonic
    let ofOrganisation = organisation.budget.rooms(at: request.receivedAt)
    let rooms = ofOrganisation + key.budget.rooms(at: request.receivedAt)
    func scope(_ room: Int) -> LimitReading.Scope {
      room < ofOrganisation.count ? .organisation : .key
    }
    var readings = organisation.rates.readings(at: now).map { LimitReading($0, .organisation) }
    readings += key.rates.readings(at: now).map { LimitReading($0, .key) }
    readings += rooms.enumerated().map { LimitReading($1, scope($0)) }
    func answer(_ verdict: LimitAnswer.Verdict) -> LimitAnswer {
      LimitAnswer(
        verdict: verdict, readings: readings,
        headers: LimitHeaders(
          organisation.rates.readings(at: now) + key.rates.readings(at: now)))
    }
    func refuse(
      _ scope: LimitReading.Scope, _ cause: LimitRefusal.Cause
    ) -> LimitAnswer {
      answer(.refused(LimitRefusal(scope: scope, cause: cause)))
    }

    let verdict = BudgetRoom.decide(request.estimate, rooms: rooms)
    // What lasts longest is told first.
    if case .exceeded(let room) = verdict { return refuse(scope(room), .exceeded(rooms[room])) }
    let denials = [
      (LimitReading.Scope.organisation, organisation.rates.denial(at: now)),
      (.key, key.rates.denial(at: now)),
    ].compactMap { scope, denial in denial.map { (scope, $0) } }
    if let (scope, denial) = denials.max(by: { $0.1.waitNanoseconds < $1.1.waitNanoseconds }) {
      return refuse(scope, .rate(denial))
    }
    var grant = LimitGrant(
      limits: limits, estimate: request.estimate, receivedAt: request.receivedAt)
    switch verdict {
    case .exceeded: break
    case .reserved(let room): return refuse(scope(room), .reserved(rooms[room]))
    case .admitted(let reserve):
      guard !rooms.isEmpty else { break }
      grant.reserve = reserve
      grant.organisation = organisation.budget.reserve(reserve, receivedAt: request.receivedAt)
      grant.key = key.budget.reserve(reserve, receivedAt: request.receivedAt)
    }
    organisation.rates.begin(at: now)
    key.rates.begin(at: now)
    return answer(.granted(grant))
  }

  func withdraw(_ grant: LimitGrant, monotonic: Int64) {
    func withdraw(_ counter: LimitCounter, _ reservation: BudgetState.Reservation?) {
      counter.state.withLock { state in
        state.rates.withdraw(at: monotonic)
        if let reservation { state.budget.settle(reservation, cost: .zero) }
      }
    }
    withdraw(grant.limits.organisation, grant.organisation)
    withdraw(grant.limits.key, grant.key)
  }

  func settle(_ grant: LimitGrant, cost: Spend, tokens: UInt64, monotonic: Int64) {
    func settle(_ counter: LimitCounter, _ reservation: BudgetState.Reservation?) {
      counter.state.withLock { state in
        state.rates.end(tokens: tokens, at: monotonic)
        if let reservation {
          state.budget.settle(reservation, cost: cost)
        } else {
          state.budget.settle(cost, receivedAt: grant.receivedAt)
        }
      }
    }
    settle(grant.limits.organisation, grant.organisation)
    settle(grant.limits.key, grant.key)
  }

  func count(_ cost: Spend, receivedAt: UnixNanoseconds, _ limits: KeyLimits) {
    guard cost != .zero else { return }
    for counter in [limits.organisation, limits.key] {
      counter.state.withLock { $0.budget.settle(cost, receivedAt: receivedAt) }
    }
  }

  func lately(_ model: PriceID, _ limits: KeyLimits) -> UInt64? {
    limits.organisation.state.withLock { $0.outputs[model]?.greatest }
  }

  func observe(_ output: UInt64, of model: PriceID, _ limits: KeyLimits) {
    limits.organisation.state.withLock { state in
      guard state.outputs[model] == nil else {
        state.outputs[model]?.observe(output)
        return
      }
      if state.outputs.count < Self.modelsMax { state.outputs[model] = LatelySeen(output) }
    }
  }

  /// What a key or an organisation uses at a moment.
  ///
  /// - Parameter budgets: Those in force, whose timezones say when a day and a month begin.
  public func usage(
    of scope: LimitScope, budgets: [Budget], at now: UnixNanoseconds
  ) -> LimitUsage {
    let known = counters.withLock { $0[scope] }
    let (underWay, counted) =
      known?.state.withLock { ($0.rates.underWay, $0.budget) }
      ?? (0, BudgetState([], spent: ledger.withLock { $0[scope] } ?? Ledger.Entry()))
    var budget = counted
    budget.change(to: budgets)
    return LimitUsage(
      underWay: underWay, day: budget.usage(.day, at: now), month: budget.usage(.month, at: now))
  }
}

extension LimitReading {
  fileprivate init(_ rate: RateReading, _ scope: Scope) {
    let measure: Measure =
      switch rate.rule {
      case .requestsPerSecond: .requestsPerSecond
      case .requestsPerMinute: .requestsPerMinute
      case .tokensPerMinute: .tokensPerMinute
      case .concurrency: .concurrency
      }
    self.init(scope: scope, measure: measure, limit: rate.limit, used: rate.limit - rate.remaining)
  }

  fileprivate init(_ room: BudgetRoom, _ scope: Scope) {
    let measure: Measure =
      switch (room.unit, room.period) {
      case (.microUSD, .day): .moneyPerDay
      case (.microUSD, .month): .moneyPerMonth
      case (.tokens, .day): .tokensPerDay
      case (.tokens, .month): .tokensPerMonth
      }
    let (used, isOver) = room.used.addingReportingOverflow(room.reserved)
    self.init(
      scope: scope, measure: measure, limit: room.limit, used: isOver ? .max : used,
      reserved: room.reserved)
  }
}

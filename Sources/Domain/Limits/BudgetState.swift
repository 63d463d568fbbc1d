/// What of a key's or an organisation's budgets is spent and held for requests under way.
///
/// A reservation counts against every window until it is settled; when a window is over, what was held in
/// it holds nothing in the next one, to which its request will not be counted either.
public struct BudgetState: Sendable, Hashable {
  /// The budgets in force.
  public private(set) var budgets: [Budget]
  /// What was spent, as the log's fold tells it too.
  public private(set) var spent: Ledger.Entry
  private var day = Held()
  private var month = Held()

  /// What requests under way hold in the window that begins at `start`.
  private struct Held: Sendable, Hashable {
    var start: UnixNanoseconds?
    var amount = Spend.zero
  }

  /// What one request holds.
  public struct Reservation: Sendable, Hashable {
    /// How much.
    public var amount: Spend
    /// When its request was received.
    public var receivedAt: UnixNanoseconds
    fileprivate var day: UnixNanoseconds?
    fileprivate var month: UnixNanoseconds?
  }

  /// Begins with what the log tells.
  public init(_ budgets: [Budget], spent: Ledger.Entry = Ledger.Entry()) {
    self.budgets = budgets
    self.spent = spent
  }

  /// What is spent and held in the window of a period that `now` is in, whatever its budget.
  public func usage(_ period: Budget.Period, at now: UnixNanoseconds) -> PeriodUsage {
    let window = window(period, at: now)
    return PeriodUsage(
      used: spent[period].map { $0.start == window.start ? $0.used : .zero } ?? .zero,
      reserved: held(period, in: window.start), resetsAt: window.end)
  }

  /// Takes on other budgets; what is spent and held stays so.
  public mutating func change(to budgets: [Budget]) { self.budgets = budgets }

  /// What each amount of each budget has at `now`.
  public func rooms(at now: UnixNanoseconds) -> [BudgetRoom] {
    budgets.flatMap { budget -> [BudgetRoom] in
      let usage = usage(budget.period, at: now)
      func room(_ unit: BudgetUnit, _ limit: UInt64?) -> BudgetRoom? {
        guard let limit else { return nil }
        return BudgetRoom(
          period: budget.period, unit: unit, limit: limit, used: usage.used[unit],
          reserved: usage.reserved[unit], resetsAt: usage.resetsAt)
      }
      return [room(.microUSD, budget.microUSD), room(.tokens, budget.tokens)].compactMap(\.self)
    }
  }

  /// Holds an amount for a request; `BudgetRoom.decide` said that it fits.
  public mutating func reserve(
    _ amount: Spend, receivedAt: UnixNanoseconds
  ) -> Reservation {
    Reservation(
      amount: amount, receivedAt: receivedAt,
      day: hold(amount, .day, receivedAt), month: hold(amount, .month, receivedAt))
  }

  /// Ends a reservation with what the request cost.
  public mutating func settle(_ reservation: Reservation, cost: Spend) {
    func release(_ held: inout Held, _ start: UnixNanoseconds?) {
      if let start, held.start == start { held.amount = held.amount - reservation.amount }
    }
    release(&day, reservation.day)
    release(&month, reservation.month)
    settle(cost, receivedAt: reservation.receivedAt)
  }

  /// Counts what a request cost for which nothing was held.
  public mutating func settle(_ cost: Spend, receivedAt: UnixNanoseconds) {
    guard cost != .zero else { return }
    spent.settle(cost, receivedAt: receivedAt, budgets: budgets)
  }

  private func window(_ period: Budget.Period, at time: UnixNanoseconds) -> SpendWindow {
    let offset = budgets.offsetSeconds(of: period)
    guard let last = spent[period] else {
      return SpendWindow(period, around: time, offsetSeconds: offset)
    }
    // A clock that went back stays in the window that has begun.
    return last.rolled(to: time, period, offsetSeconds: offset) ?? last
  }

  private func held(_ period: Budget.Period, in start: UnixNanoseconds) -> Spend {
    let held = period == .day ? day : month
    return held.start == start ? held.amount : .zero
  }

  /// nil: the request belongs to a window that is over.
  private mutating func hold(
    _ amount: Spend, _ period: Budget.Period, _ time: UnixNanoseconds
  ) -> UnixNanoseconds? {
    let start = window(period, at: time).start
    func add(_ held: inout Held) -> UnixNanoseconds? {
      if let begun = held.start, begun > start { return nil }
      if held.start != start { held = Held(start: start) }
      held.amount += amount
      return start
    }
    return switch period {
    case .day: add(&day)
    case .month: add(&month)
    }
  }
}

/// What is spent in a running day or month.
public struct PeriodUsage: Sendable, Hashable {
  /// By requests that have ended.
  public var used: Spend
  /// Set aside for requests under way.
  public var reserved: Spend
  /// When the next day or month begins.
  public var resetsAt: UnixNanoseconds

  /// Made of its parts.
  public init(used: Spend, reserved: Spend, resetsAt: UnixNanoseconds) {
    self.used = used
    self.reserved = reserved
    self.resetsAt = resetsAt
  }
}

/// What a key or an organisation uses of what it is allowed.
public struct LimitUsage: Sendable, Hashable {
  /// Requests under way; counted while there is any limit.
  public var underWay: UInt32
  /// Of the running day.
  public var day: PeriodUsage
  /// Of the running month.
  public var month: PeriodUsage

  /// Made of its parts.
  public init(underWay: UInt32, day: PeriodUsage, month: PeriodUsage) {
    self.underWay = underWay
    self.day = day
    self.month = month
  }
}

/// What a budget is counted in.
public enum BudgetUnit: UInt8, Sendable, Hashable, CaseIterable {
  case microUSD = 1
  case tokens = 2
}

extension Spend {
  /// The part in one unit.
  public subscript(unit: BudgetUnit) -> UInt64 {
    get {
      switch unit {
      case .microUSD: microUSD
      case .tokens: tokens
      }
    }
    set {
      switch unit {
      case .microUSD: microUSD = newValue
      case .tokens: tokens = newValue
      }
    }
  }
}

/// One amount of one budget as it stands.
public struct BudgetRoom: Sendable, Hashable {
  /// Over which time it holds.
  public var period: Budget.Period
  /// What it is counted in.
  public var unit: BudgetUnit
  /// What may be spent.
  public var limit: UInt64
  /// What is spent; may be more than `limit`.
  public var used: UInt64
  /// What requests under way hold.
  public var reserved: UInt64
  /// When the next window begins.
  public var resetsAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    period: Budget.Period, unit: BudgetUnit, limit: UInt64, used: UInt64, reserved: UInt64,
    resetsAt: UnixNanoseconds
  ) {
    self.period = period
    self.unit = unit
    self.limit = limit
    self.used = used
    self.reserved = reserved
    self.resetsAt = resetsAt
  }

  /// What is not spent; requests under way may hold some of it.
  public var unspent: UInt64 { limit - min(limit, used) }
  /// What is neither spent nor held.
  public var free: UInt64 { unspent - min(unspent, reserved) }

  /// What the budgets say of a request.
  public enum Verdict: Sendable, Hashable {
    /// It may go, holding this.
    case admitted(Spend)
    /// It would fit if requests under way had ended; by which of the rooms.
    case reserved(Int)
    /// It does not fit in this period; by which of the rooms.
    case exceeded(Int)
  }

  /// Whether a request fits into all of `rooms`, and what it holds while it is under way.
  ///
  /// Of an estimate that is a mere guess nobody can say that it does not fit into what is left: with nothing
  /// else under way the request may go, alone, holding all of it.
  public static func decide(_ estimate: SpendEstimate, rooms: [BudgetRoom]) -> Verdict {
    var reserve = estimate.amount
    var waits: Int?
    var refuses: Int?
    for (index, room) in rooms.enumerated() {
      let wanted = estimate.amount[room.unit]
      if room.unspent == 0 || (wanted > room.unspent && !estimate.isGuess) {
        // The one that lasts longest is the one to be told.
        if refuses.map({ rooms[$0].resetsAt < room.resetsAt }) ?? true { refuses = index }
      } else if wanted > room.free {
        if estimate.isGuess, room.reserved == 0 {
          reserve[room.unit] = min(reserve[room.unit], room.unspent)
        } else if waits == nil {
          waits = index
        }
      }
    }
    if let refuses { return .exceeded(refuses) }
    if let waits { return .reserved(waits) }
    return .admitted(reserve)
  }
}

/// Whose limits and budgets.
public enum LimitScope: Sendable, Hashable, Comparable {
  case organisation(OrganisationID)
  case key(KeyID)

  /// Organisations first, each kind by id.
  public static func < (a: Self, b: Self) -> Bool {
    switch (a, b) {
    case (.organisation(let a), .organisation(let b)): a < b
    case (.key(let a), .key(let b)): a < b
    case (.organisation, .key): true
    case (.key, .organisation): false
    }
  }
}

/// What keys and organisations spent in the running day and month: a fold of the log.
///
/// The order of the spends makes no difference, as long as the budgets are the same.
public struct Ledger: Sendable, Hashable {
  /// By whom; those that never spent anything are not there.
  public var entries: [LimitScope: Entry]

  /// What one of them spent.
  public struct Entry: Sendable, Hashable {
    /// The latest day in which something was spent.
    public var day: SpendWindow?
    /// The latest month in which something was spent.
    public var month: SpendWindow?

    /// Made of its parts.
    public init(day: SpendWindow? = nil, month: SpendWindow? = nil) {
      self.day = day
      self.month = month
    }

    /// The latest window of a period in which something was spent.
    public subscript(period: Budget.Period) -> SpendWindow? {
      get {
        switch period {
        case .day: day
        case .month: month
        }
      }
      set {
        switch period {
        case .day: day = newValue
        case .month: month = newValue
        }
      }
    }

    /// Counts a spend to the day and the month in which its request was received.
    public mutating func settle(
      _ spend: Spend, receivedAt: UnixNanoseconds, budgets: [Budget]
    ) {
      for period in Budget.Period.allCases {
        let offset = budgets.offsetSeconds(of: period)
        let window =
          self[period]
          ?? SpendWindow(period, around: receivedAt, offsetSeconds: offset)
        guard
          var current = window.rolled(to: receivedAt, period, offsetSeconds: offset)
        else { continue }
        current.used += spend
        self[period] = current
      }
    }

    /// What is spent in the window that `now` is in.
    public func used(_ period: Budget.Period, at now: UnixNanoseconds) -> Spend {
      self[period]?.used(at: now) ?? .zero
    }
  }

  /// Nothing was spent.
  public init() { entries = [:] }

  /// Counts what a request cost to its key or organisation; nothing is not counted.
  ///
  /// - Parameter budgets: Those of `scope`: their timezones say when a day and a month begin.
  public mutating func settle(
    _ spend: Spend, of scope: LimitScope, receivedAt: UnixNanoseconds, budgets: [Budget]
  ) {
    guard spend != .zero else { return }
    entries[scope, default: Entry()].settle(spend, receivedAt: receivedAt, budgets: budgets)
  }
}

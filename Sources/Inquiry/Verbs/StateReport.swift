public import Domain
public import EventStore

/// The configuration as it stood at a position.
public struct StateReport: InquiryReport, Hashable {
  /// A part of what was known.
  public enum Part: String, Sendable, CaseIterable {
    case providers
    /// With their health.
    case accounts
    case aliases
    case combos
    case policies
    case organisations
    /// With their rights and limits.
    case keys
    case settings
    case pricing
    /// What organisations and keys spent in the running day and month, and requests under way.
    case usage
  }

  /// What requests made of it.
  public struct Usage: Sendable, Hashable {
    /// What organisations and keys spent.
    public var ledger: Ledger
    /// Requests dispatched and not ended.
    public var underWay: Int
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// `epoch:position` and time of the last event taken in; nil: before the first.
  public var at: LogCoverage.Moment?
  /// nil: all parts.
  public var part: Part?
  /// The configuration.
  public var state: ControlState
  /// nil: the bundle does not hold the requests before its window.
  public var usage: Usage?
  /// By stream: who changed it last.
  public var changes: [String: ConfigurationChange]
  /// Damaged ranges up to there: what they held is missing.
  public var gaps: [LogGap]
  /// Since where requests are not recorded, as of that moment; nil: they are.
  public var openGap: UInt64?
  /// Configuration events that could not be decoded.
  public var unreadable: Int
  /// Configuration events of kinds that this build does not know.
  public var unknown: Int

  /// 3 if something up to there is damaged, 4 if this build does not know a kind on the way, or if nothing but usage
  /// was asked for and the bundle does not tell it.
  public var exitCode: ExitCode {
    if !gaps.isEmpty || unreadable > 0 { return .damaged }
    return unknown > 0 || part == .usage && usage == nil ? .notReproducible : .same
  }
}

extension Replay {
  /// Folds the log up to a moment.
  ///
  /// - Parameter selector: nil: the log's end.
  public static func state(
    _ log: LogReader, at selector: Selector?, part: StateReport.Part? = nil, now: UnixNanoseconds,
    progress: Progress? = nil
  ) throws(InquiryFault) -> StateReport {
    let end = log.last
    let wanted = try moment(selector, in: log, now: now)
    let position = min(wanted, end)
    try log.requireCovered(position)
    // Of the time before its window a bundle has what was configured, and no requests.
    let knowsRequests = log.bundle.map { $0.base.rawValue == 0 && !$0.isMinimised } ?? true
    let fold = try ConfigurationFold.through(
      position, isEnd: wanted >= end, withRequests: knowsRequests, of: log, progress: progress)
    var at: LogCoverage.Moment?
    if position.rawValue > 0 {
      let stored = try reading { () throws(StoreError) in try log.event(at: position) }
      at = stored.map {
        LogCoverage.Moment(place: "\($0.epoch):\($0.position)", time: UnixNanoseconds($0.time))
      }
    }
    return StateReport(
      coverage: try LogCoverage(log), at: at, part: part, state: fold.state,
      usage: knowsRequests
        ? StateReport.Usage(ledger: fold.ledger, underWay: fold.underWay) : nil,
      changes: StateReport.changes(fold.changes), gaps: fold.gaps,
      openGap: fold.openGap, unreadable: fold.unreadable, unknown: fold.unknown)
  }
}

extension StateReport {
  fileprivate static func changes(
    _ changes: [String: LastChange]
  ) -> [String: ConfigurationChange] {
    var shown: [String: ConfigurationChange] = [:]
    for (part, change) in changes {
      let stream = part == GatewayProjection.passwordChange ? settingsStream : part
      shown[part] = ConfigurationChange(change, stream: stream)
    }
    return shown
  }

  func has(_ part: Part) -> Bool { self.part == nil || self.part == part }

  /// What health, usage and expiry are told as of: the last event's time.
  var instant: UnixNanoseconds { at?.time ?? UnixNanoseconds(0) }

  var providers: [Provider] { state.providers.values.sorted { $0.id < $1.id } }
  var accounts: [Account] {
    state.accounts.values.sorted {
      ($0.provider, $0.priority, $0.name, $0.id) < ($1.provider, $1.priority, $1.name, $1.id)
    }
  }
  var aliases: [AliasTarget] { state.aliases.values.sorted { $0.name < $1.name } }
  var combos: [Combo] { state.combos.values.sorted { $0.name < $1.name } }
  var policies: [Policy] { state.policies.values.sorted { $0.id.stream < $1.id.stream } }
  var organisations: [Organisation] { state.organisations.values.sorted { $0.id < $1.id } }
  var keys: [Key] { state.keys.values.sorted { $0.id < $1.id } }
  var prices: [PricingEvent.Entry] {
    state.pricing.prices.sorted { $0.key < $1.key }.map { .init(id: $0.key, price: $0.value) }
  }

  /// A day's or month's spending, with the budget that it counts against.
  struct Spent {
    var scope: LimitScope
    var period: Budget.Period
    var window: SpendWindow
    var budget: Budget?
  }

  /// Organisations first, each by id, the day before the month.
  var spending: [Spent] {
    guard let usage else { return [] }
    return usage.ledger.entries.sorted { $0.key < $1.key }.flatMap { scope, entry in
      let budgets =
        switch scope {
        case .organisation(let id): state.organisations[id]?.budgets ?? []
        case .key(let id): state.keys[id]?.budgets ?? []
        }
      return Budget.Period.allCases.compactMap { period in
        entry[period].map { window in
          Spent(
            scope: scope, period: period, window: window,
            budget: budgets.first { $0.period == period })
        }
      }
    }
  }
}

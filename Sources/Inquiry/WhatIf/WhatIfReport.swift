public import Domain
public import EventStore

/// What another configuration would have done to the requests of a window.
///
/// Every first choice is made again, from the request's own facts, clock, dice and place in turn, on the
/// configuration of then and on the same one with the changes; before that it is decided who is let in. Which requests
/// move is decided, but where the changed rule asks for what nobody noted: there it is modelled, and counted apart. What
/// would have become of those that move is modelled, with bounds, from how requests ended that came where they would
/// have gone.
public struct WhatIfReport: InquiryReport, Hashable {
  /// Where a request goes.
  public enum Outcome: Sendable, Hashable {
    /// `provider/name` of the account, and the model that the provider is asked for.
    case account(String, model: String)
    /// Why it goes nowhere, as a word.
    case refused(String)
  }

  /// Requests of one model that go from one place to another.
  public struct Group: Sendable, Hashable {
    /// As clients wrote it.
    public var model: String
    /// As recorded.
    public var before: Outcome
    /// With the changes.
    public var after: Outcome
    /// How many.
    public var requests: UInt64
    /// Of those, the ones that were not served, and neither their callers nor they themselves were at fault.
    public var failed: UInt64
    /// Of those, the ones that their callers or they themselves were at fault for.
    public var callers: UInt64
    /// Of those, the ones of which it is modelled that they go there.
    public var modelled: UInt64
    /// The first of them, at most three.
    public var examples: [RequestID]
  }

  /// First calls of an account.
  public struct Load: Sendable, Hashable {
    /// `provider/name`.
    public var name: String
    /// As recorded, of all requests of the window.
    public var before: UInt64 = 0
    /// Of those, the ones whose requests are not decided, so that they are not among `after`.
    public var undecided: UInt64 = 0
    /// With the changes.
    public var after: UInt64 = 0
    /// Of the recorded ones, those that failed, callers' faults not counted.
    public var failed: UInt64 = 0
  }

  /// How requests that move ended, and would have.
  public struct Failures: Sendable, Hashable {
    /// Recorded as not served, and neither their callers nor they themselves were at fault.
    public var recorded: UInt64 = 0
    /// Recorded as their callers' fault or their own, which they would have been elsewhere too.
    public var callers: UInt64 = 0
    /// What would be expected, by the rate of requests that came there.
    public var modelled: UInt64 = 0
    /// At least, at 95 % confidence in each rate.
    public var low: UInt64 = 0
    /// At most.
    public var high: UInt64 = 0
    /// Requests that go where the window has no call: nothing can be said of them but that they succeed or fail.
    public var unknowable: UInt64 = 0
    /// Requests that would be refused, which is a failure too.
    public var refused: UInt64 = 0
  }

  /// In millionths of a US dollar.
  public struct Cost: Sendable, Hashable {
    /// As recorded, of all requests of the window, whatever is supposed.
    public var before: UInt64 = 0
    /// As recorded where nothing changes, nothing for what is refused, and else the same tokens at the prices of where
    /// they would have gone; `unknown` ones not counted.
    public var after: UInt64 = 0
    /// Requests of which it is not known what they would cost: not decided, without tokens or a price there, or tokens
    /// of a later call.
    public var unknown: UInt64 = 0
    /// The part of `before` that those cost.
    public var unknownBefore: UInt64 = 0
  }

  /// Why it cannot be decided where a request would go.
  public enum Why: String, Sendable, Hashable, CaseIterable {
    /// Whose turn it was: a place in an order of requests that nobody counted.
    case turn
    /// How quick accounts were, which nobody measured for this.
    case latency
    /// Of which session the request was, which nobody noted.
    case session
    /// Whether another request was finding out whether an account serves again.
    case probe

    var text: String {
      switch self {
      case .turn: "whose turn it was is not in the log"
      case .latency: "how quick the accounts were is not in the log"
      case .session: "its session is not in the log"
      case .probe: "whether another request was probing is not in the log"
      }
    }
  }

  /// Requests that are decided but for one thing that is not in the log; it was drawn.
  public struct Modelled: Sendable, Hashable {
    /// How many.
    public var requests: UInt64 = 0
    /// Of those, the ones that were drawn to go elsewhere.
    public var moved: UInt64 = 0
    /// What is not in the log.
    public var why: [Why: UInt64] = [:]
  }

  /// Requests of which nothing is said.
  public struct Undecided: Sendable, Hashable {
    /// Held to limits or budgets that are supposed to be others: what they let in hangs on when requests came.
    public var limits: UInt64 = 0
    /// Refused before any routing, and would be let in: what they asked for is not recorded.
    public var letIn: UInt64 = 0
    /// Refused because of the one account that has what they refer to: which that is, is recorded with calls only.
    public var owner: UInt64 = 0
    /// All of these.
    public var all: UInt64 { limits + letIn + owner }
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// What is supposed, as it was written.
  public var changes: [String]
  /// Decided both ways.
  public var looked: UInt64 = 0
  /// Of those, the ones that go elsewhere.
  public var moved: UInt64 = 0
  /// Besides `looked`: where they would go is drawn.
  public var modelled = Modelled()
  /// Besides `looked`: nothing is said of them.
  public var undecided = Undecided()
  /// Refused before any routing, and would be again.
  public var notRouted: UInt64 = 0
  /// From before what is changed was there, or after, or from when it could not be changed so.
  public var notApplicable: UInt64 = 0
  /// Whose recorded choice cannot be made again, or comes out otherwise today.
  public var notReproducible: UInt64 = 0
  /// Most requests first.
  public var groups: [Group] = []
  /// By name.
  public var loads: [Load] = []
  /// Of the requests that move.
  public var failures = Failures()
  /// Of all requests that were decided both ways.
  public var cost = Cost()
  /// Damaged ranges in the window.
  public var gaps: [LogGap] = []
  /// Events between the times asked for that have other times: they were looked at too.
  public var otherTimes: UInt64 = 0
  /// Where nothing moved: the nearest requests before and behind the window that what is supposed is about.
  public var outside: [LogCoverage.Moment] = []

  /// 1 if any request moves, 3 if the window is damaged, 4 if a decision in it cannot be made again or is not made.
  public var exitCode: ExitCode {
    if !gaps.isEmpty { return .damaged }
    if notReproducible > 0 || undecided.all > 0 { return .notReproducible }
    return moved > 0 || modelled.moved > 0 ? .differs : .same
  }

  /// What the answer rests on, as sentences.
  public static let terms = [
    "recorded: the requests, their first choices, calls, ends, tokens and cost",
    "decided: who is let in, and the first choice on the changed configuration, by the gateway's own code",
    "modelled: a choice that hangs on what is not in the log; how moved requests end, from requests of the window that came to the same account and model",
    "a failure: a request or call that failed, and neither the caller nor the request was at fault",
    "not known: limits and budgets, second attempts, cooldowns that other failures would have brought, and other answers' lengths",
  ]
}

extension Replay {
  /// Decides the requests of a window anew on a configuration with changes.
  ///
  /// - Throws: `.usage` for a change that no configuration of the window can take.
  public static func whatIf(
    _ log: LogReader, _ suppositions: [Supposition], from: Selector? = nil, to: Selector? = nil,
    now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> WhatIfReport {
    let (first, last) = try bounds(of: log, from: from, to: to, now: now)
    var comparison = WhatIfComparison(
      suppositions,
      WhatIfReport(
        coverage: try LogCoverage(log), first: first, last: last,
        changes: suppositions.map(\.text),
        otherTimes: try countOutside(log, from: from, to: to, now: now)))
    // First pass: which configurations are needed, and until where each of them.
    var lastUse: [UInt64: UInt64] = [:]
    var hasEnds = false
    var recent = RecentEdits()
    // Other configurations than the one just before its record that may have refused a request.
    var earlier: [UInt64: [UInt64]] = [:]
    try log.read(from: first, through: last, progress: progress) { (item) throws(InquiryFault) in
      guard case .event(let stored) = item else { return }
      let position = stored.position.rawValue
      if ConfigurationFold.isRelevant(stored.kind) { recent.add(position, stored.time) }
      guard stored.kind.hasPrefix("request.finished."),
        case .request(.finished(let fact)) = Entry(stored).event
      else { return }
      hasEnds = true
      if let attempt = fact.attempts.first {
        lastUse[attempt.snapshot] = position
      } else if fact.isRefusedByRouting {
        let others = recent.before(since: fact.receivedAt)
        for other in others { lastUse[other] = position }
        if !others.isEmpty { earlier[position] = others }
      }
    }
    let wanted = Set(lastUse.keys)
    var (fold, from) = ConfigurationFold.start(
      in: log, through: Position(first.rawValue - 1), needed: wanted)
    var shelf = SnapshotShelf(wanted)
    shelf.begin(fold, from: from)
    if !hasEnds { from = last.next }
    try log.read(from: from, through: last, progress: progress) { (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        if gap.last.map({ $0 >= first }) ?? true { comparison.report.gaps.append(gap) }
      case .event(let stored):
        let position = stored.position.rawValue
        if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
        if stored.position >= first, stored.kind.hasPrefix("request.finished."),
          case .request(.finished(let fact)) = Entry(stored).event
        {
          if let snapshot = fact.attempts.first?.snapshot {
            comparison.look(fact, on: shelf.books[snapshot])
            if lastUse[snapshot] == position { shelf.drop(snapshot) }
          } else {
            // Of what no account was asked for, the configuration just before its record decided, or one since it came.
            let others = earlier[position] ?? []
            comparison.look(
              fact, on: shelf.current(fold), or: others.compactMap { shelf.books[$0] })
            for other in others where lastUse[other] == position { shelf.drop(other) }
          }
          comparison.forget { $0 != fold.state.position && shelf.books[$0] == nil }
        }
        if shelf.wants(position) { shelf.look(at: position, fold) }
      }
    }
    var report = try comparison.result(at: fold.state)
    report.gaps += try gapsAtEnd(of: log, behind: last)
    if report.groups.isEmpty, report.undecided.all == 0, !comparison.touchesWindow {
      report.outside = try nearestTouched(suppositions, log, first, last)
    }
    return report
  }
}

/// The last edits of a pass in order.
private struct RecentEdits {
  private var edits: [(position: UInt64, time: Int64)] = []
  private static let most = 64
  /// An edit has its time before it is on disk, and is in force after that.
  private static let lag: Int64 = 1_000_000_000

  mutating func add(_ position: UInt64, _ time: Int64) {
    if edits.count == 2 * Self.most { edits.removeFirst(Self.most) }
    edits.append((position, time))
  }

  /// Positions of the configurations that were in force since a time, but for the newest one; the latest first.
  func before(since time: UnixNanoseconds) -> [UInt64] {
    let start = time.rawValue.subtractingReportingOverflow(Self.lag)
    return edits.reversed().prefix(Self.most).prefix {
      !start.overflow && $0.time >= start.partialValue
    }.map { $0.position - 1 }
  }
}

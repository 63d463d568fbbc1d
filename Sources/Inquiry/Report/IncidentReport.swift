public import Domain
public import EventStore

/// What to report on.
public struct ReportQuery: Sendable, Hashable {
  /// nil: from the log's beginning.
  public var from: Selector?
  /// nil: to the log's end.
  public var to: Selector?
  /// What is promised.
  public var objectives: Objectives

  /// Without arguments: the whole log, by the standard promises.
  public init(
    from: Selector? = nil, to: Selector? = nil, objectives: Objectives = .standard
  ) {
    self.from = from
    self.to = to
    self.objectives = objectives
  }
}

/// The draft of a postmortem: all that the log tells of the worst incident of a window.
public struct IncidentReport: InquiryReport, Hashable {
  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// What is promised.
  public var objectives: Objectives
  /// Read from a bundle that was minimised: what it does not need is not there to be counted.
  public var isMinimised: Bool
  /// Positions asked for, cut to the log; `first` > `last` if that is nothing.
  public var first: Position
  /// The last position of the window.
  public var last: Position
  /// The window's first and last readable event; nil: there is none.
  public var ends: Ends?
  /// All incidents of the window, by when they began.
  public var incidents: [Incident] = []
  /// The one that is told: the worst, of those the longest, of those the first; nil: no rung was reached.
  public var main: Incident?
  /// The window's first and last failed request; nil: none failed.
  public var failedSpan: Ends?
  /// No rung was reached, and most requests were refused at their callers' fault: those are what is looked into, in place
  /// of failures.
  public var isAboutRefusals = false
  /// The window's first and last request that its caller or itself was at fault for; nil: there is none.
  public var refusedSpan: Ends?
  /// Where the incident lies, or the window if there is none: figures of impact are of exactly these positions.
  public var impactFirst: Position
  /// The last of them.
  public var impactLast: Position
  /// What the charts show.
  public var focus: Ends?
  /// Since when edits were looked at for what contributed.
  public var lookedFrom: LogCoverage.Moment?
  /// Figures of the incident.
  public var impact = Impact()
  /// Requests over time, as charted.
  var series: IntervalSeries
  /// Accounts over time, as charted.
  var lanes: AccountLanes
  /// In order.
  public var timeline: [TimelineRow] = []
  /// Rows that there was no room for; all of them about accounts' health or jumps of figures, unless `edits` are so many.
  public var timelineOmitted: UInt64 = 0
  /// The likeliest first.
  public var contributions: [Contribution] = []
  /// Edits after which it got better, the first one first.
  public var helped: [Contribution] = []
  /// Who edited, and how often, in the order of their first edit.
  public var actors: [Actor] = []
  /// The builds that ran, in order.
  public var builds: [Build] = []
  /// Damaged ranges.
  public var gaps: [LogGap] = []
  /// Times in which the log could not take requests' records.
  public var unrecorded = WindowReport.Unrecorded()
  /// What else says that something may be missing.
  public var doubts: [Doubt] = []
  /// Events between the times asked for that have other times: they were looked at too.
  public var otherTimes: UInt64 = 0
  /// The slowest and the failed.
  public var top = TopRequests(5)

  /// First and last event of a range.
  public struct Ends: Sendable, Hashable {
    /// The first one.
    public var first: LogCoverage.Moment
    /// The last one.
    public var last: LogCoverage.Moment
  }

  /// Figures of a range, also by what the requests had in common.
  public struct Impact: Sendable, Hashable {
    /// All together.
    public var figures = RequestFigures()
    /// First bytes beyond the promise.
    public var late: UInt64 = 0
    /// Requests whose end a crash took.
    public var interrupted: UInt64 = 0
    /// Answers whose end could not be sent.
    public var undelivered: UInt64 = 0
    /// Refused without a record of each.
    public var deniedInSummaries: UInt64 = 0
    /// Failed without a call: no account could be asked.
    public var uncalled: UInt64 = 0
    /// By organisation; requests without one are `–`.
    public var organisations = Names()
    /// By model as clients named it.
    public var models = Names()
    /// By provider and account: calls.
    public var accounts = Names()
    /// By provider: calls.
    public var providers = Names()
    /// Failures by code and class.
    public var codes = Names()
    /// What callers or requests were at fault for, by code and class.
    public var refusals = Names()
  }

  /// Shares by name; names beyond a bound share `(other)`.
  public struct Names: Sendable, Hashable {
    /// One name.
    public struct Row: Sendable, Hashable {
      /// Whose.
      public var name: String
      /// Failures.
      public var failed: UInt64
      /// What they are a share of.
      public var counted: UInt64
      var share: Share { Share(part: failed, whole: counted) }
    }
    private static let most = 2_000
    private(set) var shares: [String: Share] = [:]

    mutating func add(_ name: String, isFailure: Bool) {
      let kept = shares[name] != nil || shares.count < Self.most ? name : "(other)"
      shares[kept, default: .none].whole += 1
      if isFailure { shares[kept]?.part += 1 }
    }

    subscript(_ name: String) -> Share { shares[name] ?? .none }

    /// The most failures first, then the most requests, then by name.
    public var rows: [Row] {
      shares.map { Row(name: $0.key, failed: $0.value.part, counted: $0.value.whole) }.sorted {
        ($1.failed, $1.counted, $0.name) < ($0.failed, $0.counted, $1.name)
      }
    }
  }

  /// A line of the timeline.
  public struct TimelineRow: Sendable, Hashable {
    /// What it is about.
    public enum Kind: String, Sendable, Hashable {
      case ladder
      case edit
      case gateway
      case gap
      case change
      case health
    }
    /// What it is about.
    public var kind: Kind
    /// When.
    public var time: UnixNanoseconds
    /// `epoch:position` of what says so.
    public var place: String
    /// What happened.
    public var what: String
    /// Who did it; empty: nobody.
    public var who: String
  }

  /// Something that may have contributed, or helped.
  public struct Contribution: Sendable, Hashable {
    /// By what it is named.
    public enum Rule: String, Sendable, Hashable, CaseIterable {
      case editTurned = "edit-turned"
      case editOut = "edit-out"
      case editNear = "edit-near"
      case editHelped = "edit-helped"
      case drift
      case callsFailed = "calls-failed"
      case cooling
      case newBuild = "new-build"
      case notRunning = "not-running"
      case load
      case credentialExpired = "credential-expired"
      case notRecorded = "not-recorded"
    }
    /// By what it is named.
    public var rule: Rule
    /// The greater, the likelier; orders and says nothing else.
    public var score: Int
    /// When.
    public var time: UnixNanoseconds
    /// `epoch:position` of what says so; the first one is the event itself.
    public var places: [String]
    /// What it was.
    public var what: String
    /// Who did it; empty: nobody.
    public var who: String
    /// What speaks for it, in numbers.
    public var evidence: String
  }

  /// Somebody who edited.
  public struct Actor: Sendable, Hashable {
    /// Name and door.
    public var name: String
    /// How many edits.
    public var edits: UInt64
    /// The first one.
    public var first: LogCoverage.Moment
    /// The last one.
    public var last: LogCoverage.Moment
  }

  /// A build that ran.
  public struct Build: Sendable, Hashable {
    /// Its version.
    public var version: String
    /// How requests were recorded.
    public var recording: RecordingMode
    /// Its start.
    public var moment: LogCoverage.Moment
  }

  /// Something that may be missing.
  public struct Doubt: Sendable, Hashable {
    /// `epoch:position` of what says so; empty: the build or the mode does.
    public var place: String
    /// What.
    public var what: String
  }

  /// 3 if a part of the window is damaged.
  public var exitCode: ExitCode { gaps.isEmpty ? .same : .damaged }
}

extension Replay {
  /// Drafts the postmortem of the worst incident of a window.
  ///
  /// The log is read three times: for the ladder, for what the incident is about, and for edits that fought.
  ///
  /// - Parameter now: what `-15m` counts from; nothing else depends on it.
  public static func report(
    _ log: LogReader, _ query: ReportQuery, now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> IncidentReport {
    let end = log.last
    let first = max(
      try query.from?.resolve(in: log, now: now, edge: .from) ?? log.first, log.first)
    let last = min(try query.to?.resolve(in: log, now: now, edge: .to) ?? end, end)
    var report = IncidentReport(
      coverage: try LogCoverage(log), objectives: query.objectives,
      isMinimised: log.bundle?.isMinimised ?? false, first: first, last: last,
      impactFirst: first, impactLast: last, series: IntervalSeries(length: 1_000_000_000),
      lanes: AccountLanes(from: UnixNanoseconds(0)))
    guard first <= last else {
      report.gaps = try gapsAtEnd(of: log, behind: last)
      return report
    }
    report.otherTimes = try countOutside(log, from: query.from, to: query.to, now: now)
    try report.climb(log, progress)
    guard report.ends != nil else { return report }
    try report.look(log, progress)
    return report
  }
}

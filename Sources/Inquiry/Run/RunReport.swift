import Domain
public import EventStore

/// What another build decides otherwise over the same requests.
public struct RunReport: InquiryReport, Hashable {
  /// One decision that the two builds make otherwise.
  public struct Difference: Sendable, Hashable {
    /// Of the record of the request's end.
    public var position: UInt64
    /// From 1.
    public var attempt: Int
    /// The request's id.
    public var request: String
    /// As the client wrote it.
    public var model: String
    /// What this build decides; nil: nothing.
    public var here: String?
    /// What the other one decides; nil: nothing.
    public var there: String?
  }

  /// Requests that go from one outcome to another.
  public struct Group: Sendable, Hashable {
    /// What this build decides.
    public var here: String
    /// What the other one decides.
    public var there: String
    /// How many decisions.
    public var count: UInt64
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// The other build, as it was named.
  public var against: String
  /// Decisions that both made.
  public var compared: UInt64 = 0
  /// Those with different outcomes, and those that only one of them made.
  public var differing: UInt64 = 0
  /// Requests among them, each counted once.
  public var requests: UInt64 = 0
  /// Decisions that one of the two could not make for want of inputs.
  public var unknown: UInt64 = 0
  /// The first ten.
  public var differences: [Difference] = []
  /// Most first; at most 1,000 kinds.
  public var groups: [Group] = []
  /// Damaged ranges in the window.
  public var gaps: [LogGap] = []
  /// How the other build ended; nil: it was not asked.
  public var otherExit: Int32?

  /// The other build says that the window is damaged, which this one may not have noticed.
  public var isOtherDamaged: Bool { otherExit == ExitCode.damaged.rawValue }

  /// 3 if the window is damaged for one of the two, 1 if anything differs, 4 if something could not be decided.
  public var exitCode: ExitCode {
    if !gaps.isEmpty || isOtherDamaged { return .damaged }
    if differing > 0 { return .differs }
    return unknown > 0 ? .notReproducible : .same
  }
}

extension Replay {
  /// Compares this build's decisions with another build's, line by line as they come.
  ///
  /// - Parameters:
  ///   - range: of positions, the same that the other build was asked for.
  ///   - next: the other build's next line, as `replay decisions` prints it; nil: it printed no more.
  ///   - exit: how the other build ended; asked for behind its last line.
  /// - Throws: `.usage` where the lines are not those of this log and range, or it ended otherwise than `decisions` does.
  public static func run(
    _ log: LogReader, _ range: ClosedRange<Position>, against: String, progress: Progress? = nil,
    next: @escaping () throws(InquiryFault) -> String?, exit: () -> Int32? = { nil }
  ) throws(InquiryFault) -> RunReport {
    var comparison = DecisionComparison(
      RunReport(
        coverage: try LogCoverage(log), first: range.lowerBound, last: range.upperBound,
        against: against), next)
    try comparison.begin(store: uuidText(log.storeID))
    let (_, gaps) = try decide(
      log, from: range.lowerBound, through: range.upperBound, progress: progress
    ) { (line) throws(InquiryFault) in try comparison.take(line) }
    var report = try comparison.finish(gaps)
    report.otherExit = exit()
    if let code = report.otherExit, code != ExitCode.same.rawValue, !report.isOtherDamaged {
      throw comparison.wrong("ended with \(code)")
    }
    return report
  }
}

/// Two rows of decisions in the same order, side by side.
private struct DecisionComparison {
  private struct Change: Hashable {
    var here: String
    var there: String
  }

  private var report: RunReport
  private let next: () throws(InquiryFault) -> String?
  /// The other build's next one; nil: it has no more.
  private var theirs: DecisionLine?
  private var read: UInt64 = 0
  private var promised: UInt64?
  private var changes: [Change: UInt64] = [:]
  private var lastRequest: (position: UInt64, request: String)?

  private static let changesMax = 1_000

  init(_ report: RunReport, _ next: @escaping () throws(InquiryFault) -> String?) {
    self.report = report
    self.next = next
  }

  func wrong(_ what: String) -> InquiryFault {
    InquiryFault(
      .usage,
      "\(Shown.text(report.against)) \(what). It must be a `replay` that knows the verb `decisions`."
    )
  }

  mutating func begin(store: String) throws(InquiryFault) {
    guard let line = try next(), let head = JSONTree(parsing: line),
      head["replay"] == .text("decisions")
    else { throw wrong("did not answer with decisions") }
    guard head["version"]?.count == DecisionFrame.version else {
      throw wrong("answers in a version that this build does not know")
    }
    guard head["store"] == .text(store), head["first"]?.count == report.first.rawValue,
      head["last"]?.count == report.last.rawValue
    else { throw wrong("answered for another log or range") }
    try advance()
  }

  private mutating func advance() throws(InquiryFault) {
    let before = theirs
    theirs = nil
    guard let line = try next() else { throw wrong("ended before its answer did") }
    guard let tree = JSONTree(parsing: line) else { throw wrong("wrote a line that is no JSON") }
    if let count = tree["decisions"]?.count {
      guard count == read else { throw wrong("lost some of its \(count) decisions") }
      promised = count
      return
    }
    guard let found = DecisionLine(tree) else { throw wrong("wrote a line that is no decision") }
    if let before, found.place <= before.place { throw wrong("decides in another order") }
    read += 1
    theirs = found
  }

  mutating func take(_ ours: DecisionLine) throws(InquiryFault) {
    while let found = theirs, found.place < ours.place {
      note(nil, found)
      try advance()
    }
    guard let found = theirs, found.place == ours.place else { return note(ours, nil) }
    report.compared += 1
    if ours.isUnknown || found.isUnknown {
      report.unknown += 1
    } else if ours != found {
      note(ours, found)
    }
    try advance()
  }

  private mutating func note(_ ours: DecisionLine?, _ found: DecisionLine?) {
    guard let line = ours ?? found else { return }
    report.differing += 1
    if lastRequest?.position != line.position { report.requests += 1 }
    lastRequest = (line.position, line.request)
    if report.differences.count < 10 {
      report.differences.append(
        RunReport.Difference(
          position: line.position, attempt: line.attempt, request: line.request, model: line.model,
          here: ours?.outcome, there: found?.outcome))
    }
    let change = Change(here: ours?.outcome ?? "nothing", there: found?.outcome ?? "nothing")
    if changes[change] != nil || changes.count < Self.changesMax {
      changes[change, default: 0] += 1
    }
  }

  mutating func finish(_ gaps: [LogGap]) throws(InquiryFault) -> RunReport {
    while let found = theirs {
      note(nil, found)
      try advance()
    }
    guard try next() == nil else { throw wrong("went on behind its end") }
    report.gaps = gaps
    report.groups = changes.map {
      RunReport.Group(here: $0.key.here, there: $0.key.there, count: $0.value)
    }.sorted { ($1.count, $0.here, $0.there) < ($0.count, $1.here, $1.there) }
    return report
  }
}

extension DecisionLine {
  fileprivate var isUnknown: Bool { outcome.hasPrefix("unknown: ") }
}

// MARK: Renderings

extension RunReport {
  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    guard first <= last else { return out + "window    nothing. \(coverage.text)\n" }
    out += "window    positions \(first) to \(last)\n"
    out += "against   \(Shown.text(against))\n"
    for gap in gaps { out += "gap       \(gap.text)\n" }
    if isOtherDamaged, gaps.isEmpty {
      out +=
        "gap       the other build says that the window is damaged, and this one reads all of it\n"
    }
    out += "decided   \(compared) by both, \(differing) otherwise"
    out += differing > 0 ? " (\(Shown.count(requests, "request")))\n" : "\n"
    if unknown > 0 { out += "unknown   \(unknown) that one of them cannot decide\n" }
    guard differing > 0 else { return out }
    var table = TextTable(">decisions", "this build", "the other one")
    for group in groups {
      table.add(String(group.count), Shown.text(group.here), Shown.text(group.there))
    }
    out += "\n" + table.rendered() + "\nthe first\n"
    for it in differences {
      out += "  position \(it.position) request \(Shown.text(it.request)) attempt \(it.attempt)"
      out += ", model \(Shown.text(it.model))\n"
      out += "    here   \(Shown.text(it.here ?? "nothing"))\n"
      out += "    there  \(Shown.text(it.there ?? "nothing"))\n"
    }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("run")), .init("log", coverage.json),
      .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
      .init("against", .text(against)), .init("gaps", .array(gaps.map(\.json))),
      .init("isOtherDamaged", .bool(isOtherDamaged)),
      .init("compared", .count(compared)), .init("differing", .count(differing)),
      .init("requests", .count(requests)), .init("unknown", .count(unknown)),
      .init(
        "groups",
        .array(
          groups.map {
            .object([
              .init("here", .text($0.here)), .init("there", .text($0.there)),
              .init("decisions", .count($0.count)),
            ])
          })),
      .init(
        "differences",
        .array(
          differences.map {
            .object([
              .init("at", .count($0.position)), .init("attempt", .count($0.attempt)),
              .init("request", .text($0.request)), .init("model", .text($0.model)),
              .init("here", .text($0.here)), .init("there", .text($0.there)),
            ])
          })),
    ])
  }
}

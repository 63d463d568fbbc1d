import Domain
public import EventStore

/// The load of a window, as `simulator drive` sends it again.
///
/// When requests came, for whom, of what shape, and what became of them. No prompt, answer, secret, address or id of a client is in the log's public part, or in a plan.
public enum Plan {
  /// Of the lines: raised where a member goes or comes to mean something else, not where one is added.
  public static let version = 1
}

/// What went into a plan.
public struct PlanSummary: InquiryReport, Hashable {
  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// Lines of requests.
  public var requests: UInt64 = 0
  /// From the first arrival to the last.
  public var microseconds: UInt64 = 0
  /// Requests that have no end in the window, or were interrupted: nobody knows what became of them.
  public var withoutEnd: UInt64 = 0
  /// Refused requests that the log has as a number only.
  public var onlyCounted: UInt64 = 0
  /// Damaged ranges in the window.
  public var gaps: [LogGap] = []

  /// 3 if the window is damaged.
  public var exitCode: ExitCode { gaps.isEmpty ? .same : .damaged }

  /// For people.
  public var text: String {
    var out = "\(Shown.count(requests, "request")) within \(Shown.duration(microseconds)), "
    out += "positions \(first) … \(last)\n"
    if withoutEnd > 0 { out += "  left out \(Shown.count(withoutEnd, "request")) without an end\n" }
    if onlyCounted > 0 {
      out += "  left out \(Shown.count(onlyCounted, "refused request")) told as a number only\n"
    }
    for gap in gaps { out += "  gap      \(gap.text)\n" }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("plan")), .init("log", coverage.json),
      .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
      .init("requests", .count(requests)), .init("microseconds", .count(microseconds)),
      .init("withoutEnd", .count(withoutEnd)), .init("onlyCounted", .count(onlyCounted)),
      .init("gaps", .array(gaps.map(\.json))),
    ])
  }
}

extension Replay {
  /// Writes the load of a range.
  ///
  /// A head, a line of JSON for each request in the order of their ends, and how many there were. The same log and range give the same bytes; memory does not grow with them.
  ///
  /// - Parameters:
  ///   - range: Of positions; requests count whose end lies in it.
  ///   - write: takes one line with its line break.
  public static func plan(
    _ log: LogReader, _ range: ClosedRange<Position>, progress: Progress? = nil,
    write: (String) throws(InquiryFault) -> Void
  ) throws(InquiryFault) -> PlanSummary {
    var summary = PlanSummary(
      coverage: try LogCoverage(log), first: range.lowerBound, last: range.upperBound)
    let arrivals = try arrivals(log, range, progress)
    try write(
      JSONTree.object([
        .init("plan", .text("signalbox")), .init("version", .count(Plan.version)),
        .init("store", .text(uuidText(log.storeID))),
        .init("first", .count(range.lowerBound.rawValue)),
        .init("last", .count(range.upperBound.rawValue)),
        .init("begins", .text(arrivals.map { rfc3339($0.first) })),
      ]).line + "\n")
    if let arrivals {
      summary.microseconds = microseconds(from: arrivals.first, to: arrivals.last)
    }
    var open: Set<RequestID> = []
    var (fold, start) = ConfigurationFold.start(
      in: log, through: Position(range.lowerBound.rawValue - 1))
    try log.read(from: start, through: range.upperBound, progress: progress) {
      (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        if gap.last.map({ $0 >= range.lowerBound }) ?? true { summary.gaps.append(gap) }
      case .event(let stored):
        guard stored.position <= range.upperBound else { return }
        if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
        guard stored.position >= range.lowerBound, stored.stream == requestStream else { return }
        let entry = Entry(stored)
        guard case .request(let event) = entry.event else { return }
        switch event {
        case .finished(let fact):
          open.remove(fact.id)
          summary.requests += 1
          let begin = arrivals?.first ?? fact.receivedAt
          try write(line(fact, at: entry.place, from: begin, fold.state) + "\n")
        case .dispatched(let fact): open.insert(fact.id)
        case .interrupted(let fact):
          open.remove(fact.id)
          summary.withoutEnd += 1
        case .deniedSummary(let fact):
          let (sum, isTooMuch) = summary.onlyCounted.addingReportingOverflow(fact.count)
          summary.onlyCounted = isTooMuch ? .max : sum
        case .deliveryFailed: break
        }
      }
    }
    summary.gaps += try gapsAtEnd(of: log, behind: range.upperBound)
    summary.withoutEnd += UInt64(open.count)
    try write(
      JSONTree.object([
        .init("requests", .count(summary.requests)),
        .init("withoutEnd", .count(summary.withoutEnd)),
        .init("onlyCounted", .count(summary.onlyCounted)),
      ]).line + "\n")
    return summary
  }

  /// When the first and the last of the requests came that end in a range; nil: none does.
  private static func arrivals(
    _ log: LogReader, _ range: ClosedRange<Position>, _ progress: Progress?
  ) throws(InquiryFault) -> (first: UnixNanoseconds, last: UnixNanoseconds)? {
    var found: (first: UnixNanoseconds, last: UnixNanoseconds)?
    var (kinds, record) = (KindTable(), RequestRecord())
    try log.readViews(
      from: range.lowerBound, through: range.upperBound, progress: progress, gap: { _ in },
      event: { view in
        let kind = kinds.row(of: view.kind)
        guard view.position <= range.upperBound, kind.isEnd, record.read(kind.kind, view.payload)
        else { return }
        let at = record.outline.receivedAt
        found = found.map { (min($0.first, at), max($0.last, at)) } ?? (at, at)
      })
    return found
  }

  private static func microseconds(
    from begin: UnixNanoseconds, to end: UnixNanoseconds
  ) -> UInt64 {
    let (length, isTooLong) = end.rawValue.subtractingReportingOverflow(begin.rawValue)
    return isTooLong ? UInt64(Int64.max / 1_000) : UInt64(max(0, length) / 1_000)
  }

  private static func line(
    _ it: RequestEvent.Finished, at place: String, from begin: UnixNanoseconds,
    _ state: ControlState
  ) -> String {
    JSONTree.object([
      .init("at", .count(microseconds(from: begin, to: it.receivedAt))),
      .init("position", .text(place)),
      .init("organisation", .text(it.organisation?.rawValue)),
      .init("key", .text(it.key.map { state.keys[$0]?.name ?? $0.rawValue })),
      .init("operation", .text(it.operation.name)), .init("model", .text(it.modelAsked)),
      .init("stream", .bool(it.isStream)), .init("inputTokens", .count(it.usage.input)),
      .init("outputTokens", .count(it.usage.output)),
      .init("requestBytes", .count(it.requestBytes)),
      .init("responseBytes", .count(it.responseBytes)), .init("status", .count(UInt64(it.status))),
      .init("ending", .text(it.ending.name)), .init("error", .text(it.errorCode)),
      .init("firstByte", .count(it.firstByteMicroseconds)),
      .init("total", .count(it.totalMicroseconds)),
      .init(
        "attempts",
        .array(
          it.attempts.map { attempt in
            let account = state.accounts[attempt.account] ?? state.removedAccounts[attempt.account]
            return .object([
              .init("provider", .text(account?.provider.rawValue)),
              .init("account", .text(account?.name ?? attempt.account.rawValue)),
              .init("model", .text(attempt.upstreamModel)),
              .init("status", .count(attempt.status.map(UInt64.init))),
              .init("error", .text(attempt.errorCode)),
              .init("firstByte", .count(attempt.firstByteMicroseconds)),
              .init("total", .count(attempt.totalMicroseconds)),
            ])
          })),
    ]).line
  }
}

public import Domain
public import EventStore

/// What happened in a range of the log: figures, and every event in order.
public struct WindowReport: InquiryReport, Hashable {
  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions asked for, cut to the log; `first` > `last` if that is nothing.
  public var first: Position
  /// The last position of the range.
  public var last: Position
  /// Of the events in the range.
  public var epochs: [UInt64]
  /// Places of the first and last event read in the range.
  public var firstRead: LogCoverage.Moment?
  /// The last event read in the range.
  public var lastRead: LogCoverage.Moment?
  /// Events in the range, before the filter.
  public var eventsInRange: UInt64
  /// Events of those positions that are left out, as their times lie outside of the times asked for: a clock was set.
  public var eventsOutside: UInt64 = 0
  /// Damaged ranges within the window.
  public var gaps: [LogGap]
  /// Damaged ranges before it: names and old values may be missing.
  public var gapsBefore: Int
  /// What events of the window say of requests that are not recorded.
  public var unrecorded = Unrecorded()
  /// What was asked for.
  public var filter: WindowFilter
  /// Figures over all events that match.
  public var summary: WindowSummary
  /// Events and gaps in order, at most the limit.
  public var timeline: [Line]
  /// Matching events that the limit left out.
  public var omitted: UInt64
  /// What was asked for besides; each nil if it was not.
  var series: IntervalSeries?
  var baseline: Baseline?
  var top: TopRequests?
  /// Of all requests that match; what a baseline is held against.
  var figures: RequestFigures?

  /// Times in which the log could not take requests' records.
  public struct Unrecorded: Sendable, Hashable {
    /// Those that ended in the window.
    public var gaps: UInt64 = 0
    /// Requests missing in those whose count is known.
    public var requests: UInt64 = 0
    /// Those whose count is unknown.
    public var uncounted: UInt64 = 0
    /// Where one began that had not ended by the window's end.
    public var openSince: UInt64?

    /// None.
    public init() {}

    mutating func apply(_ event: Event?) {
      guard case .gateway(.gapClosed(let it)) = event else { return }
      gaps += 1
      if let count = it.count { requests += count } else { uncounted += 1 }
    }

    var text: String {
      var out = ""
      if gaps > 0 {
        out += "missing   \(Shown.count(requests, "request")) in \(Shown.count(gaps, "time"))"
        out +=
          " without space" + (uncounted > 0 ? ", \(uncounted) of them with unknown number\n" : "\n")
      }
      if let openSince {
        out += "missing   requests since position \(openSince): the log could not take them\n"
      }
      return out
    }

    var json: JSONTree {
      .object([
        .init("gaps", .count(gaps)), .init("requests", .count(requests)),
        .init("uncounted", .count(uncounted)),
        .init("openSince", openSince.map { .count($0) } ?? .null),
      ])
    }
  }

  /// One line of the timeline.
  public struct Line: Sendable, Hashable {
    /// `epoch:position`; empty for a gap.
    public var place: String
    /// nil for a gap.
    public var time: UnixNanoseconds?
    /// What happened, in words.
    public var what: String
    /// Everything known of it; empty unless the query is detailed.
    public var members: [JSONTree.Member]
  }

  /// 3 if a part of the window is damaged.
  public var exitCode: ExitCode { gaps.isEmpty ? .same : .damaged }
}

extension Replay {
  /// The figures and the timeline of a range.
  ///
  /// - Parameter now: what `-15m` counts from.
  public static func window(
    _ log: LogReader, _ query: WindowQuery, now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> WindowReport {
    let end = log.last
    let first = try query.from?.resolve(in: log, now: now, edge: .from) ?? log.first
    let last = try query.to?.resolve(in: log, now: now, edge: .to) ?? end
    var report = WindowReport(
      coverage: try LogCoverage(log), first: max(first, log.first), last: min(last, end),
      epochs: [], eventsInRange: 0, gaps: [], gapsBefore: 0, filter: query.filter,
      summary: WindowSummary(), timeline: [], omitted: 0)
    // To the end of the log: bytes behind the last readable event are part of the window.
    let isToEnd = last >= end
    guard report.first <= report.last || isToEnd else { return report }

    let (from, through) = (report.first, report.last)
    let times = EventTimes(from: query.from, to: query.to, now: now)
    try report.prepare(log, query, now, progress)
    var (fold, start) = ConfigurationFold.start(in: log, through: Position(from.rawValue - 1))
    var atBegin: ControlState?
    try log.read(
      from: start, through: isToEnd ? nil : through, progress: progress
    ) { (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        guard gap.last.map({ $0 >= from }) ?? true else {
          report.gapsBefore += 1
          return
        }
        report.gaps.append(gap)
        report.timeline.append(
          WindowReport.Line(
            place: "", time: nil, what: gap.text, members: [.init("gap", gap.json)]))
      case .event(let stored):
        // The log may have grown meanwhile.
        guard stored.position <= through else { return }
        if stored.position < from {
          if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
          return
        }
        let entry = Entry(stored)
        let before = fold.state
        if atBegin == nil { atBegin = before }
        fold.apply(entry)
        guard times.contains(entry.time) else {
          report.eventsOutside += 1
          return
        }
        report.unrecorded.apply(entry.recorded?.event)
        try report.take(entry, before, fold.state, query)
      }
    }
    report.unrecorded.openSince = fold.openGap
    let isTold = report.gaps.isEmpty && report.gapsBefore == 0 && !fold.lacksHistory
    if let atBegin, report.summary.events == 0, isTold, log.bundle?.isMinimised != true {
      try query.filter.requireNames(in: [atBegin, fold.state])
    }
    return report
  }
}

extension WindowReport {
  fileprivate mutating func take(
    _ entry: Entry, _ before: ControlState, _ after: ControlState, _ query: WindowQuery
  ) throws(InquiryFault) {
    eventsInRange += 1
    let epoch = entry.stored.epoch.rawValue
    if epochs.last != epoch { epochs.append(epoch) }
    let moment = LogCoverage.Moment(place: entry.place, time: entry.time)
    if firstRead == nil { firstRead = moment }
    lastRead = moment
    guard filter.matches(entry, kind: entry.stored.kind, after) else { return }
    summary.add(entry, after)
    if case .request(.finished(let fact)) = entry.event {
      try count(fact, moment, entry.stored.position.rawValue, after)
    }
    // Among intervals requests are counted, and only what else happened is told.
    if series != nil, entry.stored.kind.hasPrefix("request.") { return }
    if query.limit > 0, timeline.count >= query.limit {
      omitted += 1
      return
    }
    let what = EventLine.text(entry, before: before)
    timeline.append(
      Line(
        place: entry.place, time: entry.time, what: what,
        members: query.isDetailed ? entry.members + [.init("text", .text(what))] : []))
  }

  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    if let firstRead, let lastRead {
      out +=
        "window    \(firstRead.place) … \(lastRead.place), "
        + Shown.count(eventsInRange, "event") + "\n"
      out += "times     \(rfc3339(firstRead.time)) … \(rfc3339(lastRead.time))\n"
      out += "epochs    \(epochs.map { String($0) }.joined(separator: ", "))\n"
    } else {
      out += "window    no events\n"
    }
    if eventsOutside > 0 {
      out +=
        "outside   \(Shown.count(eventsOutside, "event")) between, of other times: left out, a clock was set\n"
    }
    if gaps.isEmpty {
      out += "gaps      none\n"
    } else {
      for gap in gaps { out += "gap       \(gap.text)\n" }
    }
    out += unrecorded.text
    if gapsBefore > 0 {
      out +=
        "before    \(Shown.count(gapsBefore, "damaged range")) before the window: names and "
        + "old values may be missing\n"
    }
    if !filter.given.isEmpty {
      let given = filter.given.map { "\($0.name)=\(Shown.text($0.value))" }
      out += "filter    \(given.joined(separator: " "))\n"
    }
    guard summary.events > 0 || !timeline.isEmpty else {
      let why =
        eventsInRange > 0
        ? "None of the \(Shown.count(eventsInRange, "event")) in the window matches the filter."
        : coverage.text
      return out + "\nNothing to show. \(why)\n"
    }
    out += "\n" + summary.text + besides + "\n"
    if let series { return out + text(of: series) }
    let width = timeline.map(\.place.count).max() ?? 0
    for line in timeline {
      guard let time = line.time else {
        out += "!! \(line.what)\n"
        continue
      }
      let pad = String(repeating: " ", count: width - line.place.count)
      out += "\(rfc3339(time))  \(pad)\(line.place)  \(line.what)\n"
    }
    if omitted > 0 {
      out += "… \(Shown.count(omitted, "more event")): narrow the window, or set --limit.\n"
    }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object(
      [
        .init("replay", .text("window")), .init("log", coverage.json),
        .init(
          "window",
          .object([
            .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
            .init("firstAt", .text(firstRead?.place)), .init("lastAt", .text(lastRead?.place)),
            .init("firstTime", .text(firstRead.map { rfc3339($0.time) })),
            .init("lastTime", .text(lastRead.map { rfc3339($0.time) })),
            .init("epochs", .array(epochs.map { .count($0) })),
            .init("events", .count(eventsInRange)), .init("outside", .count(eventsOutside)),
          ])),
        .init("gaps", .array(gaps.map(\.json))), .init("gapsBefore", .count(gapsBefore)),
        .init("unrecorded", unrecorded.json),
        .init("filter", .object(filter.given.map { .init($0.name, .text($0.value)) })),
        .init("summary", summary.json),
        .init("timeline", .array(timeline.map { .object($0.members) })),
        .init("omitted", .count(omitted)),
      ] + besidesJSON)
  }
}

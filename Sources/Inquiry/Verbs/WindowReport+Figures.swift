import Domain
import EventStore

// Intervals, a baseline and the top requests: what `window` counts only where it is asked to.
extension WindowReport {
  mutating func prepare(
    _ log: LogReader, _ query: WindowQuery, _ now: UnixNanoseconds, _ progress: Progress?
  ) throws(InquiryFault) {
    let second: Int64 = 1_000_000_000
    for (name, length) in [("interval", query.interval), ("baseline", query.baseline)] {
      guard let length, length < second else { continue }
      throw InquiryFault(
        .usage, "\(Shown.span(length)) is too short: a second is the least.", parameter: name)
    }
    if query.top > 0 { top = TopRequests(min(query.top, 1_000)) }
    if query.interval == nil, query.baseline == nil { return }
    var begin = query.from?.time(now: now)
    if begin == nil { begin = try log.time(atOrAfter: first) }
    var end = try log.time(atOrAfter: last)
    if let asked = query.to?.time(now: now), let told = end, asked > told, last < log.last {
      end = asked
    }
    if let interval = query.interval {
      series = IntervalSeries(length: interval)
      let logBegins = try log.time(atOrAfter: log.first)
      if let begin, let end, let logBegins, begin <= end {
        try series?.cover(max(begin, logBegins), end)
      }
    }
    guard let length = query.baseline, let begin else { return }
    let early = begin.rawValue.subtractingReportingOverflow(length)
    guard !early.overflow, early.partialValue >= 0 else {
      throw InquiryFault(
        .usage, "\(Shown.span(length)) before the window is before 1970: choose a shorter time.",
        parameter: "baseline")
    }
    var found = Baseline(
      length: length, from: begin, to: max(end ?? begin, begin),
      logBegins: try log.time(atOrAfter: log.first) ?? begin)
    let from = try reading { () throws(StoreError) in
      try log.firstPosition(atOrAfter: early.partialValue)
    }
    let through = Position(first.rawValue - 1)
    try log.readEnds(from: from, through: through, filter, progress: progress) { it, _, moment, _ in
      found.add(it, at: moment.time)
    }
    (baseline, figures) = (found, RequestFigures())
  }

  mutating func count(
    _ it: RequestEvent.Finished, _ moment: LogCoverage.Moment, _ position: UInt64,
    _ state: ControlState
  ) throws(InquiryFault) {
    figures?.add(it)
    try series?.add(it, at: moment)
    top?.add(it, at: moment, position: position, state)
  }

  var changes: [ChangePoint] { series.map { ChangePoint.find(in: $0) } ?? [] }

  // MARK: Renderings

  /// Baseline and top requests, behind the summary.
  var besides: String {
    var out = ""
    if let baseline, let figures { out += "\n" + baseline.text(figures) }
    if let top { out += top.text }
    return out
  }

  /// Jumps first, then the intervals with what else happened in them.
  func text(of series: IntervalSeries) -> String {
    let changes = changes
    var out = ""
    if changes.isEmpty {
      out += "changes   none: no figure jumped from one interval to the next\n"
    } else {
      out += "changes   \(Shown.count(changes.count, "jump"))\n"
      for change in changes {
        out += "  \(rfc3339(change.start))  \(change.moment?.place ?? "–")  \(change.text)\n"
      }
    }
    var table = TextTable(
      "each \(Shown.span(series.length)) from", ">requests", ">failed", ">share", "errors by class",
      ">retries", ">p50", ">p95", ">p99")
    for interval in series.intervals {
      let it = interval.figures
      let classes = ErrorClass.allCases.compactMap { name in
        it.classes[name].map { "\(name.name) \($0)" }
      }
      table.add(
        rfc3339(interval.start), String(it.requests), String(it.failed),
        Share(part: it.failed, whole: it.counted).percent, classes.joined(separator: ", "),
        String(it.retries), it.firstByte.percentile(50).map(Shown.duration) ?? "–",
        it.firstByte.percentile(95).map(Shown.duration) ?? "–",
        it.firstByte.percentile(99).map(Shown.duration) ?? "–")
    }
    var rows = table.rendered().split(separator: "\n").map(String.init)
    out += "\n" + (rows.isEmpty ? "" : rows.removeFirst() + "\n")
    // Between the rows in the log's order; clocks may differ from it.
    var lines = timeline[...]
    for (interval, row) in zip(series.intervals, rows) {
      while let line = lines.first,
        line.time.map({ IntervalSeries.start(of: $0, series.length) < interval.start.rawValue })
          ?? true
      {
        out += self.text(of: line)
        lines.removeFirst()
      }
      out += row + "\n"
    }
    for line in lines { out += self.text(of: line) }
    if omitted > 0 {
      out += "… \(Shown.count(omitted, "more event")): narrow the window, or set --limit.\n"
    }
    return out
  }

  private func text(of line: Line) -> String {
    guard let time = line.time else { return "!!  \(line.what)\n" }
    return "    \(rfc3339(time))  \(line.place)  \(line.what)\n"
  }

  /// Members of the answer that are there only where they were asked for.
  var besidesJSON: [JSONTree.Member] {
    var out: [JSONTree.Member] = []
    if let baseline, let figures { out.append(.init("baseline", baseline.json(figures))) }
    if let top { out.append(.init("top", top.json)) }
    guard let series else { return out }
    out.append(.init("changes", .array(changes.map(\.json))))
    out.append(
      .init(
        "intervals",
        .object([
          .init("length", .text(Shown.span(series.length))),
          .init(
            "rows",
            .array(
              series.intervals.map { interval in
                .object([
                  .init("start", .text(rfc3339(interval.start))),
                  .init("firstAt", .text(interval.first?.place)),
                  .init("firstFailedAt", .text(interval.firstFailed?.place)),
                  .init("figures", interval.figures.json),
                ])
              })),
        ])))
    return out
  }
}

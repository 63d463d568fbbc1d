import Domain

// Drawings whose places along the time are percentages, so that they fit any width while texts keep their size.
extension IncidentReport {
  private static let plotHeight: Int64 = 150
  private static let top: Int64 = 22
  private static let lanesMax = 12
  private static let tableMax = 90

  var charts: [Document.Block] {
    guard let first = series.intervals.first, series.intervals.count > 1 else { return [] }
    let last = series.intervals[series.intervals.count - 1].start.rawValue + series.length
    let axis = TimeAxis(from: first.start.rawValue, to: last)
    return [
      .heading("In pictures", id: "pictures"), .figure(requestsFigure(axis)),
      .figure(latencyFigure(axis)), .figure(lanesFigure(axis)),
    ]
  }

  private var edits: [TimelineRow] { timeline.filter { $0.kind == .edit } }

  /// The incident behind everything, the edits before everything.
  private func frame(_ axis: TimeAxis, height: Int64) -> (back: String, front: String) {
    var (back, front) = ("", "")
    if let main {
      let to = main.goesOn ? axis.to : main.last.time.rawValue
      back +=
        #"<rect class="band" x="\#(axis.percent(main.began.time.rawValue))" y="0" width="\#(axis.width(main.began.time.rawValue, max(to, main.began.time.rawValue)))" height="\#(height)"/>"#
    }
    for edit in edits.prefix(40) where axis.holds(edit.time.rawValue) {
      let x = axis.percent(edit.time.rawValue)
      front += #"<line class="edit" x1="\#(x)" x2="\#(x)" y1="0" y2="\#(height)"/>"#
    }
    return (back, front)
  }

  private static func svg(
    _ id: String, _ title: String, _ description: String, height: Int64, _ body: String
  ) -> String {
    #"<svg class="chart" role="img" aria-labelledby="\#(id)-t \#(id)-d" width="100%" height="\#(height)"><title id="\#(id)-t">\#(Page.escaped(title))</title><desc id="\#(id)-d">\#(Page.escaped(description))</desc>"#
      + body + "</svg>"
  }

  private static func grid(_ y: Int64) -> String {
    #"<line class="grid" x1="0" x2="100%" y1="\#(y)" y2="\#(y)"/>"#
  }

  private static func label(_ y: Int64, _ text: String) -> String {
    #"<text class="tick" x="0" y="\#(y - 4)">\#(Page.escaped(text))</text>"#
  }

  // MARK: Requests

  private func requestsFigure(_ axis: TimeAxis) -> Document.Figure {
    let most = series.intervals.map(\.figures.requests).max() ?? 0
    let scale = Self.niceMaximum(most)
    let (height, base) = (Self.plotHeight + Self.top + 24, Self.plotHeight + Self.top)
    let (back, front) = frame(axis, height: base)
    var body = back
    // Texts stand before the bars, lines behind them.
    var labels = ""
    for part in [UInt64(1), 2] where scale >= 2 || part == 2 {
      let y = base - Self.plotHeight * Int64(part) / 2
      body += Self.grid(y)
      labels += Self.label(
        y, part == 2 ? "\(scale) in \(Shown.span(series.length))" : "\(scale / 2)")
    }
    body += #"<line class="axis" x1="0" x2="100%" y1="\#(base)" y2="\#(base)"/>"#
    for interval in series.intervals {
      let it = interval.figures
      var y = base
      // Failures stand on the axis, where they can be compared.
      for (mark, count) in [
        ("failed", it.failed), ("served", it.counted - it.failed), ("callers", it.callers),
      ] where count > 0 {
        let tall = max(1, Int64(count) * Self.plotHeight / Int64(max(1, scale)))
        y -= tall
        body +=
          #"<rect class="\#(mark)" x="\#(axis.percent(interval.start.rawValue))" y="\#(y)" width="\#(axis.width(interval.start.rawValue, interval.start.rawValue + series.length - series.length / 8))" height="\#(tall)"/>"#
      }
    }
    body += front + labels + axis.labels(y: height - 6)
    let description =
      "Requests that ended in each \(Shown.span(series.length)): failed ones at the bottom, served ones above, those at their callers' fault on top. "
      + "At most \(most)."
    let rows = series.intervals.prefix(Self.tableMax).map { interval -> [[Inline]] in
      let it = interval.figures
      return [
        [.time(interval.start)], [.text(Shown.grouped(it.requests))],
        [.text(Shown.grouped(it.failed))],
        [.text(Share(part: it.failed, whole: it.counted).percent)],
        [.text(Shown.grouped(it.callers))],
      ]
    }
    return .init(
      title: "Requests", description: description,
      drawing: Self.svg("c-requests", "Requests over time", description, height: height, body),
      legend: [
        ("failed", "failed"), ("served", "served"), ("callers", "at their callers' fault"),
        ("band", "the incident"), ("edit", "an edit"),
      ],
      table: .init(
        caption: "",
        columns: [
          .init("from"), .init("requests", isNumber: true), .init("failed", isNumber: true),
          .init("share", isNumber: true), .init("callers' fault", isNumber: true),
        ], rows: rows))
  }

  /// 1, 2 or 5 and zeros, not less than `value`.
  private static func niceMaximum(_ value: UInt64) -> UInt64 {
    var step: UInt64 = 1
    while step < value {
      for factor in [UInt64(2), 5, 10] where step * factor >= value { return step * factor }
      guard step < UInt64.max / 100 else { return value }
      step *= 10
    }
    return max(1, step)
  }

  // MARK: Latency

  private func latencyFigure(_ axis: TimeAxis) -> Document.Figure {
    let percents = [50, 95, 99]
    let values = series.intervals.map { interval in
      percents.map { interval.figures.firstByte.percentile($0) }
    }
    let all = values.flatMap { $0.compactMap(\.self) }
    let bound = objectives.firstByteMicroseconds
    let low = Self.logarithm(min(all.min() ?? bound, bound) / 2)
    let high = max(
      low + 1, Self.logarithm((max(all.max() ?? bound, bound)).clamped(adding: 1)) + 300)
    let (height, base) = (Self.plotHeight + Self.top + 24, Self.plotHeight + Self.top)
    func y(_ value: UInt64) -> Int64 {
      base
        - min(
          Self.plotHeight, max(0, (Self.logarithm(value) - low) * Self.plotHeight / (high - low)))
    }
    let (back, front) = frame(axis, height: base)
    var body = back
    var mark: UInt64 = 1
    while mark < 10_000_000_000 {
      if Self.logarithm(mark) >= low, Self.logarithm(mark) <= high,
        abs(y(mark) - y(bound)) > 14
      {
        body += Self.grid(y(mark)) + Self.label(y(mark), Self.round(mark))
      }
      mark *= 10
    }
    body += #"<line class="axis" x1="0" x2="100%" y1="\#(base)" y2="\#(base)"/>"#
    body +=
      #"<line class="promise" x1="0" x2="100%" y1="\#(y(bound))" y2="\#(y(bound))"/><text class="tick" x="100%" y="\#(y(bound) - 4)" text-anchor="end">promised \#(Shown.duration(bound))</text>"#
    body +=
      #"<svg x="0" y="0" width="100%" height="\#(base)" viewBox="0 0 \#(series.intervals.count * 10) \#(base)" preserveAspectRatio="none">"#
    for (at, percent) in percents.enumerated() {
      var path = ""
      var isOpen = false
      for (index, value) in values.enumerated() {
        guard let value = value[at] else {
          isOpen = false
          continue
        }
        path += "\(isOpen ? "L" : "M")\(index * 10 + 5) \(y(value))"
        // A point of its own is seen by its round ends.
        if !isOpen { path += "h0" }
        isOpen = true
      }
      if !path.isEmpty { body += #"<path class="p\#(percent)" d="\#(path)"/>"# }
    }
    body += "</svg>" + front + axis.labels(y: height - 6)
    let description =
      "Time to the first byte of the answer in each \(Shown.span(series.length)), on a logarithmic scale: median, 95th and 99th percentile, "
      + "against the promised \(Shown.duration(bound))."
    let rows = zip(series.intervals, values).prefix(Self.tableMax).map {
      interval, value -> [[Inline]] in
      [[.time(interval.start)]] + value.map { [.text($0.map(Shown.duration) ?? "–")] }
    }
    return .init(
      title: "Time to the first byte", description: description,
      drawing: Self.svg(
        "c-latency", "Time to the first byte over time", description, height: height, body),
      legend: [("p50", "p50"), ("p95", "p95"), ("p99", "p99"), ("promise", "promised")],
      table: .init(
        caption: "",
        columns: [
          .init("from"), .init("p50", isNumber: true), .init("p95", isNumber: true),
          .init("p99", isNumber: true),
        ], rows: rows))
  }

  /// 1,024 times the logarithm to base 2, straight between powers of two: whole numbers only.
  private static func logarithm(_ value: UInt64) -> Int64 {
    let value = max(1, value)
    let exponent = 63 - value.leadingZeroBitCount
    let rest = value - (UInt64(1) << UInt64(exponent))
    let fraction = exponent >= 10 ? rest >> UInt64(exponent - 10) : rest << UInt64(10 - exponent)
    return Int64(exponent) * 1_024 + Int64(fraction)
  }

  private static func round(_ microseconds: UInt64) -> String {
    microseconds >= 1_000_000
      ? "\(microseconds / 1_000_000) s"
      : microseconds >= 1_000 ? "\(microseconds / 1_000) ms" : "\(microseconds) µs"
  }

  // MARK: Accounts

  private func lanesFigure(_ axis: TimeAxis) -> Document.Figure {
    let all = lanes.lanes.values.sorted {
      let (a, b) = (impact.accounts[$0.name], impact.accounts[$1.name])
      return (b.part, b.whole, $0.name) < (a.part, a.whole, $1.name)
    }
    let shown = all.prefix(Self.lanesMax)
    let row: Int64 = 36
    let height = row * Int64(max(1, shown.count)) + 26
    let (back, front) = frame(axis, height: height - 24)
    var body = back
    for (index, lane) in shown.enumerated() {
      let y = row * Int64(index)
      let calls = impact.accounts[lane.name]
      body +=
        #"<text class="lane" x="0" y="\#(y + 13)">\#(Page.escaped(lane.name))</text>"#
        + #"<text class="tick" x="100%" y="\#(y + 13)" text-anchor="end">\#(calls.part) of \#(calls.whole) calls failed</text>"#
        + #"<rect class="ready" x="0" y="\#(y + 23)" width="100%" height="3"/>"#
      for segment in lane.segments
      where segment.to.rawValue > axis.from && segment.from.rawValue < axis.to {
        let (from, to) = (max(axis.from, segment.from.rawValue), min(axis.to, segment.to.rawValue))
        // Told apart by their height as well.
        let (offset, tall): (Int64, Int64) =
          switch segment.state {
          case .cooling: (19, 11)
          case .halfOpen: (22, 5)
          case .out: (19, 11)
          case .ready: (23, 3)
          }
        body +=
          #"<rect class="\#(segment.state.rawValue)" x="\#(axis.percent(from))" y="\#(y + offset)" width="\#(axis.width(from, to))" height="\#(tall)"><title>\#(Page.escaped("\(lane.name) \(segment.state.rawValue) from \(rfc3339(segment.from)) to \(rfc3339(segment.to))"))</title></rect>"#
      }
    }
    body += front + axis.labels(y: height - 6)
    let description =
      "What could be done with each account over time: ready, cooling, half-open after a cooldown, or taken out."
      + (all.count > Self.lanesMax ? " The \(Self.lanesMax) with the most failed calls." : "")
    let idle = shown.filter(\.segments.isEmpty).map(\.name)
    let segments = shown.flatMap { lane in lane.segments.map { (lane.name, $0) } }
    return .init(
      title: "Accounts", description: description,
      drawing: Self.svg(
        "c-lanes", "State of accounts over time", description, height: height, body),
      legend: [
        ("ready", "ready"), ("cooling", "cooling"), ("half-open", "half-open"),
        ("out", "taken out"),
      ],
      table: .init(
        caption: "",
        columns: [.init("account"), .init("state"), .init("from"), .init("to"), .init("by")],
        rows: segments.prefix(Self.tableMax).map { name, it in
          [
            [.text(name)], [.text(it.state.rawValue)], [.time(it.from)], [.time(it.to)],
            [.place(it.place ?? "")],
          ]
        },
        note: segments.isEmpty
          ? "Every account was ready all the time."
          : (segments.count > Self.tableMax
            ? "… and \(segments.count - Self.tableMax) more. " : "")
            + (idle.isEmpty ? "" : "Ready all the time: \(idle.joined(separator: ", ")).")))
  }
}

/// The time along a drawing.
struct TimeAxis {
  let from: Int64
  let to: Int64

  init(from: Int64, to: Int64) {
    self.from = from
    self.to = max(to, from + 1)
  }

  func holds(_ time: Int64) -> Bool { time >= from && time <= to }

  /// Where a time lies, `12.345%`; what lies outside is at the edge.
  func percent(_ time: Int64) -> String { Self.text(thousandths(time)) }

  /// From one time to another; never nothing.
  func width(_ a: Int64, _ b: Int64) -> String {
    Self.text(max(150, thousandths(b) - thousandths(a)))
  }

  private func thousandths(_ time: Int64) -> Int64 {
    Int64(Int128(min(max(time, from), to) - from) * 100_000 / Int128(to - from))
  }

  private static func text(_ thousandths: Int64) -> String {
    let rest = thousandths % 1_000
    guard rest > 0 else { return "\(thousandths / 1_000)%" }
    var digits = String(String(rest + 1_000).dropFirst())
    while digits.hasSuffix("0") { digits.removeLast() }
    return "\(thousandths / 1_000).\(digits)%"
  }

  /// Clock times below a drawing; every second one may be left out where there is no room.
  func labels(y: Int64) -> String {
    let span = to - from
    let step = IntervalSeries.niceLength(forSpan: span, into: 7)
    let isLong = span > 2 * 86_400_000_000_000
    var at = (from / step + 1) * step
    var (out, index) = ("", 0)
    while at <= to {
      let text = rfc3339(UnixNanoseconds(at))
      let shown =
        isLong
        ? String(text.dropFirst(5).prefix(5))
        : String(
          text.dropFirst(11).prefix(step < 60_000_000_000 ? 8 : 5))
      let part = thousandths(at)
      let isNear = part < 4_000 || part > 96_000
      if !isNear {
        out +=
          #"<text class="tick\#(index % 2 == 1 ? " alt" : "")" x="\#(percent(at))" y="\#(y)" text-anchor="middle">\#(shown)</text>"#
      }
      at += step
      index += 1
    }
    return out
  }
}

public import Domain

/// What was before a window, to hold the window against.
public struct Baseline: Sendable, Hashable {
  /// So long before the window it begins, in nanoseconds; it ends where the window begins.
  public let length: Int64
  /// When the window begins.
  public let from: UnixNanoseconds
  /// When the window ends.
  public let to: UnixNanoseconds
  /// Since when there is a log; what is before that is not in the figures.
  public let covered: UnixNanoseconds
  /// All that ended in it.
  public private(set) var whole = RequestFigures()
  /// What ended at the window's time of day, on each of the days before it; nil: the window is longer than a day, or
  /// the baseline shorter.
  public private(set) var sameTime: RequestFigures?
  private static let day: Int64 = 86_400_000_000_000

  init(length: Int64, from: UnixNanoseconds, to: UnixNanoseconds, logBegins: UnixNanoseconds) {
    self.length = length
    self.from = from
    self.to = to
    covered = max(UnixNanoseconds(from.rawValue - length), logBegins)
    if length >= Self.day, to.rawValue - from.rawValue < Self.day { sameTime = RequestFigures() }
  }

  mutating func add(_ it: RequestEvent.Finished, at time: UnixNanoseconds) {
    guard time >= covered, time < from else { return }
    whole.add(it)
    guard sameTime != nil else { return }
    // Days back until the window holds it.
    let days = (from.rawValue - time.rawValue + Self.day - 1) / Self.day
    let moved = time.rawValue + days * Self.day
    if days * Self.day <= length, moved <= to.rawValue { sameTime?.add(it) }
  }

  /// Of the whole baseline, and of the times of day in it that the log covers, in nanoseconds.
  private var spans: (whole: Int64, sameTime: Int64) {
    let window = max(1, to.rawValue - from.rawValue)
    var same: Int64 = 0
    for days in stride(from: Int64(1), through: min(length / Self.day, 100_000), by: 1) {
      let begin = max(from.rawValue - days * Self.day, covered.rawValue)
      let end = from.rawValue - days * Self.day + window
      if end <= begin { break }
      same += end - begin
    }
    return (max(1, from.rawValue - covered.rawValue), same)
  }

  // MARK: Renderings

  private struct Row {
    var name: String
    var cells: [String]
    var isAnother: Bool
  }

  private func rows(_ window: RequestFigures) -> [Row] {
    let (wholeSpan, sameSpan) = spans
    var columns = [(window, max(1, to.rawValue - from.rawValue)), (whole, wholeSpan)]
    if let sameTime, sameSpan > 0 { columns.append((sameTime, sameSpan)) }
    func perMinute(_ number: UInt64, _ span: Int64) -> String {
      let tenths = Int128(number) * 600_000_000_000 / Int128(span)
      return "\(tenths / 10).\(tenths % 10)"
    }
    func share(_ name: String, _ part: (RequestFigures) -> UInt64) -> Row {
      let shares = columns.map { Share(part: part($0.0), whole: $0.0.counted) }
      return Row(
        name: name, cells: shares.map(\.percent), isAnother: shares[0].differs(from: shares[1]))
    }
    func time(_ name: String, _ percent: Int, _ times: (RequestFigures) -> LatencyFigures) -> Row {
      let figures = columns.map { times($0.0).percentile(percent) }
      let (here, before) = (figures[0] ?? 0, figures[1] ?? 0)
      return Row(
        name: name, cells: figures.map { $0.map(Shown.duration) ?? "–" },
        isAnother: figures[0] != nil && figures[1] != nil
          && (here / 2 >= before || before / 2 >= here))
    }
    func rate(_ name: String, _ number: (RequestFigures) -> UInt64) -> Row {
      let rates = columns.map { Int128(number($0.0)) * 1_000_000_000_000 / Int128($0.1) }
      return Row(
        name: name, cells: columns.map { perMinute(number($0.0), $0.1) },
        isAnother: number(columns[0].0) + number(columns[1].0) >= 20
          && (rates[0] >= 2 * rates[1] || 2 * rates[0] <= rates[1]))
    }
    var out = [rate("requests a minute") { $0.requests }, share("failed") { $0.failed }]
    for errorClass in ErrorClass.allCases
    where columns.contains(where: { $0.0.classes[errorClass] != nil }) {
      out.append(rate("\(errorClass.name) errors a minute") { $0.classes[errorClass] ?? 0 })
    }
    out.append(rate("retries a minute") { $0.retries })
    out.append(time("p50 to the first byte", 50) { $0.firstByte })
    out.append(time("p95 to the first byte", 95) { $0.firstByte })
    out.append(time("p99 to the first byte", 99) { $0.firstByte })
    out.append(time("p95 in all", 95) { $0.total })
    out.append(rate("tokens a minute") { $0.tokensIn.clamped(adding: $0.tokensOut) })
    return out
  }

  func text(_ window: RequestFigures) -> String {
    var out = "baseline  \(rfc3339(UnixNanoseconds(from.rawValue - length))) … \(rfc3339(from)), "
    out += Shown.count(whole.requests, "request") + "\n"
    if covered.rawValue > from.rawValue - length {
      out += "          the log begins at \(rfc3339(covered)): what is before is not known\n"
    }
    guard whole.requests > 0 else { return out + "          nothing to compare with\n" }
    var headings = ["against the baseline", ">window", ">\(Shown.span(length)) before"]
    if sameTime != nil, spans.sameTime > 0 { headings.append(">same time of day") }
    var table = TextTable(headings: headings + [""])
    for row in rows(window) {
      table.add([row.name] + row.cells + [row.isAnother ? "another" : ""])
    }
    return out + "\n" + table.rendered()
  }

  func json(_ window: RequestFigures) -> JSONTree {
    .object([
      .init("length", .text(Shown.span(length))),
      .init("from", .text(rfc3339(UnixNanoseconds(from.rawValue - length)))),
      .init("to", .text(rfc3339(from))), .init("coveredFrom", .text(rfc3339(covered))),
      .init("window", window.json), .init("whole", whole.json),
      .init("sameTimeOfDay", sameTime?.json ?? .null),
      .init(
        "another", .array(rows(window).filter(\.isAnother).map { .text($0.name) })),
    ])
  }
}

public import Domain

/// An interval at which a figure jumped.
public struct ChangePoint: Sendable, Hashable {
  /// What is looked at.
  public enum Figure: Sendable, Hashable {
    /// Requests an interval.
    case rate
    /// The share of requests that failed.
    case failed
    /// The share of requests that ended with a class of error.
    case errorClass(ErrorClass)
    /// The median time until the first byte.
    case firstByte
  }

  /// What jumped.
  public var figure: Figure
  /// When the interval begins.
  public var start: UnixNanoseconds
  /// The first request of the interval that the figure is about; nil: none ended in it.
  public var moment: LogCoverage.Moment?
  /// Whether it rose.
  public var isRise: Bool
  /// The figure since the jump before, or since the window's beginning, in words.
  public var before: String
  /// The figure of the interval, in words.
  public var after: String

  /// Jumps of one answer.
  static let most = 200

  /// All jumps of a series, by time and figure.
  ///
  /// Each interval is held against all intervals since the last jump together. Shares jump as `Share.differs` says, after
  /// five requests or more. A rate jumps when it doubled or halved against the mean of three or more whole intervals, at
  /// twenty requests an interval or more on the higher side, and (c·k − s)² > 16 · k · (s + c) of c requests against s in
  /// k intervals. The median jumps when it doubled or halved and the share beyond twice, or half, the median before
  /// differs. The interval of a jump counts to neither side.
  static func find(in series: IntervalSeries) -> [ChangePoint] {
    let intervals = series.intervals
    var found = rates(intervals)
    found += shares(intervals, .failed, of: { $0.failed }, among: { $0.counted }) { $0.firstFailed }
    for errorClass in ErrorClass.allCases {
      found += shares(
        intervals, .errorClass(errorClass), of: { $0.classes[errorClass] ?? 0 },
        among: { $0.requests }
      ) { $0.firstOfClass[errorClass] }
    }
    found += medians(intervals)
    let order = found.enumerated().sorted {
      ($0.element.start, $0.offset) < ($1.element.start, $1.offset)
    }
    return Array(order.map(\.element).prefix(most))
  }

  private static func shares(
    _ intervals: [IntervalSeries.Interval], _ figure: Figure,
    of part: (RequestFigures) -> UInt64, among whole: (RequestFigures) -> UInt64,
    _ moment: (IntervalSeries.Interval) -> LogCoverage.Moment?
  ) -> [ChangePoint] {
    var found: [ChangePoint] = []
    var reference = Share.none
    for interval in intervals {
      let share = Share(part: part(interval.figures), whole: whole(interval.figures))
      guard share.whole > 0 else { continue }
      guard reference.whole >= 5, share.differs(from: reference) else {
        reference = reference + share
        continue
      }
      found.append(
        ChangePoint(
          figure: figure, start: interval.start, moment: moment(interval) ?? interval.first,
          isRise: share.isAbove(reference), before: reference.text, after: share.text))
      reference = .none
    }
    return found
  }

  private static func rates(_ intervals: [IntervalSeries.Interval]) -> [ChangePoint] {
    var found: [ChangePoint] = []
    var (sum, count): (UInt64, UInt64) = (0, 0)
    // The window cuts the first and the last one.
    for interval in intervals.dropFirst().dropLast() {
      let here = interval.figures.requests
      let (s, k, c) = (Int128(sum), Int128(count), Int128(here))
      let difference = c * k - s
      let isJump =
        k >= 3 && max(c * k, s) >= 20 * k && (c * k >= 2 * s || 2 * c * k <= s)
        && difference * difference > 16 * k * (s + c)
      guard isJump else {
        sum += here
        count += 1
        continue
      }
      found.append(
        ChangePoint(
          figure: .rate, start: interval.start, moment: interval.first, isRise: difference > 0,
          before: "\((sum + count / 2) / count) an interval", after: String(here)))
      (sum, count) = (0, 0)
    }
    return found
  }

  private static func medians(_ intervals: [IntervalSeries.Interval]) -> [ChangePoint] {
    var found: [ChangePoint] = []
    var reference = LatencyFigures(exactMax: 256)
    for interval in intervals {
      let times = interval.figures.firstByte
      guard let here = times.percentile(50) else { continue }
      guard times.count >= 5, reference.count >= 5, let before = reference.percentile(50),
        isJump(times, here, from: reference, before)
      else {
        reference.add(times)
        continue
      }
      found.append(
        ChangePoint(
          figure: .firstByte, start: interval.start, moment: interval.first, isRise: here > before,
          before: Shown.duration(before), after: Shown.duration(here)))
      reference = LatencyFigures(exactMax: 256)
    }
    return found
  }

  private static func isJump(
    _ times: LatencyFigures, _ here: UInt64, from reference: LatencyFigures, _ before: UInt64
  ) -> Bool {
    let bound: UInt64
    if here / 2 >= before {
      bound = before.clamped(adding: before)
    } else if before / 2 >= here {
      bound = before / 2
    } else {
      return false
    }
    return Share(part: times.count(above: bound), whole: times.count).differs(
      from: Share(part: reference.count(above: bound), whole: reference.count))
  }
}

extension ChangePoint.Figure {
  /// A stable word.
  var name: String {
    switch self {
    case .rate: "requests"
    case .failed: "failed"
    case .errorClass(let errorClass): "class-\(errorClass.name)"
    case .firstByte: "first-byte-p50"
    }
  }

  /// For people.
  var text: String {
    switch self {
    case .rate: "requests"
    case .failed: "failed requests"
    case .errorClass(let errorClass): "errors of class \(errorClass.name)"
    case .firstByte: "median time to the first byte"
    }
  }
}

extension ChangePoint {
  /// `failed requests rose from 0 of 120 (0.0 %) to 31 of 40 (77.5 %)`.
  var text: String { "\(figure.text) \(isRise ? "rose" : "fell") from \(before) to \(after)" }

  var json: JSONTree {
    .object([
      .init("figure", .text(figure.name)), .init("start", .text(rfc3339(start))),
      .init("at", .text(moment?.place)), .init("isRise", .bool(isRise)),
      .init("before", .text(before)), .init("after", .text(after)),
    ])
  }
}

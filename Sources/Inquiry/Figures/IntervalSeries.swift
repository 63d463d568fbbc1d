public import Domain

/// Requests by when they ended, in intervals that begin at multiples of their length since 1970.
public struct IntervalSeries: Sendable, Hashable {
  /// Of each interval, in nanoseconds.
  public let length: Int64
  /// In order, without holes; empty: no request ended.
  public private(set) var intervals: [Interval] = []

  /// Intervals of one answer.
  public static let intervalsMax = 2_000
  /// Times of one interval that are kept as they are.
  private static let exactMax = 256

  /// One interval.
  public struct Interval: Sendable, Hashable {
    /// When it begins.
    public var start: UnixNanoseconds
    /// Of the requests that ended in it.
    public var figures: RequestFigures
    /// Where the first of them stands; nil: there is none.
    public var first: LogCoverage.Moment?
    /// Where the first failed one of them stands.
    public var firstFailed: LogCoverage.Moment?
    /// Where the first one of each class of error stands.
    var firstOfClass: [ErrorClass: LogCoverage.Moment] = [:]
  }

  init(length: Int64) { self.length = length }

  /// Makes room for intervals from one time to another, whether or not a request ended in them.
  mutating func cover(
    _ from: UnixNanoseconds, _ to: UnixNanoseconds
  ) throws(InquiryFault) {
    _ = try index(of: from)
    _ = try index(of: to)
  }

  mutating func add(
    _ it: RequestEvent.Finished, at moment: LogCoverage.Moment
  ) throws(InquiryFault) {
    let at = try index(of: moment.time)
    intervals[at].figures.add(it)
    if intervals[at].first == nil { intervals[at].first = moment }
    if let errorClass = it.errorClass, intervals[at].firstOfClass[errorClass] == nil {
      intervals[at].firstOfClass[errorClass] = moment
    }
    if it.verdict == .failed, intervals[at].firstFailed == nil {
      intervals[at].firstFailed = moment
    }
  }

  private mutating func index(of time: UnixNanoseconds) throws(InquiryFault) -> Int {
    let start = Self.start(of: time, length)
    guard let first = intervals.first?.start.rawValue else {
      intervals.append(empty(start))
      return 0
    }
    let distance = (start / length).subtractingReportingOverflow(first / length)
    let needed =
      distance.partialValue < 0
      ? Int64(intervals.count) - distance.partialValue : distance.partialValue + 1
    guard !distance.overflow, needed <= Self.intervalsMax else {
      let span = (Int128(abs(distance.partialValue)) + 1) * Int128(length)
      let least = IntervalSeries.niceLength(forSpan: Int64(clamping: span), into: Self.intervalsMax)
      throw InquiryFault(
        .usage,
        "The window has more than \(Self.intervalsMax) intervals of \(Shown.span(length)): choose "
          + "intervals of \(Shown.span(least)) or longer, or a shorter window.",
        parameter: "interval")
    }
    // The clock of a second process may be behind that of the first.
    if distance.partialValue < 0 {
      let more = (distance.partialValue..<0).map { empty(first + $0 * length) }
      intervals.insert(contentsOf: more, at: 0)
      return 0
    }
    while Int64(intervals.count) <= distance.partialValue {
      intervals.append(empty(first + Int64(intervals.count) * length))
    }
    return Int(distance.partialValue)
  }

  private func empty(_ start: Int64) -> Interval {
    Interval(
      start: UnixNanoseconds(start), figures: RequestFigures(exactMax: Self.exactMax))
  }

  /// When the interval of a time begins.
  static func start(of time: UnixNanoseconds, _ length: Int64) -> Int64 {
    let rest = time.rawValue % length
    let start = time.rawValue.subtractingReportingOverflow(rest < 0 ? rest + length : rest)
    return start.overflow ? 0 : start.partialValue
  }

  /// The shortest of the usual lengths of which no more than `count` make up a span.
  static func niceLength(forSpan span: Int64, into count: Int) -> Int64 {
    let second: Int64 = 1_000_000_000
    let usual: [Int64] = [
      1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200,
      86_400,
    ]
    for seconds in usual where span / (seconds * second) < Int64(count) { return seconds * second }
    let days = span / (86_400 * second) / Int64(count) + 1
    return days * 86_400 * second
  }
}

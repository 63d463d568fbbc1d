public import Domain
public import EventStore

extension Replay {
  /// The positions that two selectors name, cut to the log; nil: there is none between them.
  ///
  /// - Parameters:
  ///   - from: nil: from the log's beginning.
  ///   - to: inclusive; nil: to the log's end.
  public static func range(
    _ log: LogReader, from: Selector?, to: Selector?, now: UnixNanoseconds
  ) throws(InquiryFault) -> ClosedRange<Position>? {
    let (first, last) = try bounds(of: log, from: from, to: to, now: now)
    return first <= last ? first...last : nil
  }

  /// Where reading begins for a verb that also looks at what was up to so long before its range.
  ///
  /// - Parameter length: in nanoseconds, by the author's clock; 0: it looks at nothing else.
  public static func reach(
    _ log: LogReader, from: Selector?, _ first: Position, back length: Int64, now: UnixNanoseconds
  ) throws(InquiryFault) -> Position {
    guard length > 0 else { return first }
    var begin = from?.time(now: now)
    if begin == nil { begin = try log.time(atOrAfter: first) }
    guard let begin else { return first }
    let (early, isTooEarly) = begin.rawValue.subtractingReportingOverflow(length)
    let found = try reading { () throws(StoreError) in
      try log.firstPosition(atOrAfter: isTooEarly ? 0 : max(0, early))
    }
    return min(found, first)
  }

  /// How many events between two selectors have times that they leave out.
  ///
  /// All events with the times asked for stand between their positions; where a clock was set others do too.
  public static func countOutside(
    _ log: LogReader, from: Selector?, to: Selector?, now: UnixNanoseconds
  ) throws(InquiryFault) -> UInt64 {
    let times = EventTimes(from: from, to: to, now: now)
    guard times.isLimited, times.first <= times.last,
      let range = try range(log, from: from, to: to, now: now)
    else { return 0 }
    return try reading { () throws(StoreError) in
      try log.count(
        from: range.lowerBound, through: range.upperBound, outside: times.first...times.last)
    }
  }

  /// The position of a moment; may be a later one than the log's last where damage may have been longer.
  ///
  /// - Parameter selector: nil: the log's end.
  /// - Throws: `.notFound` for a position that the log has not reached.
  static func moment(
    _ selector: Selector?, in log: LogReader, now: UnixNanoseconds
  ) throws(InquiryFault) -> Position {
    let end = log.last
    guard let selector else { return end }
    let found = try selector.resolve(in: log, now: now, edge: .to)
    guard found > end, case .position = selector, try gapsAtEnd(of: log, behind: end).isEmpty
    else { return found }
    throw InquiryFault(
      .notFound, "There is no position \(found) yet. \(try LogCoverage(log).text)")
  }

  /// The same as its ends; the first one is greater than the last if there is nothing between.
  static func bounds(
    of log: LogReader, from: Selector?, to: Selector?, now: UnixNanoseconds
  ) throws(InquiryFault) -> (first: Position, last: Position) {
    (
      max(try from?.resolve(in: log, now: now, edge: .from) ?? log.first, log.first),
      min(try to?.resolve(in: log, now: now, edge: .to) ?? log.last, log.last)
    )
  }
}

/// The times of a range that is given by times; positions limit none.
struct EventTimes: Hashable {
  var first: Int64
  var last: Int64

  init(from: Selector?, to: Selector?, now: UnixNanoseconds) {
    first = from?.time(now: now)?.rawValue ?? .min
    last = to?.time(now: now)?.rawValue ?? .max
  }

  var isLimited: Bool { first > .min || last < .max }

  /// False also of all times, where the last one is before the first.
  func contains(_ time: UnixNanoseconds) -> Bool { first <= time.rawValue && time.rawValue <= last }
}

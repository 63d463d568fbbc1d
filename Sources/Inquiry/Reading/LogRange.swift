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

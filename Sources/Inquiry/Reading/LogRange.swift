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
    let first = max(try from?.resolve(in: log, now: now, edge: .from) ?? log.first, log.first)
    let last = min(try to?.resolve(in: log, now: now, edge: .to) ?? log.last, log.last)
    return first <= last ? first...last : nil
  }
}

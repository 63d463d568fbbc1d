import Domain
import EventStore

extension LogReader {
  /// Reads the ends of requests in a range, each with where it stands and the configuration just after it.
  ///
  /// What is damaged is passed over.
  func readEnds(
    from: Position, through: Position, _ filter: WindowFilter, progress: Progress?,
    _ body: (RequestEvent.Finished, Position, LogCoverage.Moment, ControlState)
      throws(InquiryFault) -> Void
  ) throws(InquiryFault) {
    guard from <= through else { return }
    var (fold, start) = ConfigurationFold.start(in: self, through: Position(from.rawValue - 1))
    try read(from: start, through: through, progress: progress) { (item) throws(InquiryFault) in
      guard case .event(let stored) = item, stored.position <= through else { return }
      if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
      guard stored.position >= from, stored.kind.hasPrefix("request.finished.") else { return }
      let entry = Entry(stored)
      guard case .request(.finished(let fact)) = entry.event,
        filter.matches(entry, kind: stored.kind, fold.state)
      else { return }
      try body(
        fact, stored.position, LogCoverage.Moment(place: entry.place, time: entry.time), fold.state)
    }
  }

  /// The time of the first readable event at a position or behind it; nil: there is none.
  func time(atOrAfter position: Position) throws(InquiryFault) -> UnixNanoseconds? {
    var found: UnixNanoseconds?
    do {
      try scan(from: position, through: nil) { entry in
        guard case .event(let stored) = entry else { return .continue }
        found = UnixNanoseconds(stored.time)
        return .stop
      }
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
    return found
  }
}

extension Selector {
  /// The time that it names by itself; nil: it names an event.
  func time(now: UnixNanoseconds) -> UnixNanoseconds? {
    switch self {
    case .time(let time): return time
    case .ago(let nanoseconds):
      let (time, isTooEarly) = now.rawValue.subtractingReportingOverflow(nanoseconds)
      return UnixNanoseconds(isTooEarly ? 0 : max(0, time))
    case .position, .request, .event: return nil
    }
  }
}

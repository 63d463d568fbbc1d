public import EventStore

extension LogReader {
  /// Events that stand near each other may be out of order by the moments that they took into the log.
  private static let disorder: UInt64 = 1024

  /// Up to where events before `time` are to be looked for, from the log's beginning; some there may be later all the same.
  ///
  /// Mostly that is where the first one stands that is not before it. But a clock may have been set back behind that
  /// one: samples of what would be left out, at doubling distances from both of its ends, find a stretch of earlier
  /// events that is as long as what lies between it and one end; its own end is found by bisection.
  public func searchEnd(before time: Int64) throws(StoreError) -> Position {
    let behind = try firstPosition(atOrAfter: time).rawValue
    let end = last.rawValue
    guard behind <= end else { return last }
    func isBefore(_ position: UInt64) throws(StoreError) -> Bool {
      guard let event = try event(at: Position(position)) else { return false }
      return event.time < time
    }
    var samples: Set<UInt64> = [end]
    var distance: UInt64 = 1
    while distance <= end - behind {
      if distance >= Self.disorder { samples.insert(behind + distance) }
      samples.insert(end - distance)
      distance *= 2
    }
    var above: UInt64?
    var found: UInt64?
    for position in samples.sorted(by: >) {
      if try isBefore(position) {
        found = position
        break
      }
      above = position
    }
    guard var low = found else { return Position(min(end, max(behind, 1) - 1 + Self.disorder)) }
    guard var high = above else { return last }
    while high - low > 1 {
      let middle = low + (high - low) / 2
      if try isBefore(middle) { low = middle } else { high = middle }
    }
    return Position(min(end, low + Self.disorder))
  }
}

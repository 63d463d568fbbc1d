/// What the authors' clocks said: they may be set, so that times need not grow with the positions.
extension LogReader {
  /// The last event, in log order, whose time is at most `time`; position 0 if there is none.
  ///
  /// From `firstPosition(atOrAfter:)` through here stand all events between two times, however clocks were set, and
  /// perhaps others. Costs the headers of the blocks behind it in its segment.
  public func lastPosition(atOrBefore time: Int64) throws(StoreError) -> Position {
    settle()
    var end = index.last
    while end > 0, let step = try index.step(atOrBefore: end, atOrBeforeTime: time) {
      if let place = step.place, try blocks.times(of: place).map({ $0.lowerBound <= time }) ?? true
      {
        var found: UInt64?
        try forEachTime(in: place.first...min(place.last, end)) { position, it in
          if it <= time { found = position }
        }
        if let found { return Position(found) }
      }
      end = step.next
    }
    return Position(0)
  }

  /// The last event, in log order, whose time is less than `time`; position 0 if there is none.
  public func lastPosition(before time: Int64) throws(StoreError) -> Position {
    time == .min ? Position(0) : try lastPosition(atOrBefore: time - 1)
  }

  /// How many events of a range have times outside of `times`.
  ///
  /// Costs the headers of the range's blocks, and the blocks that hold such events.
  public func count(
    from: Position, through: Position, outside times: ClosedRange<Int64>
  ) throws(StoreError) -> UInt64 {
    settle()
    var at = max(1, from.rawValue)
    let end = min(through.rawValue, index.last)
    var count: UInt64 = 0
    while at <= end, let step = try index.step(atOrAfter: at, outside: times) {
      if let place = step.place, place.first <= end,
        try blocks.times(of: place).map({ $0.clamped(to: times) != $0 }) ?? true
      {
        try forEachTime(in: max(place.first, at)...min(place.last, end)) { _, it in
          if !times.contains(it) { count += 1 }
        }
      }
      at = step.next
    }
    return count
  }

  /// The times of the readable events of a range, in order.
  private func forEachTime(
    in range: ClosedRange<UInt64>, _ body: (UInt64, Int64) -> Void
  ) throws(StoreError) {
    var at = range.lowerBound
    while let (block, first) = try blocks.nextBlock(&at, through: range.upperBound) {
      _ = block.forEachRecord(from: first) { number, view, _ in
        let position = block.header.first + UInt64(number)
        guard position <= range.upperBound else { return false }
        body(position, view.time)
        return true
      }
    }
  }
}

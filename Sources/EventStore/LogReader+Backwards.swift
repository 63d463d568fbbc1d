extension LogReader {
  /// Calls `body` with a stream's events, the newest first, until it returns false.
  ///
  /// Reads in portions from the end, so that a long stream costs what is looked at. Events in damaged
  /// blocks are missing, as in `events(ofStream:from:)`.
  ///
  /// - Parameter before: Only those that stand before; nil: from the newest.
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func backwards(
    ofStream stream: String, before: Position? = nil, _ body: (StoredEvent) throws -> Bool
  ) throws {
    var end = revision(of: stream).rawValue
    if let before { end = try revision(of: stream, before: before, through: end) }
    var portion: UInt64 = 16
    while end > 0 {
      let from = end > portion ? end - portion + 1 : 1
      for stored in try events(ofStream: stream, from: Revision(from)).reversed()
      where stored.revision.rawValue <= end {
        guard try body(stored) else { return }
      }
      end = from - 1
      portion *= 2
    }
  }

  /// The last revision of a stream whose event stands before a position, by halving; 0: none does.
  private func revision(
    of stream: String, before: Position, through last: UInt64
  ) throws(StoreError) -> UInt64 {
    var (low, high): (UInt64, UInt64) = (0, last)
    while low < high {
      let middle = low + (high - low + 1) / 2
      // Of what cannot be read the next one that can tells the place.
      var place: Position?
      try forwards(ofStream: stream, from: Revision(middle)) {
        place = $0.position
        return false
      }
      if let place, place < before { low = middle } else { high = middle - 1 }
    }
    return low
  }
}

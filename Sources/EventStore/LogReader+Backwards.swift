extension LogReader {
  /// Calls `body` with a stream's events, the newest first, until it returns false.
  ///
  /// Reads in portions from the end, so that a long stream costs what is looked at. Events in damaged
  /// blocks are missing, as in `events(ofStream:from:)`.
  ///
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func backwards(
    ofStream stream: String, _ body: (StoredEvent) throws -> Bool
  ) throws {
    var end = revision(of: stream).rawValue
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
}

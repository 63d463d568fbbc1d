/// What the log has of one stream, found through the index.
extension LogReader {
  /// The last revision of `stream`; `.none` if it has no event.
  public func revision(of stream: String) -> Revision {
    settle()
    return Revision(index.revision(of: stream))
  }

  /// Streams whose name begins with `prefix`, sorted by name.
  public func streams(withPrefix prefix: String) -> [(stream: String, revision: Revision)] {
    settle()
    return index.streams(withPrefix: prefix).map { ($0.0, Revision($0.1)) }
      .sorted { $0.stream < $1.stream }
  }

  /// Events of one stream in order, from revision `from` on.
  ///
  /// Events in damaged blocks are missing: compare revisions, or ask `verify`.
  public func events(
    ofStream stream: String, from: Revision
  ) throws(StoreError) -> [StoredEvent] {
    var events: [StoredEvent] = []
    try forwards(ofStream: stream, from: from) {
      events.append($0)
      return true
    }
    return events
  }

  /// Calls `body` with the events of one stream in order, from revision `from` on, until it returns false.
  ///
  /// Costs the index and the blocks that are looked at. Events in damaged blocks are missing, as in
  /// `events(ofStream:from:)`.
  public func forwards(
    ofStream stream: String, from: Revision, _ body: (StoredEvent) -> Bool
  ) throws(StoreError) {
    settle()
    var names = NameCache()
    let name = Array(stream.utf8)
    var at: UInt64 = 1
    for run in try index.runs(ofStream: stream, from: from.rawValue) {
      at = max(at, run.lowerBound)
      while let (block, first) = try blocks.nextBlock(&at, through: run.upperBound) {
        var isWanted = true
        _ = block.forEachRecord(from: first) { number, view, bytes in
          if view.revision >= from.rawValue, bytes.slice(view.stream).elementsEqual(name) {
            isWanted = body(block.event(number, view, bytes, &names))
          }
          return isWanted
        }
        guard isWanted else { return }
      }
    }
  }

  /// Calls `body` with a stream's events behind a position, in order, until it returns false.
  ///
  /// Costs the index and the blocks that are looked at. Events in damaged blocks are missing, as in
  /// `events(ofStream:from:)`.
  ///
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func forwards(
    ofStream stream: String, behind position: Position, _ body: (StoredEvent) throws -> Bool
  ) throws {
    settle()
    var names = NameCache()
    let name = Array(stream.utf8)
    let runs = try index.runs(ofStream: stream, from: 1)
    // The block that begins at or before the position may reach beyond it.
    let beginning = runs.lastIndex { $0.lowerBound <= position.rawValue } ?? 0
    var at: UInt64 = 1
    for run in runs[beginning...] {
      at = max(at, run.lowerBound)
      while let (block, first) = try blocks.nextBlock(&at, through: run.upperBound) {
        var isWanted = true
        _ = try block.forEachRecord(from: first) { number, view, bytes in
          if block.header.first + UInt64(number) > position.rawValue,
            bytes.slice(view.stream).elementsEqual(name)
          {
            isWanted = try body(block.event(number, view, bytes, &names))
          }
          return isWanted
        }
        guard isWanted else { return }
      }
    }
  }
}

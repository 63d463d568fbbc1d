/// A read-only view of a log.
///
/// Works beside a writing process and on a copy, and never changes a byte in the directory.
public final class LogReader: Sendable {
  private init() { preconditionFailure("not written yet") }

  /// Opens the log in `directory` and reads it once to build the index.
  ///
  /// Damage is no error here: it comes as `LogGap` from `scan` and `verify`.
  ///
  /// - Throws: `.notAStore`, `.io`, `.permissions`.
  public static func open(directory: String) throws(StoreError) -> LogReader {
    preconditionFailure("not written yet")
  }

  /// The store's identity.
  public var storeID: UInt128 { preconditionFailure("not written yet") }
  /// The segments, in order.
  public var segments: [SegmentInfo] { preconditionFailure("not written yet") }

  /// Reads what the writer appended since the last look.
  ///
  /// A half-written last block is not an error here.
  ///
  /// - Returns: the last readable position.
  @discardableResult
  public func refresh() throws(StoreError) -> Position { preconditionFailure("not written yet") }

  /// The last readable position.
  public var last: Position { preconditionFailure("not written yet") }
  /// Epoch of the last event.
  public var epoch: Epoch { preconditionFailure("not written yet") }

  /// Reads in order, from `from` through `through` (nil: to the end); damaged ranges come as `.gap`.
  ///
  /// - Throws: what `body` throws, or `StoreError` (`.io`).
  public func scan(
    from: Position, through: Position?, _ body: (LogEntry) throws -> ScanStep
  ) throws { preconditionFailure("not written yet") }

  /// The event at `position`; nil if there is none or it lies in a damaged range.
  public func event(at position: Position) throws(StoreError) -> StoredEvent? {
    preconditionFailure("not written yet")
  }

  /// Where the event with this id stands.
  public func position(of id: EventID) throws(StoreError) -> Position? {
    preconditionFailure("not written yet")
  }

  /// Positions of all events that carry this lookup key, ascending.
  public func positions(forKey key: [UInt8]) throws(StoreError) -> [Position] {
    preconditionFailure("not written yet")
  }

  /// The first event, in log order, whose time is at least `time`; the position after the last if there is none.
  public func firstPosition(atOrAfter time: Int64) throws(StoreError) -> Position {
    preconditionFailure("not written yet")
  }

  /// The last revision of `stream`; `.none` if it has no event.
  public func revision(of stream: String) -> Revision { preconditionFailure("not written yet") }

  /// Streams whose name begins with `prefix`, sorted by name.
  public func streams(withPrefix prefix: String) -> [(stream: String, revision: Revision)] {
    preconditionFailure("not written yet")
  }

  /// Events of one stream in order, from revision `from` on.
  public func events(
    ofStream stream: String, from: Revision
  ) throws(StoreError) -> [StoredEvent] { preconditionFailure("not written yet") }

  /// The chain value at `position` (`.origin`: zero).
  public func chainValue(at position: Position) throws(StoreError) -> Digest {
    preconditionFailure("not written yet")
  }

  /// Reads every byte of the range and checks checksums, epochs, density, revisions and the chain.
  ///
  /// Damage does not throw: it is in the report.
  public func verify(
    from: Position, through: Position?, progress: ((Position) -> Void)?
  ) throws(StoreError) -> VerifyReport { preconditionFailure("not written yet") }

  /// Blocks the calling thread until there is something after `position` or the time is over.
  ///
  /// - Returns: the last readable position.
  public func waitForEvents(
    after position: Position, timeoutMilliseconds: Int
  ) throws(StoreError) -> Position { preconditionFailure("not written yet") }
}

import EventStore

/// What recording needs of the log; a seam for tests that hold it back or let it fail.
protocol RequestLog: AnyObject, Sendable {
  /// Why the log takes no appends at present; nil if it does.
  var failure: StoreError? { get }
  /// Takes what one loop gathered, in order; may answer before it returns.
  func submit(_ requests: [AppendRequest], sink: any AppendSink)
  /// The newest events that carry each lookup key, in order; reads the disk: not for an event loop.
  func events(forKeys keys: [[UInt8]], newest count: Int) throws(StoreError) -> [[StoredEvent]]
}

extension EventStore: RequestLog {
  func events(forKeys keys: [[UInt8]], newest count: Int) throws(StoreError) -> [[StoredEvent]] {
    try reader.events(forKeys: keys, newest: count)
  }
}

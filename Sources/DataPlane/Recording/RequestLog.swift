import EventStore

/// What recording needs of the log; a seam for tests that hold it back or let it fail.
protocol RequestLog: AnyObject, Sendable {
  /// Why the log takes no appends at present; nil if it does.
  var failure: StoreError? { get }
  func submit(
    _ batch: AppendBatch, durability: Durability, sink: any AppendSink, token: UInt64)
}

extension EventStore: RequestLog {}

/// What waits to be told to a collector, by its places in the log: one run of events a batch.
///
/// Bounded by spans and by the bytes of their records; the oldest run goes first.
struct SpanQueue: Sendable {
  struct Bounds: Sendable {
    /// Spans that wait.
    var spans: UInt64 = 262_144
    /// Bytes that the log has of the requests that wait.
    var bytes: UInt64 = 64 << 20
  }

  /// Requests of one batch.
  struct Run: Sendable, Hashable {
    /// Position of the first request.
    var first: UInt64
    /// Position of the last one.
    var last: UInt64
    var spans: UInt64
    var bytes: UInt64
  }

  /// Of one run; a request that has more is one by itself.
  static let runSpans: UInt64 = 512
  private static let runBytes: UInt64 = 256 << 10
  /// From its first to its last event.
  private static let runEvents: UInt64 = 8192

  private let bounds: Bounds
  /// The oldest one first.
  private(set) var runs: [Run] = []
  private var spans: UInt64 = 0
  private var bytes: UInt64 = 0
  /// Through where the log was looked through.
  var position: UInt64

  init(after position: UInt64, bounds: Bounds = Bounds()) {
    self.position = position
    self.bounds = bounds
  }

  /// Adds the next request.
  ///
  /// - Returns: how many spans had to go for it.
  mutating func add(_ position: UInt64, spans count: UInt64, bytes size: UInt64) -> UInt64 {
    spans += count
    bytes += size
    if let last = runs.last, last.spans + count <= Self.runSpans,
      last.bytes + size <= Self.runBytes, position - last.first < Self.runEvents
    {
      runs[runs.count - 1] = Run(
        first: last.first, last: position, spans: last.spans + count, bytes: last.bytes + size)
    } else {
      runs.append(Run(first: position, last: position, spans: count, bytes: size))
    }
    var dropped: UInt64 = 0
    while spans > bounds.spans || bytes > bounds.bytes, let first = runs.first {
      dropped += first.spans
      remove(first)
    }
    return dropped
  }

  /// The oldest run is done with.
  mutating func remove(_ run: Run) {
    guard runs.first == run else { return }
    runs.removeFirst()
    spans -= run.spans
    bytes -= run.bytes
  }
}

import Synchronization

/// What the data plane counted since it started; one consistent-enough reading.
public struct DataPlaneCounts: Sendable, Hashable {
  /// Client connections let in.
  public var connectionsAccepted: UInt64 = 0
  /// Client connections beyond the limit, answered 503 and closed.
  public var connectionsRefused: UInt64 = 0
  /// Client connections at present.
  public var connectionsOpen: Int = 0
  /// Inference requests whose head was read.
  public var requestsStarted: UInt64 = 0
  /// Inference requests whose answer is over.
  public var requestsFinished: UInt64 = 0
  /// Upstream connections asked for, refused ones included.
  public var upstreamConnects: UInt64 = 0
  /// Events that the log did not take; their answers went out all the same (not in strict mode).
  public var recordingFailures: UInt64 = 0
  /// Heads that could not be parsed, answered and closed; there is no request to record.
  public var malformedHeads: UInt64 = 0
  /// Bytes held at present of requests' bodies, and of answers what `maxHeldBodyBytes` counts of them.
  public var heldBodyBytes: Int = 0
  /// Further attempts that requests have saved up, for all of them together.
  public var retriesSaved: Int = 0
  /// Further attempts that were not made, because too many were.
  public var retriesRefused: UInt64 = 0

  /// How long the oldest inference request has been under way, in microseconds, as of at most 50 ms ago; 0 without one.
  public var oldestRequestMicroseconds: UInt64 = 0

  /// Inference requests at present; the two were not read in one moment.
  public var requestsInFlight: UInt64 { requestsStarted - min(requestsStarted, requestsFinished) }
}

/// Counters shared by all loops.
final class DataPlaneCounters: Sendable {
  let connectionsAccepted = Atomic<UInt64>(0)
  let connectionsRefused = Atomic<UInt64>(0)
  let connectionsOpen = Atomic<Int>(0)
  let requestsStarted = Atomic<UInt64>(0)
  let requestsFinished = Atomic<UInt64>(0)
  let upstreamConnects = Atomic<UInt64>(0)
  let recordingFailures = Atomic<UInt64>(0)
  let malformedHeads = Atomic<UInt64>(0)
  let heldBodyBytes = Atomic<Int>(0)
  private let oldest = Mutex<[OldestRequest]>([])

  /// Where one loop writes which of its requests is the oldest.
  func oldestOfLoop() -> OldestRequest {
    let new = OldestRequest()
    oldest.withLock { $0.append(new) }
    return new
  }

  /// By the monotonic clock; nil: no request is under way.
  var oldestStartedAt: Int64? {
    let starts = oldest.withLock { $0.map { $0.startedAt.load(ordering: .relaxed) } }
    return starts.min().flatMap { $0 == .max ? nil : $0 }
  }

  /// Inference requests at present.
  var requestsInFlight: UInt64 {
    // Finished ones first: what ends in between makes the figure too large, never wrap.
    let finished = requestsFinished.load(ordering: .relaxed)
    let started = requestsStarted.load(ordering: .relaxed)
    return started > finished ? started - finished : 0
  }

  var counts: DataPlaneCounts {
    DataPlaneCounts(
      connectionsAccepted: connectionsAccepted.load(ordering: .relaxed),
      connectionsRefused: connectionsRefused.load(ordering: .relaxed),
      connectionsOpen: connectionsOpen.load(ordering: .relaxed),
      requestsStarted: requestsStarted.load(ordering: .relaxed),
      requestsFinished: requestsFinished.load(ordering: .relaxed),
      upstreamConnects: upstreamConnects.load(ordering: .relaxed),
      recordingFailures: recordingFailures.load(ordering: .relaxed),
      malformedHeads: malformedHeads.load(ordering: .relaxed),
      heldBodyBytes: heldBodyBytes.load(ordering: .relaxed))
  }
}

/// The oldest request of one loop.
final class OldestRequest: Sendable {
  /// By the monotonic clock; `.max`: there is none.
  let startedAt = Atomic<Int64>(.max)
}

extension Atomic where Value == UInt64 {
  /// Adds one; order does not matter for counting.
  func count() { wrappingAdd(1, ordering: .relaxed) }
}

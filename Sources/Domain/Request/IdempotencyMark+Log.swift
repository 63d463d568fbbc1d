extension IdempotencyMark {
  /// How long a key stands for its request.
  public static let lifetimeNanoseconds: Int64 = 86_400_000_000_000

  /// Under which the log finds the requests of a key: `i:` and 16 big-endian bytes.
  public var lookupKey: [UInt8] { [0x69, 0x3A] + RequestID(key).lookupKey }
}

extension RequestEvent.Finished {
  /// Whether an `Idempotency-Key` stands for this request from now on.
  ///
  /// One that was refused, that failed or that was never sent brought no answer: it may be made again.
  public var usesUpIdempotencyKey: Bool {
    switch ending {
    case .denied, .failed: false
    case .completed, .clientHungUp, .upstreamCut, .drained: !attempts.isEmpty
    }
  }
}

/// A request that an `Idempotency-Key` stands for.
public struct IdempotentRequest: Sendable, Hashable {
  /// Which.
  public var id: RequestID
  /// What tells its body from others.
  public var body: UInt128
  /// When it came.
  public var receivedAt: UnixNanoseconds

  /// Made of its parts.
  public init(id: RequestID, body: UInt128, receivedAt: UnixNanoseconds) {
    self.id = id
    self.body = body
    self.receivedAt = receivedAt
  }

  /// The newest request that a key stands for; nil: it stands for none.
  ///
  /// - Parameters:
  ///   - events: what the log finds under the key's `lookupKey`, in order.
  ///   - start: when this life began: what went under way since is not the log's to tell.
  public init?(
    of key: UInt128, in events: [Recorded], now: UnixNanoseconds, start: UnixNanoseconds
  ) {
    var requests: [RequestID: IdempotentRequest] = [:]
    for recorded in events {
      guard case .event(.request(let event)) = recorded.content else { continue }
      switch event {
      case .dispatched(let it):
        guard let mark = it.idempotency, mark.key == key, it.receivedAt < start else { continue }
        requests[it.id] = IdempotentRequest(
          id: it.id, body: mark.body, receivedAt: it.receivedAt)
      case .finished(let it):
        guard let mark = it.idempotency, mark.key == key else { continue }
        requests[it.id] =
          it.usesUpIdempotencyKey
          ? IdempotentRequest(id: it.id, body: mark.body, receivedAt: it.receivedAt) : nil
      case .interrupted, .deliveryFailed, .deniedSummary: continue
      }
    }
    let (oldest, isOver) = now.rawValue.subtractingReportingOverflow(
      IdempotencyMark.lifetimeNanoseconds)
    guard
      let newest = requests.values.max(by: { ($0.receivedAt, $0.id) < ($1.receivedAt, $1.id) }),
      isOver || newest.receivedAt.rawValue > oldest
    else { return nil }
    self = newest
  }
}

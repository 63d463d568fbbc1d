import Domain
import EventStore
import Telemetry
import Views

/// Takes the log's events into tables, one batch after the other.
struct ViewFold: Sendable {
  /// Events of one transaction: a reader waits for no more.
  static let batch = 32_768

  let reader: LogReader
  /// Gets what is read here, so that the log is read once; nil: nobody counts.
  var metrics: MetricsKeeper?

  /// Takes in one batch.
  ///
  /// - Returns: whether there may be more.
  /// - Throws: `StoreError` for damage that nobody accepted, `ControlError.unreadable`, and what the tables throw.
  func step(into views: ViewStore, through end: Position? = nil) throws -> Bool {
    let from = views.checkpoint
    guard Position(from.position) < min(end ?? Position(.max), reader.last) else { return false }
    var delta = ViewDelta()
    let first = Position(from.position).next
    if let metrics, metrics.wants(from: first, count: Self.batch) {
      try metrics.reading { counted in
        try scan(from: first, through: end, into: &delta) { event, delta, isFinished in
          guard isFinished else { return metrics.take(event, into: &counted) }
          counted.take(
            finished: delta.outline, position: event.position.rawValue, bytes: event.payload)
        }
      }
    } else {
      try scan(from: first, through: end, into: &delta) { _, _, _ in }
    }
    guard delta.count > 0 else { return false }
    for interruption in delta.interruptions {
      guard let stored = try reader.event(at: Position(interruption.beginning)),
        case .request(.dispatched(let fact)) = try recorded(stored).event,
        fact.id == interruption.id
      else { continue }
      delta.mark(interruption, as: fact)
    }
    try views.apply(delta, after: from, chain: try chain(at: Position(delta.position)))
    return delta.count >= Self.batch
  }

  /// Reads a batch; `handOn` gets each event, and whether it is a finished request, which the delta outlines then.
  private func scan(
    from: Position, through end: Position?, into delta: inout ViewDelta,
    handOn: (StoredEvent, inout ViewDelta, Bool) -> Void
  ) throws {
    try reader.scan(from: from, through: end) { entry in
      switch entry {
      case .gap(let gap): try gap.requireAccepted()
      case .event(let stored):
        do throws(DecodingFailure) {
          let isFinished = try delta.take(
            position: stored.position.rawValue, time: UnixNanoseconds(stored.time),
            kind: stored.kind, bytes: stored.payload)
          // Lent as it is: a copy would count references to all of its tables, for each event.
          handOn(stored, &delta, isFinished)
        } catch {
          throw ControlError.unreadable(
            position: stored.position, reason: "\(error.kind): \(error.reason.rawValue)")
        }
      }
      return delta.count >= Self.batch ? .stop : .continue
    }
  }

  /// The log's chain value as tables keep it.
  func chain(at position: Position) throws(StoreError) -> [UInt8] {
    let words = try reader.chainValue(at: position).words
    return [words.0, words.1, words.2, words.3].flatMap { word in
      stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
    }
  }
}

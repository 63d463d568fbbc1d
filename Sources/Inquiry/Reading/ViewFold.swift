import Domain
public import EventStore
public import Views

/// Takes the log's events into tables, one batch after the other.
public struct ViewFold: Sendable {
  /// Events of one transaction: a reader waits for no more.
  public static let batch = 32_768

  let reader: LogReader

  /// Of the log that `reader` reads.
  public init(reader: LogReader) { self.reader = reader }

  /// Takes in one batch.
  ///
  /// - Returns: whether there may be more.
  /// - Throws: `StoreError` where the log cannot be read, `InquiryFault` (`.damaged`) for damage that nobody accepted
  ///   and for events that cannot be decoded, and what the tables throw.
  public func step(into views: ViewStore, through end: Position? = nil) throws -> Bool {
    let from = Position(views.checkpoint.position)
    guard from < min(end ?? Position(.max), reader.last) else { return false }
    return try apply(delta(from: from.next, through: end) { _, _, _ in }, to: views)
  }

  /// What a batch adds, and not more than `end`.
  ///
  /// - Parameter handOn: gets each event as it is read, the delta with it, and whether it is a finished request, which
  ///   the delta outlines then: the log is read once.
  public func delta(
    from: Position, through end: Position? = nil,
    handOn: (StoredEvent, inout ViewDelta, Bool) -> Void
  ) throws -> ViewDelta {
    var delta = ViewDelta()
    try reader.scan(from: from, through: end) { entry in
      switch entry {
      case .gap(let gap):
        guard gap.isAccepted else {
          throw InquiryFault(.damaged, "the log is damaged: \(gap.text)")
        }
      case .event(let stored):
        do throws(DecodingFailure) {
          let isFinished = try delta.take(
            position: stored.position.rawValue, time: UnixNanoseconds(stored.time),
            kind: stored.kind, bytes: stored.payload)
          // Lent as it is: a copy would count references to all of its tables, for each event.
          handOn(stored, &delta, isFinished)
        } catch {
          throw InquiryFault(
            .damaged,
            "the event at position \(stored.position) cannot be read: \(Shown.text(error.kind)): "
              + "\(error.reason.rawValue)")
        }
      }
      return delta.count >= Self.batch ? .stop : .continue
    }
    for interruption in delta.interruptions {
      guard let stored = try reader.event(at: Position(interruption.beginning)),
        case .request(.dispatched(let fact)) = Entry(stored).event, fact.id == interruption.id
      else { continue }
      delta.mark(interruption, as: fact)
    }
    return delta
  }

  /// Puts a batch into the tables that it follows on.
  ///
  /// - Returns: whether there may be more.
  public func apply(_ delta: ViewDelta, to views: ViewStore) throws -> Bool {
    guard delta.count > 0 else { return false }
    try views.apply(
      delta, after: views.checkpoint, chain: try chain(at: Position(delta.position)))
    return delta.count >= Self.batch
  }

  /// The log's chain value as tables keep it.
  public func chain(at position: Position) throws(StoreError) -> [UInt8] {
    let words = try reader.chainValue(at: position).words
    return [words.0, words.1, words.2, words.3].flatMap { word in
      stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: word >> UInt64($0)) }
    }
  }
}

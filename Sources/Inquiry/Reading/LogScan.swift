import Domain
public import EventStore

/// An event of the log with what this build understood of it.
struct Entry {
  var stored: StoredEvent
  var content: Content

  enum Content {
    case recorded(Recorded)
    /// The kind is known and its bytes are not what the kind says.
    case unreadable(DecodingFailure)
  }

  init(_ stored: StoredEvent) {
    self.stored = stored
    do throws(DecodingFailure) {
      content = .recorded(
        try Recorded(
          position: stored.position.rawValue, time: UnixNanoseconds(stored.time),
          kind: stored.kind, bytes: stored.payload))
    } catch {
      content = .unreadable(error)
    }
  }

  var recorded: Recorded? {
    switch content {
    case .recorded(let recorded): recorded
    case .unreadable: nil
    }
  }

  var event: Event? { recorded?.event }

  /// `epoch:position`.
  var place: String { "\(stored.epoch):\(stored.position)" }
  var time: UnixNanoseconds { UnixNanoseconds(stored.time) }
}

/// Told the position a long read has reached.
public typealias Progress = (Position) -> Void

extension LogReader {
  /// Reads a range in order; what the body throws comes out as thrown.
  ///
  /// - Parameter through: nil: to the very end, with what is damaged behind the last readable event.
  func read(
    from: Position, through: Position?, progress: Progress?,
    _ body: (LogEntry) throws(InquiryFault) -> Void
  ) throws(InquiryFault) {
    if let through, through < from { return }
    var count = 0
    do {
      try scan(from: from, through: through) { entry in
        try body(entry)
        count += 1
        if count % 4_096 == 0, case .event(let event) = entry { progress?(event.position) }
        return .continue
      }
    } catch let fault as InquiryFault {
      throw fault
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
  }
}

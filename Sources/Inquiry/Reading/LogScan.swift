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

  /// Reads a range in order without copying it: each event is lent for one call.
  ///
  /// - Parameter through: as for `read`.
  func readViews(
    from: Position, through: Position?, progress: Progress?,
    gap: (LogGap) throws(InquiryFault) -> Void,
    event: (borrowing EventView) throws(InquiryFault) -> Void
  ) throws(InquiryFault) {
    if let through, through < from { return }
    var count = 0
    do {
      try scanViews(
        from: from, through: through,
        gap: { found in
          try gap(found)
          return .continue
        },
        event: { view in
          try event(view)
          count += 1
          if count % 4_096 == 0 { progress?(view.position) }
          return .continue
        })
    } catch let fault as InquiryFault {
      throw fault
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
  }
}

/// What a kind has to do with decisions, found without making a text of it.
struct KindTable {
  /// What is to be done with an event of a kind.
  struct Row {
    var kind: String
    /// Whether it can change the configuration, or whether requests are recorded.
    var isRelevant: Bool
    /// Whether it is the end of a request, in a version that may be of a later build.
    var isEnd: Bool
  }

  /// Kinds are few; a log of endlessly many is not worth memory.
  private var numbers = Interner(limit: 1 << 12)
  private var rows: [Row] = []
  /// The kind asked for last, which is mostly the next one too.
  private var known: (kind: [UInt8], row: Row)?

  mutating func row(of kind: UnsafeRawBufferPointer) -> Row {
    if let known, isSame(known.kind, kind) { return known.row }
    let row = found(kind)
    known = (Array(kind), row)
    return row
  }

  private func isSame(_ known: [UInt8], _ kind: UnsafeRawBufferPointer) -> Bool {
    known.count == kind.count && known.withUnsafeBytes { $0.elementsEqual(kind) }
  }

  private mutating func found(_ kind: UnsafeRawBufferPointer) -> Row {
    let number = numbers.number(of: kind)
    if number < rows.count { return rows[number] }
    let kind = String(decoding: kind, as: UTF8.self)
    let row = Row(
      kind: kind, isRelevant: ConfigurationFold.isRelevant(kind),
      isEnd: kind.hasPrefix("request.finished."))
    if number < numbers.texts.count { rows.append(row) }
    return row
  }
}

import Domain
import EventStore

/// Finds the events that gave fields the values that were in force at a position.
///
/// A stream's last event is often not the one: who renames an account has not disabled it.
struct FieldWriters {
  private let log: LogReader
  private let position: UInt64
  private let changes: [String: LastChange]
  private var folds: [String: StreamFold] = [:]
  /// Health says the same things again and again; older events than these do not count any more.
  private static let healthEvents: UInt64 = 512

  /// - Parameter changes: by stream, the last event at `position` that changed something.
  init(_ log: LogReader, at position: UInt64, _ changes: [String: LastChange]) {
    self.log = log
    self.position = position
    self.changes = changes
  }

  /// Who gave one of `fields` its value last; the stream's last event if none of them has one; nil: the stream
  /// had no event.
  mutating func writer(
    of fields: [String], in subject: Subject
  ) throws(InquiryFault) -> ConfigurationChange? {
    let stream = subject.stream
    guard let last = changes[stream] else { return nil }
    let fold: StreamFold
    if let known = folds[stream] { fold = known } else { fold = try read(subject, through: last) }
    folds[stream] = fold
    let writer = fields.compactMap { fold.writers[$0] }.max { $0.position < $1.position }
    return writer.map { ConfigurationChange($0, stream: stream) }
      ?? ConfigurationChange(last, stream: stream)
  }

  private func read(
    _ subject: Subject, through last: LastChange
  ) throws(InquiryFault) -> StreamFold {
    var fold = StreamFold(subject)
    try reading { () throws(StoreError) in
      guard let stored = try log.event(at: Position(last.position)) else { return }
      let revision = stored.revision.rawValue
      var start: UInt64 = 1
      if case .health = subject {
        start = revision > Self.healthEvents ? revision - Self.healthEvents : 1
      } else {
        start = try Replay.wholeRevision(of: subject.stream, before: revision + 1, in: log)
      }
      try log.forwards(ofStream: subject.stream, from: Revision(start)) { stored in
        guard stored.position.rawValue <= position else { return false }
        let entry = Entry(stored)
        if let recorded = entry.recorded {
          fold.apply(recorded, epoch: stored.epoch.rawValue)
        }
        return true
      }
    }
    return fold
  }
}

extension ConfigurationChange {
  init(_ writer: StreamFold.Writer, stream: String) {
    self.stream = stream
    kind = writer.kind
    place = "\(writer.epoch):\(writer.position)"
    position = writer.position
    time = writer.time
    actor = writer.provenance.actor
    source = writer.provenance.source
  }
}

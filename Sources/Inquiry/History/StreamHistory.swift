public import Domain
public import EventStore

/// What a stream says of itself, newest first: who set what, when, from where, before and after.
public struct StreamHistory: Sendable, Hashable {
  /// One event of the stream.
  public struct Step: Sendable, Hashable {
    /// `epoch:position`.
    public var place: String
    /// In its stream, from 1.
    public var revision: UInt64
    /// The event's own id.
    public var id: UInt128
    /// The author's clock.
    public var time: UnixNanoseconds
    /// Wire kind.
    public var kind: String
    /// Who, through which door and because of what; nil if the event cannot be decoded.
    public var provenance: Provenance?
    /// Every field of the event; nil if this build cannot decode it.
    public var fields: JSONTree?
    /// What it changed of the resource; empty for streams of which nothing is configured.
    public var changes: [Image.Difference]
  }

  /// Whose history it is.
  public var stream: String
  /// The stream's last revision.
  public var revision: UInt64
  /// The newest first.
  public var steps: [Step]
  /// The revision of the oldest step looked for; 1: there are no older ones.
  public var oldest: UInt64
  /// Steps looked for that cannot be read any more.
  public var missing: UInt64
}

extension Replay {
  /// A page of a stream's history.
  ///
  /// Costs the page and what lies between it and the last event before it that says all of the resource.
  ///
  /// - Parameters:
  ///   - before: only revisions below this one; nil: from the newest.
  ///   - limit: the most steps, from 1.
  /// - Throws: `.notFound` for a stream without events, with the names that come near.
  public static func history(
    of stream: String, in log: LogReader, before: UInt64? = nil, limit: Int
  ) throws(InquiryFault) -> StreamHistory {
    let revision = try lastRevision(of: stream, in: log)
    let newest = min(revision, (before ?? .max) - min(1, before ?? 1))
    let oldest = newest >= UInt64(limit) ? newest - UInt64(limit) + 1 : 1
    var steps: [StreamHistory.Step] = []
    var fold = Subject(stream: stream).map { StreamFold($0) }
    try reading { () throws(StoreError) in
      let start = fold == nil ? oldest : try wholeRevision(of: stream, before: oldest, in: log)
      try log.forwards(ofStream: stream, from: Revision(start)) { stored in
        guard stored.revision.rawValue <= newest else { return false }
        let entry = Entry(stored)
        let changes =
          entry.recorded.flatMap {
            fold?.apply($0, epoch: stored.epoch.rawValue)
          } ?? []
        if stored.revision.rawValue >= oldest {
          steps.append(StreamHistory.Step(entry, changes: changes))
        }
        return true
      }
    }
    let wanted = newest == 0 ? 0 : newest - oldest + 1
    return StreamHistory(
      stream: stream, revision: revision, steps: steps.reversed(), oldest: oldest,
      missing: wanted - min(wanted, UInt64(steps.count)))
  }

  /// A resource as its stream told it through a revision, and the event that ends it.
  ///
  /// - Parameter revision: nil: through the newest.
  /// - Throws: `.notFound` for a stream or revision that is not there, `.damaged` for one that cannot be read.
  public static func fold(
    of subject: Subject, through revision: UInt64? = nil, in log: LogReader
  ) throws(InquiryFault) -> (fold: StreamFold, end: StreamHistory.Step) {
    let stream = subject.stream
    let last = try lastRevision(of: stream, in: log)
    let wanted = revision ?? last
    guard (1...last).contains(wanted) else {
      throw InquiryFault(
        .notFound, "`\(Shown.text(stream))` has revisions 1 to \(last), not \(wanted).")
    }
    var fold = StreamFold(subject)
    var end: StreamHistory.Step?
    var unreadable: UInt64?
    var expected: UInt64 = 1
    try reading { () throws(StoreError) in
      try log.forwards(ofStream: stream, from: Revision(1)) { stored in
        guard stored.revision.rawValue <= wanted else { return false }
        let entry = Entry(stored)
        if stored.revision.rawValue != expected { unreadable = expected }
        expected = stored.revision.rawValue + 1
        if let recorded = entry.recorded {
          if recorded.event?.isWhole ?? false { unreadable = nil }
          let changes = fold.apply(recorded, epoch: stored.epoch.rawValue)
          if stored.revision.rawValue == wanted {
            end = StreamHistory.Step(entry, changes: changes)
          }
        } else {
          unreadable = stored.revision.rawValue
        }
        return true
      }
    }
    guard let end, unreadable == nil else {
      throw InquiryFault(
        .damaged,
        "`\(Shown.text(stream))` cannot be told as of revision \(wanted): its revision "
          + "\(unreadable ?? wanted) cannot be read.")
    }
    return (fold, end)
  }

  static func lastRevision(
    of stream: String, in log: LogReader
  ) throws(InquiryFault) -> UInt64 {
    let revision = log.revision(of: stream).rawValue
    guard revision == 0 else { return revision }
    let near = nearNames(to: stream, among: log.streams(withPrefix: "").map(\.stream))
    let hint = near.isEmpty ? "" : " Near names: \(near.map(Shown.text).joined(separator: ", "))."
    throw InquiryFault(.notFound, "No event is in a stream `\(Shown.text(stream))`.\(hint)")
  }

  /// The last revision before `revision` that says all of its resource, else 1.
  static func wholeRevision(
    of stream: String, before revision: UInt64, in log: LogReader
  ) throws(StoreError) -> UInt64 {
    var end = revision - 1
    var portion: UInt64 = 16
    while end > 0 {
      let start = end > portion ? end - portion + 1 : 1
      var found: UInt64?
      try log.forwards(ofStream: stream, from: Revision(start)) { stored in
        guard stored.revision.rawValue <= end else { return false }
        if Entry(stored).event?.isWhole ?? false { found = stored.revision.rawValue }
        return true
      }
      if let found { return found }
      end = start - 1
      portion *= 4
    }
    return 1
  }
}

extension StreamHistory.Step {
  init(_ entry: Entry, changes: [Image.Difference]) {
    self.init(
      place: entry.place, revision: entry.stored.revision.rawValue,
      id: entry.stored.id.rawValue, time: entry.time, kind: entry.stored.kind,
      provenance: entry.recorded?.provenance,
      fields: entry.event.map { .object(EventFields.members($0)) }, changes: changes)
  }
}

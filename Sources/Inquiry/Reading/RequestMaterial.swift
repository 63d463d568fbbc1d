import Domain
import EventStore

/// All that the log tells of one request, with the configurations that its decisions were made on.
struct RequestMaterial {
  /// How far the request got.
  private(set) var story: RequestStory
  /// Its events in order, in words.
  private(set) var lines: [WindowReport.Line] = []
  /// The configurations at its attempts' snapshots.
  private(set) var shelf: SnapshotShelf
  /// The configuration at its last event.
  private(set) var fold: ConfigurationFold
  /// The configuration just before its end, for a request that no attempt was made for, or just before it was noted to be
  /// under way, for one without an end; nil: there is an attempt, or that cannot be read.
  private(set) var beforeRecord: SnapshotShelf.Book?

  /// Events of one request that are looked at.
  private static let eventsMax = 1_000

  /// Reads the log from the newest snapshot before the request to its last event.
  init(_ id: RequestID, in log: LogReader, _ progress: Progress?) throws(InquiryFault) {
    let key = id.lookupKey
    let positions = try reading { () throws(StoreError) in try log.positions(forKey: key) }
    story = RequestStory(id: id)
    for position in positions.prefix(Self.eventsMax) {
      let stored = try reading { () throws(StoreError) in try log.event(at: position) }
      guard let stored else { continue }
      if let recorded = Entry(stored).recorded { story.apply(recorded) }
    }
    var wanted = Set(story.finished?.fact.attempts.map(\.snapshot) ?? [])
    var before: UInt64?
    if let record = story.finished?.position ?? story.dispatched?.position, wanted.isEmpty {
      before = record - 1
      wanted = [record - 1]
    }
    shelf = SnapshotShelf(wanted)
    let own = Set(positions)
    let from: Position
    (fold, from) = ConfigurationFold.start(
      in: log, through: Position((positions.first?.rawValue ?? 1) - 1), needed: wanted)
    shelf.begin(fold, from: from)
    var (fold, shelf, lines) = (fold, shelf, lines)
    try log.read(from: from, through: positions.last ?? .origin, progress: progress) { item in
      switch item {
      case .gap(let gap): fold.apply(gap)
      case .event(let stored):
        if own.contains(stored.position) { lines.append(Replay.line(Entry(stored), fold.state)) }
        if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
        if shelf.wants(stored.position.rawValue) {
          shelf.look(at: stored.position.rawValue, fold)
        }
      }
    }
    (self.fold, self.shelf, self.lines) = (fold, shelf, lines)
    beforeRecord = before.flatMap { shelf.books[$0] }
  }
}

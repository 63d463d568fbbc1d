public import Domain
public import EventStore

/// The configuration as the log tells it up to a position, with who changed what last.
struct ConfigurationFold {
  /// Requests and the gateway's own life are passed over, but for where requests were not recorded.
  private var projection = GatewayProjection.initial
  /// Damaged ranges on the way: what they held is missing from the state.
  private(set) var gaps: [LogGap] = []
  /// Configuration events whose bytes could not be decoded.
  private(set) var unreadable = 0

  /// Whether this is of a bundle that lacks some of what was configured before its window.
  let lacksHistory: Bool

  /// Before the first event of a log.
  init(of log: LogReader) {
    lacksHistory = log.bundle.map { !$0.isHistoryWhole && !$0.isMinimised } ?? false
  }

  private init(_ projection: GatewayProjection) {
    self.projection = projection
    lacksHistory = false
  }

  var state: ControlState { projection.state }
  /// Configuration events of kinds that this build does not know.
  var unknown: Int { Int(clamping: projection.unknownEvents) }
  /// How many of them stand before the last change of the state.
  var unknownBeforeState: Int { Int(clamping: projection.unknownBeforeState) }
  /// By stream, the administrator's password apart: the event that last changed it.
  var changes: [String: LastChange] { projection.changes }
  /// Since where requests are not recorded; nil: they are.
  var openGap: UInt64? { projection.life.openGap }
  /// What was spent; only of a fold that took in requests.
  var ledger: Ledger { projection.ledger }
  /// Requests dispatched and not ended; only of a fold that took in requests.
  var underWay: Int { projection.inFlight.open.count }

  mutating func apply(_ gap: LogGap) { gaps.append(gap) }

  mutating func apply(_ entry: Entry) {
    guard ConfigurationFold.isRelevant(entry.stored.kind) else { return }
    guard let recorded = entry.recorded else {
      unreadable += 1
      return
    }
    projection.apply(
      recorded, epoch: entry.stored.epoch.rawValue, revision: entry.stored.revision.rawValue)
  }

  /// Takes in an event of whatever kind, decoding no more of a request than its charge.
  mutating func applyWhole(_ stored: StoredEvent) {
    do {
      try projection.apply(
        position: stored.position.rawValue, epoch: stored.epoch.rawValue,
        time: UnixNanoseconds(stored.time), kind: stored.kind, revision: stored.revision.rawValue,
        bytes: stored.payload[...])
    } catch {
      unreadable += 1
    }
  }

  /// Whether events of this kind can change the configuration, or whether requests are recorded; spares
  /// decoding the many that cannot.
  static func isRelevant(_ kind: String) -> Bool {
    GatewayProjection.Interest(kind: kind) == .configuration || ofItsLife.contains(kind)
  }

  /// Of the gateway's own life: where requests are not recorded, and whose edits follow.
  private static let ofItsLife: Set<String> = [
    WireKind.gatewayGapOpened.rawValue, WireKind.gatewayGapClosed.rawValue,
    WireKind.gatewayIdentified.rawValue, WireKind.gatewayRestored.rawValue,
  ]

  /// Folds the log through a position.
  ///
  /// - Parameters:
  ///   - isEnd: whether the position is the log's end, so that damage behind it counts.
  ///   - withRequests: whether what they spent, and which are under way, is wanted too.
  static func through(
    _ position: Position, isEnd: Bool = false, withRequests: Bool = false, of log: LogReader,
    progress: Progress?
  ) throws(InquiryFault) -> ConfigurationFold {
    var (fold, from) = start(in: log, through: position)
    let through = isEnd ? nil : position
    var kinds = KindTable()
    try log.readViews(
      from: from, through: through, progress: progress, gap: { fold.apply($0) },
      event: { view in
        // The log may have grown meanwhile.
        guard view.position <= position else { return }
        if withRequests {
          fold.applyWhole(view.copied())
        } else if kinds.row(of: view.kind).isRelevant {
          fold.apply(Entry(view.copied()))
        }
      })
    return fold
  }
}

extension ConfigurationFold {
  /// Where to begin: behind the newest usable snapshot that holds nothing after `limit`, else at the log's
  /// beginning.
  ///
  /// What the snapshot was made of need not be readable any more: it holds what it said.
  ///
  /// - Parameter needed: Positions whose state is wanted on the way. It is only met behind a snapshot, or in
  ///   one that changed nothing since.
  static func start(
    in log: LogReader, through limit: Position, needed: Set<UInt64> = []
  ) -> (fold: ConfigurationFold, from: Position) {
    let files = GatewayProjection.snapshots(of: log)
    var projection = files.newest(through: limit, GatewayProjection.init).snapshot?.value
    if let found = projection, !needed.allSatisfy(found.tells) {
      let limit = Position(needed.min() ?? 0)
      projection = files.newest(through: limit, GatewayProjection.init).snapshot?.value
    }
    guard let projection else { return (ConfigurationFold(of: log), Position(1)) }
    return (ConfigurationFold(projection), Position(projection.position).next)
  }
}

extension Replay {
  /// Snapshots beside the log that no answer uses, each with the reason; nothing is wrong with the answers.
  ///
  /// Reads all of them.
  public static func ignoredSnapshots(in log: LogReader) throws(InquiryFault) -> [String] {
    let files = GatewayProjection.snapshots(of: log)
    let positions = try reading { () throws(StoreError) in try files.positions() }
    return positions.compactMap { position in
      guard case .failure(.ignored(let why)) = files.read(at: position, GatewayProjection.init)
      else { return nil }
      return Shown.text(why.description)
    }
  }
}

extension GatewayProjection {
  static func snapshots(of log: LogReader) -> SnapshotFiles {
    SnapshotFiles(of: log, projector: name, version: version)
  }

  init(_ snapshot: SnapshotFiles.Snapshot) throws {
    try self.init(decoding: snapshot.payload)
    guard position == snapshot.position.rawValue else {
      throw InquiryFault(.damaged, "it is of position \(position)")
    }
  }

  /// Whether the state at `position` is met by whoever goes on from here.
  fileprivate func tells(_ position: UInt64) -> Bool {
    position >= self.position || position == state.position
  }
}

/// Who wrote at which moment: the events of a batch share both.
private struct Batch: Hashable {
  var time: UnixNanoseconds
  var actor: String
  var source: Source
}

extension [ConfigurationChange] {
  /// A line each, indented by four; what one hand did in one batch stands together.
  ///
  /// The events of a batch have one time, to the nanosecond, and one author.
  var lines: String {
    let batches = Dictionary(grouping: self) {
      Batch(time: $0.time, actor: $0.actor, source: $0.source)
    }
    var told: Set<Batch> = []
    var out = ""
    for change in self {
      let batch = Batch(time: change.time, actor: change.actor, source: change.source)
      let all = batches[batch] ?? []
      guard all.count > 1 else {
        out += "    \(change.text)\n"
        continue
      }
      guard told.insert(batch).inserted else { continue }
      out +=
        "    at once, \(rfc3339(batch.time)) by \(Shown.text(batch.actor)) via \(batch.source.name)\n"
      for one in all {
        out += "      \(one.place) \(Shown.text(one.stream)) \(Shown.text(one.kind))\n"
      }
    }
    return out
  }
}

/// The event that last changed a part of the configuration.
public struct ConfigurationChange: Sendable, Hashable {
  /// For example `account/mock-a1`.
  public var stream: String
  /// Wire kind.
  public var kind: String
  /// `epoch:position`.
  public var place: String
  /// In the log.
  public var position: UInt64
  /// When, by the author's clock.
  public var time: UnixNanoseconds
  /// Who.
  public var actor: String
  /// Through which door.
  public var source: Source

  init(_ change: LastChange, stream: String) {
    self.stream = stream
    kind = change.kind
    place = "\(change.epoch):\(change.position)"
    position = change.position
    time = change.time
    actor = change.actor
    source = change.source
  }

  init(_ recorded: Recorded, _ stored: StoredEvent) {
    stream = stored.stream
    kind = stored.kind
    place = "\(stored.epoch):\(stored.position)"
    position = recorded.position
    time = recorded.time
    actor = recorded.provenance.actor
    source = recorded.provenance.source
  }

  var text: String {
    "\(place) \(rfc3339(time)) \(Shown.text(stream)) \(Shown.text(kind)) by \(Shown.text(actor)) "
      + "via \(source.name)"
  }

  var json: JSONTree {
    .object([
      .init("at", .text(place)), .init("time", .text(rfc3339(time))),
      .init("stream", .text(stream)), .init("kind", .text(kind)), .init("actor", .text(actor)),
      .init("source", .text(source.name)),
    ])
  }
}

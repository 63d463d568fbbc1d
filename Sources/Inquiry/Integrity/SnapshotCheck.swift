import Domain
import EventStore

/// Folds the log from its beginning, and holds each snapshot on the way against what that gives.
struct SnapshotCheck {
  private let files: SnapshotFiles
  private let last: Position
  /// Not met yet, ascending.
  private var waiting: ArraySlice<Position> = []
  /// Whose position nobody can read any more.
  private var lost: [Position] = []
  private var projection = GatewayProjection.initial
  /// Something before could not be read: from there on nothing can be told.
  private var isBroken = false
  /// A person accepted a loss before: a snapshot that was made of more may hold more.
  private var isWithLoss = false
  private var verdict = SnapshotVerdict()
  /// In which payloads are read.
  private var room: [UInt8] = []

  /// - Parameter isToEnd: whether `last` is the log's end, so that snapshots behind it count.
  init(_ log: LogReader, from first: Position, through last: Position, isToEnd: Bool) {
    files = GatewayProjection.snapshots(of: log)
    self.last = last
    do throws(StoreError) {
      waiting = try files.positions().filter { $0 >= first && ($0 <= last || isToEnd) }[...]
    } catch {
      verdict.addUnused("the directory cannot be read: \(error)")
    }
  }

  /// The last event that is asked about; nil: none.
  var through: Position? { waiting.last { $0 <= last } }

  /// To be called with every damaged range from the log's beginning.
  mutating func apply(_ gap: LogGap) {
    if gap.isAccepted { isWithLoss = true } else { isBroken = true }
  }

  /// To be called with every event from the log's beginning.
  mutating func apply(_ event: borrowing EventView, _ kind: String) {
    guard !isBroken, let next = waiting.first, event.position <= last else { return }
    room.removeAll(keepingCapacity: true)
    room.append(contentsOf: event.payload)
    do throws(DecodingFailure) {
      try projection.apply(
        position: event.position.rawValue, epoch: event.epoch.rawValue,
        time: UnixNanoseconds(event.time), kind: kind, revision: event.revision.rawValue,
        bytes: room[...])
    } catch {
      isBroken = true
      return
    }
    guard next <= event.position else { return }
    while let next = waiting.first, next <= event.position {
      waiting.removeFirst()
      if next == event.position { compare(next) } else { lost.append(next) }
    }
  }

  private mutating func compare(_ position: Position) {
    switch files.read(at: position, { ($0.path, try GatewayProjection($0)) }) {
    case .success((_, projection)): verdict.agreeing += 1
    case .success where isWithLoss: verdict.notCompared += 1
    case .success(let (path, found)):
      verdict.addWrong("\(path): \(found.differences(from: projection)) at position \(position)")
    case .failure(.ignored(let why)): verdict.addUnused(why.description)
    case .failure(.missing): break
    }
  }

  /// The verdict, after the pass.
  consuming func finish() -> SnapshotVerdict {
    for position in lost + waiting {
      switch files.read(at: position, { try GatewayProjection($0) }) {
      // The log may have grown meanwhile.
      case .success: if position <= last { verdict.notCompared += 1 }
      case .failure(.ignored(let why)): verdict.addUnused(why.description)
      case .failure(.missing): break
      }
    }
    return verdict
  }
}

extension GatewayProjection {
  /// Which parts are others, in words.
  fileprivate func differences(from truth: GatewayProjection) -> String {
    var parts: [String] = []
    if state != truth.state { parts.append("the configuration") }
    if changes != truth.changes { parts.append("who changed it last") }
    if inFlight != truth.inFlight { parts.append("the requests under way") }
    if life != truth.life { parts.append("the gateway's lives") }
    let unknown = (unknownEvents, unknownBeforeState)
    if unknown != (truth.unknownEvents, truth.unknownBeforeState) {
      parts.append("the count of unknown kinds")
    }
    return "another value for " + parts.joined(separator: ", ")
  }
}

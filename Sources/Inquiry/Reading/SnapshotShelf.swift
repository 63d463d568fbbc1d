import Domain
import EventStore

/// The routing views that recorded decisions were made on, rebuilt from the log in one pass.
struct SnapshotShelf {
  /// A configuration as it stood at a position, ready to route with.
  struct Book {
    let snapshot: RoutingSnapshot
    let state: ControlState
    let changes: [String: LastChange]
    /// Why decisions on it cannot be re-made for certain; nil: they can.
    let doubt: String?
    /// Why a different outcome may be this build's fault; nil: it would be the record's.
    let caveat: String?
  }

  private let wanted: Set<UInt64>
  /// Those that were not met yet, descending.
  private var ahead: [UInt64]
  private(set) var books: [UInt64: Book] = [:]
  /// Of the books that nothing is wrong with, the views alone.
  private var views: [UInt64: RoutingSnapshot] = [:]
  /// The view made last: it holds until an event that routing sees.
  private var view: RoutingSnapshot?

  init(_ wanted: Set<UInt64>) {
    self.wanted = wanted
    ahead = wanted.sorted(by: >)
  }

  /// Whether a pass in order, which asks this at every event, has to `look` there.
  mutating func wants(_ position: UInt64) -> Bool {
    while let next = ahead.last, next < position { ahead.removeLast() }
    return ahead.last == position
  }

  /// To be called with the fold that the pass begins with, then after every event.
  mutating func look(at position: UInt64, _ fold: ConfigurationFold) {
    take(position, fold, unknown: fold.unknown)
  }

  /// A pass that begins behind a snapshot is told so: the state in it may have stood for long.
  mutating func begin(_ fold: ConfigurationFold, from: Position) {
    take(fold.state.position, fold, unknown: fold.unknownBeforeState)
    look(at: from.rawValue - 1, fold)
  }

  private mutating func take(_ position: UInt64, _ fold: ConfigurationFold, unknown: Int) {
    guard wanted.contains(position), books[position] == nil else { return }
    let book = book(fold, unknown: unknown)
    books[position] = book
    if book.doubt == nil { views[position] = book.snapshot }
  }

  /// The configuration as it is now; its view is made once, however often it is asked for.
  mutating func current(_ fold: ConfigurationFold) -> Book {
    book(fold, unknown: fold.unknownBeforeState)
  }

  private mutating func book(_ fold: ConfigurationFold, unknown: Int) -> Book {
    let known = view.flatMap { $0.position == fold.state.position ? $0 : nil }
    let snapshot = known ?? RoutingSnapshot(fold.state)
    view = snapshot
    return Book(
      snapshot: snapshot, state: fold.state, changes: fold.changes,
      doubt: SnapshotShelf.doubt(fold),
      caveat: unknown == 0
        ? nil
        : "\(Shown.count(unknown, "event")) before the snapshot are of kinds that this build "
          + "does not know")
  }

  mutating func drop(_ position: UInt64) {
    books[position] = nil
    views[position] = nil
  }

  /// The view at a position, if decisions on it can be made again for certain.
  func certainView(at position: UInt64) -> RoutingSnapshot? { views[position] }

  private static func doubt(_ fold: ConfigurationFold) -> String? {
    if fold.lacksHistory {
      return "the bundle lacks some of what was configured before its window"
    }
    if let gap = fold.gaps.first {
      return "the log is damaged from position \(gap.first), before the snapshot"
    }
    if fold.unreadable > 0 {
      return "\(Shown.count(fold.unreadable, "configuration event")) before the snapshot cannot be "
        + "decoded"
    }
    return nil
  }
}

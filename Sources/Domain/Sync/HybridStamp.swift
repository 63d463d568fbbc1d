/// When and where an edit was made, so that edits of several nodes stand in one order.
///
/// A hybrid clock: never behind the author's wall clock nor behind any stamp that the author had seen, so
/// what was built on something always stands after it, however far clocks are apart.
public struct HybridStamp: Sendable, Hashable, Comparable {
  /// The highest time that the author knew of.
  public var time: UnixNanoseconds
  /// Tells apart what the author did at that time: from 0.
  public var counter: UInt32
  /// The author; empty: this log's own node, before it had a name.
  public var node: NodeID

  /// Made of its parts.
  public init(time: UnixNanoseconds, counter: UInt32, node: NodeID) {
    self.time = time
    self.counter = counter
    self.node = node
  }

  /// Of what is there without anybody's edit, and is the same everywhere.
  public static let genesis = HybridStamp(
    time: UnixNanoseconds(.min), counter: 0, node: NodeID(""))

  /// By time, then counter, then the node's name.
  public static func < (a: Self, b: Self) -> Bool {
    if a.time != b.time { return a.time < b.time }
    return a.counter != b.counter ? a.counter < b.counter : a.node < b.node
  }
}

/// A node's hybrid clock.
public struct HybridClock: Sendable, Hashable {
  /// The highest time known.
  public private(set) var time: UnixNanoseconds
  /// Of the last stamp at that time.
  public private(set) var counter: UInt32

  /// Before the first stamp.
  public static let initial = HybridClock(time: UnixNanoseconds(0), counter: 0)

  init(time: UnixNanoseconds, counter: UInt32) {
    self.time = time
    self.counter = counter
  }

  /// The next stamp of `node`, whose wall clock says `now`: after all before it, also where that clock went back.
  mutating func tick(_ now: UnixNanoseconds, _ node: NodeID) -> HybridStamp {
    if now > time {
      (time, counter) = (now, 0)
    } else if counter == .max {
      (time, counter) = (UnixNanoseconds(time.rawValue &+ 1), 0)
    } else {
      counter += 1
    }
    return HybridStamp(time: time, counter: counter, node: node)
  }

  /// Takes notice of a stamp made elsewhere: the next one here stands after it.
  mutating func observe(_ stamp: HybridStamp) {
    if (time, counter) < (stamp.time, stamp.counter) {
      (time, counter) = (stamp.time, stamp.counter)
    }
  }
}

/// Which edit a value comes from, and which others stood behind it.
public struct FieldVersion: Sendable, Hashable {
  /// Of the edit.
  public var stamp: HybridStamp
  /// What its author had seen of other nodes' edits of the same field: the last stamp of each, by node.
  public private(set) var seen: [HybridStamp]
  /// Edits that were made at the same time elsewhere and lost against this one: the last stamp of each node.
  public private(set) var beaten: [HybridStamp]

  /// The first edit of a field.
  public init(_ stamp: HybridStamp) {
    self.stamp = stamp
    seen = []
    beaten = []
  }

  init(stamp: HybridStamp, seen: [HybridStamp], beaten: [HybridStamp]) {
    self.stamp = stamp
    self.seen = seen
    self.beaten = beaten
  }

  /// The stamps that an edit on top of this one has seen.
  private var past: [HybridStamp] { [stamp] + seen + beaten }

  /// The version of an edit made on top of this one, and of others.
  func succeeded(by stamp: HybridStamp, and others: some Sequence<FieldVersion> = []) -> Self {
    var version = FieldVersion(stamp)
    version.seen = Self.latest(past + others.flatMap(\.past), but: stamp.node)
      .filter { $0 != .genesis }
    return version
  }

  /// Whether the author of this edit had seen the other one, or it is the same.
  public func isBuilt(on other: HybridStamp) -> Bool {
    if other.node == stamp.node { return other <= stamp }
    return seen.contains { $0.node == other.node && other <= $0 }
  }

  /// Whether it was decided somewhere that the other edit, which the author had not seen, lost.
  public func isDecided(against other: HybridStamp) -> Bool {
    beaten.contains { $0.node == other.node && other <= $0 }
  }

  /// This edit, remembered together with another one that lost against it.
  ///
  /// Of two edits each node keeps the same one, so that what nodes hold is the same whatever came first.
  func absorbing(_ other: Self) -> Self {
    var version = self
    if stamp == other.stamp { version.seen = Self.latest(seen + other.seen, but: stamp.node) }
    version.beaten = Self.latest(beaten + other.past, but: stamp.node)
      .filter { !version.isBuilt(on: $0) && $0 != .genesis }
    return version
  }

  /// The last stamp of each node, by node.
  private static func latest(_ stamps: [HybridStamp], but node: NodeID) -> [HybridStamp] {
    var last: [NodeID: HybridStamp] = [:]
    for stamp in stamps where stamp.node != node {
      if let known = last[stamp.node], known >= stamp { continue }
      last[stamp.node] = stamp
    }
    return last.values.sorted { $0.node < $1.node }
  }

  /// Names what an own edit was made under before this log had a name.
  func naming(_ node: NodeID) -> Self {
    func named(_ stamp: HybridStamp) -> HybridStamp {
      stamp.node.rawValue.isEmpty && stamp != .genesis
        ? HybridStamp(time: stamp.time, counter: stamp.counter, node: node) : stamp
    }
    return FieldVersion(
      stamp: named(stamp), seen: seen.map(named).sorted { $0.node < $1.node },
      beaten: beaten.map(named).sorted { $0.node < $1.node })
  }
}

/// When and where an edit was made, so that edits of several nodes stand in one order.
///
/// A hybrid clock: never behind the author's wall clock nor behind any stamp that the author had seen, so
/// what was built on something always stands after it, however far clocks are apart.
public struct HybridStamp: Sendable, Hashable, Comparable {
  /// The highest time that the author knew of.
  public var time: UnixNanoseconds
  /// Tells apart what the author did at that time: from 0.
  public var counter: UInt32
  /// Whose edit it is.
  public var author: EditAuthor

  /// Made of its parts.
  public init(time: UnixNanoseconds, counter: UInt32, author: EditAuthor) {
    self.time = time
    self.counter = counter
    self.author = author
  }

  /// Of what is there without anybody's edit, and is the same everywhere.
  public static let genesis = HybridStamp(
    time: UnixNanoseconds(.min), counter: 0, author: .unnamed)

  /// By time, then counter, then the author.
  public static func < (a: Self, b: Self) -> Bool {
    if a.time != b.time { return a.time < b.time }
    return a.counter != b.counter ? a.counter < b.counter : a.author < b.author
  }
}

/// Who makes edits: a node, in one life of its data directory.
///
/// A directory that was copied or restored does not know the edits that were made since, and may make others at the
/// same times. So it goes on as another author, with the name that it has: its edits before are an author's whose last
/// ones it may have to be told of, like anybody else's.
public struct EditAuthor: Sendable, Hashable, Comparable {
  /// The node's name; with `~` and the incarnation in 16 hexadecimal digits if the directory was restored.
  public var rawValue: String

  /// Wraps the raw value as it is.
  public init(_ rawValue: String) { self.rawValue = rawValue }

  /// - Parameter incarnation: of the directory; nil: its first life.
  public init(_ node: NodeID, incarnation: UInt64? = nil) {
    guard let incarnation else {
      rawValue = node.rawValue
      return
    }
    let digits = String(incarnation, radix: 16)
    rawValue =
      "\(node.rawValue)~" + String(repeating: "0", count: Self.digits - digits.utf8.count) + digits
  }

  /// This log's own node, before it had a name.
  static let unnamed = EditAuthor("")
  /// Of an incarnation.
  static let digits = 16

  /// The node's name.
  public var node: NodeID { NodeID(parts.node) }
  /// The incarnation in hexadecimal; nil: the node's first life.
  public var life: String? { parts.life }

  private var parts: (node: String, life: String?) {
    guard let mark = rawValue.lastIndex(of: "~") else { return (rawValue, nil) }
    let life = rawValue[rawValue.index(after: mark)...]
    let isLife =
      life.utf8.count == Self.digits
      && life.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    return isLife ? (String(rawValue[..<mark]), String(life)) : (rawValue, nil)
  }

  /// In the order of the raw values.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
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

  /// The next stamp of `author`, whose wall clock says `now`: after all before it, also where that clock went back.
  mutating func tick(_ now: UnixNanoseconds, _ author: EditAuthor) -> HybridStamp {
    if now > time {
      (time, counter) = (now, 0)
    } else if counter == .max {
      (time, counter) = (UnixNanoseconds(time.rawValue &+ 1), 0)
    } else {
      counter += 1
    }
    return HybridStamp(time: time, counter: counter, author: author)
  }

  /// Whether a stamp is later than any that was made or seen.
  func isBehind(_ stamp: HybridStamp) -> Bool {
    (time, counter) < (stamp.time, stamp.counter)
  }

  /// Takes notice of a stamp made elsewhere: the next one here stands after it.
  mutating func observe(_ stamp: HybridStamp) {
    if isBehind(stamp) {
      (time, counter) = (stamp.time, stamp.counter)
    }
  }
}

/// Which edit a value comes from, and which others stood behind it.
public struct FieldVersion: Sendable, Hashable {
  /// Of the edit.
  public var stamp: HybridStamp
  /// What its author had seen of others' edits of the same field: the last stamp of each, by author.
  public private(set) var seen: [HybridStamp]
  /// Edits that were made at the same time elsewhere and lost against this one: the last stamp of each author.
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
    version.seen = Self.latest(past + others.flatMap(\.past), but: stamp.author)
      .filter { $0 != .genesis }
    return version
  }

  /// Whether the author of this edit had seen the other one, or it is the same.
  public func isBuilt(on other: HybridStamp) -> Bool {
    if other.author == stamp.author { return other <= stamp }
    return seen.contains { $0.author == other.author && other <= $0 }
  }

  /// Whether it was decided somewhere that the other edit, which the author had not seen, lost.
  public func isDecided(against other: HybridStamp) -> Bool {
    beaten.contains { $0.author == other.author && other <= $0 }
  }

  /// This edit, remembered together with another one that lost against it.
  ///
  /// Of two edits each node keeps the same one, so that what nodes hold is the same whatever came first.
  func absorbing(_ other: Self) -> Self {
    var version = self
    if stamp == other.stamp { version.seen = Self.latest(seen + other.seen, but: stamp.author) }
    version.beaten = Self.latest(beaten + other.past, but: stamp.author)
      .filter { !version.isBuilt(on: $0) && $0 != .genesis }
    return version
  }

  /// The last stamp of each author, by author.
  private static func latest(_ stamps: [HybridStamp], but author: EditAuthor) -> [HybridStamp] {
    var last: [EditAuthor: HybridStamp] = [:]
    for stamp in stamps where stamp.author != author {
      if let known = last[stamp.author], known >= stamp { continue }
      last[stamp.author] = stamp
    }
    return last.values.sorted { $0.author < $1.author }
  }

  /// Names what an own edit was made under before this log had a name.
  func naming(_ author: EditAuthor) -> Self {
    func named(_ stamp: HybridStamp) -> HybridStamp {
      stamp.author == .unnamed && stamp != .genesis
        ? HybridStamp(time: stamp.time, counter: stamp.counter, author: author) : stamp
    }
    return FieldVersion(
      stamp: named(stamp), seen: seen.map(named).sorted { $0.author < $1.author },
      beaten: beaten.map(named).sorted { $0.author < $1.author })
  }
}

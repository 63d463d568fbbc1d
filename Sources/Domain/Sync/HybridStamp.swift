/// When and where an edit was made, so that edits of several nodes stand in one order.
///
/// A hybrid clock: never behind the author's wall clock nor behind the edit that this one was made on top of, so
/// what was built on something always stands after it, however far clocks are apart.
public struct HybridStamp: Sendable, Hashable, Comparable {
  /// How often an edit of the same field was made on top of one from a clock that was far ahead: comes before the
  /// time, so that the time can be the right one again.
  public var turn: UInt16
  /// The highest time that the author knew of.
  public var time: UnixNanoseconds
  /// Tells apart what the author did at that time: from 0.
  public var counter: UInt16
  /// Whose edit it is.
  public var author: EditAuthor

  /// Made of its parts.
  public init(turn: UInt16 = 0, time: UnixNanoseconds, counter: UInt16, author: EditAuthor) {
    self.turn = turn
    self.time = time
    self.counter = counter
    self.author = author
  }

  /// Of what is there without anybody's edit, and is the same everywhere.
  public static let genesis = HybridStamp(
    time: UnixNanoseconds(.min), counter: 0, author: .unnamed)

  /// The same edit in the next turn, where it waits for no clock.
  ///
  /// Before all edits that are made in that turn, and in the order in which it was among others like it: whoever
  /// does that comes to the same place.
  ///
  /// - Parameter author: who says so.
  /// - Returns: nil if that was done already, or turns are used up.
  func renewed(by author: EditAuthor) -> HybridStamp? {
    guard turn < .max, time.rawValue >= 0 else { return nil }
    return HybridStamp(
      turn: turn + 1, time: UnixNanoseconds(time.rawValue + Int64.min), counter: counter,
      author: author)
  }

  /// What `renewed` was made of, but for whose edit that was; nil: of nothing.
  fileprivate var original: HybridStamp? {
    guard turn > 0, time.rawValue.signum() < 0 else { return nil }
    return HybridStamp(
      turn: turn - 1, time: UnixNanoseconds(time.rawValue - Int64.min), counter: counter,
      author: author)
  }

  /// Whether it was `renewed`.
  var isRenewed: Bool { original != nil }

  /// What the author's clock said.
  public var clock: UnixNanoseconds { original?.time ?? time }

  /// Whether one is the other one renewed, or both are renewed of one.
  func isSameEdit(as other: HybridStamp) -> Bool {
    func place(_ stamp: HybridStamp) -> HybridStamp {
      var place = stamp.original ?? stamp
      place.author = .unnamed
      return place
    }
    return self == other || ((isRenewed || other.isRenewed) && place(self) == place(other))
  }

  /// By turn, then time, then counter, then the author.
  public static func < (a: Self, b: Self) -> Bool {
    (a.turn, a.time, a.counter, a.author) < (b.turn, b.time, b.counter, b.author)
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

/// How far ahead a clock may be whose edits are looked at: 5 minutes.
public let syncClockTolerance: Int64 = 300_000_000_000

extension UnixNanoseconds {
  /// Whether it is more than so many tolerances later: no clock that is right says it yet.
  func isAhead(of now: UnixNanoseconds, tolerances: Int64 = 1) -> Bool {
    let (limit, overflow) = now.rawValue.addingReportingOverflow(tolerances * syncClockTolerance)
    return !overflow && rawValue > limit
  }
}

/// A node's hybrid clock.
public struct HybridClock: Sendable, Hashable {
  /// The highest time known since the wall clock was last set back from far ahead.
  public private(set) var time: UnixNanoseconds
  /// Of the last stamp at that time.
  public private(set) var counter: UInt16

  /// Before the first stamp.
  public static let initial = HybridClock(time: UnixNanoseconds(0), counter: 0)

  init(time: UnixNanoseconds, counter: UInt16) {
    self.time = time
    self.counter = counter
  }

  /// The stamp of an edit by `author`, whose wall clock says `now`: after all that it is made on top of.
  ///
  /// A wall clock that went back a little changes nothing: time goes on from the highest one known. If it went back by
  /// more than a peer's clock may have pushed us ahead, then it was wrong before, and time is what it says now.
  ///
  /// - Parameter versions: what the edit is made on top of.
  mutating func tick(
    _ now: UnixNanoseconds, _ author: EditAuthor, on versions: some Sequence<FieldVersion>
  ) -> HybridStamp {
    if now > time || Self.isFar(time, now) {
      (time, counter) = (now, 0)
    } else {
      (time, counter) = Self.next(time, counter)
    }
    var stamp = HybridStamp(time: time, counter: counter, author: author)
    guard let last = versions.map({ $0.last(of: author) }).max(), stamp <= last else {
      return stamp
    }
    stamp.turn = last.turn
    guard stamp <= last else { return stamp }
    if Self.isFar(last.time, now), last.turn < .max {
      stamp.turn += 1
    } else {
      (stamp.time, stamp.counter) = Self.next(last.time, last.counter)
      observe(stamp)
    }
    return stamp
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

  /// A peer's edits are taken one tolerance ahead: only what is beyond two is our own clock's.
  private static func isFar(_ time: UnixNanoseconds, _ now: UnixNanoseconds) -> Bool {
    time.isAhead(of: now, tolerances: 2)
  }

  private static func next(
    _ time: UnixNanoseconds, _ counter: UInt16
  ) -> (UnixNanoseconds, UInt16) {
    counter == .max ? (UnixNanoseconds(time.rawValue &+ 1), 0) : (time, counter + 1)
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

  /// Authors that are remembered in either list, the latest ones.
  ///
  /// What is forgotten stands before the edit itself, so the same edit holds; only why is then not known as well.
  /// Each node forgets the same ones.
  static let mostAuthors = 64

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

  /// What an edit by `author` on top of this one has to stand after.
  func last(of author: EditAuthor) -> HybridStamp {
    past.filter { $0.author == author }.max().map { max($0, stamp) } ?? stamp
  }

  /// The same edit in the next turn; nil where that cannot be.
  func renewed(by author: EditAuthor) -> Self? {
    stamp.renewed(by: author).map { succeeded(by: $0) }
  }

  /// Whether it knows of an edit: as its own, as what it was made on top of, or as what lost.
  func knows(_ other: HybridStamp) -> Bool { isBuilt(on: other) || isDecided(against: other) }

  /// This version with no more authors than are remembered.
  var bounded: Self {
    Self(stamp: stamp, seen: Self.remembered(seen), beaten: Self.remembered(beaten))
  }

  /// The version of an edit made on top of this one, and of others.
  func succeeded(by stamp: HybridStamp, and others: some Sequence<FieldVersion> = []) -> Self {
    var version = FieldVersion(stamp)
    version.seen = Self.remembered(
      Self.latest(past + others.flatMap(\.past), but: stamp.author).filter { $0 != .genesis })
    return version
  }

  /// Whether the author of this edit had seen the other one, or it is the same.
  public func isBuilt(on other: HybridStamp) -> Bool {
    if other.author == stamp.author { return other <= stamp }
    return seen.contains { $0.author == other.author && other <= $0 }
  }

  /// Whether the author of this edit had seen the other one, also before that was renewed.
  func isBuilt(on other: FieldVersion) -> Bool {
    if isBuilt(on: other.stamp) { return true }
    guard let original = other.stamp.original else { return false }
    // Whose it was stands in what was seen, unless whoever renewed it had made it.
    return isBuilt(on: other.seen.first { $0.isSameEdit(as: other.stamp) } ?? original)
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
    if stamp == other.stamp {
      version.seen = Self.remembered(Self.latest(seen + other.seen, but: stamp.author))
    }
    version.beaten = Self.remembered(
      Self.latest(beaten + other.past, but: stamp.author)
        .filter { !version.isBuilt(on: $0) && $0 != .genesis })
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

  /// The latest ones, in the order in which they are.
  private static func remembered(_ stamps: [HybridStamp]) -> [HybridStamp] {
    guard stamps.count > mostAuthors else { return stamps }
    let kept = Set(stamps.sorted(by: >).prefix(mostAuthors))
    return stamps.filter(kept.contains)
  }

  /// Names what an own edit was made under before this log had a name.
  func naming(_ author: EditAuthor) -> Self {
    func named(_ stamp: HybridStamp) -> HybridStamp {
      stamp.author == .unnamed && stamp != .genesis
        ? HybridStamp(
          turn: stamp.turn, time: stamp.time, counter: stamp.counter, author: author) : stamp
    }
    return FieldVersion(
      stamp: named(stamp), seen: seen.map(named).sorted { $0.author < $1.author },
      beaten: beaten.map(named).sorted { $0.author < $1.author })
  }
}

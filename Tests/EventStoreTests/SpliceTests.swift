import Support
import Testing

@testable import EventStore

/// Blocks and files that are whole, and stand where they do not belong.
struct SpliceTests {
  /// A block of a segment as it stands there.
  private struct Piece {
    var path: String
    var range: Range<Int>
    var bytes: [UInt8]
  }

  private static func pieces(_ disk: SimulatedDisk) throws -> [Piece] {
    var pieces: [Piece] = []
    for path in DamageTests.segments(disk) {
      let bytes = try #require(disk.contents(path))
      let bounds = try DamageTests.blockStarts(bytes) + [bytes.count]
      for (start, end) in zip(bounds, bounds.dropFirst()) {
        pieces.append(Piece(path: path, range: start..<end, bytes: Array(bytes[start..<end])))
      }
    }
    return pieces
  }

  /// Puts other bytes in the places of some pieces.
  private static func replacing(
    _ disk: SimulatedDisk, _ changes: [(piece: Piece, bytes: [UInt8])]
  ) throws -> SimulatedDisk {
    let copy = disk.copy(seed: 2)
    // From the back, so that places stay what they are.
    for change in changes.sorted(by: { $0.piece.range.lowerBound > $1.piece.range.lowerBound }) {
      var bytes = try #require(copy.contents(change.piece.path))
      bytes.replaceSubrange(change.piece.range, with: change.bytes)
      copy.set(change.piece.path, bytes)
    }
    return copy
  }

  /// Every pair of blocks of a log of several segments, and of the log's past.
  @Test func everyBlockInEveryOtherPlaceIsNamed() throws {
    let (disk, events) = try DamageTests.store()
    let pieces = try Self.pieces(disk)
    #expect(Set(pieces.map(\.path)).count >= 3 && pieces.count >= 5)
    for (i, one) in pieces.enumerated() {
      let gone = try Self.replacing(disk, [(one, [])])
      #expect(try checkDamaged(gone, events, "block \(i) removed") == .named)
      for (j, other) in pieces.enumerated() {
        let isEnd = j == pieces.count - 1
        let doubled = try Self.replacing(disk, [(other, other.bytes + one.bytes)])
        let outcome = try checkDamaged(doubled, events, "block \(i) again behind \(j)")
        // Behind the end it can also be what a disk had from before.
        #expect(outcome == .named || (isEnd && outcome == .unprovenTail), "\(i) behind \(j)")
        guard i != j else { continue }
        let over = try Self.replacing(disk, [(other, one.bytes)])
        #expect(try checkDamaged(over, events, "block \(i) in place of \(j)") == .named)
        guard i < j else { continue }
        let swapped = try Self.replacing(disk, [(one, other.bytes), (other, one.bytes)])
        #expect(try checkDamaged(swapped, events, "blocks \(i) and \(j) swapped") == .named)
      }
    }
  }

  @Test func everySegmentUnderEveryOtherNameIsNamed() throws {
    let (disk, events) = try DamageTests.store()
    let paths = DamageTests.segments(disk)
    for one in paths {
      for other in paths where one != other {
        let over = disk.copy(seed: 2)
        over.set(other, disk.contents(one))
        #expect(try checkDamaged(over, events, "\(one) as \(other)") == .named)
        let swapped = disk.copy(seed: 2)
        swapped.set(other, disk.contents(one))
        swapped.set(one, disk.contents(other))
        #expect(try checkDamaged(swapped, events, "\(one) and \(other) swapped") == .named)
      }
    }
  }

  /// Two stores that were given the same events: only their identity tells their bytes apart.
  @Test func aTwinStoresBlocksSegmentsAndFilesAreNeverTakenForOurs() throws {
    let (disk, events) = try DamageTests.store()
    let twin = SimulatedDisk(seed: 77)
    let store = try SteppedStore(twin, segmentBytes: 480)
    for number in stride(from: UInt64(1), through: 9, by: 2) {
      try store.append(batch(number), batch(number + 1))
      try store.sync()
    }
    try store.close()
    let (ours, theirs) = (try Self.pieces(disk), try Self.pieces(twin))
    try #require(ours.map(\.range) == theirs.map(\.range))
    for (mine, foreign) in zip(ours, theirs) {
      #expect(mine.bytes != foreign.bytes)
      let spliced = try Self.replacing(disk, [(mine, foreign.bytes)])
      #expect(try checkDamaged(spliced, events, "\(mine.path) \(mine.range) of a twin") == .named)
    }
    for path in DamageTests.segments(disk) {
      let spliced = disk.copy(seed: 2)
      spliced.set(path, twin.contents(path))
      #expect(try checkDamaged(spliced, events, "\(path) of a twin") == .named)
    }
    for name in Manifest.names + ["FORMAT"] {
      let spliced = disk.copy(seed: 2)
      spliced.set("/log/" + name, twin.contents("/log/" + name))
      #expect(code { _ = try SteppedStore(spliced) } == .notAStore, "\(name) of a twin")
      #expect(
        DamageTests.segments(spliced).allSatisfy { spliced.contents($0) == disk.contents($0) })
    }
    // All but one segment: the log is the other one, with one of ours in it.
    let mixed = twin.copy(seed: 3)
    let path = DamageTests.segments(disk)[1]
    mixed.set(path, disk.contents(path))
    let gaps = try everything(LogReader(disk: mixed, directory: "/log")).gaps
    #expect(gaps.contains { $0.rule == "segment.store-id" && $0.path == path })
  }

  /// Indexes, sealed segments and snapshots that belong to another segment, another time or a twin.
  @Test func whatWasDerivedFromSomethingElseChangesNoAnswer() throws {
    let (disk, numbers) = try SealingTests.store(seed: 5, segmentEvents: 40)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    let (twin, _) = try SealingTests.store(seed: 6, segmentEvents: 40)
    for isSealed in [false, true] {
      let steps = isSealed ? Int.max : DamageTests.segments(disk).count - 1
      for each in [disk, twin] { try SealingTests.seal(each, steps: steps) }
      let suffix = isSealed ? ".sealed" : ".idx"
      let derived = SealingTests.names(disk, suffix)
      let foreign = SealingTests.names(twin, suffix)
      #expect(derived.count >= 3 && foreign.count >= 2)
      let sources =
        derived.map { ($0, disk.contents($0)) } + foreign.prefix(2).map { ($0, twin.contents($0)) }
      for path in derived {
        for (number, (source, bytes)) in sources.enumerated() {
          if number < derived.count, source == path { continue }
          let spliced = disk.copy(seed: 1)
          spliced.set(path, bytes)
          let reader = try LogReader(disk: spliced, directory: "/log")
          let what = "\(source) as \(path)"
          if isSealed {
            // The events went with it: they are missing by name.
            let (events, gaps) = try everything(reader)
            #expect(events.count < before.events.count && !gaps.isEmpty, "\(what)")
            for event in events {
              #expect(before.events[Int(event.position.rawValue) - 1] == event, "\(what)")
            }
            #expect(code { _ = try SteppedStore(spliced) } == .damaged, "\(what)")
          } else {
            #expect(try Answers(reader, of: numbers) == before, "\(what)")
            let store = try SteppedStore(spliced)
            #expect(try Answers(store.reader, of: numbers) == before, "\(what)")
            store.abandon()
          }
          let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
          #expect(!verdict.isIntact, "\(what)")
        }
      }
    }
    // A snapshot of the twin, or of another moment.
    let (ours, theirs) = (try SteppedStore(disk), try SteppedStore(twin))
    for (store, payload) in [(ours, UInt8(1)), (theirs, 2)] {
      let files = SnapshotFiles(of: store.reader, projector: "p", version: "1")
      try files.write([payload], at: Position(10))
      try files.write([payload, payload], at: Position(20))
    }
    let names = [10, 20].map { "/log/snapshots/" + SnapshotName.of($0) }
    let files = SnapshotFiles(of: ours.reader, projector: "p", version: "1")
    for bytes in [twin.contents(names[1]), disk.contents(names[0]), [], nil] {
      let own = disk.contents(names[1])
      disk.set(names[1], bytes)
      let found = files.newest(through: Position(.max)) { $0.payload }
      #expect(found.snapshot?.position == Position(10) && found.snapshot?.value == [1])
      #expect(found.ignored.count == (bytes == nil ? 0 : 1))
      disk.set(names[1], own)
    }
    #expect(files.newest(through: Position(.max)) { $0.payload }.snapshot?.value == [1, 1])
    ours.abandon()
    theirs.abandon()
  }
}

import Support
import Testing

@testable import EventStore

/// Cuts and flips at every place of a small store: never a crash, a wrong answer or a silent repair.
struct DamageTests {
  /// Three segments, closed, with the events that they hold.
  static func store(isClosed: Bool = true) throws -> (SimulatedDisk, [StoredEvent]) {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 480)
    for number in stride(from: UInt64(1), through: 9, by: 2) {
      try store.append(batch(number), batch(number + 1))
      try store.sync()
    }
    let events = try everything(store.reader).events
    if isClosed { try store.close() } else { store.abandon() }
    return (disk, events)
  }

  static func segments(_ disk: SimulatedDisk) -> [String] {
    disk.paths.filter { $0.hasSuffix(".esl") }
  }

  /// What a reader gives of a damaged store must be true, and what it does not give it must name.
  static func check(_ disk: SimulatedDisk, _ original: [StoredEvent], _ what: String) throws {
    let reader = try LogReader(disk: disk, directory: "/log")
    let (events, gaps) = try everything(reader)
    for event in events {
      #expect(original[Int(event.position.rawValue) - 1] == event, "\(what): wrong event")
    }
    for window in [(0, nil), (3, 8)] as [(UInt64, UInt64?)] {
      let (from, through) = window
      let lent = try entries(reader, from: from, through: through, limit: 99, lent: true)
      let given = try entries(reader, from: from, through: through, limit: 99, lent: false)
      #expect(lent == given, "\(what): from \(from)")
    }
    let missing = Set(original.map(\.position)).subtracting(events.map(\.position))
    for position in missing {
      #expect(
        gaps.contains { $0.first <= position && position <= ($0.last ?? Position(.max)) },
        "\(what): \(position) is missing and no gap names it")
    }
    let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
    #expect(verdict.isIntact == (missing.isEmpty && gaps.isEmpty), "\(what)")
    #expect(verdict.events == UInt64(events.count), "\(what)")
  }

  @Test func aSegmentCutAtAnyByteIsNeverOpenedForWritingAsIfItWereWhole() throws {
    let (disk, events) = try Self.store()
    let paths = Self.segments(disk)
    #expect(paths.count >= 3)
    for path in paths {
      let whole = try #require(disk.contents(path))
      for length in 0..<whole.count {
        let cut = disk.copy(seed: 2)
        cut.set(path, Array(whole.prefix(length)))
        #expect(code { _ = try SteppedStore(cut) } == .damaged, "\(path) cut at \(length)")
        #expect(cut.contents(path)?.count == length, "\(path) was changed")
        if length % 5 == 0 { try Self.check(cut, events, "\(path) cut at \(length)") }
      }
    }
  }

  @Test func noFlippedBitOrByteIsTakenForTheTruth() throws {
    let (disk, events) = try Self.store()
    for path in Self.segments(disk) {
      let whole = try #require(disk.contents(path))
      let blocks = try Self.blockStarts(whole)
      for at in whole.indices {
        let isHeader = at < blocks[0] || blocks.contains { at >= $0 && at < $0 + BlockHeader.bytes }
        let masks: [UInt8] = isHeader ? (0..<8).map { 1 << $0 } : [0xFF]
        for (number, mask) in masks.enumerated() {
          let flipped = disk.copy(seed: 3)
          var bytes = whole
          bytes[at] ^= mask
          flipped.set(path, bytes)
          #expect(
            [.damaged, .notAStore].contains(code { _ = try SteppedStore(flipped) }),
            "\(path) byte \(at) ^ \(mask)")
          #expect(flipped.contents(path) == bytes, "\(path) byte \(at) was repaired silently")
          if (at + number) % 16 == 0 {
            try Self.check(flipped, events, "\(path) byte \(at) ^ \(mask)")
          }
        }
      }
    }
  }

  static func blockStarts(_ bytes: [UInt8]) throws -> [Int] {
    var starts: [Int] = []
    try bytes.withUnsafeBytes { all in
      let header = try SegmentHeader(all)
      let seed = checksumSeed(header.storeID)
      var at = header.encodedBytes
      while at < all.count {
        starts.append(at)
        at += try BlockHeader(all.slice(at..<all.count), seed: seed).extent
      }
    }
    return starts
  }

  @Test func theManifestMayBeDamagedAnywhereWithoutLoss() throws {
    let (disk, events) = try Self.store()
    for name in Manifest.names {
      let path = "/log/" + name
      let whole = try #require(disk.contents(path))
      for at in stride(from: 0, to: whole.count, by: 97) {
        let flipped = disk.copy(seed: 4)
        var bytes = whole
        bytes[at] ^= 0x10
        flipped.set(path, bytes)
        let store = try SteppedStore(flipped)
        #expect(try everything(store.reader).events == events)
      }
    }
  }

  @Test func bothManifestsLostCostNoEventAndNoEpoch() throws {
    let (disk, events) = try Self.store()
    for name in Manifest.names { disk.set("/log/" + name, nil) }
    let store = try SteppedStore(disk)
    #expect(try everything(store.reader).events == events)
    #expect(store.report.epoch.rawValue > Limits.epochLeapWithoutManifest)
    #expect(!store.report.createdStore)
  }

  @Test func aMissingFormatLineIsRebuiltAndAForeignOneRefused() throws {
    let (disk, events) = try Self.store()
    let line = try #require(disk.contents("/log/FORMAT"))
    disk.set("/log/FORMAT", nil)
    let store = try SteppedStore(disk)
    #expect(try everything(store.reader).events == events)
    #expect(disk.contents("/log/FORMAT") == line)
    store.abandon()
    disk.set("/log/FORMAT", Array("signalbox-log 2.0 x\n".utf8))
    #expect(code { _ = try SteppedStore(disk) } == .notAStore)
  }

  @Test func aMissingSegmentIsDamageWhereverItWas() throws {
    let (disk, events) = try Self.store()
    for path in Self.segments(disk) {
      let without = disk.copy(seed: 5)
      without.set(path, nil)
      #expect(code { _ = try SteppedStore(without) } == .damaged, "\(path)")
      try Self.check(without, events, "without \(path)")
    }
  }

  @Test func aSegmentOrABlockInAnotherPlaceIsNoticed() throws {
    let (disk, events) = try Self.store()
    let paths = Self.segments(disk)
    let swapped = disk.copy(seed: 6)
    swapped.set(paths[0], disk.contents(paths[1]))
    #expect(code { _ = try SteppedStore(swapped) } == .damaged)
    let doubled = disk.copy(seed: 7)
    let first = try #require(disk.contents(paths[1]))
    let starts = try Self.blockStarts(first)
    doubled.set(paths[1], first + first[starts[0]...])
    #expect(code { _ = try SteppedStore(doubled) } == .damaged)
    try Self.check(doubled, events, "block doubled")
  }

  @Test func readersNeverChangeAByte() throws {
    let (disk, _) = try Self.store(isClosed: false)
    let path = try #require(Self.segments(disk).last)
    disk.set(path, try #require(disk.contents(path)) + [1, 2, 3])
    let calls = disk.calls
    let reader = try LogReader(disk: disk, directory: "/log")
    let gaps = try everything(reader).gaps
    #expect(gaps.map(\.isUnprovenTail) == [true])
    _ = try reader.verify(from: .origin, through: nil, progress: nil)
    #expect(disk.calls == calls)
  }

  @Test func aReadErrorIsNeverTheEndOfTheLog() throws {
    let (disk, _) = try Self.store()
    disk.failReads(true)
    #expect(code { _ = try SteppedStore(disk) } == .io)
    #expect(code { _ = try LogReader(disk: disk, directory: "/log") } == .io)
  }
}

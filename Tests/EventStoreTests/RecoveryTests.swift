import Support
import Testing

@testable import EventStore

/// The tail rule, case by case.
struct RecoveryTests {
  /// Two synced groups and two that were only written; the manifest witnesses the first two.
  private func store() throws -> (disk: SimulatedDisk, path: String, ends: [Int]) {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    let path = "/log/seg/" + SegmentName.of(1)
    var ends: [Int] = []
    for number in UInt64(1)...4 {
      try store.append(batch(number * 2 - 1, number * 2))
      if number == 2 {
        try store.sync()
        try store.witness()
      }
      ends.append(try #require(disk.contents(path)).count)
    }
    store.abandon()
    return (disk, path, ends)
  }

  private func flip(_ disk: SimulatedDisk, _ path: String, _ at: Int) throws {
    var bytes = try #require(disk.contents(path))
    bytes[at] ^= 0x40
    disk.set(path, bytes)
  }

  @Test(
    arguments: [
      [], [0], [UInt8](repeating: 0, count: 5_000), [1, 2, 3, 4, 5, 6, 7, 8, 9],
      Array(
        "SBLK and then something that is no block at all, long enough for a whole header, which"
          .utf8)
        + [UInt8](repeating: 7, count: 300),
    ] as [[UInt8]])
  func bytesBehindTheLastBlockAreSetAside(tail: [UInt8]) throws {
    let (disk, path, ends) = try store()
    let whole = try #require(disk.contents(path))
    disk.set(path, whole + tail)
    let store = try SteppedStore(disk)
    #expect(store.report.last == Position(8))
    // Zeros alone are what the writer writes ahead.
    let isUnwritten = tail.allSatisfy { $0 == 0 }
    #expect(disk.contents(path) == (isUnwritten ? whole + tail : whole))
    let truncated = store.report.truncated
    #expect((truncated == nil) == isUnwritten)
    if let truncated {
      #expect(truncated.offset == UInt64(ends[3]) && truncated.bytes == UInt64(tail.count))
      #expect(truncated.firstPosition == Position(9))
      #expect(disk.contents(truncated.quarantinePath) == tail)
      let report = truncated.quarantinePath.dropLast(6) + ".pending"
      #expect(disk.contents(String(report)) != nil)
      #expect(!store.report.previousStopWasClean)
    }
    try store.append(batch(20))
    #expect(try LogReader(disk: disk, directory: "/log").last == Position(9))
  }

  @Test func everyCutOfTheLastUnprovenGroupsLeavesTheGroupsBefore() throws {
    let (disk, path, ends) = try store()
    let whole = try #require(disk.contents(path))
    for length in ends[1]..<whole.count {
      let cut = disk.copy(seed: 2)
      cut.set(path, Array(whole.prefix(length)))
      let store = try SteppedStore(cut)
      let groups = ends.filter { $0 <= length }.count
      #expect(store.report.last == Position(UInt64(groups) * 2), "cut at \(length)")
      #expect((store.report.truncated == nil) == ends.contains(length), "cut at \(length)")
      store.abandon()
    }
  }

  @Test func whatTheManifestWitnessesIsNeverCut() throws {
    let (disk, path, ends) = try store()
    let whole = try #require(disk.contents(path))
    disk.set(path, Array(whole.prefix(ends[1] - 1)))
    #expect(code { _ = try SteppedStore(disk) } == .damaged)
    // Also if it is missing without a trace in the segment.
    disk.set(path, Array(whole.prefix(ends[0])))
    #expect(code { _ = try SteppedStore(disk) } == .damaged)
    let gaps = try everything(LogReader(disk: disk, directory: "/log")).gaps
    #expect(gaps.map(\.rule) == ["manifest.synced"])
    #expect(gaps.first?.first == Position(3) && gaps.first?.last == Position(4))
  }

  @Test func aWholeBlockBehindABadOneIsDamageUnlessTheMachineStopped() throws {
    let (disk, path, ends) = try store()
    // The third group is bad, the fourth whole; neither was acknowledged as durable.
    try flip(disk, path, ends[1] + BlockHeader.bytes + 3)
    #expect(code { _ = try SteppedStore(disk) } == .damaged)
    disk.changeBoot()
    let store = try SteppedStore(disk)
    #expect(store.report.last == Position(4) && store.report.bootChanged)
    #expect(store.report.truncated?.rule == "block.body-crc")
    #expect(store.report.truncated?.firstPosition == Position(5))
  }

  @Test func aLaterBlockThatWitnessesTheBadOneForbidsTheCutInAnyBoot() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    let path = "/log/seg/" + SegmentName.of(1)
    try store.append(batch(1))
    let start = try #require(disk.contents(path)).count
    try store.append(batch(2))
    try store.sync()
    // Its header says that position 2 is durable; the manifest does not know.
    try store.append(batch(3))
    store.abandon()
    disk.changeBoot()
    try flip(disk, path, start + 10)
    #expect(code { _ = try SteppedStore(disk) } == .damaged)
    let (events, gaps) = try everything(LogReader(disk: disk, directory: "/log"))
    #expect(events.map(\.position.rawValue) == [1, 3])
    #expect(gaps.map(\.first) == [Position(2)] && gaps.map(\.last) == [Position(2)])
  }

  @Test func zerosWrittenAheadAreNoPartOfTheLogForAnybody() throws {
    let disk = SimulatedDisk(seed: 3)
    var store = try SteppedStore(disk, segmentBytes: 4_000, aheadBytes: 1_000)
    let path = "/log/seg/" + SegmentName.of(1)
    var sizes: Set<Int> = []
    for number in UInt64(1)...12 {
      try store.append(batch(number))
      let bytes = try #require(disk.contents(path))
      sizes.insert(bytes.count)
      #expect(try LogReader(disk: disk, directory: "/log").last == Position(number))
      #expect(store.reader.last == Position(number))
      #expect(
        try LogReader(disk: disk, directory: "/log").verify(
          from: .origin, through: nil, progress: nil
        ).isIntact)
    }
    #expect(sizes.count < 8, "most blocks leave the file as long as it was: \(sizes.sorted())")
    try store.sync()
    store.abandon()
    // A killed process leaves them, and the next one goes on over them.
    let killed = try #require(disk.contents(path))
    #expect(killed.last == 0 && written(killed[...]).count < killed.count - 8)
    store = try SteppedStore(disk, segmentBytes: 4_000, aheadBytes: 1_000)
    #expect(store.report.last == Position(12) && store.report.truncated == nil)
    // Of an append that was cut short nothing is taken for zeros.
    store.abandon()
    var torn = killed
    let end = (written(killed[...]).count + 7) & ~7
    torn[end + 40] = 1
    let other = disk.copy(seed: 4)
    other.set(path, torn)
    let again = try SteppedStore(other, segmentBytes: 4_000, aheadBytes: 1_000)
    #expect(again.report.last == Position(12) && again.report.truncated?.bytes == 41)
    again.abandon()
    store = try SteppedStore(disk, segmentBytes: 4_000, aheadBytes: 1_000)
    // A finished segment has none, and neither has one that was closed.
    for number in UInt64(13)...60 { try store.append(batch(number)) }
    let finished = try #require(disk.contents(path))
    #expect(finished.count - written(finished[...]).count < 8)
    try store.writer.trim()
    let last = try #require(disk.paths.filter { $0.hasSuffix(".esl") }.max())
    let open = try #require(disk.contents(last))
    #expect(open.count - written(open[...]).count < 8)
    try store.close()
    #expect(try SteppedStore(disk).report.last == Position(60))
  }

  @Test func blocksOfAnOlderLifeBehindTheTailAreNoContinuation() throws {
    let disk = SimulatedDisk(seed: 1)
    var store = try SteppedStore(disk, segmentBytes: 1 << 20)
    let path = "/log/seg/" + SegmentName.of(1)
    try store.append(batch(1))
    let start = try #require(disk.contents(path)).count
    try store.append(batch(2))
    let stale = try #require(disk.contents(path))[start...]
    store.abandon()
    disk.set(path, Array(try #require(disk.contents(path)).prefix(start)))
    store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(batch(3))
    try store.sync()
    store.abandon()
    // Recycled bytes: position 2 of the first epoch, where position 3 would stand.
    disk.set(path, try #require(disk.contents(path)) + stale)
    store = try SteppedStore(disk, segmentBytes: 1 << 20)
    #expect(store.report.last == Position(2))
    #expect(store.report.truncated?.bytes == UInt64(written(stale).count))
    #expect(try everything(store.reader).events.map(\.id) == [draft(1).id, draft(3).id])
  }

  @Test func aBlockOfAnOlderLifeInItsOldPlaceStaysLost() throws {
    let disk = SimulatedDisk(seed: 1)
    var store = try SteppedStore(disk, segmentBytes: 1 << 20)
    let path = "/log/seg/" + SegmentName.of(1)
    try store.append(batch(1))
    try store.sync()
    let start = try #require(disk.contents(path)).count
    try store.append(batch(2))
    store.abandon()
    let stale = try #require(disk.contents(path))
    // The second event is lost, and the next writer says so.
    disk.set(path, Array(stale.prefix(start)))
    store = try SteppedStore(disk, segmentBytes: 1 << 20)
    #expect(store.report.last == Position(1))
    try store.append(batch(3))
    store.abandon()
    // Of the third one only the room is kept, and in it stands the second one again.
    disk.set(path, stale)
    let reader = try LogReader(disk: disk, directory: "/log")
    #expect(try everything(reader).gaps.map(\.rule) == ["block.epoch"])
    store = try SteppedStore(disk, segmentBytes: 1 << 20)
    #expect(store.report.last == Position(1) && store.report.truncated?.rule == "block.epoch")
  }

  @Test(arguments: [[], [0, 0, 0], [UInt8](repeating: 0, count: 4_096)] as [[UInt8]])
  func aLastSegmentWithoutAHeaderIsSetAside(bytes: [UInt8]) throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk)
    try store.append(batch(1))
    try store.close()
    let path = "/log/seg/" + SegmentName.of(2)
    disk.set(path, bytes)
    let again = try SteppedStore(disk)
    #expect(again.report.last == Position(1))
    #expect(again.report.truncated?.segment == SegmentName.of(2))
    #expect(disk.contents(path) == nil)
    try again.append(batch(2))
    try again.append(batch(3))
    try again.close()
    #expect(try LogReader(disk: disk, directory: "/log").last == Position(3))
    #expect(try SteppedStore(disk).report.last == Position(3))
  }

  @Test func aSegmentOfAHeaderOnlyAndALeftoverAreTakenAsTheyAre() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 100)
    try store.append(batch(1))
    // The roll succeeds, the write into the new segment does not.
    disk.inject(.noSpace, after: 6)
    #expect(code { try store.append(batch(2)) } == .full)
    disk.clearFaults()
    try store.close()
    disk.set("/log/seg/" + SegmentName.of(9) + ".tmp", [1, 2, 3])
    #expect(DamageTests.segments(disk).count == 2)
    let again = try SteppedStore(disk, segmentBytes: 100)
    #expect(again.report.last == Position(1) && again.report.truncated == nil)
    #expect(!disk.paths.contains { $0.hasSuffix(".tmp") })
    try again.append(batch(3))
    #expect(try everything(again.reader).events.map(\.id) == [draft(1).id, draft(3).id])
  }

  @Test func aStoreThatWasReplacedBehindTheManifestIsRefused() throws {
    let (disk, path, _) = try store()
    // The same store's beginning, with another past.
    let other = SimulatedDisk(seed: 1)
    let second = try SteppedStore(other, segmentBytes: 1 << 20)
    for number in UInt64(11)...14 { try second.append(batch(number * 2 - 1, number * 2)) }
    disk.set(path, other.contents(path))
    #expect(code { _ = try SteppedStore(disk) } == .damaged)
  }

  @Test func blocksOfNewerBuildsAreRefusedAndNotTakenForDamage() throws {
    let (disk, path, ends) = try store()
    var bytes = try #require(disk.contents(path))
    let start = ends[2]
    bytes[start + 7] |= 0x80
    let id = try LogReader(disk: disk, directory: "/log").storeID
    bytes.withUnsafeMutableBytes { all in
      let header = UnsafeRawBufferPointer(all).slice(start..<(start + BlockHeader.bytes - 4))
      all.put(crc32c(header, from: checksumSeed(id)), start + BlockHeader.bytes - 4)
    }
    disk.set(path, bytes)
    #expect(code { _ = try SteppedStore(disk) } == .notAStore)
    #expect(code { _ = try LogReader(disk: disk, directory: "/log") } == .notAStore)
  }

  @Test func aSegmentWhoseNameWasOnlyInTheCacheOfAKilledProcessIsKept() throws {
    for seed in UInt64(0)..<20 {
      let disk = SimulatedDisk(seed: seed)
      let store = try SteppedStore(disk, segmentBytes: 100)
      try store.append(batch(1))
      // Between the renaming of the next segment and the sync of the directory.
      disk.inject(.kill, after: 5)
      #expect(code { try store.append(batch(2)) } == .io)
      disk.restart()
      let second = try SteppedStore(disk, segmentBytes: 100)
      try second.append(batch(3))
      try second.sync()
      disk.cutPower()
      disk.restart()
      let third = try SteppedStore(disk, segmentBytes: 100)
      #expect(try everything(third.reader).events.map(\.id) == [draft(1).id, draft(3).id])
    }
  }
}

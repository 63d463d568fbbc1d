import Support
import Testing

@testable import EventStore

/// What proves that the end of the log was acknowledged.
struct WitnessTests {
  private static let path = "/log/seg/" + SegmentName.of(1)

  /// Two synced events and the witness block behind them; the manifest knows of neither.
  private func witnessed() throws -> (disk: SimulatedDisk, block: Int, witness: Int, end: Int) {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(batch(1))
    let block = try #require(disk.contents(Self.path)).count
    try store.append(batch(2))
    try store.sync()
    let witness = try #require(disk.contents(Self.path)).count
    try store.witnessBlock()
    let end = try #require(disk.contents(Self.path)).count
    #expect(end - witness == BlockHeader.bytes)
    store.abandon()
    return (disk, block, witness, end)
  }

  @Test func damageInFrontOfAWitnessBlockIsNeverTakenForATornAppend() throws {
    let (disk, block, witness, _) = try witnessed()
    for at in block..<witness {
      for isOtherBoot in [false, true] {
        let flipped = disk.copy(seed: 2)
        var bytes = try #require(disk.contents(Self.path))
        bytes[at] ^= 0xFF
        flipped.set(Self.path, bytes)
        if isOtherBoot { flipped.changeBoot() }
        #expect(code { _ = try SteppedStore(flipped) } == .damaged, "byte \(at)")
        let (events, gaps) = try everything(LogReader(disk: flipped, directory: "/log"))
        #expect(events.map(\.position.rawValue) == [1])
        #expect(gaps.map(\.first) == [Position(2)] && gaps.map(\.last) == [Position(2)])
        #expect(gaps.allSatisfy { !$0.isUnprovenTail })
      }
    }
  }

  @Test func aDamagedWitnessBlockAtTheEndCostsNothing() throws {
    let (disk, _, witness, end) = try witnessed()
    let whole = try #require(disk.contents(Self.path))
    var damaged = (witness + 1..<end).map { Array(whole.prefix($0)) }
    for at in witness..<end {
      for bit in 0..<8 {
        var bytes = whole
        bytes[at] ^= 1 << UInt8(bit)
        damaged.append(bytes)
      }
    }
    for (number, bytes) in damaged.enumerated() {
      let copy = disk.copy(seed: 3)
      copy.set(Self.path, bytes)
      // A reader waits a moment for an append that may be in progress.
      if number % 32 == 0 {
        let (events, gaps) = try everything(LogReader(disk: copy, directory: "/log"))
        #expect(events.map(\.position.rawValue) == [1, 2], "case \(number)")
        #expect(gaps.map(\.first) == [Position(3)] && gaps.allSatisfy(\.isUnprovenTail))
      }
      let store = try SteppedStore(copy)
      #expect(
        store.report.last == Position(2) && store.report.truncated?.firstPosition == Position(3))
      #expect(try everything(store.reader).events.count == 2)
    }
  }

  @Test func readersAndChecksPassOverWitnessBlocks() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 700)
    try store.witnessBlock()
    for number in UInt64(1)...12 {
      try store.append(batch(number))
      if number.isMultiple(of: 2) { try store.sync() }
      // Without a sync, and a second time, there is nothing to prove.
      let before = disk.calls
      try store.witnessBlock()
      #expect((disk.calls > before) == number.isMultiple(of: 2))
    }
    let events = try everything(store.reader).events
    #expect(events.map(\.id) == (1...12).map { draft($0).id })
    try store.close()
    #expect(DamageTests.segments(disk).count > 2)
    let outside = try LogReader(disk: disk, directory: "/log")
    #expect(try everything(outside).events == events)
    #expect(try outside.verify(from: .origin, through: nil, progress: nil).isIntact)
    let chain = try outside.chainValue(at: Position(12))
    #expect(try store.reader.chainValue(at: Position(12)) == chain)
    let again = try SteppedStore(disk, segmentBytes: 700)
    #expect(again.report.truncated == nil && again.report.eventsScanned == 12)
    try again.append(batch(13))
    #expect(try LogReader(disk: disk, directory: "/log").last == Position(13))
  }

  @Test func aWitnessBlockForWhichThereIsNoRoomIsLeftOut() throws {
    for part in [0, 1, 60, 103] {
      let disk = SimulatedDisk(seed: 1)
      let store = try SteppedStore(disk, segmentBytes: 1 << 20)
      try store.append(batch(1))
      try store.sync()
      let whole = try #require(disk.contents(Self.path))
      disk.inject(.noSpaceAfter(part))
      try store.witnessBlock()
      let left = try #require(disk.contents(Self.path))
      #expect(left.starts(with: whole) && written(left[whole.count...]).isEmpty)
      try store.append(batch(2))
      #expect(try LogReader(disk: disk, directory: "/log").last == Position(2))
    }
  }

  /// Without space the next segment's name was taken back, and a power cut may undo that.
  @Test func aSegmentWhoseSuccessorMayComeBackGetsNoWitnessBlock() throws {
    var returned = 0
    for seed in UInt64(0)..<40 {
      let disk = SimulatedDisk(seed: seed)
      let store = try SteppedStore(disk, segmentBytes: 100)
      try store.append(batch(1))
      try store.sync()
      // Behind the sync of the full segment, and making, filling, syncing and naming the next one.
      disk.inject(.noSpace, after: 5)
      #expect(code { try store.append(batch(2)) } == .full)
      let whole = disk.contents(Self.path)
      try store.witnessBlock()
      #expect(disk.contents(Self.path) == whole)
      if seed.isMultiple(of: 2) {
        try store.append(batch(3))
        try store.sync()
        try store.witnessBlock()
      }
      store.abandon()
      disk.cutPower()
      disk.restart()
      returned += disk.contents("/log/seg/" + SegmentName.of(2)) == nil ? 0 : 1
      let again = try SteppedStore(disk, segmentBytes: 100)
      let expected: [UInt64] = seed.isMultiple(of: 2) ? [1, 3] : [1]
      #expect(try everything(again.reader).events.map(\.id) == expected.map { draft($0).id })
      again.abandon()
    }
    #expect(returned > 20)
  }

  /// A forged header that claims to be a witness is one only in its one form.
  @Test func aBlockWithoutEventsHasOneEncoding() throws {
    let good = BlockHeader.witness(epoch: 3, next: 9, chain: .ofNothing)
    var forged: [BlockHeader] = []
    for change: (inout BlockHeader) -> Void in [
      { $0.rawBytes = 1 }, { $0.bodyChecksum = 1 }, { $0.minTime = 1 }, { $0.maxTime = -1 },
      { $0.durableUpTo = 7 }, { $0.isCompressed = true }, { $0.first = 0 },
    ] {
      var header = good
      change(&header)
      forged.append(header)
    }
    func parsed(_ header: BlockHeader) throws -> BlockHeader {
      let room = RawBuffer(capacity: BlockHeader.bytes)
      header.encode(into: room.storage, seed: 5)
      room.count = BlockHeader.bytes
      return try BlockHeader(room.bytes, seed: 5)
    }
    #expect(try parsed(good) == good && good.isWitness && good.last == 8)
    for header in forged {
      #expect(throws: BlockHeader.Fault.damaged("block.bounds")) { try parsed(header) }
    }
  }

  @Test func afterAQuietMomentTheEndIsWitnessedInTheSegmentAndInTheManifest() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log", aheadBytes: 0)
    _ = try store.appendAndWait(batch(1), durability: .written)
    let pause = Signal()
    // At most ten seconds; it takes a tenth of one.
    for _ in 0..<1_000 where try manifest(disk)?.synced != 1 {
      _ = pause.wait(nanoseconds: 10_000_000)
      disk.pass(milliseconds: 50)
    }
    #expect(try manifest(disk)?.synced == 1)
    let bytes = try #require(disk.contents(Self.path))
    let last = try bytes.suffix(BlockHeader.bytes).withUnsafeBytes {
      try BlockHeader($0, seed: checksumSeed(store.storeID))
    }
    #expect(last.isWitness && last.durableUpTo == 1)
    _ = try store.appendAndWait(batch(2), durability: .durable)
    try store.close()
    #expect(try LogReader(disk: disk, directory: "/log").last == Position(2))
  }

  @Test func underUnbrokenLoadTheManifestIsWrittenAboutEverySecond() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log")
    var seen: Set<UInt64> = []
    // Four seconds of appends, never a tenth of one apart.
    for number in UInt64(1)...400 {
      _ = try store.appendAndWait(batch(number), durability: .durable)
      disk.pass(milliseconds: 10)
      if let synced = try manifest(disk)?.synced { seen.insert(synced) }
    }
    #expect(seen.count >= 4, "\(seen.sorted())")
    try store.close()
  }

  private func manifest(_ disk: SimulatedDisk) throws -> Manifest? {
    try StoreFiles(disk: disk, directory: "/log").manifest(nil)
  }
}

import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// Disks that fail, directories that are not right, processes that compete.
struct FailureTests {
  @Test func noSpaceRefusesTheGroupAndLaterAppendsGoOn() throws {
    for part in [0, 1, 60, 104, 150] {
      let disk = SimulatedDisk(seed: 1)
      let store = try EventStore.small(disk, "/log")
      _ = try store.appendAndWait(batch(1), durability: .durable)
      disk.inject(.noSpaceAfter(part))
      #expect(code { _ = try store.appendAndWait(batch(2), durability: .written) } == .full)
      #expect(store.failure?.code == .full)
      #expect(store.reader.last == Position(1))
      let receipt = try store.appendAndWait(batch(3), durability: .durable)
      #expect(receipt.first == Position(2) && store.failure == nil)
      try store.close()
      let again = try EventStore.small(disk, "/log")
      #expect(again.report.truncated == nil && again.report.last == Position(2))
      try again.close()
    }
  }

  /// The kernel may have put on the disk what it said there was no room for; a power cut may undo its removal, or
  /// show it again where the file grew since.
  @Test(arguments: [false, true])
  func whatWasRefusedForWantOfSpaceDoesNotComeBackAfterAPowerCut(goesOn: Bool) throws {
    for seed in UInt64(1)...400 {
      let disk = SimulatedDisk(seed: seed, isHarsh: true)
      let store = try SteppedStore(disk, aheadBytes: seed.isMultiple(of: 2) ? 0 : 400)
      try store.append(batch(1))
      try store.sync()
      // Where zeros lie ahead, a disk that writes in place has room.
      disk.inject(.noSpaceAfter(.max))
      let isRefused = code { try store.append(batch(2)) } == .full
      #expect(isRefused || !seed.isMultiple(of: 2))
      if goesOn { try store.append(AppendBatch(events: [draft(3, size: 300)])) }
      disk.cutPower()
      store.abandon()
      disk.restart()
      let again = try SteppedStore(disk)
      let ids = try everything(again.reader).events.map(\.id)
      #expect(
        ids.first == draft(1).id && (!isRefused || !ids.contains(draft(2).id)), "seed \(seed)")
      again.abandon()
    }
  }

  @Test func noSpaceForTheNextSegmentLosesNothing() throws {
    for call in 0..<5 {
      let disk = SimulatedDisk(seed: 1)
      let store = try SteppedStore(disk, segmentBytes: 100)
      try store.append(batch(1))
      // Behind the sync of the full segment: making, filling, syncing and naming the next one, and
      // making its name durable.
      disk.inject(.noSpace, after: 1 + call)
      #expect(code { try store.append(batch(2)) } == .full)
      try store.append(batch(3))
      #expect(try everything(store.reader).events.map(\.id) == [draft(1).id, draft(3).id])
      #expect(!disk.paths.contains { $0.hasSuffix(".tmp") })
      store.abandon()
    }
  }

  @Test func queuedEventsThatWereAnsweredAndLostDoNotGiveTheirPositionAway() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log")
    _ = try store.appendAndWait(batch(1), durability: .durable)
    let epoch = store.epoch
    disk.inject(.noSpace)
    let lost = try store.appendAndWait(batch(2), durability: .queued)
    #expect(store.reader.last == Position(1))
    #expect(store.failure?.code == .full)
    let next = try store.appendAndWait(batch(3), durability: .durable)
    #expect(next.first == lost.first && next.epoch > lost.epoch && lost.epoch == epoch)
    try store.close()
  }

  @Test func aDuplicateThatWasAnsweredKeepsAPositionThatIsLostFromBeingGivenAgain() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log")
    let tally = Tally()
    // Submitted by the writer's own thread, so that both are in one group.
    let inside = Inside {
      disk.inject(.noSpace)
      store.submit(batch(2), durability: .written, sink: tally, token: 1)
      store.submit(batch(2), durability: .queued, sink: tally, token: 2)
    }
    store.submit(batch(1), durability: .written, sink: inside, token: 0)
    tally.wait(for: 2)
    let shown = try #require(tally.answers.first { $0.token == 2 }).result.get()
    let next = try store.appendAndWait(batch(3), durability: .durable)
    #expect(next.first == shown.first && next.epoch > shown.epoch)
    try store.close()
  }

  @Test func onAFullDiskTheEpochCanStillBeRaisedAndTheStopMarked() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log")
    for name in Manifest.names {
      #expect(disk.contents("/log/" + name)?.count == Manifest.bytes, "\(name) needs room")
    }
    try store.close()
    #expect(try EventStore.small(disk, "/log").report.previousStopWasClean)
  }

  @Test func aStoreDroppedInASinkStillAnswersWhatItTook() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let held = Mutex<EventStore?>(try EventStore.small(disk, directory))
    let answered = Signal()
    let late = Inside { answered.post() }
    let inside = Inside {
      for number in UInt64(2)...9 {
        held.withLock { store in
          store?.submit(batch(number), durability: .durable, sink: late, token: number)
        }
      }
      // The last reference, on the writer's thread.
      let last = held.withLock { store in
        defer { store = nil }
        return store
      }
      _ = last
    }
    held.withLock { store in
      store?.submit(batch(1), durability: .written, sink: inside, token: 1)
    }
    #expect(answered.wait(nanoseconds: 30_000_000_000), "an append was never answered")
    #expect(try LogReader.open(directory: directory).last == Position(9))
  }

  @Test func noNumberInAFileOverflows() throws {
    let seed = checksumSeed(7)
    for number in [UInt64.max, 1 << 62] {
      for field in 0..<3 {
        var header = SegmentHeader(
          storeID: 7, ordinal: 0, first: 1, created: 0, epoch: 1, chainBefore: .zero,
          dictionary: [])
        var manifest = Manifest(
          generation: 1, storeID: 7, epoch: 1, synced: 0, chain: .zero, bootID: [], isClean: true)
        var block = BlockHeader(
          epoch: 1, first: 1, count: 1, rawBytes: 0, storedBytes: 0, bodyChecksum: 0, minTime: 0,
          maxTime: 0, chainBefore: .zero, durableUpTo: 0, isCompressed: false)
        switch field {
        case 0: (header.ordinal, manifest.generation, block.epoch) = (number, number, number)
        case 1: (header.first, manifest.epoch, block.first) = (number, number, number)
        default: (header.epoch, manifest.synced, block.epoch) = (number, number, number)
        }
        #expect(throws: SegmentHeader.Fault.damaged("segment.bounds")) {
          try header.encoded().withUnsafeBytes { try SegmentHeader($0) }
        }
        #expect(Manifest(manifest.encoded()) == nil)
        let room = RawBuffer(capacity: BlockHeader.bytes)
        block.encode(into: room.storage, seed: seed)
        room.count = BlockHeader.bytes
        #expect(throws: BlockHeader.Fault.damaged("block.bounds")) {
          try BlockHeader(room.bytes, seed: seed)
        }
      }
      let record = RawBuffer(capacity: 1_024)
      _ = try Record.append(draft(1), revision: number, to: record)
      var (view, at) = (RecordView(), 0)
      #expect(!view.parse(record.bytes, at: &at))
    }
    let store = try EventStore.small(SimulatedDisk(seed: 1), "/log")
    _ = try store.appendAndWait(batch(1), durability: .written)
    #expect(
      try store.reader.waitForEvents(after: .origin, timeoutMilliseconds: .max) == Position(1))
    try store.close()
  }

  @Test func shortWritesAreContinued() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(batch(1))
    for count in [1, 7, 103, 104, 105] {
      disk.inject(.shortWrite(count))
      try store.append(batch(UInt64(count) + 10))
    }
    #expect(try LogReader(disk: disk, directory: "/log").last == Position(6))
  }

  @Test(arguments: [true, false])
  func afterAFailedWriteOrSyncNothingIsTakenAnyMore(isWrite: Bool) throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log")
    _ = try store.appendAndWait(batch(1), durability: .durable)
    disk.inject(.ioError, after: isWrite ? 0 : 1)
    do {
      _ = try store.appendAndWait(batch(2), durability: .durable)
      Issue.record("a lost append was answered")
    } catch {
      #expect(error.code == .io && error.message.contains("outcome unknown"))
    }
    #expect(store.failure?.code == .io)
    for durability in Durability.allCases {
      #expect(
        code { _ = try store.appendAndWait(batch(3), durability: durability) } == .poisoned)
    }
    #expect(code { try store.close() } == .poisoned)
    let again = try EventStore.small(disk, "/log")
    #expect(again.report.last.rawValue >= 1 && !again.report.previousStopWasClean)
    try again.close()
  }

  @Test func aSecondWriterIsRefusedAlsoInTheSameProcess() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory)
    #expect(code { _ = try EventStore.small(disk, directory) } == .locked)
    let other = try torture(["append", directory, "durable", "1"])
    #expect(other.wait() == 4)
    try store.close()
    let next = try EventStore.small(disk, directory)
    try next.close()
  }

  @Test func whatOthersMayReadIsRefusedWithTheRemedy() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory)
    _ = try store.appendAndWait(batch(1), durability: .durable)
    try store.close()
    let segment = directory + "/seg/" + SegmentName.of(1)
    for (path, mode) in [(directory, 0o750), (segment, 0o640), (directory + "/FORMAT", 0o604)] {
      let right = mode_t(path == directory ? 0o700 : 0o600)
      #expect(chmod(path, mode_t(mode)) == 0)
      do {
        _ = try EventStore.small(disk, directory)
        Issue.record("\(path) was open to others")
      } catch let error as StoreError {
        #expect(error.code == .permissions && error.path == path)
        #expect(error.message.contains("chmod"))
      }
      #expect(chmod(path, right) == 0)
    }
    try EventStore.small(disk, directory).close()
  }

  @Test func aDirectoryWithoutALogIsNoLog() throws {
    let directory = try temporaryDirectory()
    #expect(code { _ = try LogReader.open(directory: directory) } == .notAStore)
    #expect(code { _ = try LogReader.open(directory: directory + "/none") } == .notAStore)
  }
}

/// Does something where it is answered.
final class Inside: AppendSink {
  private let body: @Sendable () -> Void

  init(_ body: @escaping @Sendable () -> Void) { self.body = body }

  func completed(_ completions: [AppendCompletion]) { body() }
}

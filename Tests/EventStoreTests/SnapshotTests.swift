import Glibc
import Support
import Testing

@testable import EventStore

/// Snapshots are used only if everything about them is right, and never stand in the way.
struct SnapshotTests {
  private static func name(_ position: UInt64) -> String {
    "/log/snapshots/" + SnapshotName.of(position)
  }

  private static func files(_ reader: LogReader, version: String = "1") -> SnapshotFiles {
    SnapshotFiles(of: reader, projector: "counts", version: version)
  }

  private static func store(_ disk: SimulatedDisk, events: ClosedRange<UInt64> = 1...30) throws
    -> SteppedStore
  {
    let store = try SteppedStore(disk)
    for number in events { try store.append(batch(number)) }
    try store.sync()
    return store
  }

  private static func rule(_ result: Result<SnapshotFiles.Snapshot, SnapshotFiles.Absence>)
    -> String?
  {
    guard case .failure(.ignored(let why)) = result else { return nil }
    return why.rule
  }

  @Test func aPayloadThatItsReaderRefusesIsPassedOver() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try Self.store(disk)
    let files = Self.files(store.reader)
    try files.write([1], at: Position(5))
    try files.write([2], at: Position(9))
    let found = files.newest(through: Position(30)) { snapshot in
      if snapshot.payload == [2] { throw RuleBroken("unfit") }
      return snapshot.payload
    }
    #expect(found.snapshot?.position == Position(5) && found.snapshot?.value == [1])
    #expect(found.ignored.map(\.rule) == ["snapshot.payload"])
    #expect(found.ignored.map(\.position) == [Position(9)])
  }

  @Test(arguments: DiskKind.allCases)
  func aSnapshotReadsAsItWasWritten(_ kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    defer { _ = try? store.close() }
    for number in UInt64(1)...40 {
      _ = try store.appendAndWait(batch(number), durability: .written)
    }
    let files = Self.files(store.reader)
    #expect(try files.positions().isEmpty)
    #expect(files.newest(through: Position(.max)).snapshot == nil)
    var random = SeededRandom(seed: 3)
    let payloads: [UInt64: [UInt8]] = [
      1: [], 7: [9], 20: random.bytes(5_000), 31: [UInt8](repeating: 7, count: 3_000_000), 40: [1],
    ]
    for (position, payload) in payloads {
      let size = try files.write(payload, at: Position(position))
      let path = directory + "/snapshots/" + SnapshotName.of(position)
      let status = try #require(try disk.status(path))
      #expect(status.size == UInt64(size) && status.permissions == 0o600)
      // Again: the same file.
      let bytes = try disk.open(path, .read).readAll(limit: 1 << 20)
      try files.write(payload, at: Position(position))
      #expect(try disk.open(path, .read).readAll(limit: 1 << 20) == bytes)
    }
    #expect(try files.positions() == [1, 7, 20, 31, 40].map { Position($0) })
    let other = try LogReader(disk: disk, directory: directory)
    for reader in [store.reader, other] {
      for (position, payload) in payloads {
        let snapshot = try Self.files(reader).read(at: Position(position)).get()
        #expect(snapshot.payload == payload && snapshot.position == Position(position))
        #expect(try snapshot.chain == reader.chainValue(at: Position(position)))
      }
      for (limit, expected) in [(0, nil), (6, 1), (7, 7), (30, 20), (39, 31), (1_000, 40)]
        as [(UInt64, UInt64?)]
      {
        let found = Self.files(reader).newest(through: Position(limit))
        #expect(found.snapshot?.position.rawValue == expected && found.ignored.isEmpty)
      }
    }
    #expect(code { try Self.files(other).write([1], at: Position(1)) } == .locked)
    #expect(code { try files.write([1], at: Position(41)) } == .damaged)
    #expect(code { try files.write([1], at: .origin) } != nil)
  }

  @Test func aSnapshotWithAnyBitOrLengthWrongIsIgnored() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try Self.store(disk)
    let files = Self.files(store.reader)
    let payload = Array("one two three one two three one two three".utf8)
    try files.write(payload, at: Position(12))
    let path = Self.name(12)
    let whole = try #require(disk.contents(path))
    for bit in 0..<whole.count * 8 {
      var bytes = whole
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      disk.set(path, bytes)
      #expect(Self.rule(files.read(at: Position(12))) != nil, "bit \(bit)")
    }
    for length in 0..<whole.count {
      disk.set(path, Array(whole.prefix(length)))
      #expect(Self.rule(files.read(at: Position(12))) != nil, "length \(length)")
    }
    disk.set(path, whole + [0])
    #expect(Self.rule(files.read(at: Position(12))) == "snapshot.length")
    disk.set(path, whole)
    #expect(try files.read(at: Position(12)).get().payload == payload)
  }

  @Test func whatDoesNotBelongHereIsIgnoredWithItsReason() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try Self.store(disk)
    let files = Self.files(store.reader)
    let payload: [UInt8] = Array(repeating: 5, count: 400)
    try files.write(payload, at: Position(12))
    let whole = try #require(disk.contents(Self.name(12)))
    let header = try whole.withUnsafeBytes { try SnapshotHeader($0) }
    let body = Array(whole.dropFirst(header.encodedBytes))
    func rule(_ change: (inout SnapshotHeader) -> Void) -> String? {
      var changed = header
      change(&changed)
      disk.set(Self.name(12), changed.encoded() + body)
      return Self.rule(files.read(at: Position(12)))
    }
    let bomb = UInt64(Limits.snapshotBytes)
    let rows: [(String, (inout SnapshotHeader) -> Void)] = [
      ("snapshot.store-id", { $0.storeID ^= 1 }), ("snapshot.name", { $0.position = 11 }),
      ("snapshot.projector", { $0.projector = [1] }), ("snapshot.version", { $0.version = [2] }),
      ("snapshot.chain", { $0.chain.words.3 ^= 1 }), ("snapshot.chain", { $0.epoch += 1 }),
      ("snapshot.digest", { $0.digest.words.0 ^= 1 }), ("snapshot.bounds", { $0.position = 0 }),
      ("snapshot.bounds", { $0.rawBytes = bomb + 1 }), ("snapshot.bounds", { $0.rawBytes = .max }),
      ("snapshot.bounds", { $0.rawBytes = bomb }), ("snapshot.bounds", { $0.storedBytes = .max }),
      ("snapshot.bounds", { $0.isCompressed = false }),
      ("snapshot.decompress", { $0.rawBytes -= 1 }),
      ("snapshot.decompress", { $0.rawBytes += 1 }), ("snapshot.length", { $0.storedBytes -= 1 }),
    ]
    for (expected, change) in rows { #expect(rule(change) == expected) }
    #expect(rule { _ in } == nil)
    #expect(
      Self.rule(Self.files(store.reader, version: "2").read(at: Position(12))) == "snapshot.version"
    )
    // Under another name, and where the log does not reach.
    disk.set(Self.name(13), whole)
    #expect(Self.rule(files.read(at: Position(13))) == "snapshot.name")
    var beyond = header
    beyond.position = 31
    disk.set(Self.name(31), beyond.encoded() + body)
    #expect(Self.rule(files.read(at: Position(31))) == "snapshot.beyond-log")
    let found = files.newest(through: Position(.max))
    #expect(found.snapshot?.position == Position(12))
    #expect(found.ignored.map(\.rule) == ["snapshot.beyond-log", "snapshot.name"])
    #expect(found.ignored.map(\.position) == [Position(31), Position(13)])
    // What is no snapshot at all is no matter, and stays.
    for name in ["README", "00000000000000000012.snap.tmp", "12.snap", "x0000000000000000012.snap"]
    {
      disk.set("/log/snapshots/" + name, [1])
    }
    #expect(try files.positions() == [12, 13, 31].map { Position($0) })
    try files.write(payload, at: Position(12))
    #expect(disk.contents(Self.name(12)) == whole)
    #expect(disk.contents("/log/snapshots/README") == [1])
  }

  @Test func aSnapshotOfAnotherHistoryIsIgnored() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try Self.store(disk)
    try Self.files(store.reader).write([1], at: Position(25))
    try store.close()
    // The same store, whose end was lost and written anew.
    let copy = disk.copy(seed: 2)
    let segments = disk.paths.filter { $0.hasSuffix(".esl") }
    for path in segments.dropFirst(2) { copy.set(path, nil) }
    for name in Manifest.names { copy.set("/log/" + name, nil) }
    let again = try SteppedStore(copy)
    let kept = again.reader.last.rawValue
    #expect(kept < 25)
    #expect(Self.rule(Self.files(again.reader).read(at: Position(25))) == "snapshot.beyond-log")
    for number in (kept + 1)...30 { try again.append(batch(number + 100)) }
    #expect(Self.rule(Self.files(again.reader).read(at: Position(25))) == "snapshot.chain")
  }

  @Test func aDiskThatCannotBeReadIsAReasonAndNotAnError() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try Self.store(disk)
    let files = Self.files(store.reader)
    try files.write([1], at: Position(12))
    disk.failReads(true)
    #expect(Self.rule(files.read(at: Position(12))) == "snapshot.unreadable")
    let found = files.newest(through: Position(30))
    #expect(found.snapshot == nil && found.ignored.map(\.rule) == ["snapshot.unreadable"])
    disk.failReads(false)
    // The log's own block is damaged where the snapshot says it belongs.
    let path = try #require(disk.paths.first { $0.hasSuffix("00000000000000000001.esl") })
    var bytes = try #require(disk.contents(path))
    for at in 200..<bytes.count { bytes[at] ^= 0x55 }
    disk.set(path, bytes)
    let reader = try LogReader(disk: disk, directory: "/log")
    try Self.files(store.reader).write([1], at: Position(30))
    #expect(Self.rule(Self.files(reader).read(at: Position(1))) == nil)
    #expect(try Self.files(reader).read(at: Position(30)).get().payload == [1])
  }

  @Test(arguments: [SimulatedDisk.Fault.kill, .powerCut, .ioError, .noSpace, .noSpaceAfter(40)])
  func aWriteThatFailsLeavesTheOldOrTheNewOne(_ fault: SimulatedDisk.Fault) throws {
    var outcomes: Set<[UInt8]> = []
    for seed in UInt64(0)..<20 {
      for call in 0..<12 {
        let disk = SimulatedDisk(seed: seed)
        var store = try Self.store(disk)
        let isReplaced = seed.isMultiple(of: 2)
        if isReplaced { try Self.files(store.reader).write([1, 1, 1], at: Position(12)) }
        disk.inject(fault, after: call)
        let isWritten = (try? Self.files(store.reader).write([2, 2, 2], at: Position(12))) != nil
        disk.clearFaults()
        if disk.isDown {
          disk.restart()
          store = try SteppedStore(disk)
        }
        let events = try everything(store.reader)
        #expect(events.events.count == 30 && events.gaps.isEmpty)
        let files = Self.files(store.reader)
        switch files.read(at: Position(12)) {
        case .success(let snapshot):
          #expect(snapshot.payload == [2, 2, 2] || (isReplaced && snapshot.payload == [1, 1, 1]))
          if isWritten { #expect(snapshot.payload == [2, 2, 2], "seed \(seed), call \(call)") }
          outcomes.insert(snapshot.payload)
        case .failure(let absence):
          // Never half of one: what was not synced was not renamed.
          #expect(absence == .missing && !isReplaced && !isWritten, "seed \(seed), call \(call)")
          outcomes.insert([])
        }
        try files.write([3], at: Position(12))
        #expect(try files.read(at: Position(12)).get().payload == [3])
        store.abandon()
      }
    }
    #expect(outcomes.count == 3)
  }

  @Test func aSnapshotTakesNoSpaceThatAppendsNeed() throws {
    let disk = SimulatedDisk(seed: 1)
    let store = try Self.store(disk)
    let files = Self.files(store.reader)
    try files.write([1], at: Position(5))
    disk.fill(butFor: Int(Limits.headroomBytes) - 1)
    #expect(code { try files.write([2], at: Position(5)) } == .full)
    #expect(code { try files.write([2], at: Position(9)) } == .full)
    #expect(try files.positions() == [Position(5)])
    #expect(try files.read(at: Position(5)).get().payload == [1])
    disk.capacity = nil
    try files.write([2], at: Position(9))
    #expect(try files.read(at: Position(9)).get().payload == [2])
  }

  @Test func aSnapshotThatOthersCouldWriteIsNotUsedByTheWriter() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory)
    defer { _ = try? store.close() }
    _ = try store.appendAndWait(batch(1), durability: .written)
    let files = Self.files(store.reader)
    try files.write([1], at: Position(1))
    let path = directory + "/snapshots/" + SnapshotName.of(1)
    #expect(chmod(path, 0o644) == 0)
    #expect(Self.rule(files.read(at: Position(1))) == "snapshot.permissions")
    // A copy that somebody looks at need not be private.
    let reader = try LogReader(disk: disk, directory: directory)
    #expect(try Self.files(reader).read(at: Position(1)).get().payload == [1])
    try files.write([1], at: Position(1))
    #expect(try files.read(at: Position(1)).get().payload == [1])
    #expect(chmod(directory + "/snapshots", 0o755) == 0)
    #expect(Self.rule(files.read(at: Position(1))) == "snapshot.permissions")
    #expect(code { try files.write([2], at: Position(1)) } == .permissions)
  }
}

extension SnapshotFiles {
  fileprivate func newest(through limit: Position) -> Found<Snapshot> {
    newest(through: limit) { $0 }
  }

  fileprivate func read(at position: Position) -> Result<Snapshot, Absence> {
    read(at: position) { $0 }
  }
}

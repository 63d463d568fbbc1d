import Support
import Testing

@testable import EventStore

/// Bugs that other stores had with damaged, torn and missing files, each as a test of this one.
@Suite("stories: damaged files") struct StoredDamageStories {
  private static func path(_ first: UInt64) -> String { "/log/seg/" + SegmentName.of(first) }

  /// One closed segment of six synced groups of two events, and where each block begins and the last one ends.
  private static func sixGroups() throws -> (
    disk: SimulatedDisk, events: [StoredEvent], starts: [Int]
  ) {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    for number in stride(from: UInt64(1), through: 11, by: 2) {
      try store.append(batch(number, number + 1))
      try store.sync()
    }
    let events = try everything(store.reader).events
    try store.close()
    let bytes = try #require(disk.contents(path(1)))
    return (disk, events, try DamageTests.blockStarts(bytes) + [bytes.count])
  }

  private static func flipped(
    _ disk: SimulatedDisk, _ path: String, _ at: Int, _ mask: UInt8 = 0x10
  ) throws -> SimulatedDisk {
    let copy = disk.copy(seed: 9)
    var bytes = try #require(disk.contents(path))
    bytes[at] ^= mask
    copy.set(path, bytes)
    return copy
  }

  // nats-io/nats-server #7549: one flipped bit in the middle of a file lost every later message of it.
  @Test("story 01: a flipped bit costs its own block, is named exactly, and nothing is cut off")
  func story01() throws {
    let (disk, events, starts) = try Self.sixGroups()
    let path = Self.path(1)
    for at in starts[2]..<starts[3] {
      let damaged = try Self.flipped(disk, path, at, 1 << UInt8(at % 8))
      let bytes = damaged.contents(path)
      let reader = try LogReader(disk: damaged, directory: "/log")
      let (left, gaps) = try everything(reader)
      #expect(left == events.filter { !(5...6).contains($0.position.rawValue) }, "byte \(at)")
      #expect(gaps.map(\.first) == [Position(5)] && gaps.map(\.last) == [Position(6)])
      #expect(gaps.allSatisfy { $0.path == path && !$0.isUnprovenTail }, "byte \(at)")
      #expect(code { _ = try SteppedStore(damaged) } == .damaged, "byte \(at)")
      #expect(damaged.contents(path) == bytes, "byte \(at): the log was changed")
    }
  }

  /// Every file that is not the log, in every bad state.
  private static let spoilings: [(name: String, spoil: @Sendable ([UInt8]) -> [UInt8]?)] = [
    ("removed", { _ in nil }), ("empty", { _ in [] }), ("half", { Array($0.prefix($0.count / 2)) }),
    ("zeros", { [UInt8](repeating: 0, count: $0.count) }),
    ("garbage", { bytes in bytes.indices.map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) } }),
  ]

  private static func segments(_ disk: SimulatedDisk) -> [String: [UInt8]] {
    let names = disk.paths.filter { $0.hasSuffix(".esl") || $0.hasSuffix(".sealed") }
    return Dictionary(uniqueKeysWithValues: names.map { ($0, disk.contents($0) ?? []) })
  }

  // nats-io/nats-server #7556, #4410: a damaged snapshot or meta file made a stream "orphaned", and it was deleted.
  @Test("story 02: whatever becomes of the files beside the log, the log's bytes stay")
  func story02() throws {
    let (disk, _) = try SealingTests.store(seed: 2)
    // Segments of all kinds, a snapshot and a tail in quarantine.
    try SealingTests.seal(disk, steps: disk.paths.count { $0.hasSuffix(".esl") } + 1)
    let last = try #require(disk.paths.filter { $0.hasSuffix(".esl") }.max())
    disk.set(last, try #require(disk.contents(last)) + [1, 2, 3])
    let store = try SteppedStore(disk)
    try SnapshotFiles(of: store.reader, projector: "p", version: "1").write(
      [1, 2, 3], at: Position(9))
    let events = try everything(store.reader).events
    try store.close()
    let log = Self.segments(disk)
    let others = disk.paths.filter { log[$0] == nil }
    for suffix in ["FORMAT", "MANIFEST-A", "MANIFEST-B", ".idx", ".snap", ".bytes", ".pending"] {
      #expect(others.contains { $0.hasSuffix(suffix) }, "\(suffix) is not tried")
    }
    func check(_ spoilt: SimulatedDisk, _ what: String) throws {
      let error: StoreError?
      do throws(StoreError) {
        _ = try Recovery(disk: spoilt, directory: "/log").run().lock.release()
        error = nil
      } catch let caught {
        error = caught
      }
      #expect(Self.segments(spoilt) == log, "\(what): the log was changed")
      // What is refused is refused by name, and can be taken away.
      if let error {
        #expect(error.code == .notAStore, "\(what): \(error)")
        spoilt.set(try #require(error.path), nil)
      }
      let store = try SteppedStore(spoilt)
      #expect(try everything(store.reader).events == events, "\(what)")
      store.abandon()
      #expect(Self.segments(spoilt) == log, "\(what): the log was changed")
    }
    for (name, spoil) in Self.spoilings {
      for path in others {
        let spoilt = disk.copy(seed: 3)
        spoilt.set(path, spoil(disk.contents(path) ?? []))
        try check(spoilt, "\(path) \(name)")
      }
      let all = disk.copy(seed: 4)
      // A FORMAT that cannot be read is refused, and has its own turn above.
      for path in others where !path.hasSuffix("FORMAT") || name == "removed" {
        all.set(path, spoil(disk.contents(path) ?? []))
      }
      try check(all, "all \(name)")
    }
  }

  // nats-io/nats-server #7704: a file that was cut to its header made the next publish fail and was removed.
  @Test("story 03: a segment cut within its header, or to it, takes appends or is refused whole")
  func story03() throws {
    for isWitnessed in [false, true] {
      let disk = SimulatedDisk(seed: 1)
      let store = try SteppedStore(disk, segmentBytes: 100)
      try store.append(batch(1))
      try store.append(batch(2))
      if isWitnessed { try store.close() } else { store.abandon() }
      let path = Self.path(2)
      let whole = try #require(disk.contents(path))
      let blocks = try DamageTests.blockStarts(whole)
      for length in 0...(blocks[0] + BlockHeader.bytes) {
        let cut = disk.copy(seed: 2)
        cut.set(path, Array(whole.prefix(length)))
        if isWitnessed {
          #expect(code { _ = try SteppedStore(cut) } == .damaged, "cut at \(length)")
          #expect(cut.contents(path) == Array(whole.prefix(length)), "cut at \(length)")
          continue
        }
        let again = try SteppedStore(cut, segmentBytes: 100)
        if let tail = again.report.truncated {
          #expect(cut.contents(tail.quarantinePath)?.count == Int(tail.bytes), "cut at \(length)")
        }
        try again.append(batch(3))
        try again.append(batch(4))
        try again.close()
        let events = try everything(LogReader(disk: cut, directory: "/log")).events
        #expect(events.map(\.id) == [1, 3, 4].map { draft($0).id }, "cut at \(length)")
      }
    }
  }

  // nats-io/nats-server #4842: an index rebuilt from the data differed from the first one, for large messages.
  @Test("story 04: sidecars, footers and snapshots made again have the bytes that they had")
  func story04() throws {
    let disk = SimulatedDisk(seed: 4)
    let store = try SteppedStore(disk, segmentBytes: 3 << 20, segmentEvents: 40)
    var random = SeededRandom(seed: 4)
    for number in UInt64(1)...60 {
      let size = random.oneIn(6) ? random.int(500_000...1 << 20) : random.int(0...900)
      try store.append(AppendBatch(events: [draft(number, size: size, sealed: size > 900)]))
    }
    try store.close()
    let raw = disk.paths.count { $0.hasSuffix(".esl") } - 1
    #expect(raw >= 2)
    try SealingTests.seal(disk, steps: raw)
    let sidecars = disk.paths.filter { $0.hasSuffix(".idx") }
    let first = sidecars.map { disk.contents($0) }
    #expect(sidecars.count == raw)
    for path in sidecars { disk.set(path, nil) }
    let other = disk.copy(seed: 5)
    try SealingTests.seal(disk, steps: raw)
    #expect(sidecars.map { disk.contents($0) } == first)
    try SealingTests.seal(disk)
    try SealingTests.seal(other)
    let sealed = disk.paths.filter { $0.hasSuffix(".sealed") }
    #expect(sealed.count == raw)
    #expect(sealed.map { disk.contents($0) } == sealed.map { other.contents($0) })
    let again = try SteppedStore(disk)
    let files = SnapshotFiles(of: again.reader, projector: "p", version: "1")
    let payload = random.bytes(300_000)
    try files.write(payload, at: Position(50))
    let snapshot = try #require(disk.paths.first { $0.hasSuffix(".snap") })
    let bytes = disk.contents(snapshot)
    disk.set(snapshot, nil)
    try files.write(payload, at: Position(50))
    #expect(disk.contents(snapshot) == bytes)
    again.abandon()
  }

  // nats-io/nats-server #3734: files of zero bytes after a crash made limits be ignored.
  @Test("story 06: a file of zero bytes at any place costs no event and no bound")
  func story06() throws {
    let (disk, events) = try DamageTests.store()
    let segments = DamageTests.segments(disk)
    for path in segments {
      let emptied = disk.copy(seed: 2)
      emptied.set(path, [])
      #expect(try checkDamaged(emptied, events, "\(path) emptied") == .named)
    }
    // Where no file was: before, between and behind the segments, and of every other kind.
    let last = events.count
    for first in Array(0...UInt64(last + 3)) + [1 << 62, .max] {
      for kind in [".esl", ".idx", ".sealed", ".esl.tmp"] {
        let digits = SegmentName.of(first).prefix(20)
        let added = disk.copy(seed: 3)
        let path = "/log/seg/" + digits + kind
        if disk.contents(path) != nil { continue }
        added.set(path, [])
        if kind == ".sealed", added.contents("/log/seg/" + digits + ".esl") != nil {
          // It never counts beside the segment; what is still open is sealed later.
          let reader = try LogReader(disk: added, directory: "/log")
          #expect(try everything(reader).events == events, "\(path)")
        } else {
          try checkDamaged(added, events, "\(path) added", segmentBytes: 480)
        }
        guard let store = try? SteppedStore(added, segmentBytes: 480) else { continue }
        for number in UInt64(100)...110 { try store.append(batch(number)) }
        try store.close()
        let reader = try LogReader(disk: added, directory: "/log")
        #expect(try everything(reader).events.count == last + 11, "\(path)")
        // The bound of a segment still counts.
        #expect(reader.segments.dropFirst(segments.count).allSatisfy { $0.bytes < 1_000 })
      }
    }
  }

  // kurrent-io/KurrentDB #2849: a crash on start until truncate.chk was repaired by hand.
  @Test("story 08: with every pair of manifests, old, new, missing or garbled, the log opens")
  func story08() throws {
    let disk = SimulatedDisk(seed: 8)
    var slots: [[UInt8]?] = [nil, [], [UInt8](repeating: 0xA5, count: Manifest.bytes)]
    for life in UInt64(0)..<3 {
      let store = try SteppedStore(disk, segmentBytes: 700)
      for number in UInt64(1)...4 {
        try store.append(batch(life * 10 + number))
        try store.sync()
        try store.witness()
        for name in Manifest.names { slots.append(disk.contents("/log/" + name)) }
      }
      if life == 1 { store.abandon() } else { try store.close() }
      for name in Manifest.names { slots.append(disk.contents("/log/" + name)) }
    }
    let events = try everything(LogReader(disk: disk, directory: "/log")).events
    let used = try #require(events.map(\.epoch).max())
    for (number, a) in slots.enumerated() {
      for b in slots {
        let copy = disk.copy(seed: UInt64(number))
        copy.set("/log/MANIFEST-A", a)
        copy.set("/log/MANIFEST-B", b)
        let store = try SteppedStore(copy, segmentBytes: 700)
        #expect(try everything(store.reader).events == events)
        #expect(store.report.epoch > used && store.report.truncated == nil)
        try store.append(batch(99))
        try store.close()
        #expect(try SteppedStore(copy).report.last.rawValue == UInt64(events.count) + 1)
      }
    }
  }

  // kurrent-io/KurrentDB #1653: by an off-by-one the last chunk but one was never verified.
  @Test("story 09: one byte changed in any segment is named by a check of the whole log")
  func story09() throws {
    let (disk, numbers) = try SealingTests.store(seed: 9)
    // As they were appended, some with an index beside them, all but the last one sealed.
    for steps in [0, 3, Int.max] {
      try SealingTests.seal(disk, steps: steps)
      let segments = try LogReader(disk: disk, directory: "/log").segments
      #expect(segments.count > 3)
      for segment in segments {
        let bytes = try #require(disk.contents(segment.path))
        let first = try bytes.withUnsafeBytes { try SegmentHeader($0).encodedBytes }
        for at in [first, first + BlockHeader.bytes + 3] {
          let damaged = try Self.flipped(disk, segment.path, at)
          let verdict = try LogReader(disk: damaged, directory: "/log")
            .verify(from: .origin, through: nil, progress: nil)
          #expect(!verdict.isIntact && verdict.gaps.allSatisfy { $0.path == segment.path })
          #expect(verdict.events < UInt64(numbers.count), "\(segment.path) byte \(at)")
        }
      }
    }
  }

  // kurrent-io/KurrentDB #1126: after a restart about 200 events were missing in the middle of a stream.
  @Test("story 10: a log that misses revisions of a stream is not intact, though all else is right")
  func story10() throws {
    func log(skipping: UInt64) throws -> VerifyReport {
      let disk = SimulatedDisk(seed: 10)
      try SteppedStore(disk).abandon()
      let id = try LogReader(disk: disk, directory: "/log").storeID
      // A writer that forgot some: positions, checksums and chain are those of the format.
      let body = RawBuffer(capacity: 1 << 20)
      for number in UInt64(1)...60 {
        let revision = number + (number > 30 ? skipping : 0)
        _ = try Record.append(draft(number, stream: "s"), revision: revision, to: body)
      }
      let header = BlockHeader(
        epoch: 1, first: 1, count: 60, rawBytes: UInt32(body.count),
        storedBytes: UInt32(body.count), bodyChecksum: crc32c(body.bytes, from: 0), minTime: 1_000,
        maxTime: 60_000, chainBefore: .zero, durableUpTo: 0, isCompressed: false)
      let block = RawBuffer(capacity: 1 << 20)
      header.encode(into: block.storage, seed: checksumSeed(id))
      block.count = BlockHeader.bytes
      let segment = SegmentHeader(
        storeID: id, ordinal: 0, first: 1, created: 0, epoch: 1, chainBefore: .zero, dictionary: [])
      let bytes = segment.encoded() + Array(block.bytes) + Array(body.bytes)
      let padding = [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
      disk.set(Self.path(1), bytes + padding)
      return try LogReader(disk: disk, directory: "/log")
        .verify(from: .origin, through: nil, progress: nil)
    }
    #expect(try log(skipping: 0).isIntact)
    #expect(try log(skipping: 0).events == 60)
    let verdict = try log(skipping: 200)
    #expect(!verdict.isIntact && !verdict.revisionFaults.isEmpty, "\(verdict)")
  }

  // etcd-io/etcd #5230, #6378, #6379, #6515, #11488: zeros inside the last sectors, or a later append that got to
  // the disk before an earlier one, were "crc mismatch, cannot be repaired".
  @Test("story 18: whatever sectors of un-synced appends a power cut keeps, the log opens")
  func story18() throws {
    let disk = SimulatedDisk(seed: 18)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(batch(1))
    try store.sync()
    let path = Self.path(1)
    let synced = try #require(disk.contents(path)).count
    var ends = [synced]
    for number in UInt64(2)...3 {
      try store.append(AppendBatch(events: [draft(number, size: 900)]))
      ends.append(try #require(disk.contents(path)).count)
    }
    store.abandon()
    let whole = try #require(disk.contents(path))
    let sectors = Array(synced / 512...(whole.count - 1) / 512)
    #expect((4...7).contains(sectors.count))
    let fillings: [(Int) -> UInt8] = [{ _ in 0 }, { UInt8(truncatingIfNeeded: $0 &* 31 &+ 7) }]
    for kept in 0..<(1 << sectors.count) {
      for fill in fillings {
        for tail in [0, 4_096] {
          var image = whole
          for (number, sector) in sectors.enumerated() where kept & (1 << number) == 0 {
            for at in max(synced, sector * 512)..<min(whole.count, (sector + 1) * 512) {
              image[at] = fill(at)
            }
          }
          let after = disk.copy(seed: 1)
          after.set(path, image + [UInt8](repeating: 0, count: tail))
          after.changeBoot()
          let store = try SteppedStore(after, segmentBytes: 1 << 20)
          let whole = ends.lastIndex { image.prefix($0) == whole.prefix($0) } ?? 0
          #expect(store.report.last == Position(UInt64(whole) + 1), "kept \(kept), tail \(tail)")
          store.abandon()
        }
      }
    }
  }

  // facebook/rocksdb #7701, #12467, #12918, #6288, #7784, #6313: holes between logs cut at a record's boundary, an
  // old record in a recycled tail, a read error taken for the end, an empty next file, a crash in recovery.
  @Test(
    "story 20: no hole between segments, no old block, no read error and no second crash hides an event"
  )
  func story20() throws {
    let (disk, events) = try DamageTests.store()
    let paths = DamageTests.segments(disk)
    for path in paths {
      let whole = try #require(disk.contents(path))
      for boundary in try DamageTests.blockStarts(whole) {
        let cut = disk.copy(seed: 2)
        cut.set(path, Array(whole.prefix(boundary)))
        #expect(
          try checkDamaged(cut, events, "\(path) ends at the boundary \(boundary)") == .named)
      }
    }
    // Blocks of an older file's life behind the end.
    let last = try #require(paths.last)
    for path in paths {
      let old = try #require(disk.contents(path))
      for start in try DamageTests.blockStarts(old) {
        let recycled = disk.copy(seed: 3)
        recycled.set(last, try #require(disk.contents(last)) + old[start...])
        try checkDamaged(recycled, events, "\(path) from \(start) again behind the end")
        let (left, gaps) = try everything(LogReader(disk: recycled, directory: "/log"))
        #expect(left == events && gaps.allSatisfy { $0.first.rawValue > UInt64(events.count) })
      }
    }
    for read in 0..<200 {
      let failing = disk.copy(seed: 4)
      failing.injectReadError(after: read)
      let found = code { try SteppedStore(failing).abandon() }
      if failing.isReadErrorPending { break }
      #expect(found == .io, "read \(read)")
      #expect(read < 199)
    }
    // An empty next segment, and a crash at every call of every recovery from it.
    disk.set("/log/seg/" + SegmentName.of(UInt64(events.count) + 1), [])
    for first in 0..<40 {
      for second in [0, 1, 2, 5, 9, 14] {
        let crashing = disk.copy(seed: UInt64(first * 40 + second))
        for call in [first, second] {
          crashing.inject(.powerCut, after: call)
          if let store = try? SteppedStore(crashing) { store.abandon() }
          if !crashing.isDown { crashing.cutPower() }
          crashing.restart()
        }
        let store = try SteppedStore(crashing)
        #expect(try everything(store.reader).events == events, "crashes at \(first), \(second)")
        store.abandon()
      }
    }
  }

  // redis/redis #5177, #14058: power loss leaves garbage behind the end, which "load truncated" does not forgive.
  @Test("story 22: garbage behind the last append is set aside, whatever it looks like")
  func story22() throws {
    let (disk, events, starts) = try Self.sixGroups()
    let path = Self.path(1)
    let whole = try #require(disk.contents(path))
    var random = SeededRandom(seed: 22)
    for round in 0..<300 {
      var garbage = random.bytes(random.int(1...2_000))
      switch round % 5 {
      case 0: garbage = [UInt8](repeating: 0, count: garbage.count - 1) + [1]
      case 1: garbage = Array("SBLK".utf8) + garbage
      case 2:
        // A header that was whole, of another place, and no body.
        let block = random.int(0...5)
        garbage = Array(whole[starts[block]..<starts[block] + BlockHeader.bytes]) + garbage
      case 3: garbage = Array(whole[..<random.int(8...starts[1])])
      default: break
      }
      let damaged = disk.copy(seed: 2)
      damaged.set(path, whole + garbage)
      let store = try SteppedStore(damaged, segmentBytes: 1 << 20)
      #expect(try everything(store.reader).events == events, "seed \(random.seed), round \(round)")
      let kept = try #require(store.report.truncated).quarantinePath
      #expect(
        damaged.contents(kept) == Array(written(garbage[...])),
        "seed \(random.seed), round \(round)")
      #expect(damaged.contents(path) == whole)
      store.abandon()
    }
  }

  // tigerbeetle/tigerbeetle #2653, #2711: what a recovery repaired was faulty again after a crash that followed.
  @Test("story 27: a tail that was cut off stays cut off, whenever the next crash comes")
  func story27() throws {
    let (disk, _, starts) = try Self.sixGroups()
    let path = Self.path(1)
    // Nobody witnessed the last group, and it is torn.
    for name in Manifest.names { disk.set("/log/" + name, nil) }
    disk.set(path, Array(try #require(disk.contents(path)).prefix(starts[6] - 9)))
    for seed in UInt64(0)..<4 {
      for call in 0..<40 {
        let crashing = disk.copy(seed: seed)
        crashing.inject(.powerCut, after: call)
        var answered = false
        if let store = try? SteppedStore(crashing, segmentBytes: 1 << 20) {
          if (try? store.append(batch(70))) != nil, (try? store.sync()) != nil { answered = true }
          store.abandon()
        }
        if !crashing.isDown { crashing.cutPower() }
        crashing.restart()
        let store = try SteppedStore(crashing, segmentBytes: 1 << 20)
        let ids = try everything(store.reader).events.map(\.id)
        let kept = (UInt64(1)...10).map { draft($0).id }
        let isThere = ids == kept + [draft(70).id]
        #expect(isThere || (ids == kept && !answered), "seed \(seed), call \(call)")
        try store.append(batch(71))
        try store.sync()
        crashing.cutPower()
        crashing.restart()
        let again = try SteppedStore(crashing, segmentBytes: 1 << 20)
        #expect(try everything(again.reader).events.map(\.id) == ids + [draft(71).id])
        again.abandon()
      }
    }
  }

  // michaeljfazio/dugite #926: a chunk without its index was passed over, its number used again, its data cut to 0.
  @Test(
    "story 29: no file that is there is ever made again or cut, whatever name the next segment gets"
  )
  func story29() throws {
    for kind in DiskKind.allCases {
      let (disk, directory) = try kind.make()
      try disk.makeDirectory(directory)
      try disk.open(directory + "/x", .createNew).writeAll([1, 2, 3], at: 0)
      #expect(code { _ = try disk.open(directory + "/x", .createNew) } == .io)
      #expect(try disk.open(directory + "/x", .read).readAll(limit: 9) == [1, 2, 3])
    }
    let (disk, events) = try DamageTests.store()
    let next = UInt64(events.count) + 1
    let foreign = try DamageTests.store().0
    let contents: [[UInt8]] = [
      [], [7], [UInt8](repeating: 7, count: 500),
      try #require(disk.contents(Self.path(1))), try #require(foreign.contents(Self.path(1))),
    ]
    for name in [
      SegmentName.of(next), SegmentName.of(next + 1), SegmentName.of(next) + ".part",
    ] {
      for bytes in contents {
        let path = "/log/seg/" + name
        let copy = disk.copy(seed: 1)
        copy.set(path, bytes)
        if let store = try? SteppedStore(copy, segmentBytes: 100) {
          for number in UInt64(80)...83 { _ = try? store.append(batch(number)) }
          store.abandon()
          #expect(
            try everything(LogReader(disk: copy, directory: "/log")).events.starts(with: events))
        }
        let isKept = copy.paths.contains { copy.contents($0)?.starts(with: bytes) == true }
        #expect(isKept, "\(name) of \(bytes.count) bytes is gone")
      }
    }
    // Without its index a segment is read as before.
    let (sealed, numbers) = try SealingTests.store(seed: 29)
    try SealingTests.seal(sealed, steps: 3)
    for path in sealed.paths where path.hasSuffix(".idx") { sealed.set(path, nil) }
    let store = try SteppedStore(sealed)
    try store.append(batch(1 << 40))
    #expect(store.reader.last == Position(UInt64(numbers.count) + 1))
    store.abandon()
  }
}

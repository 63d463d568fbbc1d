import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// Bugs that other stores had while they ran, were full, were copied or were followed, each as a test of this one.
@Suite("stories: running logs") struct RunningStories {
  // nats-io/nats-server #2993: running out of file descriptors corrupted sequence numbers.
  @Test(
    "story 05: with too few file descriptors, appends are refused or there, and nothing in between")
  func story05() throws {
    var refusals = 0
    for descriptors in 3...24 {
      let directory = try temporaryDirectory() + "/log"
      var acked: Set<UInt64> = []
      var refused: Set<UInt64> = []
      for life in UInt64(0)..<2 {
        let child = try torture(
          ["work", directory, String(life * 100 + 1), "--descriptors", String(descriptors)])
        for line in String(decoding: child.readAll(), as: UTF8.self).split(separator: "\n") {
          let words = line.split(separator: " ")
          let number = try #require(UInt64(words[0]))
          if words[1] == "acked" { acked.insert(number) }
          if words[1] == "refused" { refused.insert(number) }
        }
        #expect([0, 4].contains(child.wait()), "\(descriptors) descriptors")
      }
      refusals += refused.count + (acked.isEmpty ? 1 : 0)
      let store = try EventStore.small(PosixDisk(), directory)
      let (events, gaps) = try everything(store.reader)
      let numbers = events.map { UInt64(truncatingIfNeeded: $0.id.rawValue >> 64) }
      #expect(gaps.isEmpty && acked.isSubset(of: numbers), "\(descriptors) descriptors")
      #expect(refused.isDisjoint(with: numbers) && Set(numbers).count == numbers.count)
      #expect(events.map(\.position.rawValue) == Array(1...UInt64(events.count + 1)).dropLast())
      #expect(try store.reader.verify(from: .origin, through: nil, progress: nil).isIntact)
      try store.close()
    }
    #expect(refusals > 0, "the bound was never felt")
  }

  // kurrent-io/KurrentDB #3642, #3452: after a full disk the store did not start, even with space again.
  @Test("story 07: a disk that is full at any write leaves a log that goes on once there is space")
  func story07() throws {
    for part in [0, 1, 103, 104, 300] {
      for call in 0..<45 {
        let disk = SimulatedDisk(seed: 7)
        var store = try SteppedStore(disk, segmentBytes: 500)
        disk.inject(part == 0 ? .noSpace : .noSpaceAfter(part), after: call)
        var there: [UInt64] = []
        for number in UInt64(1)...9 {
          do {
            try store.append(batch(number))
            there.append(number)
            try store.sync()
            try store.witness()
          } catch {
            // A sync without space leaves the outcome unknown; the log is opened again.
            if (error as? StoreError)?.code == .full, !there.contains(number) { continue }
            store.abandon()
            store = try SteppedStore(disk, segmentBytes: 500)
          }
        }
        store.abandon()
        let again = try SteppedStore(disk, segmentBytes: 500)
        #expect(again.report.truncated == nil, "call \(call), \(part) bytes")
        let ids = try everything(again.reader).events.map(\.id)
        #expect(ids == there.map { draft($0).id }, "call \(call), \(part) bytes")
        try again.append(batch(50))
        try again.close()
      }
    }
    // A disk of every size.
    for sectors in 20..<70 {
      let disk = SimulatedDisk(seed: 7, capacity: sectors * 512)
      var there: [UInt64] = []
      if let store = try? SteppedStore(disk, segmentBytes: 700) {
        for number in UInt64(1)...30 where (try? store.append(batch(number))) != nil {
          there.append(number)
        }
        store.abandon()
      }
      disk.capacity = nil
      let store = try SteppedStore(disk, segmentBytes: 700)
      #expect(try everything(store.reader).events.map(\.id) == there.map { draft($0).id })
      try store.append(batch(50))
      store.abandon()
    }
  }

  /// Copies a log as a person would, file by file; nil: a file went meanwhile, and one would begin anew.
  private static func copy(_ source: String, _ target: String, isReversed: Bool) throws -> Bool {
    let disk = PosixDisk()
    try disk.makeDirectory(target)
    var names = try disk.list(source).sorted()
    names.removeAll { $0 == "LOCK" }
    // The segments' names are listed once, before any is read.
    let folders = try names.filter { try disk.status(source + "/" + $0)?.isDirectory == true }
    var files = names.filter { !folders.contains($0) }
    for folder in folders {
      try disk.makeDirectory(target + "/" + folder)
      files += try disk.list(source + "/" + folder).sorted().map { folder + "/" + $0 }
    }
    for name in isReversed ? files.reversed() : files {
      let bytes: [UInt8]
      do throws(StoreError) {
        bytes = try disk.open(source + "/" + name, .read).readAll(limit: 1 << 26) ?? []
      } catch {
        if error.errno == ENOENT { return false }
        throw error
      }
      try disk.open(target + "/" + name, .createNew).writeAll(bytes, at: 0)
    }
    return true
  }

  // kurrent-io/KurrentDB #492: a backup taken while files moved had wrong sizes.
  @Test(
    "story 11: a copy taken while the log is appended to, rolled and sealed is a log, or is refused by name"
  )
  func story11() throws {
    let source = try temporaryDirectory() + "/log"
    var options = StoreOptions(segmentBytes: 64 << 10, reserveBytes: 0)
    options.segmentEvents = 40
    let store = try EventStore(disk: PosixDisk(), directory: source, options: options)
    let isDone = Atomic(false)
    let writer = try StoreThread(name: "author") {
      var number: UInt64 = 0
      while !isDone.load(ordering: .relaxed), number < 20_000 {
        number += 1
        _ = try? store.appendAndWait(
          AppendBatch(events: [draft(number, size: 300)]), durability: .written)
      }
    }
    var copies = 0
    var refusals = 0
    for attempt in 0..<400 where copies < 12 {
      let isReversed = attempt % 3 == 2
      _ = try store.reader.waitForEvents(
        after: Position(UInt64(attempt) * 20), timeoutMilliseconds: 10_000)
      let durable = store.lastDurable
      let target = try temporaryDirectory() + "/copy"
      guard try Self.copy(source, target, isReversed: isReversed) else { continue }
      do {
        let copy = try EventStore(disk: PosixDisk(), directory: target, options: options)
        let (events, gaps) = try everything(copy.reader)
        #expect(gaps.isEmpty && copy.reader.last >= durable)
        for event in events {
          #expect(isSame(event, draft(event.position.rawValue, size: 300)))
        }
        #expect(try copy.reader.verify(from: .origin, through: nil, progress: nil).isIntact)
        try copy.close()
        copies += 1
      } catch let error as StoreError {
        // Segments before the manifest: it then knows of more than was copied, and says so.
        #expect(isReversed && error.code == .damaged && !error.damage.isEmpty, "\(error)")
        refusals += 1
      }
    }
    isDone.store(true, ordering: .relaxed)
    writer.join()
    try store.close()
    #expect(copies >= 12, "\(copies) copies, \(refusals) refused")
  }

  // kurrent-io/KurrentDB #803, #1203: one subscriber threw, and the others passed over the event in silence.
  @Test("story 13: who fails at an event is given it again, and nobody else notices")
  func story13() throws {
    struct Poisoned: Error {}
    let store = try SteppedStore(SimulatedDisk(seed: 13))
    for number in UInt64(1)...40 { try store.append(batch(number)) }
    let poison = Position(17)
    var places = [Position.origin, .origin, .origin]
    var seen: [[UInt64]] = [[], [], []]
    var failures = 0
    // Three followers of one reader in turn; the log knows none of them, each keeps its own place.
    for round in 0..<60 {
      let follower = round % 3
      let isFailing = follower == 1 && failures < 5
      do {
        var left = 4
        try store.reader.scan(from: places[follower].next, through: nil) { entry in
          guard case .event(let event) = entry, left > 0 else { return .stop }
          if isFailing, event.position == poison { throw Poisoned() }
          seen[follower].append(event.position.rawValue)
          places[follower] = event.position
          left -= 1
          return .continue
        }
      } catch is Poisoned {
        failures += 1
        #expect(places[follower] == Position(poison.rawValue - 1))
      }
    }
    #expect(failures == 5)
    #expect(seen.allSatisfy { $0 == Array(1...40) })
  }

  // JasperFx/marten #3321, #4953: a daemon advanced past events that were still under way.
  @Test(
    "story 14: who folds up to what is durable, while many append, misses nothing and sees it once")
  func story14() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory)
    let total: UInt64 = 1_600
    let folded = Mutex<[UInt128]>([])
    let projector = try StoreThread(name: "projector") {
      var seen = Position.origin
      while seen.rawValue < total {
        let durable = store.lastDurable
        var count: UInt64 = 0
        try? store.reader.scan(from: seen.next, through: durable) { entry in
          if case .event(let event) = entry {
            count += 1
            folded.withLock { $0.append(event.id.rawValue) }
          }
          return .continue
        }
        // Everything up to there is there, in one piece.
        if count != durable.rawValue - seen.rawValue { return }
        seen = durable
        _ = try? store.reader.waitForEvents(after: seen, timeoutMilliseconds: 20)
      }
    }
    let places = Mutex<[UInt128: UInt64]>([:])
    let authors = try (UInt64(0)..<4).map { author in
      try StoreThread(name: "author") {
        var random = SeededRandom(seed: author)
        var number: UInt64 = 0
        while number < total / 4 {
          let count = min(UInt64(random.int(1...7)), total / 4 - number)
          let drafts = (number..<(number + count)).map { draft(author * total + $0 + 1) }
          number += count
          let durability = Durability.allCases[random.int(0...2)]
          guard
            let receipt = try? store.appendAndWait(
              AppendBatch(events: drafts), durability: durability)
          else { return }
          places.withLock { places in
            for (index, draft) in drafts.enumerated() {
              places[draft.id.rawValue] = receipt.first.rawValue + UInt64(index)
            }
          }
        }
      }
    }
    for author in authors { author.join() }
    projector.join()
    let ids = folded.withLock { $0 }
    #expect(ids.count == Int(total) && Set(ids).count == Int(total))
    for (index, id) in ids.enumerated() {
      #expect(places.withLock { $0[id] } == UInt64(index) + 1)
    }
    try store.close()
  }

  // JasperFx/marten #5239, #5242: a filtered loader wrote the high-water mark as its progress and skipped sparse events.
  @Test("story 15: what a stream or a key finds in a sparse log is what a scan with a filter finds")
  func story15() throws {
    let disk = SimulatedDisk(seed: 15)
    let store = try SteppedStore(disk, segmentBytes: 8 << 20, segmentEvents: 150)
    let key = Array("rare".utf8)
    for number in UInt64(1)...1_000 {
      var one = draft(number, stream: "common")
      if number % 271 == 5 || number == 999 { (one.stream, one.lookupKeys) = ("rare", [key]) }
      try store.append(AppendBatch(events: [one]))
    }
    let expected = try everything(store.reader).events.filter { $0.stream == "rare" }
    #expect(expected.count == 5)
    for steps in 0..<12 {
      for reader in [store.reader, try LogReader(disk: disk, directory: "/log")] {
        for (index, event) in expected.enumerated() {
          let rest = Array(expected[index...])
          #expect(try reader.events(ofStream: "rare", from: event.revision) == rest)
        }
        #expect(try reader.events(ofStream: "rare", from: Revision(6)) == [])
        #expect(try reader.positions(forKey: key) == expected.map(\.position))
        for count in 1...6 {
          #expect(try reader.events(forKeys: [key], newest: count) == [expected.suffix(count)])
        }
        #expect(reader.revision(of: "rare") == Revision(5))
        // Progress is the caller's, so a filter can stop anywhere between two rare events.
        var found: [StoredEvent] = []
        for start in stride(from: UInt64(1), through: 1_000, by: 97) {
          try reader.scan(from: Position(start), through: Position(start + 96)) { entry in
            if case .event(let event) = entry, event.stream == "rare" { found.append(event) }
            return .continue
          }
        }
        #expect(found == expected, "after \(steps) steps of sealing")
      }
      _ = store.sealer.step()
    }
    store.abandon()
  }

  // commanded/eventstore #327, #325: a timer's checkpoint during catch-up made the state "subscribed" and skipped the
  // rest.
  @Test("story 16: checkpoints and time-outs at any moment of catching up skip nothing")
  func story16() throws {
    for seed in UInt64(0)..<20 {
      let disk = SimulatedDisk(seed: seed)
      var random = SeededRandom(seed: seed)
      var store = try SteppedStore(disk)
      var number: UInt64 = 0
      /// The follower: its place and what it folded there.
      var (place, sum) = (Position.origin, UInt64(0))
      func encoded() -> [UInt8] { withUnsafeBytes(of: sum) { Array($0) } }
      for _ in 0..<120 {
        let files = SnapshotFiles(of: store.reader, projector: "sum", version: "1")
        switch random.int(0...9) {
        case 0...2:
          for _ in 0..<random.int(1...5) {
            number += 1
            try store.append(batch(number))
          }
        case 3...5:
          var left = random.int(1...6)
          try store.reader.scan(from: place.next, through: nil) { entry in
            guard case .event(let event) = entry, left > 0 else { return .stop }
            sum = sum &* 31 &+ UInt64(truncatingIfNeeded: event.id.rawValue >> 64)
            place = event.position
            left -= 1
            return .continue
          }
        case 6, 7:
          // The timer of a wait moves no place, caught up or not.
          let last = try store.reader.waitForEvents(after: place, timeoutMilliseconds: 0)
          #expect(last == Position(number))
        case 8: if place > .origin { try files.write(encoded(), at: place) }
        default:
          try store.sync()
          store.abandon()
          store = try SteppedStore(disk)
          let found = SnapshotFiles(of: store.reader, projector: "sum", version: "1")
            .newest(through: Position(.max)) { snapshot in
              snapshot.payload.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
            }
          (place, sum) = found.snapshot.map { ($0.position, $0.value) } ?? (.origin, 0)
        }
      }
      try store.reader.scan(from: place.next, through: nil) { entry in
        if case .event(let event) = entry {
          sum = sum &* 31 &+ UInt64(truncatingIfNeeded: event.id.rawValue >> 64)
        }
        return .continue
      }
      let whole = (0..<number).reduce(UInt64(0)) { $0 &* 31 &+ ($1 + 1) }
      #expect(sum == whole, "seed \(seed)")
      store.abandon()
    }
  }

  // AxonIQ/AxonFramework #4016, #4038, #3604: gaps at the time of a reset made replayed events look new, and side
  // effects ran twice.
  @Test(
    "story 17: a position is given once, so that whoever acted up to one acts once, gaps or not")
  func story17() throws {
    let (disk, _) = try DamageTests.store()
    // A block in the middle and the whole end are lost, and a person accepts it.
    let segments = DamageTests.segments(disk)
    var bytes = try #require(disk.contents(segments[1]))
    bytes[try DamageTests.blockStarts(bytes)[0] + BlockHeader.bytes + 4] ^= 1
    disk.set(segments[1], bytes)
    disk.set(try #require(segments.last), nil)
    var acted: [UInt64] = []
    var guardPlace = Position.origin
    func replay(_ reader: LogReader) throws {
      try reader.scan(from: .origin, through: nil) { entry in
        if case .event(let event) = entry, event.position > guardPlace {
          acted.append(event.position.rawValue)
          guardPlace = event.position
        }
        return .continue
      }
    }
    let damage: [LogGap]
    do {
      _ = try SteppedStore(disk)
      damage = []
    } catch let error as StoreError {
      damage = error.damage
    }
    #expect(damage.count == 2 && damage.allSatisfy { !$0.isEmpty })
    try replay(LogReader(disk: disk, directory: "/log"))
    let before = acted
    let acceptance = LossAcceptance(
      positions: damage.map { $0.first...($0.last ?? $0.first) }, places: [], actor: "a",
      reason: "b")
    let store = try SteppedStore(disk, segmentBytes: 480, accepting: acceptance)
    try replay(store.reader)
    #expect(acted == before, "an event was acted on twice")
    let receipts = try store.append(batch(60), batch(61))
    let lost = try #require(damage.last?.last)
    #expect(receipts.map(\.first) == [lost.next, lost.next.next])
    // From the beginning again, as often as one likes.
    for _ in 0..<3 { try replay(store.reader) }
    #expect(acted == before + [lost.rawValue + 1, lost.rawValue + 2])
    #expect(acted == acted.sorted() && Set(acted).count == acted.count)
    // Reading acts on nothing: no call that changes the disk.
    let calls = disk.calls
    try replay(LogReader(disk: disk, directory: "/log"))
    #expect(disk.calls == calls)
    store.abandon()
  }

  // etcd-io/etcd #14370, #13766, #17780: a write acknowledged before it was durable; a revision that went backwards
  // after a crash in compaction.
  @Test(
    "story 19: through power cuts, also while segments are packed anew, nothing durable goes and no position falls"
  )
  func story19() throws {
    for seed in UInt64(0)..<12 {
      let disk = SimulatedDisk(seed: seed, isHarsh: true)
      var random = SeededRandom(seed: seed)
      var durable: [UInt64] = []
      var place: UInt64 = 0
      var epoch: UInt64 = 0
      var number: UInt64 = 0
      for round in 0..<14 {
        disk.inject(.powerCut, after: random.int(0...60))
        var fresh: [UInt64] = []
        if let store = try? SteppedStore(disk, segmentBytes: 900, segmentEvents: 8) {
          for _ in 0..<12 where !disk.isDown {
            number += 1
            if (try? store.append(batch(number))) != nil { fresh.append(number) }
            if random.oneIn(2), (try? store.sync()) != nil {
              durable += fresh
              fresh = []
              place = store.reader.last.rawValue
            }
            if random.oneIn(2) { _ = store.sealer.step() }
          }
          store.abandon()
        }
        if !disk.isDown { disk.cutPower() }
        disk.restart()
        let store = try SteppedStore(disk, segmentBytes: 900, segmentEvents: 8)
        let ids = Set(try everything(store.reader).events.map(\.id))
        #expect(
          durable.allSatisfy { ids.contains(draft($0).id) }, "seed \(seed), round \(round): lost")
        #expect(store.reader.last.rawValue >= place, "seed \(seed), round \(round)")
        #expect(store.report.epoch.rawValue > epoch)
        epoch = store.report.epoch.rawValue
        place = store.reader.last.rawValue
        // What was found counts from now on, and what was not is never seen again.
        durable = (0..<number).map { $0 + 1 }.filter { ids.contains(draft($0).id) }
        store.abandon()
      }
      #expect(durable.count > 10)
    }
  }

  // grafana/loki #12583, #8564, #23758: endless restarts, one bad chunk that hid all good ones, and back-pressure
  // that was reported as corruption.
  @Test("story 21: each cause has its own name, and only damage is called damage")
  func story21() throws {
    let (damaged, events) = try DamageTests.store()
    let path = try #require(DamageTests.segments(damaged).first)
    var bytes = try #require(damaged.contents(path))
    bytes[try DamageTests.blockStarts(bytes)[0] + BlockHeader.bytes] ^= 1
    damaged.set(path, bytes)
    // Again and again the same answer, and nothing changed by asking.
    let calls = damaged.paths.map { damaged.contents($0) }
    for _ in 0..<3 {
      #expect(code { _ = try SteppedStore(damaged) } == .damaged)
      let left = try everything(LogReader(disk: damaged, directory: "/log")).events
      #expect(left.count > events.count / 2 && left.count < events.count)
    }
    #expect(damaged.paths.map { damaged.contents($0) } == calls)

    let disk = SimulatedDisk(seed: 21)
    let store = try EventStore.small(disk, "/log", queueEvents: 2)
    func answer(_ fault: SimulatedDisk.Fault?) -> StoreError.Code? {
      if let fault { disk.inject(fault) }
      return code { _ = try store.appendAndWait(batch(1), durability: .durable) }
    }
    #expect(answer(.noSpace) == .full)
    #expect(code { _ = try store.appendAndWait(batch(1, 1), durability: .written) } == .idReused)
    #expect(
      code { _ = try store.appendAndWait(AppendBatch(events: []), durability: .written) }
        == .invalidDraft)
    let expecting = AppendBatch(
      events: [draft(5)], expected: [(stream: draft(5).stream, revision: .exists)])
    #expect(code { _ = try store.appendAndWait(expecting, durability: .written) } == .conflict)
    let tally = Tally()
    for number in UInt64(10)..<500 {
      store.submit(batch(number, number + 500), durability: .durable, sink: tally, token: number)
    }
    tally.wait(for: 490)
    let refused = tally.answers.compactMap { answer -> StoreError.Code? in
      guard case .failure(let error) = answer.result else { return nil }
      return error.code
    }
    #expect(!refused.isEmpty && refused.allSatisfy { $0 == .overloaded })
    #expect(code { _ = try EventStore.small(disk, "/log") } == .locked)
    #expect(answer(.ioError) == .io)
    #expect(answer(nil) == .poisoned)
    _ = try? store.close()
    #expect(answer(nil) == .closed)
    // The refusals and failures left nothing that an opening would call damage.
    try EventStore.small(disk, "/log").close()
  }

  // google/leveldb #251, litedb-org/LiteDB #2935: a commit marker got to the disk before what it commits.
  @Test("story 23: of a batch there is all or nothing, whatever a power cut keeps")
  func story23() throws {
    var torn = 0
    for seed in UInt64(0)..<150 {
      let disk = SimulatedDisk(seed: seed, isHarsh: true)
      var random = SeededRandom(seed: seed)
      let store = try SteppedStore(disk, segmentBytes: random.oneIn(2) ? 1 << 20 : 4_000)
      var batches: [[EventID]] = []
      var number: UInt64 = 1
      for _ in 0..<6 {
        let drafts = (0..<UInt64(random.int(2...40))).map { draft(number + $0, size: 90) }
        number += UInt64(drafts.count)
        batches.append(drafts.map(\.id))
        try store.append(AppendBatch(events: drafts))
        if random.oneIn(3) { try store.sync() }
      }
      store.abandon()
      disk.cutPower()
      disk.restart()
      let again = try SteppedStore(disk)
      let ids = try everything(again.reader).events.map(\.id)
      let whole = batches.indices.first { batches[...$0].joined().count > ids.count }
      #expect(ids == batches[..<(whole ?? batches.count)].flatMap { $0 }, "seed \(seed)")
      if again.report.truncated != nil { torn += 1 }
      again.abandon()
    }
    #expect(torn > 10, "nothing was torn")
  }

  // scylladb/scylladb #3847: a corrupted commit log was passed over with a warning only.
  @Test(
    "story 24: damage ends a program with a code, and what was set aside waits to be noted in the log"
  )
  func story24() throws {
    let directory = try temporaryDirectory() + "/log"
    let disk = PosixDisk()
    var store = try EventStore.small(disk, directory)
    for number in UInt64(1)...3 {
      _ = try store.appendAndWait(batch(number), durability: .durable)
    }
    try store.close()
    let path = directory + "/seg/" + SegmentName.of(1)
    func file<Value>(_ body: (any DiskFile) throws -> Value) throws -> Value {
      let file = try disk.open(path, .readWrite)
      defer { file.close() }
      return try body(file)
    }
    let whole = try file { try #require(try $0.readAll(limit: 1 << 20)) }
    // A tail: opened, and reported under one id until somebody noted it.
    try file { try $0.writeAll([1, 2, 3], at: UInt64(whole.count)) }
    var ids: Set<EventID> = []
    for _ in 0..<3 {
      store = try EventStore.small(disk, directory)
      ids.formUnion(store.report.pendingTails.map(\.eventID))
      #expect(store.report.pendingTails.count == 1)
      try store.close()
    }
    #expect(ids.count == 1)
    store = try EventStore.small(disk, directory)
    try store.acknowledgeRecovery()
    try store.close()
    store = try EventStore.small(disk, directory)
    #expect(store.report.pendingTails.isEmpty)
    try store.close()
    // Damage: a code that no script takes for success.
    let at = try DamageTests.blockStarts(whole)[1] + BlockHeader.bytes
    try file { try $0.writeAll([whole[at] ^ 1], at: UInt64(at)) }
    let child = try torture(["append", directory, "durable", "1"])
    #expect(String(decoding: child.readAll(), as: UTF8.self).contains("damaged"))
    #expect(child.wait() == 4)
    let reader = try LogReader.open(directory: directory)
    #expect(try !reader.verify(from: .origin, through: nil, progress: nil).isIntact)
  }

  // OpenHFT/Chronicle-Queue #1509, #696, #629, #389: a half-made next file was skipped by readers, a lock was stolen
  // after a time-out.
  @Test(
    "story 25: a crash at any step of beginning a segment stops no reader, and no lock is taken by waiting"
  )
  func story25() throws {
    for fault in [SimulatedDisk.Fault.kill, .powerCut] {
      for call in 0..<12 {
        let disk = SimulatedDisk(seed: UInt64(call))
        let store = try SteppedStore(disk, segmentBytes: 100)
        try store.append(batch(1))
        try store.sync()
        let tailing = try LogReader(disk: disk, directory: "/log")
        #expect(tailing.last == Position(1))
        disk.inject(fault, after: call)
        let isAnswered = (try? store.append(batch(2))) != nil && (try? store.sync()) != nil
        if !disk.isDown { disk.cutPower() }
        store.abandon()
        disk.restart()
        let again = try SteppedStore(disk, segmentBytes: 100)
        for number in UInt64(3)...5 { try again.append(batch(number)) }
        try again.sync()
        let expected = try everything(again.reader).events
        #expect(expected.contains { $0.id == draft(2).id } || !isAnswered)
        // A reader of before the crash; after a power cut its process is gone, and a new one reads.
        let reader = fault == .kill ? tailing : try LogReader(disk: disk, directory: "/log")
        #expect(try reader.refresh() == again.reader.last, "\(fault) at \(call)")
        #expect(try everything(reader).events == expected, "\(fault) at \(call)")
        for hours in 1...3 {
          disk.pass(milliseconds: Int64(hours) * 3_600_000)
          #expect(code { _ = try SteppedStore(disk) } == .locked)
        }
        again.abandon()
      }
    }
  }

  // SQLite, WAL-reset race of 3.7.0…3.51.2: two connections that checkpoint, one of which starts the log anew.
  @Test(
    "story 28: the log has no place that is written twice: every byte of a segment is written once, over nothing or zeros"
  )
  func story28() throws {
    let disk = AppendOnlyCheck(SimulatedDisk(seed: 28))
    for life in UInt64(0)..<4 {
      var options = StoreOptions(segmentBytes: 64 << 10, reserveBytes: 0)
      options.segmentEvents = 20
      let store = try EventStore(disk: disk, directory: "/log", options: options)
      for number in UInt64(1)...70 {
        _ = try store.appendAndWait(
          batch(life * 100 + number), durability: number.isMultiple(of: 5) ? .durable : .written)
      }
      _ = store.waitUntilSealed()
      try store.close()
    }
    #expect(disk.violations == [])
    #expect(disk.writes > 280)
    // No second program can write beside it, and a newer format is refused by one that does not know it.
    let store = try EventStore.small(disk, "/log")
    #expect(code { _ = try EventStore.small(disk, "/log") } == .locked)
    try store.close()
    let format = try #require(disk.simulated.contents("/log/FORMAT"))
    let newer = String(decoding: format, as: UTF8.self).replacing(" 1.0 ", with: " 1.1 ")
    disk.simulated.set("/log/FORMAT", Array(newer.utf8))
    #expect(code { _ = try EventStore.small(disk, "/log") } == .notAStore)
  }
}

/// Passes everything on, and notes what would be a second writing of a segment's bytes.
private final class AppendOnlyCheck: ForwardingDisk {
  let simulated: SimulatedDisk
  var inner: any Disk { simulated }
  private let noted = Mutex<(writes: Int, violations: [String])>((0, []))

  init(_ simulated: SimulatedDisk) { self.simulated = simulated }

  var writes: Int { noted.withLock { $0.writes } }
  var violations: [String] { noted.withLock { $0.violations } }

  /// `old`: what the file holds from there on.
  fileprivate func noteWrite(_ path: String, _ old: [UInt8], count: Int) {
    guard path.contains("/seg/") else { return }
    noted.withLock { noted in
      noted.writes += 1
      if old.prefix(count).contains(where: { $0 != 0 }) {
        noted.violations.append("\(path) was written over what it holds")
      }
    }
  }

  fileprivate func noteTruncation(_ path: String, _ old: [UInt8]) {
    guard path.contains("/seg/"), old.contains(where: { $0 != 0 }) else { return }
    noted.withLock { $0.violations.append("\(path) was cut") }
  }

  func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    CheckedFile(try inner.open(path, mode), path, self)
  }
  func rename(_ from: String, _ to: String) throws(StoreError) {
    if to.contains("/seg/"), simulated.contents(to) != nil {
      noted.withLock { $0.violations.append("\(to) was replaced") }
    }
    try inner.rename(from, to)
  }
}

private final class CheckedFile: ForwardingFile {
  let inner: any DiskFile
  private let path: String
  private let check: AppendOnlyCheck

  init(_ inner: any DiskFile, _ path: String, _ check: AppendOnlyCheck) {
    self.inner = inner
    self.path = path
    self.check = check
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    check.noteWrite(path, try rest(from: offset), count: bytes.count)
    return try inner.write(bytes, at: offset)
  }
  func truncate(to size: UInt64) throws(StoreError) {
    check.noteTruncation(path, try rest(from: size))
    try inner.truncate(to: size)
  }
  private func rest(from offset: UInt64) throws(StoreError) -> [UInt8] {
    Array(try inner.readAll(limit: 1 << 30)?.dropFirst(Int(offset)) ?? [])
  }
}

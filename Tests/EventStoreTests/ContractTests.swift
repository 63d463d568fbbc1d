import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// What every user of the log may count on, on a real and on a simulated disk.
struct ContractTests {
  @Test(arguments: DiskKind.allCases, Durability.allCases)
  func whatWasAnsweredCanBeReadAtOnceAndAfterReopening(
    kind: DiskKind, durability: Durability
  ) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    #expect(store.report.createdStore && store.report.previousStopWasClean)
    for number in UInt64(1)...50 {
      let receipt = try store.appendAndWait(batch(number), durability: durability)
      #expect(receipt.first == Position(number) && receipt.last == Position(number))
      let event = try #require(try store.reader.event(at: receipt.first))
      #expect(isSame(event, draft(number)))
      #expect(store.reader.last == Position(number))
      if durability == .durable { #expect(store.lastDurable >= receipt.last) }
    }
    try store.close()
    try store.close()
    #expect(code { _ = try store.appendAndWait(batch(99), durability: .written) } == .closed)
    let again = try EventStore.small(disk, directory)
    #expect(again.report.previousStopWasClean && !again.report.createdStore)
    #expect(again.report.last == Position(50) && again.epoch > store.epoch)
    let (events, gaps) = try everything(again.reader)
    #expect(gaps.isEmpty && events.count == 50)
    #expect(events.enumerated().allSatisfy { isSame($1, draft(UInt64($0) + 1)) })
    try again.close()
  }

  @Test(arguments: DiskKind.allCases)
  func anExpectationThatDoesNotHoldRefusesTheWholeBatch(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    defer { _ = try? store.close() }
    func append(
      _ numbers: [(UInt64, String)], _ expected: [(String, ExpectedRevision)]
    ) throws -> AppendReceipt {
      try store.appendAndWait(
        AppendBatch(
          events: numbers.map { draft($0.0, stream: $0.1) },
          expected: expected.map { (stream: $0.0, revision: $0.1) }), durability: .durable)
    }
    _ = try append([(1, "a"), (2, "b")], [("a", .exactly(.none)), ("b", .exactly(.none))])
    #expect(store.revision(of: "a") == Revision(1))
    do {
      _ = try append([(3, "a"), (4, "b")], [("a", .exactly(Revision(1))), ("b", .exactly(.none))])
      Issue.record("a conflict was not noticed")
    } catch let error as StoreError {
      #expect(error.code == .conflict && error.stream == "b" && error.actual == Revision(1))
    }
    #expect(store.reader.last == Position(2))
    #expect(code { _ = try append([(5, "c")], [("d", .exists)]) } == .conflict)
    _ = try append([(6, "a"), (7, "a")], [("a", .exactly(Revision(1))), ("b", .exists)])
    #expect(store.revision(of: "a") == Revision(3))
    #expect(
      try store.reader.events(ofStream: "a", from: Revision(2)).map(\.revision.rawValue) == [2, 3])
    #expect(store.reader.streams(withPrefix: "").map(\.stream) == ["a", "b"])
  }

  @Test func revisionsRaisedByTheSameGroupAreSeen() throws {
    let store = try SteppedStore(SimulatedDisk(seed: 1))
    let first = AppendBatch(
      events: [draft(1, stream: "s")], expected: [(stream: "s", revision: .exactly(.none))])
    let second = AppendBatch(
      events: [draft(2, stream: "s")], expected: [(stream: "s", revision: .exactly(Revision(1)))])
    let third = AppendBatch(
      events: [draft(3, stream: "s")], expected: [(stream: "s", revision: .exactly(Revision(1)))])
    guard case .placed = store.writer.add(first), case .placed = store.writer.add(second),
      case .refused(let error) = store.writer.add(third)
    else {
      Issue.record("the group does not see its own revisions")
      return
    }
    #expect(error.code == .conflict && error.actual == Revision(2))
    guard case .duplicate(let receipt) = store.writer.add(first) else {
      Issue.record("the group does not see its own ids")
      return
    }
    #expect(receipt.first == Position(1))
    try store.writer.flush()
    #expect(store.reader.last == Position(2))
  }

  @Test(arguments: DiskKind.allCases)
  func theSameIdsAgainGetTheirOriginalPlace(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    var store = try EventStore.small(disk, directory)
    let original = try store.appendAndWait(batch(1, 2, 3), durability: .written)
    _ = try store.appendAndWait(batch(4), durability: .written)
    for _ in 0..<2 {
      for durability in Durability.allCases {
        let again = try store.appendAndWait(
          AppendBatch(
            events: batch(1, 2, 3).events,
            expected: [(stream: "stream/1", revision: .exactly(.none))]),
          durability: durability)
        #expect(again.wasDuplicate)
        #expect(again.first == original.first && again.last == original.last)
        #expect(again.epoch == original.epoch)
      }
      for other in [batch(1, 2, 9), batch(2, 1, 3), batch(1, 3), batch(8, 8)] {
        #expect(code { _ = try store.appendAndWait(other, durability: .written) } == .idReused)
      }
      #expect(store.reader.last == Position(4))
      try store.close()
      store = try EventStore.small(disk, directory)
    }
    try store.close()
  }

  @Test func draftsOutsideTheBoundsAreRefusedAndNothingIsWritten() throws {
    let (disk, directory) = try DiskKind.simulated.make()
    let store = try EventStore.small(disk, directory)
    defer { _ = try? store.close() }
    var drafts: [[EventDraft]] = [[], (0..<4_097).map { draft($0) }]
    let changes: [(inout EventDraft) -> Void] = [
      { $0.stream = "" }, { $0.stream = String(repeating: "é", count: 128) }, { $0.kind = "" },
      { $0.kind = "a b" }, { $0.kind = String(repeating: "k", count: 128) },
      { $0.lookupKeys = [[UInt8]](repeating: [1], count: 9) }, { $0.lookupKeys = [[]] },
      { $0.lookupKeys = [[UInt8](repeating: 1, count: 256)] },
      { $0.payload = [UInt8](repeating: 1, count: (1 << 20) + 1) },
      { $0.sealed = [UInt8](repeating: 1, count: (1 << 20) + 1) },
    ]
    for change in changes {
      var broken = draft(1)
      change(&broken)
      drafts.append([draft(2), broken])
    }
    drafts.append((0..<9).map { draft($0, size: 1 << 20) })
    for events in drafts {
      #expect(
        code { _ = try store.appendAndWait(AppendBatch(events: events), durability: .written) }
          == .invalidDraft)
    }
    #expect(store.reader.last == .origin)
    var widest = draft(7, stream: String(repeating: "s", count: 255), size: 1 << 20, sealed: true)
    widest.sealed = [UInt8](repeating: 9, count: 1 << 20)
    widest.lookupKeys = (0..<8).map { [UInt8](repeating: $0, count: 255) }
    widest.kind = String(repeating: "k", count: 127)
    _ = try store.appendAndWait(AppendBatch(events: [widest]), durability: .durable)
    #expect(isSame(try #require(try store.reader.event(at: Position(1))), widest))
  }

  @Test(arguments: DiskKind.allCases)
  func eventsOfGreatBlocksAreReadAloneAndInShortRangesAsAScanReadsThem(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    var random = SeededRandom(seed: 11)
    var number: UInt64 = 1
    for count in [300, 1, 16, 17, 33, 250] as [UInt64] {
      _ = try store.appendAndWait(
        AppendBatch(events: (number..<number + count).map { draft($0, size: Int($0 % 90)) }),
        durability: .written)
      number += count
    }
    for reader in [store.reader, try LogReader(disk: disk, directory: directory)] {
      let events = try everything(reader).events
      for _ in 0..<300 {
        let first = random.int(1...events.count)
        let last = min(events.count + 5, first + random.int(0...40))
        #expect(try reader.event(at: Position(UInt64(first))) == events[first - 1])
        var found: [StoredEvent] = []
        try reader.events(from: Position(UInt64(first)), through: Position(UInt64(last))) {
          found.append($0)
        }
        #expect(found == Array(events[(first - 1)..<min(last, events.count)]))
      }
      var count = 0
      try reader.events(from: .origin, through: Position(.max)) { _ in count += 1 }
      #expect(count == events.count)
      try reader.events(from: Position(9), through: Position(8)) { _ in count += 1 }
      #expect(count == events.count)
    }
    try store.close()
  }

  @Test func recordsBeforeABreakAreReadAloneAndNoneBehindIt() throws {
    let records = RawBuffer(capacity: 64 << 10)
    var ends: [Int] = []
    for number in UInt64(1)...100 {
      _ = try Record.append(draft(number, size: 20), revision: number, to: records)
      ends.append(records.count)
    }
    for broken in [0, 15, 16, 17, 40, 99] {
      var body = Array(records.bytes)
      // Flags that no record has.
      let begin = broken == 0 ? 0 : ends[broken - 1]
      body[begin + (body[begin] < 0x80 ? 1 : 2)] = 0xFF
      let header = BlockHeader(
        epoch: 1, first: 1, count: 100, rawBytes: UInt32(body.count),
        storedBytes: UInt32(body.count), bodyChecksum: 0, minTime: 0, maxTime: 0,
        chainBefore: .zero, durableUpTo: 0, isCompressed: false)
      let block = DecodedBlock(header: header, body: body)
      for position in (UInt64(1)...100).reversed() {
        let event = block.event(at: position)
        #expect((event != nil) == (position <= broken), "record \(broken) broken, \(position) read")
        if let event { #expect(event.id == draft(position).id) }
      }
    }
  }

  @Test(arguments: DiskKind.allCases)
  func everyWayOfFindingAnEventAgreesWithAScan(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    var number: UInt64 = 1
    var random = SeededRandom(seed: 5)
    while store.reader.segments.count < 3 {
      let count = UInt64(random.int(1...40))
      _ = try store.appendAndWait(
        AppendBatch(events: (number..<(number + count)).map { draft($0, size: 200) }),
        durability: .written)
      number += count
    }
    let readers = [store.reader, try LogReader(disk: disk, directory: directory)]
    for reader in readers {
      let (events, gaps) = try everything(reader)
      #expect(gaps.isEmpty && events.count == Int(number - 1))
      #expect(reader.epoch == store.epoch && reader.storeID == store.storeID)
      for event in events where random.oneIn(15) {
        #expect(try reader.event(at: event.position) == event)
        #expect(try reader.position(of: event.id) == event.position)
        #expect(try reader.firstPosition(atOrAfter: event.time) == event.position)
        #expect(try reader.firstPosition(atOrAfter: event.time - 999) == event.position)
        for key in event.lookupKeys {
          #expect(try reader.positions(forKey: key) == [event.position])
        }
        #expect(
          try reader.events(ofStream: event.stream, from: event.revision)
            == events.filter { $0.stream == event.stream && $0.revision >= event.revision })
      }
      #expect(try reader.event(at: Position(number)) == nil)
      #expect(try reader.position(of: EventID(7)) == nil)
      #expect(try reader.positions(forKey: [1]) == [])
      #expect(try reader.firstPosition(atOrAfter: .max) == reader.last.next)
      let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
      #expect(verdict.isIntact && verdict.events == number - 1)
      #expect(try reader.chainValue(at: reader.last) == verdict.chain)
      let part = try reader.verify(from: Position(20), through: Position(60), progress: nil)
      #expect(part.isIntact && part.events == 41)
      #expect(try reader.chainValue(at: Position(60)) == part.chain)
      #expect(reader.segments.map(\.ordinal) == [0, 1, 2])
      var window: [Position] = []
      try reader.scan(from: Position(5), through: Position(9)) { entry in
        if case .event(let event) = entry { window.append(event.position) }
        return window.count == 3 ? .stop : .continue
      }
      #expect(window == [Position(5), Position(6), Position(7)])
      for _ in 0..<40 {
        let (from, limit) = (UInt64(random.int(0...90)), random.int(1...60))
        let through = random.oneIn(4) ? nil : UInt64(random.int(0...90))
        let lent = try entries(reader, from: from, through: through, limit: limit, lent: true)
        let kept = events.filter {
          $0.position.rawValue >= from && $0.position.rawValue <= through ?? .max
        }.prefix(limit)
        #expect(lent == kept.map { .event($0) }, "seed \(random.seed)")
      }
    }
    try store.close()
  }

  @Test func theChainIsTheOneOfTheDocument() throws {
    let store = try SteppedStore(SimulatedDisk(seed: 1))
    try store.append(batch(1), batch(5))
    var chain = Digest.zero
    let out = RawBuffer(capacity: 64)
    for (number, revision) in [(UInt64(1), UInt64(1)), (5, 1)] {
      let leaf = try Record.append(draft(number), revision: revision, to: out)
      var view = RecordView()
      var at = 0
      #expect(view.parse(out.bytes, at: &at) && at == out.count)
      #expect(view.leaf(out.bytes) == leaf)
      chain = chain.chained(leaf)
      out.count = 0
    }
    #expect(try store.reader.chainValue(at: Position(2)) == chain)
  }

  @Test(arguments: DiskKind.allCases)
  func aReaderBesideTheWriterFollowsAcrossSegments(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    let store = try EventStore.small(disk, directory)
    _ = try store.appendAndWait(batch(1), durability: .written)
    let reader = try LogReader(disk: disk, directory: directory)
    let isDone = Signal()
    let counted = Mutex<[UInt64]>([])
    let thread = try StoreThread(name: "follower") {
      var seen = Position.origin
      while seen < Position(400),
        let last = try? reader.waitForEvents(
          after: seen, timeoutMilliseconds: 10_000), last > seen
      {
        try? reader.scan(from: seen.next, through: last) { entry in
          if case .event(let event) = entry {
            counted.withLock { $0.append(event.position.rawValue) }
          }
          return .continue
        }
        seen = last
      }
      isDone.post()
    }
    for number in UInt64(2)...400 {
      _ = try store.appendAndWait(
        AppendBatch(events: [draft(number, size: 700)]), durability: .written)
    }
    #expect(
      try store.reader.waitForEvents(after: Position(399), timeoutMilliseconds: 0) == Position(400))
    isDone.wait()
    thread.join()
    #expect(counted.withLock { $0 } == Array(1...400))
    #expect(reader.segments.count > 2)
    try store.close()
  }

  /// What a read finds is not of one moment: the kernel copies page by page while the writer writes.
  @Test(arguments: [0, 4_096, 32_768])
  func aReadThatMeetsTheWriterIsNoDamage(aheadBytes: Int) throws {
    let disk = TornReads(try DiskKind.posix.make().disk)
    let directory = try temporaryDirectory() + "/log"
    let store = try EventStore.small(disk, directory, aheadBytes: aheadBytes)
    _ = try store.appendAndWait(batch(1), durability: .written)
    let reader = try LogReader(disk: disk, directory: directory)
    for round in UInt64(1)...20 {
      let wanted = (round * 8 - 6)...(round * 8 + 1)
      disk.tear(at: Int(round % 5) * 512 + 64) {
        for number in wanted {
          _ = try? store.appendAndWait(
            AppendBatch(events: [draft(number, size: 300)]), durability: .written)
        }
      }
      try reader.refresh()
      disk.happenNow()
      #expect(store.reader.last == Position(wanted.upperBound))
      #expect(try reader.refresh() == Position(wanted.upperBound))
      #expect(try reader.damage() == [])
    }
    try store.close()
    #expect(try everything(reader).events.count == 161)
  }

  /// What a read waits for is called as directly the thousandth time as the first: nothing piles up on the way.
  @Test func readsDoNotPileUp() throws {
    let store = try SteppedStore(SimulatedDisk(seed: 1))
    let depths = Mutex<[UInt]>([])
    store.reader.setBarrier {
      var here: UInt8 = 0
      withUnsafePointer(to: &here) { pointer in
        let depth = UInt(bitPattern: pointer)
        depths.withLock { $0.append(depth) }
      }
    }
    for _ in 0..<1_000 { _ = store.reader.last }
    let all = depths.withLock { $0 }
    #expect(all.count == 1_000)
    #expect(Set(all).count == 1, "the stack is deeper by \((all.first ?? 0) &- (all.last ?? 0))")
  }

  @Test func suspendedCallersAreAllAnswered() async throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory)
    let positions = try await withThrowingTaskGroup(of: Position.self) { tasks in
      for number in UInt64(1)...200 {
        tasks.addTask {
          try await store.append(
            batch(number), durability: Durability.allCases[Int(number % 3)]
          ).first
        }
      }
      var positions: Set<Position> = []
      for try await position in tasks { positions.insert(position) }
      return positions
    }
    #expect(positions.count == 200 && positions.max() == Position(200))
    try store.close()
  }

  @Test func beyondTheQueuesBoundTheAnswerIsOverloadedAndTheRestIsThere() throws {
    let (disk, directory) = try DiskKind.posix.make()
    let store = try EventStore.small(disk, directory, queueEvents: 8)
    let tally = Tally()
    for number in UInt64(1)...2_000 {
      store.submit(batch(number), durability: .durable, sink: tally, token: number)
    }
    tally.wait(for: 2_000)
    let answers = tally.answers
    #expect(Set(answers.map(\.token)).count == 2_000)
    var stored: UInt64 = 0
    for answer in answers {
      switch answer.result {
      case .success: stored += 1
      case .failure(let error): #expect(error.code == .overloaded)
      }
    }
    #expect(stored > 0 && store.reader.last == Position(stored))
    try store.close()
  }
}

/// Collects answers.
final class Tally: AppendSink {
  private let collected = Mutex<[AppendCompletion]>([])
  private let signal = Signal()

  func completed(_ completions: [AppendCompletion]) {
    collected.withLock { $0 += completions }
    for _ in completions { signal.post() }
  }

  func wait(for count: Int) { for _ in 0..<count { signal.wait() } }
  var answers: [AppendCompletion] { collected.withLock { $0 } }
}

/// Reads in two steps, between which something happens once.
private final class TornReads: ForwardingDisk {
  let inner: any Disk
  private let planned = Mutex<(bytes: Int, happens: @Sendable () -> Void)?>(nil)

  init(_ inner: any Disk) { self.inner = inner }

  /// The next read of a segment that is longer than `bytes` has the rest of its bytes from after `happens`.
  func tear(at bytes: Int, happens: @escaping @Sendable () -> Void) {
    planned.withLock { $0 = (bytes, happens) }
  }

  /// If no read was that long.
  func happenNow() {
    let plan = planned.withLock { plan in
      defer { plan = nil }
      return plan
    }
    plan?.happens()
  }

  func planned(for count: Int) -> (bytes: Int, happens: @Sendable () -> Void)? {
    planned.withLock { plan in
      guard let found = plan, found.bytes < count else { return nil }
      plan = nil
      return found
    }
  }

  func open(_ path: String, _ mode: OpenMode) throws(StoreError) -> any DiskFile {
    let file = try inner.open(path, mode)
    return mode == .read && path.hasSuffix(".esl") ? TornFile(file, self) : file
  }
}

private final class TornFile: ForwardingFile {
  let inner: any DiskFile
  private let disk: TornReads

  init(_ inner: any DiskFile, _ disk: TornReads) {
    self.inner = inner
    self.disk = disk
  }

  func read(into: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(StoreError) -> Int {
    guard let plan = disk.planned(for: into.count) else {
      return try inner.read(into: into, at: offset)
    }
    let first = UnsafeMutableRawBufferPointer(rebasing: into[..<plan.bytes])
    let count = try inner.read(into: first, at: offset)
    plan.happens()
    guard count == plan.bytes else { return count }
    let rest = UnsafeMutableRawBufferPointer(rebasing: into[plan.bytes...])
    return try count + inner.read(into: rest, at: offset + UInt64(count))
  }
}

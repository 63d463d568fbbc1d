import Support
import Synchronization
import Testing

@testable import EventStore

/// What a log answers, whatever its segments look like: compared before and after each step of sealing.
struct Answers: Equatable {
  var events: [StoredEvent]
  var byID: [UInt64?]
  var byKey: [[Position]]
  var streams: [String: [StoredEvent]]
  var revisions: [String: Revision]
  var atTime: [Position]
  var chain: [Digest]

  init(_ reader: LogReader, of numbers: [UInt64]) throws {
    events = try everything(reader).events
    byID = []
    byKey = []
    streams = [:]
    atTime = []
    chain = []
    for number in numbers + [1 << 40, 1 << 41] {
      let draft = draft(number)
      byID.append(try reader.position(of: draft.id)?.rawValue)
      for key in draft.lookupKeys { byKey.append(try reader.positions(forKey: key)) }
      atTime.append(try reader.firstPosition(atOrAfter: draft.time))
    }
    for key in [Array("shared".utf8), [7, 7, 7]] {
      byKey.append(try reader.positions(forKey: key))
    }
    for name in Set(events.map(\.stream)) {
      let whole = try reader.events(ofStream: name, from: Revision(1))
      streams[name] = whole
      let middle = Revision(UInt64(whole.count / 2 + 1))
      streams[name + " from the middle"] = try reader.events(ofStream: name, from: middle)
    }
    revisions = Dictionary(
      uniqueKeysWithValues: reader.streams(withPrefix: "").map { ($0.stream, $0.revision) })
    for event in events {
      // Each costs the hashes of the events before it in its block.
      if event.position.rawValue.isMultiple(of: 8) || event == events.last {
        chain.append(try reader.chainValue(at: event.position))
      }
      let single = try reader.event(at: event.position)
      if single != event { Issue.record("event \(event.position) differs when read alone") }
    }
  }
}

struct SealingTests {
  /// A closed store with several segments of random events, and the numbers of the events.
  static func store(seed: UInt64, segmentEvents: Int = 25) throws -> (SimulatedDisk, [UInt64]) {
    let disk = SimulatedDisk(seed: seed)
    var random = SeededRandom(seed: seed)
    var numbers: [UInt64] = []
    var number: UInt64 = 0
    // Several openings, so that segments hold several epochs.
    for _ in 0..<3 {
      let store = try SteppedStore(
        disk, segmentBytes: 1 << 20, segmentEvents: segmentEvents)
      for _ in 0..<random.int(12...20) {
        var drafts: [EventDraft] = []
        for _ in 0..<random.int(1...6) {
          number += UInt64(random.int(1...3))
          var draft = draft(
            number, stream: random.oneIn(3) ? "s\(random.int(0...20))" : nil,
            size: random.oneIn(20) ? 40_000 : random.int(0...200))
          // Carried by most events, and so by every block.
          if !random.oneIn(4) { draft.lookupKeys.append(Array("shared".utf8)) }
          drafts.append(draft)
          numbers.append(number)
        }
        try store.append(AppendBatch(events: drafts))
        if random.oneIn(5) {
          try store.sync()
          try store.witnessBlock()
        }
      }
      try store.close()
    }
    return (disk, numbers)
  }

  static func seal(_ disk: SimulatedDisk, steps: Int = .max) throws {
    let store = try SteppedStore(disk)
    var step = 0
    while step < steps, store.sealer.step() { step += 1 }
    try store.close()
  }

  static func names(_ disk: SimulatedDisk, _ suffix: String) -> [String] {
    disk.paths.filter { $0.hasSuffix(suffix) }
  }

  private static func check(
    _ disk: SimulatedDisk, _ numbers: [UInt64], _ expected: Answers, _ what: String
  ) throws {
    let reader = try LogReader(disk: disk, directory: "/log")
    #expect(try Answers(reader, of: numbers) == expected, "\(what)")
    let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
    #expect(verdict.isIntact, "\(what): \(verdict.gaps.map(\.rule))")
    #expect(verdict.events == UInt64(expected.events.count))
    #expect(verdict.chain == expected.chain.last)
  }

  @Test func theHashIsSipHash() {
    // The vector of its authors: key 00…0f, message 00…0e.
    let hash = SipHash(key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
    let message = Array(UInt8(0)..<15)
    #expect(message.withUnsafeBytes { hash($0) } == 0xA129_CA61_49BE_45E5)
  }

  @Test(arguments: [1, 2, 3, 4] as [UInt64])
  func everyAnswerStaysTheSame(seed: UInt64) throws {
    let (disk, numbers) = try Self.store(seed: seed)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    #expect(before.events.count == numbers.count)
    let segments = Self.names(disk, ".esl").count
    #expect(segments > 3)
    // One step a segment writes its index, another one seals it.
    for step in 1...(2 * (segments - 1)) {
      try Self.seal(disk, steps: 1)
      try Self.check(disk, numbers, before, "seed \(seed), step \(step)")
      if step == segments - 1 { #expect(Self.names(disk, ".idx").count == segments - 1) }
    }
    #expect(Self.names(disk, ".sealed").count == segments - 1)
    #expect(Self.names(disk, ".esl").count == 1)
    #expect(Self.names(disk, ".idx").isEmpty)
    // The writer answers from the footers too.
    let store = try SteppedStore(disk)
    #expect(try Answers(store.reader, of: numbers) == before)
    let again = try store.append(AppendBatch(events: [draft(numbers[0])]))
    #expect(again[0].wasDuplicate)
    store.abandon()
  }

  @Test func aRunningStoreSwitchesWhileItsReadersRead() throws {
    let (disk, numbers) = try Self.store(seed: 21)
    let store = try SteppedStore(disk)
    let outside = try LogReader(disk: disk, directory: "/log")
    let before = try Answers(store.reader, of: numbers)
    var steps = 0
    while store.sealer.step() {
      steps += 1
      #expect(try Answers(store.reader, of: numbers) == before, "step \(steps)")
      #expect(try Answers(outside, of: numbers) == before, "outside, step \(steps)")
    }
    #expect(steps > 4)
    #expect(store.reader.segments.dropLast().allSatisfy { $0.isSealed })
    // In the middle of a scan.
    let another = try LogReader(disk: disk, directory: "/log")
    var positions: [UInt64] = []
    try another.scan(from: .origin, through: nil) { entry in
      if case .event(let event) = entry { positions.append(event.position.rawValue) }
      return .continue
    }
    #expect(positions == Array(1...UInt64(numbers.count)))
    try store.close()
  }

  @Test func aScanGoesOnWhenItsSegmentIsSealedUnderIt() throws {
    let (disk, numbers) = try Self.store(seed: 22)
    let store = try SteppedStore(disk)
    for reader in [try LogReader(disk: disk, directory: "/log"), store.reader] {
      var positions: [UInt64] = []
      try reader.scan(from: .origin, through: nil) { entry in
        guard case .event(let event) = entry else {
          Issue.record("a gap")
          return .stop
        }
        positions.append(event.position.rawValue)
        if event.position.rawValue.isMultiple(of: 7) { _ = store.sealer.step() }
        return .continue
      }
      #expect(positions == Array(1...UInt64(numbers.count)))
    }
    try store.close()
  }

  @Test func anIndexBuiltAgainHasTheSameBytes() throws {
    let (disk, _) = try Self.store(seed: 31)
    let other = disk.copy(seed: 1)
    let segments = Self.names(disk, ".esl").count - 1
    try Self.seal(disk, steps: segments)
    let sidecars = Self.names(disk, ".idx")
    let first = sidecars.map { disk.contents($0) }
    for name in sidecars { disk.set(name, nil) }
    try Self.seal(disk, steps: segments)
    #expect(sidecars.map { disk.contents($0) } == first)
    try Self.seal(disk)
    try Self.seal(other)
    let names = Self.names(disk, ".sealed")
    #expect(names == Self.names(other, ".sealed"))
    #expect(names.allSatisfy { disk.contents($0) == other.contents($0) })
  }

  /// Flips in each part of every sidecar and footer, and missing ends.
  @Test(arguments: [SegmentName.Kind.index, .sealed])
  func aDamagedIndexCostsNoEventAndNoAnswer(kind: SegmentName.Kind) throws {
    let (disk, numbers) = try Self.store(seed: 41, segmentEvents: 60)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    let raw = Self.names(disk, ".esl").count - 1
    try Self.seal(disk, steps: kind == .index ? raw : .max)
    let family = kind == .index ? "index" : "footer"
    let name = try #require(Self.names(disk, kind.rawValue).dropFirst().first)
    let whole = try #require(disk.contents(name))
    let trailer = try whole.withUnsafeBufferPointer { (bytes) throws(RuleBroken) in
      try SegmentIndex(
        trailer: UnsafeRawBufferPointer(
          rebasing: UnsafeRawBufferPointer(bytes).suffix(SegmentIndex.trailerBytes)))
    }
    let base = whole.count - Int(trailer.encodedBytes)
    var damages: [(String, [UInt8])] = [
      ("short", Array(whole.dropLast(1))), ("long", whole + [0]),
      ("none", Array(whole.prefix(base))),
    ]
    func flip(_ what: String, _ at: Int) {
      var bytes = whole
      bytes[at] ^= 0x10
      damages.append((what, bytes))
    }
    flip("magic", base + 3)
    for section in SegmentIndex.Section.allCases {
      let extent = trailer.extent(of: section)
      guard extent.bytes > 0 else { continue }
      let start = base + Int(trailer.offset(of: section))
      for at in [0, Int(extent.bytes) / 2, Int(extent.bytes) - 1] { flip("\(section)", start + at) }
    }
    for at in stride(from: whole.count - SegmentIndex.trailerBytes, to: whole.count, by: 29) {
      flip("trailer", at)
    }
    for (what, bytes) in damages {
      let damaged = disk.copy(seed: 1)
      damaged.set(name, bytes)
      let reader = try LogReader(disk: damaged, directory: "/log")
      let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
      #expect(!verdict.isIntact, "\(what)")
      #expect(
        verdict.gaps.allSatisfy { gap in
          gap.rule.hasPrefix(family + ".") && gap.path == name
            && gap.last.map { $0 < gap.first } == true
        }, "\(what): \(verdict.gaps)")
      #expect(verdict.events == UInt64(numbers.count))
      #expect(try Answers(reader, of: numbers) == before, "\(what)")
      // A writer opens, answers and repairs.
      let store = try SteppedStore(damaged)
      #expect(try Answers(store.reader, of: numbers) == before, "\(what)")
      _ = try store.reader.verify(from: .origin, through: nil, progress: nil)
      while store.sealer.step() {}
      try store.close()
      let repaired = try LogReader(disk: damaged, directory: "/log")
      #expect(
        try repaired.verify(from: .origin, through: nil, progress: nil).isIntact, "\(what)")
    }
  }

  @Test func aDamagedBlockOfASealedSegmentIsNamed() throws {
    let (disk, numbers) = try Self.store(seed: 51)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    try Self.seal(disk)
    let name = try #require(Self.names(disk, ".sealed").dropFirst().first)
    let whole = try #require(disk.contents(name))
    let header = try whole.withUnsafeBytes { try SegmentHeader($0) }
    for at in stride(from: header.encodedBytes, to: header.encodedBytes + 2_000, by: 61) {
      let damaged = disk.copy(seed: 1)
      var bytes = whole
      bytes[at] ^= 1
      damaged.set(name, bytes)
      try DamageTests.check(damaged, before.events, "sealed, byte \(at)")
    }
  }

  /// Each byte of a sealed segment, its header, blocks and index, and of a sidecar.
  @Test(arguments: [SegmentName.Kind.sealed, .index])
  func noByteMayChangeUnnoticed(kind: SegmentName.Kind) throws {
    let disk = SimulatedDisk(seed: 91)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 5)
    for number in UInt64(1)...12 { try store.append(batch(number)) }
    let segments = store.reader.segments.count - 1
    for _ in 0..<(kind == .index ? segments : 2 * segments) { _ = store.sealer.step() }
    try store.close()
    let events = try everything(LogReader(disk: disk, directory: "/log")).events
    let name = try #require(Self.names(disk, kind.rawValue).dropFirst().first)
    let whole = try #require(disk.contents(name))
    var outcomes: [DamageOutcome: Int] = [:]
    for at in whole.indices {
      var bytes = whole
      bytes[at] ^= 1 << UInt8(at % 8)
      let damaged = disk.copy(seed: 1)
      damaged.set(name, bytes)
      outcomes[try checkDamaged(damaged, events, "byte \(at)"), default: 0] += 1
    }
    // None is without meaning: events that cannot be read, or an index that is made again.
    #expect(Set(outcomes.keys) == (kind == .index ? [.indexOnly] : [.named, .indexOnly]))
  }

  /// A sector takes the end of a block and the beginning of the index with it: the index is found broken in
  /// the middle of reading, and what its blocks lack must be told to that same reading.
  @Test func noSectorMayBeLostUnnoticed() throws {
    let (disk, _) = try Self.store(seed: 92, segmentEvents: 60)
    let events = try everything(LogReader(disk: disk, directory: "/log")).events
    try Self.seal(disk)
    let name = try #require(Self.names(disk, ".sealed").dropFirst().first)
    let whole = try #require(disk.contents(name))
    let trailer = try whole.withUnsafeBytes { (bytes) throws(RuleBroken) in
      try SegmentIndex(
        trailer: UnsafeRawBufferPointer(rebasing: bytes.suffix(SegmentIndex.trailerBytes)))
    }
    let base = whole.count - Int(trailer.encodedBytes)
    // The list of blocks alone is read when it is needed; what follows it is read at opening.
    for end in [base + 9, base + 11, base + 300] {
      let damaged = disk.copy(seed: 1)
      var bytes = whole
      for byte in (base - 40)..<end { bytes[byte] ^= 0x55 }
      damaged.set(name, bytes)
      #expect(try checkDamaged(damaged, events, "through \(end)") == .named)
    }
  }

  @Test(.timeLimit(.minutes(5)))
  func aSegmentThatIsGoneUnderItsReadersIsAGap() throws {
    let (disk, numbers) = try Self.store(seed: 93)
    try Self.seal(disk)
    let name = try #require(Self.names(disk, ".sealed").dropFirst().first)
    let first = try #require(SegmentName.parse(fileName(name))?.first)
    let store = try SteppedStore(disk)
    let outside = try LogReader(disk: disk, directory: "/log")
    let size = try #require(disk.contents(name)).count
    disk.set(name, [UInt8](repeating: 0, count: size))
    for reader in [store.reader, outside] {
      for number in numbers { _ = try reader.position(of: draft(number).id) }
      #expect(try reader.event(at: Position(first)) == nil)
      let gaps = try everything(reader).gaps
      #expect(gaps.map(\.first.rawValue) == [first])
      #expect(gaps.first?.path == name)
    }
    store.abandon()
  }

  /// Blocks of a sealed segment begin at other positions than those of its original.
  @Test func whoOpenedBeforeSealingFindsAllEventsAfterIt() throws {
    let disk = SimulatedDisk(seed: 94)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 80)
    for group in UInt64(0)..<13 {
      try store.append(
        AppendBatch(
          events: (UInt64(0)..<13).map { number in
            var draft = draft(100 * group + number + 1, size: 3_100)
            draft.lookupKeys = [[UInt8((13 * group + number) % 251)]]
            return draft
          }))
    }
    let events = try everything(store.reader).events
    let chain = try events.map { try store.reader.chainValue(at: $0.position) }
    for steps in [0, 1] {
      let readers = try events.map { _ in try LogReader(disk: disk, directory: "/log") }
      for _ in 0..<steps { while store.sealer.step() {} }
      for (number, (event, reader)) in zip(events, readers).enumerated() {
        switch number % 4 {
        case 0: #expect(try reader.event(at: event.position) == event)
        case 1: #expect(try reader.chainValue(at: event.position) == chain[number])
        case 2: #expect(try reader.position(of: event.id) == event.position)
        default:
          #expect(try reader.positions(forKey: [UInt8(number % 251)]).contains(event.position))
        }
      }
    }
    #expect(!Self.names(disk, ".sealed").isEmpty)
    try store.close()
  }

  /// Between looking up the blocks of a stream and reading them.
  @Test func aStreamIsWholeWhenItsSegmentIsSealedUnderItsReader() throws {
    let disk = SimulatedDisk(seed: 97)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 80)
    for group in UInt64(0)..<13 {
      try store.append(
        AppendBatch(
          events: (UInt64(1)...13).map { draft(100 * group + $0, stream: "s", size: 3_100) }))
    }
    let events = try everything(store.reader).events
    // The writer's own first: it knows of the sealing at once.
    let readers = [store.reader, try LogReader(disk: disk, directory: "/log")]
    for behind in [0, 20, 45] as [UInt64] {
      for reader in readers {
        var found: [StoredEvent] = []
        try reader.forwards(ofStream: "s", behind: Position(behind)) { event in
          found.append(event)
          if found.count == 3 { while store.sealer.step() {} }
          return true
        }
        #expect(found == Array(events[Int(behind)...]))
        #expect(try reader.events(ofStream: "s", from: Revision(behind + 1)) == found)
      }
    }
    try store.close()
  }

  @Test func anOriginalThatSomebodyRestoredIsTaken() throws {
    let (disk, numbers) = try Self.store(seed: 95)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    let raw = Self.names(disk, ".esl")[1]
    let original = try #require(disk.contents(raw))
    try Self.seal(disk)
    let name = Self.names(disk, ".sealed")[1]
    var bytes = try #require(disk.contents(name))
    let header = try bytes.withUnsafeBytes { try SegmentHeader($0) }
    bytes[header.encodedBytes + BlockHeader.bytes + 3] ^= 1
    disk.set(name, bytes)
    // One that is not whole itself replaces nothing.
    let other = disk.copy(seed: 1)
    other.set(raw, Array(original.dropLast(200)))
    let left = try everything(LogReader(disk: other, directory: "/log"))
    #expect(left.gaps.map(\.path) == [name])
    disk.set(raw, original)
    let reader = try LogReader(disk: disk, directory: "/log")
    #expect(try Answers(reader, of: numbers) == before)
    let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
    #expect(verdict.gaps.map(\.path) == [name])
    try Self.seal(disk)
    #expect(disk.contents(raw) == nil)
    try Self.check(disk, numbers, before, "sealed again")
  }

  @Test func aDirectoryThatChangesWhileItIsListedMakesNoGap() throws {
    let (disk, numbers) = try Self.store(seed: 96)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    try Self.seal(disk, steps: 3)
    // Not the last one, which nothing is renamed to or removed from.
    let firsts = Set(disk.paths.compactMap { SegmentName.parse(fileName($0))?.first }).sorted()
      .dropLast()
    for hidden in firsts {
      for more in [0, 1] {
        let reader = try LogReader(
          disk: ForgetfulDisk(disk, hiding: firsts.filter { $0 >= hidden }.prefix(1 + more)),
          directory: "/log")
        #expect(try Answers(reader, of: numbers) == before, "without \(hidden)")
        #expect(try reader.damage().isEmpty)
      }
    }
  }

  @Test func aCrashAnywhereInSealingLosesNothing() throws {
    let (original, numbers) = try Self.store(seed: 61, segmentEvents: 30)
    let before = try Answers(LogReader(disk: original, directory: "/log"), of: numbers)
    for fault in [SimulatedDisk.Fault.kill, .powerCut] {
      var call = fault == .kill ? 0 : 1
      while true {
        let disk = original.copy(seed: UInt64(call))
        let store = try SteppedStore(disk)
        disk.inject(fault, after: call)
        while !disk.isDown, store.sealer.step() {}
        let isOver = !disk.isDown
        store.abandon()
        disk.restart()
        let outside = try LogReader(disk: disk, directory: "/log")
        #expect(try Answers(outside, of: numbers) == before, "\(fault) at \(call)")
        let again = try SteppedStore(disk)
        #expect(try Answers(again.reader, of: numbers) == before, "\(fault) at \(call)")
        while again.sealer.step() {}
        #expect(again.reader.segments.dropLast().allSatisfy { $0.isSealed })
        try again.close()
        try Self.check(disk, numbers, before, "\(fault) at \(call)")
        #expect(Self.names(disk, ".tmp").isEmpty)
        #expect(Self.names(disk, ".esl").count == 1)
        if isOver { break }
        call += 2
      }
      #expect(call > 20)
    }
  }

  @Test(arguments: [SimulatedDisk.Fault.noSpace, .noSpaceAfter(100), .ioError])
  func aFailureLeavesTheSegmentAndIsTriedAgain(fault: SimulatedDisk.Fault) throws {
    let (original, numbers) = try Self.store(seed: 71, segmentEvents: 90)
    let before = try Answers(LogReader(disk: original, directory: "/log"), of: numbers)
    for call in 0..<20 {
      let disk = original.copy(seed: UInt64(call))
      let store = try SteppedStore(disk)
      disk.inject(fault, after: call)
      while store.sealer.step() {}
      #expect(try Answers(store.reader, of: numbers) == before, "call \(call)")
      // The writer never notices.
      disk.clearFaults()
      try store.append(AppendBatch(events: [draft(1 << 30)]))
      store.sealer.retry()
      while store.sealer.step() {}
      #expect(store.reader.segments.dropLast().allSatisfy { $0.isSealed }, "call \(call)")
      try store.close()
    }
  }

  @Test func sealingTakesNoSpaceThatEventsNeed() throws {
    let (disk, _) = try Self.store(seed: 5)
    let before = Set(disk.paths)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 25)
    let index = try Recovery(disk: disk.copy(seed: 6), directory: "/log").run().index
    // Refused from the beginning, and in the middle of each piece of work.
    for looks in 0..<6 {
      let left = Atomic(looks)
      let sealer = Sealer(
        disk: disk, directory: "/log", index: index, status: SealerStatus(),
        mayTakeSpace: { left.subtract(1, ordering: .relaxed).oldValue > 0 })
      while sealer.step() {}
      #expect(sealer.sealing.lastFailure?.code == .full, "\(looks)")
      #expect(!disk.paths.contains { $0.hasSuffix(".tmp") }, "\(looks)")
      #expect(before.allSatisfy { !$0.hasSuffix(".esl") || disk.paths.contains($0) }, "\(looks)")
    }
    while store.sealer.step() {}
    #expect(store.sealer.sealing.lastFailure == nil)
    #expect(Self.names(disk, "sealed").count > 1)
  }

  @Test func troubleIsToldOnceAndItsEndToo() throws {
    let (disk, _) = try Self.store(seed: 7)
    let index = try Recovery(disk: disk, directory: "/log").run().index
    let told = Mutex<[SealingState]>([])
    let hasSpace = Atomic(false)
    let sealer = Sealer(
      disk: disk, directory: "/log", index: index,
      status: SealerStatus(changed: { state in told.withLock { $0.append(state) } }),
      mayTakeSpace: { hasSpace.load(ordering: .relaxed) })
    let segments = index.unsealed.count
    for _ in 0..<3 {
      while sealer.step() {}
      sealer.retry()
    }
    hasSpace.store(true, ordering: .relaxed)
    while sealer.step() {}
    let all = told.withLock { $0 }
    #expect(all.map(\.lastFailure?.code) == [.full, nil])
    #expect(all.first?.pending == segments)
    #expect(sealer.sealing == SealingState(pending: 0, lastFailure: nil))
  }

  @Test func aDamagedSegmentIsNotSealed() throws {
    let (disk, _) = try Self.store(seed: 81)
    let store = try SteppedStore(disk)
    let name = Self.names(disk, ".esl")[1]
    var bytes = try #require(disk.contents(name))
    bytes[bytes.count / 2] ^= 1
    disk.set(name, bytes)
    while store.sealer.step() {}
    #expect(disk.contents(name) == bytes)
    #expect(store.sealer.hasFailures)
    #expect(store.reader.segments.filter { !$0.isSealed }.count == 2)
    store.abandon()
  }

  @Test func sealingLeavesTheSpaceThatAppendsNeed() throws {
    let (disk, numbers) = try Self.store(seed: 82)
    let before = try Answers(LogReader(disk: disk, directory: "/log"), of: numbers)
    let store = try SteppedStore(disk)
    disk.fill(butFor: Int(Limits.headroomBytes) - 1)
    while store.sealer.step() {}
    #expect(store.sealer.sealing.lastFailure?.code == .full)
    #expect(disk.paths.allSatisfy { !$0.hasSuffix(".idx") && !$0.hasSuffix(".sealed") })
    #expect(try Answers(store.reader, of: numbers) == before)
    disk.capacity = nil
    store.sealer.retry()
    while store.sealer.step() {}
    #expect(store.sealer.sealing == SealingState(pending: 0, lastFailure: nil))
    try store.close()
  }

  /// The opening believes the index, so a block's damage shows to who reads it; a person may accept it
  /// like any other.
  @Test(arguments: [SegmentName.Kind.sealed, .raw])
  func lossInAFinishedSegmentIsAccepted(kind: SegmentName.Kind) throws {
    let (disk, _) = try Self.store(seed: 83)
    let raw = Self.names(disk, ".esl").count - 1
    try Self.seal(disk, steps: kind == .raw ? raw : .max)
    let events = try everything(LogReader(disk: disk, directory: "/log")).events
    let name = try #require(Self.names(disk, kind.rawValue).dropFirst().first)
    var bytes = try #require(disk.contents(name))
    let header = try bytes.withUnsafeBytes { try SegmentHeader($0) }
    bytes[header.encodedBytes + BlockHeader.bytes + 3] ^= 1
    disk.set(name, bytes)
    let gap = try #require(everything(LogReader(disk: disk, directory: "/log")).gaps.first)
    let last = try #require(gap.last)
    #expect(gap.path == name && !gap.isAccepted)
    // Without being asked to accept, the log goes on and says what it cannot read.
    let before = try SteppedStore(disk)
    #expect(try everything(before.reader).gaps == [gap])
    try before.close()
    #expect(
      code { _ = try SteppedStore(disk, accepting: acceptance(Position(1)...Position(2))) }
        == .damaged)
    let store = try SteppedStore(disk, accepting: acceptance(gap.first...last))
    #expect(store.report.acceptedLosses.map { $0.first } == [gap.first])
    try store.append(batch(1 << 30))
    while store.sealer.step() {}
    for reader in [store.reader, try LogReader(disk: disk, directory: "/log")] {
      let (left, gaps) = try everything(reader)
      #expect(gaps.map { $0.first...($0.last ?? $0.first) } == [gap.first...last])
      #expect(gaps.map { $0.isAccepted } == [true])
      let kept = events.filter { $0.position < gap.first || $0.position > last }
      #expect(Array(left.dropLast()) == kept)
      let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
      #expect(verdict.gaps.map { $0.isAccepted } == [true])
      #expect(verdict.events == UInt64(left.count))
    }
    try store.close()
  }

  private func acceptance(_ range: ClosedRange<Position>) -> LossAcceptance {
    LossAcceptance(positions: [range], places: [], actor: "test", reason: "a test")
  }

  @Test func aSegmentIsClosedByItsEvents() throws {
    let disk = SimulatedDisk(seed: 5)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 3)
    for number in UInt64(1)...7 { try store.append(batch(number)) }
    #expect(store.reader.segments.map(\.first.rawValue) == [1, 4, 7])
    try store.close()
  }

  /// A key in every event, and as many different ones: building stays near n log n, a lookup of another key
  /// reads one bucket.
  @Test func aFloodOfOneKeyLeavesTheOthersAlone() throws {
    let disk = SimulatedDisk(seed: 9)
    let store = try SteppedStore(disk, segmentBytes: 8 << 20, segmentEvents: 4_000)
    for group in UInt64(0)..<5 {
      let drafts = (UInt64(1)...1_000).map { number in
        var draft = draft(group * 1_000 + number)
        draft.lookupKeys.append(Array("flood".utf8))
        return draft
      }
      try store.append(AppendBatch(events: drafts))
    }
    while store.sealer.step() {}
    let reader = try LogReader(disk: disk, directory: "/log")
    let flood = Array("flood".utf8)
    let key = try #require(draft(3).lookupKeys.first)
    // Of the newest ones no more is read than they are in: a few blocks, while the flood is in all of them.
    disk.injectReadError(after: 12)
    let newest = try reader.events(forKeys: [flood, key, Array("none".utf8)], newest: 16)
    #expect(disk.isReadErrorPending)
    #expect(newest.map { $0.map(\.position.rawValue) } == [Array(4_985...5_000), [3], []])
    #expect(newest[0].allSatisfy { $0.lookupKeys.contains(flood) })
    #expect(throws: StoreError.self) { try reader.positions(forKey: flood) }
    #expect(try reader.positions(forKey: flood).count == 5_000)
    #expect(try reader.positions(forKey: key) == [Position(3)])
    #expect(try reader.positions(forKey: Array("none".utf8)).isEmpty)
    try store.close()
  }

  @Test(arguments: DiskKind.allCases)
  func theSealerRunsBehindAnOpenStore(kind: DiskKind) throws {
    let (disk, directory) = try kind.make()
    var options = StoreOptions(segmentBytes: 64 << 10)
    options.segmentEvents = 50
    let store = try EventStore(disk: disk, directory: directory, options: options)
    for number in UInt64(1)...400 {
      _ = try store.appendAndWait(batch(number), durability: .written)
    }
    let state = store.waitUntilSealed()
    #expect(state == SealingState(pending: 0, lastFailure: nil))
    #expect(store.reader.segments.count == 8)
    #expect(store.reader.segments.dropLast().allSatisfy { $0.isSealed })
    for number in [1, 50, 51, 399, 400] as [UInt64] {
      #expect(try store.reader.position(of: draft(number).id) == Position(number))
    }
    try store.close()
    let again = try EventStore(disk: disk, directory: directory, options: options)
    #expect(try everything(again.reader).events.count == 400)
    #expect(try again.appendAndWait(batch(7), durability: .durable).wasDuplicate)
    try again.close()
    #expect(
      try LogReader(disk: disk, directory: directory)
        .verify(from: .origin, through: nil, progress: nil).isIntact)
  }
}

/// Does not list some segments, as a directory may that is changed while it is read.
private final class ForgetfulDisk: ForwardingDisk {
  let inner: any Disk
  private let hidden: Set<UInt64>

  init(_ inner: SimulatedDisk, hiding hidden: some Sequence<UInt64>) {
    self.inner = inner
    self.hidden = Set(hidden)
  }

  func list(_ path: String) throws(StoreError) -> [String] {
    try inner.list(path).filter { name in
      SegmentName.parse(name).map { !hidden.contains($0.first) } ?? true
    }
  }
}

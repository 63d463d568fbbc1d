import Support
import Testing

@testable import EventStore

/// Damage to what was acknowledged, and going on without it because a person said so.
struct AcceptanceTests {
  /// A way to damage the store of `whole`, and what is lost by it.
  struct Damage: Sendable, CustomTestStringConvertible {
    var name: String
    /// Positions that cannot be read afterwards.
    var lost: [ClosedRange<UInt64>]
    /// Where there is damage that costs no position.
    var places: [UInt64] = []
    /// Deleting ACCEPTED makes the store refuse again: the damage can still be seen.
    var staysVisible = true
    var apply: @Sendable (SimulatedDisk) throws -> Void

    var testDescription: String { name }
  }

  /// Segments 1…4, 5…8 and 9…12 of two blocks each; closed.
  private static func whole() throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: 1)
    let store = try SteppedStore(disk, segmentBytes: 560)
    for number in stride(from: UInt64(1), through: 11, by: 2) {
      try store.append(batch(number, number + 1))
      try store.sync()
      if number == 9 { try store.witnessBlock() }
    }
    try store.close()
    let names = DamageTests.segments(disk)
    try #require(names == [1, 5, 9].map { "/log/seg/" + SegmentName.of($0) }, "\(names)")
    return disk
  }

  private static func path(_ first: UInt64) -> String { "/log/seg/" + SegmentName.of(first) }

  private static func change(
    _ disk: SimulatedDisk, _ path: String, _ body: (inout [UInt8], [Int]) throws -> Void
  ) throws {
    var bytes = try #require(disk.contents(path))
    try body(&bytes, try DamageTests.blockStarts(bytes))
    disk.set(path, bytes)
  }

  /// Flips a byte in the body of a block.
  private static func flip(_ disk: SimulatedDisk, _ first: UInt64, block: Int) throws {
    try change(disk, path(first)) { $0[$1[block] + BlockHeader.bytes + 5] ^= 0x10 }
  }

  /// Changes a segment's header as somebody who knows the format would.
  private static func forge(
    _ disk: SimulatedDisk, _ first: UInt64, _ body: (inout SegmentHeader) -> Void
  ) throws {
    try change(disk, path(first)) { bytes, _ in
      var header = try bytes.withUnsafeBytes { try SegmentHeader($0) }
      let length = header.encodedBytes
      body(&header)
      bytes.replaceSubrange(..<length, with: header.encoded())
    }
  }

  static let damages: [Damage] = [
    Damage(name: "the first block of an older segment", lost: [5...6]) {
      try flip($0, 5, block: 0)
    },
    Damage(name: "the last block of an older segment", lost: [7...8]) {
      try flip($0, 5, block: 1)
    },
    Damage(name: "a block of the last segment, others behind it", lost: [9...10]) {
      try flip($0, 9, block: 0)
    },
    Damage(name: "the last block", lost: [11...12]) { try flip($0, 9, block: 2) },
    Damage(name: "the whole last segment but its header", lost: [9...12]) { disk in
      try change(disk, path(9)) { bytes, starts in
        for at in starts[0]..<bytes.count { bytes[at] = 0 }
      }
    },
    Damage(name: "a witness block with others behind it", lost: [], places: [11]) { disk in
      try change(disk, path(9)) { $0[$1[1] + 9] ^= 1 }
    },
    Damage(name: "the first segment is missing", lost: [1...4]) { $0.set(path(1), nil) },
    Damage(name: "a segment is missing", lost: [5...8]) { $0.set(path(5), nil) },
    Damage(name: "the last segment is missing", lost: [9...12]) { $0.set(path(9), nil) },
    Damage(name: "the last two segments are missing", lost: [5...12]) { disk in
      disk.set(path(5), nil)
      disk.set(path(9), nil)
    },
    Damage(name: "all segments are missing", lost: [1...12]) { disk in
      for first in [1, 5, 9] as [UInt64] { disk.set(path(first), nil) }
    },
    Damage(name: "the log ends between two blocks, before its time", lost: [11...12]) { disk in
      try change(disk, path(9)) { $0.removeSubrange($1[1]...) }
    },
    Damage(name: "the header of the first segment", lost: [1...4]) { disk in
      try change(disk, path(1)) { bytes, _ in bytes[20] ^= 1 }
    },
    Damage(name: "the header of an older segment", lost: [5...8]) { disk in
      try change(disk, path(5)) { bytes, _ in bytes[70] ^= 1 }
    },
    Damage(name: "the header of the last segment", lost: [9...12]) { disk in
      try change(disk, path(9)) { bytes, _ in bytes[0] ^= 1 }
    },
    Damage(name: "the headers of the last two segments", lost: [5...12]) { disk in
      try change(disk, path(5)) { bytes, _ in bytes[0] ^= 1 }
      try change(disk, path(9)) { bytes, _ in bytes[0] ^= 1 }
    },
    Damage(name: "an older block and the last one", lost: [3...4, 11...12]) { disk in
      try flip(disk, 1, block: 1)
      try flip(disk, 9, block: 2)
    },
    Damage(name: "bytes behind an older segment", lost: [], places: [9]) { disk in
      try change(disk, path(5)) { bytes, _ in bytes += [1, 2, 3, 4, 5, 6, 7, 8] }
    },
    Damage(name: "a segment that does not continue the chain", lost: [5...6], places: [5]) { disk in
      // The first block says what stands before it, and so is no longer believed.
      try forge(disk, 5) { $0.chainBefore = .ofNothing }
    },
    Damage(
      name: "a segment of another store", lost: [5...8], places: [5], staysVisible: true
    ) { disk in
      try forge(disk, 5) { $0.storeID ^= 1 }
    },
    Damage(
      name: "a segment under a second name", lost: [], places: [13], staysVisible: false
    ) { disk in
      disk.set(path(13), disk.contents(path(5)))
    },
    Damage(
      name: "another past than the manifest's", lost: [], places: [12], staysVisible: false
    ) { disk in
      for name in Manifest.names {
        let slot = try #require(disk.contents("/log/" + name))
        guard var manifest = Manifest(slot) else { continue }
        if manifest.synced == 12 { manifest.chain = .ofNothing }
        disk.set("/log/" + name, manifest.encoded())
      }
    },
  ]

  private static func acceptance(_ damage: Damage) -> LossAcceptance {
    LossAcceptance(
      positions: damage.lost.map { Position($0.lowerBound)...Position($0.upperBound) },
      places: damage.places.map { Position($0) }, actor: "local:7", reason: "the disk\twas old\n")
  }

  private static func survivors(_ damage: Damage) -> [UInt64] {
    (1...12).filter { position in !damage.lost.contains { $0.contains(position) } }
  }

  /// What must be so from the acceptance on, whatever happened in between.
  private static func check(
    _ disk: SimulatedDisk, _ damage: Damage, appended: [UInt64], _ what: String
  ) throws {
    let outside = try LogReader(disk: disk, directory: "/log")
    let inside = try SteppedStore(disk, segmentBytes: 560)
    inside.abandon()
    for reader in [outside, inside.reader] {
      let (events, gaps) = try everything(reader)
      #expect(events.map(\.position.rawValue) == survivors(damage) + appended, "\(what)")
      for event in events {
        #expect(isSame(event, draft(event.position.rawValue)), "\(what)")
      }
      #expect(gaps.allSatisfy { $0.isAccepted }, "\(what): \(gaps)")
      let named = gaps.filter { !$0.isEmpty }.map { $0.first.rawValue...($0.last?.rawValue ?? 0) }
      #expect(named == damage.lost, "\(what): \(gaps)")
      let verdict = try reader.verify(from: .origin, through: nil, progress: nil)
      #expect(verdict.gaps.count == gaps.count && verdict.revisionFaults.isEmpty, "\(what)")
    }
    #expect(inside.report.truncated == nil, "\(what)")
  }

  @Test func acceptedNeverGrowsBeyondWhatIsRead() throws {
    let disk = SimulatedDisk(seed: 1)
    try disk.makeDirectory("/log")
    let files = StoreFiles(disk: disk, directory: "/log")
    let loss = AcceptedLoss(
      first: Position(1), last: Position(2), file: "a", offset: 0, rule: "r", chain: .zero,
      time: 0, actor: "somebody", reason: String(repeating: "r", count: 1_000))
    try files.accept([loss], storeID: 7)
    let before = disk.contents("/log/ACCEPTED")
    #expect(
      code { try files.accept([AcceptedLoss](repeating: loss, count: 1_000), storeID: 7) }
        == .invalidDraft)
    #expect(disk.contents("/log/ACCEPTED") == before)
    #expect(try files.accepted(7).losses == [loss])
  }

  @Test(arguments: damages)
  func damageIsRefusedNamedAcceptedAndStaysSo(damage: Damage) throws {
    let disk = try Self.whole()
    try damage.apply(disk)
    let before = Dictionary(uniqueKeysWithValues: disk.paths.map { ($0, disk.contents($0)) })
    func unchanged(_ what: String) {
      let now = Dictionary(uniqueKeysWithValues: disk.paths.map { ($0, disk.contents($0)) })
      #expect(now == before, "\(what) changed something")
    }
    // Refused, with all that is damaged and the command that accepts it.
    let error = try #require(throws: StoreError.self) { _ = try SteppedStore(disk) }
    #expect(error.code == .damaged)
    var ranges: [ClosedRange<UInt64>] = []
    var places: [UInt64] = []
    for gap in error.damage {
      if gap.isEmpty {
        places.append(gap.first.rawValue)
      } else {
        let last = try #require(gap.last)
        ranges.append(gap.first.rawValue...last.rawValue)
      }
      #expect(error.message.contains("at offset \(gap.offset): \(gap.rule)"), "\(error)")
      #expect(error.message.contains(fileName(gap.path)), "\(error)")
    }
    #expect(ranges == damage.lost && places == damage.places, "\(error)")
    var command = "signalbox accept-loss --data '/log'"
    if !ranges.isEmpty {
      command += " --positions "
      command += ranges.map { "\($0.lowerBound)..\($0.upperBound)" }.joined(separator: ",")
    }
    if !places.isEmpty { command += " --at-position \(places[0])" }
    #expect(error.message.hasSuffix(command + " --reason TEXT"), "\(error)")
    unchanged("refusing")

    // Anything but exactly what is damaged is refused.
    let right = Self.acceptance(damage)
    var wrong = [right, right, right]
    wrong[0].positions.append(Position(3)...Position(3))
    wrong[1].places.append(Position(2))
    (wrong[2].positions, wrong[2].places) = ([], [])
    if !right.positions.isEmpty {
      wrong.append(right)
      wrong[3].positions[0] = wrong[3].positions[0].lowerBound...Position(99)
    }
    for (number, acceptance) in wrong.enumerated() {
      let code = code { _ = try SteppedStore(disk, accepting: acceptance) }
      #expect(code == .damaged, "wrong acceptance \(number)")
    }
    unchanged("refusing a wrong acceptance")

    let store = try SteppedStore(disk, segmentBytes: 560, accepting: right)
    #expect(store.report.last == Position(12))
    #expect(store.report.acceptedLosses.count == ranges.count + places.count)
    #expect(store.report.acceptedLosses.allSatisfy { $0.actor == "local:7" })
    #expect(store.report.acceptedLosses.allSatisfy { $0.reason == "the disk was old " })
    #expect(try store.append(batch(13, 14))[0].first == Position(13))
    try store.close()
    try Self.check(disk, damage, appended: [13, 14], "accepted")

    // The same acceptance again is no mistake; what is accepted is no damage.
    let again = try SteppedStore(disk, accepting: right)
    #expect(again.report.acceptedLosses == store.report.acceptedLosses)
    again.abandon()

    // Without the file the store refuses again, and can be accepted again.
    disk.set("/log/ACCEPTED", nil)
    guard damage.staysVisible else {
      try SteppedStore(disk).abandon()
      return
    }
    let second = try #require(throws: StoreError.self) { _ = try SteppedStore(disk) }
    #expect(second.code == .damaged)
    let named = second.damage.filter { !$0.isEmpty }.compactMap { gap in
      gap.last.map { gap.first...$0 }
    }
    #expect(named == right.positions)
    let places2 = second.damage.filter(\.isEmpty).map(\.first)
    try SteppedStore(
      disk,
      accepting: LossAcceptance(positions: named, places: places2, actor: "a", reason: "r")
    ).abandon()
    try Self.check(disk, damage, appended: [13, 14], "accepted again")
  }

  @Test(arguments: damages)
  func aCrashAtAnyCallOfTheAcceptanceLeavesItUndoneOrDone(damage: Damage) throws {
    let original = try Self.whole()
    try damage.apply(original)
    var crashes = 0
    for isPowerCut in [false, true] {
      for call in 0..<200 {
        let disk = original.copy(seed: UInt64(call))
        disk.inject(isPowerCut ? .powerCut : .kill, after: call)
        let what = "\(isPowerCut ? "power cut" : "kill") at call \(call)"
        var isDone = false
        do {
          let store = try SteppedStore(
            disk, segmentBytes: 560, accepting: Self.acceptance(damage))
          try store.append(batch(13, 14))
          try store.sync()
          isDone = true
          store.abandon()
        } catch let error as StoreError {
          #expect(error.code == .io, "\(what): \(error)")
        }
        if !disk.isDown { break }
        crashes += 1
        disk.restart()
        // Not accepted yet, or accepted; never anything in between.
        let refusal = code { try SteppedStore(disk, segmentBytes: 560).abandon() }
        #expect(refusal == nil || refusal == .damaged, "\(what)")
        let store = try SteppedStore(disk, segmentBytes: 560, accepting: Self.acceptance(damage))
        #expect(refusal == .damaged || store.report.last.rawValue >= 12, "\(what)")
        if isDone { #expect(store.report.last == Position(14), "\(what)") }
        let receipt = try store.append(batch(13, 14))[0]
        #expect(receipt.first == Position(13), "\(what)")
        try store.close()
        try Self.check(disk, damage, appended: [13, 14], what)
      }
    }
    #expect(crashes > 20)
  }

  @Test func aLostEndIsFollowedByTheChainOfTheManifestOrByADerivedOne() throws {
    for isWitnessed in [true, false] {
      let disk = try Self.whole()
      let reader = try LogReader(disk: disk, directory: "/log")
      let (before, end) = (
        try reader.chainValue(at: Position(10)), try reader.chainValue(at: Position(12))
      )
      if !isWitnessed {
        // The manifest is gone; the last block's own header claims its positions, and a witness them.
        for name in Manifest.names { disk.set("/log/" + name, nil) }
        let store = try SteppedStore(disk, segmentBytes: 1 << 20)
        try store.append(batch(13))
        store.abandon()
        for name in Manifest.names { disk.set("/log/" + name, nil) }
      }
      try Self.change(disk, Self.path(9)) { bytes, starts in
        for start in starts[2...] { bytes[start + BlockHeader.bytes + 5] ^= 1 }
      }
      let error = try #require(throws: StoreError.self) { _ = try SteppedStore(disk) }
      let last: UInt64 = isWitnessed ? 12 : 13
      #expect(error.damage.map(\.last) == [Position(last)])
      let store = try SteppedStore(
        disk,
        accepting: LossAcceptance(
          positions: [Position(11)...Position(last)], places: [], actor: "a", reason: "r"))
      let derived = AcceptedLoss.derivedChain(after: before, first: 11, last: last)
      #expect(store.report.acceptedLosses.map(\.chain) == [isWitnessed ? end : derived])
      try store.append(batch(20))
      try store.close()
      let begun = try #require(disk.contents(Self.path(last + 1)))
      let header = try begun.withUnsafeBytes { try SegmentHeader($0) }
      #expect(header.chainBefore == (isWitnessed ? end : derived))
      let gaps = try everything(LogReader(disk: disk, directory: "/log")).gaps
      #expect(gaps.count == 1 && gaps.allSatisfy { $0.isAccepted })
    }
  }

  /// A derivation of one's own, from docs/file-format.md alone, in another language.
  @Test func theDerivedChainIsTheOneOfTheDocument() {
    #expect(
      AcceptedLoss.derivedChain(after: .ofNothing, first: 11, last: 13).description
        == "7532bf5c90965a087d2cebb5422e0c485407cc9041bac034eb95ed5abd1ff408")
  }

  @Test func whatFollowsAnAcceptedLossIsPinned() throws {
    let disk = try Self.whole()
    disk.set(Self.path(5), nil)
    try SteppedStore(
      disk,
      accepting: LossAcceptance(
        positions: [Position(5)...Position(8)], places: [], actor: "a", reason: "r")
    ).abandon()
    // Somebody writes another future behind the loss.
    try Self.forge(disk, 9) { $0.chainBefore = .ofNothing }
    let error = try #require(throws: StoreError.self) { _ = try SteppedStore(disk) }
    #expect(error.damage.map(\.rule).contains("accepted.chain"), "\(error)")
    let gaps = try everything(LogReader(disk: disk, directory: "/log")).gaps
    #expect(gaps.contains { $0.rule == "accepted.chain" && !$0.isAccepted })
  }

  @Test func damageThatGrowsBeyondWhatWasAcceptedIsRefusedAgain() throws {
    for hasWitness in [true, false] {
      let disk = try Self.whole()
      try Self.flip(disk, 9, block: 0)
      if !hasWitness { try Self.change(disk, Self.path(9)) { $0[$1[1] + 9] ^= 1 } }
      try SteppedStore(
        disk,
        accepting: LossAcceptance(
          positions: [Position(9)...Position(10)], places: [], actor: "a", reason: "r")
      ).abandon()
      try SteppedStore(disk).abandon()
      var bytes = try #require(disk.contents(Self.path(9)))
      bytes[bytes.count - 20] ^= 0x10
      disk.set(Self.path(9), bytes)
      let error = try #require(throws: StoreError.self) { _ = try SteppedStore(disk) }
      #expect(error.damage.map(\.first.rawValue) == [hasWitness ? 11 : 9])
      #expect(error.damage.map(\.last) == [Position(12)])
    }
  }

  @Test func aGarbledOrForeignAcceptanceAcceptsNothing() throws {
    let disk = try Self.whole()
    disk.set(Self.path(5), nil)
    try SteppedStore(
      disk,
      accepting: LossAcceptance(
        positions: [Position(5)...Position(8)], places: [], actor: "a", reason: "r")
    ).abandon()
    let text = try #require(disk.contents("/log/ACCEPTED"))
    for at in 0..<(text.count - 1) {
      let garbled = disk.copy(seed: 2)
      var bytes = text
      bytes[at] ^= 1
      garbled.set("/log/ACCEPTED", bytes)
      #expect(code { _ = try SteppedStore(garbled) } == .damaged, "byte \(at)")
    }
    let line = String(decoding: text.dropLast(), as: UTF8.self)
    let id = try LogReader(disk: disk, directory: "/log").storeID
    #expect(AcceptedLoss(line: line, storeID: id) != nil)
    #expect(AcceptedLoss(line: line, storeID: id ^ 1) == nil)
    disk.set("/log/ACCEPTED", [UInt8](repeating: 10, count: AcceptedLosses.bytesMax + 1))
    #expect(code { _ = try SteppedStore(disk) } == .notAStore)
    disk.set("/log/ACCEPTED", [])
    #expect(code { _ = try SteppedStore(disk) } == .damaged)
  }

  @Test func aLossIsAcceptedForAReason() throws {
    let disk = try Self.whole()
    disk.set(Self.path(5), nil)
    let acceptance = LossAcceptance(
      positions: [Position(5)...Position(8)], places: [], actor: "a", reason: "")
    #expect(code { _ = try SteppedStore(disk, accepting: acceptance) } == .invalidDraft)
    let whole = LossAcceptance(
      positions: [Position(5)...Position(8)], places: [], actor: "a", reason: "r")
    let undamaged = try Self.whole()
    #expect(code { _ = try SteppedStore(undamaged, accepting: whole) } == .invalidDraft)
  }

  @Test func timesAreThoseOfTheCalendar() {
    let times: [(Int64, String)] = [
      (0, "1970-01-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
      (951_782_400_000_000_000, "2000-02-29T00:00:00Z"),
      (4_102_444_799_999_999_999, "2099-12-31T23:59:59Z"),
      (.max, "2262-04-11T23:47:16Z"), (.min, "1677-09-21T00:12:43Z"),
    ]
    for (time, text) in times { #expect(utcText(time) == text) }
  }
}

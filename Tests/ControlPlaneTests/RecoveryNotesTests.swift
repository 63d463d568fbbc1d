import Domain
import EventStore
import FoundationEssentials
import Support
import Testing

@testable import ControlPlane

/// What an opening finds becomes events, each of them once.
struct RecoveryNotesTests {
  /// A log whose last life was killed: whole events, then a torn append.
  private static func torn(seed: UInt64) throws -> SimulatedDisk {
    let disk = SimulatedDisk(seed: seed)
    let store = try SteppedStore(disk, segmentBytes: 1 << 20)
    try store.append(
      AppendBatch(events: [
        EventDraft(id: EventID(7), stream: "other", kind: "other.happened.v1", time: 1, payload: [])
      ]))
    try store.sync()
    store.abandon()
    let path = try #require(disk.paths.first { $0.hasSuffix(".esl") })
    disk.set(path, try #require(disk.contents(path)) + tail)
    return disk
  }

  private static let tail = Array("an append that never became whole".utf8)

  /// One start: opens, notes, and closes, or is left as a crash leaves it.
  private static func start(_ disk: SimulatedDisk) async throws -> [Event] {
    let store = try EventStore(disk: disk, directory: "/log", options: StoreOptions())
    let noted: [Event]
    do { noted = try await store.noteRecovery(edge: TestClock().edge) } catch {
      try? store.close()
      throw error
    }
    try store.close()
    return noted
  }

  private static func gatewayEvents(_ log: LogReader) throws -> [GatewayEvent] {
    var found: [GatewayEvent] = []
    try log.scan(from: .origin, through: nil) { entry in
      guard case .event(let stored) = entry else { throw Unexpected("\(entry)") }
      if stored.kind.hasPrefix("gateway."), case .gateway(let event) = try recorded(stored).event {
        found.append(event)
      }
      return .continue
    }
    return found
  }

  @Test func `a machine that stopped with the log open leaves one gap, whoever opens next`()
    async throws
  {
    // Clean stop or not, another boot or the same: what the next opening notes.
    let rows: [(isClean: Bool, isOtherBoot: Bool, gaps: Int)] = [
      (true, true, 0), (true, false, 0), (false, false, 0), (false, true, 1),
    ]
    for row in rows {
      let disk = SimulatedDisk(seed: 3)
      let store = try SteppedStore(disk, segmentBytes: 1 << 20)
      try store.append(batch(1))
      if row.isClean { try store.close() } else { store.abandon() }
      if row.isOtherBoot { disk.changeBoot() }
      for opening in 0..<3 {
        let noted = try await Self.start(disk)
        #expect(noted.count == (opening == 0 ? row.gaps : 0), "\(row), opening \(opening)")
      }
      let found = try Self.gatewayEvents(try LogReader(disk: disk, directory: "/log"))
      #expect(
        found
          == Array(
            repeating: .gap(
              .init(boundMilliseconds: 25, reason: "the machine stopped while the log was open")),
            count: row.gaps), "\(row)")
    }
  }

  @Test(arguments: [false, true])
  func `a crash at any call of a start loses no note and repeats none`(isPowerCut: Bool)
    async throws
  {
    var crashes = 0
    var owedAfterCut = 0
    for call in 0..<300 {
      let disk = try Self.torn(seed: UInt64(call))
      disk.changeBoot()
      disk.inject(isPowerCut ? .powerCut : .kill, after: call)
      let what = "call \(call)"
      _ = try? await Self.start(disk)
      guard disk.isDown else { break }
      crashes += 1
      disk.restart()
      let wasCut = disk.paths.contains { $0.hasSuffix(".pending") }
      let noted = try await Self.start(disk)
      if wasCut, noted.contains(where: { $0.kind.hasPrefix("gateway.tail_truncated") }) {
        owedAfterCut += 1
      }
      #expect(try await Self.start(disk).isEmpty, "\(what): noted again")

      let found = try Self.gatewayEvents(try LogReader(disk: disk, directory: "/log"))
      let tails = found.compactMap { event in
        if case .tailTruncated(let fact) = event { fact } else { nil }
      }
      // A crash may tear what this start wrote itself: that is another tail, with a note of its own.
      #expect(
        tails.count { $0.rule == "block.incomplete-header" && $0.bytes == UInt64(Self.tail.count) }
          == 1, "\(what): \(tails)")
      #expect(tails.count <= 2, "\(what): \(tails)")
      let gaps = found.count { if case .gap = $0 { true } else { false } }
      // Each power cut is a stop of the machine.
      #expect(isPowerCut ? (1...2).contains(gaps) : gaps == 1, "\(what): \(gaps) gaps")
      let kept = disk.paths.filter { $0.hasSuffix(".bytes") }
      #expect(kept.contains { disk.contents($0) == Self.tail }, "\(what): \(kept)")
      #expect(!disk.paths.contains { $0.hasSuffix(".pending") }, "\(what)")
    }
    #expect(crashes > 10 && owedAfterCut > 3, "\(crashes) crashes, \(owedAfterCut) between")
  }

  // MARK: Accepted losses

  private func alias(_ name: String, _ target: String, _ box: TestBox) async throws -> UInt64 {
    let outcome = try await box.control.execute(provenance: .system) { _ in
      [Change(.alias(.set(name: name, target: target, allowUnresolved: true)))]
    }
    return try #require(outcome.receipt).first.rawValue
  }

  /// Flips a byte of the one place in the log where `text` stands.
  private func damage(_ directory: String, at text: String) throws {
    let name = try #require(
      try FileManager.default.contentsOfDirectory(atPath: "\(directory)/seg").first)
    let path = "\(directory)/seg/\(name)"
    var bytes = [UInt8](try #require(FileManager.default.contents(atPath: path)))
    let found = try #require(bytes.firstRange(of: Array(text.utf8)))
    bytes[found.lowerBound] ^= 1
    try Data(bytes).write(to: URL(filePath: path))
  }

  @Test func `a gateway goes on behind an accepted loss of configuration, and can be edited`()
    async throws
  {
    try await withDirectory { directory in
      let before = try await TestBox.open(directory)
      _ = try await alias("one", "first", before)
      let lost = try await alias("one", "target-that-is-lost", before)
      _ = try await alias("one", "third", before)
      try before.store.close()
      try damage(directory, at: "target-that-is-lost")

      let refusal = await #expect(throws: StoreError.self) {
        _ = try await TestBox.open(directory)
      }
      let range = Position(lost)...Position(lost)
      #expect(refusal?.code == .damaged)
      #expect(refusal?.damage.map { $0.first...($0.last ?? $0.first) } == [range])
      let command =
        "signalbox accept-loss --data '\(directory)' --positions \(lost)..\(lost) --reason TEXT"
      #expect(refusal?.acceptCommand == command)

      let accepting = try EventStore.open(
        directory: directory, options: StoreOptions(),
        accepting: LossAcceptance(
          positions: [range], places: [], actor: "local:7", reason: "no backup"))
      let fact = GatewayEvent.LossAccepted(
        first: lost, last: lost, file: "00000000000000000001.esl", rule: "block.body-crc",
        reason: "no backup")
      #expect(try await accepting.noteRecovery() == [.gateway(.lossAccepted(fact))])
      let note = try #require(try accepting.reader.event(at: accepting.lastWritten))
      #expect(try recorded(note).provenance == Provenance(actor: "local:7", source: .cli))
      #expect(try await accepting.noteRecovery().isEmpty)
      try accepting.close()

      for (round, target) in ["fourth", "fifth"].enumerated() {
        let box = try await TestBox.open(directory)
        #expect(try await box.control.noteRecovery().isEmpty)
        #expect(box.control.state.aliases["one"]?.target == (round == 0 ? "third" : "fourth"))
        // The log counts the revision that was lost, and so must whoever decides on it.
        #expect(box.control.state.revision(ofStream: aliasStream("one")) == UInt64(3 + round))
        _ = try await alias("one", target, box)
        #expect(box.store.revision(of: aliasStream("one")) == Revision(UInt64(4 + round)))
        try box.store.close()
      }
    }
  }

  @Test func `snapshots from before a loss are gone with its acceptance`() async throws {
    try await withDirectory { directory in
      let before = try await TestBox.open(directory)
      _ = try await alias("kept", "first", before)
      let early = before.store.lastDurable
      let lost = try await alias("gone", "target-that-is-lost", before)
      _ = try await alias("kept", "third", before)
      let files = GatewayProjection.snapshots(of: before.store.reader)
      let late = before.store.lastDurable
      for position in [early, late] {
        let projection = try GatewayProjection.restored(
          from: before.store.reader, through: position
        ).projection
        try files.write(projection.encoded(), at: position)
      }
      try before.store.close()
      try damage(directory, at: "target-that-is-lost")
      let range = Position(lost)...Position(lost)
      // What is refused takes nothing away.
      for reason in ["", "no backup"] {
        _ = try? EventStore.open(
          directory: directory, options: StoreOptions(),
          accepting: LossAcceptance(positions: [range], places: [], actor: "a", reason: reason)
        ).close()
        let left = try files.positions()
        #expect(left == (reason.isEmpty ? [early, late] : [early]))
      }
      let after = try await TestBox.open(directory)
      #expect(after.control.restoration.snapshot == early)
      #expect(Set(after.control.state.aliases.keys) == ["kept"])
      try after.store.close()
    }
  }
}

import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// A disk that fills up, and has space again.
struct ShortageTests {
  static let reserve = 16 << 10

  @Test func outcomesAreShedCountedAndSaidToBeMissing() throws {
    let box = try ShortBox()
    _ = try box.store.appendAndWait(batch(1), durability: .durable)
    #expect(box.store.state == .working)
    box.disk.fill()
    #expect(code { _ = try box.store.appendAndWait(outcome(2), durability: .written) } == .full)
    let opened = try #require(box.shortage?.opened)
    #expect(box.shortage?.shed == 1 && box.shortage?.isExhausted == false)
    #expect(box.store.failure?.code == .full)
    // What may not be shed goes on.
    for number in UInt64(3)...8 {
      _ = try box.store.appendAndWait(batch(number), durability: .durable)
      #expect(
        code { _ = try box.store.appendAndWait(outcome(number + 100), durability: .queued) }
          == .full)
    }
    #expect(box.shortage?.shed == 7)
    // What is in the log is still answered with its place.
    _ = try box.store.appendAndWait(
      AppendBatch(events: [draft(3)], isSheddable: true), durability: .durable)

    // Space alone ends nothing before it is looked for, a second after the last look.
    box.disk.capacity = nil
    #expect(code { _ = try box.store.appendAndWait(outcome(200), durability: .durable) } == .full)
    box.disk.pass(milliseconds: 1_000)
    let next = try box.store.appendAndWait(outcome(201), durability: .durable)
    #expect(box.store.state == .working && box.store.failure == nil)
    let gaps = try box.gaps()
    #expect(gaps == [Gap(opened: opened.rawValue, closed: next.first.rawValue - 1, count: 8)])
    #expect(box.changes == ["working→shedding", "shedding→working"])
    #expect(box.disk.contents("/log/RESERVE")?.count == Self.reserve)
    try box.store.close()
    let again = try ShortBox(box.disk)
    #expect(again.store.report.previousStopWasClean && again.store.report.reserveFailure == nil)
    try again.store.close()
  }

  @Test(arguments: Durability.allCases)
  func ofAGroupThatDoesNotFitTheRestIsWritten(durability: Durability) throws {
    let box = try ShortBox()
    let tally = Tally()
    let (store, disk) = (box.store, box.disk)
    // Submitted by the writer's own thread, so that all are in one group.
    let inside = Inside {
      disk.fill()
      for number in UInt64(10)..<16 {
        let isOutcome = number.isMultiple(of: 2)
        store.submit(
          isOutcome ? outcome(number) : batch(number), durability: durability, sink: tally,
          token: number)
      }
      // Of the same stream, decided by what is before it in the group.
      store.submit(
        AppendBatch(
          events: [draft(20, stream: draft(11).stream)],
          expected: [(draft(11).stream, .exactly(Revision(1)))]), durability: .durable,
        sink: tally, token: 20)
    }
    store.submit(batch(9), durability: .written, sink: inside, token: 0)
    tally.wait(for: 7)
    let epoch = store.epoch
    for answer in tally.answers {
      let isOutcome = answer.token.isMultiple(of: 2) && answer.token != 20
      switch answer.result {
      case .success: #expect(!isOutcome || durability == .queued)
      case .failure(let error):
        // A conflict with one that was written.
        if answer.token == 20 { continue }
        #expect(isOutcome && error.code == .full)
      }
    }
    let found = Set(try everything(box.store.reader).events.map(\.id))
    for number in UInt64(10)..<16 {
      #expect(found.contains(draft(number).id) == !number.isMultiple(of: 2))
    }
    #expect(box.shortage?.shed == 3)
    // Places that were shown and are not theirs name nothing.
    #expect(epoch.rawValue == (durability == .queued ? 2 : 1))
    box.disk.capacity = nil
    try box.store.close()
    #expect(try box.gaps().map(\.count) == [3])
  }

  @Test func nothingIsRefusedBeforeTheGapIsOnStableStorage() throws {
    for seed in UInt64(1)...20 {
      let box = try ShortBox(SimulatedDisk(seed: seed))
      _ = try box.store.appendAndWait(batch(1), durability: .durable)
      box.disk.fill(butFor: Int(seed) * 64)
      let worst = Mutex<SimulatedDisk?>(nil)
      let refused = Signal()
      let disk = box.disk
      let sink = ResultSink { result in
        // On the writer's thread, before anybody is told.
        if case .failure = result {
          worst.withLock { $0 = $0 ?? disk.copy(seed: 1, onlyDurable: true) }
          refused.post()
        }
      }
      for number in UInt64(2)...40 {
        box.store.submit(outcome(number), durability: .durable, sink: sink, token: 0)
      }
      #expect(refused.wait(nanoseconds: 30_000_000_000))
      let image = try #require(worst.withLock { $0 })
      let gaps = try gapsOf(LogReader(disk: image, directory: "/log"))
      #expect(gaps.count == 1 && gaps[0].closed == nil, "seed \(seed)")
      try box.store.close()
    }
  }

  @Test func whenTheReserveIsUsedUpNothingIsTaken() throws {
    let box = try ShortBox()
    box.disk.fill()
    #expect(code { _ = try box.store.appendAndWait(outcome(1), durability: .written) } == .full)
    var taken: UInt64 = 0
    for number in UInt64(2)...200 {
      do {
        _ = try box.store.appendAndWait(
          AppendBatch(events: [draft(number, size: 400)]), durability: .durable)
        taken += 1
      } catch {
        #expect(error.code == .full)
        break
      }
    }
    #expect((15...40).contains(taken), "\(taken) of \(Self.reserve) bytes")
    #expect(box.shortage?.isExhausted == true && box.shortage?.shed == 1)
    #expect(box.changes == ["working→shedding", "shedding→shedding"])
    // A look that finds no space leaves things as they are.
    box.disk.pass(milliseconds: 1_000)
    #expect(code { _ = try box.store.appendAndWait(outcome(300), durability: .written) } == .full)
    #expect(box.shortage?.shed == 2)
    // Space for events, not for the reserve.
    box.disk.fill(butFor: 2_048)
    box.disk.pass(milliseconds: 1_000)
    _ = try box.store.appendAndWait(batch(301), durability: .durable)
    #expect(box.shortage?.isExhausted == false)
    #expect(code { _ = try box.store.appendAndWait(outcome(302), durability: .written) } == .full)
    box.disk.capacity = nil
    box.disk.pass(milliseconds: 1_000)
    _ = try box.store.appendAndWait(outcome(303), durability: .written)
    #expect(try box.gaps().map(\.count) == [3])
    try box.store.close()
  }

  @Test func aGapThatCouldNotEvenBeOpenedIsToldOfAfterwards() throws {
    let box = try ShortBox(reserveBytes: 0)
    _ = try box.store.appendAndWait(batch(1), durability: .durable)
    // The segment's last sector is full.
    var number: UInt64 = 1_000
    while try #require(box.disk.contents(box.segment)).count % 512 < 460 {
      number += 1
      _ = try box.store.appendAndWait(batch(number), durability: .durable)
    }
    box.disk.fill()
    for number in UInt64(2)...5 {
      #expect(
        code { _ = try box.store.appendAndWait(outcome(number), durability: .written) } == .full)
      #expect(
        code { _ = try box.store.appendAndWait(batch(number + 10), durability: .written) } == .full)
    }
    #expect(box.shortage?.opened == nil && box.shortage?.shed == 4)
    #expect(box.shortage?.isExhausted == true)
    box.disk.capacity = nil
    // Comes first also when it is not an outcome that finds the space.
    let next = try box.store.appendAndWait(batch(6), durability: .durable)
    #expect(box.shortage?.opened == Position(next.first.rawValue - 1))
    box.disk.pass(milliseconds: 1_000)
    _ = try box.store.appendAndWait(outcome(7), durability: .durable)
    #expect(try box.gaps().map(\.count) == [4])
    try box.store.close()
  }

  @Test func aFullDiskIsOpenedWithoutReserveAndShedsUntilThereIsOne() throws {
    let disk = SimulatedDisk(seed: 3)
    try EventStore.small(disk, "/log").close()
    disk.fill(butFor: 12 << 10)
    let box = try ShortBox(disk)
    #expect(box.store.report.reserveFailure?.code == .full)
    #expect(box.shortage?.opened == nil && box.shortage?.isExhausted == false)
    _ = try box.store.appendAndWait(batch(1), durability: .durable)
    #expect(try box.gaps().isEmpty, "nothing is missing yet")
    #expect(code { _ = try box.store.appendAndWait(outcome(2), durability: .durable) } == .full)
    #expect(box.shortage?.opened == Position(2) && box.shortage?.shed == 1)
    // Without a caller: the writer looks by itself.
    disk.capacity = nil
    disk.pass(milliseconds: 1_000)
    #expect(box.isOver.wait(nanoseconds: 30_000_000_000))
    #expect(box.store.state == .working)
    #expect(try box.gaps() == [Gap(opened: 2, closed: 3, count: 1)])
    try box.store.close()
  }

  @Test func aStopInAGapTellsTheCountAndACrashDoesNot() throws {
    for isCrash in [false, true] {
      let box = try ShortBox()
      box.disk.fill()
      #expect(code { _ = try box.store.appendAndWait(outcome(1), durability: .written) } == .full)
      if isCrash {
        let image = box.disk.copy(seed: 1)
        try box.store.close()
        #expect(try gapsOf(LogReader(disk: image, directory: "/log")).map(\.count) == [nil])
      } else {
        try box.store.close()
        #expect(try box.gaps().map(\.count) == [1])
      }
    }
  }

  @Test func recoveryOnAFullDiskUsesWhatTheReserveHeld() throws {
    let box = try ShortBox()
    _ = try box.store.appendAndWait(batch(1), durability: .durable)
    try box.store.close()
    let torn = try #require(box.disk.contents(box.segment)) + [UInt8](repeating: 7, count: 300)
    box.disk.set(box.segment, torn)
    box.disk.fill()
    let again = try ShortBox(box.disk)
    #expect(again.store.report.truncated?.bytes == 300)
    #expect(again.store.report.reserveFailure?.code == .full)
    try again.store.close()
  }

  @Test func anOpenersEventThatTheLogCannotTakePoisons() throws {
    let events = GapEvents(
      opened: { EventDraft(id: EventID(1), stream: "", kind: "k", time: $0, payload: []) },
      closed: { _, _, time in
        EventDraft(id: EventID(2), stream: "s", kind: "k", time: time, payload: [])
      })
    let disk = SimulatedDisk(seed: 1)
    let store = try EventStore.small(disk, "/log", reserveBytes: Self.reserve, gapEvents: events)
    disk.fill()
    #expect(code { _ = try store.appendAndWait(outcome(1), durability: .written) } == .poisoned)
    guard case .poisoned(let cause) = store.state else {
      Issue.record("it goes on")
      return
    }
    #expect(cause.code == .invalidDraft)
    #expect(code { try store.close() } == .poisoned)
  }

  @Test func theOptionsBound() {
    for bytes in [-1, Limits.reserveBytes + 1] {
      #expect(
        code { _ = try EventStore.small(SimulatedDisk(seed: 1), "/log", reserveBytes: bytes) }
          == .invalidDraft)
    }
  }

  /// Rolling, the manifest, the reserve itself, the gap's events: each call finds no space once.
  @Test func noSpaceAtAnyCallLosesNothingThatWasAcknowledged() throws {
    var calls = 0
    var isThrough = false
    while !isThrough {
      let disk = SimulatedDisk(seed: UInt64(calls))
      disk.inject(.noSpace, after: calls)
      let campaign = ShortageCampaign(disk, seed: 1)
      if let box = campaign.open() {
        for _ in 0..<40 {
          campaign.append(box, size: 2_000)
          if disk.calls > calls { disk.pass(milliseconds: 1_000) }
        }
        isThrough = disk.calls <= calls
        campaign.close(box)
      }
      #expect(campaign.violations == [], "call \(calls)")
      #expect(campaign.appended > 0 || calls < 30, "call \(calls)")
      calls += 1
    }
    #expect(calls > 60, "the next segment was never reached")
  }

  /// A disk that is full and has space again, faults at random calls, appends of all kinds, stops.
  @Test(arguments: 0..<4)
  func whatIsMissingIsExactlyWhatIsCounted(part: Int) throws {
    var shed: UInt64 = 0
    for seed in stride(from: part, to: ShortageCampaign.seedCount, by: 4) {
      let campaign = ShortageCampaign(SimulatedDisk(seed: UInt64(seed)), seed: UInt64(seed))
      campaign.run()
      #expect(campaign.violations == [], "seed \(seed)")
      shed += campaign.counted
    }
    #expect(shed > 0, "nothing was ever shed")
  }
}

import Glibc
import Support
import Testing

@testable import EventStore

/// Crashes at a random call of a random workload, several times in a row, also during recovery.
struct CrashCampaignTests {
  /// What the world was told, and what it may have to accept.
  struct Oracle {
    /// Numbers of the batch's events → how sure the author is of it.
    enum Knowledge { case unknown, written, durable }
    var batches: [(numbers: [UInt64], knowledge: Knowledge)] = []

    /// Checks a recovered log; `keepsWritten`: the machine did not stop.
    func violation(_ events: [StoredEvent], keepsWritten: Bool) -> String? {
      var byID: [EventID: StoredEvent] = [:]
      for (index, event) in events.enumerated() {
        if event.position.rawValue != UInt64(index) + 1 { return "hole at \(index + 1)" }
        if byID.updateValue(event, forKey: event.id) != nil { return "event doubled" }
      }
      var seen = 0
      for (numbers, knowledge) in batches {
        let found = numbers.compactMap { byID[draft($0).id] }
        seen += found.count
        if found.count != 0 && found.count != numbers.count { return "batch torn: \(numbers)" }
        if found.isEmpty {
          if knowledge == .durable { return "durable events lost: \(numbers)" }
          if knowledge == .written && keepsWritten { return "written events lost: \(numbers)" }
        }
        for (number, event) in zip(numbers, found) where !isSame(event, draft(number)) {
          return "event \(number) differs"
        }
        for (a, b) in zip(found, found.dropFirst()) where a.position.next != b.position {
          return "batch scattered: \(numbers)"
        }
      }
      return seen == events.count ? nil : "phantom events"
    }
  }

  static let seedCount: Int = {
    let asked = getenv("SIGNALBOX_CRASH_POINTS").flatMap { Int(String(cString: $0)) }
    // Each seed crashes five times.
    return (asked ?? 2_000) / 5
  }()

  @Test(arguments: 0..<8)
  func noCrashLosesWhatWasAcknowledged(part: Int) throws {
    for seed in stride(from: part, to: Self.seedCount, by: 8) {
      let violation = try Self.campaign(SimulatedDisk(seed: UInt64(seed) ^ 0xD15C), UInt64(seed))
      #expect(violation == nil, "seed \(seed)")
    }
  }

  /// 1839: the only durable manifest slot was overwritten while the other was still in the cache.
  @Test(arguments: [1_839] as [UInt64])
  func seedsThatOnceFoundALossFindNoneNow(seed: UInt64) throws {
    #expect(try Self.campaign(SimulatedDisk(seed: seed ^ 0xD15C), seed) == nil)
  }

  @Test func aDiskThatLiesAboutItsSyncsIsNoticed() throws {
    var noticed = 0
    for seed in UInt64(0)..<20
    where try Self.campaign(SimulatedDisk(seed: seed, isLying: true), seed) != nil { noticed += 1 }
    #expect(noticed > 10)
  }

  /// What went wrong; nil if nothing did.
  static func campaign(_ disk: SimulatedDisk, _ seed: UInt64) throws -> String? {
    var random = SeededRandom(seed: seed)
    var oracle = Oracle()
    var number: UInt64 = 1
    var lastEpoch: UInt64 = 0
    for round in 0..<5 {
      let boot = disk.bootID()
      let isPowerCut = random.oneIn(2)
      disk.inject(isPowerCut ? .powerCut : .kill, after: random.int(0...60))
      try run(disk, &random, &oracle, &number)
      if !disk.isDown { isPowerCut ? disk.cutPower() : () }
      disk.restart()
      // A crash in the middle of recovery, now and then.
      if random.oneIn(2) {
        let isSecondCut = random.oneIn(2)
        disk.inject(isSecondCut ? .powerCut : .kill, after: random.int(0...12))
        if let store = try? SteppedStore(disk) { store.abandon() }
        if disk.isDown { disk.restart() } else { disk.clearFaults() }
      }
      let store: SteppedStore
      do { store = try SteppedStore(disk) } catch {
        return "round \(round): refuses to open: \(error)"
      }
      let (events, gaps) = try everything(store.reader)
      if let violation = oracle.violation(events, keepsWritten: disk.bootID() == boot) {
        return "round \(round): \(violation)"
      }
      if !gaps.isEmpty { return "round \(round): \(gaps)" }
      if store.report.epoch.rawValue <= lastEpoch { return "round \(round): epoch used again" }
      lastEpoch = store.report.epoch.rawValue
      // From now on what is there is durable, and what is not never comes.
      let found = Set(events.map(\.id))
      oracle.batches = oracle.batches.filter { found.contains(draft($0.numbers[0]).id) }
        .map { ($0.numbers, .durable) }
      store.abandon()
      // recover ∘ recover = recover
      let again = try SteppedStore(disk)
      if try everything(again.reader).events != events || again.report.truncated != nil {
        return "round \(round): a second recovery differs from the first"
      }
      lastEpoch = again.report.epoch.rawValue
      again.abandon()
      let outside = try LogReader(disk: disk, directory: "/log")
      let verdict = try outside.verify(from: .origin, through: nil, progress: nil)
      if !verdict.isIntact || verdict.events != UInt64(events.count) {
        return "round \(round): verify finds \(verdict.gaps) \(verdict.revisionFaults)"
      }
    }
    return nil
  }

  private static func run(
    _ disk: SimulatedDisk, _ random: inout SeededRandom, _ oracle: inout Oracle,
    _ number: inout UInt64
  ) throws {
    guard let store = try? SteppedStore(disk) else { return }
    var unsynced: [Int] = []
    do {
      for _ in 0..<random.int(1...25) {
        switch random.int(0...9) {
        case 0...5:
          var group: [AppendBatch] = []
          let from = oracle.batches.count
          for _ in 0..<random.int(1...3) {
            let count = UInt64(random.int(1...4))
            let numbers = Array(number..<(number + count))
            number += count
            oracle.batches.append((numbers, .unknown))
            group.append(AppendBatch(events: numbers.map { draft($0) }))
          }
          for batch in group {
            guard case .placed = store.writer.add(batch) else {
              Issue.record("a new batch was not placed")
              return
            }
          }
          try store.writer.flush()
          for index in from..<oracle.batches.count {
            oracle.batches[index].knowledge = .written
            unsynced.append(index)
          }
        case 6...8:
          try store.sync()
          for index in unsynced { oracle.batches[index].knowledge = .durable }
          unsynced = []
        default:
          try store.sync()
          for index in unsynced { oracle.batches[index].knowledge = .durable }
          unsynced = []
          if random.oneIn(2) { try store.witnessBlock() }
          if random.oneIn(2) { try store.witness() }
        }
      }
      if random.oneIn(3) {
        try store.close()
        for index in unsynced { oracle.batches[index].knowledge = .durable }
        return
      }
    } catch is StoreError {
      // The crash.
    }
    store.abandon()
  }
}

import Glibc
import Support
import Synchronization
import Testing

@testable import EventStore

/// A batch that may be shed, and does not fit into what is left of a sector.
func outcome(_ number: UInt64, size: Int = 600) -> AppendBatch {
  AppendBatch(events: [draft(number, stream: "request", size: size)], isSheddable: true)
}

/// A gap as the log tells it.
struct Gap: Equatable {
  var opened: UInt64
  var closed: UInt64?
  var count: UInt64?
}

private let openedKind = "gap.opened.v1"
private let closedKind = "gap.closed.v1"

/// The gaps in a log; a closing event that closes nothing is a gap at 0.
func gapsOf(_ reader: LogReader) throws -> [Gap] {
  var gaps: [Gap] = []
  for event in try everything(reader).events {
    if event.kind == openedKind { gaps.append(Gap(opened: event.position.rawValue)) }
    guard event.kind == closedKind else { continue }
    let numbers = event.payload.split(separator: 0x20).compactMap {
      UInt64(String(decoding: $0, as: UTF8.self))
    }
    if let last = gaps.indices.last, gaps[last].opened == numbers.first, gaps[last].closed == nil {
      gaps[last].closed = event.position.rawValue
      gaps[last].count = numbers.last
    } else {
      gaps.append(Gap(opened: 0))
    }
  }
  return gaps
}

/// Gives each result to a closure, on the thread that brings it.
final class ResultSink: AppendSink {
  private let body: @Sendable (Result<AppendReceipt, StoreError>) -> Void

  init(_ body: @escaping @Sendable (Result<AppendReceipt, StoreError>) -> Void) {
    self.body = body
  }

  func completed(_ completions: [AppendCompletion]) {
    for completion in completions { body(completion.result) }
  }
}

private let gapIDs = Atomic<UInt64>(0)

/// A store with a small reserve that tells of gaps.
final class ShortBox {
  let disk: SimulatedDisk
  let store: EventStore
  private let told: Told

  private final class Told: Sendable {
    let changes = Mutex<[String]>([])
    let isOver = Signal()
  }

  init(
    _ disk: SimulatedDisk = SimulatedDisk(seed: 1), reserveBytes: Int = ShortageTests.reserve
  ) throws {
    let told = Told()
    self.told = told
    self.disk = disk
    store = try EventStore.small(
      disk, "/log", reserveBytes: reserveBytes, aheadBytes: 0, gapEvents: Self.events,
      stateChanged: { old, new in
        told.changes.withLock { $0.append(Self.name(old) + "→" + Self.name(new)) }
        if new == .working { told.isOver.post() }
      })
  }

  private static let events = GapEvents(
    opened: { event(openedKind, "", $0) },
    closed: { event(closedKind, "\($0) \($1)", $2) })

  private static func event(_ kind: String, _ text: String, _ time: Int64) -> EventDraft {
    let number = gapIDs.add(1, ordering: .relaxed).newValue
    return EventDraft(
      id: EventID(UInt128(number) << 64 | 0x6A), stream: "gateway", kind: kind, time: time,
      payload: Array(text.utf8))
  }

  private static func name(_ state: StoreState) -> String {
    switch state {
    case .working: "working"
    case .shedding: "shedding"
    case .poisoned: "poisoned"
    }
  }

  /// The changes of state that were told.
  var changes: [String] { told.changes.withLock { $0 } }
  /// Posted when a shortage is over.
  var isOver: Signal { told.isOver }
  let segment = "/log/seg/" + SegmentName.of(1)

  var shortage: StoreState.Shortage? {
    if case .shedding(let shortage) = store.state { shortage } else { nil }
  }

  func gaps() throws -> [Gap] { try gapsOf(LogReader(disk: disk, directory: "/log")) }
}

/// Appends to a store whose disk fills up, and keeps book.
final class ShortageCampaign {
  static let seedCount: Int = {
    let asked = getenv("SIGNALBOX_CRASH_POINTS").flatMap { Int(String(cString: $0)) }
    return (asked ?? 2_000) / 10
  }()

  private let disk: SimulatedDisk
  private var random: SeededRandom
  private var number: UInt64 = 0
  /// Answered `durable` or `written`, and no crash came.
  private var acknowledged: Set<UInt64> = []
  private var refused: Set<UInt64> = []
  private var sheddable: Set<UInt64> = []
  /// Sheddable ones of the present life.
  private var outcomes: Set<UInt64> = []
  /// The position with which the present life began.
  private var first: UInt64 = 1
  private(set) var violations: [String] = []
  private(set) var counted: UInt64 = 0

  init(_ disk: SimulatedDisk, seed: UInt64) {
    self.disk = disk
    random = SeededRandom(seed: seed)
  }

  var appended: Int { acknowledged.count }

  /// Opens the store; nil if that failed, which it may for want of space only, and then not again.
  func open() -> ShortBox? {
    outcomes = []
    do {
      return try ShortBox(disk)
    } catch let error as StoreError {
      // A sync that finds no space is a failed sync.
      if error.code != .full { violations.append("opening: \(error)") }
      disk.capacity = nil
      disk.clearFaults()
      do { return try ShortBox(disk) } catch { violations.append("opening again: \(error)") }
    } catch {
      violations.append("\(error)")
    }
    return nil
  }

  /// Appends a batch, or several at once, as the dice say.
  func append(_ box: ShortBox, size: Int) {
    let tally = Tally()
    var batches: [UInt64: (numbers: [UInt64], durability: Durability, isSheddable: Bool)] = [:]
    let count = random.oneIn(3) ? random.int(2...6) : 1
    for token in 1...UInt64(count) {
      let numbers = (0..<random.int(1...2)).map { number + UInt64($0) + 1 }
      number += UInt64(numbers.count)
      let isSheddable = !random.oneIn(3)
      let durability = Durability.allCases[random.int(0...2)]
      // What counts is what the batch says.
      let isCounted = !random.oneIn(4)
      if isSheddable {
        if isCounted { outcomes.formUnion(numbers) }
        sheddable.formUnion(numbers)
      }
      batches[token] = (numbers, durability, isSheddable)
      box.store.submit(
        AppendBatch(
          events: numbers.map { draft($0, size: size) }, isSheddable: isSheddable,
          loss: isCounted ? nil : 0),
        durability: durability, sink: tally, token: token)
    }
    tally.wait(for: count)
    for answer in tally.answers {
      guard let batch = batches[answer.token] else { continue }
      switch answer.result {
      case .success:
        if batch.durability != .queued { acknowledged.formUnion(batch.numbers) }
      case .failure(let error):
        if error.code == .full { refused.formUnion(batch.numbers) }
        if error.code != .full && error.code != .poisoned && error.code != .io {
          violations.append("\(error)")
        }
      }
    }
  }

  /// Ends the present life with space to spare, and looks whether the books agree.
  func close(_ box: ShortBox) {
    disk.capacity = nil
    disk.clearFaults()
    var isPoisoned = false
    do { try box.store.close() } catch {
      isPoisoned = error.code == .poisoned
      if !isPoisoned { violations.append("closing: \(error)") }
    }
    do {
      // As the next life will see it.
      let again = try ShortBox(disk)
      try again.store.close()
      let events = try everything(again.store.reader).events
      let found = Set(
        events.map { UInt64($0.id.rawValue >> 64) << 8 | UInt64($0.id.rawValue & 0xFF) })
      func isThere(_ number: UInt64) -> Bool { found.contains(number << 8 | 0xA1) }
      let lost = acknowledged.filter { !isThere($0) }.sorted()
      if !lost.isEmpty { violations.append("acknowledged and lost: \(lost)") }
      let phantoms = refused.filter { isThere($0) }.sorted()
      if !phantoms.isEmpty { violations.append("refused and there: \(phantoms)") }
      let all = try gapsOf(again.store.reader)
      let gaps = all.filter { $0.opened >= first }
      first = again.store.lastWritten.rawValue + 1
      // What a poisoned life did not record is for the opener to say.
      if isPoisoned { return }
      if gaps.contains(where: { $0.closed == nil }) { violations.append("a gap is open") }
      let sum = gaps.reduce(0) { $0 + ($1.count ?? 0) }
      let missing = UInt64(outcomes.filter { !isThere($0) }.count)
      if sum != missing { violations.append("\(missing) are missing, \(sum) counted") }
      counted += sum
      for gap in gaps {
        for event in events where event.position.rawValue > gap.opened {
          guard event.position.rawValue < gap.closed ?? .max else { break }
          if event.id.rawValue & 0xFF == 0xA1, sheddable.contains(UInt64(event.id.rawValue >> 64)) {
            violations.append("an outcome in a gap")
          }
        }
      }
    } catch {
      violations.append("\(error)")
    }
  }

  /// Several lives.
  func run() {
    for _ in 0..<random.int(1...3) {
      guard let box = open() else { return }
      for _ in 0..<random.int(5...40) {
        switch random.int(0...9) {
        case 0: disk.fill(butFor: random.int(0...20_000))
        case 1: disk.fill()
        case 2: disk.capacity = nil
        case 3, 4: disk.pass(milliseconds: 1_000)
        case 5 where random.oneIn(4):
          disk.inject(
            random.oneIn(2) ? .noSpace : .noSpaceAfter(random.int(0...300)),
            after: random.int(0...6))
        default: append(box, size: random.int(0...3_000))
        }
      }
      close(box)
      if !violations.isEmpty { return }
    }
  }
}

import Support
import Testing

@testable import EventStore

/// The tables' arithmetic: a wrong one gives right answers slowly, so no comparison of answers finds it.
struct SegmentIndexTests {
  @Test func bucketsSpanTheRangeOfHashesInOrder() {
    for count in [1, 2, 3, 1000, 65_537] {
      #expect(SegmentIndex.bucket(0, of: count) == 0)
      #expect(SegmentIndex.bucket(.max, of: count) == count - 1)
    }
    #expect(SegmentIndex.bucket(0x7FFF_FFFF_FFFF_FFFF, of: 1000) == 499)
    #expect(SegmentIndex.bucket(0x8000_0000_0000_0000, of: 1000) == 500)
  }

  @Test func entriesAreSpreadAndTheFilterFilters() throws {
    let seed: UInt64 = 17
    let disk = SimulatedDisk(seed: seed)
    var random = SeededRandom(seed: seed)
    let events = 6000
    let store = try SteppedStore(disk, segmentBytes: 64 << 20, segmentEvents: events)
    var number: UInt64 = 0
    while number <= events {
      let drafts = (1...100).map { draft(number + UInt64($0), stream: "s") }
      number += 100
      try store.append(AppendBatch(events: drafts))
    }
    while store.sealer.step() {}
    try store.close()
    let path = try #require(disk.paths.first { $0.hasSuffix(".sealed") })
    let file = try disk.open(path, .read)
    let tables = try IndexFile.read(file, path: path, isFooter: true).get()

    let directory = try tables.section(.directory, file).get()
    let starts = stride(from: 0, to: directory.count, by: 4).map { at in
      directory.withUnsafeBytes { Int($0.u32(at)) }
    }
    let sizes = zip(starts, starts.dropFirst()).map { ($1 - $0 - 4) / tables.index.entryBytes }
    #expect(sizes.count == (sizes.reduce(0, +) + 127) / 128)
    // 128 on average; eight standard deviations around it, and the last bits of rounding.
    #expect(sizes.allSatisfy { (30...230).contains($0) }, "seed \(seed): \(sizes)")

    let filter = try tables.section(.filter, file).get()
    let falseHits = (0..<20_000).count { _ in
      filter.withUnsafeBytes { SegmentIndex.mayHold(random.next(), filter: $0) }
    }
    // Ten bits a hash with six probes in one line: about 1.2 %.
    #expect(falseHits < 600, "seed \(seed)")
    #expect(falseHits > 20, "seed \(seed)")
  }

  /// The zone of a segment's ids spares looking for most of them; it must spare none that is there.
  @Test func anIdIsFoundAgainInWhateverOrderIdsCame() throws {
    let seed: UInt64 = 23
    var random = SeededRandom(seed: seed)
    let numbers = (1...200).map { UInt64($0) }
    for order in [numbers, numbers.reversed(), numbers.shuffled(using: &random)] {
      let disk = SimulatedDisk(seed: seed)
      let store = try SteppedStore(disk, segmentBytes: 1 << 20, segmentEvents: 60)
      for (place, number) in order.enumerated() {
        let draft = EventDraft(
          id: EventID(UInt128(number)), stream: "s", kind: "k.v1", time: 1, payload: [1])
        try store.append(AppendBatch(events: [draft]))
        // Open, closed, indexed and sealed segments.
        if place % 50 == 49 { _ = store.sealer.step() }
        let earlier = EventDraft(
          id: EventID(UInt128(order[random.int(0...place)])), stream: "s", kind: "k.v1", time: 1,
          payload: [1])
        let receipt = try #require(try store.append(AppendBatch(events: [earlier])).first)
        #expect(receipt.wasDuplicate, "seed \(seed), \(number)")
      }
      try store.close()
      let events = try everything(LogReader(disk: disk, directory: "/log")).events
      #expect(events.count == order.count, "seed \(seed)")
    }
  }
}

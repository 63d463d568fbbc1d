import Support
import Testing

@testable import EventStore

/// A real process, killed at random moments over the same directory.
struct KillTests {
  @Test func everyAcknowledgedEventOfAKilledProcessIsThereOnce() throws {
    let directory = try temporaryDirectory() + "/log"
    var random = SeededRandom(seed: 0x4B11)
    var acknowledged: Set<UInt128> = []
    var lastEpoch: UInt64 = 0
    for round in 0..<15 {
      let mode = ["durable", "written", "queued"][round % 3]
      let child = try torture(["append", directory, mode, String(round + 1)])
      let text = child.killAfter(bytes: 33 * random.int(1...3_000))
      // A kill may cut the last line.
      let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        .filter { $0.utf8.count == 32 }
      #expect(!lines.isEmpty, "round \(round): nothing was acknowledged")
      let ids = lines.compactMap { UInt128($0, radix: 16) }
      // A queued event may be lost with the process that answered it: 5 ms of them.
      if mode != "queued" { acknowledged.formUnion(ids) }
      let store = try EventStore.open(
        directory: directory, options: StoreOptions(segmentBytes: 64 << 10))
      #expect(store.epoch.rawValue > lastEpoch, "round \(round)")
      lastEpoch = store.epoch.rawValue
      let (events, gaps) = try everything(store.reader)
      let found = Set(events.map(\.id.rawValue))
      #expect(gaps.isEmpty && found.count == events.count, "round \(round): an event is doubled")
      #expect(acknowledged.isSubset(of: found), "round \(round), \(mode): acknowledged events lost")
      if mode == "queued" {
        // What was lost is an end of what was answered, never a hole.
        let kept = ids.prefix { found.contains($0) }
        #expect(ids.dropFirst(kept.count).allSatisfy { !found.contains($0) }, "round \(round)")
        acknowledged.formUnion(kept)
      }
      for event in events {
        let bytes = withUnsafeBytes(of: event.id.rawValue.bigEndian) { Array($0) }
        #expect(Array(event.payload) == bytes + bytes + bytes, "round \(round): phantom")
      }
      let verdict = try store.reader.verify(from: .origin, through: nil, progress: nil)
      #expect(verdict.isIntact, "round \(round): \(verdict.gaps)")
      if random.oneIn(2) { try store.close() }
    }
  }
}

import Support
import Testing

@testable import EventStore

/// The ids of a group beside a plain dictionary, with chains of slots as long as they come.
struct GroupIDsTests {
  /// On a full disk a batch is asked about that would not fit into the group.
  @Test func aFullGroupCanBeAskedAboutAnotherBatch() throws {
    let store = try SteppedStore(SimulatedDisk(seed: 1))
    func drafts(_ numbers: ClosedRange<UInt64>) -> AppendBatch {
      AppendBatch(events: numbers.map { draft($0) })
    }
    guard case .placed = store.writer.add(drafts(1...4_090)) else {
      Issue.record("a group takes 4096 events")
      return
    }
    if let answer = store.writer.standing(of: try PreparedBatch(drafts(5_001...9_096))) {
      Issue.record("none of it was seen before: \(answer)")
    }
    guard case .duplicate? = store.writer.standing(of: try PreparedBatch(drafts(1...4_000))) else {
      Issue.record("it is in the group")
      return
    }
    #expect(store.writer.groupCount == 4_090)
    store.abandon()
  }

  @Test(arguments: 1...8) func itAgreesWithADictionary(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var group = GroupIDs()
    var model: [UInt128] = []
    // Few different hashes, so that ids meet in the table.
    func hash(_ id: UInt128) -> UInt64 { UInt64(truncatingIfNeeded: id) % 7 &* 0x0101_0101 }
    for _ in 0..<300 {
      switch random.int(0...9) {
      case 0:
        group.removeAll()
        model = []
      case 1, 2:
        let left = random.int(0...model.count)
        group.removeLast(to: left)
        model.removeLast(model.count - left)
      default:
        group.reserve(40)
        for _ in 0..<random.int(0...40) {
          let id = UInt128(random.int(1...400))
          let isNew = !model.contains(id)
          #expect(group.insert(id, hash: hash(id)) == isNew, "seed \(seed)")
          if isNew { model.append(id) }
        }
      }
      #expect(group.count == model.count)
      for id in UInt128(1)...400 {
        #expect(group.index(of: id, hash: hash(id)) == model.firstIndex(of: id), "seed \(seed)")
      }
    }
  }
}

import Support
import Testing

@testable import EventStore

/// What an event's leaf is made of, taken out of the log.
struct PublicRecordTests {
  private func log(_ seed: UInt64) throws -> (EventStore, [EventDraft]) {
    let (disk, directory) = try DiskKind.simulated.make()
    let store = try EventStore.small(disk, directory)
    var dice = SeededRandom(seed: seed)
    var drafts: [EventDraft] = []
    func bytes(_ range: ClosedRange<Int>) -> [UInt8] {
      (0..<Int.random(in: range, using: &dice)).map { _ in UInt8.random(in: 0...255, using: &dice) }
    }
    for number in 1...UInt64(200) {
      drafts.append(
        EventDraft(
          id: EventID(UInt128(number)), stream: "s\(number % 7)", kind: "kind.\(number % 3).v1",
          time: Int64(number), lookupKeys: number % 4 == 0 ? [bytes(1...40), bytes(1...9)] : [],
          payload: bytes(0...600), sealed: number % 5 == 0 ? bytes(1...80) : []))
    }
    var rest = drafts[...]
    while !rest.isEmpty {
      let count = Int.random(in: 1...9, using: &dice)
      _ = try store.appendAndWait(
        AppendBatch(events: Array(rest.prefix(count))), durability: .written)
      rest = rest.dropFirst(count)
    }
    return (store, drafts)
  }

  @Test(arguments: [UInt64(1), 2, 3])
  func leavesAndPublicPartsGiveTheChainAndTheEvents(seed: UInt64) throws {
    let (store, drafts) = try log(seed)
    defer { _ = try? store.close() }
    let reader = store.reader
    let leaves = try reader.leaves(from: Position(1), through: Position(200))
    #expect(leaves.count == 200)
    var chain = Digest.zero
    for (index, draft) in drafts.enumerated() {
      let position = Position(UInt64(index + 1))
      let record = try #require(try reader.publicRecord(at: position))
      #expect(record.leaf == leaves[index])
      chain = chain.chain(with: leaves[index])
      #expect(try reader.chainValue(at: position) == chain)
      let event = try #require(record.event(epoch: Epoch(1), position: position))
      #expect(event.id == draft.id && event.stream == draft.stream && event.kind == draft.kind)
      #expect(event.time == draft.time && event.lookupKeys == draft.lookupKeys)
      #expect(Array(event.payload) == draft.payload && event.sealed.isEmpty)
      #expect((record.sealedDigest == .ofNothing) == draft.sealed.isEmpty)
    }
    #expect(try reader.leaves(from: Position(17), through: Position(18)) == Array(leaves[16...17]))
    #expect(try reader.leaves(from: Position(9), through: Position(8)).isEmpty)
    #expect(try reader.publicRecord(at: Position(201)) == nil)
    let error = #expect(throws: StoreError.self) {
      try reader.leaves(from: Position(190), through: Position(201))
    }
    #expect(error?.code == .damaged && error?.position == Position(201))
  }

  @Test func bytesThatAreNoPublicPartSayNoEvent() throws {
    let (store, _) = try log(4)
    defer { _ = try? store.close() }
    for position in [UInt64(1), 4, 5, 20] {
      let record = try #require(try store.reader.publicRecord(at: Position(position)))
      func event(_ bytes: [UInt8]) -> StoredEvent? {
        PublicRecord(bytes: bytes, sealedDigest: record.sealedDigest)
          .event(epoch: Epoch(1), position: Position(1))
      }
      #expect(event(record.bytes) != nil)
      for count in 0..<record.bytes.count {
        #expect(event(Array(record.bytes.prefix(count))) == nil)
      }
      #expect(event(record.bytes + [0]) == nil)
      for bit in 2..<8 {
        #expect(event([record.bytes[0] | 1 << bit] + record.bytes.dropFirst()) == nil)
      }
    }
    #expect(Digest(bytes: [UInt8](repeating: 1, count: 31)) == nil)
  }
}

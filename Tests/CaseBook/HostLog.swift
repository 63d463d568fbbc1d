internal import Domain
internal import EventStore

/// A host's log, with the fold of it: a real store in a directory.
final class HostLog {
  let directory: String
  private(set) var state = ControlState.initial
  private var store: EventStore?
  private var nextID: UInt128

  /// An event and who caused it.
  typealias Fact = (event: Event, provenance: Provenance)

  /// - Parameter number: tells the events of several hosts apart.
  init(_ directory: String, number: UInt128) throws {
    self.directory = directory
    nextID = 0x0193_2d5e_7c4b_7000_8000_0000_0000_0000 + number << 32
    store = try EventStore.open(directory: directory, options: StoreOptions(seals: false))
  }

  var isOpen: Bool { store != nil }

  /// One batch, durable.
  func append(_ facts: [Fact], at time: UnixNanoseconds) throws {
    guard let store, !facts.isEmpty else { return }
    var drafts: [EventDraft] = []
    for fact in facts {
      nextID += 1
      drafts.append(
        EventDraft(
          id: EventID(nextID), stream: fact.event.stream, kind: fact.event.kind,
          time: time.rawValue, lookupKeys: fact.event.lookupKeys,
          payload: encode(fact.event, fact.provenance)))
    }
    let receipt = try store.appendAndWait(AppendBatch(events: drafts), durability: .durable)
    for (offset, fact) in facts.enumerated() {
      state.apply(
        Recorded(
          position: receipt.first.rawValue + UInt64(offset), time: time, kind: fact.event.kind,
          provenance: fact.provenance, content: .event(fact.event)))
    }
  }

  func close() throws {
    try store?.close()
    store = nil
  }

  /// As a gateway does at its start.
  func reopen() throws(StoreError) {
    store = try EventStore.open(directory: directory, options: StoreOptions(seals: false))
  }
}

import ControlPlane
import Domain
import EventStore
import Support
import Testing

/// A log of random requests of two providers' accounts, as the data plane writes them.
struct RandomStory {
  var random: SeededRandom
  var facts: [(position: UInt64, time: Int64, fact: RequestEvent.Finished)] = []
  var open: [(position: UInt64, time: Int64, fact: RequestEvent.Dispatched)] = []
  /// Some requests are cut off, some end long after they began, and the end of some cannot be sent.
  var hasAccidents = false
  private var unsent: [RequestID] = []

  init(random: SeededRandom, hasAccidents: Bool = false) {
    self.random = random
    self.hasAccidents = hasAccidents
  }

  mutating func append(_ count: Int, to box: TestBox) throws {
    var at = box.store.lastWritten.rawValue
    var drafts: [EventDraft] = []
    func write(_ event: RequestEvent) -> UInt64 {
      let event = Event.request(event)
      drafts.append(
        EventDraft(
          id: EventID(box.clock.edge.mintID()), stream: event.stream, kind: event.kind,
          time: box.clock.now.rawValue, lookupKeys: event.lookupKeys,
          payload: encode(event, .system)))
      at += 1
      return at
    }
    for _ in 0..<count {
      box.clock.advance(milliseconds: Int64(random.int(0...30_000)))
      if hasAccidents, let event = accident() {
        let position = write(event)
        if case .finished(let fact) = event {
          facts.append((position, box.clock.now.rawValue, fact))
        }
        continue
      }
      let id = RequestID(UInt128(random.next()) << 64 | UInt128(random.next()))
      if random.oneIn(5) {
        let fact = RequestEvent.Dispatched(
          id: id, clientRequestID: nil, organisation: organisation(), key: key(),
          operation: .chatCompletions, modelAsked: "fast", receivedAt: box.clock.now,
          account: account())
        let position = write(.dispatched(fact))
        if random.oneIn(3) {
          open.append((position, box.clock.now.rawValue, fact))
          continue
        }
      }
      let fact = finished(id, box.clock.now)
      let position = write(.finished(fact))
      facts.append((position, box.clock.now.rawValue, fact))
      if fact.ending == .completed, random.oneIn(3) { unsent.append(fact.id) }
    }
    let first = box.store.lastWritten.rawValue + 1
    #expect(
      try box.store.appendAndWait(AppendBatch(events: drafts), durability: .written).first
        .rawValue == first)
  }

  /// What becomes of a request that began or ended before; nil: nothing now.
  private mutating func accident() -> RequestEvent? {
    if random.oneIn(8), let id = unsent.popLast() {
      return .deliveryFailed(.init(id: id, errorCode: "client_hung_up"))
    }
    guard random.oneIn(25), !open.isEmpty else { return nil }
    let begun = open.remove(at: random.int(0...open.count - 1))
    if random.oneIn(2) { return .finished(finished(begun.fact.id, begun.fact.receivedAt)) }
    return .interrupted(
      .init(
        id: begun.fact.id, clientRequestID: nil, organisation: begun.fact.organisation,
        key: begun.fact.key, dispatchedAt: begun.position))
  }

  private mutating func finished(
    _ id: RequestID, _ now: UnixNanoseconds
  ) -> RequestEvent.Finished {
    let isDenied = random.oneIn(8)
    let isGood = !isDenied && !random.oneIn(4)
    let count = isDenied ? 0 : random.int(1...2)
    let status: UInt16 = isGood ? 200 : isDenied ? 429 : 502
    return RequestEvent.Finished(
      id: id, clientRequestID: nil, organisation: organisation(), key: key(),
      remoteAddress: "127.0.0.1", operation: .chatCompletions,
      modelAsked: random.oneIn(2) ? "fast" : "mock/gpt",
      modelResolved: isDenied ? nil : "mock/gpt", isStream: false, receivedAt: now,
      attempts: (0..<count).map { number in
        let isLast = number == count - 1
        return Attempt(
          snapshot: 3, now: now, seed: 1, local: .none, account: account(),
          rule: random.oneIn(6) ? .owner : .fillFirst, status: isLast && isGood ? 200 : 500,
          errorClass: isLast && isGood ? nil : .provider, errorCode: nil,
          connectMicroseconds: 4, firstByteMicroseconds: nil, totalMicroseconds: 10_000)
      }, status: status, ending: isGood ? .completed : isDenied ? .denied : .failed,
      errorCode: isDenied ? "rate_limit_exceeded" : isGood ? nil : "upstream_error",
      errorClass: isGood ? nil : isDenied ? .client : .provider,
      usage: isGood ? TokenUsage(input: 10, output: 3) : .notReported,
      costMicroUSD: isGood ? 1_500 : nil, requestBytes: 1, responseBytes: 1,
      queueMicroseconds: 1, firstByteMicroseconds: nil, totalMicroseconds: 5)
  }

  private mutating func organisation() -> OrganisationID {
    OrganisationID(random.oneIn(2) ? "acme" : "beta")
  }
  private mutating func key() -> KeyID { KeyID("k\(random.int(1...3))") }
  private mutating func account() -> AccountID { AccountID("a\(random.int(1...3))") }
}

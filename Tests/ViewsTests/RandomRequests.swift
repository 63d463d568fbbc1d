import Domain
import Support

/// Requests as a gateway records them, from a seed: few enough names that they meet again.
struct RandomRequests {
  var random: SeededRandom
  private var position: UInt64 = 0
  private(set) var time: Int64
  private var dispatched: [RequestID] = []

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    time = 1_763_790_000_000_000_000 + Int64(random.int(0...86_400)) * 1_000_000_000
  }

  /// One event with its place.
  struct Placed {
    var position: UInt64
    var time: UnixNanoseconds
    var event: Event
    var bytes: [UInt8]
  }

  /// The next `count` events; positions may be missing, as where a loss was accepted, and clocks may be set back.
  mutating func next(_ count: Int) -> [Placed] {
    (0..<count).map { _ in
      position += random.oneIn(50) ? UInt64(random.int(1...3000)) : 1
      time += Int64(random.int(0...90)) * 1_000_000_000
      if random.oneIn(100) { time -= 7_200_000_000_000 }
      let event = event()
      return Placed(
        position: position, time: UnixNanoseconds(time), event: event,
        bytes: encode(event, .system))
    }
  }

  private mutating func event() -> Event {
    switch random.int(0...19) {
    case 0: return .alias(.removed("old"))
    case 1: return .request(.deliveryFailed(.init(id: id(), errorCode: "client_hung_up")))
    case 2:
      return .request(
        .deniedSummary(
          .init(
            remoteAddress: "127.0.0.1", since: UnixNanoseconds(time),
            count: UInt64(random.int(1...50)))))
    case 3:
      return .request(
        .interrupted(
          .init(
            id: id(), clientRequestID: nil, organisation: organisation(), key: key(),
            dispatchedAt: position,
            charge: random.oneIn(2)
              ? .init(reserve: Reserve(microUSD: 5, tokens: 9), receivedAt: received()) : nil)))
    case 4, 5:
      return .request(
        .dispatched(
          .init(
            id: id(), clientRequestID: nil, organisation: organisation(), key: key(),
            operation: operation(), modelAsked: "gpt", receivedAt: received(),
            account: random.oneIn(2) ? account() : nil)))
    case _: return .request(.finished(finished()))
    }
  }

  mutating func finished() -> RequestEvent.Finished {
    let ending = Ending.allCases.randomElement(using: &random) ?? .completed
    let count = ending == .denied ? 0 : random.int(1...3)
    let resolved =
      count == 0 ? nil : ["openai/gpt", "anthropic/claude"].randomElement(using: &random)
    let isGood = ending == .completed
    return RequestEvent.Finished(
      id: id(), clientRequestID: nil, organisation: organisation(), key: key(),
      remoteAddress: "127.0.0.1", operation: operation(),
      modelAsked: resolved == nil ? "no/such/\(random.int(0...5))" : "fast",
      modelResolved: resolved, isStream: random.oneIn(2), receivedAt: received(),
      attempts: (0..<count).map { attempt(isLast: $0 == count - 1, isGood: isGood) },
      status: isGood ? 200 : [400, 429, 502].randomElement(using: &random) ?? 500, ending: ending,
      errorCode: isGood ? nil : "rate_limited", errorClass: isGood ? nil : .provider,
      usage: random.oneIn(3)
        ? .notReported
        : TokenUsage(
          input: UInt64(random.int(0...900)), output: UInt64(random.int(0...90)),
          cached: random.oneIn(2) ? 3 : nil, reasoning: random.oneIn(2) ? 2 : nil),
      costMicroUSD: random.oneIn(2) ? UInt64(random.int(0...1000)) : nil, requestBytes: 10,
      responseBytes: 20, queueMicroseconds: 3, firstByteMicroseconds: nil,
      totalMicroseconds: UInt64(random.int(1...5_000_000)))
  }

  private mutating func attempt(isLast: Bool, isGood: Bool) -> Attempt {
    let fails = !(isLast && isGood)
    let wasSent = !fails || !random.oneIn(4)
    return Attempt(
      snapshot: 1, now: received(), seed: 1, local: .none, account: account(), rule: .fillFirst,
      status: wasSent ? (fails ? 429 : 200) : nil,
      errorClass: fails ? (wasSent ? .account : .request) : nil,
      errorCode: fails ? "status_429" : nil, connectMicroseconds: wasSent ? 5 : nil,
      firstByteMicroseconds: nil, totalMicroseconds: UInt64(random.int(1...3_000_000)),
      upstreamModel: random.oneIn(2) ? "gpt" : nil)
  }

  private mutating func id() -> RequestID {
    RequestID(UInt128(random.next()) << 64 | UInt128(random.next()))
  }
  private mutating func received() -> UnixNanoseconds {
    UnixNanoseconds(time - Int64(random.int(0...7_200)) * 1_000_000_000)
  }
  private mutating func organisation() -> OrganisationID? {
    random.oneIn(5) ? nil : OrganisationID(["acme", "beta"].randomElement(using: &random) ?? "")
  }
  private mutating func key() -> KeyID? { random.oneIn(5) ? nil : KeyID("k\(random.int(0...3))") }
  private mutating func account() -> AccountID { AccountID("a\(random.int(0...4))") }
  private mutating func operation() -> Operation {
    Operation.allCases.randomElement(using: &random) ?? .unknown
  }
}

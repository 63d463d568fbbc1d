import Support
import Testing

@testable import Domain

/// The outline of a finished request says what decoding it whole says.
struct RequestOutlineTests {
  @Test func everySampleOfItsKindsReadsTheSame() throws {
    var outline = RequestOutline()
    var count = 0
    for sample in WireKind.allCases.map(\.sample) {
      let bytes = encode(sample, .system)
      let isRead = try outline.read(kind: sample.kind, bytes: bytes[...])
      guard case .request(.finished(let fact)) = sample else {
        #expect(!isRead)
        continue
      }
      count += 1
      try expect(outline, is: fact, bytes)
    }
    #expect(count >= 3)
  }

  @Test(arguments: 1...200 as ClosedRange<UInt64>)
  func anyRequestReadsTheSame(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let fact = Self.finished(&random)
    let event = Event.request(.finished(fact))
    // Within a block, where other records stand before and behind.
    let payload = encode(event, .system)
    let block = [9, 9, 9] + payload + [7]
    var outline = RequestOutline()
    #expect(try outline.read(kind: event.kind, bytes: block[3..<3 + payload.count]))
    try expect(outline, is: fact, payload)
    for cut in 0..<payload.count {
      #expect(throws: DecodingFailure.self, "seed \(seed), \(cut) bytes") {
        try outline.read(kind: event.kind, bytes: payload[..<cut])
      }
    }
  }

  /// What is checked is read or refused exactly as decoding it whole does.
  @Test(arguments: 1...300 as ClosedRange<UInt64>)
  func changedBytesAreRefusedAsDecodingRefusesThem(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let event = Event.request(.finished(Self.finished(&random)))
    var outline = RequestOutline()
    let kinds = [WireKind.requestFinished, .requestFinishedV2, .requestFinishedV3].map(\.rawValue)
    for _ in 0..<200 {
      var bytes = encode(event, .system)
      for _ in 0..<random.int(0...2) {
        bytes[random.int(0...bytes.count - 1)] = UInt8(truncatingIfNeeded: random.next())
      }
      let kind = random.oneIn(8) ? kinds[random.int(0...2)] : event.kind
      let whole = try? Recorded(
        position: 1, time: UnixNanoseconds(0), kind: kind, bytes: bytes[...])
      let isRead = try? outline.read(kind: kind, bytes: bytes[...], isChecked: true)
      #expect((isRead == true) == (whole != nil), "seed \(seed), \(kind), \(bytes)")
      guard isRead == true, case .request(.finished(let fact))? = whole?.event else { continue }
      try expect(outline, is: fact, bytes)
    }
  }

  private func expect(
    _ outline: RequestOutline, is fact: RequestEvent.Finished, _ bytes: [UInt8]
  ) throws {
    func text(_ place: Range<Int>?) -> String? {
      place.map { String(decoding: bytes[$0], as: UTF8.self) }
    }
    #expect(outline.id == fact.id)
    #expect(outline.receivedAt == fact.receivedAt)
    #expect(text(outline.organisation) == fact.organisation?.rawValue)
    #expect(text(outline.key) == fact.key?.rawValue)
    #expect(outline.operation == fact.operation)
    #expect(text(outline.modelAsked) == fact.modelAsked)
    #expect(text(outline.modelResolved) == fact.modelResolved)
    #expect(outline.status == fact.status)
    #expect(outline.ending == fact.ending)
    #expect(text(outline.errorCode) == fact.errorCode)
    #expect(outline.errorClass == fact.errorClass)
    #expect(outline.isStream == fact.isStream)
    #expect(outline.queueMicroseconds == fact.queueMicroseconds)
    #expect(outline.firstByteMicroseconds == fact.firstByteMicroseconds)
    #expect(outline.totalMicroseconds == fact.totalMicroseconds)
    #expect(outline.limits == fact.limits)
    #expect(outline.trace == fact.trace)
    #expect(outline.usage == fact.usage)
    #expect(outline.costMicroUSD == fact.costMicroUSD)
    #expect(outline.session == fact.session)
    try #require(outline.attempts.count == fact.attempts.count)
    for (short, whole) in zip(outline.attempts, fact.attempts) {
      #expect(text(short.account) == whole.account.rawValue)
      #expect(short.rule == whole.rule)
      #expect(short.snapshot == whole.snapshot && short.now == whole.now)
      #expect(short.seed == whole.seed && short.local == whole.local)
      #expect(short.firstByteMicroseconds == whole.firstByteMicroseconds)
      #expect(text(short.upstreamModel) == whole.upstreamModel)
      #expect(short.status == whole.status)
      #expect(short.errorClass == whole.errorClass)
      #expect(short.wasConnected == (whole.connectMicroseconds != nil))
      #expect(short.totalMicroseconds == whole.totalMicroseconds)
    }
  }

  private static func finished(_ random: inout SeededRandom) -> RequestEvent.Finished {
    func maybe<Value>(_ random: inout SeededRandom, _ value: Value) -> Value? {
      random.oneIn(2) ? value : nil
    }
    let received = UnixNanoseconds(Int64(random.int(0...1_000_000)))
    let count = random.int(0...3)
    return RequestEvent.Finished(
      id: RequestID(UInt128(random.next())), clientRequestID: maybe(&random, "mine"),
      organisation: maybe(&random, OrganisationID("acme")), key: maybe(&random, KeyID("k")),
      remoteAddress: "127.0.0.1",
      operation: Operation.allCases.randomElement(using: &random) ?? .unknown,
      modelAsked: "fást", modelResolved: maybe(&random, "p/m"), isStream: random.oneIn(2),
      receivedAt: received,
      attempts: (0..<count).map { _ in
        Attempt(
          snapshot: random.next(), now: received, seed: random.next(),
          local: random.oneIn(2)
            ? .none
            : LocalInputs(
              cursor: 3, heldProbes: [AccountID("h")],
              latencies: [.init(account: AccountID("l"), microseconds: 4)]),
          account: AccountID("a\(random.int(0...9))"), rule: .fillFirst,
          status: maybe(&random, 503), errorClass: maybe(&random, .provider),
          errorCode: maybe(&random, "status_503"), connectMicroseconds: maybe(&random, 5),
          firstByteMicroseconds: maybe(&random, 6), totalMicroseconds: random.next(),
          upstreamModel: maybe(&random, "m"))
      }, status: 200, ending: Ending.allCases.randomElement(using: &random) ?? .completed,
      errorCode: maybe(&random, "code"), errorClass: maybe(&random, .client),
      usage: TokenUsage(
        input: maybe(&random, random.next()), output: maybe(&random, 1),
        cached: maybe(&random, 2), reasoning: maybe(&random, 3), cacheCreation: maybe(&random, 4)),
      priceVersion: maybe(&random, 9), costMicroUSD: maybe(&random, 10), requestBytes: 1,
      responseBytes: 2, queueMicroseconds: 3, firstByteMicroseconds: maybe(&random, 4),
      totalMicroseconds: 5, session: maybe(&random, 6),
      limits: random.oneIn(2)
        ? [] : [LimitReading(scope: .key, measure: .requestsPerSecond, limit: 1, used: 2)],
      reserve: maybe(&random, Reserve(microUSD: 1, tokens: 2)),
      idempotency: maybe(&random, IdempotencyMark(key: 1, body: 2)),
      trace: random.oneIn(2) ? TraceContext(trace: 1, parent: random.next() | 1, flags: 1) : nil)
  }
}

import Domain
import Foundation
import Support
import Testing

/// Everything an event's author can say about itself.
private let full = Provenance(
  actor: "admin", source: .api, address: "127.0.0.1:50123",
  cause: 0x0123_4567_89AB_CDEF_0123_4567_89AB_CDEF, correlation: 1, base: 41)

private func decoded(_ kind: String, _ bytes: some Collection<UInt8>) throws(DecodingFailure)
  -> Recorded
{
  try Recorded(position: 7, time: second(7), kind: kind, bytes: [UInt8](bytes))
}

@Test(
  "every kind's sample is of that kind and reads back as it was written", arguments: WireKind.all)
func roundTrips(_ kind: String) throws {
  let sample = try #require(WireKind.sample(kind))
  #expect(sample.kind == kind)
  for provenance in [full, .system, Provenance(actor: "local:0", source: .cli)] {
    let record = try decoded(kind, encode(sample, provenance))
    #expect(record.content == .event(sample))
    #expect(record.provenance == provenance)
    #expect(record.kind == kind)
    #expect(record.position == 7)
    #expect(record.time == second(7))
  }
}

@Test("wire literals are unique, well formed and name their stream's family")
func namesKinds() throws {
  #expect(Set(WireKind.all).count == WireKind.all.count)
  #expect(WireKind.all.count == WireKind.allCases.count)
  for kind in WireKind.all {
    #expect(try #/^[a-z_]+\.[a-z_]+\.v[0-9]+$/#.wholeMatch(in: kind) != nil, "\(kind)")
    #expect(kind.utf8.count <= 127)
    let family = kind.prefix { $0 != "." }
    #expect(try #require(WireKind.sample(kind)).stream.hasPrefix(family))
  }
  #expect(WireKind.sample("request.finished.v0") == nil)
}

@Test("a payload cut anywhere is a failure, never a trap", arguments: WireKind.all)
func survivesTruncation(_ kind: String) throws {
  let bytes = encode(try #require(WireKind.sample(kind)), full)
  for length in 0..<bytes.count {
    let failure = #expect(throws: DecodingFailure.self, "\(length) of \(bytes.count)") {
      try decoded(kind, bytes.prefix(length))
    }
    #expect(failure.map { $0.offset <= length } == true)
    #expect(failure?.kind == kind)
  }
}

@Test("bytes behind the last field are a failure", arguments: WireKind.all)
func refusesTrailingBytes(_ kind: String) throws {
  let bytes = encode(try #require(WireKind.sample(kind)), full)
  let failure = #expect(throws: DecodingFailure.self) { try decoded(kind, bytes + [0]) }
  #expect(failure == DecodingFailure(kind: kind, offset: bytes.count, reason: .trailingBytes))
}

@Test(
  "a flipped bit is a failure or another record that encodes to just these bytes",
  arguments: WireKind.all)
func survivesBitFlips(_ kind: String) throws {
  let bytes = encode(try #require(WireKind.sample(kind)), full)
  for bit in 0..<bytes.count * 8 {
    var flipped = bytes
    flipped[bit / 8] ^= 1 << UInt8(bit % 8)
    expectCanonical(kind, flipped, "bit \(bit)")
  }
}

@Test(
  "random bytes are a failure or a record that encodes to just these bytes", arguments: WireKind.all
)
func survivesRandomBytes(_ kind: String) throws {
  for seed in UInt64(0)..<200 {
    var random = SeededRandom(seed: seed)
    expectCanonical(kind, random.bytes(random.int(0...300)), "seed \(seed)")
    // Behind a valid beginning, so that the later fields are reached too.
    let sample = encode(try #require(WireKind.sample(kind)), .system)
    let kept = random.int(0...sample.count)
    expectCanonical(kind, sample.prefix(kept) + random.bytes(random.int(0...64)), "seed \(seed)")
  }
}

private func expectCanonical(_ kind: String, _ bytes: some Collection<UInt8>, _ comment: Comment) {
  guard let record = try? decoded(kind, bytes), case .event(let event) = record.content else {
    return
  }
  #expect(encode(event, record.provenance) == [UInt8](bytes), comment)
}

@Test("a length that no memory could hold is refused before anything is allocated")
func boundsAllocation() {
  let hostile: [(kind: String, bytes: [UInt8])] = [
    // An actor of 2^63 bytes.
    (
      "gateway.started.v1",
      [0x00, 0x05, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]
    ),
    // 2^35 models, behind a whole beginning.
    (
      "provider.changed.v1",
      [0x01, 0x05, 0x10, 0x01, 0x70, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]
    ),
  ]
  for (kind, bytes) in hostile {
    let failure = #expect(throws: DecodingFailure.self) { try decoded(kind, bytes) }
    #expect(failure?.reason == .truncated)
  }
}

@Test("each rule of the encoding has its reason")
func namesReasons() {
  let rows: [([UInt8], DecodingFailure.Reason)] = [
    ([], .truncated),
    ([0x20, 0x05], .unknownFlags),
    ([0x81, 0x00, 0x05], .invalidVarint),
    ([0x01, 0x09], .invalidValue),
    ([0x00, 0x05, 0x01, 0xFF], .invalidText),
    ([0x00, 0x05, 0x06] + Array("system".utf8), .notCanonical),
    ([0x01, 0x05, 0x00], .trailingBytes),
    ([UInt8](repeating: 0xFF, count: 9) + [0x02], .invalidVarint),
    ([UInt8](repeating: 0x80, count: 20), .invalidVarint),
  ]
  for (bytes, reason) in rows {
    let failure = #expect(throws: DecodingFailure.self) {
      try decoded("settings.admin_password_set.v1", bytes)
    }
    #expect(failure?.reason == reason, "\(bytes)")
  }
}

@Test("a kind of a later build is kept whole, with its provenance")
func keepsUnknownKinds() throws {
  var bytes = encode(.settings(.adminPasswordSet), full)
  bytes += [1, 2, 3]
  let record = try decoded("tram.set.v1", bytes[...])
  #expect(record.content == .unknown(bytes: bytes))
  #expect(record.provenance == full)
  #expect(record.event == nil)
  var state = ControlState.initial
  state.apply(record)
  #expect(state == .initial)
}

@Test("a failure keeps no more of a kind than a kind may have")
func boundsKindInFailure() {
  let failure = #expect(throws: DecodingFailure.self) {
    try decoded(String(repeating: "k", count: 10_000), [])
  }
  #expect(failure?.kind.utf8.count == 127)
}

@Test("the fast path appends the very bytes of the common one")
func encodesFinishedAlike() throws {
  for seed in UInt64(0)..<300 {
    var random = SeededRandom(seed: seed)
    let finished = RequestEvent.Finished.random(&random)
    var buffer: [UInt8] = [1, 2, 3]
    finished.encode(into: &buffer)
    let bytes = encode(.request(.finished(finished)), .system)
    #expect(buffer == [1, 2, 3] + bytes, "seed \(seed)")
    let record = try decoded(finished.wireKind.rawValue, bytes)
    #expect(record.content == .event(.request(.finished(finished))), "seed \(seed)")
    #expect(record.provenance == .system)
  }
}

@Test("what an earlier version can hold is written as that, and the next one refuses to")
func writesOldestVersion() throws {
  for (first, second) in [
    ("request.finished.v1", "request.finished.v2"),
    ("request.finished.v2", "request.finished.v3"),
    ("request.finished.v1", "request.finished.v3"),
    ("request.dispatched.v1", "request.dispatched.v2"),
    ("request.interrupted.v1", "request.interrupted.v2"),
  ] {
    let simple = try #require(WireKind.sample(first))
    #expect(simple.kind == first)
    let bytes = encode(simple, .system)
    #expect(throws: DecodingFailure.self) { try decoded(second, bytes) }
    let rich = try #require(WireKind.sample(second))
    #expect(rich.kind == second)
    #expect(throws: DecodingFailure.self) { try decoded(first, encode(rich, .system)) }
  }
}

@Test("a slice of a larger buffer decodes like bytes of its own")
func decodesSlices() throws {
  let sample = try #require(WireKind.sample("request.finished.v1"))
  let block = [9, 9, 9] + encode(sample, full) + [9]
  let record = try Recorded(
    position: 1, time: second(1), kind: sample.kind, bytes: block[3..<block.count - 1])
  #expect(record.content == .event(sample))
}

@Test("events of one request are found by both ids, others by none")
func givesLookupKeys() throws {
  let id = RequestID(0x0102_0304_0506_0708_090A_0B0C_0D0E_0F10)
  let failed = Event.request(.deliveryFailed(.init(id: id, errorCode: "x")))
  #expect(failed.lookupKeys == [Array(1...16)])
  for kind in WireKind.all {
    let keys = try #require(WireKind.sample(kind)).lookupKeys
    switch kind.dropLast(3) {
    case "request.finished", "request.dispatched", "request.interrupted":
      #expect(keys[1] == Array("c:req-42".utf8))
      // With an `Idempotency-Key`, by that as well.
      let isMarked = ["request.finished.v2", "request.finished.v3", "request.dispatched.v2"]
        .contains(kind)
      #expect(keys.count == (isMarked ? 3 : 2))
      if isMarked { #expect(keys[2].prefix(2) == Array("i:".utf8)[...]) }
    case "request.delivery_failed": #expect(keys.map(\.count) == [16])
    case _: #expect(keys.isEmpty)
    }
  }
}

@Test("golden bytes of every kind are as they were first written", arguments: WireKind.all)
func keepsGoldenBytes(_ kind: String) throws {
  let sample = try #require(WireKind.sample(kind))
  let provenance = kind.hasPrefix("request.") || kind.hasPrefix("gateway.") ? .system : full
  let bytes = encode(sample, provenance)
  let text = readable(sample, provenance, bytes)
  let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Fixtures/events").standardizedFileURL
  let binary = folder.appending(path: kind + ".bin")
  let readable = folder.appending(path: kind + ".txt")
  if ProcessInfo.processInfo.environment["UPDATE_GOLDEN"] == "1" {
    try Data(bytes).write(to: binary)
    try Data(text.utf8).write(to: readable)
  }
  #expect([UInt8](try Data(contentsOf: binary)) == bytes)
  #expect(String(decoding: try Data(contentsOf: readable), as: UTF8.self) == text)
}

@Test("there are no golden bytes of kinds that nobody reads any more")
func readsAllGoldenBytes() throws {
  let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../Fixtures/events").standardizedFileURL
  let found = try FileManager.default.contentsOfDirectory(
    atPath: folder.path(percentEncoded: false))
  let kinds = Set(WireKind.all.flatMap { [$0 + ".bin", $0 + ".txt"] })
  #expect(found.filter { !kinds.contains($0) && $0 != "README.md" } == [])
}

/// The sample for people: what it says, and the bytes it is written as.
private func readable(_ event: Event, _ provenance: Provenance, _ bytes: [UInt8]) -> String {
  var text = "kind: \(event.kind)\nstream: \(event.stream)\n"
  for key in event.lookupKeys { text += "lookup key: \(hexadecimal(key))\n" }
  text += "bytes: \(bytes.count)\n"
  for start in stride(from: 0, to: bytes.count, by: 16) {
    text += "  " + hexadecimal(Array(bytes[start..<min(start + 16, bytes.count)])) + "\n"
  }
  dump(provenance, to: &text, name: "provenance")
  dump(event, to: &text, name: "event")
  return text
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
}

extension RequestEvent.Finished {
  /// Any record, extremes of every number included.
  static func random(_ random: inout SeededRandom) -> Self {
    func number(_ random: inout SeededRandom) -> UInt64 {
      switch random.int(0...3) {
      case 0: 0
      case 1: UInt64(random.int(0...300))
      case 2: random.next()
      case _: .max
      }
    }
    func text(_ random: inout SeededRandom) -> String {
      let alphabet = ["a", "Z", "0", "/", "-", "ü", "東", "\u{301}", "🚂", "\0"]
      return (0..<random.int(0...40)).map { _ in alphabet[random.int(0...9)] }.joined()
    }
    func maybe<T>(_ random: inout SeededRandom, _ make: (inout SeededRandom) -> T) -> T? {
      random.oneIn(2) ? make(&random) : nil
    }
    func time(_ random: inout SeededRandom) -> UnixNanoseconds {
      UnixNanoseconds(Int64(bitPattern: number(&random)))
    }
    let attempts = (0..<random.int(0...4)).map { _ in
      Attempt(
        snapshot: number(&random), now: time(&random), seed: number(&random),
        local: LocalInputs(
          cursor: maybe(&random, number),
          heldProbes: maybe(&random) { [AccountID(text(&$0))] } ?? [],
          latencies: maybe(&random) {
            [.init(account: AccountID(text(&$0)), microseconds: number(&$0))]
          } ?? []),
        account: AccountID(text(&random)),
        rule: ChoiceRule.allCases.randomElement(using: &random) ?? .only,
        status: maybe(&random) { UInt16(truncatingIfNeeded: $0.next()) },
        errorClass: maybe(&random) { ErrorClass.allCases.randomElement(using: &$0) ?? .client },
        errorCode: maybe(&random, text), connectMicroseconds: maybe(&random, number),
        firstByteMicroseconds: maybe(&random, number), totalMicroseconds: number(&random),
        upstreamModel: maybe(&random, text))
    }
    return .init(
      id: RequestID(UInt128(random.next()) << 64 | UInt128(random.next())),
      clientRequestID: maybe(&random, text),
      organisation: maybe(&random) { OrganisationID(text(&$0)) },
      key: maybe(&random) { KeyID(text(&$0)) }, remoteAddress: text(&random),
      operation: Operation.allCases.randomElement(using: &random) ?? .unknown,
      modelAsked: text(&random), modelResolved: maybe(&random, text), isStream: random.oneIn(2),
      receivedAt: time(&random), attempts: attempts,
      status: UInt16(truncatingIfNeeded: random.next()),
      ending: Ending.allCases.randomElement(using: &random) ?? .completed,
      errorCode: maybe(&random, text),
      errorClass: maybe(&random) { ErrorClass.allCases.randomElement(using: &$0) ?? .client },
      usage: TokenUsage(
        input: maybe(&random, number), output: maybe(&random, number),
        cached: maybe(&random, number), reasoning: maybe(&random, number),
        cacheCreation: maybe(&random, number)),
      priceVersion: maybe(&random, number), costMicroUSD: maybe(&random, number),
      requestBytes: number(&random), responseBytes: number(&random),
      queueMicroseconds: number(&random), firstByteMicroseconds: maybe(&random, number),
      totalMicroseconds: number(&random), session: maybe(&random, number),
      limits: maybe(&random) {
        [LimitReading(scope: .key, measure: .concurrency, limit: number(&$0), used: number(&$0))]
      } ?? [],
      reserve: maybe(&random) { Reserve(microUSD: number(&$0), tokens: number(&$0)) },
      idempotency: maybe(&random) { IdempotencyMark(key: UInt128($0.next()), body: 7) },
      trace: maybe(&random) {
        TraceContext(
          trace: UInt128($0.next() | 1) << 64, parent: $0.next() | 1,
          flags: UInt8($0.int(0...3)))
      } ?? nil)
  }
}

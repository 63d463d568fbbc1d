import Domain
import NIOCore
import Support
import Testing

@testable import DataPlane

@Suite("Parts of the data plane")
struct PartsTests {
  @Test("ids grow strictly, also when the clock goes back, and are UUIDv7")
  func ids() {
    var ids = IDGenerator(dice: LoopDice(seed: (1, 2)))
    var random = SeededRandom(seed: 7)
    var clock = TestClock.start
    var last: UInt128 = 0
    for _ in 0..<20_000 {
      clock += Int64(random.int(-2_000_000...3_000_000))
      let id = ids.next(wallNanoseconds: clock)
      #expect(id > last, "seed 7")
      #expect(id >> 76 & 0xF == 7)
      #expect(id >> 62 & 0x3 == 2)
      last = id
    }
  }

  @Test("an id shows the millisecond it was made in")
  func idTime() {
    var ids = IDGenerator(dice: LoopDice(seed: (1, 2)))
    let id = ids.next(wallNanoseconds: 1_700_000_000_123_456_789)
    #expect(UInt64(id >> 80) == 1_700_000_000_123)
  }

  @Test(
    "the date is written as RFC 9110 wants it",
    arguments: [
      (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
      (1_709_164_799, "Wed, 28 Feb 2024 23:59:59 GMT"),
      (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
      (1_798_761_599, "Thu, 31 Dec 2026 23:59:59 GMT"),
      (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ])
  func date(_ seconds: Int64, _ text: String) { #expect(HTTPDate.text(seconds) == text) }

  @Test(
    "a base URL says where to connect and what to ask for",
    arguments: [
      ("http://127.0.0.1:9000/v1", "127.0.0.1:9000 /v1"),
      ("https://API.example/v1/", "api.example /v1"),
      ("https://api.example", "api.example "), ("http://[::1]:80/a/b", "[::1] /a/b"),
      ("https://h:444", "h:444 "), ("ftp://h", nil), ("http://", nil), ("http://u@h/", nil),
      ("http://h:0", nil), ("http://h:65536", nil), ("http://h/a?b", nil), ("http://h/ä", nil),
      ("http://[::1", nil), ("http://h:1:2", nil),
    ] as [(String, String?)])
  func endpoint(_ url: String, _ expected: String?) {
    let endpoint = UpstreamEndpoint(baseURL: url)
    #expect(endpoint.map { "\($0.origin.hostField) \($0.path)" } == expected)
  }

  @Test(
    "link-local and metadata addresses are known in all their forms",
    arguments: [
      ("169.254.169.254", true), ("::ffff:169.254.1.1", true), ("fe80::1", true),
      ("febf::1", true), ("fd00:ec2::254", true), ("100.100.100.200", true), ("fec0::1", false),
      ("127.0.0.1", false),
      ("::1", false), ("10.0.0.1", false), ("2001:db8::1", false),
    ])
  func linkLocal(_ address: String, _ expected: Bool) throws {
    #expect(try SocketAddress(ipAddress: address, port: 1).isForbiddenUpstream == expected)
  }

  @Test("a secret does not show itself")
  func secret() {
    let secret = UpstreamSecret(Array("sk-very-secret".utf8))
    var dumped = ""
    dump(secret, to: &dumped)
    for text in ["\(secret)", String(reflecting: secret), dumped] {
      #expect(!text.contains("very"))
      #expect(!text.contains("118"))
    }
  }

  @Test("the meter admits ten a second from an address, counts the rest, and is bounded")
  func meter() {
    var meter = UnauthenticatedMeter()
    var admitted = 0
    for _ in 0..<50 where meter.admit("a", monotonic: 0, wall: 5) { admitted += 1 }
    #expect(admitted == 10)
    #expect(meter.sweep(monotonic: 999_999_999).isEmpty)
    #expect(
      meter.sweep(monotonic: 1_000_000_000)
        == [.init(remoteAddress: "a", since: UnixNanoseconds(5), count: 40)])
    #expect(meter.isEmpty)
    var alone = 0
    for index in 0..<10_000 where meter.admit("\(index)", monotonic: 0, wall: 0) { alone += 1 }
    #expect(alone == UnauthenticatedMeter.addressesMax + 10)
    let rest = meter.sweep(monotonic: 0, everything: true)
    #expect(rest.map(\.remoteAddress) == [UnauthenticatedMeter.overflowAddress])
  }

  @Test(
    "the relay of a stream forwards the same bytes for every cut of them",
    arguments: 1...200 as ClosedRange<UInt64>)
  func streamRelay(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var stream = ""
    var hasChoice = false
    for index in 0..<random.int(0...12) {
      switch random.int(0...3) {
      case 0: stream += ":c\n\n"
      case 1: stream += "event: x\ndata: {\"i\":\(index)}\r\n\r\n"
      default:
        stream += "data: {\"choices\":[{\"x\":\"error usage\"}]}\n\n"
        hasChoice = true
      }
    }
    let usage = "data: {\"choices\": [ ],\"usage\":{\"prompt_tokens\":1}}\n\n"
    let hides = random.oneIn(2)
    let wire = Array((stream + usage + "data: [DONE]\n\n").utf8)
    var relay = StreamRelay(.chat, hidesUsageChunk: hides)
    var out: [UInt8] = []
    var step = StreamRelay.Step.continue
    var at = 0
    while at < wire.count {
      let size = min(random.int(1...60), wire.count - at)
      step = relay.take(ByteBuffer(bytes: wire[at..<(at + size)]))
      for piece in relay.takeReleased() { out += piece.readableBytesView }
      at += size
    }
    guard hasChoice else {
      #expect(step == .withoutContent && out.isEmpty, "seed \(seed)")
      return
    }
    #expect(step == .done, "seed \(seed)")
    #expect(
      String(decoding: out, as: UTF8.self) == (hides ? stream : stream + usage), "seed \(seed)")
    #expect(relay.end.map { String(buffer: $0) } == "data: [DONE]\n\n", "seed \(seed)")
    #expect(relay.usage == TokenUsage(input: 1), "seed \(seed)")
  }

  @Test("nothing is released before a frame brought a choice")
  func firstFrame() {
    var relay = StreamRelay(.chat, hidesUsageChunk: false)
    #expect(relay.take(ByteBuffer(string: ": hello\n\ndata: {\"err")) == .continue)
    #expect(relay.takeReleased().isEmpty)
    #expect(relay.take(ByteBuffer(string: "or\":{\"message\":\"x\"}}\n\n")) == .errorFirst)
    #expect(relay.takeReleased().isEmpty)
    #expect(!relay.isCommitted)
  }

  @Test("figures that come split over two frames are all kept, and the later ones count")
  func splitUsage() {
    var relay = StreamRelay(.chat, hidesUsageChunk: false)
    for figures in [
      #"{"prompt_tokens":1000,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":900}}"#,
      #"{"completion_tokens":50}"#,
    ] {
      let frame = #"data: {"choices":[{"delta":{}}],"usage":\#(figures)}"# + "\n\n"
      #expect(relay.take(ByteBuffer(string: frame)) == .continue)
    }
    #expect(relay.usage == TokenUsage(input: 1000, output: 50, cached: 900))
  }

  @Test("a frame beyond its bound ends the relay instead of filling memory")
  func longFrame() {
    var relay = StreamRelay(.chat, hidesUsageChunk: false)
    var step = StreamRelay.Step.continue
    var taken = 0
    while step == .continue, taken < 32 << 20 {
      step = relay.take(ByteBuffer(repeating: 0x61, count: 64 << 10))
      taken += 64 << 10
    }
    #expect(step == .frameTooLong)
    #expect(taken <= 17 << 20)
  }

  @Test("a key is looked up once in a snapshot, and what is unknown is not remembered")
  func keyCache() {
    let snapshot = Configuration().published.snapshot
    let counting = CountingFingerprinter()
    var cache = KeyCache()
    func look(_ raw: String) -> Key? {
      Array(raw.utf8).withUnsafeBytes { cache.key($0, in: snapshot, fingerprinter: counting) }
    }
    #expect(look(Gateway.key)?.id == KeyID("id-\(Gateway.key)"))
    #expect(look(Gateway.key)?.id == KeyID("id-\(Gateway.key)"))
    #expect(counting.count.value == 1)
    #expect(look("sk-no") == nil)
    #expect(look("sk-no") == nil)
    #expect(counting.count.value == 3)
    cache.clear()
    #expect(look(Gateway.key) != nil)
    #expect(counting.count.value == 4)
  }
}

final class CountingFingerprinter: KeyFingerprinter {
  let count = Watched(0)
  func fingerprint(_ key: [UInt8]) -> Fingerprint {
    count.change { $0 += 1 }
    return PlainFingerprinter.of(key)
  }
}

import Support
import Testing

@testable import Domain

/// What random nodes would tell each other, after some of it went to and fro.
private func documents(seed: UInt64) throws -> [SyncDocument] {
  var world = SyncWorld(seed: seed, nodes: 3)
  for _ in 0..<150 { try world.step() }
  return world.nodes.map { $0.document(now: Int64(seed)) }
}

@Test("a document is read as it was written, and written the same again", arguments: UInt64(0)..<20)
func documentsSurviveTheirBytes(seed: UInt64) throws {
  for document in try documents(seed: seed) {
    let bytes = document.encoded()
    #expect(try SyncDocument(decoding: bytes) == document)
    #expect(try SyncDocument(decoding: bytes).encoded() == bytes)
  }
}

@Test(
  "changed bytes are refused, or are another document that is written like that",
  arguments: UInt64(0)..<10)
func documentsMayBeAnything(seed: UInt64) throws {
  var random = SeededRandom(seed: seed)
  var refused = 0
  for document in try documents(seed: seed) {
    let bytes = document.encoded()
    for _ in 0..<400 {
      var other = bytes
      switch random.int(0...3) {
      case 0: other[random.int(0...other.count - 1)] ^= UInt8(1 << random.int(0...7))
      case 1: other.removeLast(random.int(1...min(64, other.count)))
      case 2: other.insert(UInt8(random.int(0...255)), at: random.int(0...other.count))
      case _:
        let at = random.int(0...other.count - 1)
        for offset in 0..<min(9, other.count - at) { other[at + offset] = 0xFF }
      }
      guard other != bytes else { continue }
      do throws(DecodingFailure) {
        let read = try SyncDocument(decoding: other)
        #expect(read.encoded() == other, "seed \(seed)")
      } catch {
        refused += 1
      }
    }
  }
  #expect(refused > 300, "seed \(seed)")
}

@Test("what no node writes is refused")
func documentsHaveBounds() throws {
  let version = FieldVersion(
    HybridStamp(time: UnixNanoseconds(1), counter: 0, author: EditAuthor("n1")))
  func stream(_ name: String, _ fields: [SyncDocument.Field] = []) -> SyncDocument.Stream {
    .init(stream: name, isPresent: true, version: version, fields: fields)
  }
  func field(_ name: String, _ value: Image.Value) -> SyncDocument.Field {
    .init(name: name, value: value, version: version)
  }
  func document(_ streams: [SyncDocument.Stream], node: String = "n1") -> SyncDocument {
    SyncDocument(node: NodeID(node), clock: UnixNanoseconds(5), streams: streams, credentials: [])
  }
  let right = document([stream("alias/a", [field("target", .text("m/x"))])])
  #expect(try SyncDocument(decoding: right.encoded()) == right)
  var deep = Image.Value.flag(true)
  for _ in 0..<12 { deep = .list([deep]) }
  let nobody = FieldVersion(
    HybridStamp(time: UnixNanoseconds(1), counter: 0, author: EditAuthor("")))
  let wrong: [(String, SyncDocument)] = [
    ("no author", document([], node: "")), ("a name of spaces", document([], node: "a b")),
    ("twice the same", document([stream("alias/a"), stream("alias/a")])),
    ("another order", document([stream("alias/b"), stream("alias/a")])),
    ("another rank", document([stream("alias/a"), stream("settings")])),
    ("health", document([stream("health/a1")])),
    ("nothing that is configured", document([stream("x")])),
    ("a field twice", document([stream("alias/a", [field("f", .none), field("f", .none)])])),
    ("too deep", document([stream("alias/a", [field("f", deep)])])),
    (
      "a long text",
      document([stream("alias/a", [field("f", .text(String(repeating: "x", count: 70_000)))])])
    ),
    (
      "fields of what is gone",
      document([
        .init(stream: "alias/a", isPresent: false, version: version, fields: [field("f", .none)])
      ])
    ),
    (
      "an edit of nobody's",
      document([.init(stream: "alias/a", isPresent: true, version: nobody, fields: [])])
    ),
  ]
  for (name, it) in wrong {
    #expect(throws: DecodingFailure.self, "\(name)") { try SyncDocument(decoding: it.encoded()) }
  }
  #expect(throws: DecodingFailure.self) { try SyncDocument(decoding: []) }
  #expect(throws: DecodingFailure.self) { try SyncDocument(decoding: [2]) }
}

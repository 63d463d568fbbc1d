import Support
import Testing

@testable import Domain

/// Numbers for texts hang on nothing but the order in which the texts came.
struct InternerTests {
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func `numbers are those of the order, whatever the key`(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    var interners = [
      Interner(), Interner(limit: .max, key: 0), Interner(limit: .max, key: random.next()),
    ]
    var expected: [String] = []
    for _ in 0..<2000 {
      let text = String(repeating: "é/", count: random.int(0...9)) + "\(random.int(0...700))"
      if !expected.contains(text) { expected.append(text) }
      for at in interners.indices {
        #expect(interners[at].number(of: text) == expected.firstIndex(of: text), "seed \(seed)")
      }
    }
    for interner in interners { #expect(interner.texts == expected, "seed \(seed)") }
  }

  @Test func `beyond the limit all texts share a number`() {
    var interner = Interner(limit: 3)
    #expect(
      ["a", "b", "a", "c", "d", "e", "b"].map { interner.number(of: $0) } == [0, 1, 0, 2, 3, 3, 1])
    #expect(interner.texts == ["a", "b", "c"])
  }

  @Test(arguments: [0, 1, 0x0123_4567_89AB_CDEF] as [UInt64])
  func `texts that share a slot under one key are spread under another`(key: UInt64) {
    func slot(_ text: String, _ key: UInt64) -> UInt64 {
      var text = text
      return text.withUTF8 { Interner.hash(UnsafeRawBufferPointer($0), key: key) } & 255
    }
    // What somebody could choose who knew the key.
    let chosen = (0..<200_000).lazy.map { "model-of-a-client-\($0)" }.filter { slot($0, key) == 7 }
      .prefix(256)
    #expect(chosen.count == 256)
    for other in [key ^ 1, key ^ 1 << 63, key &+ 0x9E37_79B9_7F4A_7C15] {
      // Of 256 slots about 162 are met by chance.
      #expect(Set(chosen.map { slot($0, other) }).count > 120)
    }
  }
}

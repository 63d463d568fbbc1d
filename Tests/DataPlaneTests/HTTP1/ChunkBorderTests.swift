import DataPlane
import Support
import Testing

@Suite("Cuts between reads")
struct ChunkBorderTests {
  private func cuts(_ count: Int, _ random: inout SeededRandom) -> [Int] {
    (0..<random.int(0...12)).map { _ in random.int(0...count) }
  }

  @Test(
    "Valid requests mean the same however they are cut", arguments: 1...200 as ClosedRange<UInt64>)
  func valid(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let bytes = GeneratedMessage.requests(&random)
    let whole = Transcript.requests(bytes)
    #expect(whole.fault == nil, "seed \(seed)")
    for _ in 0..<5 {
      #expect(Transcript.requests(bytes, cuts: cuts(bytes.count, &random)) == whole, "seed \(seed)")
    }
    #expect(Transcript.requests(bytes, cuts: bytes.everyCut) == whole, "seed \(seed)")
  }

  @Test(
    "Mutated requests mean the same however they are cut", arguments: 1...400 as ClosedRange<UInt64>
  )
  func mutated(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let bytes = GeneratedMessage.mutated(GeneratedMessage.requests(&random), &random)
    let whole = Transcript.requests(bytes)
    for _ in 0..<3 {
      #expect(Transcript.requests(bytes, cuts: cuts(bytes.count, &random)) == whole, "seed \(seed)")
    }
    #expect(Transcript.requests(bytes, cuts: bytes.everyCut) == whole, "seed \(seed)")
  }

  @Test(
    "Responses, valid and mutated, mean the same however they are cut",
    arguments: 1...300 as ClosedRange<UInt64>)
  func responses(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let valid = GeneratedMessage.response(&random)
    let method = HTTP1Method.allCases.filter { $0 != .head }.randomElement(using: &random) ?? .get
    #expect(Transcript.responses(valid, to: [method]).fault == nil, "seed \(seed)")
    for bytes in [valid, GeneratedMessage.mutated(valid, &random)] {
      let whole = Transcript.responses(bytes, to: [method])
      #expect(
        Transcript.responses(bytes, to: [method], cuts: cuts(bytes.count, &random)) == whole,
        "seed \(seed)")
      #expect(
        Transcript.responses(bytes, to: [method], cuts: bytes.everyCut) == whole, "seed \(seed)")
    }
  }

  @Test("Every prefix of a valid request waits for more", arguments: 1...50 as ClosedRange<UInt64>)
  func prefixes(_ seed: UInt64) {
    var random = SeededRandom(seed: seed)
    let bytes = GeneratedMessage.request(&random)
    for length in 0..<bytes.count {
      let prefix = Transcript.requests(Array(bytes[..<length]), endsInput: false)
      #expect(prefix.fault == nil, "seed \(seed), \(length) bytes")
      #expect(prefix.wholeMessages.isEmpty, "seed \(seed), \(length) bytes")
    }
  }
}

import CFast
import Crypto
import Support
import Testing

@testable import EventStore

/// The log's own SHA-256, with and without the processor's instructions, beside published values and
/// another implementation.
struct SHA256Tests {
  enum Way: CaseIterable {
    case fastest, portable

    func digest(_ message: [UInt8], suffix: [UInt8] = []) -> [UInt8] {
      var digest = [UInt8](repeating: 0, count: 32)
      switch self {
      case .fastest: cfast_sha256(message, message.count, suffix, suffix.count, &digest)
      case .portable: cfast_sha256_portable(message, message.count, suffix, suffix.count, &digest)
      }
      return digest
    }
  }

  struct Vector {
    var message: String
    var times = 1
    var digest: String
  }

  /// NIST, "Cryptographic Standards and Guidelines: Example Values", and FIPS 180-2 appendix B.
  static let vectors = [
    Vector(
      message: "",
      digest: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    Vector(
      message: "abc",
      digest: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    Vector(
      message: "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      digest: "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
    Vector(
      message: "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
        + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
      digest: "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"),
    Vector(
      message: "a", times: 1_000_000,
      digest: "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
  ]

  @Test(arguments: Way.allCases) func publishedValuesCome(_ way: Way) {
    for vector in Self.vectors {
      let message = [UInt8](String(repeating: vector.message, count: vector.times).utf8)
      #expect(hexadecimal(way.digest(message)) == vector.digest)
    }
  }

  @Test(arguments: Way.allCases) func everyShortLengthAgreesWithAnotherImplementation(_ way: Way) {
    var random = SeededRandom(seed: 256)
    for length in 0...300 {
      let message = random.bytes(length)
      let suffix = random.bytes(random.int(0...32))
      #expect(
        way.digest(message) == Array(SHA256.hash(data: message)),
        "\(length) bytes, seed \(random.seed)")
      #expect(
        way.digest(message, suffix: suffix) == Array(SHA256.hash(data: message + suffix)),
        "\(length) and \(suffix.count) bytes, seed \(random.seed)")
    }
  }

  @Test func leavesAndChainValuesAreSuchDigests() {
    var random = SeededRandom(seed: 257)
    for length in 0...200 {
      let (message, other) = (random.bytes(length), random.bytes(length))
      let leaf = message.withUnsafeBytes { Digest.sha256($0) }
      let suffixed = other.withUnsafeBytes { Digest.sha256($0, suffix: leaf) }
      #expect(leaf.bytes == Array(SHA256.hash(data: message)))
      #expect(suffixed.bytes == Array(SHA256.hash(data: other + leaf.bytes)))
      #expect(suffixed.chained(leaf).bytes == Array(SHA256.hash(data: suffixed.bytes + leaf.bytes)))
    }
  }
}

import Crypto
import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// Sealing writes the log's blocks anew; what vouches for them must not notice.
@Suite struct SealedProofTests {
  private let key = Curve25519.Signing.PrivateKey()

  /// What a log that is not sealed says of itself.
  private struct Papers: Equatable {
    var proofs: [String]
    var whole: String
    var notes: [String]
    var chain: [UInt8]
  }

  private func papers(_ log: TestLog, through last: UInt64) throws -> Papers {
    let reader = try log.reader()
    return Papers(
      proofs: try (1...last).map { try Replay.prove(reader, "\($0)").text },
      whole: try Replay.prove(reader, uuidText(TestLog.request(17).rawValue), all: true).text,
      notes: try [nil, .position(1, epoch: nil), .position(last / 2, epoch: nil)].map {
        try Replay.checkpoint(reader, at: $0, now: TestLog.now).text
      }, chain: try Replay.verify(reader, now: TestLog.now).integrity.chain.bytes)
  }

  @Test
  func `proofs and anchors made before sealing hold after it, and those made after are the same`()
    throws
  {
    let log = try TestLog()
    try log.close()
    var small = StoreOptions(seals: false)
    small.segmentEvents = 50
    try log.open(small)
    for number in 1...240 {
      try log.append(
        .request(
          .finished(log.finished(UInt64(number), "m-\(number % 7)", [], client: "c-\(number)"))))
      if number % 60 == 0 { try log.checkpoint(key) }
    }
    let covered = log.last - 1
    try log.close()
    let names = { try FileManager.default.contentsOfDirectory(atPath: log.directory + "/seg") }
    #expect(try names().count > 4 && !names().contains { $0.hasSuffix(".sealed") })
    let before = try papers(log, through: covered)

    try log.seal(StoreOptions())
    let sealed = try names().filter { $0.hasSuffix(".sealed") }
    #expect(sealed.count > 3)
    #expect(try papers(log, through: covered) == before)
    let verifying = try #require(VerifyingKey(bytes: [UInt8](key.publicKey.rawRepresentation)))
    for proof in before.proofs {
      #expect(Replay.checkProof(Array(proof.utf8), key: verifying).exitCode == .same)
    }
    let verdict = try Replay.verify(
      log.reader(),
      anchors: try before.notes.map { (name: "n", note: try CheckpointNote($0, name: "n")) },
      keys: [verifying], now: TestLog.now)
    #expect(verdict.anchoring.verdict == .anchored && verdict.exitCode == .same)
    #expect(verdict.anchoring.anchored?.last == covered)

    // A sealed segment that was changed: no proof comes of it, and the anchor does not hide it.
    let path = "\(log.directory)/seg/\(sealed.sorted()[1])"
    var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    bytes[bytes.count / 3] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: path))
    let damaged = try Replay.verify(log.reader(), keys: [verifying], now: TestLog.now)
    #expect(damaged.exitCode == .damaged)
  }
}

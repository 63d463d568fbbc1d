import Crypto
import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// Proofs that hold, and every way in which one does not.
@Suite struct ProofTests {
  private let key = Curve25519.Signing.PrivateKey()
  private var verifying: VerifyingKey {
    get throws { try #require(VerifyingKey(bytes: [UInt8](key.publicKey.rawRepresentation))) }
  }

  private func signed() throws -> TestLog {
    let log = try TestLog.story()
    try log.checkpoint(key, through: 11)
    try log.checkpoint(key)
    return log
  }

  private func check(_ text: String, _ key: VerifyingKey? = nil) throws -> ProofVerdict {
    Replay.checkProof(Array(text.utf8), key: try key ?? verifying)
  }

  @Test func `every covered event has a proof that holds without the log`() throws {
    let log = try signed()
    let reader = try log.reader()
    for position in 1..<(log.last - 1) {
      let proof = try Replay.prove(reader, "\(position)")
      let verdict = try check(proof.text)
      #expect(verdict.exitCode == .same, "position \(position): \(verdict.text)")
      #expect(verdict.proof == proof && proof.events.map(\.position) == [position])
      #expect(verdict.text.contains("proven     position \(position) "))
      #expect(proof.text.utf8.count < 8_000)
      let json = try check(proof.text).json.rendered
      #expect(json.contains("\"isProven\": true") && json.contains("\"position\": \(position)"))
    }
  }

  @Test func `of a request its end is proven, or all of it; an event id means that event`() throws {
    let log = try signed()
    let reader = try log.reader()
    func kinds(_ target: String, all: Bool = false) throws -> [String] {
      let proof = try Replay.prove(reader, target, all: all)
      #expect(try check(proof.text).exitCode == .same)
      return try proof.events.map { item in
        try #require(try reader.event(at: Position(item.position))).kind
      }
    }
    let four = uuidText(TestLog.request(4).rawValue)
    #expect(try kinds(four) == ["request.finished.v1"])
    #expect(try kinds("request:my-id") == ["request.finished.v1"])
    #expect(try kinds(four, all: true) == ["request.finished.v1", "request.delivery_failed.v1"])
    let failed = try #require(
      try reader.positions(forKey: TestLog.request(4).lookupKey).last)
    #expect(try kinds("\(failed)") == ["request.delivery_failed.v1"])
    let id = try #require(try reader.event(at: Position(3))).id
    #expect(try kinds("event:\(uuidText(id.rawValue))").count == 1)
    let six = uuidText(TestLog.request(6).rawValue)
    let fault = #expect(throws: InquiryFault.self) { try kinds(six) }
    #expect(fault?.code == .notFound && fault?.message.contains("--all") == true)
    #expect(try kinds(six, all: true) == ["request.dispatched.v1", "request.interrupted.v1"])
  }

  @Test func `what no checkpoint covers yet has no proof, and the answer says how to get one`()
    throws
  {
    let log = try TestLog.story()
    let before = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "5") }
    #expect(before?.exitCode == .notReproducible)
    #expect(before?.message.contains("signalbox checkpoint") == true)
    try log.checkpoint(key, through: 11)
    _ = try Replay.prove(log.reader(), "11")
    let after = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "12") }
    #expect(after?.exitCode == .notReproducible)
    let beyond = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "999") }
    #expect(beyond?.code == .notFound)
  }

  @Test func `no proof is made of a log that its checkpoint does not fit`() throws {
    for change: (inout GatewayEvent.CheckpointSigned) -> Void in [
      { $0.root[0] ^= 1 }, { $0.signature = [UInt8](repeating: 3, count: 64) },
    ] {
      let log = try TestLog.story()
      try log.checkpoint(key, change)
      let fault = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "5") }
      #expect(fault?.exitCode == .differs)
    }
  }

  @Test func `any changed byte fails a step that is named, and every step is there for something`()
    throws
  {
    let log = try signed()
    let target = uuidText(TestLog.request(2).rawValue)
    let bytes = Array(try Replay.prove(log.reader(), target).text.utf8)
    let key = try verifying
    #expect(Replay.checkProof(bytes, key: key).exitCode == .same)
    var steps: Set<Proof.Step> = []
    for index in bytes.indices {
      for mask in [1, 0x20, 0x80] as [UInt8] {
        var changed = bytes
        changed[index] ^= mask
        let verdict = Replay.checkProof(changed, key: key)
        guard verdict.exitCode == .differs, let broken = verdict.broken else {
          Issue.record("byte \(index) ^ \(mask) was not noticed")
          return
        }
        steps.insert(broken.step)
      }
      var cut = bytes
      cut.remove(at: index)
      #expect(Replay.checkProof(cut, key: key).exitCode == .differs, "byte \(index) taken away")
      #expect(
        Replay.checkProof(Array(bytes[..<index]), key: key).exitCode == .differs, "cut at \(index)")
    }
    #expect(steps == [.document, .key, .signature, .leaf, .inclusion, .rendering])
    for more in ["\n", " ", "{}"] {
      #expect(Replay.checkProof(bytes + Array(more.utf8), key: key).exitCode == .differs)
    }
  }

  /// Documents put together from parts that are valid each on its own.
  @Test func `parts of valid proofs do not make another valid proof`() throws {
    let log = try signed()
    let reader = try log.reader()
    func step(_ change: (inout Proof) throws -> Void) throws -> Proof.Step? {
      var proof = try Replay.prove(reader, "5")
      try change(&proof)
      return try check(proof.text).broken?.step
    }
    let (near, far) = (try Replay.prove(reader, "6"), try Replay.prove(reader, "20"))
    #expect(try step { _ in } == nil)
    #expect(try step { $0.events[0].record = near.events[0].record } == .inclusion)
    #expect(try step { $0.events[0].path = near.events[0].path } == .inclusion)
    #expect(try step { $0.events[0].position = 6 } == .inclusion)
    #expect(try step { $0.events[0].path.append(.zero) } == .inclusion)
    #expect(try step { $0.events[0].path.removeLast() } == .inclusion)
    #expect(try step { $0.checkpoints = far.checkpoints } == .inclusion)
    #expect(try step { $0.events[0].checkpoint = far.events[0].checkpoint } == .inclusion)
    #expect(try step { $0.events[0].position = 12 } == .inclusion)
    #expect(try step { $0.checkpoints[0].root = far.checkpoints[0].root } == .signature)
    #expect(try step { $0.checkpoints[0].previous = 1 } == .signature)
    #expect(try step { $0.checkpoints[0].epoch += 1 } == .signature)
    #expect(try step { $0.store += 1 } == .signature)
    #expect(try step { $0.events = [] } == .document)
    // Whole other proofs beside are no harm.
    #expect(
      try step {
        $0.events += far.events
        $0.checkpoints += far.checkpoints
      } == nil)
  }

  @Test func `another key, and the same proof signed anew by another key, are refused`() throws {
    let log = try signed()
    let proof = try Replay.prove(log.reader(), "5")
    let other = Curve25519.Signing.PrivateKey()
    let otherKey = try #require(VerifyingKey(bytes: [UInt8](other.publicKey.rawRepresentation)))
    #expect(try check(proof.text, otherKey).broken?.step == .key)
    var forged = proof
    forged.checkpoints[0].publicKey = otherKey.bytes
    #expect(try check(forged.text).broken?.step == .key)
    #expect(try check(forged.text, otherKey).broken?.step == .signature)
    let statement = forged.checkpoints[0].statement(store: forged.store)
    forged.checkpoints[0].signature = [UInt8](try other.signature(for: Array(statement.utf8)))
    #expect(try check(forged.text).broken?.step == .key)
    // Under a key that came with it, anything can be proven: that is why it must not.
    #expect(try check(forged.text, otherKey).exitCode == .same)
  }

  @Test func `a public part that is no event is refused although it was signed`() throws {
    let record = PublicRecord(bytes: [1, 2, 3], sealedDigest: .zero)
    var checkpoint = GatewayEvent.CheckpointSigned(
      position: 1, epoch: 1, chain: [UInt8](repeating: 0, count: 32), previous: 0,
      root: MerkleTree.root(of: [record.leaf]).bytes, publicKey: try verifying.bytes, signature: [])
    checkpoint.signature = [UInt8](
      try key.signature(for: Array(checkpoint.statement(store: 7).utf8)))
    let proof = Proof(
      store: 7, events: [.init(position: 1, record: record, checkpoint: 1, path: [])],
      checkpoints: [checkpoint])
    #expect(try check(proof.text).broken?.step == .record)
  }

  @Test func `a proof holds no sealed byte, and says that there is one`() throws {
    let log = try signed()
    let reader = try log.reader()
    for position in 1..<log.last - 1 {
      let sealed = try #require(try reader.event(at: Position(position))).sealed
      let proof = try Replay.prove(reader, "\(position)")
      #expect(!proof.text.contains("CQkJCQ") && !proof.text.contains("09090909"))
      let part = Data(proof.events[0].record.bytes)
      #expect(sealed.isEmpty || part.range(of: Data(sealed)) == nil)
      #expect(try check(proof.text).text.contains("has a sealed part") == !sealed.isEmpty)
    }
  }

  @Test func `a key is 64 hexadecimal digits`() throws {
    let text = try verifying.text
    #expect(try VerifyingKey(text) == verifying)
    #expect(try VerifyingKey("  \(text.uppercased())\n") == verifying)
    for bad in ["", "zz", String(text.dropLast()), text + "0", text.dropLast() + "g"] {
      #expect(throws: InquiryFault.self) { try VerifyingKey(bad) }
    }
    #expect(VerifyingKey(bytes: [1]) == nil)
  }
}

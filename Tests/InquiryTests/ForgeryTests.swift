import Crypto
import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// What somebody tries who can write the log's directory and has no key, or who can change what was kept
/// elsewhere; and what is said of it.
@Suite struct ForgeryTests {
  private let key = Curve25519.Signing.PrivateKey()
  private let forger = Curve25519.Signing.PrivateKey()

  private func verifying(_ key: Curve25519.Signing.PrivateKey) throws -> VerifyingKey {
    try #require(VerifyingKey(bytes: [UInt8](key.publicKey.rawRepresentation)))
  }

  private func verdict(
    _ log: TestLog, _ notes: [String] = [], _ keys: [Curve25519.Signing.PrivateKey] = []
  ) throws -> VerifyVerdict {
    try Replay.verify(
      log.reader(),
      anchors: try notes.map { (name: "a.note", note: try CheckpointNote($0, name: "a.note")) },
      keys: try keys.map { try verifying($0) }, now: TestLog.now)
  }

  private func note(_ log: TestLog) throws -> String {
    try Replay.checkpoint(log.reader(), now: TestLog.now).text
  }

  private func live(_ log: TestLog, _ count: Int, from number: UInt64 = 100) throws {
    for number in number..<number + UInt64(count) {
      try log.append(.request(.finished(log.finished(number, "mock/gpt-4o", []))))
    }
  }

  /// A log with its anchor, and another history of the same store that says what the forger wants.
  private func pair() throws -> (log: TestLog, anchor: String, forged: TestLog) {
    let log = try TestLog()
    let forged = try TestLog(copyOf: log)
    try live(log, 12)
    try log.checkpoint(key)
    try live(forged, 14, from: 200)
    return (log, try note(log), forged)
  }

  // MARK: The log

  @Test func `a log made anew under another key shows only to whom has a key or an anchor`() throws
  {
    let (log, anchor, forged) = try pair()
    #expect(try log.reader().storeID == forged.reader().storeID)
    try forged.checkpoint(forger)
    let alone = try verdict(forged)
    #expect(alone.exitCode == .same && alone.anchoring.verdict == .selfSigned)
    #expect(alone.text.contains("made the whole log anew"))
    for (notes, keys, says) in [
      ([], [key], "which you did not give"), ([anchor], [], "chain value"),
      ([anchor], [key], "chain value"),
    ] as [([String], [Curve25519.Signing.PrivateKey], String)] {
      let found = try verdict(forged, notes, keys)
      #expect(found.isWhole && found.exitCode == .differs && found.anchoring.verdict == .failed)
      #expect(found.text.contains(says) && found.anchoring.anchored == nil)
    }
    // The forger's own anchor and key fit; that is why neither may come from the log.
    #expect(try verdict(forged, [note(forged)], [forger]).anchoring.verdict == .anchored)
  }

  @Test func `a log made anew without checkpoints is not what the holder of the key signed`() throws
  {
    let (_, anchor, forged) = try pair()
    #expect(try verdict(forged).anchoring.verdict == .none)
    #expect(try verdict(forged, [], [key]).exitCode == .differs)
    #expect(try verdict(forged, [anchor]).exitCode == .differs)
  }

  @Test func `a genuine checkpoint put into another history, or into another log, does not fit`()
    throws
  {
    let (log, _, forged) = try pair()
    let genuine = try #require(try log.reader().event(at: Position(log.last)))
    func plant(in target: TestLog) throws {
      try target.append(
        kind: genuine.kind, stream: genuine.stream, keys: genuine.lookupKeys,
        payload: Array(genuine.payload))
    }
    try plant(in: forged)
    for keys in [[], [key]] {
      let found = try verdict(forged, [], keys)
      #expect(found.exitCode == .differs)
      #expect(found.anchoring.faults.first?.contains("chain value") == true)
    }
    let other = try TestLog.story()
    try plant(in: other)
    let found = try verdict(other, [], [key])
    #expect(found.exitCode == .differs)
    #expect(found.anchoring.faults.first?.contains("not one of the key") == true)
    // The same one twice in its own log vouches for nothing more.
    try plant(in: log)
    let twice = try verdict(log, [], [key])
    #expect(twice.exitCode == .differs)
    #expect(twice.anchoring.faults.first?.contains("covers again") == true)
  }

  @Test(arguments: [false, true])
  func `a log cut off behind a checkpoint fits the anchors before, not the one behind`(
    _ withManifest: Bool
  ) throws {
    let log = try TestLog.story()
    try log.checkpoint(key)
    let (early, end) = (try note(log), log.last)
    try live(log, 9)
    try log.checkpoint(key)
    let late = try note(log)
    try log.close()
    try log.cut(behind: end, removingManifests: !withManifest)
    let alone = try verdict(log)
    #expect(alone.exitCode == (withManifest ? .damaged : .same))
    if !withManifest { #expect(alone.text.contains("were cut off its end")) }
    #expect(try verdict(log, [early], [key]).anchoring.verdict == .anchored)
    let found = try verdict(log, [late], [key])
    #expect(found.anchoring.verdict == .failed && found.completeness.cutOff == 9)
    #expect(found.exitCode == (withManifest ? .damaged : .differs))
    #expect(found.text.contains("the 9 events after it that this vouches for are gone"))
  }

  @Test func `an older copy that went on does not fit the newer anchor, also where it is longer`()
    throws
  {
    let log = try TestLog.story()
    try log.checkpoint(key)
    let copy = try TestLog(copyOf: log)
    try live(log, 5)
    try log.checkpoint(key)
    try live(copy, 20, from: 300)
    try copy.checkpoint(key)
    #expect(try verdict(copy, [], [key]).exitCode == .same)
    let found = try verdict(copy, [note(log)], [key])
    #expect(found.exitCode == .differs && found.completeness.cutOff == 0)
    #expect(found.anchoring.anchors.first?.fault?.contains("chain value") == true)
  }

  @Test func `a change of key is told, though every signature is valid`() throws {
    let log = try TestLog.story()
    try log.checkpoint(key)
    try live(log, 2)
    try log.checkpoint(forger)
    for keys in [[], [key, forger]] {
      let found = try verdict(log, [], keys)
      #expect(found.exitCode == .same && found.anchoring.signers.count == 2)
      let note = try #require(found.anchoring.remarks.first)
      let text = try verifying(forger).text
      #expect(note.contains("another key signs") && note.contains(text))
    }
    #expect(try verdict(log, [], [key]).exitCode == .differs)
  }

  @Test(arguments: [UInt64.max, 1 << 53, 40])
  func `a checkpoint that claims what is not there yet is a fault, and no proof comes of it`(
    _ position: UInt64
  ) throws {
    let log = try TestLog.story()
    try log.checkpoint(forger) { $0.position = position }
    let found = try verdict(log)
    #expect(found.exitCode == .differs)
    #expect(found.anchoring.faults.first?.contains("what stands behind it") == true)
    let fault = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "5") }
    #expect(fault?.code == .notCovered)
  }

  // MARK: The anchor

  @Test func `an anchor with any byte changed is refused, fails, or still says the same`() throws {
    let (log, anchor, _) = try pair()
    let bytes = Array(anchor.utf8)
    let original = try CheckpointNote(anchor, name: "a.note")
    for index in bytes.indices {
      for mask in [1, 2, 0x20, 0x80] as [UInt8] {
        var changed = bytes
        changed[index] ^= mask
        // What is no UTF-8 is refused before.
        guard let text = String(validating: changed, as: UTF8.self) else { continue }
        for keys in [[], [key]] {
          let found: VerifyVerdict
          do {
            found = try verdict(log, [text], keys)
          } catch let fault as InquiryFault {
            #expect(fault.code == .usage)
            continue
          }
          if found.exitCode == .differs { continue }
          // Without a key at hand an unknown one is only told; what it says was compared.
          let note = try CheckpointNote(text, name: "a.note")
          #expect(keys.isEmpty, "byte \(index) ^ \(mask)")
          #expect(found.anchoring.anchors.first?.signature == .unchecked, "byte \(index) ^ \(mask)")
          let (statement, store) = (original.fact.statement(store: original.store), note.store)
          #expect(note.keyID != original.keyID && note.fact.statement(store: store) == statement)
          #expect(found.text.contains("signature not checked"))
        }
      }
    }
  }

  // MARK: Proofs

  private func signed(client: String? = nil) throws -> (log: TestLog, proof: String) {
    let log = try TestLog()
    for number in 1...20 {
      try log.append(
        .request(
          .finished(log.finished(UInt64(number), "Kimi", [], client: number == 7 ? client : nil))))
    }
    try log.checkpoint(key)
    return (log, try Replay.prove(log.reader(), "7").text)
  }

  @Test func `what only looks the same in a proof is noticed`() throws {
    let (_, proof) = try signed(client: "caf\u{E9}-\u{3B}")
    #expect(Replay.checkProof(Array(proof.utf8), key: try verifying(key)).exitCode == .same)
    var tried = 0
    // Texts that Swift's `==` takes for equal, and some that a careless parser would.
    for (old, new) in [
      ("\u{E9}", "e\u{301}"), ("Kimi", "\u{212A}imi"), ("publicKey", "public\u{212A}ey"),
      ("-\u{3B}", "-\u{37E}"), ("\"store\"", "\"s\\u0074ore\""), ("\n", "\r\n"),
      ("\"position\": 7", "\"position\": 07"), ("\"position\": 7", "\"position\": \"7\""),
      ("\"position\": 7", "\"position\": \"+7\""), ("\"position\": 7", "\"position\": 7.0"),
      ("\"position\": 7", "\"position\": 7e0"), ("\"position\": 7", "\"position\": -0"),
      ("\"position\": 7", "\"position\": 18446744073709551616"),
      ("\"position\": 7", "\"position\": \"18446744073709551615\""),
      ("\"position\": 7", "\"position\": 1" + String(repeating: "0", count: 5_000)),
      ("\"position\": 7", "\"position\": 7, \"position\": 7"),
      ("\"position\": 7", "\"position\": 7, \"position\": 8"),
      ("\"position\": 7", "\"position\": 8, \"position\": 7"),
      ("\"position\": 7", "\"position\": 7, \"approved\": true"),
      ("\"position\": 7", "\"position\": [[[[[[[[[[[[[[[[[[[[7]]]]]]]]]]]]]]]]]]]]"),
      ("{\n", "\u{FEFF}{\n"), ("{\n", "{\n\u{0}"), ("}\n", "}\n{}"), ("}\n", "}"),
      ("\"format\": \"signalbox-proof-1\"", "\"format\": \"signalbox-proof-2\""),
      ("\"format\": \"signalbox-proof-1\"", "\"format\": \"signalbox-proof-1\", \"format\": \"x\""),
    ] {
      guard let range = proof.range(of: old, options: .literal) else {
        Issue.record("the proof has no \(old)")
        continue
      }
      tried += 1
      let changed = proof.replacingCharacters(in: range, with: new)
      let verdict = Replay.checkProof(Array(changed.utf8), key: try verifying(key))
      #expect(verdict.exitCode == .differs, "\(old) → \(new)")
    }
    #expect(tried == 26)
    for bytes in [
      [], [0xFF, 0xFE], Array(proof.utf16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] },
      Array(repeating: UInt8(ascii: "["), count: 1 << 20),
      Array(proof.utf8) + Array(repeating: 0x20, count: Proof.bytesMax),
    ] as [[UInt8]] {
      let verdict = Replay.checkProof(bytes, key: try verifying(key))
      #expect(verdict.broken?.step == .document && verdict.exitCode == .differs)
    }
  }

  @Test func `no inner node passes for an event, nor an event for another one`() throws {
    let leaves = (0..<21).map { PublicRecord(bytes: [$0], sealedDigest: .zero).leaf }
    let root = MerkleTree.root(of: leaves)
    for index in leaves.indices {
      let path = MerkleTree.path(toLeaf: index, of: leaves)
      // Each node on the way up, given as a leaf of the smaller tree above it, and as one of this tree.
      for height in 1..<path.count {
        let node = try #require(
          MerkleTree.root(
            leaf: leaves[index], index: UInt64(index) & ((1 << height) - 1),
            count: 1 << height, path: Array(path[..<height])))
        let rest = Array(path[height...])
        for count in [UInt64(leaves.count), (UInt64(leaves.count) - 1) >> height + 1] {
          for at in 0..<count {
            #expect(MerkleTree.root(leaf: node, index: at, count: count, path: rest) != root)
          }
        }
      }
      for other in leaves.indices where other != index {
        #expect(
          MerkleTree.root(leaf: leaves[index], index: UInt64(other), count: 21, path: path) != root)
      }
    }
  }

  @Test func `what is damaged is not called absent, and what is needed is named`() throws {
    let (log, _) = try signed()
    try log.close()
    // Events that are whole beside one that is not: their proof needs it.
    let hidden = uuidText(TestLog.request(9).rawValue)
    try log.damage(9)
    let reader = try log.reader()
    let beside = #expect(throws: InquiryFault.self) { try Replay.prove(reader, "7") }
    #expect(beside?.exitCode == .damaged && beside?.message.contains("position 9 cannot") == true)
    for target in ["9", hidden, "request:\(hidden)"] {
      let fault = #expect(throws: InquiryFault.self) { try Replay.prove(reader, target) }
      #expect(fault?.exitCode == .damaged, "\(target): \(fault?.message ?? "")")
      #expect(fault?.message.contains("be read") == true)
    }
    let shown = #expect(throws: InquiryFault.self) { try Replay.show(reader, hidden) }
    #expect(shown?.code == .damaged)
    // Where all can be read, what is not there is not there.
    let whole = try TestLog.story()
    let absent = #expect(throws: InquiryFault.self) {
      try Replay.prove(whole.reader(), "0193aaaa-0000-7000-8000-000000000000")
    }
    #expect(absent?.exitCode == .usage)
  }

  @Test func `a request whose end is damaged is not said to be under way`() throws {
    let log = try TestLog()
    try log.append(
      .request(
        .dispatched(
          .init(
            id: TestLog.request(1), clientRequestID: nil, organisation: nil, key: nil,
            operation: .chatCompletions, modelAsked: "m", receivedAt: UnixNanoseconds(0),
            account: nil))))
    try live(log, 1, from: 1)
    try live(log, 2)
    try log.checkpoint(key)
    let id = uuidText(TestLog.request(1).rawValue)
    #expect(try Replay.prove(log.reader(), id).events.map(\.position) == [2])
    try log.close()
    try log.damage(2)
    let fault = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), id) }
    #expect(fault?.exitCode == .damaged && fault?.message.contains("the end of request") == true)
  }

  @Test func `a position that later checkpoints pass over is not promised a proof`() throws {
    let log = try TestLog.story()
    try log.checkpoint(key, through: 10)
    let leaves = try log.reader().leaves(from: Position(13), through: Position(log.last))
    try log.checkpoint(key) {
      $0.previous = 12
      $0.root = MerkleTree.root(of: leaves).bytes
    }
    let never = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "11") }
    #expect(never?.code == .notCovered && never?.message.contains("none will") == true)
    let yet = #expect(throws: InquiryFault.self) { try Replay.prove(log.reader(), "\(log.last)") }
    #expect(yet?.code == .notCovered && yet?.message.contains("ten minutes") == true)
  }
}

extension TestLog {
  /// Where the block that holds a position begins and ends in the only segment.
  private func block(holding position: UInt64) throws -> (path: String, Data, Range<Int>) {
    let path = try #require(try reader().segments.first?.path)
    let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
    func number(_ at: Int, _ count: Int) -> UInt64 {
      (0..<count).reduce(0) { $0 | UInt64(bytes[at + $1]) << (8 * UInt64($1)) }
    }
    var at = Int(number(12, 4))
    while at + 104 <= bytes.count {
      let size = (104 + Int(number(at + 32, 4)) + 7) / 8 * 8
      let first = number(at + 16, 8)
      if first <= position, position < first + number(at + 24, 4) {
        return (path, bytes, at..<at + size)
      }
      at += size
    }
    throw InquiryFault(.notFound, "no block holds \(position)")
  }

  /// Turns a byte over in the body of the block that holds a position.
  func damage(_ position: UInt64) throws {
    var (path, bytes, range) = try block(holding: position)
    bytes[range.lowerBound + 110] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: path))
  }

  /// Takes away what stands behind the block that holds a position.
  func cut(behind position: UInt64, removingManifests: Bool) throws {
    let (path, bytes, range) = try block(holding: position)
    try bytes[..<range.upperBound].write(to: URL(fileURLWithPath: path))
    guard removingManifests else { return }
    for name in ["MANIFEST-A", "MANIFEST-B"] {
      try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
    }
  }
}

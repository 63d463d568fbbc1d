import Crypto
import Domain
import EventStore
import Foundation
import Inquiry
import Testing

/// What vouches for a log, and what does not.
@Suite struct AnchoringTests {
  private let key = Curve25519.Signing.PrivateKey()
  private let stranger = Curve25519.Signing.PrivateKey()

  private func verifying(_ key: Curve25519.Signing.PrivateKey) throws -> VerifyingKey {
    try #require(VerifyingKey(bytes: [UInt8](key.publicKey.rawRepresentation)))
  }

  private func verdict(
    _ log: TestLog, _ notes: [String] = [], _ keys: [Curve25519.Signing.PrivateKey] = [],
    from: Selector? = nil, to: Selector? = nil
  ) throws -> VerifyVerdict {
    try Replay.verify(
      log.reader(), from: from, to: to,
      anchors: try notes.enumerated().map {
        (name: "note-\($0)", note: try CheckpointNote($1, name: "note-\($0)"))
      }, keys: try keys.map { try verifying($0) }, now: TestLog.now)
  }

  private func note(_ log: TestLog, at: Selector? = nil) throws -> String {
    try Replay.checkpoint(log.reader(), at: at, now: TestLog.now).text
  }

  private func live(_ log: TestLog, _ count: Int = 3, model: String = "fast") throws {
    for number in 0..<count {
      try log.append(.request(.finished(log.finished(UInt64(100 + number), model, [.ok]))))
    }
  }

  @Test func `without an anchor the verdict says what it rests on`() throws {
    let log = try TestLog.story()
    var found = try verdict(log)
    #expect(found.anchoring.verdict == .none && found.exitCode == .same)
    #expect(found.anchoring.openFrom == 1)
    try log.checkpoint(key)
    found = try verdict(log)
    #expect(found.anchoring.verdict == .selfSigned && found.exitCode == .same)
    #expect(found.anchoring.openFrom == log.last && found.anchoring.signers.first?.isGiven == false)
    #expect(found.text.contains("made the whole log anew"))
    found = try verdict(log, [], [key])
    #expect(found.anchoring.verdict == .signed && found.exitCode == .same)
    let reach = try #require(found.anchoring.signers.first?.reach)
    #expect(reach.first == 1 && reach.last == log.last - 1)
    #expect(found.text.contains("another history instead"))
  }

  @Test func `an anchor that fits vouches through its position, and what follows is open`() throws {
    let log = try TestLog.story()
    let covered = log.last
    try log.checkpoint(key)
    let anchor = try note(log)
    try live(log)
    for keys in [[], [key], [stranger, key]] {
      let found = try verdict(log, [anchor], keys)
      #expect(found.anchoring.verdict == .anchored && found.exitCode == .same)
      #expect(found.anchoring.anchored?.last == covered)
      #expect(found.anchoring.openFrom == covered + 1)
      let text = try verifying(key).text
      #expect(
        found.anchoring.anchors.first?.signature == (keys.isEmpty ? .selfNamed(text) : .given(text))
      )
      #expect(found.text.contains("signed again"))
    }
    // Also through mail: other line ends, no last one, and a witness's signature beside.
    for changed in [
      anchor.replacingOccurrences(of: "\n", with: "\r\n"), String(anchor.dropLast()),
      anchor + "— witness.example AAAA\n",
    ] {
      #expect(try verdict(log, [changed], [key]).anchoring.verdict == .anchored)
    }
    // Only the range that was read is vouched for.
    let outside = try verdict(log, [anchor], [key], to: .position(covered - 1, epoch: nil))
    #expect(outside.anchoring.anchored == nil && outside.anchoring.anchors.first?.remark != nil)
    #expect(outside.exitCode == .same)
  }

  @Test func `a history that was replaced does not fit the anchor, signed or not`() throws {
    let log = try TestLog.story()
    let forged = try TestLog(copyOf: log)
    try live(log)
    try log.checkpoint(key)
    try live(forged, 3, model: "mock/gpt-4o")
    #expect(forged.last == log.last - 1)
    // Even by whoever has the key.
    try forged.checkpoint(key)
    #expect(try verdict(forged, [], [key]).anchoring.verdict == .signed)
    let found = try verdict(forged, [note(log)], [key])
    #expect(found.isWhole && found.anchoring.verdict == .failed && found.exitCode == .differs)
    #expect(found.anchoring.anchors.first?.fault?.contains("chain value") == true)
    #expect(try verdict(log, [note(log)], [key]).exitCode == .same)
  }

  @Test func `a log whose end was cut off does not fit the anchor, and says how much is gone`()
    throws
  {
    let log = try TestLog.story()
    try log.checkpoint(key)
    let short = try TestLog(copyOf: log)
    let end = short.last
    try live(log, 5)
    try log.checkpoint(key)
    let anchor = try note(log)
    #expect(try verdict(short, [], [key]).exitCode == .same)
    let found = try verdict(short, [anchor], [key])
    #expect(found.isWhole && found.exitCode == .differs)
    #expect(found.completeness.verdict == .missing && found.completeness.cutOff == 5)
    #expect(found.anchoring.anchors.first?.fault?.contains("ends at position \(end)") == true)
    // An anchor of before still fits, and does not hide it.
    let both = try verdict(short, [note(short), anchor], [key])
    #expect(both.anchoring.verdict == .failed && both.anchoring.anchored?.last == end - 1)
  }

  @Test func `a log that was emptied does not fit the anchor`() throws {
    let log = try TestLog()
    let empty = try TestLog(copyOf: log)
    try log.append(.gateway(.stopped(.init(reason: "x", cutRequests: 0))))
    try log.checkpoint(key)
    let found = try verdict(empty, [note(log)])
    #expect(found.exitCode == .differs && found.completeness.cutOff == 1)
  }

  @Test func `an anchor of another log, of another key, or changed, is none`() throws {
    let (log, other) = (try TestLog.story(), try TestLog.story())
    try log.checkpoint(key)
    try other.checkpoint(key)
    let anchor = try note(log)
    func fault(_ note: String, _ keys: [Curve25519.Signing.PrivateKey]) throws -> String {
      let found = try verdict(log, [note], keys)
      #expect(found.exitCode == .differs && found.anchoring.anchored == nil)
      return found.anchoring.anchors.first?.fault ?? ""
    }
    #expect(try fault(note(other), [key]).contains("another log"))
    #expect(try fault(anchor, [stranger]).contains("not signed with the key"))
    var lines = anchor.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    lines[4] = "previous 1"
    #expect(try fault(lines.joined(separator: "\n"), []).contains("it was changed"))
    #expect(try fault(lines.joined(separator: "\n"), [key]).contains("not signed with the key"))
  }

  @Test func `a text that is no note is refused by its name`() throws {
    let log = try TestLog.story()
    try log.checkpoint(key)
    let anchor = try note(log)
    let lines = anchor.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var cases = ["", "hello\n", String(repeating: "x\n", count: 10_000)]
    for index in 0..<8 {
      var some = lines
      some.remove(at: index)
      cases.append(some.joined(separator: "\n"))
      some = lines
      some[index] += "x"
      cases.append(some.joined(separator: "\n"))
    }
    var number = lines
    number[1] = "0" + number[1]
    cases.append(number.joined(separator: "\n"))
    for text in cases {
      let fault = #expect(throws: InquiryFault.self) { try CheckpointNote(text, name: "my.note") }
      #expect(fault?.code == .usage && fault?.message.contains("my.note") == true, "\(text)")
    }
  }

  /// Checkpoints in the log that do not fit it.
  private struct Misfit: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var says: String
    var change: @Sendable (inout GatewayEvent.CheckpointSigned) -> Void
  }

  private static let misfits = [
    Misfit(testDescription: "chain", says: "chain value") { $0.chain[0] ^= 1 },
    Misfit(testDescription: "root", says: "Merkle root") { $0.root[31] ^= 1 },
    Misfit(testDescription: "epoch", says: "is of epoch") { $0.epoch += 1 },
    Misfit(testDescription: "position", says: "chain value") { $0.position -= 1 },
    Misfit(testDescription: "behind itself", says: "what stands behind it") { $0.position += 1 },
    Misfit(testDescription: "previous", says: "Merkle root") { $0.previous += 1 },
    Misfit(testDescription: "nothing", says: "covers nothing") { $0.previous = $0.position },
    Misfit(testDescription: "signature", says: "not one of the key") {
      $0.signature = [UInt8](repeating: 1, count: 64)
    },
    Misfit(testDescription: "key", says: "not one of the key") { $0.publicKey[3] ^= 4 },
    Misfit(testDescription: "no key", says: "not one of the key") { $0.publicKey = [1, 2] },
    Misfit(testDescription: "short chain", says: "covers nothing") { $0.chain = [1] },
  ]

  @Test(arguments: misfits)
  private func `a checkpoint event that does not fit is named, and the log is not called damaged`(
    _ misfit: Misfit
  ) throws {
    let log = try TestLog.story()
    try log.checkpoint(key, misfit.change)
    for keys in [[], [key]] {
      let found = try verdict(log, [], keys)
      #expect(found.isWhole && found.exitCode == .differs)
      #expect(
        found.anchoring.faults.first?.contains(misfit.says) == true, "\(found.anchoring.faults)")
      #expect(found.anchoring.signers.allSatisfy { $0.reach == nil })
    }
    #expect(throws: InquiryFault.self) { try note(log) }
  }

  @Test func `only the keys that were given may have signed`() throws {
    let log = try TestLog.story()
    try log.checkpoint(stranger)
    #expect(try verdict(log).exitCode == .same)
    let found = try verdict(log, [], [key])
    #expect(found.exitCode == .differs)
    #expect(found.anchoring.faults.first?.contains("which you did not give") == true)
    try live(log)
    try log.checkpoint(key)
    #expect(try verdict(log, [], [key]).exitCode == .differs)
    #expect(try verdict(log, [], [key, stranger]).exitCode == .same)
    // A log without any checkpoint under the key is not what its holder vouched for.
    let bare = try TestLog.story()
    #expect(try verdict(bare, [], [key]).exitCode == .differs)
    #expect(try verdict(bare, [], [key], from: .position(3, epoch: nil)).exitCode == .same)
  }

  @Test func `what two checkpoints cover, or none, is said`() throws {
    let log = try TestLog.story()
    try log.checkpoint(key, through: 10)
    try live(log)
    try log.checkpoint(key) { $0.previous = 5 }
    #expect(
      try verdict(log).anchoring.faults.first?.contains("covers again what another one covers")
        == true)
    let holed = try TestLog.story()
    try holed.checkpoint(key, through: 10)
    let leaves = try holed.reader().leaves(from: Position(13), through: Position(holed.last))
    try holed.checkpoint(key) {
      $0.previous = 12
      $0.root = MerkleTree.root(of: leaves).bytes
    }
    let found = try verdict(holed)
    #expect(found.exitCode == .same)
    #expect(found.anchoring.remarks.first?.contains("passes over positions 11…12") == true)
  }

  @Test func `behind a damaged part an anchor vouches for what is read behind it`() throws {
    let log = try TestLog.story()
    try log.checkpoint(key)
    let early = try note(log)
    try live(log)
    try log.checkpoint(key)
    let late = try note(log)
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment.path))
    bytes[Int(segment.bytes) / 3] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: segment.path))
    let found = try verdict(log, [early, late], [key])
    #expect(found.exitCode == .damaged && found.anchoring.verdict == .anchored)
    let gap = try #require(found.integrity.gaps.first?.last)
    #expect(found.anchoring.anchors[0].remark?.contains("cannot") == true)
    #expect(found.anchoring.anchors[1].remark == nil)
    #expect(found.anchoring.anchored?.first == gap.rawValue + 1)
    #expect(found.anchoring.anchored?.last == log.last - 1)
    #expect(found.completeness.verdict == .missing && found.completeness.unreadablePositions == 1)
    // Without the later one nothing binds what is readable to what was signed.
    #expect(try verdict(log, [early], [key]).anchoring.anchored == nil)
  }

  @Test func `the newest checkpoint is printed, or the oldest that covers a moment`() throws {
    let log = try TestLog.story()
    let none = #expect(throws: InquiryFault.self) { try note(log) }
    #expect(none?.code == .notCovered && none?.exitCode == .notReproducible)
    try log.checkpoint(key, through: 10)
    try log.checkpoint(key)
    try live(log)
    func position(_ at: Selector?) throws -> UInt64 {
      try Replay.checkpoint(log.reader(), at: at, now: TestLog.now).fact.position
    }
    let newest = try position(nil)
    #expect(newest == log.last - 4)
    for (at, covering) in [(1, 10), (10, 10), (11, newest), (newest, newest)] as [(UInt64, UInt64)]
    {
      #expect(try position(.position(at, epoch: nil)) == covering)
    }
    let open = #expect(throws: InquiryFault.self) {
      try position(.position(newest + 1, epoch: nil))
    }
    #expect(open?.code == .notCovered)
    let beyond = #expect(throws: InquiryFault.self) {
      try position(.position(log.last + 1, epoch: nil))
    }
    #expect(beyond?.code == .notFound)
  }
}

/// What a log says of what it lacks.
@Suite struct CompletenessTests {
  @Test func `window and state tell of requests that the log could not take`() throws {
    let log = try TestLog()
    let first = try log.append(.gateway(.gapOpened(.init(reason: "full"))))
    try log.append(.gateway(.gapClosed(.init(opened: first, count: 7))))
    let second = try log.append(.gateway(.gapOpened(.init(reason: "full"))))
    try log.append(.gateway(.gapClosed(.init(opened: second, count: nil))))
    let third = try log.append(.gateway(.gapOpened(.init(reason: "full"))))
    let reader = try log.reader()
    func window(_ from: UInt64, _ to: UInt64) throws -> WindowReport {
      try Replay.window(
        reader, WindowQuery(from: Selector("\(from)"), to: Selector("\(to)")), now: TestLog.now)
    }
    let all = try window(first, third)
    #expect(all.unrecorded.gaps == 2 && all.unrecorded.requests == 7)
    #expect(all.unrecorded.uncounted == 1 && all.unrecorded.openSince == third)
    #expect(all.text.contains("missing   7 requests in 2 times without space, 1 of them"))
    #expect(all.text.contains("missing   requests since position \(third)"))
    // One that began before the window and ends behind it is told as well.
    #expect(try window(second, second).unrecorded.openSince == second)
    #expect(try window(first + 1, second - 1).unrecorded.openSince == nil)
    #expect(try window(first + 1, second - 1).unrecorded.requests == 7)
    func state(_ at: UInt64) throws -> StateReport {
      try Replay.state(reader, at: Selector("\(at)"), now: TestLog.now)
    }
    #expect(try state(first).openGap == first)
    #expect(try state(first).text.contains("requests since position \(first)"))
    #expect(try state(first + 1).openGap == nil)
    #expect(try Replay.state(reader, at: nil, now: TestLog.now).openGap == third)
  }

  @Test func `every kind of stated loss is counted and named`() throws {
    let log = try TestLog()
    try log.append(.gateway(.gap(.init(boundMilliseconds: 25, reason: "stop"))))
    let first = try log.append(.gateway(.gapOpened(.init(reason: "full"))))
    try log.append(.gateway(.gapClosed(.init(opened: first, count: 7))))
    let second = try log.append(.gateway(.gapOpened(.init(reason: "full"))))
    try log.append(.gateway(.gapClosed(.init(opened: second, count: nil))))
    let third = try log.append(.gateway(.gapOpened(.init(reason: "full"))))
    try log.append(
      .gateway(.tailTruncated(.init(segment: "s", offset: 1, bytes: 96, rule: "block.magic"))))
    try log.append(
      .gateway(.lossAccepted(.init(first: 3, last: 5, file: "f", rule: "r", reason: "why"))))
    try log.append(
      .gateway(
        .started(
          .init(
            version: "1", epoch: 1, recording: .off, listen: "x", previousStopWasClean: true,
            interruptedRequests: 0))))
    try log.append(
      .request(.deniedSummary(.init(remoteAddress: "a", since: UnixNanoseconds(0), count: 11))))
    for number in [UInt64(1), 2] {
      try log.append(
        .request(
          .dispatched(
            .init(
              id: TestLog.request(number), clientRequestID: nil, organisation: nil, key: nil,
              operation: .chatCompletions, modelAsked: "m", receivedAt: UnixNanoseconds(0),
              account: nil))))
    }
    try log.append(
      .request(
        .interrupted(
          .init(
            id: TestLog.request(1), clientRequestID: nil, organisation: nil, key: nil,
            dispatchedAt: 11))))
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    let found = verdict.completeness
    #expect(verdict.exitCode == .same && found.verdict == .stated)
    #expect(found.possibleGaps == 1 && found.closedGaps == 2 && found.uncountedGaps == 1)
    #expect(found.missingOutcomes == 7 && found.openGaps == [third])
    #expect(found.truncatedTails == 1 && found.truncatedBytes == 96)
    #expect(found.acceptedLosses == 1 && found.acceptedPositions == 3)
    #expect(found.unrecordedLives == 1 && found.summarisedRequests == 11)
    #expect(found.openRequests == 1 && found.statements.count == 9)
    #expect(verdict.text.contains("complete   but for what the log itself says is missing"))
  }

  @Test func `a log without a loss is complete as far as it can tell`() throws {
    let log = try TestLog()
    try log.append(.gateway(.stopped(.init(reason: "x", cutRequests: 0))))
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.completeness.verdict == .complete)
    #expect(verdict.text.contains("complete   as far as the log tells"))
  }

  @Test func `a torn end is missing, and not called proven`() throws {
    let log = try TestLog.story()
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    let file = try FileHandle(forWritingTo: URL(fileURLWithPath: segment.path))
    try file.seekToEnd()
    try file.write(contentsOf: Data("an append that never became whole".utf8))
    try file.close()
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.exitCode == .damaged && verdict.completeness.hasUnprovenTail)
    #expect(verdict.completeness.verdict == .missing)
  }
}

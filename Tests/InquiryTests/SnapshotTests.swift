import Domain
import EventStore
import Foundation
import Inquiry
import Support
import Testing

/// Snapshots make answers faster, never other ones.
@Suite struct SnapshotTests {
  /// A log of edits, requests decided on them or on what no log can have, unknown kinds and restarts.
  func randomLog(_ random: inout SeededRandom, steps: Int) throws -> TestLog {
    let log = try TestLog()
    var requests: UInt64 = 0
    for _ in 0..<steps {
      switch random.int(0...11) {
      case 0, 1, 2, 3:
        // Refused ones leave no trace.
        _ = try? log.run([command(&random)], random.oneIn(2) ? TestLog.admin : TestLog.file)
      case 4, 5, 6, 7:
        requests += 1
        let model = ["fast", "p1/m", "p2/m", "m"][random.int(0...3)]
        let results: [TestLog.Result] = random.oneIn(3) ? [.limited, .ok] : [.ok]
        var finished =
          try (try? log.finished(requests, model, results)) ?? log.finished(requests, model, [])
        if random.oneIn(8), !finished.attempts.isEmpty {
          finished.attempts[0].snapshot = UInt64(random.int(0...Int(log.last + 2)))
        }
        if random.oneIn(8), !finished.attempts.isEmpty {
          finished.attempts[0].account = AccountID("a1")
        }
        try log.append(.request(.finished(finished)))
      case 8:
        try log.append(
          .request(
            .dispatched(
              .init(
                id: TestLog.request(requests + 1), clientRequestID: "mine", organisation: nil,
                key: nil, operation: .chatCompletions, modelAsked: "m",
                receivedAt: UnixNanoseconds(log.time), account: nil))))
      case 9: try log.append(.gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 0))))
      case 10:
        if random.oneIn(2) {
          try log.append(kind: "combo.set.v9", stream: "combo/x", payload: [0, 1, 1, 97, 5])
        } else {
          // Any kind, also where nobody would have decided it.
          let kind = WireKind.all[random.int(0...WireKind.all.count - 1)]
          try log.append(try #require(WireKind.sample(kind)))
        }
      case _:
        if random.oneIn(3) {
          try log.close()
          try log.open()
        }
      }
    }
    return log
  }

  private func command(_ random: inout SeededRandom) -> Command {
    let number = random.int(1...2)
    let provider = ProviderID("p\(number)")
    let account = AccountID("a\(random.int(1...3))")
    let alias = random.oneIn(2) ? "fast" : "slow"
    switch random.int(0...9) {
    case 0, 1:
      return .provider(
        .add(
          .init(
            id: provider, name: "p", dialect: .openai, baseURL: "http://h/v1", prefix: "p\(number)",
            models: [ProviderModel(name: "m")], excludedModels: [])))
    case 2, 3:
      return .account(
        .add(
          .init(
            id: account, provider: provider, name: account.rawValue,
            priority: UInt32(random.int(1...2)), weight: 1),
          credential: .key(Fingerprint([UInt8](repeating: UInt8(random.int(1...9)), count: 32)))))
    case 4: return .account(.remove(account))
    case 5: return .account(random.oneIn(2) ? .disable(account) : .enable(account))
    case 6: return .alias(.remove(name: alias))
    case 7: return .settings(.setAdminPassword)
    case _:
      return .alias(.set(name: alias, target: "p\(number)/m", allowUnresolved: random.oneIn(2)))
    }
  }

  /// What every verb says of random moments, as text and JSON; faults by their words.
  private func answers(_ log: TestLog, seed: UInt64) throws -> [String] {
    var random = SeededRandom(seed: seed)
    let reader = try log.reader()
    var said: [String] = []
    func say(_ what: String, _ report: () throws -> any InquiryReport) rethrows {
      do {
        let report = try report()
        said.append("\(what) \(report.exitCode)\n\(report.text)\(report.json.rendered)")
      } catch let fault as InquiryFault {
        said.append("\(what) \(fault)")
      }
    }
    func place() -> UInt64 { UInt64(random.int(0...Int(log.last) + 1)) }
    for _ in 0..<12 {
      let at = place()
      try say("state \(at)") {
        try Replay.state(reader, at: .position(at, epoch: nil), now: TestLog.now)
      }
      let shown = place()
      try say("show \(shown)") { try Replay.show(reader, String(shown)) }
    }
    for _ in 0..<5 {
      let (from, to) = (place(), place())
      let range = [from, to].sorted().map { Selector.position($0, epoch: nil) }
      try say("window \(from) \(to)") {
        try Replay.window(reader, WindowQuery(from: range[0], to: range[1]), now: TestLog.now)
      }
      try say("verify \(from) \(to)") {
        try beyondSnapshots(reader, from: range[0], to: range[1])
      }
    }
    try say("state") { try Replay.state(reader, at: nil, now: TestLog.now) }
    try say("verify") { try beyondSnapshots(reader) }
    return said
  }

  /// What is said of the log itself; of its snapshots there is something else to say with each change.
  private func beyondSnapshots(
    _ log: LogReader, from: Selector? = nil, to: Selector? = nil
  ) throws(InquiryFault) -> VerifyVerdict {
    var verdict = try Replay.verify(log, from: from, to: to, now: TestLog.now)
    #expect(verdict.snapshots.wrong == 0)
    verdict.snapshots = SnapshotVerdict()
    return verdict
  }

  /// What may become of a snapshot file.
  private enum Harm: CaseIterable { case bit, cut, garbage, empty, longer, moved, gone }

  private func harm(_ log: TestLog, _ random: inout SeededRandom) throws -> Int {
    let folder = log.directory + "/snapshots/"
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    var unused = 0
    for (index, name) in names.enumerated() where random.oneIn(2) {
      let file = URL(fileURLWithPath: folder + name)
      var bytes = try Data(contentsOf: file)
      unused += 1
      switch Harm.allCases[(index + random.int(0...6)) % 7] {
      case .bit: bytes[random.int(0...bytes.count - 1)] ^= UInt8(1 << random.int(0...7))
      case .cut: bytes = bytes.prefix(random.int(0...bytes.count - 1))
      case .garbage: bytes = Data(random.bytes(bytes.count))
      case .empty: bytes = Data()
      case .longer: bytes.append(0)
      case .moved:
        // A whole one, under the name of a position that the log does not have.
        let beyond = String(repeating: "0", count: 14) + String(900_000 + index)
        try FileManager.default.moveItem(atPath: file.path, toPath: folder + beyond + ".snap")
        continue
      case .gone:
        unused -= 1
        try FileManager.default.removeItem(at: file)
        continue
      }
      try bytes.write(to: file)
    }
    return unused
  }

  @Test(arguments: UInt64(0)..<8)
  func `every answer is the same with snapshots anywhere and with none`(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let log = try randomLog(&random, steps: 90)
    let plain = try answers(log, seed: seed)
    #expect(plain.count == 36)
    for round in 0..<6 {
      let count = [1, 2, 4, 8, 20, Int(log.last)][round]
      let positions = Set((0..<count).map { _ in UInt64(random.int(1...Int(log.last))) })
      try log.makeSnapshots(at: positions)
      #expect(try Replay.ignoredSnapshots(in: log.reader()).isEmpty)
      // Made again from the log's beginning, each is what it says.
      let verdict = try Replay.verify(log.reader(), now: TestLog.now).snapshots
      #expect(verdict.agreeing == positions.count && verdict.wrong + verdict.unused == 0)
      #expect(verdict.notCompared == 0)
      for (with, without) in zip(try answers(log, seed: seed), plain) where with != without {
        Issue.record(
          "seed \(seed), snapshots at \(positions.sorted()):\n\(with)\nand was\n\(without)")
        return
      }
    }
    // Damaged ones among whole ones, of another version, of another log, and none.
    for round in 0..<4 {
      try log.makeSnapshots(at: Set((1...log.last).filter { _ in random.oneIn(4) }))
      let unused = try harm(log, &random)
      let reader = try log.reader()
      let ignored = try Replay.ignoredSnapshots(in: reader)
      #expect(ignored.count == unused && ignored.allSatisfy { $0.contains(".snap: snapshot.") })
      let verdict = try Replay.verify(reader, now: TestLog.now)
      #expect(verdict.snapshots.unused == UInt64(unused) && verdict.snapshots.wrong == 0)
      #expect(try answers(log, seed: seed) == plain, "seed \(seed), round \(round)")
    }
    let every = Set(1...log.last)
    try log.makeSnapshots(at: every, version: "0-0")
    #expect(try Replay.ignoredSnapshots(in: log.reader()).count == every.count)
    #expect(try answers(log, seed: seed) == plain, "seed \(seed), of another version")
    try log.makeSnapshots(at: every)
    let other = try randomLog(&random, steps: 40)
    try other.makeSnapshots(at: Set(1...other.last))
    for position in 1...min(log.last, other.last) {
      try FileManager.default.removeItem(atPath: log.snapshot(position))
      try FileManager.default.copyItem(
        atPath: other.snapshot(position), toPath: log.snapshot(position))
    }
    #expect(
      try Replay.ignoredSnapshots(in: log.reader()).count == Int(min(log.last, other.last)))
    #expect(try answers(log, seed: seed) == plain, "seed \(seed), of another log")
    try log.makeSnapshots(at: [])
    #expect(try answers(log, seed: seed) == plain, "seed \(seed), none")
  }

  @Test func `verify makes every snapshot again from zero, and names one that lies`() throws {
    let log = try TestLog.story()
    let whole = try beyondSnapshots(log.reader())
    let positions = Set([3, 9, 14, 20, log.last])
    try log.makeSnapshots(at: positions)
    // At 14 what the log gave at 9, and at 20 a configuration that never was: whole files, both of them.
    var lies = try log.projection(through: 9)
    try lies.apply(
      position: 14, epoch: 1, time: TestLog.now, kind: "gateway.slept.v9", bytes: [])
    try log.writeSnapshot(lies, at: 14)
    var other = try log.projection(through: 19)
    try other.apply(
      position: 20, epoch: 1, time: TestLog.now, kind: "alias.removed.v1",
      bytes: encode(try #require(WireKind.sample("alias.removed.v1")), .system)[...])
    try log.writeSnapshot(other, at: 20)
    let reader = try log.reader()
    #expect(try Replay.ignoredSnapshots(in: reader) == [])

    let verdict = try Replay.verify(reader, now: TestLog.now)
    #expect(verdict.isWhole && verdict.exitCode == .differs)
    #expect(verdict.snapshots.agreeing == 3 && verdict.snapshots.wrong == 2)
    let named = verdict.snapshots.wrongOnes
    #expect(
      named.map { $0.contains("00014.snap: ") || $0.contains("00020.snap: ") } == [true, true])
    #expect(named.allSatisfy { $0.contains("another value for ") })
    #expect(verdict.text.contains("snapshots  WRONG: 2 of 5"))
    // Of the log itself it says the same, decisions included.
    #expect(verdict.integrity == whole.integrity && verdict.remade == whole.remade)
    #expect(
      verdict.differing == whole.differing && verdict.notReproducible == whole.notReproducible)

    // A range judges the snapshots in it, and folds from the log's beginning all the same.
    func range(_ from: UInt64, _ to: UInt64) throws -> SnapshotVerdict {
      try Replay.verify(
        reader, from: .position(from, epoch: nil), to: .position(to, epoch: nil), now: TestLog.now
      ).snapshots
    }
    #expect(try range(4, 13).agreeing == 1)
    #expect(try range(4, 13).wrong == 0)
    #expect(try range(14, 14).wrong == 1)
    #expect(try range(21, log.last).agreeing == 1)
    #expect(try range(10, 12) == SnapshotVerdict())

    try log.makeSnapshots(at: positions)
    #expect(try Replay.verify(reader, now: TestLog.now).exitCode == whole.exitCode)
  }

  @Test func `what a snapshot holds is told although its events cannot be read any more`() throws {
    let log = try TestLog.story()
    let whole = try Replay.state(log.reader(), at: nil, now: TestLog.now)
    try log.makeSnapshots(at: [20])
    try log.close()
    let segment = try #require(try log.reader().segments.first)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: segment.path))
    bytes[Int(Double(segment.bytes) * 0.2)] ^= 0x10
    try bytes.write(to: URL(fileURLWithPath: segment.path))
    let reader = try log.reader()
    #expect(try Replay.state(reader, at: nil, now: TestLog.now).state == whole.state)
    // Of a moment before it only the log can tell, and of itself.
    let before = Selector.position(19, epoch: nil)
    #expect(try Replay.state(reader, at: before, now: TestLog.now).exitCode == .damaged)
    let verdict = try Replay.verify(reader, now: TestLog.now)
    #expect(verdict.exitCode == .damaged)
    // Nothing is left to make it again from.
    #expect(verdict.snapshots.notCompared == 1 && verdict.snapshots.agreeing == 0)
    #expect(verdict.text.contains("1 snapshot behind damage cannot be compared"))

    // It holds more than is left, and so it goes when the loss is accepted; one that comes back, from a
    // copy, is not compared.
    let snapshots = URL(fileURLWithPath: log.directory + "/snapshots")
    let copy = URL(fileURLWithPath: log.directory + "/copy")
    try FileManager.default.copyItem(at: snapshots, to: copy)
    try log.openAcceptingLosses()
    #expect(try Replay.verify(log.reader(), now: TestLog.now).snapshots == SnapshotVerdict())
    #expect(try Replay.state(log.reader(), at: nil, now: TestLog.now).state != whole.state)
    try FileManager.default.removeItem(at: snapshots)
    try FileManager.default.moveItem(at: copy, to: snapshots)
    let accepted = try Replay.verify(log.reader(), now: TestLog.now).snapshots
    #expect(accepted.notCompared == 1 && accepted.wrong == 0 && accepted.agreeing == 0)
    // One that is made of what is left is compared with it.
    try log.makeSnapshots(at: [20, 21])
    let anew = try Replay.verify(log.reader(), now: TestLog.now).snapshots
    #expect(anew.agreeing == 2 && anew.notCompared == 0)
  }
}

import Domain
import EventStore
import Foundation
import Inquiry
import Support
import Testing

/// Snapshots make answers faster, never other ones.
@Suite struct SnapshotTests {
  /// A log of edits, requests decided on them or on what no log can have, unknown kinds and restarts.
  private func randomLog(_ random: inout SeededRandom, steps: Int) throws -> TestLog {
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
      case 10: try log.append(kind: "combo.set.v9", stream: "combo/x", payload: [0, 1, 1, 97, 5])
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
          credential: Fingerprint([UInt8](repeating: UInt8(random.int(1...9)), count: 32))))
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
        try Replay.verify(reader, from: range[0], to: range[1], now: TestLog.now)
      }
    }
    try say("state") { try Replay.state(reader, at: nil, now: TestLog.now) }
    try say("verify") { try Replay.verify(reader, now: TestLog.now) }
    return said
  }

  @Test(arguments: UInt64(0)..<12)
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
      for (with, without) in zip(try answers(log, seed: seed), plain) where with != without {
        Issue.record(
          "seed \(seed), snapshots at \(positions.sorted()):\n\(with)\nand was\n\(without)")
        return
      }
    }
    // Damaged ones among whole ones.
    let names = try FileManager.default.contentsOfDirectory(atPath: log.directory + "/snapshots")
    var damaged = 0
    for name in names.sorted() where random.oneIn(2) {
      let file = URL(fileURLWithPath: log.directory + "/snapshots/" + name)
      var bytes = try Data(contentsOf: file)
      bytes[random.int(0...bytes.count - 1)] ^= UInt8(1 << random.int(0...7))
      try bytes.write(to: file)
      damaged += 1
    }
    let ignored = try Replay.ignoredSnapshots(in: log.reader())
    #expect(ignored.count == damaged && ignored.allSatisfy { $0.contains(".snap: snapshot.") })
    #expect(try answers(log, seed: seed) == plain)
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
    #expect(try Replay.verify(reader, now: TestLog.now).exitCode == .damaged)
  }
}

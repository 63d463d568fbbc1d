import Domain
import EventStore
import Inquiry
import Testing

@Suite struct DecisionTests {
  private func show(_ log: TestLog, _ target: String) throws -> RequestReport {
    try #require(try Replay.show(log.reader(), target) as? RequestReport)
  }

  private func id(_ number: UInt64) -> String { uuidText(TestLog.request(number).rawValue) }

  @Test func `each attempt's decision is made again on its own snapshot`() throws {
    let log = try TestLog.story()
    let report = try show(log, id(2))
    #expect(report.decisions.map(\.verdict) == [.reproduced, .reproduced])
    #expect(report.accountNames == ["mock/a1", "mock/a2"])
    #expect(report.decisions[1].candidates.map(\.rejection) == [.alreadyTried, nil])
    #expect(
      report.decisions[0].inForce.map(\.stream)
        == [
          "provider/mock", "account/mock-a1", "credential/mock-a1", "key/key-default", "settings",
        ])
    #expect(report.exitCode == .same)
  }

  @Test func `edits after the snapshot change neither the decision nor what was in force`() throws {
    let log = try TestLog.story()
    let early = try show(log, id(1))
    #expect(early.decisions.map(\.verdict) == [.reproduced])
    let alias = try #require(early.decisions[0].inForce.first { $0.stream == "alias/fast" })
    #expect(alias.position < 10 && alias.actor == "local:0" && alias.source == .file)
    let late = try show(log, id(7))
    #expect(late.decisions.map(\.verdict) == [.reproduced])
    #expect(late.decisions[0].inForce.contains { $0.stream == "alias/fast" && $0.actor == "admin" })
  }

  @Test func `a repeated client id shows the newest request and names the others`() throws {
    let report = try show(TestLog.story(), "my-id")
    #expect(report.id == TestLog.request(4))
    #expect(report.occurrences == 2 && report.others == [TestLog.request(1)])
    #expect(report.outcome == .deliveryFailed)
    #expect(report.events.count == 2)
  }

  @Test func `a position or event id of a request shows its whole story`() throws {
    let log = try TestLog.story()
    for target in ["10", "1:10", "event:01932d5e-7c4b-7000-8000-00000000000a"] {
      let report = try show(log, target)
      #expect(report.id == TestLog.request(1) && report.others.isEmpty)
    }
  }

  @Test func `a changed account in a record is reported as differing`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var finished = try log.finished(1, "m", [.ok])
    #expect(finished.attempts[0].account == AccountID("p1"))
    finished.attempts[0].account = AccountID("p2")
    try log.append(.request(.finished(finished)))
    try log.append(.request(.finished(log.finished(2, "m", [.ok]))))

    let report = try show(log, id(1))
    #expect(report.decisions.map(\.verdict) == [.differs("recorded p/p2, today p/p1")])
    #expect(report.exitCode == .differs)
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.isWhole && verdict.remade == 2 && verdict.differing == 1)
    #expect(verdict.differences.map(\.request) == [id(1)])
    #expect(verdict.exitCode == .differs)
  }

  static let mutations: [@Sendable (inout RequestEvent.Finished) -> Void] = [
    { $0.attempts[0].rule = .only }, { $0.modelAsked = "p/nope" },
    { $0.modelResolved = "p/other" }, { $0.attempts[0].account = AccountID("nobody") },
    { $0.attempts[0].snapshot = 1 }, { $0.attempts[1].account = AccountID("p1") },
  ]

  @Test(arguments: mutations.indices)
  func `any input or outcome of a decision that was altered shows as a difference`(
    _ index: Int
  ) throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var finished = try log.finished(1, "m", [.limited, .ok])
    Self.mutations[index](&finished)
    try log.append(.request(.finished(finished)))
    #expect(try Replay.verify(log.reader(), now: TestLog.now).differing >= 1)
  }

  /// Earlier builds asked each account of a provider, though the request could be told to none of them.
  @Test(arguments: ["p2", "p1"])
  func `records of requests that were told to no account of a provider hold`(
    _ second: String
  ) throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var finished = try log.finished(1, "m", [.limited, .ok])
    finished.attempts[0].status = nil
    finished.attempts[0].errorClass = .request
    finished.attempts[0].errorCode = "not_carried"
    finished.attempts[1].account = AccountID(second)
    try log.append(.request(.finished(finished)))
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.remade == 2 && verdict.differing == (second == "p2" ? 0 : 1))
    let report = try show(log, id(1))
    if second == "p2" {
      #expect(report.decisions.map(\.verdict) == [.reproduced, .reproduced])
      #expect(report.decisions[1].candidates.map(\.rejection) == [.alreadyTried, nil])
    }
  }

  @Test func `a snapshot that no log can have makes a decision not reproducible`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var finished = try log.finished(1, "m", [.ok])
    finished.attempts[0].snapshot = .max
    try log.append(.request(.finished(finished)))
    let verdict = try Replay.verify(log.reader(), now: TestLog.now)
    #expect(verdict.notReproducible == 1 && verdict.exitCode == .notReproducible)
    #expect(try show(log, id(1)).exitCode == .notReproducible)
  }

  @Test func `what cannot be found is refused with the log's cover`() throws {
    let log = try TestLog.story()
    for target in ["nobody", "99", id(99), "event:\(id(1))", "0"] {
      let fault = try #require(throws: InquiryFault.self) {
        try Replay.show(log.reader(), target)
      }
      #expect(fault.code == .notFound, "\(target): \(fault)")
    }
  }
}

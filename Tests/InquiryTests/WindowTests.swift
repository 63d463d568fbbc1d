import Domain
import EventStore
import Foundation
import Inquiry
import Testing

@Suite struct WindowTests {
  @Test func `a window cut at any two positions holds exactly its events and never traps`() throws {
    let log = try TestLog.story()
    let reader = try log.reader()
    for first in 0...(log.last + 1) {
      for last in 0...(log.last + 1) {
        let query = WindowQuery(from: .position(first, epoch: nil), to: .position(last, epoch: nil))
        let report = try Replay.window(reader, query, now: TestLog.now)
        let (from, through) = (max(1, first), min(last, log.last))
        #expect(report.eventsInRange == (from <= through ? through - from + 1 : 0))
        #expect(report.timeline.count == Int(report.eventsInRange))
        #expect(report.exitCode == .same)
        // A check of what is not there does not pass; DamageTests has that.
        guard max(first, last) <= log.last else { continue }
        let verdict = try Replay.verify(
          reader, from: query.from, to: query.to, now: TestLog.now)
        #expect(verdict.exitCode == .same, "\(first)…\(last): \(verdict.text)")
      }
    }
  }

  @Test func `figures are those of the events`() throws {
    let log = try TestLog.story()
    let summary = try Replay.window(log.reader(), WindowQuery(), now: TestLog.now).summary
    #expect(summary.finished == 6)
    #expect(summary.endings == ["completed": 4, "denied": 1, "failed": 1])
    #expect(summary.statuses == [200: 4, 404: 1, 502: 1])
    #expect(summary.errorClasses == ["client": 1, "network": 1])
    #expect(summary.interrupted == 1 && summary.deliveryFailed == 1)
    #expect(summary.deniedInSummaries == 120 && summary.inFlightAtEnd == 0)
    let a1 = try #require(summary.accounts["mock/a1"])
    #expect((a1.count, a1.failures, a1.tokensIn, a1.tokensOut) == (3, 1, 24, 10))
    let a2 = try #require(summary.accounts["mock/a2"])
    #expect((a2.count, a2.failures, a2.tokensIn, a2.tokensOut) == (3, 1, 12, 5))
    #expect(summary.models["mock/gpt-4o"]?.count == 4)
    // A model that nobody has is its caller's matter, in a window as in a report.
    #expect(summary.models["(none)"]?.failures == 0 && summary.models["(none)"]?.callers == 1)
  }

  @Test func `percentiles are by nearest rank, exact`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    // 1…100 ms in a scattered order.
    for step in 1...100 {
      let milliseconds = UInt64(step * 37 % 101)
      try log.append(
        .request(.finished(log.finished(UInt64(step), "m", [.ok], milliseconds: milliseconds))))
    }
    let row = try #require(
      Replay.window(log.reader(), WindowQuery(), now: TestLog.now).summary.models["p/m"])
    #expect(row.percentile(50) == 50_000)
    #expect(row.percentile(95) == 95_000)
    #expect(row.percentile(100) == 100_000)
  }

  static let filters: [(filter: WindowFilter, events: UInt64)] = [
    (.init(kind: "request"), 10), (.init(kind: "request.finished"), 6),
    (.init(kind: "request.finished.v1"), 5), (.init(kind: "sync"), 0),
    (.init(kind: "combo.set.v9"), 1), (.init(account: "mock-a1"), 7),
    (.init(account: "a1"), 7), (.init(account: "mock/a1"), 7),
    (.init(key: "default"), 10), (.init(key: "key-default"), 10), (.init(model: "fast"), 6),
    (.init(model: "gpt-4o-mini"), 1), (.init(provider: "mock"), 14),
    (.init(kind: "request.finished", provider: "mock"), 5),
    (.init(kind: "alias", account: "a1"), 0),
  ]

  @Test(arguments: filters)
  func `a filter keeps what it names, in figures and timeline`(
    _ row: (filter: WindowFilter, events: UInt64)
  ) throws {
    let log = try TestLog.story()
    let report = try Replay.window(
      log.reader(), WindowQuery(filter: row.filter), now: TestLog.now)
    #expect(report.summary.events == row.events, "\(row.filter) \(report.text)")
    #expect(report.timeline.count == Int(row.events))
  }

  @Test
  func `a name that nobody has is refused with those that there are, one that somebody had is not`()
    throws
  {
    let log = try TestLog.story()
    let reader = try log.reader()
    func fault(_ filter: WindowFilter, from: String = "1") throws -> InquiryFault? {
      let query = WindowQuery(from: try Selector(from), filter: filter)
      do throws(InquiryFault) {
        _ = try Replay.window(reader, query, now: TestLog.now)
        return nil
      } catch { return error }
    }
    for (filter, parameter, name) in [
      (WindowFilter(account: "mock/a3"), "account", "mock/a1"),
      (.init(key: "nobody"), "key", "key-default"), (.init(organisation: "acne"), "org", "acme"),
      (.init(provider: "nobody"), "provider", "mock"),
      (.init(kind: "reque"), "kind", "request"),
    ] {
      let found = try #require(try fault(filter))
      #expect(found.code == .notFound && found.parameter == parameter)
      #expect(found.message.contains(name), "\(found)")
    }
    for known in [
      WindowFilter(kind: "alias", account: "a1"), .init(kind: "alias", key: "default"),
      .init(kind: "alias", organisation: "acme"), .init(kind: "key", provider: "mock"),
      .init(model: "nobody"),
    ] {
      #expect(try fault(known) == nil, "\(known)")
    }
    // Removed before the window, and not forgotten.
    try log.run([
      .account(.remove(AccountID("mock-a1"))), .account(.remove(AccountID("mock-a2"))),
      .provider(.remove(ProviderID("mock"))),
    ])
    try log.append(.gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 0))))
    let later = try log.reader()
    for filter in [
      WindowFilter(account: "mock-a1"), .init(account: "mock/a2"), .init(provider: "mock"),
    ] {
      let query = WindowQuery(from: .position(log.last, epoch: nil), filter: filter)
      #expect(try Replay.window(later, query, now: TestLog.now).summary.events == 0)
    }
  }

  @Test func `statuses are filtered by number and by hundred`() throws {
    let log = try TestLog.story()
    func count(_ status: String) throws -> UInt64 {
      let filter = WindowFilter(status: try WindowFilter.StatusRange(status))
      return try Replay.window(log.reader(), WindowQuery(filter: filter), now: TestLog.now)
        .summary.events
    }
    #expect(try count("200") == 4)
    #expect(try count("4xx") == 1)
    #expect(try count("5xx") == 1)
    for wrong in ["", "4x", "xxx", "600", "99", "4XX", "-200", "6xx"] {
      #expect(throws: InquiryFault.self, "\(wrong)") { try WindowFilter.StatusRange(wrong) }
    }
  }

  @Test func `the limit cuts the timeline, not the figures, and says so`() throws {
    let log = try TestLog.story()
    let report = try Replay.window(log.reader(), WindowQuery(limit: 5), now: TestLog.now)
    #expect(report.timeline.count == 5 && report.omitted == log.last - 5)
    #expect(report.summary.finished == 6)
    #expect(report.text.contains("… \(log.last - 5) more events"))
  }

  @Test func `an empty answer says what the log covers`() throws {
    let log = try TestLog.story()
    let report = try Replay.window(
      log.reader(), WindowQuery(from: Selector("2030-01-01T00:00:00Z")), now: TestLog.now)
    #expect(report.text.contains("The log covers 1:1 (2026-"))
    let empty = try TestLog()
    let none = try Replay.window(empty.reader(), WindowQuery(), now: TestLog.now)
    #expect(none.text.contains("The log is empty.") && none.exitCode == .same)
  }
}

extension TestLog {
  /// One provider `p` with model `m`, and accounts `p1`, `p2` and so on of priorities 1, 2 and so on.
  static func provision(_ log: TestLog, accounts: UInt32 = 2) throws {
    let provider = ProviderID("p")
    var commands: [Command] = [
      .provider(
        .add(
          .init(
            id: provider, name: "p", dialect: .openai, baseURL: "http://127.0.0.1:9000",
            prefix: "p", models: [.init(name: "m")], excludedModels: [])))
    ]
    for number in 1...accounts {
      commands.append(
        .account(
          .add(
            .init(
              id: AccountID("p\(number)"), provider: provider, name: "p\(number)",
              priority: number, weight: 1),
            credential: .key(Fingerprint([UInt8](repeating: UInt8(number), count: 32))))))
    }
    try log.run(commands)
  }
}

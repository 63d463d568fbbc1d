import Domain
import EventStore
import Inquiry
import Testing

@Suite struct GoldenTests {
  /// Every verb over the story: name of the golden file, and the report.
  static func reports(_ log: LogReader) throws -> [(name: String, report: any InquiryReport)] {
    let now = TestLog.now
    func show(_ target: String) throws -> any InquiryReport { try Replay.show(log, target) }
    return [
      ("window", try Replay.window(log, WindowQuery(), now: now)),
      (
        "window-filtered",
        try Replay.window(
          log,
          WindowQuery(
            from: Selector("-90s"), to: Selector("request:my-id"),
            filter: WindowFilter(account: "mock/a2"), limit: 2), now: now)
      ),
      (
        "window-empty",
        try Replay.window(log, WindowQuery(from: Selector("2027-01-01T00:00:00Z")), now: now)
      ), ("show-failover", try show(uuidText(TestLog.request(2).rawValue))),
      ("show-repeated-id", try show("my-id")),
      ("show-denied", try show("request:\(uuidText(TestLog.request(3).rawValue))")),
      ("show-interrupted", try show(uuidText(TestLog.request(6).rawValue))),
      ("show-credential", try show("1:4")), ("show-unknown-kind", try show("2:24")),
      ("state", try Replay.state(log, at: nil, now: now)),
      ("state-before-edits", try Replay.state(log, at: Selector("1:12"), now: now)),
      ("state-accounts", try Replay.state(log, at: Selector("1:14"), part: .accounts, now: now)),
      ("verify", try Replay.verify(log, now: now)),
      ("explain-failover", try Replay.explain(log, uuidText(TestLog.request(2).rawValue))),
      ("explain-denied", try Replay.explain(log, uuidText(TestLog.request(3).rawValue))),
      ("explain-interrupted", try Replay.explain(log, uuidText(TestLog.request(6).rawValue))),
      ("explain-disabled", try Replay.explain(log, "my-id")),
      ("blame", try Replay.blame(log, "account/mock-a1", now: now)),
      ("history", try Replay.history(log, of: "alias/fast", limit: 10)),
      (
        "state-diff",
        try Replay.difference(log, from: Selector("1:12"), to: Selector("2:29"), now: now)
      ),
    ]
  }

  @Test func `every verb's text and JSON are as they were`() throws {
    let log = try TestLog.story()
    for (name, report) in try Self.reports(log.reader()) {
      let golden = try report.golden(log)
      try expectGolden(golden.text, "\(name).txt")
      try expectGolden(golden.json, "\(name).json")
    }
  }

  @Test func `every part of the state is shown`() throws {
    let log = try TestLog.furnished()
    let report = try Replay.state(log.reader(), at: nil, now: TestLog.now)
    let golden = try report.golden(log)
    try expectGolden(golden.text, "state-furnished.txt")
    try expectGolden(golden.json, "state-furnished.json")
    for part in StateReport.Part.allCases {
      let one = try Replay.state(log.reader(), at: nil, part: part, now: TestLog.now)
      // A part alone is what the whole has of it, behind the same head.
      let body = try #require(one.text.firstRange(of: "\n\n")).lowerBound
      #expect(one.text[..<body] == report.text[..<body] && report.text.contains(one.text[body...]))
    }
  }

  @Test func `what was spent is what the log's own fold says, at every position`() throws {
    let log = try TestLog.furnished()
    for snapshots in [[], [log.last / 2]] as [Set<UInt64>] {
      try log.makeSnapshots(at: snapshots)
      for position in 1...log.last {
        let told = try Replay.state(
          log.reader(), at: .position(position, epoch: nil), now: TestLog.now)
        let fold = try log.projection(through: position)
        #expect(told.usage?.ledger == fold.ledger && told.state == fold.state)
        #expect(told.usage?.underWay == fold.inFlight.open.count)
      }
    }
  }

  @Test func `the same log gives the same bytes, through any reader, also beside the writer`()
    throws
  {
    let log = try TestLog.story()
    let beside = try Self.reports(log.reader()).map { $0.report.text + $0.report.json.rendered }
    let again = try Self.reports(log.reader()).map { $0.report.text + $0.report.json.rendered }
    #expect(beside == again)
    try log.close()
    let closed = try Self.reports(log.reader()).map { $0.report.text + $0.report.json.rendered }
    #expect(beside == closed)
  }

  @Test func `no output holds a control character or a sealed byte`() throws {
    let log = try TestLog.story()
    for (name, report) in try Self.reports(log.reader()) {
      for text in [report.text, report.json.rendered] {
        let raw = text.unicodeScalars.first {
          $0 != "\n" && ($0.value < 0x20 || (0x7F...0x9F).contains($0.value))
        }
        #expect(raw == nil, "\(name)")
        #expect(!text.contains("09090909"))
      }
    }
  }
}

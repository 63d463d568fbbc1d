import Domain
import EventStore
import Foundation
import Support
import Testing

@testable import Inquiry

@Suite struct ReportTests {
  private func report(_ log: TestLog, from: String? = nil, to: String? = nil) throws
    -> IncidentReport
  {
    try Replay.report(
      log.reader(),
      ReportQuery(from: from.map { try Selector($0) }, to: to.map { try Selector($0) }),
      now: TestLog.now)
  }

  private func masked(_ text: String, _ log: TestLog) throws -> String {
    text.replacingOccurrences(
      of: uuidText(try log.reader().storeID), with: "00000000-0000-0000-0000-000000000000")
  }

  @Test func `an incident is told with its culprit first, the same in every form`() throws {
    let log = try TestLog.incident()
    let report = try report(log)
    let main = try #require(report.main)
    #expect(main.severity == .sev1 && !main.goesOn && report.incidents.count == 1)
    // The file's edit, which was made without having seen Ana's.
    let first = try #require(report.contributions.first)
    #expect(first.rule == .editTurned && first.who == "local:0 via file")
    #expect(first.what.contains("base-url http://127.0.0.1:9001/v1 → http://127.0.0.1:9000/v1"))
    #expect(first.evidence.contains("written without having seen what it replaced"))
    let culprit = try IncidentReport.position(first.places[0])
    #expect(culprit < report.impactFirst && report.impactFirst.rawValue - culprit.rawValue < 10)
    // What went around it and what mended it.
    #expect(
      report.helped.contains { $0.what.hasPrefix("alias fast set") && $0.who == "ana via api" })
    #expect(report.helped.contains { $0.what.contains("9000/v1 → http://127.0.0.1:9001/v1") })
    #expect(report.lanes.lanes.values.contains { $0.segments.contains { $0.state == .cooling } })
    try expectGolden(masked(report.text, log), "report.md")
    try expectGolden(masked(report.html, log), "report.html")
    try expectGolden(masked(report.json.rendered, log), "report.json")
    let again = try self.report(log)
    #expect(again.html == report.html && again.text == report.text)
    #expect(again.json == report.json)
    #expect(report.html.utf8.count < 250_000)
  }

  /// An hour in which nobody was served and no provider was at fault: the ladder has no rung for it, and whoever looks
  /// must not be told that all was well.
  @Test(
    arguments: [
      ("invalid_api_key", 401), ("model_not_found", 404), ("rate_limited", 429),
    ] as [(String, UInt16)])
  func `an hour of refusals at callers' fault is told, with the edit that they began with`(
    _ code: String, _ status: UInt16
  ) throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var number: UInt64 = 0
    func ask(_ count: Int, isRefused: Bool) throws {
      for _ in 0..<count {
        number += 1
        log.wait(seconds: 14)
        try log.append(
          .request(
            .finished(
              log.finished(
                number, "fast", isRefused ? [] : [.ok], status: isRefused ? status : 200,
                ending: isRefused ? .denied : .completed, errorCode: isRefused ? code : nil,
                errorClass: isRefused ? .client : nil,
                usage: isRefused ? .notReported : TokenUsage(input: 12, output: 5)))))
      }
    }
    try log.run([.alias(.set(name: "fast", target: "p/m", allowUnresolved: false))])
    try ask(40, isRefused: false)
    try log.run(
      [.alias(.remove(name: "fast"))], Provenance(actor: "ana", source: .api, address: "::1"))
    let culprit = log.last
    try ask(240, isRefused: true)
    let report = try report(log)
    #expect(report.main == nil && report.isAboutRefusals && report.incidents.isEmpty)
    #expect(report.headline.contains("85.7 % of requests refused at their callers' fault"))
    let first = try #require(report.contributions.first)
    #expect(first.rule == .editTurned && first.who == "ana via api")
    #expect(first.places == ["1:\(culprit)"], "\(first)")
    #expect(first.evidence.contains("0 of 40 (0.0 %) were refused before it"))
    for text in [report.text, report.html] {
      #expect(text.contains("240 of 280 (85.7 %)") && text.contains(code))
      #expect(!text.contains("so nothing contributed to one"))
    }
    #expect(report.json["impact"]?["refusals"]?.rendered.contains("\(code) (client)") == true)
    // A few among many are no matter for the page's head.
    let quiet = try Replay.report(
      log.reader(),
      ReportQuery(to: .position(culprit + 20, epoch: nil)), now: TestLog.now)
    #expect(!quiet.isAboutRefusals && quiet.headline.hasSuffix("No incident by the ladder"))
  }

  @Test func `a planned stop is no failing ping, and one without a word is`() throws {
    for isPlanned in [true, false] {
      let log = try TestLog()
      try TestLog.provision(log)
      for number in UInt64(1)...5 {
        try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
      }
      if isPlanned {
        try log.append(.gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 0))))
        // Signed behind the stop, as a gateway does.
        try log.append(
          .health(
            .noted(.init(account: AccountID("p1"), testStatus: .active, error: .cleared))))
      }
      log.wait(seconds: 300)
      try log.append(
        .gateway(
          .started(
            .init(
              version: "0.4.1", epoch: 1, recording: .standard, listen: "127.0.0.1:8080",
              previousStopWasClean: isPlanned, interruptedRequests: 0))))
      try log.append(.request(.finished(log.finished(6, "m", [.ok]))))
      let report = try report(log)
      #expect((report.main == nil) == isPlanned)
      #expect(
        report.main?.episodes.contains { $0.rule == .notRunning } ?? false == !isPlanned)
      let told = report.timeline.contains {
        $0.what.contains("planned stop, started again after 5 min")
      }
      #expect(told == isPlanned, "\(report.timeline.map(\.what))")
    }
  }

  @Test func `cooldowns come before how things were set up`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var number: UInt64 = 0
    func ask(_ results: [TestLog.Result], _ status: UInt16) throws {
      number += 1
      log.wait(seconds: 9)
      try log.append(
        .request(
          .finished(
            log.finished(
              number, "m", results, status: status, ending: status == 200 ? .completed : .failed,
              errorCode: status == 200 ? nil : "rate_limited",
              errorClass: status == 200 ? nil : .account, usage: .notReported))))
    }
    for _ in 1...30 { try ask([.ok], 200) }
    var places: [String] = []
    for name in ["p1", "p2"] {
      try ask(name == "p1" ? [.limited, .ok] : [.limited], name == "p1" ? 200 : 429)
      let position = try log.append(
        .health(
          .cooldownStarted(
            .init(
              account: AccountID(name), scope: .account, rule: "rate_limited",
              until: UnixNanoseconds(log.time + 3_600_000_000_000), status: 429,
              errorCode: "status_429"))))
      places.append("1:\(position)")
    }
    for _ in 1...60 { try ask([], 503) }
    let report = try report(log)
    #expect(report.main != nil && report.impact.uncalled == 60)
    #expect(report.contributions.prefix(2).map(\.rule) == [.cooling, .cooling])
    #expect(report.contributions.prefix(2).map { $0.places[0] } == places)
    #expect(!report.contributions.contains { $0.rule == .editNear })
  }

  @Test func `edits of one batch are one row, and accounts without a lane are named`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for number in UInt64(1)...3 {
      try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
    }
    let report = try report(log)
    let rows = report.timeline.filter { $0.kind == .edit }
    // Each event of this log has a time of its own.
    #expect(rows.count > 3 && !rows.contains { $0.what.contains("at once") })
    var batch = rows
    for index in batch.indices { (batch[index].time, batch[index].who) = (rows[0].time, "ana") }
    batch[1].kind = .health
    let together = IncidentPass.batched(batch)
    #expect(together.count == 3 && together[0] == batch[0] && together[1] == batch[1])
    #expect(together[2].what.hasPrefix("\(batch.count - 2) edits at once, \(batch[2].place) … "))
    #expect(report.text.contains("Every account was ready all the time."))
  }

  @Test func `what an operator took out of service is the cause of that it was out`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([.account(.change(.init(id: AccountID("p2"), priority: 9)))])
    for number in UInt64(1)...5 {
      try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
    }
    try log.run([.account(.degrade(AccountID("p1"), reason: "slow"))])
    let place = "1:\(log.last)"
    for number in UInt64(6)...15 {
      log.wait(seconds: 60)
      try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
    }
    let report = try report(log)
    #expect(report.main?.episodes.map(\.rule) == [.accountUnhealthy])
    let first = try #require(report.contributions.first)
    #expect(first.rule == .editOut && first.places == [place], "\(first)")
    #expect(first.evidence.contains("as it began"))
    #expect(!report.text.contains("before the first failure"))
    #expect(report.text.contains("requests that an account was asked for have no price"))
  }

  @Test func `windows cut anywhere are told without a trap, and without an incident it says so`()
    throws
  {
    let log = try TestLog.story()
    for first in stride(from: UInt64(0), through: log.last + 1, by: 3) {
      for last in stride(from: UInt64(0), through: log.last + 1, by: 2) {
        let it = try report(log, from: "\(first)", to: "\(last)")
        #expect(it.main == nil && !it.html.isEmpty && !it.text.isEmpty)
        #expect(it.html.contains("No rung of the ladder"))
      }
    }
    let empty = try TestLog()
    #expect(try report(empty).text.contains("The log is empty."))
  }

  @Test func `text of the log is text in every form`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    let bad = "<img src=x onerror=alert(1)>|`*_[a](b)\"'&\u{1B}[31m\u{202E}"
    for number in UInt64(1)...400 {
      var it = try log.finished(
        number, "m", [.refused], status: 502, ending: .failed, errorCode: "upstream_unreachable",
        errorClass: .network)
      it.modelAsked = bad
      it.organisation = OrganisationID(bad)
      if number.isMultiple(of: 40) {
        try log.run(
          [.account(.degrade(AccountID("p2"), reason: "it is <b>bad</b> | \(number)"))],
          Provenance(actor: "<script>eve", source: .api))
      }
      try log.append(.request(.finished(it)))
    }
    let report = try report(log)
    #expect(report.main?.severity == .sev1 && report.main?.goesOn == true)
    #expect(!report.html.contains("<img") && !report.html.contains("<script"))
    #expect(!report.html.contains("<b>") && report.html.contains("&lt;b&gt;bad"))
    #expect(!report.text.contains("<img") && !report.text.contains("[a](b)"))
    for text in [report.html, report.text, report.json.rendered] {
      #expect(
        !text.unicodeScalars.contains { $0 != "\n" && ($0.value < 0x20 || $0.value == 0x202E) })
    }
  }

  @Test func `what runs into each other is one incident, and one that came back is a rung higher`()
  {
    func episode(_ rule: LadderRule, _ from: Int64, _ to: Int64) -> Episode {
      func at(_ minute: Int64) -> LogCoverage.Moment {
        .init(place: "1:\(minute)", time: UnixNanoseconds(minute * 60_000_000_000))
      }
      return Episode(
        rule: rule, subject: "", began: at(from), rang: at(from + 5).time, last: at(to),
        goesOn: false)
    }
    let twice = Incident.all(of: [episode(.highErrorRate, 0, 10), episode(.highErrorRate, 20, 30)])
    #expect(twice.map(\.severity) == [.sev1] && twice[0].recurred && twice[0].last.place == "1:30")
    let apart = Incident.all(of: [episode(.highErrorRate, 0, 10), episode(.highErrorRate, 25, 30)])
    #expect(apart.map(\.severity) == [.sev2, .sev2] && !apart[0].recurred)
    let within = Incident.all(of: [
      episode(.accountUnhealthy, 0, 900), episode(.highErrorRate, 5, 30),
      episode(.mostRequestsFailing, 6, 20),
    ])
    #expect(within.map(\.severity) == [.sev1] && within[0].began.place == "1:5")
    #expect(Incident.all(of: [episode(.accountUnhealthy, 0, 900)]).map(\.severity) == [.sev3])
  }

  @Test func `a gateway that was gone is an incident between its last sign and its start`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for number in UInt64(1)...30 {
      try log.append(.request(.finished(log.finished(number, "m", [.ok]))))
    }
    let last = log.last
    log.wait(seconds: 100)
    try log.append(
      .gateway(
        .started(
          .init(
            version: "2", epoch: 1, recording: .standard, listen: "127.0.0.1:1",
            previousStopWasClean: false, interruptedRequests: 2))))
    let main = try #require(try report(log).main)
    #expect(main.severity == .sev1 && main.began.place == "1:\(last)")
    #expect(try report(log).contributions.first?.rule == .notRunning)
  }

  @Test func `due days pass over the week's end`() {
    // 2026-11-20 is a Friday.
    let friday = parseRFC3339("2026-11-20T22:06:00Z") ?? UnixNanoseconds(0)
    #expect(rfc3339(IncidentReport.workingDay(friday, after: 5)).hasPrefix("2026-11-27"))
    #expect(rfc3339(IncidentReport.workingDay(friday, after: 1)).hasPrefix("2026-11-23"))
  }

  /// deploy/slos.yaml is what is promised.
  @Test func `the standard promises are those of the monitoring`() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(
      contentsOf: root.appendingPathComponent("deploy/slos.yaml"), encoding: .utf8)
    let numbers = text.matches(of: #/(?m)^\s+(share|seconds|quantile): ([0-9.]+)$/#).map {
      "\($0.1)=\($0.2)"
    }
    #expect(numbers == ["share=0.995", "share=0.95", "seconds=3", "quantile=0.95"])
    let standard = Objectives.standard
    #expect(standard.servedPerMillion == 995_000 && standard.inTimePerMillion == 950_000)
    #expect(standard.firstByteMicroseconds == 3_000_000)
  }

  // MARK: Against counting anew

  private struct Told {
    var time: Int64
    var position: UInt64
    var verdict: RequestVerdict
    var organisation: String
    var model: String
    var late: Bool
  }

  private func randomLog(_ random: inout SeededRandom) throws -> (TestLog, [Told]) {
    let log = try TestLog()
    try TestLog.provision(log)
    var told: [Told] = []
    var (isBad, number) = (false, UInt64(0))
    for _ in 0..<700 {
      if random.oneIn(90) { isBad.toggle() }
      if random.oneIn(80) { log.wait(seconds: Int64(random.int(1...400))) }
      log.wait(seconds: Int64(random.int(0...6)))
      number += 1
      let organisation = random.oneIn(2) ? "a" : "b"
      let fails = isBad ? !random.oneIn(3) : random.oneIn(40)
      var it: RequestEvent.Finished
      if random.oneIn(12) {
        it = try log.finished(
          number, "m", [], status: 404, ending: .denied, errorCode: "model_not_found",
          errorClass: .client)
      } else if fails {
        it = try log.finished(
          number, "m", [.refused], status: 502, ending: .failed, errorCode: "upstream_unreachable",
          errorClass: .network)
        it.firstByteMicroseconds = nil
      } else {
        it = try log.finished(number, "m", [.ok])
        it.firstByteMicroseconds = UInt64(random.int(1...40)) * 100_000
      }
      it.organisation = OrganisationID(organisation)
      it.modelAsked = "m\(random.int(1...3))"
      try log.append(.request(.finished(it)))
      told.append(
        Told(
          time: log.time, position: log.last, verdict: it.verdict, organisation: organisation,
          model: it.modelAsked,
          late: !it.attempts.isEmpty && (it.firstByteMicroseconds ?? 0) > 3_000_000))
    }
    return (log, told)
  }

  /// When a condition has held long enough, by looking at all requests at every step.
  private func rings(
    _ told: [Told], for needed: Int64,
    _ isTrue: (_ counts: (Int64) -> (bad: Int, all: Int)) -> Bool,
    of organisation: String? = nil
  ) -> [Int64] {
    let step: Int64 = 15_000_000_000
    guard let first = told.first, let last = told.last else { return [] }
    var (found, since, hasRung) = ([Int64](), Int64?.none, false)
    for at in first.time / step...last.time / step {
      let now = (at + 1) * step
      let truth = isTrue { minutes in
        let inside = told.filter {
          $0.time / step > at - minutes * 4 && $0.time / step <= at && $0.verdict != .callers
            && organisation ?? $0.organisation == $0.organisation
        }
        return (inside.count { $0.verdict == .failed }, inside.count)
      }
      if !truth {
        (since, hasRung) = (nil, false)
        continue
      }
      since = since ?? now
      if let since, !hasRung, now - since >= needed * 60_000_000_000 {
        found.append(now)
        hasRung = true
      }
    }
    return found
  }

  @Test func `figures and rungs are what counting anew gives`() throws {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let (log, told) = try randomLog(&random)
    let report = try report(log)
    let episodes = report.incidents.flatMap(\.episodes)
    func rung(_ rule: LadderRule, _ subject: String = "") -> [Int64] {
      episodes.filter { $0.rule == rule && $0.subject == subject }.map(\.rang.rawValue).sorted()
    }
    #expect(
      rung(.mostRequestsFailing)
        == rings(told, for: 5) { $0(5).bad >= 3 && $0(1).bad * 2 > $0(1).all })
    #expect(
      rung(.highErrorRate) == rings(told, for: 5) { $0(5).bad >= 3 && $0(5).bad * 20 > $0(5).all })
    #expect(
      rung(.availabilityBurn6)
        == rings(told, for: 5) {
          $0(5).bad >= 3 && $0(5).bad * 1_000 > 30 * $0(5).all && $0(1).bad * 1_000 > 30 * $0(1).all
        })
    #expect(
      rung(.availabilityBurn2)
        == rings(told, for: 10) {
          $0(60).bad >= 3 && $0(60).bad * 1_000 > 10 * $0(60).all
            && $0(5).bad * 1_000 > 10 * $0(5).all
        })
    for name in ["a", "b"] {
      #expect(
        rung(.organisationOut, name)
          == rings(
            told, for: 5, { $0(5).bad >= 3 && $0(5).bad * 2 > $0(5).all }, of: name))
    }
    let inside = told.filter {
      $0.position >= report.impactFirst.rawValue && $0.position <= report.impactLast.rawValue
    }
    let figures = report.impact.figures
    #expect(figures.requests == UInt64(inside.count))
    #expect(figures.failed == UInt64(inside.count { $0.verdict == .failed }))
    #expect(figures.callers == UInt64(inside.count { $0.verdict == .callers }))
    #expect(report.impact.late == UInt64(inside.count(where: \.late)))
    for (names, value) in [
      (report.impact.organisations, { (it: Told) in it.organisation }),
      (report.impact.models, { (it: Told) in it.model }),
    ] {
      for row in names.rows {
        let own = inside.filter { value($0) == row.name && $0.verdict != .callers }
        #expect(row.counted == UInt64(own.count))
        #expect(row.failed == UInt64(own.count { $0.verdict == .failed }))
      }
    }
    for main in report.incidents {
      // What begins and ends it is a failure or a late answer that is in the log.
      let places = Set(told.filter { $0.verdict == .failed || $0.late }.map { "1:\($0.position)" })
      #expect(places.contains(main.began.place) && places.contains(main.last.place))
    }
    let range = report.series.intervals
    if let first = range.first, let last = range.last, report.main != nil {
      let to = last.start.rawValue + report.series.length
      let focus = try #require(report.focus)
      let shown = told.filter {
        $0.time >= focus.first.time.rawValue && $0.time <= focus.last.time.rawValue
      }
      #expect(shown.allSatisfy { $0.time >= first.start.rawValue && $0.time < to })
      #expect(range.reduce(0) { $0 + $1.figures.requests } == UInt64(shown.count))
    }
  }
}

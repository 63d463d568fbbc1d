import Domain
import EventStore
import Support
import Testing

@testable import Inquiry

/// What `replay explain` says is what `route` does: the event that is named did it, and the steps that are named
/// would have been enough.
@Suite struct ExplainTests {
  private static let organisation = OrganisationID("acme")

  private func id(_ number: UInt64) -> String { uuidText(TestLog.request(number).rawValue) }

  private func candidate(_ log: TestLog, _ number: UInt64, _ account: String) throws
    -> ExplainReport.Candidate
  {
    let report = try Replay.explain(log.reader(), id(number))
    let decision = try #require(report.decisions.last)
    return try #require(decision.candidates.first { $0.account == AccountID(account) })
  }

  /// An edit, what it makes of account p1, which event is named, and what is to be lifted.
  private struct Case {
    var edits: [Command]
    var rejection: String
    /// Of `edits`, the one that did it.
    var culprit: Int
    var steps: Int
  }

  private static func cases() -> [Case] {
    let (p1, p2) = (AccountID("p1"), AccountID("p2"))
    let other: Command = .account(.change(.init(id: p1, name: "renamed")))
    return [
      Case(edits: [.account(.disable(p1)), other], rejection: "disabled", culprit: 0, steps: 1),
      Case(
        edits: [.account(.degrade(p1, reason: "slow")), other], rejection: "degraded", culprit: 0,
        steps: 1),
      Case(
        edits: [
          .account(.change(.init(id: p1, priority: 9))), other,
          .account(.change(.init(id: p2, priority: 3))),
        ], rejection: "lower_priority", culprit: 0, steps: 1),
      Case(
        edits: [
          .health(
            .startCooldown(
              .init(
                account: p1, scope: .account, rule: "rate_limited", until: UnixNanoseconds(.max),
                status: 429, errorCode: nil)))
        ], rejection: "cooling", culprit: 0, steps: 1),
      Case(
        edits: [
          .account(.disable(p1)), .account(.degrade(p1, reason: "slow")),
          .account(.change(.init(id: p1, priority: 9))),
        ], rejection: "disabled", culprit: 0, steps: 3),
    ]
  }

  @Test func `each obstacle is traced to its event and lifted by its own command`() throws {
    for (number, it) in Self.cases().enumerated() {
      let log = try TestLog()
      try TestLog.provision(log)
      var positions: [UInt64] = []
      for edit in it.edits {
        try log.run([edit])
        positions.append(log.last)
      }
      try log.append(.request(.finished(log.finished(1, "m", [.ok]))))
      let found = try candidate(log, 1, "p1")
      #expect(found.rejection == it.rejection, "\(number)")
      #expect(found.since?.position == positions[it.culprit], "\(number)")
      #expect(found.since?.actor == "admin", "\(number)")
      let otherwise = try #require(found.otherwise)
      #expect(otherwise.barrier == nil && otherwise.steps.count == it.steps, "\(otherwise)")
    }
  }

  @Test func `what no command lifts is said, and is not the least`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.append(.request(.finished(log.finished(1, "m", [.limited, .ok]))))
    let report = try Replay.explain(log.reader(), id(1))
    let tried = try candidate(log, 1, "p1")
    #expect(tried.rejection == "already_tried" && tried.since == nil)
    #expect(tried.otherwise?.barrier == "already tried by this request")
    #expect(report.decisions.count == 2 && report.decisions[1].nearest == nil)
    #expect(report.decisions[0].nearest?.account == AccountID("p2"))
  }

  @Test func `a fenced key is let in by one name, not set free`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    let key = KeyID("key-default")
    try log.append(
      .key(
        .created(
          .init(
            id: key, name: "default", organisation: OrganisationID("acme"),
            fingerprint: Fingerprint([UInt8](repeating: 0xC1, count: 32)), masked: "sb-1…cdef",
            diagnostics: true, expiresAt: nil))))
    try log.run([
      .key(
        .changeRights(
          key, KeyRights(allowedModels: ["other"], allowedAccounts: [AccountID("p1")])))
    ])
    try log.append(
      .request(
        .finished(
          log.finished(
            1, "m", [], status: 403, ending: .denied, errorCode: "model_not_allowed",
            errorClass: .client, usage: .notReported))))
    #expect(
      try candidate(log, 1, "p1").otherwise?.steps
        == [.command(#"PUT /api/keys/key-default {"allowedModels": ["other", "m"]}"#)])
    #expect(
      try candidate(log, 1, "p2").otherwise?.steps.first
        == .command(#"PUT /api/keys/key-default {"allowedAccounts": ["p1", "p2"]}"#))
  }

  @Test func `a turn that comes later is found by counting on`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([
      .settings(.change(.init(fallbackStrategy: .roundRobin))),
      .settings(.changeRouting(.init(stickyRoundRobinLimit: 3))),
    ])
    for cursor in UInt64(0)..<6 {
      var finished = try log.finished(cursor + 1, "m", [.ok])
      finished.attempts[0].local = LocalInputs(cursor: cursor)
      let expected = cursor < 3 ? "p1" : "p2"
      finished.attempts[0].account = AccountID(expected)
      finished.attempts[0].rule = .roundRobin
      try log.append(.request(.finished(finished)))
      let report = try Replay.explain(log.reader(), id(cursor + 1))
      #expect(report.exitCode == .same, "\(report.text)")
      #expect(report.decisions[0].nearest?.steps == [.later(3 - cursor % 3)])
    }
  }

  /// Under way at an account, or noted before the first call, without an end; explained as far as that goes.
  @Test(arguments: [AccountID("p2"), nil] as [AccountID?])
  func
    `of a request without an end is told what stood open for it, and that no decision is recorded`(
      _ account: AccountID?
    ) throws
  {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([.account(.degrade(AccountID("p1"), reason: "slow"))])
    let degraded = log.last
    let dispatched = try log.append(
      .request(
        .dispatched(
          .init(
            id: TestLog.request(1), clientRequestID: "mine", organisation: Self.organisation,
            key: KeyID("key-default"), operation: .chatCompletions, modelAsked: "m",
            receivedAt: UnixNanoseconds(log.time), account: account))))
    func check(_ target: String, in log: LogReader, _ outcome: RequestStory.Outcome) throws {
      let report = try Replay.explain(log, target)
      #expect(report.exitCode == .notReproducible && report.outcome == outcome)
      #expect(report.answer == nil && report.asked.model == "m" && report.clientRequestID == "mine")
      let decision = try #require(report.decisions.first)
      #expect(report.decisions.count == 1 && decision.snapshot == dispatched - 1)
      #expect(decision.chosen == account.map { _ in "p/p2" } && decision.attempt == nil)
      let p1 = try #require(decision.candidates.first { $0.account == AccountID("p1") })
      #expect(p1.rejection == "degraded" && p1.since?.position == degraded)
      #expect(p1.otherwise?.steps.count == 1)
      let text = report.text
      #expect(text.contains("recorded with") && !text.contains("\nanswer"), "\(text)")
    }
    // What came after it changes nothing of what stood open for it.
    try log.run([.account(.restore(AccountID("p1"))), .account(.disable(AccountID("p2")))])
    try check("mine", in: log.reader(), .inFlight)
    try log.append(
      .request(
        .interrupted(
          .init(
            id: TestLog.request(1), clientRequestID: "mine", organisation: Self.organisation,
            key: KeyID("key-default"), dispatchedAt: dispatched))))
    try check(id(1), in: log.reader(), .interrupted)
    try check("\(log.last)", in: log.reader(), .interrupted)
    // A bundle of its end alone brings its beginning along, and says the same.
    let path = log.directory + "/end.bundle"
    _ = try Replay.bundle(
      log.reader(), BundleQuery(from: .position(log.last, epoch: nil)), to: path, now: TestLog.now)
    try check(id(1), in: LogReader.open(bundle: path), .interrupted)
  }

  @Test func `a request that no account was asked for is explained on the configuration before it`()
    throws
  {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.run([
      .account(.disable(AccountID("p1"))), .account(.degrade(AccountID("p2"), reason: "x")),
    ])
    try log.append(
      .request(
        .finished(
          log.finished(
            1, "m", [], status: 503, ending: .denied, errorCode: "no_account_available",
            errorClass: .gateway, usage: .notReported))))
    let report = try Replay.explain(log.reader(), id(1))
    #expect(report.exitCode == .notReproducible)
    let decision = try #require(report.decisions.first)
    #expect(decision.attempt == nil)
    #expect(decision.candidates.map(\.rejection) == ["disabled", "degraded"])
    #expect(decision.candidates.compactMap(\.otherwise?.steps.count) == [1, 1])
  }

  /// What is said of a request that no account is asked for.
  private func refuse(
    _ log: TestLog, _ number: UInt64, _ model: String, _ status: UInt16, _ code: String
  ) throws -> ExplainReport.Decision {
    try log.append(
      .request(
        .finished(
          log.finished(
            number, model, [], status: status, ending: .denied, errorCode: code,
            errorClass: .client, usage: .notReported))))
    let report = try Replay.explain(log.reader(), id(number))
    #expect(report.exitCode == .notReproducible)
    return try #require(report.decisions.first)
  }

  /// An edit, what is asked for behind it, and the streams that are named as being in force.
  @Test func `a refusal names the events in force, and what became of the name`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    let (p, acme) = (ProviderID("p"), OrganisationID("acme"))
    try log.append(
      .key(
        .created(
          .init(
            id: KeyID("key-default"), name: "default", organisation: acme,
            fingerprint: Fingerprint([UInt8](repeating: 0xC1, count: 32)), masked: "sb-1…cdef",
            diagnostics: true, expiresAt: nil))))
    // Never known, and like one that is.
    var found = try refuse(log, 1, "mm", 404, "model_not_found")
    #expect(found.names.map(\.last) == [nil] && found.names[0].isWhole)
    #expect(found.names[0].near == ["p/m"])
    #expect(found.resolution?.step == .nothing && found.sent == nil)
    // An alias that was removed, between other edits.
    try log.run([
      .alias(.set(name: "fast", target: "p/m", allowUnresolved: false)),
      .alias(.remove(name: "fast")),
    ])
    let removal = log.last
    try log.run([.provider(.change(.init(id: p, name: "renamed")))])
    found = try refuse(log, 2, "fast", 404, "model_not_found")
    #expect(
      found.names.first?.last?.position == removal && found.names.first?.last?.actor == "admin")
    #expect(found.names.first?.what?.contains("alias fast removed") == true)
    // A model that its provider does not offer any more: not the last event of the provider.
    try log.run([.provider(.change(.init(id: p, excludedModels: ["m"])))])
    let exclusion = log.last
    try log.run([.provider(.change(.init(id: p, name: "p")))])
    for (number, name) in [(UInt64(3), "m"), (4, "p/m")] {
      found = try refuse(log, number, name, 404, "model_not_found")
      #expect(found.names.first?.last?.position == exclusion, "\(name)")
    }
    // An alias that leads there: both names are told.
    try log.run([.alias(.set(name: "old", target: "p/m", allowUnresolved: true))])
    let setting = log.last
    found = try refuse(log, 5, "old", 404, "model_not_found")
    #expect(found.names.map(\.name) == ["old", "p/m"])
    #expect(found.names.map(\.last?.position) == [setting, exclusion])
    #expect(found.inForce.map(\.stream).contains("alias/old"))
    // No account: provider, organisation and settings decided it.
    try log.run([
      .provider(.change(.init(id: p, excludedModels: []))),
      .organisation(.change(.init(id: acme, name: "Acme"))), .provider(.disable(p)),
    ])
    found = try refuse(log, 6, "old", 503, "no_account_available")
    let streams = found.inForce.map(\.stream)
    #expect(streams.contains("provider/p") && streams.contains("organisation/acme"))
    #expect(found.inForce.first { $0.stream == "provider/p" }?.position == log.last - 1)
    #expect(found.resolution?.targets == ["p/m"] && found.names.isEmpty)
  }

  @Test func `what was done at once stands together`() throws {
    func change(_ position: UInt64, _ stream: String, _ time: Int64, _ actor: String)
      -> ConfigurationChange
    {
      let event = Event.alias(.set(.init(name: "a", target: "p/m", isUnresolved: false)))
      return ConfigurationChange(
        LastChange(
          Recorded(
            position: position, time: UnixNanoseconds(time), kind: event.kind,
            provenance: Provenance(actor: actor, source: .api), content: .event(event)), epoch: 1),
        stream: stream)
    }
    let lines = [
      change(5, "alias/a", 7, "ana"), change(9, "alias/b", 8, "ana"),
      change(6, "alias/c", 7, "ana"), change(7, "alias/d", 7, "bob"),
    ].lines
    #expect(
      lines == """
            at once, 1970-01-01T00:00:00.000Z by ana via api
              1:5 alias/a alias.set.v1
              1:6 alias/c alias.set.v1
            1:9 1970-01-01T00:00:00.000Z alias/b alias.set.v1 by ana via api
            1:7 1970-01-01T00:00:00.000Z alias/d alias.set.v1 by bob via api

        """)
  }

  @Test func `only requests are explained`() throws {
    let log = try TestLog.story()
    for target in ["3", "99", "nobody"] {
      #expect(throws: InquiryFault.self) { try Replay.explain(log.reader(), target) }
    }
  }

  /// Whatever is edited: the named steps, carried out as commands, do send the request there.
  @Test func `the named steps are enough, whatever was edited`() throws {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    var (found, without) = (0, 0)
    for _ in 0..<60 {
      let log = try TestLog()
      try TestLog.provision(log, accounts: 4)
      for number in 1...4 {
        let account = AccountID("p\(number)")
        if random.oneIn(3) { try log.run([.account(.disable(account))]) }
        if random.oneIn(3) { try log.run([.account(.degrade(account, reason: "x"))]) }
        if random.oneIn(2) {
          let priority = UInt32(random.int(1...4))
          try log.run([.account(.change(.init(id: account, priority: priority)))])
        }
      }
      let results: [TestLog.Result] = (try? log.finished(1, "m", [.ok])).map { _ in [.ok] } ?? []
      try log.append(
        .request(
          .finished(
            log.finished(
              1, "m", results, status: results.isEmpty ? 503 : 200,
              ending: results.isEmpty ? .denied : .completed))))
      let report = try Replay.explain(log.reader(), id(1))
      for candidate in report.decisions[0].candidates {
        guard let otherwise = candidate.otherwise else { continue }
        guard otherwise.barrier == nil else {
          without += 1
          continue
        }
        var there = log.state
        for step in otherwise.steps {
          for proposed in try decide(Self.command(step), there) {
            there.apply(
              Recorded(
                position: there.position + 1, time: UnixNanoseconds(0), kind: proposed.event.kind,
                provenance: .system, content: .event(proposed.event)))
          }
        }
        let chosen = try? route(
          RoutingSnapshot(there),
          RequestFacts(
            model: "m", organisation: Self.organisation, key: KeyID("key-default"),
            operation: .chatCompletions), now: UnixNanoseconds(log.time), seed: 1, local: .none,
          tried: []
        ).get().account
        #expect(chosen == candidate.account, "\(otherwise)")
        found += 1
      }
    }
    #expect(found > 60 && without == 0)
  }

  /// The command that a step names, read from its words as an operator would.
  private static func command(_ step: OtherChoice.Step) throws -> Command {
    guard case .command(let text) = step else { throw Unreadable(step: step) }
    let path = text.split(separator: " ")[1].split(separator: "/")
    if text.hasSuffix("/healthy") { return .account(.restore(AccountID(String(path[4])))) }
    let account = AccountID(String(path[2]))
    if text.hasSuffix("{\"isActive\": true}") { return .account(.enable(account)) }
    let digits = text.split(separator: "\"priority\": ", maxSplits: 1)
    guard digits.count == 2, let priority = UInt32(digits[1].prefix { $0.isNumber }) else {
      throw Unreadable(step: step)
    }
    return .account(.change(.init(id: account, priority: priority)))
  }

  private struct Unreadable: Error {
    var step: OtherChoice.Step
  }
}

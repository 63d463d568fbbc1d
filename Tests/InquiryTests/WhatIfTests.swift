import Domain
import EventStore
import Inquiry
import Support
import Testing

/// Which requests another configuration would have moved, and what is said of those.
@Suite struct WhatIfTests {
  private static let (p1, p2) = (AccountID("p1"), AccountID("p2"))

  private func suppose(
    _ log: TestLog, set: [String] = [], remove: [String] = [], from: UInt64? = nil
  ) throws -> WhatIfReport {
    try Replay.whatIf(
      log.reader(),
      set.map { try Supposition.set($0) } + remove.map { try Supposition.remove($0) },
      from: from.map { try Selector("\($0)") }, now: TestLog.now)
  }

  /// Ten requests of which p1, the first choice, fails three; a price for the model.
  private func story() throws -> TestLog {
    let log = try TestLog()
    try TestLog.provision(log)
    let model = PriceID(provider: ProviderID("p"), model: "m")
    try log.run([
      .pricing(
        .change(
          .init(
            set: [.init(id: model, price: Price(input: 2_000_000, output: 4_000_000))], removed: [])
        ))
    ])
    for number in UInt64(1)...10 {
      var finished = try log.finished(
        number, "m", number.isMultiple(of: 3) ? [.limited, .ok] : [.ok])
      finished.costMicroUSD = log.state.pricing.prices[model]?.microUSD(of: finished.usage)
      try log.append(.request(.finished(finished)))
    }
    try log.append(
      .request(
        .finished(
          log.finished(11, "m", [], status: 401, ending: .denied, errorCode: "invalid_api_key"))))
    return log
  }

  @Test func `where nothing of the window is about it, the nearest requests that are get named`()
    throws
  {
    let log = try TestLog()
    try TestLog.provision(log)
    var positions: [UInt64] = []
    for (number, model) in ["fast", "m", "m", "m", "fast"].enumerated() {
      if number == 0 {
        try log.run([.alias(.set(name: "fast", target: "p/m", allowUnresolved: false))])
      }
      try log.append(.request(.finished(log.finished(UInt64(number) + 1, model, [.ok]))))
      positions.append(log.last)
    }
    func ask(_ set: String, _ from: Int, _ to: Int) throws -> WhatIfReport {
      try Replay.whatIf(
        log.reader(), [Supposition.set(set)], from: Selector("\(positions[from])"),
        to: Selector("\(positions[to])"), now: TestLog.now)
    }
    let middle = try ask("alias/fast.model=p/m", 1, 3)
    #expect(middle.moved == 0)
    #expect(middle.outside.map(\.place) == ["1:\(positions[0])", "1:\(positions[4])"])
    #expect(middle.text.contains("widen the window, for example to --from 1:\(positions[0])"))
    #expect(try ask("alias/fast.model=p/m", 2, 4).outside.isEmpty)
    #expect(try ask("alias/fast.model=p/m", 0, 1).outside.isEmpty)
    let none = try ask("account/p2.priority=2", 1, 3)
    #expect(none.moved == 0 && none.outside.isEmpty && !none.text.contains("widen"))
    // What is about it need not move.
    #expect(try ask("account/p1.priority=1", 1, 3).outside.isEmpty)
  }

  @Test func `without its first account all goes to the second`() throws {
    let log = try story()
    let report = try suppose(log, remove: ["account/p1"])
    #expect(report.looked == 10 && report.moved == 10 && report.notRouted == 1)
    #expect(report.exitCode == .differs)
    #expect(report.groups.count == 1)
    #expect(report.groups[0].before == .account("p/p1", model: "m"))
    #expect(report.groups[0].after == .account("p/p2", model: "m"))
    #expect(report.groups[0].requests == 10 && report.groups[0].failed == 0)
    #expect(report.loads.map(\.before) == [10, 0] && report.loads.map(\.after) == [0, 10])
    // Three requests of the window came to p2, second, and all were served there.
    #expect(report.failures.recorded == 0 && report.failures.modelled == 0)
    #expect(report.failures.low == 0 && (1...6).contains(report.failures.high))
    #expect(report.failures.unknowable == 0)
    // 12 tokens in and 5 out of seven requests that did not fail over.
    #expect(report.cost.before == 10 * 44 && report.cost.after == 7 * 44)
    #expect(report.cost.unknown == 3 && report.cost.unknownBefore == 3 * 44)
    let golden = try report.golden(log)
    try expectGolden(golden.text, "what-if.txt")
    try expectGolden(golden.json, "what-if.json")
  }

  // MARK: Refused without a call, of which nothing is recorded but the refusal

  private func refused(
    _ log: TestLog, _ number: UInt64, _ code: String = "no_account_available", status: UInt16 = 503,
    _ errorClass: ErrorClass = .gateway, after seconds: Int64 = 0
  ) throws -> RequestEvent.Finished {
    var fact = try log.finished(
      number, "m", [], status: status, ending: .denied, errorCode: code, errorClass: errorClass,
      usage: .notReported, milliseconds: UInt64(seconds) * 1_000 + 1)
    fact.receivedAt = UnixNanoseconds(log.time - seconds * 1_000_000_000)
    return fact
  }

  private func cool(_ log: TestLog, _ account: AccountID, seconds: Int64) throws {
    try log.append(
      .health(
        .cooldownStarted(
          .init(
            account: account, scope: .account, rule: "rate_limited",
            until: UnixNanoseconds(log.time + seconds * 1_000_000_000), status: 429, errorCode: nil)
        ))
    )
  }

  @Test func `a refusal while others were finding out is decided: the probes were theirs`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for account in [Self.p1, Self.p2] { try cool(log, account, seconds: 2) }
    log.wait(seconds: 60)
    try log.append(.request(.finished(refused(log, 1))))
    // Nothing that is supposed touches it: it is refused again.
    let same = try suppose(log, set: ["settings.maxAttempts=2"])
    #expect(same.looked == 1 && same.moved == 0 && same.exitCode == .same, "\(same.text)")
    // Where something else could serve, it goes there, and no probe is asked for.
    let moved = try suppose(log, set: ["settings.maxAttempts=2"], remove: ["account/p2"])
    #expect(moved.looked == 1 && moved.moved == 0 && moved.notReproducible == 0)
  }

  @Test func `a refusal that an edit overtook is decided on the configuration of then`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for account in [Self.p1, Self.p2] { try log.run([.account(.disable(account))]) }
    log.wait(seconds: 100)
    // It came, then somebody enabled an account, then it was recorded.
    try log.run([.account(.enable(Self.p1)), .account(.enable(Self.p2))])
    try log.append(.request(.finished(refused(log, 1, after: 30))))
    // It came long after that: what refused it is not in the log.
    log.wait(seconds: 100)
    try log.append(.request(.finished(refused(log, 2))))
    let report = try suppose(log, set: ["settings.maxAttempts=2"])
    #expect(report.looked == 1 && report.moved == 0 && report.notReproducible == 1)
    let all = try suppose(log, set: ["account/p2.isActive=true"])
    #expect(all.moved == 1 && all.groups.map(\.after) == [.account("p/p2", model: "m")])
    #expect(all.exitCode == .notReproducible)
  }

  @Test func `a wait for a provider's limit is routing's refusal, our own limit is not`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    for account in [Self.p1, Self.p2] { try cool(log, account, seconds: 600) }
    try log.append(.request(.finished(refused(log, 1, "rate_limited", status: 429, .account))))
    try log.append(.request(.finished(refused(log, 2, "rate_limited", status: 429, .client))))
    let report = try suppose(log, set: ["settings.maxAttempts=2"])
    #expect(report.looked == 1 && report.notRouted == 1 && report.exitCode == .same)
    // What asks for the list of models, or for one of them, is not routed whatever it is told.
    var lookup = try refused(log, 3, "model_not_found", status: 404, .client)
    lookup.operation = .getModel
    try log.append(.request(.finished(lookup)))
    let more = try suppose(log, set: ["settings.maxAttempts=2"])
    #expect(more.looked == 1 && more.notRouted == 2 && more.exitCode == .same)
  }

  @Test(arguments: ["state_bound", "state_not_carried"])
  func `what one account alone has is not decided, and that is said`(_ code: String) throws {
    let log = try TestLog()
    try TestLog.provision(log)
    try log.append(.request(.finished(refused(log, 1, code, status: 409, .account))))
    let report = try suppose(log, set: ["settings.maxAttempts=2"])
    #expect(report.undecided.owner == 1 && report.looked == 0 && report.notReproducible == 0)
    #expect(report.exitCode == .notReproducible)
    #expect(report.text.contains("which one that is, is recorded with calls only"))
    #expect(report.json.rendered.contains("\"owner\": 1"))
  }

  @Test func `a file moves what its fields would, and needs none of its secrets`() throws {
    let log = try story()
    let text = """
      providers:
        - id: p
          protocol: openai
          base-url: http://127.0.0.1:9000
          accounts:
            - {name: p1, api-key: "${ONE}", priority: 9}
            - {name: p2, api-key: "${TWO}"}
      settings: {fallback-strategy: fill-first}

      """
    let file = try SupposedFile(name: "gateway.yaml", text: text) { $0 == "TWO" ? "known" : nil }
    #expect(file.unset == ["ONE"])
    let report = try Replay.whatIf(log.reader(), [.file(file)], now: TestLog.now)
    let fields = try suppose(log, set: ["account/p1.priority=9"])
    #expect(report.groups == fields.groups && report.loads == fields.loads && report.moved == 10)
    #expect(report.changes == ["gateway.yaml"])
    // What the file adds can be gone to as well.
    let more = text.replacing("priority: 9}", with: "priority: 9}\n      - {name: p0, api-key: x}")
    let added = try SupposedFile(name: "more.yaml", text: more) { _ in nil }
    let moved = try Replay.whatIf(log.reader(), [.file(added)], now: TestLog.now)
    #expect(moved.groups.map(\.after) == [.account("p/p0", model: "m")])
  }

  @Test(arguments: [
    ("providers: 3\n", "providers"), ("aliases: {fast: nobody/has-this}\n", "nobody/has-this"),
    ("policies: [{organisation: default, model: m, accounts: [{name: nobody}]}]\n", "bad.yaml"),
    ("nonsense: 1\n", "nonsense"),
  ])
  func `a file that cannot be applied is refused`(_ text: String, _ word: String) throws {
    let log = try story()
    let fault = try #require(throws: InquiryFault.self) {
      let file = try SupposedFile(name: "bad.yaml", text: text) { _ in nil }
      return try Replay.whatIf(log.reader(), [.file(file)], now: TestLog.now)
    }
    #expect(fault.code == .usage && "\(fault)".contains(word), "\(fault)")
  }

  @Test func `without any account all is refused, which is a failure`() throws {
    let report = try suppose(story(), set: ["provider/p.isActive=false"])
    #expect(report.moved == 10 && report.groups[0].after == .refused("no_account"))
    #expect(report.failures.refused == 10 && report.failures.modelled == 10)
  }

  @Test func `what changes nothing moves nothing`() throws {
    let report = try suppose(story(), set: ["account/p2.priority=9", "settings.maxAttempts=5"])
    #expect(report.moved == 0 && report.looked == 10 && report.exitCode == .same)
  }

  @Test func `what is always there cannot be taken away`() throws {
    for stream in ["pricing", "settings", "health/p1", "nonsense"] {
      let fault = try #require(throws: InquiryFault.self) { try Supposition.remove(stream) }
      #expect(fault.code == .usage && "\(fault)".contains(stream))
    }
  }

  @Test func `what was not there yet is left out and said`() throws {
    let log = try story()
    try log.run([
      .account(
        .add(
          .init(id: AccountID("p0"), provider: ProviderID("p"), name: "p0", priority: 1, weight: 1),
          credential: .key(Fingerprint([UInt8](repeating: 7, count: 32)))))
    ])
    try log.append(.request(.finished(log.finished(20, "m", [.ok]))))
    let report = try suppose(log, set: ["account/p0.isActive=false"])
    #expect(report.looked == 1 && report.notApplicable == 10)
    let fault = try #require(throws: InquiryFault.self) {
      try suppose(log, set: ["account/nobody.isActive=false"])
    }
    #expect(fault.code == .usage && "\(fault)".contains("account/nobody"))
  }

  @Test(arguments: [
    ("account/p1", "STREAM.FIELD=VALUE"), ("account/p1.nope=3", "priority"),
    ("account/p1.priority=high", "whole number"), ("account/p1.priority=0", "priority"),
    ("account/p1.isActive=yes", "`true` or `false`"),
    ("health/p1.testStatus=x", "STREAM.FIELD=VALUE"),
  ])
  func `a change that cannot be is refused in its own words`(_ text: String, _ word: String) throws
  {
    let fault = try #require(throws: InquiryFault.self) { try suppose(story(), set: [text]) }
    #expect(fault.code == .usage && "\(fault)".contains(word), "\(fault)")
  }

  /// Found twice: by what-if, and by edits that really were made before the same requests came again.
  @Test func `the requests that move are those that did move when the edit was made`() throws {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    var moved = 0
    for _ in 0..<25 {
      let log = try TestLog()
      try TestLog.provision(log, accounts: 3)
      var wanted: [String: UInt64] = [:]
      let (victim, priority) = (random.int(1...3), random.int(1...9))
      let isRemoval = random.oneIn(2)
      let change: Command =
        isRemoval
        ? .account(.remove(AccountID("p\(victim)")))
        : .account(.change(.init(id: AccountID("p\(victim)"), priority: UInt32(priority))))
      for number in UInt64(1)...30 {
        if random.oneIn(4) {
          let other = AccountID("p\(random.int(1...3))")
          let command: Command =
            random.oneIn(2) ? .account(.disable(other)) : .account(.enable(other))
          try log.run([command])
        }
        let facts = RequestFacts(
          model: "m", organisation: OrganisationID("acme"), key: KeyID("key-default"),
          operation: .chatCompletions)
        func chosen(_ state: ControlState) -> String {
          let decided = route(
            RoutingSnapshot(state), facts, now: UnixNanoseconds(log.time), seed: number,
            local: .none, tried: [])
          return (try? decided.get().account.rawValue) ?? "none"
        }
        let (before, after) = (chosen(log.state), chosen(try log.state.after([change])))
        let finished =
          before == "none"
          ? try log.finished(
            number, "m", [], status: 503, ending: .denied, errorCode: "no_account_available")
          : try log.finished(number, "m", [.ok])
        try log.append(.request(.finished(finished)))
        if before != after { wanted["\(before)→\(after)", default: 0] += 1 }
      }
      let report =
        isRemoval
        ? try suppose(log, remove: ["account/p\(victim)"])
        : try suppose(log, set: ["account/p\(victim).priority=\(priority)"])
      func name(_ outcome: WhatIfReport.Outcome) -> String {
        if case .account(let name, _) = outcome { String(name.dropFirst(2)) } else { "none" }
      }
      let found = Dictionary(
        report.groups.map { ("\(name($0.before))→\(name($0.after))", $0.requests) },
        uniquingKeysWith: +)
      #expect(found == wanted)
      #expect(report.looked == 30 && report.notReproducible == 0)
      moved += Int(report.moved)
    }
    #expect(moved > 20)
  }
}

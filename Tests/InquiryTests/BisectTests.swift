import Domain
import EventStore
import Inquiry
import Support
import Testing

/// Where something became true: the event that did it, and the clock where that did.
@Suite struct BisectTests {
  private static let p1 = AccountID("p1")

  private func log(_ edits: [Command]) throws -> (TestLog, [UInt64]) {
    let log = try TestLog()
    try TestLog.provision(log)
    var positions: [UInt64] = []
    for command in edits {
      try log.run([command])
      positions.append(log.last)
    }
    return (log, positions)
  }

  private func alias(_ target: String) -> Command {
    .alias(.set(name: "fast", target: target, allowUnresolved: true))
  }

  private func turns(_ log: TestLog, _ predicate: String, from: UInt64 = 1) throws -> [UInt64] {
    let report = try Replay.bisect(
      log.reader(), predicate, from: Selector("\(from)"), now: TestLog.now)
    var isTrue = report.wasTrue
    for turn in report.turns {
      #expect(turn.isTrue != isTrue)
      isTrue = turn.isTrue
    }
    return report.turns.map { $0.position?.rawValue ?? 0 }
  }

  @Test func `a field's turns are told with their events`() throws {
    let (log, at) = try log([
      alias("p/m"), alias("p/x"), alias("p/y"), .alias(.remove(name: "fast")), alias("p/x"),
      .account(.disable(Self.p1)), .account(.enable(Self.p1)),
    ])
    #expect(try turns(log, "alias/fast.model = p/x") == [at[1], at[2], at[4]])
    #expect(try turns(log, "alias/fast.model != p/x") == [at[0], at[1], at[2], at[3]])
    #expect(try turns(log, "alias/fast exists") == [at[0], at[3], at[4]])
    #expect(try turns(log, "account/p1.isActive = false") == [at[5], at[6]])
    #expect(try turns(log, "account/p1.isActive = false", from: at[6]) == [at[6]])
    let report = try Replay.bisect(log.reader(), "alias/fast.model = p/x", now: TestLog.now)
    #expect(report.exitCode == .differs && report.looked == 5 && !report.wasTrue)
    let golden = try report.golden(log)
    try expectGolden(golden.text, "bisect.txt")
    try expectGolden(golden.json, "bisect.json")
    let never = try Replay.bisect(log.reader(), "alias/fast.model = p/z", now: TestLog.now)
    #expect(never.exitCode == .same && never.turns.isEmpty)
  }

  @Test func `a cooldown ends by the clock or by its event`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    func cool(seconds: Int64) throws -> UInt64 {
      let until = UnixNanoseconds(log.time + (seconds + 1) * 1_000_000_000)
      try log.run(
        [
          .health(
            .startCooldown(
              .init(
                account: Self.p1, scope: .account, rule: "rate_limited", until: until, status: 429,
                errorCode: nil)))
        ], .system)
      return log.last
    }
    let first = try cool(seconds: 3)
    for _ in 0..<5 { try log.run([alias("p/\(log.last)")]) }
    let second = try cool(seconds: 1_000)
    try log.run([.health(.endCooldown(Self.p1, scope: nil, reason: .byOperator))])
    #expect(try turns(log, "account/p1 is cooling") == [first, 0, second, log.last])
    #expect(try turns(log, "account/p2 is cooling").isEmpty)
    // What was over before the window is no turn of it.
    #expect(try turns(log, "account/p1 is cooling", from: second) == [second, log.last])
  }

  @Test func `a rate turns with the request that tips it`() throws {
    let log = try TestLog()
    try TestLog.provision(log)
    var positions: [UInt64] = []
    for number in UInt64(1)...40 {
      let isBad = (11...14).contains(number)
      try log.append(
        .request(
          .finished(
            log.finished(
              number, "m", isBad ? [.refused] : [.ok], status: isBad ? 502 : 200,
              ending: isBad ? .failed : .completed, milliseconds: isBad ? 5_000 : 20))))
      positions.append(log.last)
    }
    // One a second: 20 s hold 20 requests. Above 10 % with the third; again below once two have left.
    #expect(
      try turns(log, "errors(model=m) > 10% over 20s of 10") == [positions[11], positions[31]])
    #expect(
      try turns(log, "errors(account=p/p1) > 15% over 20s of 10") == [positions[11], positions[30]])
    #expect(try turns(log, "errors(account=p/p2) > 0% over 20s of 1").isEmpty)
    #expect(try turns(log, "errors > 50% over 20s").isEmpty)
    #expect(try turns(log, "p90 > 1s over 20s of 10") == [positions[11], positions[31]])
  }

  @Test func `what callers are at fault for is no failure, and none of the requests that count`()
    throws
  {
    let log = try TestLog()
    try TestLog.provision(log)
    var positions: [UInt64] = [0]
    for number in UInt64(1)...40 {
      if number.isMultiple(of: 2) {
        // Each as the gateway records it: an unknown name, a limit, and what the provider found wrong with the request.
        let (results, status, code, errorClass): ([TestLog.Result], UInt16, String, ErrorClass) =
          switch number % 3 {
          case 0: ([], 404, "model_not_found", .client)
          case 1: ([], 429, "rate_limited", .client)
          default:
            (
              [.init(status: 400, errorClass: .request, errorCode: "status_400")], 400,
              "upstream_error", .request
            )
          }
        try log.append(
          .request(
            .finished(
              log.finished(
                number, "m", results, status: status, ending: .failed, errorCode: code,
                errorClass: errorClass, usage: .notReported, milliseconds: 1))))
      } else {
        let isBad = number > 30
        try log.append(
          .request(
            .finished(
              log.finished(
                number, "m", [isBad ? .refused : .ok], status: isBad ? 502 : 200,
                ending: isBad ? .failed : .completed,
                errorCode: isBad ? "upstream_unreachable" : nil,
                errorClass: isBad ? .network : nil, milliseconds: 2_000))))
      }
      positions.append(log.last)
    }
    // 10 s hold five that count; the second failure makes it 2 of 5.
    #expect(try turns(log, "errors > 30% over 10s of 5") == [positions[33]])
    #expect(try turns(log, "errors > 0% over 10s of 6").isEmpty)
    // What was refused without a call took no time of an account; what the provider answered counts.
    let times = try Replay.bisect(log.reader(), "p50 > 1s over 30s of 5", now: TestLog.now)
    #expect(times.turns.map(\.isTrue) == [true] && times.looked == 27)
    // `report` counts by the same rule.
    let figures = try Replay.report(log.reader(), ReportQuery(), now: TestLog.now).impact.figures
    let all = try Replay.bisect(log.reader(), "errors > 24% over 1h of 20", now: TestLog.now)
    #expect(figures.counted == 20 && figures.failed == 5 && all.looked == figures.counted)
    #expect(all.turns.last?.what.hasPrefix("5 of 20 requests failed") == true)
  }

  @Test func `a rate that ends for want of requests is told from one that got better`() throws {
    func bisect(_ healthy: Int, wait seconds: Int64) throws -> BisectReport {
      let log = try TestLog()
      try TestLog.provision(log)
      var number: UInt64 = 0
      func ask(_ isBad: Bool) throws {
        number += 1
        try log.append(
          .request(
            .finished(
              log.finished(
                number, "m", isBad ? [.refused] : [.ok], status: isBad ? 502 : 200,
                ending: isBad ? .failed : .completed))))
      }
      for _ in 0..<10 { try ask(true) }
      log.wait(seconds: seconds)
      for _ in 0..<healthy { try ask(false) }
      if healthy == 0 {
        try log.append(.gateway(.stopped(.init(reason: "SIGTERM", cutRequests: 0))))
      }
      return try Replay.bisect(log.reader(), "errors > 50% over 20s of 5", now: TestLog.now)
    }
    let recovered = try bisect(30, wait: 0)
    #expect(recovered.turns.map(\.isTrue) == [true, false])
    #expect(recovered.turns.map(\.ranEmpty) == [false, false] && recovered.idleSince == nil)
    let drained = try bisect(1, wait: 300)
    #expect(drained.turns.map(\.ranEmpty) == [false, true])
    #expect(drained.text.contains("fewer than the 5 asked for were left within 20s"))
    let silent = try bisect(0, wait: 300)
    #expect(silent.turns.map(\.isTrue) == [true] && silent.idleSince != nil)
    #expect(silent.text.contains("which shows no recovery"))
  }

  /// Against counting anew at every request.
  @Test func `a rate is what counting says`() throws {
    let seed = UInt64.random(in: 0..<(1 << 32))
    print("seed \(seed)")
    var random = SeededRandom(seed: seed)
    let log = try TestLog()
    try TestLog.provision(log)
    var ended: [(time: Int64, isBad: Bool, position: UInt64)] = []
    for number in UInt64(1)...120 {
      let isBad = random.oneIn(3)
      if random.oneIn(4) { try log.run([alias("p/\(number)")]) }
      try log.append(
        .request(
          .finished(
            log.finished(
              number, "m", isBad ? [.refused] : [.ok], status: isBad ? 502 : 200,
              ending: isBad ? .failed : .completed))))
      ended.append((log.time, isBad, log.last))
    }
    /// Positions behind which it is otherwise than before, looked at by requests alone.
    func expected(from: UInt64, wasTrue: Bool) -> [UInt64] {
      var (turns, isTrue) = ([UInt64](), wasTrue)
      for (index, one) in ended.enumerated() where one.position >= from {
        let inside = ended[...index].filter { $0.time > one.time - 15_000_000_000 }
        let now = inside.count >= 8 && inside.count { $0.isBad } * 100 > inside.count * 33
        if now != isTrue { turns.append(one.position) }
        isTrue = now
      }
      return turns
    }
    #expect(
      try turns(log, "errors > 33% over 15s of 8") == expected(from: 1, wasTrue: false))
    // A window that begins later knows what ended before it.
    for _ in 0..<20 {
      let from = UInt64.random(in: 2...log.last, using: &random)
      let report = try Replay.bisect(
        log.reader(), "errors > 33% over 15s of 8", from: Selector("\(from)"), now: TestLog.now)
      let beginning = try #require(try log.reader().event(at: Position(from - 1))).time
      let inside = ended.filter { $0.position < from && $0.time > beginning - 15_000_000_000 }
      let wasTrue = inside.count >= 8 && inside.count { $0.isBad } * 100 > inside.count * 33
      #expect(report.wasTrue == wasTrue, "from \(from)")
      let found = report.turns.map { $0.position?.rawValue ?? 0 }
      // The time up to the window's beginning may have changed it without any request.
      #expect(found == expected(from: from, wasTrue: wasTrue), "from \(from)")
    }
  }

  @Test(arguments: [
    "", "alias/fast", "alias/fast = x", "nonsense exists", "account/p1 is hot",
    "errors > 5 over 5m", "errors > 5% over soon", "errors > 101% over 5m", "p0 > 1s over 5m",
    "p95 > fast over 5m", "errors(colour=red) > 5% over 5m", "errors > 5% over 5m of none",
    "errors > 5% over -5m",
  ])
  func `what is no predicate is refused with the forms`(_ text: String) throws {
    let (log, _) = try log([alias("p/m")])
    let fault = try #require(throws: InquiryFault.self) {
      try Replay.bisect(log.reader(), text, now: TestLog.now)
    }
    #expect(fault.code == .usage && "\(fault)".contains("STREAM exists"))
  }

  @Test func `a field that is not there is refused with those that are`() throws {
    let (log, _) = try log([alias("p/m"), .alias(.remove(name: "fast"))])
    for text in ["alias/fast.modle = p/m", "account/p1.isActiv != true"] {
      let fault = try #require(throws: InquiryFault.self) {
        try Replay.bisect(log.reader(), text, now: TestLog.now)
      }
      #expect(fault.code == .notFound && "\(fault)".contains("It has"), "\(fault)")
    }
    #expect(try turns(log, "account/p1.isActive != true").isEmpty)
  }

  @Test func `a stream that is not there is named with its neighbours`() throws {
    let (log, _) = try log([alias("p/m")])
    for text in ["alias/fas exists", "account/p9 is cooling"] {
      #expect(throws: InquiryFault.self) {
        try Replay.bisect(log.reader(), text, now: TestLog.now)
      }
    }
  }
}

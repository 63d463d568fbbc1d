import Domain
import EventStore
import Inquiry
import Support

extension TestLog {
  /// Ninety minutes of two organisations at two providers: an edit by API, the file that takes it back without having
  /// seen it, twenty-six minutes of failures with cooldowns, a way around, and the repair.
  static func incident() throws -> TestLog {
    let log = try TestLog()
    let random = SeededRandom(seed: 42)
    try log.append(
      .gateway(
        .started(
          .init(
            version: "0.4.1", epoch: 1, recording: .standard, listen: "127.0.0.1:8080",
            previousStopWasClean: true, interruptedRequests: 0))))
    let (mock, spare) = (ProviderID("mock"), ProviderID("spare"))
    func provider(_ id: ProviderID, _ port: Int) -> Command {
      .provider(
        .add(
          .init(
            id: id, name: id.rawValue, dialect: .openai, baseURL: "http://127.0.0.1:\(port)/v1",
            prefix: id.rawValue, models: [.init(name: "gpt-4o-mini"), .init(name: "gpt-4o")],
            excludedModels: [])))
    }
    func account(_ id: ProviderID, _ name: String, _ priority: UInt32) -> Command {
      .account(
        .add(
          .init(
            id: AccountID("\(id.rawValue)-\(name)"), provider: id, name: name, priority: priority,
            weight: 50),
          credential: .key(Fingerprint([UInt8](repeating: UInt8(priority) + 0xA0, count: 32)))))
    }
    func alias(_ target: String) -> Command {
      .alias(.set(name: "fast", target: target, allowUnresolved: false))
    }
    func move(to port: Int) -> Command {
      .provider(.change(.init(id: mock, baseURL: "http://127.0.0.1:\(port)/v1")))
    }
    try log.run(
      [
        provider(mock, 9000), provider(spare, 9100), account(mock, "a1", 1), account(mock, "a2", 2),
        account(spare, "s1", 3), alias("mock/gpt-4o-mini"),
      ], TestLog.file)
    let ana = Provenance(actor: "ana", source: .api, address: "127.0.0.1:50123")
    let begin = log.time
    var traffic = IncidentTraffic(log: log, random: random)
    func minutes(_ number: Int64) -> Int64 { begin + number * 60_000_000_000 }
    try traffic.run(until: minutes(20))
    try log.run([move(to: 9001)], ana)
    try traffic.run(until: minutes(40))
    try log.run([move(to: 9000)], TestLog.file)
    traffic.isBroken = true
    try traffic.run(until: minutes(58))
    try log.run([alias("spare/gpt-4o-mini")], ana)
    try traffic.run(until: minutes(66))
    try log.run([move(to: 9001)], ana)
    for name in ["mock-a1", "mock-a2"] {
      try log.append(
        .health(
          .tested(
            .init(
              account: AccountID(name), model: "gpt-4o-mini", isValid: true,
              latencyMicroseconds: 180_000, status: 200, errorClass: nil, errorCode: nil))))
      try log.append(
        .health(
          .cooldownEnded(.init(account: AccountID(name), scope: nil, reason: .passedTest))))
    }
    traffic.isBroken = false
    try traffic.run(until: minutes(80))
    try log.run([alias("mock/gpt-4o-mini")], ana)
    try traffic.run(until: minutes(90))
    return log
  }
}

/// Requests every other second; while the provider `mock` is broken its calls are refused and its accounts cool.
private struct IncidentTraffic {
  let log: TestLog
  var random: SeededRandom
  var isBroken = false
  private var number: UInt64 = 0
  private var cooldowns: [String: Int64] = [:]

  init(log: TestLog, random: SeededRandom) {
    self.log = log
    self.random = random
  }

  mutating func run(until end: Int64) throws {
    while log.time < end {
      log.wait(seconds: 1)
      number += 1
      try log.append(.request(.finished(next())))
    }
  }

  private mutating func next() throws -> RequestEvent.Finished {
    let model = random.int(1...10) <= 7 ? "fast" : "mock/gpt-4o"
    let organisation = random.oneIn(3) ? "globex" : "acme"
    let milliseconds = UInt64(random.int(120...900))
    var it: RequestEvent.Finished
    let isMock = model != "fast" || log.state.aliases["fast"]?.target == "mock/gpt-4o-mini"
    if random.oneIn(40) {
      it = try log.finished(
        number, model, [], status: 429, ending: .denied, errorCode: "rate_limited",
        errorClass: .client, usage: .notReported, milliseconds: 1)
    } else if isBroken, isMock {
      it = try broken(model)
    } else {
      it = try log.finished(
        number, model, random.oneIn(90) && isMock ? [.limited, .ok] : [.ok],
        usage: TokenUsage(
          input: UInt64(random.int(50...900)), output: UInt64(random.int(20...400))),
        milliseconds: milliseconds)
      it.costMicroUSD = (it.usage.input ?? 0) * 3 + (it.usage.output ?? 0) * 12
      it.firstByteMicroseconds = milliseconds * UInt64(random.int(350...700))
    }
    it.organisation = OrganisationID(organisation)
    return it
  }

  private mutating func broken(_ model: String) throws -> RequestEvent.Finished {
    let now = UnixNanoseconds(log.time)
    let ready = ["mock-a1", "mock-a2"].filter { name in
      log.state.health[AccountID(name)].map { !$0.isCooling(at: now) } ?? true
    }
    guard !ready.isEmpty else {
      return try log.finished(
        number, model, [], status: 503, ending: .failed, errorCode: "no_account_available",
        errorClass: .provider, usage: .notReported, milliseconds: 2)
    }
    var it = try log.finished(
      number, model, ready.map { _ in .refused }, status: 502, ending: .failed,
      errorCode: "upstream_unreachable", errorClass: .network, usage: .notReported,
      milliseconds: 40)
    it.firstByteMicroseconds = nil
    for name in ready where random.oneIn(3) {
      let seconds = min(cooldowns[name, default: 30] * 2, 600)
      cooldowns[name] = seconds
      try log.append(
        .health(
          .cooldownStarted(
            .init(
              account: AccountID(name), scope: .account, rule: "network",
              until: UnixNanoseconds(log.time + seconds * 1_000_000_000), status: nil,
              errorCode: "connect_refused"))))
    }
    return it
  }
}

import Support
import Testing

@testable import Domain

/// 2030, so that there is a past.
private let start: Int64 = 1_900_000_000_000_000_000

private func at(_ seconds: Int64) -> UnixNanoseconds {
  UnixNanoseconds(start + seconds * 1_000_000_000)
}

private let one = AccountID("a1")
private let policy = PolicyID(organisation: .standard, model: "m1")

private func report(
  _ outcome: AttemptReport.Outcome, at seconds: Int64, snapshot: UInt64 = 1,
  model: String = "m1", policy: PolicyID? = nil, account: AccountID = one, request: UInt128 = 7
) -> AttemptReport {
  AttemptReport(
    account: account, provider: ProviderID("p1"), upstreamModel: model, policy: policy,
    snapshot: snapshot, at: at(seconds), outcome: outcome, request: RequestID(request))
}

private func failed(
  _ rule: FailureRule, scope: FailureScope? = nil, resetAt: UnixNanoseconds? = nil
) -> AttemptReport.Outcome {
  .failed(FailureVerdict(rule, code: rule.rawValue, scope: scope), status: 500, resetAt: resetAt)
}

/// An account's health that is decided by reports alone, with positions that grow.
private final class Bench {
  var streaks = HealthStreaks()
  var health = AccountHealth.unknown
  var position: UInt64 = 1
  var threshold: UInt32?

  /// What follows, with the whole of it applied.
  @discardableResult
  func tell(_ report: AttemptReport, count: UInt32 = 1) throws -> [HealthCommand] {
    let commands = streaks.decide(.init(report, count: count), health, threshold: threshold)
    for command in commands { try apply(command, at: report.at) }
    return commands
  }

  func apply(_ command: HealthCommand, at time: UnixNanoseconds) throws {
    for event in try AccountHealth.decide(command, health) {
      position += 1
      health.evolve(event, position: position, time: time)
    }
  }
}

private func seconds(_ command: HealthCommand?, from report: AttemptReport) -> Int64? {
  guard case .startCooldown(let it) = command else { return nil }
  return (it.until.rawValue - report.at.rawValue) / 1_000_000_000
}

@Suite("Health made of reports")
struct HealthStreakTests {
  /// One rule: after how many failures, for how long, and how it grows.
  struct Row: Sendable, CustomTestStringConvertible {
    var rule: FailureRule
    var failures: Int
    /// In seconds: the first, second, third… cooldown in a row.
    var lengths: [Int64]
    /// A provider's word of 40 s, 20 minutes and 5 hours; nil: it is not asked.
    var hinted: [Int64]?
    var testDescription: String { rule.rawValue }
  }

  static let rows: [Row] = [
    Row(rule: .rateLimited, failures: 1, lengths: [1, 2, 4, 8], hinted: [40, 1_200, 3_600]),
    Row(
      rule: .quotaExhausted, failures: 1, lengths: [300, 600, 1_200, 2_400, 3_600, 3_600],
      hinted: [40, 1_200, 3_600]),
    Row(rule: .paymentRequired, failures: 1, lengths: [1_800, 1_800]),
    Row(rule: .unauthorized, failures: 1, lengths: [1_800, 1_800]),
    Row(rule: .accountDeactivated, failures: 1, lengths: [1_800, 1_800]),
    Row(rule: .regionBlocked, failures: 1, lengths: [1_800, 1_800]),
    Row(rule: .forbidden, failures: 1, lengths: [10, 20, 40]),
    Row(rule: .modelNotFound, failures: 1, lengths: [30, 60, 120, 240, 480, 600, 600]),
    Row(rule: .modelForbidden, failures: 1, lengths: [30, 60]),
    Row(rule: .modelUnsupported, failures: 1, lengths: [30, 60]),
    Row(
      rule: .overloaded, failures: 3, lengths: [10, 20, 40, 80, 120, 120], hinted: [40, 300, 300]),
    Row(rule: .modelOverloaded, failures: 3, lengths: [10, 20], hinted: [40, 300, 300]),
    Row(rule: .providerError, failures: 3, lengths: [10, 20, 40, 80, 120, 120]),
    Row(rule: .challenged, failures: 3, lengths: [10, 20]),
    Row(rule: .providerTimeout, failures: 3, lengths: [10, 20]),
    Row(rule: .redirected, failures: 3, lengths: [10, 20]),
    Row(rule: .endpointNotFound, failures: 3, lengths: [10, 20]),
    Row(rule: .badAnswer, failures: 3, lengths: [10, 20]),
    Row(rule: .networkError, failures: 3, lengths: [10, 20, 40, 80, 120, 120]),
  ]

  static let harmless: [FailureRule] = [
    .badRequest, .contextTooLong, .contentFiltered, .requestTooLarge, .streamOptionsRejected,
    .beyondLimit, .providerConflict, .gatewayError, .clientGone,
  ]

  @Test("has a row for each rule")
  func complete() {
    #expect(Set(Self.rows.map(\.rule) + Self.harmless) == Set(FailureRule.allCases))
  }

  @Test("cools after so many failures, longer each time in a row", arguments: rows)
  func cools(_ row: Row) throws {
    let bench = Bench()
    var now: Int64 = 0
    for (level, length) in row.lengths.enumerated() {
      // What has cooled and not proved itself needs no second failure.
      let needed = level == 0 ? row.failures : 1
      for number in 1...needed {
        let it = report(failed(row.rule), at: now, snapshot: bench.position)
        let commands = try bench.tell(it)
        #expect(commands.count == (number == needed ? 1 : 0))
        if number == needed {
          #expect(seconds(commands.first, from: it) == length, "level \(level)")
          guard case .startCooldown(let started) = commands.first else { continue }
          #expect(started.rule == row.rule.rawValue)
          #expect(started.scope == (row.rule.scope == .model ? .model("m1") : .account))
        }
        now += 1
      }
      now += length
    }
  }

  @Test("honours the provider's own time, up to a ceiling", arguments: rows)
  func hints(_ row: Row) throws {
    for (index, hint) in [Int64(40), 1_200, 18_000].enumerated() {
      let bench = Bench()
      let it = report(failed(row.rule, resetAt: at(hint)), at: 0)
      let commands = try bench.tell(it)
      guard let hinted = row.hinted else {
        #expect(seconds(commands.first, from: it) == (row.failures == 1 ? row.lengths[0] : nil))
        continue
      }
      #expect(seconds(commands.first, from: it) == hinted[index])
    }
  }

  @Test("never cools for what a client did", arguments: harmless)
  func clientsFault(_ rule: FailureRule) throws {
    let bench = Bench()
    bench.threshold = 1
    for second in 0..<50 {
      #expect(try bench.tell(report(failed(rule), at: Int64(second), policy: policy)).isEmpty)
    }
    #expect(bench.streaks.count == 0)
  }

  @Test("a success between them breaks a row, and so does time")
  func broken() throws {
    let bench = Bench()
    for second in [Int64(0), 1] { try bench.tell(report(failed(.providerError), at: second)) }
    try bench.tell(report(.succeeded, at: 2))
    for second in [Int64(3), 4] {
      #expect(try bench.tell(report(failed(.providerError), at: second)).isEmpty)
    }
    // Ten minutes later nobody remembers.
    #expect(try bench.tell(report(failed(.providerError), at: 605)).isEmpty)
    #expect(try bench.tell(report(failed(.providerError), at: 606)).isEmpty)
    #expect(try bench.tell(report(failed(.providerError), at: 607)).count == 1)
  }

  @Test("under a policy its threshold counts, and only its own failures")
  func thresholds() throws {
    for rule in [FailureRule.rateLimited, .modelNotFound, .networkError, .providerError] {
      let bench = Bench()
      bench.threshold = 5
      for second in 0..<4 {
        #expect(
          try bench.tell(report(failed(rule), at: Int64(second), policy: policy)).isEmpty, "\(rule)"
        )
      }
      #expect(try bench.tell(report(failed(rule), at: 4, policy: policy)).count == 1, "\(rule)")
    }
    // Two rows of two are no row of three.
    let bench = Bench()
    try bench.tell(report(failed(.providerError), at: 0), count: 2)
    bench.threshold = 3
    #expect(try bench.tell(report(failed(.providerError), at: 1, policy: policy), count: 2).isEmpty)
  }

  @Test("a report that knows nothing of a cooldown neither lengthens nor ends it (C9)")
  func stale() throws {
    let bench = Bench()
    let old = bench.position
    try bench.tell(report(failed(.rateLimited, resetAt: at(60)), at: 0, snapshot: old))
    let cooldown = bench.health.cooldown
    // Chosen before, ended during or after it.
    for (outcome, second) in [
      (failed(.rateLimited), Int64(1)), (.succeeded, 2), (failed(.unauthorized), 61),
      (.succeeded, 62), (.probeStarted, 63),
    ] {
      #expect(try bench.tell(report(outcome, at: second, snapshot: old)).isEmpty)
    }
    #expect(bench.health.cooldown == cooldown)
    // One that was chosen in its knowledge does both.
    #expect(
      try bench.tell(report(.succeeded, at: 64, snapshot: bench.position))
        == [.endCooldown(one, scope: .account, reason: .success)])
  }

  @Test("a hundred failures of one window begin one cooldown")
  func oncePerWindow() throws {
    let bench = Bench()
    for _ in 0..<100 { try bench.tell(report(failed(.rateLimited), at: 0, snapshot: 1)) }
    #expect(bench.position == 2)
    #expect(bench.health.cooldown?.level == 0)
  }

  @Test(
    "a half-open account is probed once a window; success ends the cooldown, failure a longer one begins"
  )
  func halfOpen() throws {
    let bench = Bench()
    try bench.tell(report(failed(.rateLimited), at: 0))
    let began = bench.position
    #expect(try bench.tell(report(.probeStarted, at: 0, snapshot: began)).isEmpty)
    #expect(
      try bench.tell(report(.probeStarted, at: 5, snapshot: began)) == [.startProbe(one, .account)])
    // A probe that said nothing (a bad request) is followed by another; one event is enough.
    #expect(try bench.tell(report(failed(.badRequest), at: 5, snapshot: bench.position)).isEmpty)
    #expect(try bench.tell(report(.probeStarted, at: 6, snapshot: bench.position)).isEmpty)
    let again = report(failed(.providerError), at: 7, snapshot: bench.position)
    #expect(seconds(try bench.tell(again).first, from: again) == 20)
    #expect(bench.health.cooldown?.level == 1)
    #expect(
      try bench.tell(report(.succeeded, at: 40, snapshot: bench.position))
        == [.endCooldown(one, scope: .account, reason: .success)])
    #expect(bench.health.cooldown == nil)
  }

  @Test("a model's failures leave the account's other models alone")
  func scopes() throws {
    let bench = Bench()
    try bench.tell(report(failed(.modelNotFound), at: 0, model: "m1"))
    #expect(bench.health.cooldown == nil)
    #expect(bench.health.modelCooldowns.keys.sorted() == ["m1"])
    #expect(try bench.tell(report(.succeeded, at: 40, snapshot: 9, model: "m2")).isEmpty)
    #expect(
      try bench.tell(report(.succeeded, at: 40, snapshot: 9, model: "m1"))
        == [.endCooldown(one, scope: .model("m1"), reason: .success)])
  }

  @Test("an operator's cooldown is nobody else's to end")
  func operators() throws {
    let bench = Bench()
    try bench.apply(
      .startCooldown(
        .init(account: one, scope: .account, rule: AccountHealth.Cooldown.byOperator, until: at(60))
      ),
      at: at(0))
    #expect(try bench.tell(report(.succeeded, at: 10, snapshot: 9)).isEmpty)
    #expect(try bench.tell(report(failed(.unauthorized), at: 10, snapshot: 9)).isEmpty)
    #expect(bench.health.cooldown?.rule == "operator")
    // It is no failure: what follows begins at the first level.
    let it = report(failed(.rateLimited), at: 70, snapshot: 9)
    #expect(seconds(try bench.tell(it).first, from: it) == 1)
  }

  @Test("what was learned of a provider is said once")
  func quirks() throws {
    let bench = Bench()
    let it = report(.learned(.rejectsStreamOptions), at: 0)
    #expect(try bench.tell(it) == [.learn(one, .rejectsStreamOptions)])
    try bench.tell(it)
    #expect(bench.health.quirks == [.rejectsStreamOptions])
    #expect(bench.position == 2)
  }

  @Test("reports of a batch see what follows from those before them")
  func batches() throws {
    let events: [Event] = [
      .added(provider("p1")), .added(account("a1")), .added(account("a2")),
    ]
    let state = state(events)
    var streaks = HealthStreaks()
    let told = [AccountID("a1"), AccountID("a2"), AccountID("gone")].flatMap { account in
      (0..<5).map { second in
        HealthStreaks.Told(
          report(
            failed(.rateLimited, resetAt: at(30)), at: Int64(second), snapshot: 3,
            account: account, request: UInt128(second)))
      }
    }
    let consequences = streaks.decide(told, state)
    #expect(consequences.map(\.command.account.rawValue) == ["a1", "a2"])
    #expect(consequences.map(\.request) == [RequestID(0), RequestID(0)])
    #expect(streaks.count == 0)
  }

  @Test("a late answer to an old credential says nothing of the new one")
  func oldCredential() throws {
    var state = state([.added(provider("p1")), .added(account("a1"))])
    state.accounts[one]?.credential.position = 10
    var streaks = HealthStreaks()
    let old = HealthStreaks.Told(report(failed(.unauthorized), at: 0, snapshot: 9))
    #expect(streaks.decide([old], state).isEmpty)
    let new = HealthStreaks.Told(report(failed(.unauthorized), at: 0, snapshot: 10))
    #expect(streaks.decide([new], state).count == 1)
  }

  @Test("reports that say the same are one")
  func absorbing() {
    var told = HealthStreaks.Told(report(failed(.rateLimited, resetAt: at(3)), at: 1))
    for it in [
      report(failed(.rateLimited, resetAt: at(9)), at: 2, request: 8),
      report(failed(.rateLimited), at: 2),
    ] {
      let isAbsorbed = told.absorb(it)
      #expect(isAbsorbed)
    }
    #expect(told.count == 3)
    #expect(told.report.at == at(2))
    #expect(told.report.request == RequestID(7))
    guard case .failed(_, _, let resetAt) = told.report.outcome else {
      Issue.record("another outcome")
      return
    }
    #expect(resetAt == at(9))
    for other in [
      report(.succeeded, at: 2), report(failed(.overloaded), at: 2),
      report(failed(.rateLimited), at: 2, snapshot: 2),
      report(failed(.rateLimited), at: 2, model: "m2"),
      report(failed(.rateLimited), at: 2, policy: policy),
      report(failed(.rateLimited), at: 2, account: AccountID("a2")),
      report(failed(.rateLimited, scope: .model), at: 2),
    ] {
      let isAbsorbed = told.absorb(other)
      #expect(!isAbsorbed)
    }
  }

  @Test("whatever is reported, the laws hold", arguments: 0..<40)
  func laws(_ number: Int) throws {
    let seed = UInt64.random(in: 0..<UInt64.max) &+ UInt64(number)
    var random = SeededRandom(seed: seed)
    let bench = Bench()
    var now: Int64 = 0
    for step in 0..<400 {
      now += Int64(random.int(0...(random.oneIn(10) ? 4_000 : 3)))
      bench.threshold = random.oneIn(4) ? UInt32(random.int(1...6)) : nil
      let snapshot = UInt64(random.int(max(1, Int(bench.position) - 2)...Int(bench.position)))
      let rule = FailureRule.allCases[random.int(0...FailureRule.allCases.count - 1)]
      let outcome: AttemptReport.Outcome =
        switch random.int(0...9) {
        case 0, 1: .succeeded
        case 2: .probeStarted
        case _:
          failed(
            rule, resetAt: random.oneIn(3) ? at(now + Int64(random.int(-100...100_000))) : nil)
        }
      let it = report(
        outcome, at: now, snapshot: snapshot, model: "m\(random.int(1...2))",
        policy: random.oneIn(2) ? policy : nil)
      let before = bench.health
      let commands = try bench.tell(it, count: UInt32(random.int(1...3)))
      let context: Comment = "seed \(seed), step \(step): \(it)"
      for command in commands {
        guard case .startCooldown(let started) = command else { continue }
        #expect(!Self.harmless.contains { $0.rawValue == started.rule }, context)
        #expect(started.until > it.at, context)
        #expect(started.until.rawValue - it.at.rawValue <= CooldownTerms.longest, context)
        let former = before.cooldown(started.scope)
        // Once a window, and never by one who does not know it.
        #expect(former.map { it.at >= $0.until && snapshot >= $0.position } ?? true, context)
        #expect(!before.isCooling(at: it.at), context)
        let level = bench.health.cooldown(started.scope)?.level
        #expect(level == former.map { $0.level + 1 } ?? 0, context)
      }
      if case .failed(let verdict, _, _) = outcome, verdict.errorClass == .request {
        #expect(commands.isEmpty && bench.health == before, context)
      }
    }
  }
}

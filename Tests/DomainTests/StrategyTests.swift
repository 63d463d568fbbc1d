import Domain
import Support
import Testing

/// Answers from live state, as a gateway does, and notes what it said.
private struct Live: LocalSource {
  var counts: [String: UInt64] = [:]
  var held: Set<AccountID> = []
  var latencies: [AccountID: UInt64] = [:]
  var noted = LocalInputs()

  mutating func cursor(of group: String) -> UInt64? {
    if noted.cursor == nil {
      noted.cursor = counts[group, default: 0]
      counts[group, default: 0] += 1
    }
    return noted.cursor
  }

  mutating func isProbeFree(_ account: AccountID, model: String) -> Bool {
    guard held.contains(account) else { return true }
    if !noted.heldProbes.contains(account) { noted.heldProbes.append(account) }
    return false
  }

  mutating func latency(of account: AccountID) -> UInt64 {
    let value = latencies[account] ?? 0
    noted.latencies.append(.init(account: account, microseconds: value))
    return value
  }

  /// What was noted for one attempt; the cursor stays the request's.
  mutating func taken(isLast: Bool = true) -> LocalInputs {
    defer { noted = isLast ? LocalInputs() : LocalInputs(cursor: noted.cursor) }
    return noted
  }
}

private func pool(
  _ strategy: Strategy, _ weights: [UInt32], sticky: UInt32 = 1, _ more: [Event] = []
) -> ControlState {
  var events: [Event] = [
    .added(provider("p1", models: models("m1", "m2"))),
    .settings(.changed(.init(fallbackStrategy: strategy))),
    .settings(.routingChanged(.init(stickyRoundRobinLimit: sticky))),
  ]
  for (index, weight) in weights.enumerated() {
    let id = "a\(index + 1)"
    events.append(
      .account(
        .added(
          .init(
            id: AccountID(id), provider: ProviderID("p1"), name: id, priority: 1, weight: weight))))
    events.append(.issued(id, 1, index + 1))
  }
  return state(events + more)
}

private func facts(_ model: String, session: UInt64? = nil) -> RequestFacts {
  RequestFacts(
    model: model, organisation: nil, key: nil, operation: .chatCompletions, session: session)
}

private func cooling(_ id: String, _ scope: CooldownScope = .account, until: UInt64) -> Event {
  .health(
    .cooldownStarted(
      .init(
        account: AccountID(id), scope: scope, rule: "rate_limited", until: second(until),
        status: 429)))
}

/// Decides, and checks that what was noted gives the same decision again.
private func decided(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, at now: UInt64 = 1, seed: UInt64 = 0,
  _ live: inout Live, tried: [Tried] = [], isLast: Bool = true
) throws -> RoutingDecision {
  let outcome = route(
    snapshot, facts, now: second(now), seed: seed, local: &live, tried: tried)
  let noted = live.taken(isLast: isLast)
  let again = route(snapshot, facts, now: second(now), seed: seed, local: noted, tried: tried)
  #expect(again == outcome)
  let explained = candidates(
    snapshot, facts, now: second(now), seed: seed, local: noted, tried: tried)
  let decision = try outcome.get()
  #expect(explained.filter { $0.rejection == nil }.map(\.account) == [decision.account])
  return decision
}

@Suite("Strategies")
struct StrategyTests {
  @Test func `80 to 20 is 800 of 1,000, and nobody waits long`() throws {
    let snapshot = RoutingSnapshot(pool(.weighted, [80, 20]))
    var live = Live()
    var served: [AccountID] = []
    for _ in 0..<1_000 { served.append(try decided(snapshot, facts("m1"), &live).account) }
    #expect(served.count { $0 == AccountID("a1") } == 800)
    for start in 0...995 {
      #expect(served[start..<start + 5].count { $0 == AccountID("a2") } == 1)
    }
  }

  @Test(arguments: UInt64(0)..<200)
  func `each weight has exactly its share of every cycle, and its part of every beginning`(
    seed: UInt64
  ) throws {
    var random = SeededRandom(seed: seed)
    let weights = (0..<random.int(1...8)).map { _ in UInt32(random.int(0...30)) }
    let total = weights.reduce(0) { $0 + Int($1) }
    let snapshot = RoutingSnapshot(pool(.weighted, weights))
    var live = Live()
    guard total > 0 else {
      #expect(throws: RoutingRefusal.self) { try decided(snapshot, facts("m1"), &live) }
      return
    }
    let first = random.int(0...total)
    live.counts["p1/m1"] = UInt64(first)
    var counts = [Int](repeating: 0, count: weights.count)
    for step in 1...total {
      let account = try decided(snapshot, facts("m1"), &live).account
      let index = try #require((1...weights.count).first { account == AccountID("a\($0)") }) - 1
      counts[index] += 1
      guard first == 0 else { continue }
      for (count, weight) in zip(counts, weights) {
        // As many turns as its share of the steps so far, give or take one for each of the others.
        let share = Double(step) * Double(weight) / Double(total)
        #expect(abs(Double(count) - share) <= Double(weights.count) / 2 + 1, "seed \(seed)")
      }
    }
    #expect(counts == weights.map { Int($0) }, "seed \(seed)")
  }

  @Test func `a cooling, a degraded and a weightless account get nothing, the others their shares`()
    throws
  {
    let snapshot = RoutingSnapshot(
      pool(
        .weighted, [50, 30, 20, 10, 0],
        [
          cooling("a1", until: 100),
          .account(.degraded(.init(id: AccountID("a4"), reason: "slow"))),
        ]))
    var live = Live()
    var counts: [AccountID: Int] = [:]
    for _ in 0..<100 { counts[try decided(snapshot, facts("m1"), &live).account, default: 0] += 1 }
    #expect(counts == [AccountID("a2"): 60, AccountID("a3"): 40])
  }

  @Test func `without weight there is no turn, also where nobody else is`() throws {
    let snapshot = RoutingSnapshot(pool(.weighted, [0]))
    var live = Live()
    #expect(
      throws: RoutingRefusal.noAccount(rejected: [
        .init(account: AccountID("a1"), reason: .noWeight)
      ])
    ) {
      try decided(snapshot, facts("m1"), &live)
    }
    #expect(try decided(RoutingSnapshot(pool(.weighted, [1])), facts("m1"), &live).rule == .only)
  }

  @Test(arguments: [UInt32(1), 3])
  func `round-robin stays for its limit and passes by nobody`(limit: UInt32) throws {
    let snapshot = RoutingSnapshot(pool(.roundRobin, [1, 1, 1], sticky: limit))
    var live = Live()
    var served: [String] = []
    for _ in 0..<(6 * limit) {
      let decision = try decided(snapshot, facts("m1"), &live)
      #expect(decision.rule == .roundRobin)
      served.append(decision.account.rawValue)
    }
    let turn = ["a1", "a2", "a3"].flatMap { [String](repeating: $0, count: Int(limit)) }
    #expect(served == turn + turn)
  }

  @Test func `an attempt more takes no turn away from the next request`() throws {
    let snapshot = RoutingSnapshot(pool(.roundRobin, [1, 1, 1]))
    var live = Live()
    var firsts: [String] = []
    for _ in 0..<6 {
      let first = try decided(snapshot, facts("m1"), &live, isLast: false)
      let second = try decided(
        snapshot, facts("m1"), &live, tried: [Tried(first.account, model: nil)])
      #expect(second.account != first.account)
      firsts.append(first.account.rawValue)
    }
    #expect(firsts == ["a1", "a2", "a3", "a1", "a2", "a3"])
  }

  @Test func `least-latency takes the quicker of two, and what nobody knows before both`() throws {
    let snapshot = RoutingSnapshot(pool(.leastLatency, [1, 1, 1, 1]))
    var live = Live()
    for index in 1...4 { live.latencies[AccountID("a\(index)")] = UInt64(index) * 1_000 }
    var counts: [AccountID: Int] = [:]
    for seed in UInt64(0)..<600 {
      let decision = try decided(snapshot, facts("m1"), seed: seed, &live)
      #expect(decision.rule == .leastLatency)
      counts[decision.account, default: 0] += 1
    }
    // Of six pairs the quickest is in three, the next in two more, the slowest never wins.
    #expect(counts[AccountID("a4")] == nil)
    #expect((240...360).contains(counts[AccountID("a1")] ?? 0), "\(counts)")
    #expect((140...260).contains(counts[AccountID("a2")] ?? 0), "\(counts)")
    live.latencies[AccountID("a4")] = nil
    #expect(
      try (UInt64(0)..<100).contains {
        try decided(snapshot, facts("m1"), seed: $0, &live).account == AccountID("a4")
      })
  }

  @Test func `a session keeps its account, moves when it must, and comes back`() throws {
    let healthy = RoutingSnapshot(pool(.sessionSticky, [1, 1, 1, 1]))
    var live = Live()
    var homes: [UInt64: AccountID] = [:]
    for session in UInt64(0)..<400 {
      let first = try decided(healthy, facts("m1", session: session), &live)
      #expect(first.rule == .sessionSticky)
      homes[session] = first.account
      let again = try decided(healthy, facts("m2", session: session), seed: session + 1, &live)
      #expect(again.account == first.account)
    }
    let counts = Dictionary(grouping: homes.values, by: \.self).mapValues(\.count)
    #expect(counts.count == 4 && counts.values.allSatisfy { (60...140).contains($0) }, "\(counts)")

    let one = AccountID("a1")
    let without = RoutingSnapshot(
      pool(.sessionSticky, [1, 1, 1, 1], [cooling("a1", until: 50)]))
    for (session, home) in homes {
      let decision = try decided(without, facts("m1", session: session), &live)
      if home == one {
        #expect(decision.rule == .sessionMoved && decision.account != one)
        // Its cooldown's time is over: the session goes home, as a probe.
        let back = try decided(without, facts("m1", session: session), at: 50, &live)
        #expect(back.account == one && back.probe == .account)
      } else {
        #expect(decision.account == home)
      }
    }
  }

  @Test func `within a combo the strategy picks, and the order of models stays`() throws {
    let snapshot = RoutingSnapshot(
      pool(
        .roundRobin, [1, 1],
        [.combo(.set(.init(name: "smart", models: ["p1/m1", "p1/m2"], isUnresolved: false)))]))
    var live = Live()
    let first = try decided(snapshot, facts("smart"), &live)
    let second = try decided(snapshot, facts("smart"), &live)
    #expect(first.rule == .combo && first.upstreamModel == "m1")
    #expect(second.upstreamModel == "m1" && second.account != first.account)
    // A failure that was about the model leaves the account for the next model; any other does not.
    let tried = [
      Tried(AccountID("a1"), model: "m1"), Tried(AccountID("a2"), model: nil),
    ]
    let third = try decided(snapshot, facts("smart"), &live, tried: tried)
    #expect(third.account == AccountID("a1") && third.upstreamModel == "m2")
  }
}

@Suite("Half-open accounts")
struct HalfOpenTests {
  private let state = pool(.fillFirst, [1, 1], [cooling("a1", until: 10)])

  @Test func `when its time is over one request goes there, and the others elsewhere`() throws {
    let snapshot = RoutingSnapshot(state)
    var live = Live()
    #expect(try decided(snapshot, facts("m1"), at: 9, &live).account == AccountID("a2"))
    let probe = try decided(snapshot, facts("m1"), at: 10, &live)
    #expect(probe.account == AccountID("a1") && probe.probe == .account)
    live.held = [AccountID("a1")]
    let other = try decided(snapshot, facts("m1"), at: 10, &live)
    #expect(other.account == AccountID("a2") && other.probe == nil)
    let reasons = candidates(
      snapshot, facts("m1"), now: second(10), seed: 0,
      local: LocalInputs(heldProbes: [AccountID("a1")]), tried: [])
    #expect(reasons.first?.rejection == .probing)
  }

  @Test func `a model's cooldown is proved for the model alone`() throws {
    let snapshot = RoutingSnapshot(
      pool(.fillFirst, [1, 1], [cooling("a1", .model("m1"), until: 10)]))
    var live = Live()
    #expect(try decided(snapshot, facts("m1"), at: 5, &live).account == AccountID("a2"))
    #expect(try decided(snapshot, facts("m2"), at: 5, &live).account == AccountID("a1"))
    #expect(try decided(snapshot, facts("m1"), at: 10, &live).probe == .model("m1"))
    #expect(try decided(snapshot, facts("m2"), at: 10, &live).probe == nil)
  }

  @Test func `an operator's cooldown ends with its time`() throws {
    let ended = pool(
      .fillFirst, [1],
      [
        .health(
          .cooldownStarted(
            .init(
              account: AccountID("a1"), scope: .account, rule: "operator", until: second(10))))
      ])
    var live = Live()
    live.held = [AccountID("a1")]
    #expect(try decided(RoutingSnapshot(ended), facts("m1"), at: 10, &live).probe == nil)
  }

  @Test func `cooldowns count up until something ends them`() throws {
    func level(_ events: [Event]) -> UInt32? {
      pool(.fillFirst, [1], events).health[AccountID("a1")]?.cooldown?.level
    }
    func ended(_ reason: HealthEvent.EndReason) -> Event {
      .health(.cooldownEnded(.init(account: AccountID("a1"), scope: nil, reason: reason)))
    }
    #expect(level([cooling("a1", until: 10)]) == 0)
    #expect(level([cooling("a1", until: 10), cooling("a1", until: 20)]) == 1)
    #expect(
      level([cooling("a1", until: 10), cooling("a1", until: 20), cooling("a1", until: 30)]) == 2)
    for reason in HealthEvent.EndReason.allCases {
      #expect(level([cooling("a1", until: 10), ended(reason), cooling("a1", until: 20)]) == 0)
    }
    #expect(
      level([cooling("a1", .model("m1"), until: 10), cooling("a1", until: 20)]) == 0)
  }
}

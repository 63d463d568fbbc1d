import Domain
import Support
import Testing

private func time(_ text: String) throws -> UnixNanoseconds {
  try #require(parseRFC3339(text), "\(text)")
}

@Test("a window is the day or month of its zone")
func windowBounds() throws {
  let rows: [(Budget.Period, String, String, start: String, end: String)] = [
    (.day, "2026-11-21T23:59:59.999999999Z", "UTC", "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z"),
    (.day, "2026-11-22T00:00:00Z", "UTC", "2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"),
    (.day, "2026-11-21T23:30:00Z", "+02:00", "2026-11-21T22:00:00Z", "2026-11-22T22:00:00Z"),
    (.day, "2026-11-21T03:30:00Z", "-05:30", "2026-11-20T05:30:00Z", "2026-11-21T05:30:00Z"),
    (.month, "2026-11-21T03:30:00Z", "UTC", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"),
    (.month, "2026-12-31T23:30:00Z", "UTC", "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    (.month, "2026-12-31T23:30:00Z", "+01:00", "2026-12-31T23:00:00Z", "2027-01-31T23:00:00Z"),
    (.month, "2028-02-29T12:00:00Z", "UTC", "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"),
    (.month, "2100-02-28T12:00:00Z", "-14:00", "2100-02-01T14:00:00Z", "2100-03-01T14:00:00Z"),
  ]
  for (period, at, zone, start, end) in rows {
    let window = SpendWindow(
      period, around: try time(at), offsetSeconds: Budget.offsetSeconds(ofTimezone: zone))
    #expect(window.start == (try time(start)), "\(at) \(zone)")
    #expect(window.end == (try time(end)), "\(at) \(zone)")
  }
}

@Test("every instant is in its own window, and the windows of a zone leave no gap")
func windowsPartition() {
  for seed in UInt64(0)..<2_000 {
    var random = SeededRandom(seed: seed)
    let time = UnixNanoseconds(Int64.random(in: (-1 << 61)...(1 << 62), using: &random))
    let offset = Int64(random.int(-840...840)) * 60
    for period in Budget.Period.allCases {
      let window = SpendWindow(period, around: time, offsetSeconds: offset)
      #expect(window.start <= time && time < window.end, "seed \(seed)")
      let next = SpendWindow(period, around: window.end, offsetSeconds: offset)
      #expect(next.start == window.end, "seed \(seed)")
    }
  }
  // The ends of time have a window too.
  for time in [Int64.min, .max] {
    for period in Budget.Period.allCases {
      let window = SpendWindow(period, around: UnixNanoseconds(time), offsetSeconds: 50_400)
      #expect(window.start <= window.end)
    }
  }
}

@Test("the order in which spends are told makes no difference")
func ledgerIgnoresOrder() {
  let scopes: [LimitScope] = [
    .organisation(OrganisationID("acme")), .key(KeyID("k1")), .key(KeyID("k2")),
  ]
  let budgets = [
    Budget(period: .day, timezone: "+05:45", microUSD: 1, tokens: nil),
    Budget(period: .month, timezone: "-03:00", microUSD: 1, tokens: nil),
  ]
  let start: Int64 = 1_795_208_019_000_000_000
  for seed in UInt64(0)..<200 {
    var random = SeededRandom(seed: seed)
    var spends: [(LimitScope, Spend, UnixNanoseconds)] = (0..<60).map { _ in
      (
        scopes[random.int(0...2)],
        Spend(microUSD: UInt64(random.int(0...50)), tokens: UInt64(random.int(0...1_000))),
        UnixNanoseconds(start + Int64(random.int(0...40 * 86_400)) * 1_000_000_000)
      )
    }
    func fold() -> Ledger {
      var ledger = Ledger()
      for (scope, spend, time) in spends {
        ledger.settle(spend, of: scope, receivedAt: time, budgets: budgets)
      }
      return ledger
    }
    let first = fold()
    // What the last window holds, counted by hand.
    for scope in scopes {
      let own = spends.filter { $0.0 == scope && $0.1 != .zero }
      guard let last = own.map(\.2).max() else { continue }
      for period in Budget.Period.allCases {
        let window = SpendWindow(
          period, around: last, offsetSeconds: budgets.offsetSeconds(of: period))
        let sum = own.filter { $0.2 >= window.start }.reduce(Spend.zero) { $0 + $1.1 }
        #expect(first.entries[scope]?.used(period, at: last) == sum, "seed \(seed)")
      }
    }
    spends.shuffle(using: &random)
    #expect(fold() == first, "seed \(seed)")
  }
}

@Test("another timezone keeps what is used and holds from the next window on")
func zoneChanges() throws {
  let utc = [Budget(period: .day, timezone: "UTC", microUSD: 100, tokens: nil)]
  for zone in ["+09:00", "-09:00"] {
    let other = [Budget(period: .day, timezone: zone, microUSD: 100, tokens: nil)]
    var entry = Ledger.Entry()
    entry.settle(
      Spend(microUSD: 10), receivedAt: try time("2026-11-21T20:00:00Z"), budgets: utc)
    let later = try time("2026-11-21T23:00:00Z")
    entry.settle(Spend(microUSD: 5), receivedAt: later, budgets: other)
    #expect(entry.used(.day, at: later) == Spend(microUSD: 15))
    let tomorrow = try time("2026-11-22T01:00:00Z")
    entry.settle(Spend(microUSD: 1), receivedAt: tomorrow, budgets: other)
    #expect(entry.used(.day, at: tomorrow) == Spend(microUSD: 1))
    #expect(entry.day?.start == (try time("2026-11-22T00:00:00Z")))
    // One that belongs to the day before comes too late to be counted.
    entry.settle(Spend(microUSD: 7), receivedAt: later, budgets: other)
    #expect(entry.used(.day, at: tomorrow) == Spend(microUSD: 1))
    #expect(
      entry.day?.end
        == (try time(zone == "+09:00" ? "2026-11-22T15:00:00Z" : "2026-11-22T09:00:00Z")))
  }
}

// MARK: Reserving

private let now = UnixNanoseconds(1_795_208_019_000_000_000)

private func room(_ limit: UInt64, used: UInt64, reserved: UInt64) -> BudgetRoom {
  BudgetRoom(
    period: .month, unit: .tokens, limit: limit, used: used, reserved: reserved, resetsAt: now)
}

@Test("a request fits, waits for others, or does not fit")
func decidesReserve() {
  let known = SpendEstimate(amount: Spend(tokens: 30), isGuess: false)
  let guess = SpendEstimate(amount: Spend(tokens: 30), isGuess: true)
  let rows: [(SpendEstimate, BudgetRoom, BudgetRoom.Verdict)] = [
    (known, room(100, used: 0, reserved: 0), .admitted(Spend(tokens: 30))),
    (known, room(100, used: 40, reserved: 30), .admitted(Spend(tokens: 30))),
    (known, room(100, used: 40, reserved: 31), .reserved(0)),
    (known, room(100, used: 70, reserved: 1), .reserved(0)),
    (known, room(100, used: 71, reserved: 0), .exceeded(0)),
    (known, room(100, used: 171, reserved: 0), .exceeded(0)),
    (guess, room(100, used: 70, reserved: 0), .admitted(Spend(tokens: 30))),
    (guess, room(100, used: 71, reserved: 0), .admitted(Spend(tokens: 29))),
    (guess, room(100, used: 71, reserved: 1), .reserved(0)),
    (guess, room(100, used: 99, reserved: 0), .admitted(Spend(tokens: 1))),
    (guess, room(100, used: 100, reserved: 0), .exceeded(0)),
  ]
  for (estimate, room, verdict) in rows {
    #expect(BudgetRoom.decide(estimate, rooms: [room]) == verdict)
    // One with room enough changes nothing.
    let wide = BudgetRoom(
      period: .day, unit: .microUSD, limit: 1_000, used: 0, reserved: 0, resetsAt: now)
    let among = BudgetRoom.decide(estimate, rooms: [wide, room, wide])
    switch verdict {
    case .admitted: #expect(among == verdict)
    case .reserved: #expect(among == .reserved(1))
    case .exceeded: #expect(among == .exceeded(1))
    }
  }
  #expect(BudgetRoom.decide(known, rooms: []) == .admitted(known.amount))
  // What never fits is told before what fits later.
  #expect(
    BudgetRoom.decide(
      known, rooms: [room(100, used: 40, reserved: 31), room(100, used: 99, reserved: 0)])
      == .exceeded(1))
}

@Test("an estimate follows the size, the client's bound and what the models answered lately")
func estimates() {
  let price = Price(input: 1_000_000, output: 4_000_000, reasoning: 5_000_000)
  func estimate(
    _ bytes: UInt64, _ maxOutput: UInt64?, _ answers: UInt64, _ targets: [SpendEstimate.Target]
  ) -> SpendEstimate {
    SpendEstimate(bodyBytes: bytes, maxOutput: maxOutput, answers: answers, targets: targets)
  }
  let priced = SpendEstimate.Target(price: price, lately: nil)
  #expect(
    estimate(100, 10, 1, [priced])
      == SpendEstimate(amount: Spend(microUSD: 66 + 50, tokens: 76), isGuess: false))
  #expect(
    estimate(100, 10, 3, [priced])
      == SpendEstimate(amount: Spend(microUSD: 66 + 150, tokens: 96), isGuess: false))
  #expect(
    estimate(100, nil, 2, [priced])
      == SpendEstimate(amount: Spend(microUSD: 66 + 10_240, tokens: 2_114), isGuess: true))
  #expect(
    estimate(100, nil, 1, [SpendEstimate.Target(price: price, lately: 200)])
      == SpendEstimate(amount: Spend(microUSD: 66 + 1_000, tokens: 266), isGuess: false))
  // The dearest of several, part by part; one that is not known makes it a guess.
  #expect(
    estimate(
      100, nil, 1,
      [
        SpendEstimate.Target(price: price, lately: 200),
        SpendEstimate.Target(price: nil, lately: nil),
      ]
    ) == SpendEstimate(amount: Spend(microUSD: 1_066, tokens: 1_090), isGuess: true))
  #expect(
    estimate(.max, .max, .max, [priced]).amount.tokens == .max, "no overflow")
}

@Test("what was lately seen rises at once and falls slowly")
func latelySeen() {
  var seen = LatelySeen(100)
  seen.observe(3_200)
  #expect(seen.greatest == 3_200)
  seen.observe(10)
  #expect(seen.greatest == 3_100)
  for _ in 0..<1_000 { seen.observe(10) }
  #expect(seen.greatest < 50)
  #expect(seen.greatest >= 10)
}

/// A request of the property below.
private struct Flying {
  var reservations: [BudgetState.Reservation]
  var cost: Spend
}

@Test(
  "however requests come and go, what costs no more than was held never settles beyond a budget")
func neverOverspends() {
  for seed in UInt64(0)..<300 {
    var random = SeededRandom(seed: seed)
    let limit = UInt64(random.int(1...5_000))
    // An organisation's and a key's; both hold for each request.
    var states = [
      BudgetState([
        Budget(period: .month, microUSD: limit, tokens: limit * 2),
        Budget(period: .day, timezone: "+01:00", microUSD: limit, tokens: nil),
      ]),
      BudgetState([Budget(period: .day, microUSD: nil, tokens: limit)]),
    ]
    var ledger = Ledger()
    let scopes: [LimitScope] = [.organisation(OrganisationID("o")), .key(KeyID("k"))]
    var flying: [Flying] = []
    var clock = now
    for _ in 0..<400 {
      // Days pass, also under the feet of requests under way.
      clock = UnixNanoseconds(
        clock.rawValue + Int64(random.int(0...(random.oneIn(20) ? 40_000 : 10))) * 1_000_000_000)
      if random.oneIn(2) || flying.isEmpty {
        let estimate = SpendEstimate(
          amount: Spend(
            microUSD: UInt64(random.int(0...400)), tokens: UInt64(random.int(1...400))),
          isGuess: random.oneIn(3))
        guard
          case .admitted(let reserve) = BudgetRoom.decide(
            estimate, rooms: states.flatMap { $0.rooms(at: clock) })
        else { continue }
        #expect(reserve.microUSD <= estimate.amount.microUSD)
        #expect(reserve.tokens <= estimate.amount.tokens)
        flying.append(
          Flying(
            reservations: states.indices.map {
              states[$0].reserve(reserve, receivedAt: clock)
            },
            cost: Spend(
              microUSD: UInt64(random.int(0...Int(reserve.microUSD))),
              tokens: UInt64(random.int(0...Int(reserve.tokens))))))
      } else {
        let one = flying.remove(at: random.int(0...flying.count - 1))
        for (index, reservation) in one.reservations.enumerated() {
          states[index].settle(reservation, cost: one.cost)
          ledger.settle(
            one.cost, of: scopes[index], receivedAt: reservation.receivedAt,
            budgets: states[index].budgets)
        }
      }
      for room in states.flatMap({ $0.rooms(at: clock) }) {
        #expect(room.used <= room.limit, "seed \(seed)")
        #expect(room.used + room.reserved <= room.limit, "seed \(seed)")
      }
    }
    for one in flying {
      for (index, reservation) in one.reservations.enumerated() {
        states[index].settle(reservation, cost: .zero)
      }
    }
    // With nothing under way nothing is held, and what is used is what the log tells.
    for (index, state) in states.enumerated() {
      for room in state.rooms(at: clock) { #expect(room.reserved == 0, "seed \(seed)") }
      #expect(state.spent == ledger.entries[scopes[index]] ?? Ledger.Entry(), "seed \(seed)")
    }
  }
}

@Test("what is held in one day holds nothing in the next")
func heldAcrossMidnight() throws {
  var state = BudgetState([Budget(period: .day, microUSD: nil, tokens: 100)])
  let evening = try time("2026-11-21T23:59:00Z")
  let morning = try time("2026-11-22T00:01:00Z")
  let late = state.reserve(Spend(tokens: 90), receivedAt: evening)
  #expect(state.rooms(at: evening).map(\.free) == [10])
  #expect(state.rooms(at: morning).map(\.free) == [100])
  let early = state.reserve(Spend(tokens: 50), receivedAt: morning)
  // One from before midnight that comes after it takes nothing from the new day.
  let straggler = state.reserve(Spend(tokens: 70), receivedAt: evening)
  #expect(state.rooms(at: morning).map(\.free) == [50])
  state.settle(late, cost: Spend(tokens: 90))
  state.settle(straggler, cost: .zero)
  #expect(state.rooms(at: morning).map(\.free) == [50])
  state.settle(early, cost: Spend(tokens: 20))
  #expect(state.rooms(at: morning).map(\.used) == [20])
  #expect(state.rooms(at: morning).map(\.reserved) == [0])
}

@Test("what was reported is charged, else what was set aside, unless nothing came of the request")
func charges() {
  let held = Spend(microUSD: 70, tokens: 900)
  let reported = TokenUsage(input: 100, output: 11)
  for ending in Ending.allCases {
    for wasSent in [true, false] {
      #expect(
        Spend.charged(reported, costMicroUSD: 5, ending: ending, wasSent: wasSent, reserve: held)
          == Spend(microUSD: 5, tokens: 111))
      let isCharged = wasSent && ending != .denied && ending != .failed
      #expect(
        Spend.charged(
          .notReported, costMicroUSD: nil, ending: ending, wasSent: wasSent, reserve: held)
          == (isCharged ? held : .zero), "\(ending)")
      #expect(
        Spend.charged(
          .notReported, costMicroUSD: nil, ending: ending, wasSent: wasSent, reserve: nil) == .zero)
    }
  }
  #expect(
    Spend.charged(
      TokenUsage(output: .max), costMicroUSD: nil, ending: .completed, wasSent: true, reserve: held)
      == Spend(tokens: .max))
}

// MARK: Money

@Test("tokens are paid by their parts, and rounded once, a half to the even one")
func costs() {
  let price = Price(
    input: 2_500_000, output: 10_000_000, cached: 1_250_000, reasoning: 20_000_000,
    cacheCreation: 3_000_000)
  let rows: [(TokenUsage, UInt64, UInt64?)] = [
    (.notReported, 0, nil),
    (TokenUsage(input: 0, output: 0), 0, 0),
    (TokenUsage(input: 100, output: 10), 0, 350),
    (TokenUsage(input: 100, output: 10, cached: 40), 0, 300),
    (TokenUsage(input: 100, output: 10, cached: 40, reasoning: 5), 0, 350),
    (TokenUsage(input: 100, output: 10, cached: 40), 20, 310),
    (TokenUsage(input: 100), 0, 250),
    (TokenUsage(output: 10), 0, 100),
    // More parts than the whole has are not paid twice.
    (TokenUsage(input: 100, output: 10, cached: 500, reasoning: 70), 90, 125 + 200),
    // 2.5 and 7.5 micro-dollars: to the even neighbour.
    (TokenUsage(input: 1), 0, 2),
    (TokenUsage(input: 3), 0, 8),
    (TokenUsage(input: 1, cached: 1), 0, 1),
    (TokenUsage(input: 2, cached: 2), 0, 2),
  ]
  for (tokens, created, cost) in rows {
    var usage = tokens
    usage.cacheCreation = created
    #expect(price.microUSD(of: usage) == cost, "\(usage)")
  }
  let plain = Price(input: 1_000_000, output: 1_000_000)
  #expect(plain.microUSD(of: TokenUsage(input: 10, output: 5, cached: 4, reasoning: 5)) == 15)
  let absurd = Price(input: .max, output: .max, cached: .max, reasoning: .max, cacheCreation: .max)
  #expect(
    absurd.microUSD(of: TokenUsage(input: .max, output: .max, cached: 1, reasoning: 1)) == .max)
}

import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Limits", .timeLimit(.minutes(5)))
struct LimitTests {
  static let acme = OrganisationID("acme")
  static let key = KeyID("id-\(Gateway.key)")

  static func configuration(
    _ port: Int, organisation: Limits? = nil, key: Limits? = nil, budgets: [Budget] = [],
    keyBudgets: [Budget] = []
  ) -> Configuration {
    var configuration = Configuration.one(port: port)
    if let organisation {
      configuration.apply(.organisation(.limitsSet(.init(id: acme, limits: organisation))))
    }
    if let key { configuration.apply(.key(.limitsSet(.init(id: Self.key, limits: key)))) }
    configuration.apply(.organisation(.budgetsSet(.init(id: acme, budgets: budgets))))
    configuration.apply(.key(.budgetsSet(.init(id: Self.key, budgets: keyBudgets))))
    return configuration
  }

  /// What the log's fold would tell, from what was recorded.
  static func fold(_ gateway: Gateway, _ budgets: [Budget] = []) throws -> Ledger {
    var ledger = Ledger()
    for finished in try gateway.finished() {
      if let organisation = finished.organisation {
        ledger.settle(
          finished.charge, of: .organisation(organisation), receivedAt: finished.receivedAt,
          budgets: budgets)
      }
      if let key = finished.key {
        ledger.settle(
          finished.charge, of: .key(key), receivedAt: finished.receivedAt, budgets: [])
      }
    }
    return ledger
  }

  static func usage(_ gateway: Gateway, _ scope: LimitScope, _ budgets: [Budget] = []) -> LimitUsage
  {
    gateway.limiter.usage(
      of: scope, budgets: budgets, at: UnixNanoseconds(gateway.clock.wallNanoseconds))
  }

  @Test("beyond the burst a request is told how long to wait, and let in when it waited")
  func rate() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    let limits = Limits(requestsPerMinute: 2)
    try await Gateway.run(Self.configuration(upstream.port, organisation: limits)) { gateway in
      let client = try await gateway.client()
      for remaining in ["1", "0"] {
        try await client.send(chat(plainBody))
        let response = try await client.response()
        #expect(response.status == 200)
        #expect(response.headers["x-ratelimit-limit"] == "2")
        #expect(response.headers["x-ratelimit-remaining"] == remaining)
        #expect(response.headers["x-ratelimit-remaining-requests"] == remaining)
        #expect(response.headers["x-ratelimit-limit-tokens"] == nil)
      }
      gateway.clock.advance(.seconds(5))
      // Asking makes nobody wait longer.
      for _ in 1...3 {
        try await client.send(chat(plainBody))
        let response = try await client.response()
        #expect(response.status == 429)
        #expect(response.headers["retry-after"] == "25")
        #expect(response.headers["x-should-retry"] == "true")
        #expect(response.headers["x-ratelimit-remaining"] == "0")
        #expect(response.headers["x-ratelimit-reset"] == "55")
        #expect(response.headers["x-ratelimit-reset-requests"] == "55s")
        #expect(response.text.contains("\"code\":\"rate_limit_exceeded\""))
        #expect(
          response.text.contains(
            #""limit_context":{"scope":"organisation","limit_type":"rpm","unit":"requests","#
              + #""current_usage":2,"limit":2,"remaining":0},"retry_after_seconds":25"#))
      }
      #expect(upstream.callCount == 2)
      gateway.clock.advance(.seconds(25))
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      let finished = try await gateway.finished(6)
      #expect(finished.map(\.ending).filter { $0 == .denied }.count == 3)
      let expected: [[UInt64]] = [[0], [1], [2], [2], [2], [1]]
      #expect(finished.map { $0.limits.map(\.used) } == expected)
      #expect(finished[0].limits[0].scope == .organisation)
      #expect(finished[0].limits[0].measure == .requestsPerMinute)
      #expect(finished[0].limits[0].limit == 2)
      #expect(finished.allSatisfy { $0.reserve == nil })
    }
  }

  @Test("a request that the key's limit or the routing refuses takes nothing of any limit")
  func refusedTakesNothing() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    let configuration = Self.configuration(
      upstream.port, organisation: Limits(requestsPerMinute: 3, concurrency: 9),
      key: Limits(requestsPerMinute: 1),
      budgets: [Budget(period: .day, microUSD: nil, tokens: 9_000)]
    )
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(#"{"model":"p/unknown"}"#))
      #expect(try await client.response().status == 404)
      try await client.send(chat(#"{"model":"p/m",}"#))
      #expect(try await client.response().status == 400)
      try await client.send(chat(plainBody, key: "sk-wrong"))
      #expect(try await client.response().status == 401)
      try await client.send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n")
      #expect(try await client.response().status == 200)
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 200)
      // The organisation's are all there but the one that this request takes; the key's is the tighter.
      #expect(response.headers["x-ratelimit-limit"] == "1")
      for _ in 1...5 {
        try await client.send(chat(plainBody))
        let refused = try await client.response()
        #expect(refused.status == 429)
        #expect(refused.text.contains(#""scope":"key""#))
      }
      let last = try #require(try await gateway.finished(10).last)
      let organisation = last.limits.first {
        $0.scope == .organisation && $0.measure == .requestsPerMinute
      }
      #expect(organisation?.used == 1)
      #expect(Self.usage(gateway, .organisation(Self.acme)).underWay == 0)
      #expect(Self.usage(gateway, .organisation(Self.acme)).day.reserved == .zero)
    }
  }

  @Test("no more are under way than allowed; one that ends, or whose client goes, makes room")
  func concurrency() async throws {
    let upstream = try await ScriptedUpstream.start()
    let configuration = Self.configuration(upstream.port, key: Limits(concurrency: 2))
    try await Gateway.run(configuration) { gateway in
      let clients = [
        try await gateway.client(), try await gateway.client(), try await gateway.client(),
      ]
      try await clients[0].send(chat(plainBody))
      let first = await upstream.next()
      try await clients[1].send(chat(plainBody))
      let second = await upstream.next()
      try await clients[2].send(chat(plainBody))
      let refused = try await clients[2].response()
      #expect(refused.status == 429)
      #expect(refused.headers["retry-after"] == "1")
      #expect(refused.text.contains(#""limit_type":"concurrency""#))
      #expect(refused.text.contains(#""current_usage":2,"limit":2,"remaining":0"#))
      first.answer(plainAnswer)
      #expect(try await clients[0].response().status == 200)
      try await clients[2].send(chat(plainBody))
      let third = await upstream.next()
      await clients[1].close()
      _ = try await gateway.finished(3)
      try await clients[0].send(chat(plainBody))
      let fourth = await upstream.next()
      #expect(Self.usage(gateway, .key(Self.key)).underWay == 2)
      third.answer(plainAnswer)
      fourth.answer(plainAnswer)
      #expect(try await clients[2].response().status == 200)
      #expect(try await clients[0].response().status == 200)
      #expect(Self.usage(gateway, .key(Self.key)).underWay == 0)
      second.close()
    }
  }

  @Test(
    "tokens a minute are charged when they are known, and nothing comes in before they flowed back")
  func tokensPerMinute() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    let configuration = Self.configuration(upstream.port, key: Limits(tokensPerMinute: 10))
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 200)
      #expect(response.headers["x-ratelimit-limit-tokens"] == "10")
      #expect(response.headers["x-ratelimit-remaining-tokens"] == "10")
      // 12 tokens of 10: two are owed, which takes 12 s.
      try await client.send(chat(plainBody))
      let refused = try await client.response()
      #expect(refused.status == 429)
      #expect(refused.headers["retry-after"] == "13")
      #expect(refused.headers["x-ratelimit-reset-tokens"] == "72s")
      #expect(refused.text.contains(#""limit_type":"tpm","unit":"tokens","current_usage":12"#))
      gateway.clock.advance(.seconds(13))
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
    }
  }

  @Test("under a budget the reserve is in the log before the call, and the end settles it")
  func reserves() async throws {
    let upstream = try await ScriptedUpstream.start()
    let budgets = [Budget(period: .month, microUSD: nil, tokens: 200)]
    try await Gateway.run(Self.configuration(upstream.port, budgets: budgets)) { gateway in
      gateway.log.hold()
      let client = try await gateway.client()
      try await client.send(chat(Self.bounded(50)))
      _ = await gateway.log.submitted.when { !$0.isEmpty }
      #expect(gateway.log.submitted.value == ["request.dispatched.v2"])
      let held = Self.reserveOf(50)
      #expect(Self.usage(gateway, .organisation(Self.acme), budgets).month.reserved == held)
      #expect(upstream.callCount == 0)
      gateway.log.release()
      let call = await upstream.next()
      call.answer(plainAnswer)
      #expect(try await client.response().status == 200)
      let usage = Self.usage(gateway, .organisation(Self.acme), budgets).month
      #expect(usage.used == Spend(tokens: 12))
      #expect(usage.reserved == .zero)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.reserve == Reserve(microUSD: 0, tokens: held.tokens))
      #expect(
        finished.limits == [
          LimitReading(scope: .organisation, measure: .tokensPerMonth, limit: 200, used: 0)
        ])
      let dispatched = try gateway.events().compactMap { event in
        if case .dispatched(let it) = event { it } else { nil }
      }
      #expect(dispatched.map(\.reserve) == [finished.reserve])
    }
  }

  /// A request that bounds its answer.
  static func bounded(_ tokens: Int) -> String {
    #"{"model":"p/m","max_tokens":\#(tokens),"messages":[]}"#
  }

  static func reserveOf(_ tokens: Int) -> Spend {
    Spend(tokens: UInt64(bounded(tokens).utf8.count) / 2 + 16 + UInt64(tokens))
  }

  @Test("what is set aside makes others wait, what is spent refuses them")
  func budget() async throws {
    let upstream = try await ScriptedUpstream.start()
    let budgets = [Budget(period: .day, microUSD: nil, tokens: 150)]
    try await Gateway.run(
      Self.configuration(upstream.port, budgets: [], keyBudgets: budgets)
    ) { gateway in
      let first = try await gateway.client()
      try await first.send(chat(Self.bounded(60)))
      let call = await upstream.next()
      let other = try await gateway.client()
      try await other.send(chat(Self.bounded(60)))
      let waiting = try await other.response()
      #expect(waiting.status == 429)
      #expect(waiting.headers["retry-after"] == "1")
      #expect(waiting.headers["x-should-retry"] == "true")
      #expect(waiting.text.contains(#""code":"budget_reserved""#))
      #expect(waiting.text.contains(#""quota_type":"daily_quota""#))
      #expect(waiting.text.contains("\"reserved\":\(Self.reserveOf(60).tokens)"))
      try await other.send(chat(Self.bounded(150)))
      let refused = try await other.response()
      #expect(refused.status == 402)
      #expect(refused.headers["retry-after"] == nil)
      #expect(refused.headers["x-should-retry"] == "false")
      #expect(refused.text.contains(#""code":"quota_exceeded""#))
      #expect(refused.text.contains(#""current_usage":0"#))
      #expect(refused.text.contains(#""resets_at":"2026-11-19T00:00:00.000Z""#))
      call.answer(plainAnswer)
      #expect(try await first.response().status == 200)
      try await other.send(chat(Self.bounded(60)))
      await upstream.next().answer(
        #"{"choices":[{}],"usage":{"prompt_tokens":100,"completion_tokens":38}}"#)
      #expect(try await other.response().status == 200)
      // 12 + 138 are all there is, for every model and however little is asked for.
      try await other.send(chat(Self.bounded(0)))
      #expect(try await other.response().status == 402)
      // The next day is another one.
      gateway.clock.advance(.hours(24))
      // A connection that was idle for a day may be closed by now.
      let later = try await gateway.client()
      try await later.send(chat(Self.bounded(60)))
      await upstream.next().answer(plainAnswer)
      #expect(try await later.response().status == 200)
      #expect(Self.usage(gateway, .key(Self.key), budgets).day.used == Spend(tokens: 12))
      #expect(Self.usage(gateway, .key(Self.key), budgets).month.used == Spend(tokens: 162))
    }
  }

  @Test("without any answer known, the first request goes alone, and what it took is learned")
  func coldStart() async throws {
    let upstream = try await ScriptedUpstream.start()
    let budgets = [Budget(period: .day, microUSD: nil, tokens: 150)]
    try await Gateway.run(Self.configuration(upstream.port, budgets: budgets)) { gateway in
      let first = try await gateway.client()
      let other = try await gateway.client()
      try await first.send(chat(plainBody))
      let call = await upstream.next()
      #expect(
        Self.usage(gateway, .organisation(Self.acme), budgets).day.reserved == Spend(tokens: 150))
      try await other.send(chat(plainBody))
      #expect(try await other.response().text.contains("budget_reserved"))
      call.answer(plainAnswer)
      #expect(try await first.response().status == 200)
      try await first.send(chat(plainBody))
      let second = await upstream.next()
      let learned = UInt64(plainBody.utf8.count) / 2 + 16 + 5
      #expect(
        Self.usage(gateway, .organisation(Self.acme), budgets).day.reserved
          == Spend(tokens: learned))
      try await other.send(chat(plainBody))
      await upstream.next().answer(plainAnswer)
      #expect(try await other.response().status == 200)
      second.answer(plainAnswer)
      #expect(try await first.response().status == 200)
    }
  }

  @Test("what a provider does not report is charged as set aside; what failed is charged nothing")
  func unreported() async throws {
    let upstream = try await ScriptedUpstream.start()
    let budgets = [Budget(period: .day, microUSD: nil, tokens: 10_000)]
    try await Gateway.run(Self.configuration(upstream.port, budgets: budgets)) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(Self.bounded(50)))
      await upstream.next().answer(#"{"choices":[{}]}"#)
      #expect(try await client.response().status == 200)
      #expect(Self.usage(gateway, .organisation(Self.acme)).day.used == Self.reserveOf(50))
      try await client.send(chat(Self.bounded(70)))
      await upstream.next().answer(#"{"error":{"message":"no"}}"#, status: 400)
      #expect(try await client.response().status == 400)
      #expect(Self.usage(gateway, .organisation(Self.acme)).day.used == Self.reserveOf(50))
      #expect(Self.usage(gateway, .organisation(Self.acme)).day.reserved == .zero)
    }
  }

  @Test("other limits hold from the next request on and forget nothing")
  func changes() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    try await Gateway.run(Self.configuration(upstream.port)) { gateway in
      let client = try await gateway.client()
      // Nothing is limited yet; what is spent counts all the same.
      try await client.send(chat(plainBody))
      #expect(try await client.response().headers["x-ratelimit-limit"] == nil)
      let budgets = [Budget(period: .month, microUSD: nil, tokens: 12)]
      gateway.board.publish(Self.configuration(upstream.port, budgets: budgets).published)
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 402)
      let wider = [Budget(period: .month, microUSD: nil, tokens: 1_000_000)]
      gateway.board.publish(
        Self.configuration(
          upstream.port, organisation: Limits(requestsPerMinute: 5), budgets: wider
        ).published)
      try await client.send(chat(plainBody))
      #expect(try await client.response().headers["x-ratelimit-remaining"] == "4")
      gateway.board.publish(
        Self.configuration(
          upstream.port, organisation: Limits(requestsPerMinute: 3), budgets: wider
        ).published)
      try await client.send(chat(plainBody))
      #expect(try await client.response().headers["x-ratelimit-remaining"] == "1")
      #expect(Self.usage(gateway, .organisation(Self.acme)).month.used == Spend(tokens: 36))
    }
  }

  @Test("counting goes on where the log ends")
  func goesOn() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer(plainAnswer) }
    let budgets = [Budget(period: .day, microUSD: 10, tokens: nil)]
    var ledger = Ledger()
    ledger.settle(
      Spend(microUSD: 10), of: .organisation(Self.acme),
      receivedAt: UnixNanoseconds(TestClock.start), budgets: budgets)
    try await Gateway.run(
      Self.configuration(upstream.port, budgets: budgets), limiter: Limiter(ledger)
    ) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let response = try await client.response()
      #expect(response.status == 402)
      #expect(response.text.contains(#""code":"budget_exceeded""#))
      #expect(
        response.text.contains(
          #""unit":"usd","current_usage":0.00001,"reserved":0,"limit":0.00001,"remaining":0"#))
    }
  }

  @Test("200 at once against a budget for 50 never settle beyond it, and agree with the log")
  func crowd() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      call.answer(#"{"choices":[{}],"usage":{"prompt_tokens":10,"completion_tokens":40}}"#)
    }
    let each = Self.reserveOf(40).tokens
    let budgets = [Budget(period: .day, microUSD: nil, tokens: each * 50)]
    try await Gateway.run(
      Self.configuration(upstream.port, budgets: budgets), options: { $0.loops = 2 }
    ) { gateway in
      let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 1...200 {
          group.addTask {
            let client = try await gateway.client()
            try await client.send(chat(Self.bounded(40)))
            let status = try await client.response().status
            await client.close()
            return status
          }
        }
        return try await group.reduce(into: [Int]()) { $0.append($1) }
      }
      _ = try await gateway.finished(200)
      let served = statuses.count { $0 == 200 }
      #expect(Set(statuses).isSubset(of: [200, 402, 429]))
      #expect(served >= 50)
      let usage = Self.usage(gateway, .organisation(Self.acme), budgets).day
      #expect(usage.used == Spend(tokens: UInt64(served) * 50))
      #expect(usage.used.tokens <= each * 50)
      #expect(usage.reserved == .zero)
      let ledger = try Self.fold(gateway, budgets)
      for scope in [LimitScope.organisation(Self.acme), .key(Self.key)] {
        let now = UnixNanoseconds(gateway.clock.wallNanoseconds)
        #expect(ledger.entries[scope]?.used(.day, at: now) == Self.usage(gateway, scope).day.used)
        #expect(
          ledger.entries[scope]?.used(.month, at: now) == Self.usage(gateway, scope).month.used)
      }
    }
  }
}

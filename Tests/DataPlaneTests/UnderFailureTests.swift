import Domain
import NIOCore
import Testing

@testable import DataPlane

@Suite("Under failure", .timeLimit(.minutes(5)))
struct UnderFailureTests {
  private static let tooMany = #"{"error":{"message":"slow down"}}"#

  private func ten(_ port: Int, _ strategy: Strategy) -> Configuration {
    var configuration = Configuration.one(port: port, accounts: (1...10).map { "a\($0)" })
    configuration.set(strategy: strategy)
    return configuration
  }

  @Test(
    "a refusal that may be the request's speaks against an account only if another one serves the request"
  )
  func doubts() async throws {
    let guarded =
      #"{"error":{"message":"Your input violates our policy","type":"permission_error"}}"#
    let missing = #"{"error":{"message":"No such File object: file-1","code":"not_found"}}"#
    let refuses = Watched(Set(["a1", "a2"]))
    let answer = Watched((body: guarded, status: 403))
    let upstream = try await ScriptedUpstream.start { call in
      guard refuses.value.contains(call.account) else { return call.answer(plainAnswer) }
      call.answer(answer.value.body, status: answer.value.status)
    }
    let health = TestHealth()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"]), health: health) {
      gateway in
      let client = try await gateway.client()
      for refusal in [(body: guarded, status: 403), (body: missing, status: 404)] {
        answer.change { $0 = refusal }
        for _ in 1...5 {
          try await client.send(chat(plainBody))
          #expect(try await client.response().status != 200)
        }
        #expect(health.reports.value.isEmpty, "\(refusal.status)")
      }
      // Nobody stands in the way of the next request.
      refuses.change { $0 = [] }
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      #expect(upstream.asked.last == "a1")
      // The other account serves what this one refused: now it is the account.
      refuses.change { $0 = ["a1"] }
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      #expect(health.reports.value.map(\.account) == [AccountID("a1")])
    }
  }

  @Test(
    "a request that breaks every account is held against none; one that another serves, against the others",
    arguments: [
      (500, #"{"error":{"message":"The server had an error","type":"server_error"}}"#),
      (200, "<html>a page</html>"), (200, "{}"),
    ])
  func breakingRequest(status: Int, broken: String) async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.text.contains("break") || call.account == "a1" {
        call.answer(broken, status: status)
      } else {
        call.answer(plainAnswer)
      }
    }
    let health = TestHealth()
    try await Gateway.run(.one(port: upstream.port, accounts: ["a1", "a2"]), health: health) {
      gateway in
      let client = try await gateway.client()
      for number in 1...4 {
        try await client.send(
          chat(#"{"model":"p/m","messages":[{"role":"user","content":"break \#(number)"}]}"#))
        #expect(try await client.response().status == (status == 500 ? 500 : 502))
      }
      #expect(upstream.callCount == 8)
      #expect(health.reports.value.isEmpty)
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 200)
      #expect(health.reports.value.map(\.account) == [AccountID("a1")])
    }
  }

  @Test("one account of ten that flaps is probed by one request at a time; nobody else notices")
  func flapping() async throws {
    let mayAnswer = Watched(true)
    let hanging = Watched<[UpstreamCall]>([])
    let upstream = try await ScriptedUpstream.start { call in
      guard call.account == "a3" else { return call.answer(plainAnswer) }
      if mayAnswer.value {
        call.answer(Self.tooMany, status: 429, headers: "retry-after: 5\r\n")
      } else {
        hanging.change { $0.append(call) }
      }
    }
    let health = TestHealth()
    try await Gateway.run(
      ten(upstream.port, .roundRobin), options: { $0.loops = 2 }, health: health
    ) { gateway in
      let clients = try await [gateway.client(), gateway.client(), gateway.client()]
      func ask(_ count: Int) async throws {
        for number in 0..<count {
          let client = clients[number % clients.count]
          try await client.send(chat(plainBody))
          #expect(try await client.response().status == 200)
        }
      }
      func flaps() -> Int { upstream.asked.count { $0 == "a3" } }

      try await ask(100)
      #expect(flaps() == 1, "it cools after its first 429")

      // Its time is over: of all requests one is let through to it, and as long as that hangs no other.
      mayAnswer.change { $0 = false }
      gateway.clock.advance(.milliseconds(5001))
      let prober = try await gateway.client()
      func askUntilProbe() async throws {
        while hanging.value.isEmpty {
          try await prober.send(chat(plainBody))
          try await eventually { !hanging.value.isEmpty || !prober.received.bytes.isEmpty }
          if hanging.value.isEmpty { #expect(try await prober.response().status == 200) }
        }
      }
      try await askUntilProbe()
      try await ask(60)
      #expect(flaps() == 2)
      // The probe fails: its own request is served by another account.
      hanging.value[0].answer(Self.tooMany, status: 429, headers: "retry-after: 5\r\n")
      #expect(try await prober.response().status == 200)
      try await ask(60)
      #expect(flaps() == 2)
      #expect(health.reports.value.count { $0.outcome == .probeStarted } == 1)

      // The next probe is good to its end: the account is one of ten again.
      gateway.clock.advance(.milliseconds(5001))
      hanging.change { $0 = [] }
      try await askUntilProbe()
      hanging.value[0].answer(plainAnswer)
      #expect(try await prober.response().status == 200)
      #expect(health.reports.value.last?.outcome == .succeeded)
      let finished = try gateway.finished()
      #expect(finished.allSatisfy { $0.ending == .completed })
    }
  }

  @Test("a client that sends only bad requests costs one call each, and nobody's health")
  func badRequests() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.text.contains("bad") {
        call.answer(
          #"{"error":{"message":"bad","type":"invalid_request_error"}}"#, status: 400)
      } else {
        call.answer(plainAnswer)
      }
    }
    let health = TestHealth()
    try await Gateway.run(ten(upstream.port, .roundRobin), health: health) { gateway in
      let good = try await gateway.client()
      let bad = try await gateway.client()
      for _ in 0..<100 {
        try await bad.send(chat(#"{"model":"p/m","messages":"bad"}"#))
        #expect(try await bad.response().status == 400)
        try await good.send(chat(plainBody))
        #expect(try await good.response().status == 200)
      }
      #expect(upstream.callCount == 200)
      #expect(health.reports.value.isEmpty)
      #expect(Set(upstream.asked).count == 10)
    }
  }

  @Test("a client that hangs up during a probe gives its permit back and blames nobody")
  func hangUpDuringProbe() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration.one(port: upstream.port)
    configuration.cool("a1", for: -1)
    let health = TestHealth()
    try await Gateway.run(configuration, health: health) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      let first = await upstream.next()
      let other = try await gateway.client()
      try await other.send(chat(plainBody))
      let refused = try await other.response()
      #expect(refused.status == 429 && refused.headers["retry-after"] == "1")
      await client.close()
      await first.closed()
      try await other.send(chat(plainBody))
      await upstream.next().answer(plainAnswer)
      #expect(try await other.response().status == 200)
      #expect(health.reports.value.map(\.outcome) == [.probeStarted, .probeStarted, .succeeded])
    }
  }

  @Test("in an outage further attempts stay a fraction of the requests")
  func retryBudget() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer("{}", status: 500) }
    try await Gateway.run(
      .one(port: upstream.port, accounts: (1...10).map { "a\($0)" })
    ) { gateway in
      let client = try await gateway.client()
      for _ in 0..<200 {
        try await client.send(chat(plainBody))
        #expect(try await client.response().status == 500)
      }
    }
    #expect((200...(200 + 200 + 20)).contains(upstream.callCount))
  }

  @Test("the budget saves an attempt a request, and grants a few a second besides")
  func budget() {
    let budget = RetryBudget()
    func taken(_ now: Int64) -> Int { (0..<1000).prefix { _ in budget.take(now: now) }.count }
    #expect(taken(0) == 20)
    for _ in 0..<50 { budget.requested() }
    #expect(taken(0) == 50)
    #expect(taken(500_000_000) == 10)
    for _ in 0..<10_000 { budget.requested() }
    #expect(taken(500_000_000) == 100)
    #expect(taken(60_000_000_000) == 20)
  }

  @Test("maxAttempts bounds the accounts that one request asks")
  func attempts() async throws {
    let upstream = try await ScriptedUpstream.start { $0.answer("{}", status: 500) }
    var configuration = ten(upstream.port, .fillFirst)
    configuration.set(maxAttempts: 3)
    try await Gateway.run(configuration) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      #expect(try await client.response().status == 500)
      #expect(upstream.asked == ["a1", "a2", "a3"] || upstream.asked == ["a1", "a10", "a2"])
    }
  }

  @Test("an answer must begin within the request's time, whatever single waits would allow")
  func totalTime() async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration.one(port: upstream.port, accounts: ["a1", "a2"])
    configuration.set(timeoutSeconds: 400)
    let health = TestHealth()
    try await Gateway.run(configuration, health: health) { gateway in
      let client = try await gateway.client()
      try await client.send(chat(plainBody))
      _ = await upstream.next()
      gateway.clock.advance(.seconds(301))
      _ = await upstream.next()
      gateway.clock.advance(.seconds(100))
      let response = try await client.response()
      #expect(response.status == 504)
      let finished = try #require(try await gateway.finished(1).first)
      #expect(finished.attempts.map(\.errorCode) == ["timeout", "out_of_time"])
      #expect(
        health.reports.value.map(\.account.rawValue) == ["a1"],
        "who was given the rest of the time is not to blame")
    }
  }

  struct Pause: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var rules: [String]
    var seconds: [Int64]
    var status: Int
    var retryAfter: String
    var shouldRetry: String
  }

  static let pauses: [Pause] = [
    Pause(
      testDescription: "limits alone", rules: ["rate_limited", "quota_exhausted"],
      seconds: [90, 30], status: 429, retryAfter: "30", shouldRetry: "true"),
    Pause(
      testDescription: "limits and other trouble", rules: ["rate_limited", "unauthorized"],
      seconds: [30, 90], status: 503, retryAfter: "30", shouldRetry: "true"),
    Pause(
      testDescription: "for long", rules: ["quota_exhausted", "quota_exhausted"],
      seconds: [7200, 3600], status: 429, retryAfter: "120", shouldRetry: "false"),
  ]

  @Test(
    "where all accounts cool the client is told until when, and which to whom may know",
    arguments: pauses)
  func allCooling(_ row: Pause) async throws {
    let upstream = try await ScriptedUpstream.start()
    var configuration = Configuration.one(port: upstream.port, accounts: ["a1", "a2"])
    for (index, rule) in row.rules.enumerated() {
      configuration.cool("a\(index + 1)", for: row.seconds[index] * 1_000_000_000, rule: rule)
    }
    configuration.addKey("sk-admin", diagnostics: true)
    try await Gateway.run(configuration) { gateway in
      let until = rfc3339(
        UnixNanoseconds(TestClock.start + (row.seconds.min() ?? 0) * 1_000_000_000))
      for key in [Gateway.key, "sk-admin"] {
        let client = try await gateway.client()
        try await client.send(chat(plainBody, key: key))
        let response = try await client.response()
        #expect(response.status == row.status)
        #expect(response.headers["retry-after"] == row.retryAfter)
        #expect(response.headers["x-should-retry"] == row.shouldRetry)
        #expect(response.text.contains("before \(until)"))
        #expect(response.text.contains("a2: cooling until") == (key == "sk-admin"))
      }
      #expect(upstream.callCount == 0)
      let finished = try await gateway.finished(2)
      #expect(finished.allSatisfy { $0.ending == .denied && $0.attempts.isEmpty })
    }
  }

  @Test("an option that a provider rejects is learned: the next request goes without it at once")
  func quirk() async throws {
    let upstream = try await ScriptedUpstream.start { call in
      if call.text.contains("stream_options") {
        call.answer(
          #"{"error":{"message":"Unrecognized request argument supplied: stream_options","type":"invalid_request_error"}}"#,
          status: 400)
      } else {
        call.startStream()
        call.chunk("data: {\"choices\":[{}]}\n\ndata: [DONE]\n\n")
        call.endChunks()
      }
    }
    let health = TestHealth()
    try await Gateway.run(.one(port: upstream.port), health: health) { gateway in
      let client = try await gateway.client()
      for _ in 0..<3 {
        try await client.send(chat(streamBody))
        #expect(try await client.response().status == 200)
      }
      #expect(upstream.callCount == 4)
      #expect(health.reports.value.count == 1)
    }
  }

  @Test("a permit is one request's at a time, and over after ten seconds")
  func permits() throws {
    let gauges = AccountGauges()
    let account = AccountID("a")
    let second: Int64 = 1_000_000_000
    func isFree(_ model: String, _ now: Int64) -> Bool {
      gauges.isProbeFree(account, model: model, now: now)
    }
    let first = try #require(gauges.takePermit(account, .model("m"), now: 0))
    #expect(!isFree("m", 0) && isFree("n", 0))
    #expect(gauges.takePermit(account, .model("m"), now: second) == nil)
    let other = try #require(gauges.takePermit(account, .model("n"), now: second))
    gauges.giveBack(other)
    #expect(isFree("n", second))
    let second10 = 10 * second
    #expect(isFree("m", second10))
    let later = try #require(gauges.takePermit(account, .account, now: second10))
    #expect(!isFree("n", second10))
    // The first one's holder is late: what it gives back is not the other's.
    gauges.giveBack(first)
    #expect(!isFree("m", second10))
    gauges.giveBack(later)
    #expect(isFree("m", second10))
  }
}

import Domain
import Support
import Testing

@testable import Telemetry

/// The counters say what counting the same events one by one says.
struct RequestMetricsTests {
  /// A page as numbers by series.
  private static func page(
    _ metrics: RequestMetrics, providers: [String: String] = [:]
  ) -> [String: String] {
    var (metrics, page) = (metrics, Exposition())
    metrics.write(to: &page, providers: providers)
    var series: [String: String] = [:]
    for line in String(decoding: page.bytes, as: UTF8.self).split(separator: "\n")
    where !line.hasPrefix("#") {
      guard let space = line.lastIndex(of: " ") else { continue }
      #expect(
        series.updateValue(
          String(line[line.index(after: space)...]), forKey: String(line[..<space])) == nil,
        "\(line)")
    }
    return series
  }

  private static func sum(_ page: [String: String], _ prefix: String) -> UInt64 {
    page.filter { $0.key.hasPrefix(prefix) }.reduce(0) { $0 + (UInt64($1.value) ?? 0) }
  }

  private static func take(
    _ event: Event, _ position: UInt64, into metrics: inout RequestMetrics, asOutline: Bool = false,
    by provenance: Provenance = .system
  ) throws {
    let bytes = encode(event, provenance)
    var outline = RequestOutline()
    if asOutline, try outline.read(kind: event.kind, bytes: bytes[...]) {
      metrics.take(finished: outline, position: position, bytes: bytes[...])
    } else {
      try metrics.take(
        position: position, time: UnixNanoseconds(0), kind: event.kind, bytes: bytes[...])
    }
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func `counters equal a count by hand, however the events come`(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let facts = (0..<200).map { _ in Self.finished(&random) }
    var metrics = RequestMetrics(after: 7)
    var other = RequestMetrics(after: 7)
    for (at, fact) in facts.enumerated() {
      let position = UInt64(8 + at)
      try Self.take(.request(.finished(fact)), position, into: &metrics)
      try Self.take(.request(.finished(fact)), position, into: &other, asOutline: true)
      if random.oneIn(10) { other.settle() }
      // What was taken in counts once.
      if random.oneIn(10) {
        try Self.take(.request(.finished(fact)), position, into: &other, asOutline: random.oneIn(2))
      }
    }
    let providers = ["a0": "p0", "a1": "p1"]
    let page = Self.page(metrics, providers: providers)
    #expect(page == Self.page(other, providers: providers), "seed \(seed)")

    var expected: [String: UInt64] = [:]
    func count(_ series: String, _ more: UInt64 = 1) { expected[series, default: 0] += more }
    for fact in facts {
      let organisation = fact.organisation?.rawValue ?? "none"
      count(
        "signalbox_requests_total{operation=\"\(fact.operation.name)\",code=\"\(fact.status / 100)xx\",outcome=\"\(fact.ending.name)\"}"
      )
      count(
        "signalbox_organization_requests_total{organization_id=\"\(organisation)\",outcome=\"\(fact.ending.name)\"}"
      )
      if fact.ending == .denied {
        count(
          "signalbox_denials_total{reason=\"\(fact.errorCode ?? "none")\",organization_id=\"\(organisation)\"}"
        )
      }
      for (at, attempt) in fact.attempts.enumerated() {
        let isLast = at == fact.attempts.count - 1
        let model = isLast ? "gpt" : attempt.upstreamModel ?? "none"
        let account = attempt.account.rawValue
        count(
          "api_router_backend_requests_total{backend_id=\"\(account)\",model=\"\(model)\",status=\"\(attempt.errorClass == nil ? "success" : "error")\"}"
        )
        count(
          "signalbox_attempts_total{provider=\"\(providers[account] ?? "other")\",account=\"\(account)\",code=\"\(attempt.status.map { "\($0)" } ?? "none")\",error_class=\"\(attempt.errorClass?.name ?? "none")\"}"
        )
        if !isLast { count("router_failover_total{backend_id=\"\(account)\"}") }
      }
      guard let last = fact.attempts.last else { continue }
      let isGood = fact.ending == .completed && fact.status < 400
      count("router_requests_total{success=\"\(isGood)\"}")
      count(
        "router_requests_by_backend_total{backend_id=\"\(last.account.rawValue)\",success=\"\(isGood)\"}"
      )
      let decision =
        fact.attempts.count > 1 ? "FAILOVER" : last.rule == .owner ? "OVERRIDE" : "PRIMARY"
      count("router_requests_by_decision_total{decision_type=\"\(decision)\"}")
      count(
        "signalbox_request_duration_seconds_count{operation=\"\(fact.operation.name)\",stream=\"\(fact.isStream)\"}"
      )
      count("router_decision_latency_seconds_count")
      if fact.ending == .upstreamCut {
        count(
          "signalbox_stream_cuts_total{provider=\"\(providers[last.account.rawValue] ?? "other")\"}"
        )
      }
      let provider = providers[last.account.rawValue] ?? "other"
      for (kind, tokens) in [
        ("input", fact.usage.input), ("output", fact.usage.output), ("cached", fact.usage.cached),
      ] {
        if let tokens, tokens > 0 {
          count(
            "signalbox_tokens_total{provider=\"\(provider)\",model=\"gpt\",kind=\"\(kind)\"}",
            tokens
          )
        }
      }
    }
    let families = Set(expected.keys.map { $0.prefix { $0 != "{" } })
    let counted = page.filter { families.contains($0.key.prefix { $0 != "{" }) }
    #expect(
      counted == expected.mapValues { String($0) }, "seed \(seed)")
    #expect(metrics.outcomes == UInt64(facts.count))
    #expect(metrics.position == UInt64(7 + facts.count))
  }

  @Test(
    arguments: [
      ([(1, 1), (1000, 999)], 0), ([(1000, 999), (1, 1)], 1), ([(3, 2), (999, 800)], 1),
      ([(999, 800), (3, 2)], 0), ([(999, 1), (5, 4)], 1), ([(1999, 1000), (10, 6)], 1),
      ([(10, 5), (20, 10), (4, 2)], 0), ([(0, 1), (1, 1)], 0), ([(1, 0), (2, 0)], 0),
      ([(.max, .max - 1), (.max - 1, .max - 1)], 1), ([(.max, .max), (.max - 1, .max - 2)], 0),
      ([(100, 250), (.max, .max)], 0),
    ] as [([(limit: UInt64, used: UInt64)], Int)])
  func `the fuller limit is the one of which the greater share is used`(
    _ rows: [(limit: UInt64, used: UInt64)], _ fuller: Int
  ) {
    let readings = rows.map {
      LimitReading(scope: .key, measure: .requestsPerMinute, limit: $0.limit, used: $0.used)
    }
    #expect(RequestMetrics.fullest(readings) { $0.isRate } == readings[fuller])
    #expect(RequestMetrics.fullest(readings) { !$0.isRate } == nil)
  }

  @Test func `a refusal counts under the limit that was fuller, and by its kind`() throws {
    func denied(_ code: String, _ limits: [LimitReading]) -> RequestEvent.Finished {
      var random = SeededRandom(seed: 1)
      var fact = Self.finished(&random)
      (fact.attempts, fact.ending, fact.status) = ([], .denied, 429)
      (fact.errorCode, fact.limits) = (code, limits)
      fact.organisation = OrganisationID("acme")
      return fact
    }
    func rate(_ scope: LimitReading.Scope, _ used: UInt64) -> LimitReading {
      LimitReading(scope: scope, measure: .requestsPerMinute, limit: 10, used: used)
    }
    let money = LimitReading(scope: .organisation, measure: .moneyPerDay, limit: 5, used: 5)
    func tokens(_ measure: LimitReading.Measure, _ used: UInt64) -> LimitReading {
      LimitReading(scope: .key, measure: measure, limit: 1000, used: used)
    }
    let cases: [(RequestEvent.Finished, String)] = [
      (
        denied("rate_limit_exceeded", [rate(.organisation, 10), rate(.key, 3)]),
        #"api_router_rate_limit_denials_total{limit_type="org",organization_id="acme"}"#
      ),
      (
        denied("rate_limit_exceeded", [rate(.organisation, 3), rate(.key, 10), money]),
        #"api_router_rate_limit_denials_total{limit_type="key",organization_id="acme"}"#
      ),
      (
        denied("budget_exceeded", [money]),
        #"api_router_budget_denials_total{quota_type="budget",organization_id="acme"}"#
      ),
      (
        denied("budget_reserved", [money]),
        #"api_router_budget_denials_total{quota_type="reserved",organization_id="acme"}"#
      ),
      (
        denied(
          "quota_exceeded", [tokens(.tokensPerDay, 1000), tokens(.tokensPerMonth, 999), money]),
        #"api_router_quota_denials_total{quota_type="daily_quota",organization_id="acme"}"#
      ),
      (
        denied("quota_exceeded", [tokens(.tokensPerDay, 1), tokens(.tokensPerMonth, 1000), money]),
        #"api_router_quota_denials_total{quota_type="monthly_quota",organization_id="acme"}"#
      ),
    ]
    for (fact, series) in cases {
      var metrics = RequestMetrics(after: 0)
      try Self.take(.request(.finished(fact)), 1, into: &metrics)
      let page = Self.page(metrics)
      #expect(page[series] == "1", "\(series)")
      #expect(page.keys.count { $0.contains("_denials_total{") && $0.hasPrefix("api_router") } == 1)
    }
  }

  @Test func `names beyond the bounds count as other, and nothing is lost`() throws {
    var metrics = RequestMetrics(after: 0)
    let requests = 9000
    for number in 0..<requests {
      var random = SeededRandom(seed: 3)
      var fact = Self.finished(&random)
      fact.organisation = OrganisationID("o\(number)")
      fact.modelResolved = "p/m\(number)"
      fact.errorCode = "code\(number)"
      (fact.ending, fact.status, fact.costMicroUSD) = (.denied, 402, 3)
      fact.attempts = [Self.attempt(account: "a\(number)", status: UInt16(100 + number % 900))]
      try Self.take(.request(.finished(fact)), UInt64(2 * number + 1), into: &metrics)
      try Self.take(
        .health(
          .cooldownStarted(
            .init(
              account: AccountID("a\(number)"), scope: .account, rule: "r\(number)",
              until: UnixNanoseconds(9)))), UInt64(2 * number + 2), into: &metrics)
    }
    let page = Self.page(metrics)
    let bounds: [(String, Int)] = [
      ("signalbox_denials_total{", RequestMetrics.Bounds.series + 1),
      ("signalbox_organization_requests_total{", RequestMetrics.Bounds.organisations + 1),
      ("signalbox_organization_cost_usd_total{", RequestMetrics.Bounds.organisations + 1),
      ("api_router_backend_requests_total{", RequestMetrics.Bounds.series + 1),
      ("signalbox_attempts_total{", RequestMetrics.Bounds.series + 1),
      (
        "api_router_backend_request_duration_seconds_count{",
        RequestMetrics.Bounds.histograms + 1
      ), ("router_backend_latency_seconds_count{", RequestMetrics.Bounds.histograms + 1),
      ("router_requests_by_backend_total{", RequestMetrics.Bounds.accounts + 1),
      ("signalbox_request_errors_total{", RequestMetrics.Bounds.words + 1),
      ("signalbox_cooldowns_started_total{", RequestMetrics.Bounds.series + 1),
    ]
    for (prefix, bound) in bounds {
      #expect(page.keys.count { $0.hasPrefix(prefix) } <= bound, "\(prefix)")
      #expect(page.keys.contains { $0.hasPrefix(prefix) && $0.contains("\"other\"") }, "\(prefix)")
      if !prefix.contains("cost") {
        #expect(Self.sum(page, prefix) == UInt64(requests), "\(prefix)")
      }
    }
    #expect(
      page[#"signalbox_organization_requests_total{organization_id="o0",outcome="denied"}"#] == "1")
  }

  @Test func `events that are no requests count by what they are`() throws {
    var metrics = RequestMetrics(after: 0)
    var position: UInt64 = 0
    func take(_ event: Event, by provenance: Provenance = .system) throws {
      position += 1
      try Self.take(event, position, into: &metrics, by: provenance)
    }
    for kind in WireKind.allCases { try take(try #require(WireKind.sample(kind.rawValue))) }
    try take(.alias(.removed("old")), by: Provenance(actor: "admin", source: .api))
    let page = Self.page(metrics)
    #expect(page[#"signalbox_config_changes_total{resource="alias",source="api"}"#] == "1")
    #expect(page[#"signalbox_config_changes_total{resource="alias",source="system"}"#] == "2")
    for part in ["request", "gateway", "health", "access", "sync"] {
      #expect(!page.keys.contains { $0.contains("resource=\"\(part)\"") })
    }
    let kinds = WireKind.allCases.map(\.rawValue)
    let configured = kinds.filter { kind in
      ![
        "request.", "gateway.", "health.", "access.", "credential.refresh",
        "credential.marked_uncertain", "credential.stale_write_refused", "sync.",
      ].contains { kind.hasPrefix($0) }
    }
    #expect(Self.sum(page, "signalbox_config_changes_total{") == UInt64(configured.count + 1))
    #expect(page["signalbox_requests_interrupted_total"] == "2")
    #expect(page["signalbox_deliveries_failed_total"] == "1")
    #expect(page["signalbox_denials_summarised_total"].flatMap { UInt64($0) } ?? 0 > 0)
    #expect(page["signalbox_log_gap_events_total"].flatMap { UInt64($0) } ?? 0 > 0)
    #expect(Self.sum(page, "signalbox_cooldowns_started_total{") == 1)
    #expect(Self.sum(page, "signalbox_account_tests_total{") == 1)
    // Refreshed, refused, failed, and one whose end is not known.
    #expect(Self.sum(page, "signalbox_credential_refreshes_total{") == 4)
  }

  @Test func `a kind of a later build and a record that is none are passed over`() throws {
    var metrics = RequestMetrics(after: 0)
    try metrics.take(
      position: 1, time: UnixNanoseconds(0), kind: "planet.landed.v1",
      bytes: encode(.alias(.removed("old")), .system)[...])
    #expect(throws: DecodingFailure.self) {
      try metrics.take(
        position: 2, time: UnixNanoseconds(0), kind: WireKind.requestFinished.rawValue,
        bytes: [1, 2, 3])
    }
    var random = SeededRandom(seed: 5)
    try Self.take(.request(.finished(Self.finished(&random))), 3, into: &metrics)
    #expect(metrics.outcomes == 1 && metrics.position == 3)
  }

  // MARK: Requests

  private static func attempt(account: String, status: UInt16?) -> Attempt {
    Attempt(
      snapshot: 3, now: UnixNanoseconds(5), seed: 1, local: .none, account: AccountID(account),
      rule: .fillFirst, status: status, errorClass: status == 200 ? nil : .provider,
      errorCode: nil, connectMicroseconds: 4, firstByteMicroseconds: 20_000,
      totalMicroseconds: 30_000)
  }

  private static func finished(_ random: inout SeededRandom) -> RequestEvent.Finished {
    let ending = Ending.allCases.randomElement(using: &random) ?? .completed
    let count = ending == .denied ? 0 : random.int(1...3)
    let isGood = ending == .completed
    let attempts = (0..<count).map { at in
      let isLast = at == count - 1
      var attempt = attempt(
        account: "a\(random.int(0...2))",
        status: isLast && isGood ? 200 : random.oneIn(4) ? nil : 500)
      if !isLast, random.oneIn(2) { attempt.upstreamModel = "older" }
      if random.oneIn(5) { attempt.rule = .owner }
      attempt.totalMicroseconds = UInt64(random.int(1...9_000_000))
      return attempt
    }
    return RequestEvent.Finished(
      id: RequestID(UInt128(random.next())), clientRequestID: nil,
      organisation: random.oneIn(4) ? nil : OrganisationID("o\(random.int(0...2))"),
      key: KeyID("k"), remoteAddress: "127.0.0.1",
      operation: random.oneIn(2) ? .messages : .chatCompletions, modelAsked: "fast",
      modelResolved: count == 0 ? nil : "p/gpt", isStream: random.oneIn(2),
      receivedAt: UnixNanoseconds(5), attempts: attempts, status: isGood ? 200 : 429,
      ending: ending, errorCode: isGood ? nil : "overloaded",
      errorClass: isGood ? nil : .provider,
      usage: count == 0
        ? .notReported
        : TokenUsage(
          input: random.oneIn(3) ? nil : UInt64(random.int(0...90)),
          output: UInt64(random.int(1...90)), cached: random.oneIn(2) ? 3 : nil),
      costMicroUSD: random.oneIn(2) ? UInt64(random.int(1...900)) : nil, requestBytes: 1,
      responseBytes: 2, queueMicroseconds: UInt64(random.int(1...900)),
      firstByteMicroseconds: random.oneIn(3) ? nil : UInt64(random.int(1...9_000)),
      totalMicroseconds: UInt64(random.int(1...9_000_000)))
  }
}

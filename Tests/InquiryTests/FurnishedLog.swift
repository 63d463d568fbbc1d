import Domain
import EventStore
import Inquiry

extension TestLog {
  /// Something of everything that can be configured, known of an account, and spent.
  static func furnished() throws -> TestLog {
    let log = try TestLog()
    let (mock, acme) = (ProviderID("mock"), OrganisationID("acme"))
    let (a1, a2) = (AccountID("mock-a1"), AccountID("mock-a2"))
    let day = Budget(period: .day, timezone: "+02:00", microUSD: 25_500_000, tokens: nil)
    let month = Budget(period: .month, microUSD: 500_000_000, tokens: 9_000_000)
    func account(_ id: AccountID, _ name: String, _ priority: UInt32) -> Command {
      .account(
        .add(
          .init(id: id, provider: mock, name: name, priority: priority, weight: 50),
          credential: .key(Fingerprint([UInt8](repeating: UInt8(priority) + 0xA0, count: 32)))))
    }
    try log.run(
      [
        .provider(
          .add(
            .init(
              id: mock, name: "mock", dialect: .openai, baseURL: "http://127.0.0.1:9000/v1",
              prefix: "mock",
              models: [.init(name: "gpt-4o-mini"), .init(name: "gpt-4o"), .init(name: "o3")],
              excludedModels: []))),
        .provider(.setHealthCheck(mock, seconds: 90)), account(a1, "a1", 1), account(a2, "a2", 2),
        account(AccountID("mock-a3"), "a3", 3),
        .account(.setCredentialExpiry(a2, UnixNanoseconds(log.time + 3_600_000_000_000))),
        .account(.degrade(AccountID("mock-a3"), reason: "the invoice is open")),
        .organisation(
          .create(
            .init(
              id: acme, name: "Acme Ltd",
              limits: Limits(requestsPerSecond: 100, burst: 200, concurrency: 64),
              budgets: [day, month]))),
        .organisation(.create(.init(id: OrganisationID("globex"), name: "Globex"))),
        .organisation(.pause(OrganisationID("globex"))),
        .key(
          .create(
            .init(
              id: KeyID("key-default"), name: "default", organisation: acme,
              fingerprint: Fingerprint([UInt8](repeating: 0xC1, count: 32)), masked: "sb-1…cdef",
              diagnostics: false, expiresAt: nil),
            rights: KeyRights(
              allowedModels: ["mock/*", "fast", "smart"], allowedAccounts: [a1, a2],
              limits: Limits(requestsPerMinute: 600, tokensPerMinute: 90_000), budgets: [day]))),
        .key(
          .create(
            .init(
              id: KeyID("key-free"), name: "free", organisation: acme,
              fingerprint: Fingerprint([UInt8](repeating: 0xC2, count: 32)), masked: "sb-2…cdef",
              diagnostics: true, expiresAt: nil))),
        .alias(.set(name: "fast", target: "mock/gpt-4o-mini", allowUnresolved: false)),
        .combo(
          .set(name: "smart", models: ["mock/gpt-4o", "mock/later"], allowUnresolved: true)),
        .policy(
          .set(
            PolicyID(organisation: acme, model: "gpt-4o"),
            accounts: [.init(account: a1, weight: 80), .init(account: a2, weight: 20)],
            failoverThreshold: 3, allowUnresolved: false)),
        .policy(
          .set(
            PolicyID(organisation: PolicyID.everyone, model: "o3"),
            accounts: [.init(account: a2, weight: 1)], failoverThreshold: 1,
            allowUnresolved: false)),
        .pricing(
          .change(
            .init(set: [
              .init(
                id: PriceID(provider: mock, model: "gpt-4o"),
                price: Price(input: 2_500_000, output: 10_000_000, cached: 1_250_000)),
              .init(
                id: PriceID(provider: mock, model: "o3"),
                price: Price(
                  input: 2_000_000, output: 8_000_000, reasoning: 9_000_000, cacheCreation: 1)),
            ]))), .model(.disable(ModelID(provider: mock, name: "o3"))),
      ], TestLog.file)
    for (scope, seconds) in [(CooldownScope.account, 5), (.model("gpt-4o"), 600)] {
      try log.append(
        .health(
          .cooldownStarted(
            .init(
              account: a2, scope: scope, rule: "rate_limit",
              until: UnixNanoseconds(log.time + Int64(seconds) * 1_000_000_000), status: 429,
              errorCode: "status_429"))))
    }
    try log.append(
      .health(
        .tested(
          .init(
            account: a1, model: "gpt-4o-mini", isValid: true, latencyMicroseconds: 180_000,
            status: 200, errorClass: nil, errorCode: nil))))
    try log.append(.health(.quirkLearned(.init(account: a1, quirk: .rejectsStreamOptions))))
    for number in UInt64(1)...3 {
      var finished = try log.finished(
        number, "fast", [.ok], usage: TokenUsage(input: 120, output: 40))
      finished.costMicroUSD = number == 3 ? nil : 1_500 * number
      try log.append(.request(.finished(finished)))
    }
    try log.append(
      .request(
        .dispatched(
          .init(
            id: request(4), clientRequestID: nil, organisation: acme, key: KeyID("key-default"),
            operation: .chatCompletions, modelAsked: "fast", receivedAt: UnixNanoseconds(log.time),
            account: a1))))
    // The next day of the key's budget, which begins at 22:00 UTC.
    log.wait(seconds: 3_600)
    var finished = try log.finished(5, "mock/gpt-4o", [.ok], usage: TokenUsage(input: 7, output: 3))
    finished.costMicroUSD = 47
    try log.append(.request(.finished(finished)))
    return log
  }
}

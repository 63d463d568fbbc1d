import Domain

@testable import DataPlane

/// The configuration of a test gateway, built from events as the control plane would.
struct Configuration {
  private var state = ControlState.initial
  private var secrets: [AccountID: UpstreamSecret] = [:]
  private var position: UInt64 = 0

  init() { addKey(Gateway.key) }

  /// Provider `p` at `port` with accounts in the order of their priority.
  static func one(port: Int, accounts: [String] = ["a1"]) -> Configuration {
    var configuration = Configuration()
    configuration.addProvider("p", port: port)
    for (index, account) in accounts.enumerated() {
      configuration.addAccount(account, at: "p", priority: UInt32(index + 1))
    }
    return configuration
  }

  /// A provider with a prefix of its own name.
  mutating func addProvider(
    _ id: String, port: Int, scheme: String = "http", host: String = "127.0.0.1",
    models: [String] = ["m", "other"], path: String = "/v1",
    dialect: UpstreamProtocol = .openai
  ) {
    apply(
      .provider(
        .added(
          .init(
            id: ProviderID(id), name: id, dialect: dialect,
            baseURL: "\(scheme)://\(host):\(port)\(path)", prefix: id,
            models: models.map { ProviderModel(name: $0) }, excludedModels: []))))
  }

  /// `secret` nil: `secret-of-` and its id.
  mutating func addAccount(
    _ id: String, at provider: String, priority: UInt32 = 1, secret: String? = nil
  ) {
    apply(
      .account(
        .added(
          .init(
            id: AccountID(id), provider: ProviderID(provider), name: id, priority: priority,
            weight: 1))))
    apply(
      .credential(
        .issued(
          .init(
            account: AccountID(id), generation: 1, fingerprint: PlainFingerprinter.of(id.utf8)))))
    secrets[AccountID(id)] = UpstreamSecret(Array((secret ?? "secret-of-\(id)").utf8))
  }

  mutating func addKey(
    _ raw: String, id: String? = nil, organisation: String = "acme", diagnostics: Bool = false,
    expiresAt: Int64? = nil
  ) {
    apply(
      .key(
        .created(
          .init(
            id: KeyID(id ?? "id-\(raw)"), name: raw, organisation: OrganisationID(organisation),
            fingerprint: PlainFingerprinter.of(raw.utf8), masked: "sk-…",
            diagnostics: diagnostics, expiresAt: expiresAt.map { UnixNanoseconds($0) }))))
  }

  mutating func apply(_ event: Event) {
    position += 1
    state.apply(
      Recorded(
        position: position, time: UnixNanoseconds(TestClock.start), kind: event.kind,
        provenance: .system, content: .event(event)))
  }

  mutating func set(
    strategy: Strategy? = nil, maxAttempts: UInt32? = nil, timeoutSeconds: UInt32? = nil
  ) {
    apply(.settings(.changed(.init(fallbackStrategy: strategy))))
    apply(
      .settings(
        .routingChanged(
          .init(
            stickyRoundRobinLimit: 1, maxAttempts: maxAttempts,
            requestTimeoutSeconds: timeoutSeconds))))
  }

  /// Who serves `model` of everybody.
  mutating func setPolicy(_ model: String, _ weights: [(account: String, weight: UInt32)]) {
    apply(
      .policy(
        .set(
          .init(
            id: PolicyID(organisation: PolicyID.everyone, model: model),
            accounts: weights.map {
              PolicyAccount(account: AccountID($0.account), weight: $0.weight)
            },
            failoverThreshold: 3, isUnresolved: false))))
  }

  mutating func cool(_ account: String, for wait: Int64, rule: String = "rate_limited") {
    apply(
      .health(
        .cooldownStarted(
          .init(
            account: AccountID(account), scope: .account, rule: rule,
            until: UnixNanoseconds(TestClock.start + wait)))))
  }

  var published: PublishedRouting {
    PublishedRouting(snapshot: RoutingSnapshot(state), secrets: secrets)
  }
}

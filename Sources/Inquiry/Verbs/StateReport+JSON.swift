import Domain

extension StateReport {
  /// For machines.
  public var json: JSONTree {
    var members: [JSONTree.Member] = [
      .init("replay", .text("state")), .init("log", coverage.json),
      .init("at", .text(at?.place)), .init("time", .text(at.map { rfc3339($0.time) })),
      .init("gaps", .array(gaps.map(\.json))),
      .init("openGap", openGap.map { .count($0) } ?? .null),
      .init("unreadable", .count(unreadable)),
      .init("unknown", .count(unknown)),
    ]
    if has(.providers) { members.append(.init("providers", .array(providers.map(json)))) }
    if has(.accounts) { members.append(.init("accounts", .array(accounts.map(json)))) }
    if has(.aliases) { members.append(.init("aliases", .array(aliases.map(json)))) }
    if has(.combos) { members.append(.init("combos", .array(combos.map(json)))) }
    if has(.policies) { members.append(.init("policies", .array(policies.map(json)))) }
    if has(.organisations) {
      members.append(.init("organisations", .array(organisations.map(json))))
    }
    if has(.keys) { members.append(.init("keys", .array(keys.map(json)))) }
    if has(.settings) { members.append(.init("settings", json(state.settings))) }
    if has(.pricing) { members.append(.init("pricing", pricingJSON)) }
    if has(.usage) { members.append(.init("usage", usageJSON)) }
    return .object(members)
  }

  private func tail(
    _ stream: String, _ revision: UInt64, _ created: UnixNanoseconds, _ updated: UnixNanoseconds
  ) -> [JSONTree.Member] {
    [
      .init("revision", .count(revision)), .init("createdAt", .text(rfc3339(created))),
      .init("updatedAt", .text(rfc3339(updated))),
      .init("lastChange", changes[stream]?.json ?? .null),
    ]
  }

  private func json(_ it: Provider) -> JSONTree {
    .object(
      [
        .init("id", .text(it.id.rawValue)), .init("name", .text(it.name)),
        .init("isEnabled", .bool(it.isEnabled)), .init("protocol", .text(it.dialect.name)),
        .init("baseUrl", .text(it.baseURL)), .init("prefix", .text(it.prefix)),
        .init("models", EventFields.models(it.models)),
        .init("excludedModels", EventFields.texts(it.excludedModels)),
        .init("disabledModels", EventFields.texts(it.disabledModels)),
        .init("discoveredModels", EventFields.texts(it.discoveredModels)),
        .init("healthCheckSeconds", .count(it.healthCheckSeconds.map { UInt64($0) })),
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Account) -> JSONTree {
    .object(
      [
        .init("id", .text(it.id.rawValue)), .init("provider", .text(it.provider.rawValue)),
        .init("name", .text(it.name)), .init("isEnabled", .bool(it.isEnabled)),
        .init("priority", .count(UInt64(it.priority))),
        .init("weight", .count(UInt64(it.weight))),
        .init("credentialGeneration", .count(it.credential.generation)),
        .init(
          "credentialFingerprint", .text(it.credential.fingerprint.map { Shown.hex($0.rawValue) })),
        .init("credentialStanding", .text(it.credential.standing.name)),
        .init("credentialExpiresAt", .text(it.credential.expiresAt.map { rfc3339($0) })),
        .init("credentialLastChange", changes[it.id.credentialStream]?.json ?? .null),
        .init("degraded", .text(it.degradation?.reason)),
        .init("health", health(it.id)),
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  /// null: nothing is known.
  private func health(_ id: AccountID) -> JSONTree {
    guard let it = state.health[id] else { return .null }
    func cooldown(_ model: String?, _ it: AccountHealth.Cooldown) -> JSONTree {
      .object([
        .init("model", .text(model)), .init("rule", .text(it.rule)),
        .init("since", .text(rfc3339(it.startedAt))), .init("until", .text(rfc3339(it.until))),
        .init("isOver", .bool(it.until <= instant)), .init("level", .count(UInt64(it.level))),
      ])
    }
    let models = it.modelCooldowns.sorted { $0.key < $1.key }
    return .object([
      .init("testStatus", .text(it.testStatus.name)),
      .init(
        "cooldowns",
        .array(
          (it.cooldown.map { [cooldown(nil, $0)] } ?? [])
            + models.map { cooldown($0.key, $0.value) })),
      .init("consecutiveErrors", .count(it.consecutiveErrors)),
      .init(
        "lastError",
        it.lastError.map {
          .object([
            .init("status", .count($0.status.map { UInt64($0) })),
            .init("class", .text($0.errorClass?.name)), .init("code", .text($0.code)),
            .init("at", .text(rfc3339($0.at))),
          ])
        } ?? .null),
      .init("testedAt", .text(it.testedAt.map { rfc3339($0) })),
      .init("quirks", EventFields.texts(it.quirks.map(\.name))),
      .init("lastChange", changes[id.healthStream]?.json ?? .null),
    ])
  }

  private func json(_ it: AliasTarget) -> JSONTree {
    .object(
      [
        .init("name", .text(it.name)), .init("target", .text(it.target)),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ] + tail(aliasStream(it.name), it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Combo) -> JSONTree {
    .object(
      [
        .init("name", .text(it.name)), .init("models", EventFields.texts(it.models)),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ] + tail(comboStream(it.name), it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Policy) -> JSONTree {
    .object(
      [
        .init("organisation", .text(it.id.organisation.rawValue)),
        .init("model", .text(it.id.model)),
        .init("accounts", .array(it.accounts.map(\.imageValue.json))),
        .init("failoverThreshold", .count(UInt64(it.failoverThreshold))),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Organisation) -> JSONTree {
    .object(
      [
        .init("id", .text(it.id.rawValue)), .init("name", .text(it.name)),
        .init("isPaused", .bool(it.isPaused)), .init("limits", EventFields.limits(it.limits)),
        .init("budgets", EventFields.budgets(it.budgets)),
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Key) -> JSONTree {
    .object(
      [
        .init("id", .text(it.id.rawValue)), .init("name", .text(it.name)),
        .init("status", .text(it.status.rawValue)),
        .init("organisation", .text(it.organisation.rawValue)),
        .init("masked", .text(it.masked)),
        .init("fingerprint", .text(Shown.hex(it.fingerprint.rawValue))),
        .init("diagnostics", .bool(it.diagnostics)),
        .init("expiresAt", .text(it.expiresAt.map { rfc3339($0) })),
        .init("allowedModels", EventFields.texts(it.allowedModels)),
        .init("allowedAccounts", EventFields.texts(it.allowedAccounts.map(\.rawValue))),
        .init("limits", EventFields.limits(it.limits)),
        .init("budgets", EventFields.budgets(it.budgets)),
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Settings) -> JSONTree {
    .object(
      [
        .init("fallbackStrategy", .text(it.fallbackStrategy.name)),
        .init("requireApiKey", .bool(it.requireAPIKey)),
        .init("forceModelPrefix", .bool(it.forceModelPrefix)),
        .init("maxBodyBytes", .count(it.maxBodyBytes)),
        .init("stickyRoundRobinLimit", .count(UInt64(it.stickyRoundRobinLimit))),
        .init("maxAttempts", .count(UInt64(it.maxAttempts))),
        .init("requestTimeoutSeconds", .count(UInt64(it.requestTimeoutSeconds))),
        .init("trustedProxies", EventFields.texts(it.trustedProxies)),
        .init("cloudUrl", it.sync.cloudURL.isEmpty ? .null : .text(it.sync.cloudURL)),
        .init("cloudProtocol", .text(it.sync.cloudProtocol.name)),
        .init("cloudToken", .text(it.sync.cloudToken?.short)),
        .init("machineId", it.sync.machineID.isEmpty ? .null : .text(it.sync.machineID)),
        .init("syncSecrets", .bool(it.sync.syncSecrets)),
        .init("syncIntervalSeconds", .count(UInt64(it.sync.intervalSeconds))),
        .init("isAdminPasswordSet", .bool(it.adminPasswordPosition != nil)),
        .init(
          "adminPasswordLastChange", changes[GatewayProjection.passwordChange]?.json ?? .null),
      ] + tail(settingsStream, it.revision, it.createdAt, it.updatedAt))
  }

  /// In millionths of a dollar for a million tokens; null: as input, or as output.
  private var pricingJSON: JSONTree {
    let models = prices.map { it -> JSONTree in
      var members: [JSONTree.Member] = [
        .init("provider", .text(it.id.provider.rawValue)), .init("model", .text(it.id.model)),
      ]
      if case .record(let fields) = it.price.imageValue {
        members += fields.map { .init($0.name + "MicroUsd", $0.value.json) }
      }
      return .object(members)
    }
    let it = state.pricing
    return .object(
      [.init("models", .array(models))]
        + tail(pricingStream, it.revision, it.createdAt, it.updatedAt))
  }

  private var usageJSON: JSONTree {
    guard let usage else { return .null }
    return .object([
      .init("underWay", .count(usage.underWay)),
      .init(
        "spent",
        .array(
          spending.map { it in
            let (organisation, key): (String?, String?) =
              switch it.scope {
              case .organisation(let id): (id.rawValue, nil)
              case .key(let id): (nil, id.rawValue)
              }
            return .object([
              .init("organisation", .text(organisation)), .init("key", .text(key)),
              .init("period", .text(it.period.name)),
              .init("start", .text(rfc3339(it.window.start))),
              .init("end", .text(rfc3339(it.window.end))),
              .init("isOver", .bool(it.window.end <= instant)),
              .init("microUsd", .count(it.window.used.microUSD)),
              .init("tokens", .count(it.window.used.tokens)),
              .init("budget", it.budget?.imageValue.json ?? .null),
            ])
          })),
    ])
  }
}

import Domain

extension EventFields {
  static func health(_ event: HealthEvent) -> Members {
    let account = JSONTree.Member("account", .text(event.account.rawValue))
    switch event {
    case .cooldownStarted(let it):
      return [
        account, .init("scope", scope(it.scope)), .init("rule", .text(it.rule)),
        .init("until", .text(rfc3339(it.until))), .init("status", status(it.status)),
        .init("errorCode", .text(it.errorCode)),
      ]
    case .cooldownEnded(let it):
      return [
        account, .init("scope", it.scope.map(scope) ?? .null),
        .init("reason", .text(it.reason.name)),
      ]
    case .tested(let it):
      return [
        account, .init("model", .text(it.model)), .init("isValid", .bool(it.isValid)),
        .init("latencyMicroseconds", .count(it.latencyMicroseconds)),
        .init("status", status(it.status)), .init("errorClass", .text(it.errorClass?.name)),
        .init("errorCode", .text(it.errorCode)),
      ]
    case .noted(let it):
      let error: JSONTree =
        switch it.error {
        case .cleared: .text("cleared")
        case .set(let code, let text):
          .object([.init("status", status(code)), .init("code", .text(text))])
        case nil: .null
        }
      return [account, .init("testStatus", .text(it.testStatus?.name)), .init("error", error)]
    case .probeStarted(let it): return [account, .init("scope", scope(it.scope))]
    case .quirkLearned(let it): return [account, .init("quirk", .text(it.quirk.name))]
    }
  }

  /// `account`, or `model:<name>`.
  private static func scope(_ scope: CooldownScope) -> JSONTree {
    switch scope {
    case .account: .text("account")
    case .model(let name): .text("model:\(name)")
    }
  }

  private static func status(_ status: UInt16?) -> JSONTree {
    status.map { .number(Int64($0)) } ?? .null
  }

  static func model(_ event: ModelEvent) -> Members {
    [
      .init("provider", .text(event.id.provider.rawValue)), .init("name", .text(event.id.name)),
    ]
  }

  static func combo(_ event: ComboEvent) -> Members {
    switch event {
    case .set(let it):
      [
        .init("name", .text(it.name)), .init("models", texts(it.models)),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ]
    case .removed(let name): [.init("name", .text(name))]
    }
  }

  static func policy(_ event: PolicyEvent) -> Members {
    let id: Members = [
      .init("organisation", .text(event.id.organisation.rawValue)),
      .init("model", .text(event.id.model)),
    ]
    switch event {
    case .set(let it):
      return id + [
        .init(
          "accounts",
          .array(
            it.accounts.map {
              .object([
                .init("account", .text($0.account.rawValue)),
                .init("weight", .count(UInt64($0.weight))),
              ])
            })), .init("failoverThreshold", .count(UInt64(it.failoverThreshold))),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ]
    case .removed: return id
    }
  }

  static func organisation(_ event: OrganisationEvent) -> Members {
    let id = JSONTree.Member("id", .text(event.id.rawValue))
    switch event {
    case .created(let it), .renamed(let it): return [id, .init("name", .text(it.name))]
    case .limitsSet(let it): return [id, .init("limits", limits(it.limits))]
    case .budgetsSet(let it): return [id, .init("budgets", budgets(it.budgets))]
    case .paused, .resumed, .removed: return [id]
    }
  }

  static func limits(_ it: Limits) -> JSONTree {
    .object([
      .init("rps", .count(UInt64(it.requestsPerSecond))),
      .init("burst", .count(UInt64(it.burst))),
      .init("rpm", .count(UInt64(it.requestsPerMinute))),
      .init("tpm", .count(it.tokensPerMinute)),
      .init("concurrency", .count(UInt64(it.concurrency))),
    ])
  }

  static func budgets(_ budgets: [Budget]) -> JSONTree {
    .array(
      budgets.map {
        .object([
          .init("period", .text($0.period.name)), .init("timezone", .text($0.timezone)),
          .init("microUsd", .count($0.microUSD)), .init("tokens", .count($0.tokens)),
        ])
      })
  }

  static func pricing(_ event: PricingEvent) -> Members {
    switch event {
    case .changed(let it):
      [
        .init(
          "set",
          .array(
            it.set.map { entry in
              .object([
                .init("provider", .text(entry.id.provider.rawValue)),
                .init("model", .text(entry.id.model)),
                .init("inputPicoUsd", .count(entry.price.input)),
                .init("outputPicoUsd", .count(entry.price.output)),
                .init("cachedPicoUsd", .count(entry.price.cached)),
                .init("reasoningPicoUsd", .count(entry.price.reasoning)),
                .init("cacheCreationPicoUsd", .count(entry.price.cacheCreation)),
              ])
            })),
        .init(
          "removed",
          .array(
            it.removed.map {
              .object([
                .init("provider", .text($0.provider.rawValue)), .init("model", .text($0.model)),
              ])
            })),
      ]
    }
  }

  static func access(_ event: AccessEvent) -> Members {
    switch event {
    case .loginSucceeded(let it):
      [
        .init("session", .text(uuidText(it.session))),
        .init("expiresAt", .text(rfc3339(it.expiresAt))),
      ]
    case .loginRefused(let it):
      [.init("reason", .text(it.reason)), .init("count", .count(it.count))]
    case .sessionRevoked(let it):
      [
        .init("session", .text(uuidText(it.session))),
        .init("expiresAt", .text(rfc3339(it.expiresAt))),
      ]
    case .allSessionsRevoked: []
    }
  }
}

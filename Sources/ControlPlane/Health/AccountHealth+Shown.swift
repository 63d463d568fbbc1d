import Domain
import Surface

extension AccountHealth {
  /// The status at `now`: what a cooldown said of the account ends with it.
  func shownStatus(at now: UnixNanoseconds) -> TestStatus {
    testStatus == .unavailable && cooldown != nil && !isCooling(at: now) ? .unknown : testStatus
  }

  /// The fields of an account's answer that its health gives.
  func members(at now: UnixNanoseconds) -> [JSONValue.Member] {
    let cooling = modelCooldowns.filter { now < $0.value.until }.sorted { $0.key < $1.key }
    return [
      .init("testStatus", JSONValue(shownStatus(at: now).name)),
      .init("rateLimitedUntil", JSONValue(coolsUntil(at: now))),
      .init("modelCooldowns", .object(cooling.map { .init($0.key, JSONValue($0.value.until)) })),
      .init("cooldowns", cooldowns(at: now)),
      .init("lastError", lastError.map { $0.json } ?? .null),
      .init("errorCode", JSONValue(lastError?.status)),
      .init("lastErrorAt", JSONValue(lastError?.at)), .init("lastTested", JSONValue(testedAt)),
      .init("latencyMs", JSONValue(testMicroseconds.map { $0 / 1000 })),
    ]
  }

  /// All that keeps requests away, or lets one at a time through: the account's first, then by model.
  func cooldowns(at now: UnixNanoseconds) -> JSONValue {
    let all =
      (cooldown.map { [(nil, $0)] } ?? [])
      + modelCooldowns.sorted { $0.key < $1.key }.map { (String?.some($0.key), $0.value) }
    return .array(
      all.filter { now < $0.1.until || $0.1.isHalfOpen(at: now) }.map { model, it in
        [
          "model": JSONValue(model), "rule": JSONValue(it.rule), "until": JSONValue(it.until),
          "since": JSONValue(it.startedAt), "level": JSONValue(it.level),
          "halfOpen": JSONValue(it.isHalfOpen(at: now)),
        ]
      })
  }

  /// Until when the whole account cools; nil: it does not.
  func coolsUntil(at now: UnixNanoseconds) -> UnixNanoseconds? {
    isCooling(at: now) ? cooldown?.until : nil
  }
}

extension AccountHealth.LastError {
  var json: JSONValue { ["code": JSONValue(code), "type": JSONValue(errorClass?.name)] }
}

/// An account's health in the API Router's words.
enum BackendStatus: String, CaseIterable {
  /// The last test was good, and nothing stands against the account.
  case healthy
  /// An operator took it out.
  case degraded
  /// No request can go there now, or the last test failed.
  case unhealthy
  /// Nothing stands against it, and nobody has tested it.
  case unknown

  init(_ account: Account, _ state: ControlState, at now: UnixNanoseconds) {
    let health = state.health[account.id] ?? .unknown
    let isExpired = account.credential.expiresAt.map { now >= $0 } ?? false
    if account.degradation != nil {
      self = .degraded
    } else if !account.isEnabled || account.credential.fingerprint == nil || isExpired
      || state.providers[account.provider]?.isEnabled != true || health.isCooling(at: now)
    {
      self = .unhealthy
    } else {
      self =
        switch health.shownStatus(at: now) {
        case .active: .healthy
        case .error, .unavailable: .unhealthy
        case .unknown: .unknown
        }
    }
  }
}

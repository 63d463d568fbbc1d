import Domain
import Surface

/// `/v1/admin/routing/backends`: accounts as the API Router's runbooks know them.
extension AdminService {
  /// Of a degradation for which nobody gave one.
  private static let unnamedReason = "no reason was given"

  func listBackends(_ call: AdminCall) throws -> AdminAnswer {
    let query = call.query
    let provider = try query.text("provider")
    let status = try query.choice("health_status", of: BackendStatus.allCases.map(\.rawValue))
    let text = try query.text("q")
    let (state, now) = (control.state, edge.now())
    let accounts = state.accounts.values.filter { account in
      (provider ?? account.provider.rawValue) == account.provider.rawValue
        && matches(text, account.name, account.id.rawValue)
        && (status.map { $0 == BackendStatus(account, state, at: now).rawValue } ?? true)
    }
    let (page, next) = try Page(query).cut(
      accounts,
      by: { Page.Key(.text($0.provider.rawValue), .text($0.name), .text($0.id.rawValue)) })
    return .json(
      .object(
        [
          .init("backends", .array(page.map { .object(backend($0, state, now)) })),
          .init("count", JSONValue(accounts.count)),
        ] + Page.members(next: next)))
  }

  func getBackendHealth(_ call: AdminCall) throws -> AdminAnswer {
    let (state, now) = (control.state, edge.now())
    let account = try Self.account(try call.parameter("id"), state)
    var members = backend(account, state, now)
    members.append(.init("status", JSONValue(BackendStatus(account, state, at: now).rawValue)))
    if let error = state.health[account.id]?.lastError {
      members.append(.init("last_error", error.json))
    }
    return .json(.object(members), revision: account.revision)
  }

  func degradeBackend(_ call: AdminCall) async throws -> AdminAnswer {
    let reference = try call.parameter("id")
    var fields = try call.fieldsIfAny()
    let given = try fields.optionalString("reason")
    try fields.finish()
    let id = try Self.account(reference, control.state).id
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      guard let account = state.accounts[id] else { throw APIFault(.unknownAccount) }
      // Said again without a reason, the one that was given stands.
      let reason = given ?? account.degradation?.reason ?? Self.unnamedReason
      return [Change(.account(.degrade(id, reason: reason)))]
    }
    let account = try Self.account(id.rawValue, outcome.state)
    return .json(
      [
        "backend_id": JSONValue(id.rawValue),
        "status": JSONValue(BackendStatus.degraded.rawValue),
        "reason": JSONValue(account.degradation?.reason),
        "updated_at": JSONValue(account.updatedAt),
      ], revision: account.revision)
  }

  /// Puts the account back, free of cooldowns, and only then looks whether it works.
  func restoreBackend(_ call: AdminCall) async throws -> AdminAnswer {
    let id = try Self.account(try call.parameter("id"), control.state).id
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      guard state.accounts[id] != nil else { throw APIFault(.unknownAccount) }
      return [Change(.account(.restore(id)))] + Self.endingCooldown(of: id, state)
    }
    let restored = try Self.account(id.rawValue, outcome.state)
    // Whatever keeps the gateway from asking, the account is back.
    let found = try? await test(restored, model: nil, call, isOwnCall: false)
    let state = control.state
    let account = state.accounts[id] ?? restored
    return .json(
      [
        "backend_id": JSONValue(id.rawValue),
        "status": JSONValue(BackendStatus(account, state, at: edge.now()).rawValue),
        "updated_at": JSONValue(restored.updatedAt), "probe": found?.json ?? .null,
      ], revision: restored.revision)
  }

  private func backend(
    _ account: Account, _ state: ControlState, _ now: UnixNanoseconds
  ) -> [JSONValue.Member] {
    let health = state.health[account.id] ?? .unknown
    return [
      .init("backend_id", JSONValue(account.id.rawValue)), .init("name", JSONValue(account.name)),
      .init("provider", JSONValue(account.provider.rawValue)),
      // Base URLs carry neither user nor query, so that there is no secret in one.
      .init("uri", JSONValue(state.providers[account.provider]?.baseURL ?? "")),
      .init("timeout_ms", JSONValue(options.upstreamTimeoutMilliseconds)),
      .init("health_status", JSONValue(BackendStatus(account, state, at: now).rawValue)),
      .init("last_check", JSONValue(health.testedAt)),
      .init("consecutive_errors", JSONValue(health.consecutiveErrors)),
      .init("latency_ms", JSONValue(health.testMicroseconds.map { $0 / 1000 })),
      .init("reason", JSONValue(account.degradation?.reason)),
      .init("degraded_since", JSONValue(account.degradation?.since)),
      .init("rate_limited_until", JSONValue(health.coolsUntil(at: now))),
      .init("cooldowns", health.cooldowns(at: now)),
    ]
  }
}

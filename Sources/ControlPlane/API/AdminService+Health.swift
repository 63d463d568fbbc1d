import Domain
import HTTPTypes
import Surface

/// Tests, cooldowns and discovery of models, below `/api/providers/{id}`.
extension AdminService {
  func testAccount(_ call: AdminCall) async throws -> AdminAnswer {
    let reference = try call.parameter("id")
    var fields = try call.fieldsIfAny()
    let model = try fields.optionalString("model")
    if let model, !ProviderModel.isName(model) {
      throw fields.fault(
        "model", "model is no possible name of a model", remedy: "Send the provider's own name.")
    }
    try fields.finish()
    let account = try Self.account(reference, control.state)
    return .json(try await test(account, model: model, call).json)
  }

  /// Makes a real call and records what it found; a good one ends the account's cooldowns.
  ///
  /// - Parameter isOwnCall: false where it follows a change that has looked at `If-Match` already.
  func test(
    _ account: Account, model: String?, _ call: AdminCall, isOwnCall: Bool = true
  ) async throws -> AccountTest {
    guard let probe else { throw APIFault(.gatewayNotRunning) }
    let provider = control.state.providers[account.provider]
    guard let model = model ?? provider?.firstModel else {
      return AccountTest(
        report: ProbeReport(
          status: nil, errorClass: .gateway, errorCode: AccountTest.noModel, microseconds: 0),
        model: nil, testedAt: edge.now(), isDegraded: account.degradation != nil)
    }
    var account = account
    var isRefreshed = false
    // What has ended needs no call to be found out; of anything else only the provider knows.
    if account.credential.expiresAt.map({ edge.now() >= $0 }) ?? false {
      isRefreshed = await refresh(&account, call)
    }
    var began = control.state.position
    var report = await probe.test(account.id, model: model)
    if report.status == 401, !isRefreshed {
      isRefreshed = await refresh(&account, call)
      if isRefreshed {
        began = control.state.position
        report = await probe.test(account.id, model: model)
      }
    }
    try Self.refuseUnasked(report)
    let tested = HealthEvent.Tested(
      account: account.id, model: model, isValid: report.isValid,
      latencyMicroseconds: report.microseconds, status: report.status,
      errorClass: report.errorClass, errorCode: report.errorCode)
    let (start, asked) = (began, account)
    let outcome = try await control.execute(provenance: call.provenance) { state in
      // It may have been removed while it was asked.
      guard let now = state.accounts[tested.account] else { throw APIFault(.unknownAccount) }
      if isOwnCall { try call.requireRevision(of: now) }
      // What was asked with the old key says nothing of the new one.
      guard now.credential.generation == asked.credential.generation else {
        throw APIFault(
          .writeConflict, "The account's credential was replaced while it was tested.",
          remedy: "Test it again.")
      }
      return [Change(.health(.recordTest(tested, began: start)))]
    }
    var test = AccountTest(
      report: report, model: model,
      testedAt: outcome.state.health[account.id]?.testedAt ?? edge.now(),
      endedCooldown: outcome.events.contains {
        if case .health(.cooldownEnded) = $0 { true } else { false }
      }, isDegraded: outcome.state.accounts[account.id]?.degradation != nil)
    test.isRefreshed = isRefreshed
    return test
  }

  /// Whether there is a newer credential now; `account` is as it stands then.
  private func refresh(_ account: inout Account, _ call: AdminCall) async -> Bool {
    guard account.credential.canRefresh, let credentials else { return false }
    let result = await credentials.refresh(
      account.id, presented: account.credential.generation, cause: .reactive,
      provenance: call.provenance)
    guard case .newer = result, let now = control.state.accounts[account.id] else { return false }
    account = now
    return true
  }

  /// What says something about this gateway alone is an error, not a finding.
  private static func refuseUnasked(_ report: ProbeReport) throws {
    switch report.errorCode {
    case "unknown_account": throw APIFault(.unknownAccount)
    case "overloaded": throw APIFault(.overloaded)
    case "shutting_down": throw APIFault(.shuttingDown)
    case _: break
    }
  }

  func endCooldown(_ call: AdminCall) async throws -> AdminAnswer {
    let id = try Self.account(try call.parameter("id"), control.state).id
    let outcome = try await control.execute(provenance: call.provenance) { state in
      guard let account = state.accounts[id] else { throw APIFault(.unknownAccount) }
      try call.requireRevision(of: account)
      return Self.endingCooldown(of: id, state)
    }
    let account = try Self.account(id.rawValue, outcome.state)
    return .json(
      [
        "connection": json(account, outcome.state),
        "ended": JSONValue(
          outcome.events.contains {
            if case .health(.cooldownEnded) = $0 { true } else { false }
          }),
      ], revision: account.revision)
  }

  /// Ends every cooldown of an account, and what these said of its state.
  static func endingCooldown(of id: AccountID, _ state: ControlState) -> [Change] {
    var changes = [Change(.health(.endCooldown(id, scope: nil, reason: .byOperator)))]
    if let health = state.health[id], health.cooldown != nil, health.testStatus == .unavailable {
      changes.append(
        Change(.health(.note(HealthEvent.Noted(account: id, testStatus: .unknown)))))
    }
    return changes
  }

  func discoverModels(_ call: AdminCall) async throws -> AdminAnswer {
    guard let probe else { throw APIFault(.gatewayNotRunning) }
    let account = try Self.account(try call.parameter("id"), control.state)
    let report = await probe.models(of: account.id)
    try Self.refuseUnasked(report.probe)
    let former = control.state.providers[account.provider]?.discoveredModels ?? []
    guard report.probe.isValid else {
      throw APIFault(
        .discoveryFailed, report.probe.sentence,
        details: [
          .init("reason", JSONValue(report.probe.errorCode)),
          .init("errorClass", JSONValue(report.probe.errorClass?.name)),
          .init("upstreamStatus", JSONValue(report.probe.status)),
          .init("latencyMs", JSONValue(report.probe.microseconds / 1000)),
          .init("models", JSONValue(former.count)),
        ])
    }
    let discovered = ProviderEvent.ModelsDiscovered(
      id: account.provider, account: account.id, models: report.models)
    let outcome = try await control.execute(provenance: call.provenance) { state in
      guard let account = state.accounts[discovered.account] else {
        throw APIFault(.unknownAccount)
      }
      try call.requireRevision(of: account)
      return [Change(.provider(.discover(discovered)))]
    }
    let (old, new) = (Set(former), Set(report.models))
    return .json([
      "success": true, "provider": JSONValue(account.provider.rawValue),
      "models": .array(report.models.map { JSONValue($0) }),
      "added": .array(report.models.filter { !old.contains($0) }.map { JSONValue($0) }),
      "removed": .array(former.filter { !new.contains($0) }.map { JSONValue($0) }),
      "skipped": JSONValue(report.skipped),
      "latencyMs": JSONValue(report.probe.microseconds / 1000),
      "discoveredAt": JSONValue(
        outcome.state.providers[account.provider]?.discoveredAt ?? edge.now()),
    ])
  }
}

extension Provider {
  /// The provider's own name of the first model that is offered; configured ones go first.
  var firstModel: String? {
    models.lazy.map(\.name).first { !isTakenOut($0) } ?? discoveredModels.first { !isTakenOut($0) }
  }
}

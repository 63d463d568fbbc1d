import Domain
import HTTPTypes
import Surface

/// `/api/settings`: what holds for the whole gateway.
extension AdminService {
  func getSettings() -> AdminAnswer { one(control.state.settings) }

  /// Changes the fields given; with `newPassword` and `currentPassword` the administrator's password,
  /// which also ends every session, the caller's too: signing in again shows that the new one is known.
  func changeSettings(_ call: AdminCall) async throws -> AdminAnswer {
    let wanted = try WantedSettings(call, control.vault)
    var changes = wanted.changes
    var checked: UInt64?
    if let password = wanted.password {
      checked = try await check(password.current, call)
      changes.append(try await control.passwordChange(password.new))
    }
    let (all, position) = (changes, checked)
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      // What was current when it was checked may not be by now.
      if let position, position != state.settings.adminPasswordPosition {
        throw APIFault(.invalidPassword)
      }
      return all
    }
    var answer = one(outcome.state.settings)
    // The caller's session ended with all others: its browser need not show it again.
    if wanted.password != nil { answer.headers[.setCookie] = cookie("", maxAge: 0, call) }
    return answer
  }

  private func one(_ settings: Settings) -> AdminAnswer {
    // The state may be older than what is opened by now.
    let token = settings.sync.cloudToken == nil ? nil : control.cloudToken.map(KeyText.masked)
    let url = control.syncTarget?.url
    let isSynced = control.state.sync.peers.values.contains { $0.isEnabled && $0.url == url }
    return .json(
      [
        "fallbackStrategy": JSONValue(settings.fallbackStrategy.name),
        "requireApiKey": JSONValue(settings.requireAPIKey),
        "forceModelPrefix": JSONValue(settings.forceModelPrefix),
        "maxBodyBytes": JSONValue(settings.maxBodyBytes),
        "stickyRoundRobinLimit": JSONValue(settings.stickyRoundRobinLimit),
        "maxAttempts": JSONValue(settings.maxAttempts),
        "requestTimeoutSeconds": JSONValue(settings.requestTimeoutSeconds),
        "cloudEnabled": JSONValue(isSynced),
        "cloudUrl": JSONValue(settings.sync.cloudURL.isEmpty ? nil : settings.sync.cloudURL),
        "cloudProtocol": JSONValue(settings.sync.cloudProtocol.name),
        "cloudToken": JSONValue(token),
        "machineId": JSONValue(settings.sync.machineID.isEmpty ? nil : settings.sync.machineID),
        "syncSecrets": JSONValue(settings.sync.syncSecrets),
        "syncIntervalSeconds": JSONValue(settings.sync.intervalSeconds),
        "trustedProxies": .array(settings.trustedProxies.map { JSONValue($0) }),
        "hasPassword": JSONValue(settings.adminPasswordPosition != nil),
        "updatedAt": settings.revision == 0 ? .null : JSONValue(settings.updatedAt),
        "revision": JSONValue(settings.revision),
      ], revision: settings.revision)
  }
}

/// What a change of the settings asks for.
private struct WantedSettings: Sendable {
  var changes: [Change]
  var password: (current: Secret, new: Secret)?

  /// Read apart from the suspensions of the change itself: among them Swift 6.3's release build crashes on it.
  @inline(never)
  init(_ call: AdminCall, _ vault: Vault) throws {
    var fields = try call.fields()
    var changed = SettingsEvent.Changed()
    if let name = try fields.changedString("fallbackStrategy") {
      guard let strategy = Strategy.allCases.first(where: { $0.name == name }) else {
        let names = Strategy.allCases.map(\.name).joined(separator: ", ")
        throw fields.fault(
          "fallbackStrategy", "there is no such strategy", remedy: "Choose one of \(names).")
      }
      changed.fallbackStrategy = strategy
    }
    changed.requireAPIKey = try fields.changedBool("requireApiKey")
    changed.forceModelPrefix = try fields.changedBool("forceModelPrefix")
    changed.maxBodyBytes = try fields.changedInt("maxBodyBytes", in: 1024...(256 << 20))
      .map { UInt64($0) }
    let routing = SettingsEvent.RoutingChanged(
      stickyRoundRobinLimit: try fields.changedInt("stickyRoundRobinLimit", in: 1...10_000)
        .map { UInt32($0) },
      maxAttempts: try fields.changedInt("maxAttempts", in: 1...64).map { UInt32($0) },
      requestTimeoutSeconds: try fields.changedInt("requestTimeoutSeconds", in: 1...3_600)
        .map { UInt32($0) })
    changes = [Change(.settings(.change(changed))), Change(.settings(.changeRouting(routing)))]
    if let networks = try fields.changedStrings("trustedProxies") {
      changes.append(Change(.settings(.setTrustedProxies(networks))))
    }
    changes += try Self.syncChanges(&fields, vault)
    let current = try fields.changedString("currentPassword").map { Secret($0) }
    let new = try fields.changedString("newPassword").map { Secret($0) }
    try fields.finish()
    switch (current, new) {
    case (let current?, let new?): password = (current, new)
    case (nil, _?):
      throw APIFault(
        .missingField, "currentPassword is missing", field: "currentPassword",
        remedy: "A new password needs the current one.")
    case (_?, nil):
      throw APIFault(
        .missingField, "newPassword is missing", field: "newPassword",
        remedy: "Add newPassword, or leave currentPassword out.")
    case (nil, nil): break
    }
  }
  /// What concerns the exchange with another system: null takes a text or the token away.
  private static func syncChanges(_ fields: inout ObjectReader, _ vault: Vault) throws -> [Change] {
    var changed = SettingsEvent.SyncChanged()
    switch try fields.givenString("cloudUrl") {
    case .absent: break
    case .null: changed.cloudURL = ""
    case .value(let url): changed.cloudURL = url
    }
    switch try fields.givenString("machineId") {
    case .absent: break
    case .null: changed.machineID = ""
    case .value(let name): changed.machineID = name
    }
    if let name = try fields.changedString("cloudProtocol") {
      guard let known = SyncProtocol(name: name) else {
        let names = SyncProtocol.allCases.map(\.name).joined(separator: ", ")
        throw fields.fault(
          "cloudProtocol", "there is no such protocol", remedy: "Choose one of \(names).")
      }
      changed.cloudProtocol = known
    }
    changed.syncSecrets = try fields.changedBool("syncSecrets")
    let range = SyncSettings.intervals
    changed.intervalSeconds = try fields.changedInt(
      "syncIntervalSeconds", in: Int64(range.lowerBound)...Int64(range.upperBound)
    ).map { UInt32($0) }
    var changes = [Change(.settings(.changeSync(changed)))]
    if case .null = try fields.givenString("cloudToken") {
      changes.append(Change(.settings(.removeCloudToken)))
    } else if let token = try fields.changedCredential("cloudToken") {
      changes.append(
        Change(.settings(.setCloudToken(vault.fingerprint(token))), secret: token))
    }
    return changes
  }
}

import Domain

extension ConfigurationPlan.Key {
  /// What the file says of where the key leads, how far and for how long.
  func rights(_ accounts: AccountDirectory) throws(ConfigFault) -> KeyRights {
    var ids: [AccountID]?
    if let allowedAccounts {
      ids = []
      for reference in allowedAccounts { ids?.append(try accounts.id(reference)) }
    }
    return KeyRights(
      allowedModels: allowedModels, allowedAccounts: ids, expiry: expiry, limits: limits,
      budgets: budgets)
  }

  /// A key's rights, if they differ.
  func rightsChange(_ wanted: KeyRights, _ old: Key) -> PlannedChange? {
    var differences = Differences()
    var changed = KeyRights()
    changed.allowedModels = differences.take(
      "allowed-models", old.allowedModels, wanted.allowedModels, Self.text)
    changed.allowedAccounts = differences.take(
      "allowed-accounts", old.allowedAccounts, wanted.allowedAccounts
    ) { Self.text($0.map(\.rawValue)) }
    let expiry: KeyEvent.Expiry = old.expiresAt.map { .at($0) } ?? .never
    changed.expiry = differences.take("expires-at", expiry, wanted.expiry, Self.text)
    changed.limits = differences.take("limits", old.limits, wanted.limits) { told($0) }
    changed.budgets = differences.take("budgets", old.budgets, wanted.budgets) { told($0) }
    guard changed != KeyRights() else { return nil }
    return differences.row("key \(shown(name))", .key(.changeRights(old.id, changed)), line)
  }

  /// What a new key's rights add to its row; empty: nothing.
  static func text(_ rights: KeyRights) -> String {
    var texts: [String] = []
    if let it = rights.allowedModels, !it.isEmpty { texts.append("allowed-models \(text(it))") }
    if let it = rights.allowedAccounts, !it.isEmpty {
      texts.append("allowed-accounts \(text(it.map(\.rawValue)))")
    }
    if let it = rights.expiry, it != .never { texts.append("expires-at \(text(it))") }
    if let it = rights.limits, it != .none {
      texts.append("limits \(told(it))")
    }
    if let it = rights.budgets, !it.isEmpty { texts.append("budgets \(told(it))") }
    return texts.map { ", \($0)" }.joined()
  }

  private static func text(_ names: [String]) -> String {
    names.isEmpty ? "all" : names.map(shown).joined(separator: ", ")
  }

  private static func text(_ expiry: KeyEvent.Expiry) -> String {
    switch expiry {
    case .never: "never"
    case .at(let time): rfc3339(time)
    }
  }
}

extension ConfigurationPlan.Settings {
  /// What of routing differs.
  func routingChange(_ state: ControlState) -> PlannedChange? {
    let old = state.settings
    var differences = Differences()
    let changed = SettingsEvent.RoutingChanged(
      stickyRoundRobinLimit: differences.take(
        "sticky-round-robin-limit", old.stickyRoundRobinLimit, stickyRoundRobinLimit
      ) { String($0) },
      maxAttempts: differences.take("max-attempts", old.maxAttempts, maxAttempts) { String($0) },
      requestTimeoutSeconds: differences.take(
        "request-timeout-seconds", old.requestTimeoutSeconds, requestTimeoutSeconds
      ) { String($0) })
    guard changed != SettingsEvent.RoutingChanged() else { return nil }
    return differences.row("settings", .settings(.changeRouting(changed)), line)
  }

  /// The trusted proxies, if they differ.
  func proxiesChange(_ state: ControlState) -> PlannedChange? {
    var differences = Differences()
    let wanted = differences.take(
      "trusted-proxies", state.settings.trustedProxies, trustedProxies
    ) { $0.isEmpty ? "none" : $0.map(shown).joined(separator: ", ") }
    return wanted.map { differences.row("settings", .settings(.setTrustedProxies($0)), line) }
  }
}

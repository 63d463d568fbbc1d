import Domain

/// Finds accounts by the names that people write: those of the log, and those that the plan adds.
struct AccountDirectory {
  private var ids: [AccountName: AccountID] = [:]
  private var providers: Set<ProviderID>

  /// - Parameter rows: the plan as far as it is made, new accounts included.
  init(_ state: ControlState, _ rows: [PlannedChange]) {
    providers = Set(state.providers.keys)
    for account in state.accounts.values {
      ids[AccountName(account.provider, account.name)] = account.id
    }
    for row in rows {
      switch row.command {
      case .provider(.add(let added)): providers.insert(added.id)
      case .account(.add(let added, _)): ids[AccountName(added.provider, added.name)] = added.id
      case _: break
      }
    }
  }

  /// - Throws: where nobody has the name, or several providers have an account of it.
  func id(
    _ reference: ConfigurationPlan.AccountReference
  ) throws(ConfigFault) -> AccountID {
    let parts = reference.name.split(
      separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    if parts.count == 2, providers.contains(ProviderID(String(parts[0]))) {
      let name = AccountName(ProviderID(String(parts[0])), String(parts[1]))
      guard let id = ids[name] else { throw unknown(reference) }
      return id
    }
    let found = ids.keys.filter { $0.name == reference.name }.map(\.text).sorted()
    guard let first = ids.first(where: { $0.key.name == reference.name }) else {
      throw unknown(reference)
    }
    guard found.count == 1 else {
      throw ConfigFault(
        .invalidValue, line: reference.line, path: reference.path,
        "Several providers have an account \(Fields.shown(reference.name)).",
        remedy: "Write \(Self.list(found)).")
    }
    return first.value
  }

  private func unknown(_ reference: ConfigurationPlan.AccountReference) -> ConfigFault {
    let names = ids.keys.map(\.name) + ids.keys.map(\.text)
    let near = NearNames.of(reference.name, among: Set(names).sorted())
    return ConfigFault(
      .unknownName, line: reference.line, path: reference.path,
      "There is no account \(Fields.shown(reference.name)).",
      remedy: near.isEmpty
        ? "Write the name of an account that stands under `providers`, or `provider/name`."
        : "Did you mean \(Self.list(near))?")
  }

  private static func list(_ names: [String]) -> String {
    names.prefix(5).map { "`\(shown($0))`" }.joined(separator: " or ")
  }
}

/// An account as people name it.
struct AccountName: Hashable {
  var provider: ProviderID
  var name: String

  init(_ provider: ProviderID, _ name: String) {
    self.provider = provider
    self.name = name
  }

  /// `provider/name`.
  var text: String { "\(provider.rawValue)/\(name)" }
}

extension ConfigurationPlan.Account {
  /// Whether requests may go there, if that differs; new ones begin enabled.
  func enabling(_ provider: ProviderID, _ rows: [PlannedChange], _ state: ControlState)
    -> PlannedChange?
  {
    let old = state.accounts.values.first { $0.provider == provider && $0.name == name }
    var added: AccountID?
    for row in rows {
      if case .account(.add(let it, _)) = row.command { added = it.id }
    }
    guard let id = old?.id ?? added else { return nil }
    var differences = Differences()
    guard
      let wanted = differences.take("enabled", old?.isEnabled ?? true, isEnabled, { String($0) })
    else { return nil }
    return differences.row(
      "account \(shown(provider.rawValue))/\(shown(name))",
      .account(wanted ? .enable(id) : .disable(id)), line)
  }
}

extension ConfigurationPlan.Provider {
  /// Whether requests may go there, if that differs; new ones begin enabled.
  func enabling(_ state: ControlState) -> PlannedChange? {
    var differences = Differences()
    let old = state.providers[id]?.isEnabled ?? true
    guard let wanted = differences.take("enabled", old, isEnabled, { String($0) }) else {
      return nil
    }
    return differences.row(
      "provider \(shown(id.rawValue))", .provider(wanted ? .enable(id) : .disable(id)), line)
  }

  /// How often its accounts are tested, if that differs; new ones begin without tests.
  func checking(_ state: ControlState) -> PlannedChange? {
    var differences = Differences()
    let old = state.providers[id]?.healthCheckSeconds ?? 0
    guard
      let wanted = differences.take(
        "health-check", old, healthCheckSeconds, { $0 == 0 ? "none" : "every \($0)s" })
    else { return nil }
    return differences.row(
      "provider \(shown(id.rawValue))",
      .provider(.setHealthCheck(id, seconds: wanted == 0 ? nil : wanted)), line)
  }

  /// How its tokens are had and refreshed, if the file says it and it differs.
  func authorizing(
    _ state: ControlState, _ fingerprint: (SecretText) -> Fingerprint
  ) -> [PlannedChange] {
    guard let oauth else { return [] }
    let old = state.providers[id]?.oauth
    var client = oauth.client
    client.secret = oauth.secret.map(fingerprint) ?? old?.secret
    // As the rules write it; what they refuse is told when they are asked.
    let new = (try? client.checked()) ?? client
    guard new != old else { return [] }
    var differences = Differences()
    func take<Value>(
      _ name: String, _ field: (OAuthClient) -> Value, _ show: (Value) -> String
    ) {
      let before = old.map { show(field($0)) } ?? "none"
      _ = differences.take("oauth.\(name)", before, show(field(new))) { $0 }
    }
    func text(_ text: String?) -> String { text.map(shown) ?? "none" }
    take("kind", { $0.kind }, shown)
    take("token-url", { $0.tokenURL }, shown)
    take("authorize-url", { $0.authorizeURL }, text)
    take("device-url", { $0.deviceURL }, text)
    take("revoke-url", { $0.revokeURL }, text)
    take("user-info-url", { $0.userInfoURL }, text)
    take("client-id", { $0.clientID }, shown)
    take("client-secret", { $0.secret }) { $0.map(short) ?? "none" }
    take("scopes", { $0.scopes }) { $0.isEmpty ? "none" : $0.map(shown).joined(separator: " ") }
    take("encoding", { $0.encoding }) { $0.name }
    take("refresh-lead", { $0.leadSeconds }) { "\($0)s" }
    take("family", { $0.isSharedFamily }) { $0 ? "per-client" : "per-account" }
    take("spacing", { $0.spacingSeconds }) { "\($0)s" }
    var row = differences.row(
      "provider \(shown(id.rawValue))", .provider(.setOAuth(id, client)), oauth.line)
    row.secret = oauth.secret
    return [row]
  }

  /// One row for each model to take out, and for each that is no longer in the list.
  func disabling(_ state: ControlState) -> [PlannedChange] {
    guard let disabledModels else { return [] }
    let (old, new) = (Set(state.providers[id]?.disabledModels ?? []), Set(disabledModels))
    return old.symmetricDifference(new).sorted().map { name in
      let model = ModelID(provider: id, name: name)
      var differences = Differences()
      _ = differences.take("enabled", old.contains(name) == false, new.contains(name) == false) {
        String($0)
      }
      return differences.row(
        "model \(shown(id.rawValue))/\(shown(name))",
        .model(new.contains(name) ? .disable(model) : .enable(model)), line)
    }
  }
}

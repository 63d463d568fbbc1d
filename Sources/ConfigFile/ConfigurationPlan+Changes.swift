public import Domain

extension ConfigurationPlan {
  /// Compares the file with the configuration: what to command, in an order in which each command's
  /// references exist (organisations, providers, their accounts, keys, settings, prices, aliases, combos,
  /// policies).
  ///
  /// Applying the commands and comparing again gives only unchanged rows. Ids of new accounts and keys
  /// are derived from their names, so the same file on two stores gives the same ids.
  ///
  /// - Parameter fingerprint: the store's keyed fingerprint of a secret in clear.
  /// - Throws: `.conflict` where the log has what the file cannot change, `.unknownName` where the file
  ///   names an account or provider that neither has.
  public func changes(
    against state: ControlState, fingerprint: (SecretText) -> Fingerprint
  ) throws(ConfigFault) -> [PlannedChange] {
    // What goes makes names free for what comes.
    var out = removals.flatMap { $0.changes(state) }
    var ids = IDs(state)
    for (index, organisation) in organisations.enumerated() {
      out += [organisation.change(state)].at("organisations[\(index)]")
    }
    for (index, provider) in providers.enumerated() {
      let rows =
        [provider.change(state)]
        + [provider.enabling(state), provider.checking(state)].compactMap(\.self)
      out += (rows + provider.disabling(state)).at("providers[\(index)]")
      out += provider.authorizing(state, fingerprint).at("providers[\(index)].oauth")
    }
    for (index, provider) in providers.enumerated() {
      for (place, account) in provider.accounts.enumerated() {
        let rows = account.changes(provider.id, state, &ids, fingerprint)
        let enabling = [account.enabling(provider.id, rows, state)].compactMap(\.self)
        out += (rows + enabling).at("providers[\(index)].accounts[\(place)]")
      }
    }
    let accounts = AccountDirectory(state, out)
    out.append(contentsOf: impliedOrganisations(state))
    for key in keys { out += try key.changes(state, accounts, &ids, fingerprint).at(key.path) }
    if let settings {
      let further = [
        settings.routingChange(state), settings.proxiesChange(state), settings.syncChange(state),
        settings.tokenChange(state, fingerprint),
      ]
      let rows = [settings.change(state)] + further.compactMap(\.self)
      out += Differences.merged(rows).at("settings")
    }
    out += try pricing(state)
    for alias in aliases { out += [alias.change(state)].at("aliases.\(alias.name)") }
    for combo in combos { out += [combo.change(state)].at("combos.\(combo.name)") }
    for policy in policies { out += [try policy.change(state, accounts)].at(policy.path) }
    return out
  }

  /// What the log has and the file does not mention (drift), sorted; revoked keys are history, not drift.
  public func unmanaged(in state: ControlState) -> [Unmanaged] {
    var out: [Unmanaged] = []
    let known = Set(providers.map(\.id))
    for provider in state.providers.values.sorted(by: { $0.id < $1.id })
    where !known.contains(provider.id) {
      out.append(
        Unmanaged(
          what: "provider", id: provider.id.rawValue,
          text: "provider \(shown(provider.id.rawValue)) is not in the file"))
    }
    let names = Set(providers.flatMap { it in it.accounts.map { AccountName(it.id, $0.name) } })
    for account in state.accounts.values.sorted(by: { ($0.provider, $0.id) < ($1.provider, $1.id) })
    where !names.contains(AccountName(account.provider, account.name)) {
      let title = "\(shown(account.provider.rawValue))/\(shown(account.name))"
      out.append(
        Unmanaged(
          what: "account", id: account.id.rawValue, text: "account \(title) is not in the file"))
    }
    let keyNames = Set(keys.map(\.name))
    for key in state.keys.values.sorted(by: { $0.id < $1.id })
    where key.status != .revoked && !keyNames.contains(key.name) {
      out.append(
        Unmanaged(
          what: "key", id: key.id.rawValue,
          text: "key \(shown(key.name)) (\(shown(key.id.rawValue))) is not in the file"))
    }
    let aliasNames = Set(aliases.map(\.name))
    for alias in state.aliases.values.sorted(by: { $0.name < $1.name })
    where !aliasNames.contains(alias.name) {
      out.append(
        Unmanaged(
          what: "alias", id: alias.name,
          text: "alias \(shown(alias.name)) → \(shown(alias.target)) is not in the file"))
    }
    return out + unmanagedOrganisations(in: state) + unmanagedRouting(in: state)
      + unmanagedPrices(in: state)
  }
}

/// Ids that are taken, in the log or earlier in the plan.
private struct IDs {
  private var accounts: Set<String>
  private var keys: Set<String>

  init(_ state: ControlState) {
    accounts = Set(state.accounts.keys.map(\.rawValue))
    keys = Set(state.keys.keys.map(\.rawValue))
  }

  mutating func account(_ provider: ProviderID, _ name: String) -> AccountID {
    AccountID(Self.free("\(provider.rawValue)-\(name)", &accounts))
  }

  mutating func key(_ name: String) -> KeyID { KeyID(Self.free("key-\(name)", &keys)) }

  /// `wish` cut to 1…64 of `a-z A-Z 0-9 . _ -`, with `-2`, `-3`… behind it if it is taken.
  private static func free(_ wish: String, _ taken: inout Set<String>) -> String {
    let cleaned = wish.unicodeScalars.map { scalar -> Character in
      switch scalar {
      case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": Character(scalar)
      default: "-"
      }
    }
    let base = String(cleaned.prefix(64))
    var id = base
    var number = 2
    // Ends: each round tries another number, and finitely many are taken.
    while !taken.insert(id).inserted {
      let suffix = "-\(number)"
      id = String(base.prefix(64 - suffix.utf8.count)) + suffix
      number += 1
    }
    return id
  }
}

// MARK: Rows

extension ConfigurationPlan.Provider {
  fileprivate func change(_ state: ControlState) -> PlannedChange {
    let title = "provider \(shown(id.rawValue))"
    guard let old = state.providers[id] else {
      let added = ProviderEvent.Added(
        id: id, name: id.rawValue, dialect: dialect, baseURL: baseURL,
        prefix: prefix ?? id.rawValue, models: models ?? [], excludedModels: excludedModels ?? [])
      return PlannedChange(
        kind: .added, command: .provider(.add(added)),
        text: "\(title): new, \(dialect.name) at \(shown(baseURL)), prefix "
          + "\(shown(added.prefix)), models \(list(added.models))", line: line)
    }
    var differences = Differences()
    var changed = ProviderEvent.Changed(id: id)
    changed.dialect = differences.take("protocol", old.dialect, dialect) { $0.name }
    changed.baseURL = differences.take("base-url", old.baseURL, baseURL, shown)
    changed.prefix = differences.take("prefix", old.prefix, prefix, shown)
    changed.models = differences.take("models", old.models, models, list)
    changed.excludedModels = differences.take(
      "excluded-models", old.excludedModels, excludedModels
    ) { $0.isEmpty ? "none" : $0.map(shown).joined(separator: ", ") }
    return differences.row(title, .provider(.change(changed)), line)
  }

  private func list(_ models: [ProviderModel]) -> String {
    if models.isEmpty { return "none" }
    return models.map { model in
      model.alias.map { "\(shown(model.name)) as \(shown($0))" } ?? shown(model.name)
    }.joined(separator: ", ")
  }
}

/// An upstream secret is shown by its fingerprint only: enough to see that two files hold the same one.
func short(_ fingerprint: Fingerprint) -> String {
  let digits = fingerprint.rawValue.prefix(6).map { byte in
    (byte < 16 ? "0" : "") + String(byte, radix: 16)
  }
  return "fingerprint " + digits.joined()
}

extension ConfigurationPlan.Account {
  /// One row for what operators want of the account and one for its credential.
  fileprivate func changes(
    _ provider: ProviderID, _ state: ControlState, _ ids: inout IDs,
    _ fingerprint: (SecretText) -> Fingerprint
  ) -> [PlannedChange] {
    let title = "account \(shown(provider.rawValue))/\(shown(name))"
    let old = state.accounts.values.first { $0.provider == provider && $0.name == name }
    guard let old else {
      let added = AccountEvent.Added(
        id: ids.account(provider, name), provider: provider, name: name, priority: priority ?? 1,
        weight: weight ?? 1)
      let returns = state.removedAccounts[added.id] == nil ? "new" : "back after its removal"
      let credential =
        secret.map { "credential \(short(fingerprint($0)))" } ?? "no credential"
      return [
        PlannedChange(
          kind: .added,
          command: .account(.add(added, credential: secret.map { terms($0, fingerprint) })),
          secret: secret,
          text: "\(title): \(returns), id \(added.id.rawValue), priority \(added.priority), "
            + "weight \(added.weight), \(credential)", line: line)
      ]
    }
    var differences = Differences()
    var changed = AccountEvent.Changed(id: old.id)
    changed.priority = differences.take("priority", old.priority, priority) { String($0) }
    changed.weight = differences.take("weight", old.weight, weight) { String($0) }
    var rows = [differences.row(title, .account(.change(changed)), line)]
    if let secret {
      rows.append(credential(secret, terms(secret, fingerprint), old, title))
    }
    return rows
  }

  private func terms(
    _ secret: SecretText, _ fingerprint: (SecretText) -> Fingerprint
  ) -> CredentialTerms {
    CredentialTerms(
      fingerprint: fingerprint(secret), kind: kind, canRefresh: secret.refresh != nil,
      expiresAt: expiresAt)
  }

  private func credential(
    _ secret: SecretText, _ terms: CredentialTerms, _ old: Account, _ title: String
  ) -> PlannedChange {
    let new = terms.fingerprint
    func left(_ why: String) -> PlannedChange {
      PlannedChange(
        kind: .unchanged, command: nil, text: "\(title): credential \(why)", line: line)
    }
    if old.credential.fingerprint == new { return left("unchanged") }
    let isFirst = old.credential.generation == 0
    if !isFirst, old.credential.fingerprint == nil {
      return left("left revoked: a file never brings one back")
    }
    if old.credential.kind != .apiKey, old.credential.attempts > 0 {
      return left("left: it was refreshed since, and a file never sets one back")
    }
    return PlannedChange(
      kind: isFirst ? .added : .changed, command: .account(.issueCredential(old.id, terms)),
      secret: secret,
      text: "\(title): credential "
        + (isFirst
          ? "new, \(short(new))"
          : "generation \(old.credential.generation) → \(old.credential.generation + 1), "
            + short(new)),
      line: line)
  }
}

extension ConfigurationPlan.Key {
  fileprivate func changes(
    _ state: ControlState, _ accounts: AccountDirectory, _ ids: inout IDs,
    _ fingerprint: (SecretText) -> Fingerprint
  ) throws(ConfigFault) -> [PlannedChange] {
    let title = "key \(shown(name))"
    let print = fingerprint(secret)
    let named = state.keys.values.filter { $0.name == name }.sorted { $0.id < $1.id }
    // A revoked key's name is free again, its secret is not.
    let old = named.first { $0.fingerprint == print } ?? named.first { $0.status != .revoked }
    let rights = try rights(accounts)
    guard let old else {
      let created = KeyEvent.Created(
        id: ids.key(name), name: name, organisation: organisation ?? .standard,
        fingerprint: print, masked: secret.masked, diagnostics: diagnostics ?? false,
        expiresAt: nil)
      return [
        PlannedChange(
          kind: .added, command: .key(.create(created, rights: rights)), secret: secret,
          text: "\(title): new, id \(created.id.rawValue), \(secret.masked), organisation "
            + "\(shown(created.organisation.rawValue)), diagnostics \(created.diagnostics)"
            + Self.text(rights),
          line: line)
      ]
    }
    guard old.fingerprint == print else {
      throw ConfigFault(
        .conflict, line: line, path: path,
        "The key \(title.dropFirst(4)) exists with another secret, and a file cannot change a "
          + "key's secret.",
        remedy: "Revoke it and give the new one another name, or put its own secret here.")
    }
    if let organisation, organisation != old.organisation {
      throw ConfigFault(
        .conflict, line: line, path: path,
        "The key \(title.dropFirst(4)) belongs to organisation \(shown(old.organisation.rawValue)),"
          + " and a key never moves.", remedy: "Make a new key for the other organisation.")
    }
    if old.status == .revoked {
      return [
        PlannedChange(
          kind: .unchanged, command: nil,
          text: "\(title): left revoked: a revoked key never comes back", line: line)
      ]
    }
    var differences = Differences()
    var changed = KeyEvent.Changed(id: old.id)
    changed.diagnostics = differences.take("diagnostics", old.diagnostics, diagnostics) {
      String($0)
    }
    let rows = [differences.row(title, .key(.change(changed)), line)]
    return Differences.merged(rows + [rightsChange(rights, old)].compactMap(\.self))
  }
}

extension ConfigurationPlan.Settings {
  fileprivate func change(_ state: ControlState) -> PlannedChange {
    let old = state.settings
    var differences = Differences()
    var changed = SettingsEvent.Changed()
    changed.fallbackStrategy = differences.take(
      "fallback-strategy", old.fallbackStrategy, fallbackStrategy
    ) { $0.name }
    changed.requireAPIKey = differences.take(
      "require-api-key", old.requireAPIKey, requireAPIKey
    ) { String($0) }
    changed.forceModelPrefix = differences.take(
      "force-model-prefix", old.forceModelPrefix, forceModelPrefix
    ) { String($0) }
    changed.maxBodyBytes = differences.take(
      "max-body-bytes", old.maxBodyBytes, maxBodyBytes
    ) { String($0) }
    return differences.row("settings", .settings(.change(changed)), line)
  }
}

extension ConfigurationPlan.Alias {
  fileprivate func change(_ state: ControlState) -> PlannedChange {
    let title = "alias \(shown(name))"
    let set = Command.alias(.set(name: name, target: target, allowUnresolved: false))
    guard let old = state.aliases[name] else {
      return PlannedChange(
        kind: .added, command: set, text: "\(title): new → \(shown(target))", line: line)
    }
    var differences = Differences()
    _ = differences.take("target", old.target, target, shown)
    return differences.row(title, set, line)
  }
}

// MARK: Text

/// Collects `field old → new` for the fields that differ.
struct Differences {
  private var texts: [String] = []

  /// The new value if it is given and differs, and notes it.
  mutating func take<Value: Equatable>(
    _ field: String, _ old: Value, _ new: Value?, _ show: (Value) -> String
  ) -> Value? {
    guard let new, new != old else { return nil }
    texts.append("\(field) \(show(old)) → \(show(new))")
    return new
  }

  /// The rows of one thing: that nothing changed is said only if none of them says otherwise.
  static func merged(_ rows: [PlannedChange]) -> [PlannedChange] {
    let changed = rows.filter { $0.kind != .unchanged }
    return changed.isEmpty ? Array(rows.prefix(1)) : changed
  }

  func row(_ title: String, _ command: Command, _ line: Int) -> PlannedChange {
    if texts.isEmpty {
      return PlannedChange(
        kind: .unchanged, command: nil, text: "\(title): unchanged", line: line)
    }
    return PlannedChange(
      kind: .changed, command: command, text: "\(title): \(texts.joined(separator: "; "))",
      line: line)
  }
}

/// Text of the log or the file on one line, control characters escaped.
func shown(_ text: String) -> String {
  var out = ""
  for scalar in text.unicodeScalars {
    switch scalar.value {
    case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0x202A...0x202E, 0x2066...0x2069:
      out += "\\u{\(String(scalar.value, radix: 16))}"
    default:
      out.unicodeScalars.append(scalar)
    }
  }
  return out
}

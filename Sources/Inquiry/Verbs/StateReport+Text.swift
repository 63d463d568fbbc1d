import Domain

extension StateReport {
  /// `2:57 2026-…Z admin`; for an account also of its credential, whichever is later.
  private func change(_ streams: String...) -> String {
    let last = streams.compactMap { changes[$0] }.max { $0.position < $1.position }
    guard let last else { return "–" }
    return "\(last.place) \(rfc3339(last.time)) \(Shown.text(last.actor))"
  }

  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    if let at {
      out += "at        \(at.place), \(rfc3339(at.time))\n"
    } else {
      out += "at        before the first event. \(coverage.text)\n"
    }
    for gap in gaps { out += "gap       \(gap.text)\n" }
    if let openGap {
      out += "missing   requests since position \(openGap): the log could not take them\n"
    }
    if unreadable > 0 {
      out += "damaged   \(Shown.count(unreadable, "configuration event")) cannot be decoded\n"
    }
    if unknown > 0 {
      out += "unknown   \(Shown.count(unknown, "event")) of kinds this build does not know\n"
    }
    if has(.providers) { out += section("providers", providersTable) }
    if has(.accounts) {
      out += section("accounts", accountsTable)
      if !healthTable.isEmpty { out += section("health of accounts", healthTable) }
    }
    if has(.aliases) { out += section("aliases", aliasesTable) }
    if has(.combos) { out += section("combos", combosTable) }
    if has(.policies) { out += section("policies", policiesTable) }
    if has(.organisations) { out += section("organisations", organisationsTable) }
    if has(.keys) {
      out += section("keys", keysTable)
      if !rightsTable.isEmpty { out += section("rights of keys", rightsTable) }
    }
    if has(.settings) { out += section("settings", settingsTable) }
    if has(.pricing) {
      out += section("pricing, in USD for a million tokens", pricingTable)
      if state.pricing.revision > 0 {
        out += "  revision \(state.pricing.revision), last change \(change(pricingStream))\n"
      }
    }
    if has(.usage) { out += usageText }
    return out
  }

  private func section(_ title: String, _ table: TextTable) -> String {
    "\n\(title)\n" + (table.isEmpty ? "  none\n" : table.rendered())
  }

  private var providersTable: TextTable {
    var table = TextTable(
      "id", "state", "protocol", "base URL", "prefix", "models", "excluded", "disabled",
      "tested every", ">revision", "last change")
    for it in providers {
      table.add(
        Shown.text(it.id.rawValue), it.isEnabled ? "enabled" : "disabled", it.dialect.name,
        Shown.text(it.baseURL), Shown.text(it.prefix), Shown.models(it.models),
        Shown.list(it.excludedModels), Shown.list(it.disabledModels),
        it.healthCheckSeconds.map { Shown.span(Int64($0) * 1_000_000_000) } ?? "never",
        String(it.revision), change(it.id.stream))
    }
    return table
  }

  private var accountsTable: TextTable {
    var table = TextTable(
      "account", "id", "state", ">priority", ">weight", ">generation", "fingerprint", "expires",
      ">revision", "last change")
    for it in accounts {
      table.add(
        "\(Shown.text(it.provider.rawValue))/\(Shown.text(it.name))", Shown.text(it.id.rawValue),
        (it.isEnabled ? "enabled" : "disabled")
          + (it.degradation.map { ", degraded: \(Shown.text($0.reason))" } ?? ""),
        String(it.priority), String(it.weight), String(it.credential.generation),
        it.credential.fingerprint.map(Shown.fingerprint) ?? "no credential",
        it.credential.expiresAt.map { rfc3339($0) } ?? "–", String(it.revision),
        change(it.id.stream, it.id.credentialStream))
    }
    return table
  }

  /// Only of accounts of which something is known.
  private var healthTable: TextTable {
    var table = TextTable(
      "account", "status", "cooldowns", ">errors", "last error", "last tested", "refuses",
      "last change")
    for account in accounts {
      guard let it = state.health[account.id] else { continue }
      let cooldowns =
        (it.cooldown.map { [("", $0)] } ?? [])
        + it.modelCooldowns.sorted { $0.key < $1.key }.map { ("\(Shown.text($0.key)) ", $0.value) }
      let error = it.lastError.map { error in
        let what = [
          error.status.map { String($0) }, error.errorClass?.name, error.code.map(Shown.text),
        ]
        return what.compactMap(\.self).joined(separator: " ") + " at \(rfc3339(error.at))"
      }
      table.add(
        EventLine.name(account.id, state), it.testStatus.name,
        cooldowns.isEmpty
          ? "none" : cooldowns.map { $0.0 + cooling($0.1) }.joined(separator: ", "),
        String(it.consecutiveErrors), error ?? "none", it.testedAt.map { rfc3339($0) } ?? "never",
        Shown.list(it.quirks.map(\.name)), change(account.id.healthStream))
    }
    return table
  }

  private func cooling(_ it: AccountHealth.Cooldown) -> String {
    "by \(Shown.text(it.rule)) until \(rfc3339(it.until))" + (it.until <= instant ? " (over)" : "")
  }

  private var aliasesTable: TextTable {
    var table = TextTable("alias", "target", ">revision", "last change")
    for it in aliases {
      table.add(
        Shown.text(it.name),
        Shown.text(it.target) + (it.isUnresolved ? " (unknown when set)" : ""),
        String(it.revision), change(aliasStream(it.name)))
    }
    return table
  }

  private var combosTable: TextTable {
    var table = TextTable("combo", "models, the first one first", ">revision", "last change")
    for it in combos {
      table.add(
        Shown.text(it.name),
        Shown.list(it.models) + (it.isUnresolved ? " (some unknown when set)" : ""),
        String(it.revision), change(comboStream(it.name)))
    }
    return table
  }

  private var policiesTable: TextTable {
    var table = TextTable(
      "organisation", "model", "accounts and weights", ">failover after", ">revision",
      "last change")
    for it in policies {
      table.add(
        Shown.text(it.id.organisation.rawValue), Shown.text(it.id.model),
        EventLine.shares(it.accounts, state)
          + (it.isUnresolved ? " (some did not offer it when set)" : ""),
        Shown.count(UInt64(it.failoverThreshold), "failure"), String(it.revision),
        change(it.id.stream))
    }
    return table
  }

  private var organisationsTable: TextTable {
    var table = TextTable(
      "organisation", "name", "state", "limits", "budgets", ">revision", "last change")
    for it in organisations {
      table.add(
        Shown.text(it.id.rawValue), Shown.text(it.name), it.isPaused ? "paused" : "active",
        EventLine.limits(it.limits), EventLine.budgets(it.budgets), String(it.revision),
        change(it.id.stream))
    }
    return table
  }

  private var keysTable: TextTable {
    var table = TextTable(
      "key", "id", "status", "organisation", "masked", "diagnostics", "expires", ">revision",
      "last change")
    for it in keys {
      table.add(
        Shown.text(it.name), Shown.text(it.id.rawValue), it.status.rawValue,
        Shown.text(it.organisation.rawValue), Shown.text(it.masked), it.diagnostics ? "yes" : "no",
        it.expiresAt.map { rfc3339($0) } ?? "never", String(it.revision), change(it.id.stream))
    }
    return table
  }

  /// Only of keys that may not do everything.
  private var rightsTable: TextTable {
    var table = TextTable("key", "models", "accounts", "limits", "budgets")
    for it in keys {
      guard
        !it.allowedModels.isEmpty || !it.allowedAccounts.isEmpty || it.limits != .none
          || !it.budgets.isEmpty
      else { continue }
      table.add(
        Shown.text(it.name), it.allowedModels.isEmpty ? "all" : Shown.list(it.allowedModels),
        it.allowedAccounts.isEmpty
          ? "all" : it.allowedAccounts.map { EventLine.name($0, state) }.joined(separator: ", "),
        EventLine.limits(it.limits), EventLine.budgets(it.budgets))
    }
    return table
  }

  private var settingsTable: TextTable {
    var table = TextTable("setting", "value")
    let it = state.settings
    table.add("fallback-strategy", it.fallbackStrategy.name)
    table.add("require-api-key", String(it.requireAPIKey))
    table.add("force-model-prefix", String(it.forceModelPrefix))
    table.add("max-body-bytes", String(it.maxBodyBytes))
    table.add("sticky-round-robin-limit", String(it.stickyRoundRobinLimit))
    table.add("max-attempts", String(it.maxAttempts))
    table.add("request-timeout", "\(it.requestTimeoutSeconds) s")
    table.add("trusted-proxies", Shown.list(it.trustedProxies))
    let sync = it.sync
    table.add("cloud-url", sync.cloudURL.isEmpty ? "none" : Shown.text(sync.cloudURL))
    table.add("cloud-protocol", sync.cloudProtocol.name)
    table.add("cloud-token", sync.cloudToken?.short ?? "none")
    table.add("machine-id", sync.machineID.isEmpty ? "none" : Shown.text(sync.machineID))
    table.add("sync-secrets", String(sync.syncSecrets))
    table.add("sync-interval", "\(sync.intervalSeconds) s")
    table.add("administrator's password", it.adminPasswordPosition == nil ? "not set" : "set")
    table.add("revision", String(it.revision))
    table.add("last change", change(settingsStream, GatewayProjection.passwordChange))
    return table
  }

  private var pricingTable: TextTable {
    var table = TextTable(
      "model", ">input", ">output", ">cached", ">reasoning", ">cache creation")
    for it in prices {
      func amount(_ millionths: UInt64?, _ otherwise: String) -> String {
        millionths.map { decimalText(millionths: $0) } ?? otherwise
      }
      table.add(
        "\(Shown.text(it.id.provider.rawValue))/\(Shown.text(it.id.model))",
        amount(it.price.input, ""), amount(it.price.output, ""),
        amount(it.price.cached, "as input"), amount(it.price.reasoning, "as output"),
        amount(it.price.cacheCreation, "as input"))
    }
    return table
  }

  private var usageText: String {
    guard let usage else {
      return "\nusage\n  not known: this bundle does not hold the requests before its window\n"
    }
    var table = TextTable(
      "of", "id", "in the", "beginning", "end", ">USD", ">tokens", "budget")
    for it in spending {
      let (kind, id) =
        switch it.scope {
        case .organisation(let id): ("organisation", id.rawValue)
        case .key(let id): ("key", id.rawValue)
        }
      table.add(
        kind, Shown.text(id), it.period.name, rfc3339(it.window.start),
        rfc3339(it.window.end) + (it.window.end <= instant ? " (over)" : ""),
        decimalText(millionths: it.window.used.microUSD), String(it.window.used.tokens),
        EventLine.budgets(it.budget.map { [$0] } ?? []))
    }
    return section("usage", table)
      + "  \(Shown.count(usage.underWay, "request")) dispatched and not ended\n"
  }
}

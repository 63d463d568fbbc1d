public import Domain
public import EventStore

/// The configuration as it stood at a position.
public struct StateReport: InquiryReport, Hashable {
  /// A table of the configuration.
  public enum Part: String, Sendable, CaseIterable {
    case providers
    case accounts
    case aliases
    case keys
    case settings
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// `epoch:position` and time of the last event taken in; nil: before the first.
  public var at: LogCoverage.Moment?
  /// nil: all parts.
  public var part: Part?
  /// The configuration.
  public var state: ControlState
  /// By stream: who changed it last.
  public var changes: [String: ConfigurationChange]
  /// Damaged ranges up to there: what they held is missing.
  public var gaps: [LogGap]
  /// Since where requests are not recorded, as of that moment; nil: they are.
  public var openGap: UInt64?
  /// Configuration events that could not be decoded.
  public var unreadable: Int
  /// Configuration events of kinds that this build does not know.
  public var unknown: Int

  /// 3 if something up to there is damaged, 4 if this build does not know a kind on the way.
  public var exitCode: ExitCode {
    if !gaps.isEmpty || unreadable > 0 { return .damaged }
    return unknown > 0 ? .notReproducible : .same
  }
}

extension Replay {
  /// Folds the log up to a moment.
  ///
  /// - Parameter selector: nil: the log's end.
  public static func state(
    _ log: LogReader, at selector: Selector?, part: StateReport.Part? = nil, now: UnixNanoseconds,
    progress: Progress? = nil
  ) throws(InquiryFault) -> StateReport {
    let end = log.last
    let wanted = try selector?.resolve(in: log, now: now, edge: .to) ?? end
    let position = min(wanted, end)
    try log.requireCovered(position)
    let fold = try ConfigurationFold.through(
      position, isEnd: wanted >= end, of: log, progress: progress)
    var at: LogCoverage.Moment?
    if position.rawValue > 0 {
      let stored = try reading { () throws(StoreError) in try log.event(at: position) }
      at = stored.map {
        LogCoverage.Moment(place: "\($0.epoch):\($0.position)", time: UnixNanoseconds($0.time))
      }
    }
    return StateReport(
      coverage: try LogCoverage(log), at: at, part: part, state: fold.state,
      changes: StateReport.changes(fold.changes), gaps: fold.gaps,
      openGap: fold.openGap, unreadable: fold.unreadable, unknown: fold.unknown)
  }
}

extension StateReport {
  fileprivate static func changes(
    _ changes: [String: LastChange]
  ) -> [String: ConfigurationChange] {
    var shown: [String: ConfigurationChange] = [:]
    for (part, change) in changes {
      let stream = part == GatewayProjection.passwordChange ? settingsStream : part
      shown[part] = ConfigurationChange(change, stream: stream)
    }
    return shown
  }

  private func has(_ part: Part) -> Bool { self.part == nil || self.part == part }

  private var providers: [Provider] { state.providers.values.sorted { $0.id < $1.id } }
  private var accounts: [Account] {
    state.accounts.values.sorted {
      ($0.provider, $0.priority, $0.name, $0.id) < ($1.provider, $1.priority, $1.name, $1.id)
    }
  }
  private var aliases: [AliasTarget] { state.aliases.values.sorted { $0.name < $1.name } }
  private var keys: [Key] { state.keys.values.sorted { $0.id < $1.id } }

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
    if has(.accounts) { out += section("accounts", accountsTable) }
    if has(.aliases) { out += section("aliases", aliasesTable) }
    if has(.keys) { out += section("keys", keysTable) }
    if has(.settings) { out += section("settings", settingsTable) }
    return out
  }

  private func section(_ title: String, _ table: TextTable) -> String {
    "\n\(title)\n" + (table.isEmpty ? "  none\n" : table.rendered())
  }

  private var providersTable: TextTable {
    var table = TextTable(
      "id", "state", "protocol", "base URL", "prefix", "models", "excluded", ">revision",
      "last change")
    for it in providers {
      table.add(
        Shown.text(it.id.rawValue), it.isEnabled ? "enabled" : "disabled", it.dialect.name,
        Shown.text(it.baseURL), Shown.text(it.prefix), Shown.models(it.models),
        Shown.list(it.excludedModels), String(it.revision), change(it.id.stream))
    }
    return table
  }

  private var accountsTable: TextTable {
    var table = TextTable(
      "account", "id", "state", ">priority", ">weight", ">generation", "fingerprint", ">revision",
      "last change")
    for it in accounts {
      table.add(
        "\(Shown.text(it.provider.rawValue))/\(Shown.text(it.name))", Shown.text(it.id.rawValue),
        it.isEnabled ? "enabled" : "disabled", String(it.priority), String(it.weight),
        String(it.credentialGeneration),
        it.credentialFingerprint.map(Shown.fingerprint) ?? "no credential", String(it.revision),
        change(it.id.stream, it.id.credentialStream))
    }
    return table
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
    table.add("administrator's password", it.adminPasswordPosition == nil ? "not set" : "set")
    table.add("revision", String(it.revision))
    table.add("last change", change(settingsStream, GatewayProjection.passwordChange))
    return table
  }

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
    if has(.keys) { members.append(.init("keys", .array(keys.map(json)))) }
    if has(.settings) { members.append(.init("settings", json(state.settings))) }
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
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: Account) -> JSONTree {
    .object(
      [
        .init("id", .text(it.id.rawValue)), .init("provider", .text(it.provider.rawValue)),
        .init("name", .text(it.name)), .init("isEnabled", .bool(it.isEnabled)),
        .init("priority", .count(UInt64(it.priority))),
        .init("weight", .count(UInt64(it.weight))),
        .init("credentialGeneration", .count(it.credentialGeneration)),
        .init(
          "credentialFingerprint", .text(it.credentialFingerprint.map { Shown.hex($0.rawValue) })),
        .init("credentialLastChange", changes[it.id.credentialStream]?.json ?? .null),
      ] + tail(it.id.stream, it.revision, it.createdAt, it.updatedAt))
  }

  private func json(_ it: AliasTarget) -> JSONTree {
    .object(
      [
        .init("name", .text(it.name)), .init("target", .text(it.target)),
        .init("isUnresolved", .bool(it.isUnresolved)),
      ] + tail(aliasStream(it.name), it.revision, it.createdAt, it.updatedAt))
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
        .init("isAdminPasswordSet", .bool(it.adminPasswordPosition != nil)),
        .init(
          "adminPasswordLastChange", changes[GatewayProjection.passwordChange]?.json ?? .null),
      ] + tail(settingsStream, it.revision, it.createdAt, it.updatedAt))
  }
}

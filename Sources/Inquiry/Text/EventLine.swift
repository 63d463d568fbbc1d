import Domain
import EventStore

/// What happened, in words, on one line.
enum EventLine {
  /// - Parameter before: the configuration just before the event: names accounts and gives old values.
  static func text(_ entry: Entry, before: ControlState) -> String {
    switch entry.content {
    case .unreadable(let failure):
      return "unreadable \(Shown.text(failure.kind)): \(failure.reason.rawValue) at byte "
        + "\(failure.offset) of \(entry.stored.payload.count)"
    case .recorded(let recorded):
      guard let event = recorded.event else {
        return "\(Shown.text(entry.stored.kind)): a kind this build does not know, "
          + "\(entry.stored.payload.count) bytes in \(Shown.text(entry.stored.stream))"
      }
      let line = text(event, before)
      switch event {
      case .request, .gateway: return line
      default:
        let provenance = recorded.provenance
        return "\(line) — by \(Shown.text(provenance.actor)) via \(provenance.source.name)"
      }
    }
  }

  private static func text(_ event: Event, _ state: ControlState) -> String {
    switch event {
    case .provider(let event): provider(event, state)
    case .account(let event): account(event, state)
    case .credential(let event): credential(event, state)
    case .health(let event): health(event, state)
    case .model(let event): model(event)
    case .alias(let event): alias(event, state)
    case .combo(let event): combo(event, state)
    case .policy(let event): policy(event, state)
    case .organisation(let event): organisation(event, state)
    case .key(let event): key(event, state)
    case .settings(let event): settings(event, state)
    case .pricing(let event): pricing(event, state)
    case .access(let event): access(event)
    case .sync(let event): sync(event, state)
    case .syncToken(let event): syncToken(event, state)
    case .request(let event): request(event, state)
    case .gateway(let event): gateway(event)
    }
  }

  /// `provider/name`, or the id where the account is not known.
  static func name(_ id: AccountID, _ state: ControlState) -> String {
    guard let account = state.accounts[id] ?? state.removedAccounts[id] else {
      return Shown.text(id.rawValue)
    }
    return "\(Shown.text(account.provider.rawValue))/\(Shown.text(account.name))"
  }

  /// A key's name, or its id where it is not known.
  static func name(_ id: KeyID, _ state: ControlState) -> String {
    Shown.text(state.keys[id]?.name ?? id.rawValue)
  }

  // MARK: Configuration

  private static func provider(_ event: ProviderEvent, _ state: ControlState) -> String {
    let title = "provider \(Shown.text(event.id.rawValue))"
    switch event {
    case .added(let it):
      return "\(title) added: \(it.dialect.name) at \(Shown.text(it.baseURL)), prefix "
        + "\(Shown.text(it.prefix)), models \(Shown.models(it.models))"
        + (it.excludedModels.isEmpty ? "" : ", excluded \(Shown.list(it.excludedModels))")
    case .changed(let it):
      let old = state.providers[it.id]
      var fields = FieldChanges()
      fields.add("name", old?.name, it.name, Shown.text)
      fields.add("protocol", old?.dialect, it.dialect) { $0.name }
      fields.add("base-url", old?.baseURL, it.baseURL, Shown.text)
      fields.add("prefix", old?.prefix, it.prefix, Shown.text)
      fields.add("models", old?.models, it.models, Shown.models)
      fields.add("excluded-models", old?.excludedModels, it.excludedModels, Shown.list)
      return "\(title) changed: \(fields.text)"
    case .enabled: return "\(title) enabled"
    case .disabled: return "\(title) disabled"
    case .removed: return "\(title) removed"
    case .modelsDiscovered(let it):
      return "\(title) told \(name(it.account, state)) its models: \(Shown.list(it.models))"
    case .healthCheckSet(let it):
      return "\(title): its accounts are "
        + (it.intervalSeconds.map { "tested every \($0) s" } ?? "not tested any more")
    case .oauthSet(let it):
      guard let client = it.client else { return "\(title): its tokens are not refreshed any more" }
      return "\(title): tokens are refreshed at \(Shown.text(client.tokenURL)) as client "
        + "\(Shown.text(client.clientID)), \(client.leadSeconds) s before they end"
    }
  }

  private static func account(_ event: AccountEvent, _ state: ControlState) -> String {
    let title = "account \(name(event.id, state))"
    switch event {
    case .added(let it):
      return "account \(Shown.text(it.provider.rawValue))/\(Shown.text(it.name)) added: id "
        + "\(Shown.text(it.id.rawValue)), priority \(it.priority), weight \(it.weight)"
    case .changed(let it):
      let old = state.accounts[it.id]
      var fields = FieldChanges()
      fields.add("name", old?.name, it.name, Shown.text)
      fields.add("priority", old?.priority, it.priority) { String($0) }
      fields.add("weight", old?.weight, it.weight) { String($0) }
      return "\(title) changed: \(fields.text)"
    case .enabled: return "\(title) enabled"
    case .disabled: return "\(title) disabled"
    case .degraded(let it): return "\(title) degraded: \(Shown.text(it.reason))"
    case .restored: return "\(title) restored"
    case .credentialSet(let it):
      return "\(title): an operator issued credential generation \(it.generation)"
    case .removed: return "\(title) removed"
    }
  }

  private static func alias(_ event: AliasEvent, _ state: ControlState) -> String {
    switch event {
    case .set(let it):
      let old = state.aliases[it.name].map { "\(Shown.text($0.target)) " } ?? ""
      return "alias \(Shown.text(it.name)) set: \(old)→ \(Shown.text(it.target))"
        + (it.isUnresolved ? " (target unknown at the time)" : "")
    case .removed(let name):
      let old = state.aliases[name].map { " (was → \(Shown.text($0.target)))" } ?? ""
      return "alias \(Shown.text(name)) removed\(old)"
    }
  }

  private static func key(_ event: KeyEvent, _ state: ControlState) -> String {
    let title = "key \(name(event.id, state))"
    switch event {
    case .created(let it):
      return "key \(Shown.text(it.name)) created: id \(Shown.text(it.id.rawValue)), "
        + "\(Shown.text(it.masked)), organisation \(Shown.text(it.organisation.rawValue))"
        + (it.diagnostics ? ", diagnostics" : "")
        + (it.expiresAt.map { ", expires \(rfc3339($0))" } ?? "")
    case .changed(let it):
      let old = state.keys[it.id]
      var fields = FieldChanges()
      fields.add("name", old?.name, it.name, Shown.text)
      fields.add("diagnostics", old?.diagnostics, it.diagnostics) { String($0) }
      return "\(title) changed: \(fields.text)"
    case .paused: return "\(title) paused"
    case .resumed: return "\(title) resumed"
    case .revoked: return "\(title) revoked"
    case .accessChanged(let it):
      let old = state.keys[it.id]
      var fields = FieldChanges()
      fields.add("allowed-models", old?.allowedModels, it.allowedModels, Shown.list)
      fields.add("allowed-accounts", old?.allowedAccounts, it.allowedAccounts) { accounts in
        accounts.isEmpty ? "none" : accounts.map { name($0, state) }.joined(separator: ", ")
      }
      fields.add(
        "expires-at", old.map { $0.expiresAt.map { .at($0) } ?? .never }, it.expiry
      ) { (expiry: KeyEvent.Expiry) in
        switch expiry {
        case .never: "never"
        case .at(let time): rfc3339(time)
        }
      }
      return "\(title) changed: \(fields.text)"
    case .limitsSet(let it):
      return "\(title) limits set: \(state.keys[it.id].map { limits($0.limits) + " " } ?? "")→ "
        + limits(it.limits)
    case .budgetsSet(let it):
      return "\(title) budgets set: \(state.keys[it.id].map { budgets($0.budgets) + " " } ?? "")→ "
        + budgets(it.budgets)
    }
  }

  private static func settings(_ event: SettingsEvent, _ state: ControlState) -> String {
    switch event {
    case .changed(let it):
      let old = state.settings
      var fields = FieldChanges()
      fields.add("fallback-strategy", old.fallbackStrategy, it.fallbackStrategy) { $0.name }
      fields.add("require-api-key", old.requireAPIKey, it.requireAPIKey) { String($0) }
      fields.add("force-model-prefix", old.forceModelPrefix, it.forceModelPrefix) { String($0) }
      fields.add("max-body-bytes", old.maxBodyBytes, it.maxBodyBytes) { String($0) }
      return "settings changed: \(fields.text)"
    case .adminPasswordSet: return "administrator's password set"
    case .trustedProxiesSet(let it):
      return "trusted proxies set: \(Shown.list(state.settings.trustedProxies)) → "
        + Shown.list(it.networks)
    case .routingChanged(let it):
      let old = state.settings
      var fields = FieldChanges()
      fields.add(
        "sticky-round-robin-limit", old.stickyRoundRobinLimit, it.stickyRoundRobinLimit
      ) { String($0) }
      fields.add("max-attempts", old.maxAttempts, it.maxAttempts) { String($0) }
      fields.add(
        "request-timeout", old.requestTimeoutSeconds, it.requestTimeoutSeconds
      ) { "\($0) s" }
      return "settings changed: \(fields.text)"
    case .syncChanged(let it):
      let old = state.settings.sync
      var fields = FieldChanges()
      fields.add("cloud-url", old.cloudURL, it.cloudURL) { $0.isEmpty ? "none" : Shown.text($0) }
      fields.add("cloud-protocol", old.cloudProtocol, it.cloudProtocol) { $0.name }
      fields.add("machine-id", old.machineID, it.machineID) { $0.isEmpty ? "none" : Shown.text($0) }
      fields.add("sync-secrets", old.syncSecrets, it.syncSecrets) { String($0) }
      fields.add("sync-interval", old.intervalSeconds, it.intervalSeconds) { "\($0) s" }
      return "settings changed: \(fields.text)"
    case .cloudTokenSet(let token): return "token of the cloud set: \(token.short)"
    case .cloudTokenRemoved: return "token of the cloud removed"
    }
  }

  // MARK: Requests

  private static func request(_ event: RequestEvent, _ state: ControlState) -> String {
    switch event {
    case .dispatched(let it):
      return "request in flight \(operation(it.operation, it.modelAsked))"
        + (it.account.map { " → \(name($0, state))" } ?? "") + identity(it.id, it.clientRequestID)
    case .finished(let it): return finished(it, state)
    case .interrupted(let it):
      let charge = it.charge.map {
        "; its budgets are charged with what was set aside: "
          + "\(decimalText(millionths: $0.reserve.microUSD)) USD, \($0.reserve.tokens) tokens"
      }
      return "request interrupted: in flight since position \(it.dispatchedAt), no end in the log"
        + (charge ?? "") + identity(it.id, it.clientRequestID)
    case .deliveryFailed(let it):
      return
        "delivery failed (\(Shown.text(it.errorCode))): the end of the answer could not be sent"
        + identity(it.id, nil)
    case .deniedSummary(let it):
      return "\(Shown.count(it.count, "request")) from \(Shown.text(it.remoteAddress)) denied "
        + "without being told one by one, since \(rfc3339(it.since))"
    }
  }

  private static func finished(_ it: RequestEvent.Finished, _ state: ControlState) -> String {
    var text = "request finished \(it.status) \(operation(it.operation, it.modelAsked))"
    if let last = it.attempts.last { text += " → \(name(last.account, state))" }
    if it.ending != .completed || it.errorCode != nil {
      text += " \(it.ending.name)"
      let why = [it.errorClass?.name, it.errorCode.map(Shown.text)].compactMap(\.self)
      if !why.isEmpty { text += " (\(why.joined(separator: ": ")))" }
    }
    if let tokens = tokens(it.usage) {
      text += " \(tokens)"
    } else if it.operation.isInference, it.operation != .countTokens, !it.attempts.isEmpty {
      text += " tokens not reported"
    }
    text += ", \(Shown.duration(it.totalMicroseconds))"
    if let first = it.firstByteMicroseconds { text += " (first byte \(Shown.duration(first)))" }
    text += ", " + (it.attempts.isEmpty ? "no attempt" : Shown.count(it.attempts.count, "attempt"))
    if it.isStream { text += ", stream" }
    return text + identity(it.id, it.clientRequestID)
  }

  /// `12 tokens in, 5 out`; nil if nothing was reported.
  static func tokens(_ usage: TokenUsage) -> String? {
    guard usage != .notReported else { return nil }
    func number(_ value: UInt64?) -> String { value.map { String($0) } ?? "?" }
    var text = "\(number(usage.input)) tokens in, \(number(usage.output)) out"
    if let cached = usage.cached { text += ", \(cached) cached" }
    if let reasoning = usage.reasoning { text += ", \(reasoning) reasoning" }
    return text
  }

  private static func operation(_ operation: Operation, _ model: String) -> String {
    switch operation {
    case .chatCompletions: model.isEmpty ? "(no model)" : Shown.text(model)
    default: operation.name + (model.isEmpty ? "" : " \(Shown.text(model))")
    }
  }

  private static func identity(_ id: RequestID, _ client: String?) -> String {
    " [\(uuidText(id.rawValue))" + (client.map { " \(Shown.text($0))" } ?? "") + "]"
  }

  private static func why(_ reason: GatewayEvent.ViewRebuilt.Reason) -> String {
    switch reason {
    case .missing: "its file was missing"
    case .damaged: "its file was damaged, or of another layout"
    case .astray: "its file was not of this log"
    case .asked: "somebody asked for it"
    }
  }

  // MARK: The gateway's own life

  private static func gateway(_ event: GatewayEvent) -> String {
    switch event {
    case .started(let it):
      "gateway started: version \(Shown.text(it.version)), epoch \(it.epoch), recording "
        + "\(it.recording.name), listening on \(Shown.text(it.listen)), previous stop "
        + (it.previousStopWasClean ? "clean" : "not clean")
        + (it.interruptedRequests > 0
          ? ", \(Shown.count(it.interruptedRequests, "interrupted request"))" : "")
    case .stopped(let it):
      "gateway stopped: \(Shown.text(it.reason))"
        + (it.cutRequests > 0 ? ", \(Shown.count(it.cutRequests, "request")) cut" : "")
    case .tailTruncated(let it):
      "recovery set aside \(Shown.count(it.bytes, "byte")) of \(Shown.text(it.segment)) from byte "
        + "\(it.offset) (\(Shown.text(it.rule))): never acknowledged as durable"
    case .gap(let it):
      "records of up to \(it.boundMilliseconds) ms before here may be missing: "
        + Shown.text(it.reason)
    case .gapOpened(let it):
      "from here on request outcomes may be missing: \(Shown.text(it.reason))"
    case .gapClosed(let it):
      "request outcomes are recorded again; "
        + (it.count.map { "\(Shown.count($0, "outcome")) missing" }
          ?? "how many are missing is unknown") + " since \(it.opened)"
    case .lossAccepted(let it):
      (it.first <= it.last
        ? "loss of positions \(it.first)…\(it.last) accepted"
        : "damage before position \(it.first) accepted")
        + " (\(Shown.text(it.rule)) in \(Shown.text(it.file))): \(Shown.text(it.reason))"
    case .checkpointSigned(let it):
      "checkpoint signed: everything through \(it.epoch):\(it.position)"
    case .viewRebuilt(let it):
      "view \(Shown.text(it.view)) made anew through \(it.position): \(why(it.reason))"
    case .identified(let it):
      "the log is node \(Shown.text(it.node.rawValue)), incarnation \(Shown.incarnation(it.incarnation))"
    case .restored(let it):
      "the data directory of node \(Shown.text(it.node.rawValue)) is a copy or a backup: incarnation "
        + "\(Shown.incarnation(it.previous)) → \(Shown.incarnation(it.incarnation))"
    }
  }
}

/// Collects `field old → new`.
private struct FieldChanges {
  private var parts: [String] = []

  mutating func add<Value: Equatable>(
    _ field: String, _ old: Value?, _ new: Value?, _ show: (Value) -> String
  ) {
    guard let new else { return }
    guard let old else {
      parts.append("\(field) → \(show(new))")
      return
    }
    parts.append(
      old == new ? "\(field) stays \(show(new))" : "\(field) \(show(old)) → \(show(new))")
  }

  var text: String { parts.isEmpty ? "nothing" : parts.joined(separator: "; ") }
}

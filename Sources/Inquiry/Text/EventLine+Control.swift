import Domain

/// What operators set beyond providers, accounts and keys, and what is known of accounts' state.
extension EventLine {
  static func health(_ event: HealthEvent, _ state: ControlState) -> String {
    let title = name(event.account, state)
    switch event {
    case .cooldownStarted(let it):
      return "cooldown of \(scope(it.scope, title)) until \(rfc3339(it.until)): "
        + Shown.text(it.rule)
        + (it.status.map { ", status \($0)" } ?? "")
        + (it.errorCode.map { ", \(Shown.text($0))" } ?? "")
    case .cooldownEnded(let it):
      let what = it.scope.map { scope($0, title) } ?? "\(title) and its models"
      return "cooldown of \(what) ended: \(it.reason.name)"
    case .tested(let it):
      let why = [it.status.map { "status \($0)" }, it.errorCode.map(Shown.text)]
        .compactMap(\.self).joined(separator: ", ")
      return "account \(title) tested: \(it.isValid ? "valid" : "not valid")"
        + (why.isEmpty ? "" : " (\(why))") + ", \(Shown.duration(it.latencyMicroseconds))"
    case .noted(let it):
      var parts: [String] = []
      if let status = it.testStatus { parts.append("test status \(status.name)") }
      switch it.error {
      case .cleared: parts.append("last error cleared")
      case .set(let status, let code):
        parts.append(
          "last error "
            + [status.map { String($0) }, code.map(Shown.text)].compactMap(\.self)
            .joined(separator: " "))
      case nil: break
      }
      return "account \(title) noted: \(parts.joined(separator: ", "))"
    case .probeStarted(let it):
      return "probe of \(scope(it.scope, title)): its cooldown is over, and one request finds out"
    case .quirkLearned(let it):
      return "account \(title): its provider \(it.quirk.sentence), and is not asked for it again"
    }
  }

  private static func scope(_ scope: CooldownScope, _ account: String) -> String {
    switch scope {
    case .account: account
    case .model(let name): "\(Shown.text(name)) at \(account)"
    }
  }

  static func model(_ event: ModelEvent) -> String {
    let title = "model \(Shown.text(event.id.provider.rawValue))/\(Shown.text(event.id.name))"
    return switch event {
    case .enabled: "\(title) enabled"
    case .disabled: "\(title) disabled"
    }
  }

  static func combo(_ event: ComboEvent, _ state: ControlState) -> String {
    switch event {
    case .set(let it):
      let old = state.combos[it.name].map { "\(Shown.list($0.models)) " } ?? ""
      return "combo \(Shown.text(it.name)) set: \(old)→ \(Shown.list(it.models))"
        + (it.isUnresolved ? " (some models unknown at the time)" : "")
    case .removed(let name):
      let old = state.combos[name].map { " (was → \(Shown.list($0.models)))" } ?? ""
      return "combo \(Shown.text(name)) removed\(old)"
    }
  }

  static func policy(_ event: PolicyEvent, _ state: ControlState) -> String {
    let title =
      "policy of \(Shown.text(event.id.organisation.rawValue)) for "
      + Shown.text(event.id.model)
    switch event {
    case .set(let it):
      let old = state.policies[it.id].map { "\(shares($0.accounts, state)) " } ?? ""
      return "\(title) set: \(old)→ \(shares(it.accounts, state)), failover threshold "
        + "\(it.failoverThreshold)"
        + (it.isUnresolved ? " (some account did not offer the model at the time)" : "")
    case .removed(let id):
      let old = state.policies[id].map { " (was → \(shares($0.accounts, state)))" } ?? ""
      return "\(title) removed\(old)"
    }
  }

  static func shares(_ accounts: [PolicyAccount], _ state: ControlState) -> String {
    accounts.map { "\(name($0.account, state)) \($0.weight)" }.joined(separator: ", ")
  }

  static func organisation(_ event: OrganisationEvent, _ state: ControlState) -> String {
    let title = "organisation \(Shown.text(event.id.rawValue))"
    let old = state.organisations[event.id]
    switch event {
    case .created(let it): return "\(title) created: \(Shown.text(it.name))"
    case .renamed(let it):
      return "\(title) renamed: \(old.map { Shown.text($0.name) + " " } ?? "")→ "
        + Shown.text(it.name)
    case .limitsSet(let it):
      return "\(title) limits set: \(old.map { limits($0.limits) + " " } ?? "")→ "
        + limits(it.limits)
    case .budgetsSet(let it):
      return "\(title) budgets set: \(old.map { budgets($0.budgets) + " " } ?? "")→ "
        + budgets(it.budgets)
    case .paused: return "\(title) paused"
    case .resumed: return "\(title) resumed"
    case .removed: return "\(title) removed"
    }
  }

  /// `rps 100, burst 200`, or `none`.
  static func limits(_ it: Limits) -> String {
    let parts: [(String, UInt64)] = [
      ("rps", UInt64(it.requestsPerSecond)), ("burst", UInt64(it.burst)),
      ("rpm", UInt64(it.requestsPerMinute)), ("tpm", it.tokensPerMinute),
      ("concurrency", UInt64(it.concurrency)),
    ]
    let set = parts.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
    return set.isEmpty ? "none" : set.joined(separator: ", ")
  }

  /// `month (UTC) 500 USD`, or `none`.
  static func budgets(_ budgets: [Budget]) -> String {
    let texts = budgets.map { budget in
      let amounts = [
        budget.microUSD.map { "\(decimalText(millionths: $0)) USD" },
        budget.tokens.map { "\($0) tokens" },
      ].compactMap(\.self).joined(separator: " and ")
      return "\(budget.period.name) (\(Shown.text(budget.timezone))) \(amounts)"
    }
    return texts.isEmpty ? "none" : texts.joined(separator: ", ")
  }

  static func pricing(_ event: PricingEvent, _ state: ControlState) -> String {
    switch event {
    case .changed(let it):
      let set = it.set.map { entry in
        let old = state.pricing.prices[entry.id].map { "\(price($0)) " } ?? ""
        return "\(title(entry.id)) \(old)→ \(price(entry.price))"
      }
      let removed = it.removed.map { id in "\(title(id)) removed" }
      return "pricing changed: \((set + removed).joined(separator: "; "))"
    }
  }

  private static func title(_ id: PriceID) -> String {
    "\(Shown.text(id.provider.rawValue))/\(Shown.text(id.model))"
  }

  private static func price(_ it: Price) -> String {
    let parts = [
      "input \(decimalText(millionths: it.input))", "output \(decimalText(millionths: it.output))",
      it.cached.map { "cached \(decimalText(millionths: $0))" },
      it.reasoning.map { "reasoning \(decimalText(millionths: $0))" },
      it.cacheCreation.map { "cache creation \(decimalText(millionths: $0))" },
    ]
    return parts.compactMap(\.self).joined(separator: ", ")
  }

  static func access(_ event: AccessEvent) -> String {
    switch event {
    case .loginSucceeded(let it):
      "signed in: session \(uuidText(it.session)) until \(rfc3339(it.expiresAt))"
    case .loginRefused(let it):
      "\(Shown.count(it.count, "sign-in")) refused: \(Shown.text(it.reason))"
    case .sessionRevoked(let it): "session \(uuidText(it.session)) ended"
    case .allSessionsRevoked: "all sessions ended"
    }
  }
}

extension Quirk {
  /// What of the protocol is refused, as the rest of a sentence.
  fileprivate var sentence: String {
    switch self {
    case .rejectsStreamOptions: "refuses stream_options"
    }
  }
}

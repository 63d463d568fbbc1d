/// What is known of an account's state; expiry follows from the clock of whoever asks.
public struct AccountHealth: Sendable, Hashable {
  /// Of the whole account; also one whose time is over.
  public var cooldown: Cooldown?
  /// By the provider's own model name; also those whose time is over.
  public var modelCooldowns: [String: Cooldown]
  /// What the last test, or an operator, said.
  public var testStatus: TestStatus
  /// nil: none, or cleared.
  public var lastError: LastError?
  /// When the last test was made.
  public var testedAt: UnixNanoseconds?
  /// How long the last test took.
  public var testMicroseconds: UInt64?
  /// Failed tests and errors that began a cooldown since the last good test or success.
  public var consecutiveErrors: UInt64
  /// When a request was last let through to see whether what cooled serves again.
  public var probedAt: UnixNanoseconds?
  /// What the provider was found to refuse, in their order.
  public var quirks: [Quirk]

  /// Nothing is known.
  public static let unknown = AccountHealth()

  init() {
    modelCooldowns = [:]
    testStatus = .unknown
    consecutiveErrors = 0
    quirks = []
  }

  /// A bounded time in which the account, or one of its models, is not chosen.
  public struct Cooldown: Sendable, Hashable {
    /// Until when.
    public var until: UnixNanoseconds
    /// Which rule asked for it.
    public var rule: String
    /// When it began.
    public var startedAt: UnixNanoseconds
    /// Position of the event that began it.
    public var position: UInt64
    /// How many cooldowns of the same scope came before it without a success, a passed test or an operator's
    /// word between them; those that an operator asked for do not count.
    public var level: UInt32

    /// What an operator asked for ends when its time does; what a failure began ends with proof.
    public var needsProof: Bool { rule != Self.byOperator }

    /// The rule of cooldowns that operators ask for.
    public static let byOperator = "operator"

    /// Whether its time is over and nothing has shown yet that the account serves again.
    public func isHalfOpen(at now: UnixNanoseconds) -> Bool { needsProof && now >= until }
  }

  /// The last thing that went wrong, as far as it is worth telling.
  public struct LastError: Sendable, Hashable {
    /// Upstream's status; nil: no answer came.
    public var status: UInt16?
    /// What was at fault.
    public var errorClass: ErrorClass?
    /// Stable short code; never upstream's text.
    public var code: String?
    /// When it was noticed.
    public var at: UnixNanoseconds
  }

  /// Whether the whole account cools at `now`.
  public func isCooling(at now: UnixNanoseconds) -> Bool {
    if let cooldown { now < cooldown.until } else { false }
  }
}

/// What can be asked about an account's health.
public enum HealthCommand: Sendable, Hashable {
  case startCooldown(HealthEvent.CooldownStarted)
  /// Ending what does not cool is no event; nil ends all.
  case endCooldown(AccountID, scope: CooldownScope?, reason: HealthEvent.EndReason)
  /// A valid one ends the account's cooldowns that began at or before `began`, the position at which the test
  /// did: it says nothing of later ones.
  case recordTest(HealthEvent.Tested, began: UInt64)
  case note(HealthEvent.Noted)
  /// Always an event.
  case startProbe(AccountID, CooldownScope)
  /// What is known already is no event.
  case learn(AccountID, Quirk)

  /// Whom the command is about.
  public var account: AccountID {
    switch self {
    case .startCooldown(let it): it.account
    case .endCooldown(let account, _, _): account
    case .recordTest(let it, _): it.account
    case .note(let it): it.account
    case .startProbe(let account, _), .learn(let account, _): account
    }
  }
}

extension AccountHealth {
  /// The rules of an account's health.
  static func decide(
    _ command: HealthCommand, _ state: AccountHealth
  ) throws(Refusal) -> [HealthEvent] {
    switch command {
    case .startCooldown(let wanted):
      guard 1...64 ~= wanted.rule.utf8.count,
        wanted.rule.utf8.allSatisfy({
          0x61...0x7A ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x5F
        })
      else {
        throw .invalid("rule", wanted.rule, "rule must be 1 to 64 of a-z 0-9 _")
      }
      if case .model(let name) = wanted.scope { try Bounds.modelName(name, "model") }
      try check(code: wanted.errorCode)
      if let current = state.cooldown(wanted.scope), current.until == wanted.until,
        current.rule == wanted.rule
      {
        return []
      }
      return [.cooldownStarted(wanted)]
    case .endCooldown(let account, let scope, let reason):
      let cools =
        if let scope { state.cooldown(scope) != nil } else {
          state.cooldown != nil || !state.modelCooldowns.isEmpty
        }
      return cools
        ? [.cooldownEnded(.init(account: account, scope: scope, reason: reason))] : []
    case .recordTest(let tested, let began):
      try check(code: tested.errorCode)
      let ended = tested.isValid ? state.ending(tested, through: began) : []
      return [.tested(tested)] + ended
    case .note(let wanted):
      if case .set(_, let code) = wanted.error { try check(code: code) }
      var noted = wanted
      if noted.testStatus == state.testStatus { noted.testStatus = nil }
      switch noted.error {
      case .cleared where state.lastError == nil: noted.error = nil
      case .set(let status, let code)
      where state.lastError?.status == status && state.lastError?.code == code
        && state.lastError != nil:
        noted.error = nil
      case .cleared, .set, nil: break
      }
      return noted == .init(account: noted.account) ? [] : [.noted(noted)]
    case .startProbe(let account, let scope):
      return [.probeStarted(.init(account: account, scope: scope))]
    case .learn(let account, let quirk):
      return state.quirks.contains(quirk)
        ? [] : [.quirkLearned(.init(account: account, quirk: quirk))]
    }
  }

  /// Takes in a fact; total.
  mutating func evolve(_ event: HealthEvent, position: UInt64, time: UnixNanoseconds) {
    switch event {
    case .cooldownStarted(let it):
      let last = self.cooldown(it.scope).flatMap { $0.needsProof ? $0.level : nil }
      let cooldown = Cooldown(
        until: it.until, rule: it.rule, startedAt: time, position: position,
        // One that is over as it begins makes the former half-open, and is no further failure.
        level: it.rule == Cooldown.byOperator
          ? 0 : last.map { it.until <= time ? $0 : min($0, .max - 1) + 1 } ?? 0)
      switch it.scope {
      case .account: self.cooldown = cooldown
      case .model(let name): modelCooldowns[name] = cooldown
      }
      if it.status != nil || it.errorCode != nil {
        // Of an account whose one model cools, the others serve.
        if it.scope == .account { testStatus = .unavailable }
        consecutiveErrors += 1
        lastError = LastError(status: it.status, errorClass: nil, code: it.errorCode, at: time)
      }
    case .cooldownEnded(let it):
      if it.reason == .success {
        consecutiveErrors = 0
        lastError = nil
        if testStatus == .unavailable { testStatus = .active }
      }
      switch it.scope {
      case .account: cooldown = nil
      case .model(let name): modelCooldowns[name] = nil
      case nil:
        cooldown = nil
        modelCooldowns = [:]
      }
    case .tested(let it):
      testedAt = time
      testMicroseconds = it.latencyMicroseconds
      testStatus = it.isValid ? .active : .error
      consecutiveErrors = it.isValid ? 0 : consecutiveErrors + 1
      lastError =
        it.isValid
        ? nil
        : LastError(
          status: it.status, errorClass: it.errorClass, code: it.errorCode, at: time)
    case .noted(let it):
      testStatus = it.testStatus ?? testStatus
      switch it.error {
      case .cleared: lastError = nil
      case .set(let status, let code):
        lastError = LastError(status: status, errorClass: nil, code: code, at: time)
      case nil: break
      }
    case .probeStarted: probedAt = time
    case .quirkLearned(let it):
      if !quirks.contains(it.quirk) { quirks = (quirks + [it.quirk]).sorted() }
    }
  }

  /// The ends of the cooldowns that began at or before a position, of the account and of the model that was
  /// tested: one for all that there are, or one each.
  private func ending(_ tested: HealthEvent.Tested, through began: UInt64) -> [HealthEvent] {
    let scopes =
      (cooldown == nil ? [] : [CooldownScope.account])
      + modelCooldowns.keys.sorted().map { .model($0) }
    let shown = [CooldownScope.account] + (tested.model.map { [.model($0)] } ?? [])
    let over = scopes.filter { (cooldown($0)?.position ?? .max) <= began && shown.contains($0) }
    if over.isEmpty { return [] }
    let ends: [CooldownScope?] = over.count == scopes.count ? [nil] : over
    return ends.map {
      .cooldownEnded(.init(account: tested.account, scope: $0, reason: .passedTest))
    }
  }

  /// The cooldown of a scope; also one whose time is over.
  public func cooldown(_ scope: CooldownScope) -> Cooldown? {
    switch scope {
    case .account: cooldown
    case .model(let name): modelCooldowns[name]
    }
  }

  private static func check(code: String?) throws(Refusal) {
    guard let code else { return }
    let isFit =
      1...64 ~= code.utf8.count
      && code.utf8.allSatisfy { 0x61...0x7A ~= $0 || 0x30...0x39 ~= $0 || $0 == 0x5F }
    guard isFit else {
      throw .invalid("error_code", code, "error_code must be 1 to 64 of a-z 0-9 _")
    }
  }
}

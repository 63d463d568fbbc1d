/// The failures in a row that attempts' reports tell of, and the rules that make health out of them.
///
/// Lives in memory; what follows from it are events. A report never
/// - cools anything for what a client did or asked for,
/// - speaks against or for a cooldown that began after the attempt was chosen (the attempt knows nothing of it),
/// - marks again what cools already, so that one window escalates once,
/// - speaks against a credential that has been replaced since.
public struct HealthStreaks: Sendable {
  private struct Key: Sendable, Hashable {
    var account: AccountID
    /// nil: the whole account.
    var model: String?
    /// nil: outside policies.
    var policy: PolicyID?
  }

  private struct Streak: Sendable {
    var count: UInt32
    var last: UnixNanoseconds
  }

  private var streaks: [Key: Streak] = [:]

  /// Failures further apart are not in a row, in nanoseconds.
  public static let memory: Int64 = 600_000_000_000
  /// More streaks than this are forgotten all at once: cooling then begins a little later.
  static let streaksMax = 16_384

  /// Nothing has failed.
  public init() {}

  /// How many streaks are remembered.
  public var count: Int { streaks.count }

  /// One report, or several that say the same of the same view.
  public struct Told: Sendable, Hashable {
    /// What they say.
    public var report: AttemptReport
    /// How many they are: 1 or more.
    public var count: UInt32

    /// `count` reports that say the same.
    public init(_ report: AttemptReport, count: UInt32 = 1) {
      self.report = report
      self.count = count
    }
  }

  /// What follows from a report, and for whose request.
  public struct Consequence: Sendable, Hashable {
    /// What to decide.
    public var command: HealthCommand
    /// Whose attempt led to it.
    public var request: RequestID

    init(_ command: HealthCommand, _ request: RequestID) {
      self.command = command
      self.request = request
    }
  }

  /// What follows from reports, in their order, on a state; each sees what follows from those before it.
  public mutating func decide(_ told: [Told], _ state: ControlState) -> [Consequence] {
    var consequences: [Consequence] = []
    var changed: [AccountID: AccountHealth] = [:]
    for it in told {
      let report = it.report
      // A report about what was removed meanwhile is about nothing.
      guard let account = state.accounts[report.account] else {
        forget(report.account)
        continue
      }
      if let position = account.credential.position, report.snapshot < position { continue }
      var health = changed[report.account] ?? state.health[report.account] ?? .unknown
      let threshold = report.policy.flatMap { state.policies[$0]?.failoverThreshold }
      for command in decide(it, health, threshold: threshold) {
        // Refused only if a name is beyond its bounds: then nothing of it can be an event.
        guard let events = try? AccountHealth.decide(command, health), !events.isEmpty else {
          continue
        }
        for event in events {
          health.evolve(event, position: state.position + 1, time: report.at)
        }
        consequences.append(Consequence(command, report.request))
      }
      changed[report.account] = health
    }
    return consequences
  }

  /// What follows from one report on one account's health.
  ///
  /// - Parameter threshold: failures in a row after which the account cools, as the attempt's policy has it; nil: there
  ///   is no policy.
  public mutating func decide(
    _ told: Told, _ health: AccountHealth, threshold: UInt32?
  ) -> [HealthCommand] {
    let report = told.report
    switch report.outcome {
    case .succeeded: return succeeded(report, health)
    case .failed(let verdict, let status, let resetAt):
      return failed(told, verdict, status, resetAt, health, threshold)
    case .learned(let quirk): return [.learn(report.account, quirk)]
    case .probeStarted:
      // Once a window: what it finds is what matters.
      return scopes(report).filter { scope in
        guard let cooldown = health.cooldown(scope), cooldown.isHalfOpen(at: report.at),
          report.snapshot >= cooldown.position
        else { return false }
        return health.probedAt.map { $0 < cooldown.until } ?? true
      }.prefix(1).map { .startProbe(report.account, $0) }
    }
  }

  private func scopes(_ report: AttemptReport) -> [CooldownScope] {
    [.account, .model(report.upstreamModel)]
  }

  private mutating func succeeded(
    _ report: AttemptReport, _ health: AccountHealth
  ) -> [HealthCommand] {
    for model in [nil, report.upstreamModel] {
      streaks[Key(account: report.account, model: model, policy: nil)] = nil
      guard let policy = report.policy else { continue }
      streaks[Key(account: report.account, model: model, policy: policy)] = nil
    }
    return scopes(report).compactMap { scope in
      guard let cooldown = health.cooldown(scope), cooldown.needsProof,
        report.snapshot >= cooldown.position
      else { return nil }
      return .endCooldown(report.account, scope: scope, reason: .success)
    }
  }

  private mutating func failed(
    _ told: Told, _ verdict: FailureVerdict, _ status: UInt16?, _ resetAt: UnixNanoseconds?,
    _ health: AccountHealth, _ threshold: UInt32?
  ) -> [HealthCommand] {
    let report = told.report
    let (model, scope): (String?, CooldownScope)
    switch verdict.scope {
    case .nothing: return []
    case .account: (model, scope) = (nil, .account)
    case .model: (model, scope) = (report.upstreamModel, .model(report.upstreamModel))
    }
    guard let terms = CooldownTerms.of(verdict.rule) else { return [] }
    if health.isCooling(at: report.at) { return [] }
    let cooldown = health.cooldown(scope)
    if let cooldown {
      guard report.snapshot >= cooldown.position, report.at >= cooldown.until else { return [] }
    }
    let hint =
      verdict.rule.honoursResetTime ? resetAt.map { wait(until: $0, from: report.at) } : nil
    let key = Key(account: report.account, model: model, policy: report.policy)
    let count = streak(key, adding: told.count, at: report.at)
    // What has cooled and not proved itself since needs no second failure; nor does a provider's own word.
    let isProof = cooldown?.isHalfOpen(at: report.at) == true
    let isEnough =
      isProof || (hint != nil && terms.hintBeginsAtOnce)
      || count >= max(1, threshold ?? terms.threshold)
    guard isEnough else { return [] }
    streaks[key] = nil
    let level = cooldown.flatMap { $0.needsProof ? $0.level : nil }.map { $0 &+ 1 } ?? 0
    let until = report.at.rawValue.addingReportingOverflow(terms.length(level: level, hint: hint))
    guard !until.overflow else { return [] }
    return [
      .startCooldown(
        HealthEvent.CooldownStarted(
          account: report.account, scope: scope, rule: verdict.rule.rawValue,
          until: UnixNanoseconds(until.partialValue), status: status, errorCode: verdict.code))
    ]
  }

  private func wait(until: UnixNanoseconds, from now: UnixNanoseconds) -> Int64 {
    let (wait, isOver) = until.rawValue.subtractingReportingOverflow(now.rawValue)
    return isOver ? CooldownTerms.longest : max(0, wait)
  }

  /// The streak with these failures in it.
  private mutating func streak(_ key: Key, adding count: UInt32, at: UnixNanoseconds) -> UInt32 {
    if streaks.count >= Self.streaksMax, streaks[key] == nil { streaks = [:] }
    let (since, isOver) = at.rawValue.subtractingReportingOverflow(
      streaks[key]?.last.rawValue ?? at.rawValue)
    let before = isOver || since > Self.memory ? 0 : streaks[key]?.count ?? 0
    let (sum, isBeyond) = before.addingReportingOverflow(count)
    streaks[key] = Streak(count: isBeyond ? .max : sum, last: at)
    return isBeyond ? .max : sum
  }

  private mutating func forget(_ account: AccountID) {
    streaks = streaks.filter { $0.key.account != account }
  }
}

extension HealthStreaks.Told {
  /// Takes in another report if it says the same of the same view; false: it does not.
  public mutating func absorb(_ other: AttemptReport) -> Bool {
    guard report.account == other.account, report.snapshot == other.snapshot,
      report.upstreamModel == other.upstreamModel, report.policy == other.policy, count < .max
    else { return false }
    switch (report.outcome, other.outcome) {
    case (.succeeded, .succeeded), (.probeStarted, .probeStarted): break
    case (.failed(let verdict, _, let resetAt), .failed(let others, let status, let otherResetAt)):
      guard verdict == others else { return false }
      report.outcome = .failed(
        others, status: status, resetAt: [resetAt, otherResetAt].compactMap(\.self).max())
    case (.learned(let quirk), .learned(let other)):
      guard quirk == other else { return false }
    case (.succeeded, _), (.probeStarted, _), (.failed, _), (.learned, _): return false
    }
    report.at = max(report.at, other.at)
    count += 1
    return true
  }
}

/// The results of regular tests in a row, and the rules that make health out of them.
///
/// Three bad ones begin a cooldown; coming back is gradual: two good ones make it half-open, and a request that serves to
/// its end is what ends it. What a provider limits, and what an operator said, tests leave alone.
public struct HealthChecks: Sendable {
  private struct Row: Sendable {
    var bad = 0
    var good = 0
  }

  private var rows: [AccountID: Row] = [:]

  /// The rule of cooldowns that failed tests begin.
  public static let rule = "health_check"
  /// Bad tests in a row that begin a cooldown.
  public static let badMax = 3
  /// Good tests in a row that make one half-open.
  public static let goodMin = 2

  private static let shortest: Int64 = 30_000_000_000

  /// Nothing was tested.
  public init() {}

  /// Whether a test now could say something: not while a limit or an operator keeps requests away.
  public static func isWorthTesting(_ health: AccountHealth, at now: UnixNanoseconds) -> Bool {
    guard health.isCooling(at: now), let cooldown = health.cooldown else { return true }
    return cooldown.needsProof && !isLimit(cooldown)
  }

  /// What follows from a test.
  ///
  /// - Parameters:
  ///   - began: the position at which it did: it says nothing of a cooldown that began later.
  ///   - interval: between tests, in nanoseconds.
  public mutating func decide(
    _ tested: HealthEvent.Tested, began: UInt64, at now: UnixNanoseconds, interval: Int64,
    _ health: AccountHealth
  ) -> [HealthCommand] {
    // Position 0: of itself a single good test ends nothing.
    let record = HealthCommand.recordTest(tested, began: 0)
    let cooldown = health.cooldown
    let isKnown = cooldown.map { $0.position <= began } ?? true
    var row = rows[tested.account] ?? Row()
    defer { rows[tested.account] = row }
    if tested.isValid {
      row.bad = 0
      row.good = min(row.good + 1, Self.goodMin)
      guard row.good >= Self.goodMin, let cooldown, isKnown, cooldown.needsProof,
        now < cooldown.until, !Self.isLimit(cooldown)
      else { return [record] }
      return [record, start(tested, rule: cooldown.rule, until: now)]
    }
    switch tested.errorClass {
    // It says nothing of whether the account serves.
    case .request, .client, .gateway, .model, nil: return [record]
    case .account where tested.errorCode == ProbeReport.rateLimited: return [record]
    case .account, .provider, .network: break
    }
    row.good = 0
    row.bad = min(row.bad + 1, Self.badMax)
    let isEnough = row.bad >= Self.badMax || cooldown?.isHalfOpen(at: now) == true
    guard isEnough, isKnown, !health.isCooling(at: now) else { return [record] }
    let length = min(max(Self.shortest, 2 * interval), CooldownTerms.longest)
    return [
      record,
      start(tested, rule: Self.rule, until: UnixNanoseconds(now.rawValue + length)),
    ]
  }

  /// Forgets accounts that are tested no more.
  public mutating func keep(only accounts: Set<AccountID>) {
    rows = rows.filter { accounts.contains($0.key) }
  }

  /// Takes over the row of one account from `other`.
  public mutating func take(_ other: HealthChecks, of account: AccountID) {
    rows[account] = other.rows[account]
  }

  private func start(
    _ tested: HealthEvent.Tested, rule: String, until: UnixNanoseconds
  ) -> HealthCommand {
    .startCooldown(
      HealthEvent.CooldownStarted(
        account: tested.account, scope: .account, rule: rule, until: until,
        status: tested.isValid ? nil : tested.status,
        errorCode: tested.isValid ? nil : tested.errorCode))
  }

  private static func isLimit(_ cooldown: AccountHealth.Cooldown) -> Bool {
    [FailureRule.rateLimited.rawValue, FailureRule.quotaExhausted.rawValue].contains(cooldown.rule)
  }
}

import Domain
public import Logging
import Synchronization

/// Tests the accounts of providers that ask for it, again and again, and makes health out of what it finds.
///
/// Enabled accounts with a credential, not degraded, not kept away by a limit or an operator; each on its own time, spread
/// so that they do not come together, a few at once.
public final class HealthMonitor: Sendable {
  /// Tests under way at once.
  static let concurrency = 8
  private static let look = Duration.seconds(1)

  private let control: ControlPlane
  private let probe: any AccountProbe
  private let logger: Logger
  private let state = Mutex(State())

  private struct State {
    /// When each account is tested next, in nanoseconds since the epoch.
    var due: [AccountID: Int64] = [:]
    var checks = HealthChecks()
  }

  /// An account whose time has come.
  private struct Check: Sendable {
    var account: Account
    var model: String?
    var interval: Int64
  }

  /// A monitor of what `control` configures; nothing is tested before `run`.
  public init(control: ControlPlane, probe: any AccountProbe, logger: Logger) {
    self.control = control
    self.probe = probe
    self.logger = logger
  }

  /// Tests what is due, until the task is cancelled.
  public func run() async {
    while !Task.isCancelled {
      await step()
      // A pause between looks, which only cancelling ends early; tests call `step`.
      do { try await Task.sleep(for: Self.look) } catch { return }
    }
  }

  /// Tests what is due now, and returns when that is recorded.
  func step() async {
    let due = takeDue()
    await withTaskGroup(of: Void.self) { group in
      for (index, check) in due.enumerated() {
        if index >= Self.concurrency { await group.next() }
        group.addTask { await self.test(check) }
      }
    }
  }

  private func takeDue() -> [Check] {
    let configured = control.state
    let now = control.edge.now()
    var checks: [Check] = []
    var monitored: Set<AccountID> = []
    for account in configured.accounts.values.sorted(by: { $0.id < $1.id }) {
      guard let provider = configured.providers[account.provider], provider.isEnabled,
        let seconds = provider.healthCheckSeconds, account.isEnabled, account.degradation == nil,
        account.credential.fingerprint != nil
      else { continue }
      monitored.insert(account.id)
      let interval = Int64(seconds) * 1_000_000_000
      let isDue = state.withLock { state in
        // One that is new, or whose clock was set back, comes anywhere within its first interval.
        guard let due = state.due[account.id], due - now.rawValue <= 2 * interval else {
          state.due[account.id] = now.rawValue + share(of: interval)
          return false
        }
        guard now.rawValue >= due else { return false }
        state.due[account.id] = now.rawValue + interval * 9 / 10 + share(of: interval / 5)
        return true
      }
      let health = configured.health[account.id] ?? .unknown
      guard isDue, HealthChecks.isWorthTesting(health, at: now) else { continue }
      checks.append(Check(account: account, model: provider.firstModel, interval: interval))
    }
    let kept = monitored
    state.withLock { state in
      state.due = state.due.filter { kept.contains($0.key) }
      state.checks.keep(only: kept)
    }
    return checks
  }

  private func share(of interval: Int64) -> Int64 {
    Int64(control.edge.random() % UInt64(max(1, interval)))
  }

  private func test(_ check: Check) async {
    let account = check.account
    let began = control.state.position
    let report =
      if let model = check.model {
        await probe.test(account.id, model: model)
      } else {
        await probe.models(of: account.id).probe
      }
    // What says something about this gateway alone is no finding.
    guard !["unknown_account", "overloaded", "shutting_down"].contains(report.errorCode) else {
      return
    }
    let tested = HealthEvent.Tested(
      account: account.id, model: check.model, isValid: report.isValid,
      latencyMicroseconds: report.microseconds, status: report.status,
      errorClass: report.errorClass, errorCode: report.errorCode)
    let now = control.edge.now()
    let before = state.withLock { $0.checks }
    let after = Mutex(before)
    do {
      try await control.execute(provenance: .system) { state in
        // What was asked with an old key says nothing of the new one, nor of an account that is gone.
        guard state.accounts[account.id]?.credential.generation == account.credential.generation
        else { return [] }
        var checks = before
        let commands = checks.decide(
          tested, began: began, at: now, interval: check.interval,
          state.health[account.id] ?? .unknown)
        after.withLock { $0 = checks }
        return commands.map { Change(.health($0)) }
      }
      let checks = after.withLock { $0 }
      state.withLock { $0.checks.take(checks, of: account.id) }
    } catch {
      logger.warning(
        "a test of an account could not be recorded",
        metadata: ["account": "\(account.id.rawValue)", "cause": "\(error)"])
    }
  }
}

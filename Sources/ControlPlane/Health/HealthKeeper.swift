public import Domain
public import Logging
import Synchronization

/// Makes health out of what the data plane reports: the one writer of what traffic says of accounts.
///
/// Reports wait in a bounded queue, in which those that say the same are one; whatever has gathered is decided at once
/// and becomes at most one append. Reports from which nothing follows (nearly all, in an outage) cost none.
public final class HealthKeeper: Sendable {
  /// More kinds of reports than this do not wait; further ones are shed.
  static let waitingMax = 4_096
  /// Reports decided at once.
  private static let batchMax = 512
  /// What was shed or could not be written is said in the log no more often, in nanoseconds.
  private static let sayingInterval: Int64 = 60_000_000_000

  private let control: ControlPlane
  private let logger: Logger
  private let state = Mutex(State())
  private let signals: AsyncStream<Void>
  private let signal: AsyncStream<Void>.Continuation

  private struct State {
    var waiting: [Waiting] = []
    /// The last of an account's in `waiting`.
    var last: [AccountID: Int] = [:]
    var streaks = HealthStreaks()
    var shed: UInt64 = 0
    var saidAt: Int64 = .min
  }

  private struct Waiting: Sendable {
    var told: HealthStreaks.Told
    var dealtWith: [@Sendable () -> Void]
  }

  /// A keeper of the health in `control`; nothing is decided before `run`.
  public init(control: ControlPlane, logger: Logger) {
    self.control = control
    self.logger = logger
    (signals, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  /// Takes in a report; never blocks.
  ///
  /// - Parameter dealtWith: called exactly once, on any thread: what follows is published, or the report was shed.
  public func report(_ report: AttemptReport, dealtWith: (@Sendable () -> Void)?) {
    let isTaken = state.withLock { state in
      if let index = state.last[report.account], state.waiting[index].told.absorb(report) {
        if let dealtWith { state.waiting[index].dealtWith.append(dealtWith) }
        return true
      }
      guard state.waiting.count < Self.waitingMax else {
        state.shed += 1
        return false
      }
      state.last[report.account] = state.waiting.count
      state.waiting.append(
        Waiting(told: HealthStreaks.Told(report), dealtWith: dealtWith.map { [$0] } ?? []))
      return true
    }
    guard isTaken else {
      dealtWith?()
      return
    }
    signal.yield()
  }

  /// Decides what is reported, until the task is cancelled; then what still waits.
  public func run() async {
    for await _ in signals {
      await settle()
    }
    await settle()
  }

  /// Decides everything that waits.
  func settle() async {
    while true {
      let batch = state.withLock { state in
        let all = state.waiting
        state.waiting = []
        state.last = [:]
        return all
      }
      if batch.isEmpty { return }
      var rest = batch[...]
      while !rest.isEmpty {
        let part = rest.prefix(Self.batchMax)
        rest = rest.dropFirst(Self.batchMax)
        await decide(part.map(\.told))
        for waiting in part { for call in waiting.dealtWith { call() } }
      }
    }
  }

  private func decide(_ told: [HealthStreaks.Told]) async {
    let before = state.withLock { $0.streaks }
    // Most reports change nothing that is written: those do not queue with the operators' edits.
    var after = before
    if after.decide(told, control.state).isEmpty {
      return keep(after)
    }
    let outcome = Mutex(before)
    do {
      try await control.execute(provenance: .system) { state in
        var streaks = before
        let consequences = streaks.decide(told, state)
        outcome.withLock { $0 = streaks }
        return consequences.map { it in
          let request = it.request.rawValue
          return Change(
            .health(it.command),
            provenance: Provenance(
              actor: Provenance.system.actor, source: .system, cause: request,
              correlation: request))
        }
      }
      keep(outcome.withLock { $0 })
    } catch {
      // The failures are still in a row: the next one tries again.
      say("the health of accounts could not be recorded", cause: "\(error)")
    }
  }

  private func keep(_ streaks: HealthStreaks) {
    let shed = state.withLock { state in
      state.streaks = streaks
      defer { state.shed = 0 }
      return state.shed
    }
    if shed > 0 { say("reports of attempts were shed", cause: "\(shed) beyond the queue's bound") }
  }

  private func say(_ text: String, cause: String) {
    let now = control.edge.now().rawValue
    let maySay = state.withLock { state in
      guard now < state.saidAt || state.saidAt == .min || now - state.saidAt >= Self.sayingInterval
      else { return false }
      state.saidAt = now
      return true
    }
    if maySay { logger.warning("\(text)", metadata: ["cause": "\(cause)"]) }
  }
}

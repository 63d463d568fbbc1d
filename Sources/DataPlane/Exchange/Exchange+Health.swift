import Domain
import NIOCore

/// What an attempt's end says of its account, and to whom.
extension Exchange {
  /// The attempt under way was chosen to find out whether its account serves again.
  func probeBegan() {
    guard attempt?.permit != nil, let attempt, let health = context.plane.health else { return }
    health.report(report(attempt, .probeStarted), dealtWith: nil)
  }

  /// Tells how an attempt ended, if anything follows from it for others.
  ///
  /// `verdict` nil: its answer was good to the end. `wait`: nanoseconds until upstream takes requests again.
  func tell(_ attempt: OpenAttempt, _ verdict: FailureVerdict?, wait: Int64?) {
    // What is stored proves nothing of how an account serves: a key that may not read it answers chats, and one client's
    // polls would take the account from everybody. A dead key is found by the next request that is no poll.
    if operation.isOfStored { return giveBack(attempt) }
    let gauges = context.plane.gauges
    let account = attempt.facts.account
    guard let verdict else {
      let settings = context.routing.snapshot.settings
      if settings.fallbackStrategy == .leastLatency,
        let latency = attempt.facts.firstByteMicroseconds
      {
        gauges.note(latency: latency, of: account, now: now())
      }
      for doubt in doubts { blame(doubt.attempt, doubt.verdict, wait: doubt.wait) }
      doubts = []
      let wasSuspect = gauges.clear(account)
      guard wasSuspect || attempt.permit != nil else { return }
      return send(attempt, .succeeded)
    }
    guard verdict.scope != .nothing else { return giveBack(attempt) }
    // Once the client has the beginning, nobody else can prove anything.
    if verdict.needsProof, !isCommitted {
      doubts.append(Doubt(attempt: attempt, verdict: verdict, wait: wait))
    } else {
      blame(attempt, verdict, wait: wait)
    }
  }

  /// A failure that is the account's only if another account serves the same request.
  struct Doubt {
    var attempt: OpenAttempt
    var verdict: FailureVerdict
    var wait: Int64?
  }

  /// Nobody served the request: what was doubtful was its own fault, and speaks against nobody.
  func dropDoubts() {
    for doubt in doubts { giveBack(doubt.attempt) }
    doubts = []
  }

  private func blame(_ attempt: OpenAttempt, _ verdict: FailureVerdict, wait: Int64?) {
    context.plane.gauges.suspect(attempt.facts.account)
    let wall = context.plane.clock.wallNanoseconds
    send(
      attempt,
      .failed(
        verdict, status: attempt.facts.status,
        resetAt: wait.map { UnixNanoseconds(wall + $0) }))
  }

  /// The account rejected an option that we added: others need not find out.
  func tellQuirk(_ quirk: Quirk) {
    guard let attempt, let health = context.plane.health else { return }
    health.report(report(attempt, .learned(quirk)), dealtWith: nil)
  }

  /// Nothing was found out about the account.
  func giveBack(_ attempt: OpenAttempt) {
    if let permit = attempt.permit { context.plane.gauges.giveBack(permit) }
  }

  private func send(_ attempt: OpenAttempt, _ outcome: AttemptReport.Outcome) {
    guard let health = context.plane.health else { return giveBack(attempt) }
    guard let permit = attempt.permit else {
      return health.report(report(attempt, outcome), dealtWith: nil)
    }
    let gauges = context.plane.gauges
    health.report(report(attempt, outcome)) { gauges.giveBack(permit) }
  }

  private func report(
    _ attempt: OpenAttempt, _ outcome: AttemptReport.Outcome
  ) -> AttemptReport {
    AttemptReport(
      account: attempt.facts.account, provider: attempt.provider,
      upstreamModel: attempt.upstreamModel, policy: attempt.policy,
      snapshot: attempt.renewedAt ?? attempt.facts.snapshot,
      at: UnixNanoseconds(context.plane.clock.wallNanoseconds), outcome: outcome, request: id)
  }
}

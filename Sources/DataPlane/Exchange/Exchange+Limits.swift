import Domain
import NIOCore
import Surface

/// Limits and budgets: a request is let in once, before its first call, and settled once, at its end.
extension Exchange {
  /// What is known of a request's limits while it goes on; without a key there are none.
  struct LimitState {
    var limits: KeyLimits
    var grant: LimitGrant?
    var readings: [LimitReading] = []
    var headers = LimitHeaders.none
  }

  /// Lets the request in; false: it was refused and is answered.
  func takeLimits() -> Bool {
    guard let key, let scan else { return true }
    let limits = context.limits(of: key)
    limitState = LimitState(limits: limits)
    guard limits.isLimited else { return true }
    let answer = context.plane.limiter.admit(
      LimitedRequest(receivedAt: receivedAt, monotonic: now(), estimate: estimate(scan, limits)),
      limits)
    limitState?.readings = answer.readings
    limitState?.headers = answer.headers
    switch answer.verdict {
    case .granted(let grant):
      limitState?.grant = grant
      return true
    case .refused(let refusal):
      if case .exceeded = refusal.cause, scan.maxTokens == nil { forget(scan, limits) }
      deny(refusal)
      return false
    }
  }

  /// What is set aside for the request; nil: it is under no budget.
  var reserve: Reserve? {
    limitState?.grant?.reserve.map { Reserve(microUSD: $0.microUSD, tokens: $0.tokens) }
  }

  /// One long answer must not keep all later requests out: each one refused for it makes it count less.
  private func forget(_ scan: RequestScan, _ limits: KeyLimits) {
    let limiter = context.plane.limiter
    let targets = context.routing.snapshot.targets(
      of: scan.model, organisation: key?.organisation)
    for target in targets where limiter.lately(target, limits) != nil {
      limiter.observe(0, of: target, limits)
    }
  }

  private func estimate(_ scan: RequestScan, _ limits: KeyLimits) -> SpendEstimate {
    let snapshot = context.routing.snapshot
    let limiter = context.plane.limiter
    let targets = snapshot.targets(of: scan.model, organisation: key?.organisation).map {
      SpendEstimate.Target(price: snapshot.pricing.prices[$0], lately: limiter.lately($0, limits))
    }
    return SpendEstimate(
      bodyBytes: requestBytes, maxOutput: scan.maxTokens, answers: scan.answers ?? 1,
      targets: targets)
  }

  private func deny(_ refusal: LimitRefusal) {
    var head = answerHead(status: refusal.code.status)
    head.shouldRetry = refusal.code.isRetryable
    head.wait(nanoseconds: refusal.waitNanoseconds)
    let body = errorBody(
      refusal.code, retryAfter: head.waitSeconds, details: refusal.details)
    conclude(
      .denied, status: head.status, code: refusal.code.rawValue, errorClass: .client,
      .own(head, body))
  }

  /// The request is decided: what it holds is given back, and what it cost is counted.
  func settleLimits(_ finished: RequestEvent.Finished) {
    guard let state = limitState else { return }
    limitState?.grant = nil
    let limiter = context.plane.limiter
    let cost = finished.charge
    guard let grant = state.grant else {
      return limiter.count(cost, receivedAt: receivedAt, state.limits)
    }
    if finished.ending == .denied, finished.attempts.isEmpty {
      return limiter.withdraw(grant, monotonic: now())
    }
    // A rate of tokens has no log to agree with: what was not reported counts as estimated.
    let tokens = finished.charge(reserve: grant.estimate.amount).tokens
    limiter.settle(grant, cost: cost, tokens: tokens, monotonic: now())
    if let output = finished.usage.output, let served {
      let answers = max(1, scan?.answers ?? 1)
      limiter.observe(output / answers + (output % answers > 0 ? 1 : 0), of: served, state.limits)
    }
  }
}

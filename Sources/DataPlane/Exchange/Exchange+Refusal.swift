import Domain
import Surface

/// What routing's refusals tell the client.
extension Exchange {
  /// No upstream call is made: `refusal` says why.
  func deny(_ refusal: RoutingRefusal, _ wall: UnixNanoseconds) {
    switch refusal {
    case .unknownModel(let near):
      var message = "No provider offers this model."
      if near.isEmpty {
        // Nothing resembles it: what there is says more than nothing at all.
        let offered = context.routing.snapshot.models(for: key?.id).prefix(10).map(\.id)
        if !offered.isEmpty { message += " Offered are: \(offered.joined(separator: ", "))." }
      } else {
        message += " Did you mean: \(near.joined(separator: ", "))?"
      }
      deny(.modelNotFound, message: message, param: "model")
    case .ambiguousModel(let candidates):
      deny(
        .modelNotFound,
        message: "This model needs a provider's prefix: \(candidates.joined(separator: ", ")).",
        param: "model")
    case .modelNotAllowed: deny(.modelNotAllowed, param: "model")
    case .noAccount(let rejected): denyForNow(rejected, wall)
    }
  }

  /// Every account is out of the question now: until when, if that is a matter of time.
  func denyForNow(_ rejected: [RoutingRefusal.Rejection], _ wall: UnixNanoseconds) {
    if !rejected.isEmpty, rejected.allSatisfy({ $0.reason == .otherProtocol }) {
      return deny(.unsupportedOperation, param: "model")
    }
    let wait = Self.wait(rejected, wall)
    var message: String?
    if let wait {
      let until = rfc3339(Self.wholeSecond(UnixNanoseconds(wall.rawValue + wait)))
      message = "No account can take the request before \(until)."
    }
    if key?.diagnostics == true, !rejected.isEmpty {
      let told = rejected.prefix(10).map { "\($0.account.rawValue): \(Self.text($0.reason))" }
      let rest = rejected.count > 10 ? "; and \(rejected.count - 10) more" : ""
      message =
        (message ?? ErrorCode.noAccountAvailable.summary) + " "
        + told.joined(separator: "; ") + rest + "."
    }
    if let links, let owner = links.owner {
      // No wait brings an account together with another one's model.
      guard rejected.contains(where: { $0.account == owner }) else {
        return deny(
          .stateNotCarried,
          message:
            "\(links.field) names what is stored at an account that does not serve this model.",
          param: links.field)
      }
      return answerError(
        .denied, .stateBound, errorClass: .account,
        message: ErrorCode.stateBound.summary + (message.map { " " + $0 } ?? ""),
        param: links.field, wait: wait, isRetryable: wait != nil)
    }
    let isQuota = wait != nil && isQuota(rejected)
    deny(
      isQuota ? .rateLimited : .noAccountAvailable, message: message,
      errorClass: isQuota ? .account : .gateway, wait: wait)
  }

  /// Another attempt is not made: the client need not wait for longer than for the first account to be back.
  func noteWait(_ refusal: RoutingRefusal, _ wall: UnixNanoseconds) {
    guard case .noAccount(let rejected) = refusal else { return }
    othersLeft = rejected
    othersWait = Self.wait(rejected, wall)
  }

  /// The shorter of two waits in nanoseconds, where there are any.
  func shorter(_ one: Int64?, _ other: Int64?) -> Int64? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
  }

  /// Nanoseconds until the first of the accounts may be asked again; nil: time alone brings none back.
  static func wait(
    _ rejected: [RoutingRefusal.Rejection], _ wall: UnixNanoseconds
  ) -> Int64? {
    rejected.compactMap { rejection -> Int64? in
      if let until = rejection.reason.until { return max(1, until.rawValue - wall.rawValue) }
      return rejection.reason.isTimed ? 1_000_000_000 : nil
    }.min()
  }

  /// Whether all that time brings back are out because of a provider's limit.
  private func isQuota(_ rejected: [RoutingRefusal.Rejection]) -> Bool {
    let timed = Set(
      rejected.compactMap { rejection -> AccountID? in
        rejection.reason.isTimed ? rejection.account : nil
      })
    let limits = [FailureRule.rateLimited.rawValue, FailureRule.quotaExhausted.rawValue]
    return context.routing.snapshot.accounts.allSatisfy { account in
      !timed.contains(account.id) || account.cooldownRules.allSatisfy(limits.contains)
    }
  }

  private static func text(_ reason: RejectionReason) -> String {
    reason.until.map { "\(reason.name) until \(rfc3339(wholeSecond($0)))" } ?? reason.name
  }

  /// Rounded up: what is told is not too early.
  private static func wholeSecond(_ time: UnixNanoseconds) -> UnixNanoseconds {
    let second: Int64 = 1_000_000_000
    return UnixNanoseconds((time.rawValue + second - 1) / second * second)
  }
}

extension RejectionReason {
  /// Time alone brings the account back.
  var isTimed: Bool { until != nil || self == .probing }
}

import Domain
import NIOCore

/// Asking an account again with a newer credential, once, after its provider refused the one presented.
///
/// The attempt stays the same one: routing decided for the account, and still does. Nothing is told of the account's
/// health, since what was refused is not what is in force.
extension Exchange {
  /// What is done if no newer credential comes.
  struct Renewal {
    var verdict: FailureVerdict
    var error: CollectedError
  }

  /// Longer than this nobody waits, whatever the request's time; a refresh takes at most half a minute.
  private static let patience = TimeAmount.seconds(35)

  /// False: there is no newer credential to be had, or it was refused as well.
  func renew(_ verdict: FailureVerdict, _ error: CollectedError) -> Bool {
    guard let attempt, attempt.renewedAt == nil, now() < giveUpAt else { return false }
    context.refreshRouting()
    guard let account = renewed(attempt)?.account else { return false }
    // Somebody was faster: the request began with a credential that is not in force any more.
    if account.generation > attempt.generation { return askAgain() }
    guard account.isRenewable, let source = context.plane.credentials else { return false }
    renewal = Renewal(verdict: verdict, error: error)
    deadline = min(now() + Self.patience.nanoseconds, giveUpAt)
    let exchange = NIOLoopBound(self, eventLoop: context.eventLoop)
    let eventLoop = context.eventLoop
    source.renew(attempt.facts.account, presented: attempt.generation, for: id) { isNewer in
      eventLoop.execute { exchange.value.renewalEnded(isNewer) }
    }
    return true
  }

  /// The wait took too long: as if there were no newer credential.
  func giveUpRenewal() {
    guard let waited = renewal else { return }
    renewal = nil
    deadline = .max
    leave(waited.verdict, waited.error)
  }

  private func renewalEnded(_ isNewer: Bool) {
    // The client may be gone, or the time over.
    guard renewal != nil, phase == .attempting else { return }
    if isNewer {
      context.refreshRouting()
      if let attempt, let account = renewed(attempt)?.account,
        account.generation > attempt.generation
      {
        renewal = nil
        deadline = .max
        if askAgain() { return }
      }
    }
    giveUpRenewal()
  }

  /// The account under way, as it is now; nil: it is gone, or nothing may go there any more.
  private func renewed(_ attempt: OpenAttempt) -> (index: Int, account: SnapshotAccount)? {
    let accounts = context.routing.snapshot.accounts
    guard let index = accounts.firstIndex(where: { $0.id == attempt.facts.account }),
      accounts[index].obstacle == nil
    else { return nil }
    return (index, accounts[index])
  }

  private func askAgain() -> Bool {
    guard let former = attempt, let (index, account) = renewed(former) else { return false }
    attempt?.accountIndex = index
    attempt?.generation = account.generation
    attempt?.renewedAt = context.routing.snapshot.position
    attempt?.mayRetryStale = true
    call()
    return true
  }
}

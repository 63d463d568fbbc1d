/// Whether somebody can serve a model now.
public enum Availability: Sendable, Hashable {
  case available
  /// Not before this time, as far as time alone brings it back; nil: it does not.
  case unavailable(until: UnixNanoseconds?)
}

extension RoutingSnapshot {
  /// Whether a request for `model` would find an account at `now`.
  ///
  /// An account whose cooldown is over counts as there, whether or not it has proved so.
  public func availability(
    of model: String, organisation: OrganisationID?, key: KeyID?, at now: UnixNanoseconds
  ) -> Availability {
    let facts = RequestFacts(
      model: model, organisation: organisation, key: key, operation: .chatCompletions)
    switch route(self, facts, now: now, seed: 0, local: .none, tried: []) {
    case .success: return .available
    case .failure(.noAccount(let rejected)):
      return .unavailable(until: rejected.compactMap(\.reason.until).min())
    case .failure: return .unavailable(until: nil)
    }
  }

  /// When the first cooldown or credential ends after `now`: until then availability stays as it is.
  public func nextChange(after now: UnixNanoseconds) -> UnixNanoseconds? {
    var next: UnixNanoseconds?
    for account in accounts {
      guard let timed = account.timed else { continue }
      let times =
        [timed.cooldown?.until, timed.expiresAt] + timed.modelCooldowns.values.map(\.until)
      for case let time? in times where time > now && time < next ?? UnixNanoseconds(.max) {
        next = time
      }
    }
    return next
  }
}

extension RejectionReason {
  /// When time alone ends it; nil: it does not.
  public var until: UnixNanoseconds? {
    switch self {
    case .cooling(let until), .modelCooling(let until): until
    case .disabled, .providerDisabled, .noCredential, .degraded, .credentialExpired, .probing,
      .notAllowed, .notOffered, .noWeight, .alreadyTried, .notCarried, .lowerPriority, .notDrawn,
      .laterInCombo,
      .otherProtocol, .notOwner:
      nil
    }
  }
}

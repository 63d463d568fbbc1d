import Domain

extension RequestEvent.Finished {
  /// What the gateway answers when routing itself finds no way.
  private static let routingCodes: Set<String> = [
    "model_not_found", "no_account_available", "model_not_allowed", "unsupported_operation",
    "state_bound", "state_not_carried",
  ]

  /// Whether no account was asked because routing found none, so that this can be decided again.
  var isRefusedByRouting: Bool {
    guard attempts.isEmpty, operation.goesUpstream else { return false }
    // Where all accounts wait for a provider's limit, that is what the client is told; our own limits are its own fault.
    return Self.routingCodes.contains(errorCode ?? "")
      || errorCode == "rate_limited" && errorClass == .account
  }

  /// Whether it is about something that one account alone has, of which nothing is recorded but with a call.
  var isForUnknownOwner: Bool {
    attempts.isEmpty
      && (operation.isOfStored || errorCode == "state_bound" || errorCode == "state_not_carried")
  }

  /// What keeps the request out before it is routed, by the gateway's own rule, as its error's code; nil: nothing.
  ///
  /// - Parameter now: what the key's end is compared with.
  func refusal(
    by state: ControlState, _ snapshot: RoutingSnapshot, at now: UnixNanoseconds
  ) -> String? {
    // Which unknown key was shown is not recorded: it counts as none.
    let presented: PresentedKey =
      key.map { id in
        state.keys[id].flatMap { snapshot.key($0.fingerprint) }.map { .key($0) } ?? .unknown
      } ?? .none
    if case .refused(let refusal) = state.settings.admission(of: presented, to: operation, at: now)
    {
      return refusal.rawValue
    }
    return requestBytes > state.settings.maxBodyBytes ? "body_too_large" : nil
  }

  /// The limits and budgets that it is held to; whether they let it in hangs on what else came, and is not decided.
  func bounds(in state: ControlState) -> [LimitScope: RequestBounds] {
    var bounds: [LimitScope: RequestBounds] = [:]
    if let it = key.flatMap({ state.keys[$0] }) {
      bounds[.key(it.id)] = RequestBounds(limits: it.limits, budgets: it.budgets)
    }
    if let it = organisation.flatMap({ state.organisations[$0] }) {
      bounds[.organisation(it.id)] = RequestBounds(limits: it.limits, budgets: it.budgets)
    }
    return bounds.filter { $0.value != RequestBounds(limits: .none, budgets: []) }
  }
}

/// How much one key or organisation may ask for.
struct RequestBounds: Hashable {
  var limits: Limits
  var budgets: [Budget]
}

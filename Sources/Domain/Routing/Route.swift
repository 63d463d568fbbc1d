/// Where the next attempt of a request goes. Pure: gateway and replay call the same function.
///
/// - Parameters:
///   - now: the decision's clock; recorded with the attempt.
///   - seed: the decision's dice; unused by fill-first.
///   - local: what events up to the snapshot do not determine; empty for fill-first.
///   - tried: accounts that this request already used; never chosen again.
public func route(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [AccountID]
) -> Result<RoutingDecision, RoutingRefusal> {
  preconditionFailure("not written yet")
}

/// Every account of the resolved target and why it was not chosen; nil for the one that was.
///
/// Derived from the judgement that `route` uses. Empty if the model is unknown or ambiguous.
public func candidates(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [AccountID]
) -> [(account: AccountID, rejection: RejectionReason?)] {
  preconditionFailure("not written yet")
}

/// What the data plane tells of one attempt's end: what health is decided by.
public struct AttemptReport: Sendable, Hashable {
  /// Who was asked.
  public var account: AccountID
  /// Whose account it is.
  public var provider: ProviderID
  /// By the provider's own name of it.
  public var upstreamModel: String
  /// The policy that chose the account, if one did.
  public var policy: PolicyID?
  /// Position of the routing view that the attempt was chosen by: it knows nothing of what began later.
  public var snapshot: UInt64
  /// When the attempt ended.
  public var at: UnixNanoseconds
  /// How it ended.
  public var outcome: Outcome
  /// Whose attempt it was.
  public var request: RequestID

  /// How an attempt ended.
  public enum Outcome: Sendable, Hashable {
    /// The answer was good to its end.
    case succeeded
    /// `resetAt`: when the provider says that it will be over.
    case failed(FailureVerdict, status: UInt16?, resetAt: UnixNanoseconds?)
    /// It begins, as the one probe of a half-open account.
    case probeStarted
    /// The provider refused what the gateway had added to the request, and took the request without it.
    case learned(Quirk)
  }

  /// Made of its parts.
  public init(
    account: AccountID, provider: ProviderID, upstreamModel: String, policy: PolicyID?,
    snapshot: UInt64, at: UnixNanoseconds, outcome: Outcome, request: RequestID
  ) {
    self.account = account
    self.provider = provider
    self.upstreamModel = upstreamModel
    self.policy = policy
    self.snapshot = snapshot
    self.at = at
    self.outcome = outcome
    self.request = request
  }
}

/// What `route` must know of a request.
public struct RequestFacts: Sendable, Hashable {
  /// The client's `model`, as written.
  public var model: String
  /// The tenant it belongs to.
  public var organisation: OrganisationID?
  /// The API key that was presented, if any.
  public var key: KeyID?
  /// What was asked for.
  public var operation: Operation
  /// A hash of the session that the client named; nil: none.
  public var session: UInt64?
  /// Who has what the request refers to, and so alone can serve it; nil: it refers to nothing that is known.
  public var owner: AccountID?

  /// Made of its parts.
  public init(
    model: String, organisation: OrganisationID?, key: KeyID?, operation: Operation,
    session: UInt64? = nil, owner: AccountID? = nil
  ) {
    self.session = session
    self.owner = owner
    self.model = model
    self.organisation = organisation
    self.key = key
    self.operation = operation
  }
}

/// Where an attempt went, and so does not go again.
public struct Tried: Sendable, Hashable {
  /// Who was asked.
  public var account: AccountID
  /// The provider's own name of the model; nil: the account is out for every model.
  public var model: String?
  /// The request could not be told to it: what holds for one account of the provider holds for all.
  public var isUntold: Bool

  /// Made of its parts.
  public init(_ account: AccountID, model: String?, isUntold: Bool = false) {
    self.account = account
    self.model = model
    self.isUntold = isUntold
  }
}

/// Which rule chose the account.
public enum ChoiceRule: UInt8, Sendable, Hashable, CaseIterable {
  /// The best priority among those not tried.
  case fillFirst = 1
  /// The only candidate not tried.
  case only = 2
  /// In turn by weight, under a policy or the strategy; without a cursor by the decision's dice.
  case weighted = 3
  /// The best account of the first model of a combo that has one left.
  case combo = 4
  /// The next in turn.
  case roundRobin = 5
  /// The quicker of two drawn by the decision's dice.
  case leastLatency = 6
  /// The session's own account.
  case sessionSticky = 7
  /// The session's own account could not serve: the next one by its hash.
  case sessionMoved = 8
  /// The account that has what the request refers to.
  case owner = 9

  /// As shown by `replay`.
  public var name: String {
    switch self {
    case .fillFirst: "fill-first"
    case .only: "only"
    case .weighted: "weighted"
    case .combo: "combo"
    case .roundRobin: "round-robin"
    case .leastLatency: "least-latency"
    case .sessionSticky: "session-sticky"
    case .sessionMoved: "session-moved"
    case .owner: "owner"
    }
  }
}

/// Where an attempt goes.
public struct RoutingDecision: Sendable, Hashable {
  /// Index into `RoutingSnapshot.accounts`.
  public var accountIndex: Int
  /// The account concerned.
  public var account: AccountID
  /// At which provider the account is.
  public var provider: ProviderID
  /// The provider's own model name, to be sent upstream.
  public var upstreamModel: String
  /// The rule that decided.
  public var rule: ChoiceRule
  /// What of the account cooled and has not proved yet that it serves again.
  ///
  /// One request at a time goes there; nil: nothing is to be proved.
  public var probe: CooldownScope?
  /// Of the policy that it was decided under; nil: under none.
  public var policy: PolicyID?

  /// Made of its parts.
  public init(
    accountIndex: Int, account: AccountID, provider: ProviderID, upstreamModel: String,
    rule: ChoiceRule, probe: CooldownScope? = nil, policy: PolicyID? = nil
  ) {
    self.probe = probe
    self.policy = policy
    self.accountIndex = accountIndex
    self.account = account
    self.provider = provider
    self.upstreamModel = upstreamModel
    self.rule = rule
  }
}

/// Why one account was not chosen.
public enum RejectionReason: Sendable, Hashable {
  case disabled
  case providerDisabled
  case noCredential
  /// By an operator.
  case degraded
  /// The whole account, until then.
  case cooling(until: UnixNanoseconds)
  /// The model asked for at this account, until then.
  case modelCooling(until: UnixNanoseconds)
  case credentialExpired(at: UnixNanoseconds)
  /// Its cooldown is over, and another request is finding out whether it serves again.
  case probing
  /// The key may not use this account, or this model of it.
  case notAllowed
  /// The account does not offer the policy's model any more.
  case notOffered
  /// Its weight, under the policy or the strategy, is 0.
  case noWeight
  case alreadyTried
  /// The request cannot be told in its provider's words.
  case notCarried
  case lowerPriority(than: AccountID)
  /// It was another account's turn, or the dice chose it.
  case notDrawn(chosen: AccountID)
  /// An earlier model of the combo could serve.
  case laterInCombo(than: AccountID)
  /// Nothing that its provider understands means what was asked for.
  case otherProtocol
  /// Another account has what the request refers to.
  case notOwner

  /// As shown by `replay`.
  public var name: String {
    switch self {
    case .disabled: "disabled"
    case .providerDisabled: "provider_disabled"
    case .noCredential: "no_credential"
    case .degraded: "degraded"
    case .cooling: "cooling"
    case .modelCooling: "model_cooling"
    case .credentialExpired: "credential_expired"
    case .probing: "probing"
    case .notAllowed: "not_allowed"
    case .notOffered: "not_offered"
    case .noWeight: "no_weight"
    case .alreadyTried: "already_tried"
    case .notCarried: "not_carried"
    case .lowerPriority: "lower_priority"
    case .notDrawn: "not_drawn"
    case .laterInCombo: "later_in_combo"
    case .otherProtocol: "other_protocol"
    case .notOwner: "not_owner"
    }
  }
}

/// Why no account was chosen.
public enum RoutingRefusal: Error, Sendable, Hashable {
  /// No such model; names that come near, sorted, at most 10.
  case unknownModel(near: [String])
  /// A bare name that several providers offer, or a bare name while prefixes are required.
  case ambiguousModel(candidates: [String])
  /// The model is known, and the key may not ask for it.
  case modelNotAllowed
  /// The model is known, yet every account is unusable or was tried.
  case noAccount(rejected: [Rejection])

  /// One account and why it was passed over.
  public struct Rejection: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// Why it was passed over.
    public var reason: RejectionReason

    /// Made of its parts.
    public init(account: AccountID, reason: RejectionReason) {
      self.account = account
      self.reason = reason
    }
  }
}

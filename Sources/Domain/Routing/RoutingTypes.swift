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

  /// Made of its parts.
  public init(
    model: String, organisation: OrganisationID?, key: KeyID?, operation: Operation
  ) {
    self.model = model
    self.organisation = organisation
    self.key = key
    self.operation = operation
  }
}

/// Inputs of a decision that events up to its snapshot do not determine; empty for fill-first.
public struct LocalInputs: Sendable, Hashable {
  /// Made of its parts.
  public init() {}

  /// Nothing local was used.
  public static let none = LocalInputs()
}

/// Which rule chose the account.
public enum ChoiceRule: UInt8, Sendable, Hashable, CaseIterable {
  /// The best priority among those not tried.
  case fillFirst = 1
  /// The only candidate not tried.
  case only = 2
  /// Drawn among the accounts of a policy by their weights and the decision's dice.
  case weighted = 3
  /// The best account of the first model of a combo that has one left.
  case combo = 4

  /// As shown by `replay`.
  public var name: String {
    switch self {
    case .fillFirst: "fill-first"
    case .only: "only"
    case .weighted: "weighted"
    case .combo: "combo"
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

  /// Made of its parts.
  public init(
    accountIndex: Int, account: AccountID, provider: ProviderID, upstreamModel: String,
    rule: ChoiceRule
  ) {
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
  /// The key may not use this account, or this model of it.
  case notAllowed
  /// The account does not offer the policy's model any more.
  case notOffered
  /// Its weight under the policy is 0.
  case noWeight
  case alreadyTried
  case lowerPriority(than: AccountID)
  /// The dice chose another account of the policy.
  case notDrawn(chosen: AccountID)
  /// An earlier model of the combo could serve.
  case laterInCombo(than: AccountID)

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
    case .notAllowed: "not_allowed"
    case .notOffered: "not_offered"
    case .noWeight: "no_weight"
    case .alreadyTried: "already_tried"
    case .lowerPriority: "lower_priority"
    case .notDrawn: "not_drawn"
    case .laterInCombo: "later_in_combo"
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

/// Weighted accounts for an organisation's requests of a model, as they stand.
public struct Policy: Sendable, Hashable {
  /// Which requests it is for.
  public var id: PolicyID
  /// Who serves them: 1…64, each account once.
  public var accounts: [PolicyAccount]
  /// Consecutive failures under the policy after which an account cools: 1…1000.
  public var failoverThreshold: UInt32
  /// Some account did not offer the model when it was written.
  public var isUnresolved: Bool
  /// Of `policy/<organisation>/<model>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    id: PolicyID, accounts: [PolicyAccount], failoverThreshold: UInt32, isUnresolved: Bool,
    revision: UInt64, createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.accounts = accounts
    self.failoverThreshold = failoverThreshold
    self.isUnresolved = isUnresolved
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of a policy.
public enum PolicyCommand: Sendable, Hashable {
  /// Makes the policy this, whatever it was before.
  case set(
    PolicyID, accounts: [PolicyAccount], failoverThreshold: UInt32, allowUnresolved: Bool)
  case remove(PolicyID)

  /// Which policy the command is about.
  public var id: PolicyID {
    switch self {
    case .set(let id, _, _, _), .remove(let id): id
    }
  }
}

extension Policy {
  static let accountsMax = 64

  /// The rules of one policy; nil is "there is none".
  ///
  /// - Parameter isUnresolved: whether some account does not offer the model, as all providers say.
  static func decide(
    _ command: PolicyCommand, _ state: Policy?, isUnresolved: Bool
  ) throws(Refusal) -> [PolicyEvent] {
    switch (command, state) {
    case (.set(_, let accounts, let threshold, _), .some(let policy))
    where policy.accounts == accounts && policy.failoverThreshold == threshold
      && policy.isUnresolved == isUnresolved:
      return []
    case (.set(let id, let accounts, let threshold, _), .none),
      (.set(let id, let accounts, let threshold, _), .some):
      return [
        .set(
          .init(
            id: id, accounts: accounts, failoverThreshold: threshold, isUnresolved: isUnresolved))
      ]
    case (.remove(let id), .some): return [.removed(id)]
    case (.remove(let id), .none): throw unknown(id)
    }
  }

  /// Takes in a fact; total.
  static func evolve(
    _ state: inout Policy?, _ event: PolicyEvent, revision: UInt64, time: UnixNanoseconds
  ) {
    switch event {
    case .set(let it):
      state = Policy(
        id: it.id, accounts: it.accounts, failoverThreshold: it.failoverThreshold,
        isUnresolved: it.isUnresolved, revision: revision, createdAt: state?.createdAt ?? time,
        updatedAt: time)
    case .removed: state = nil
    }
  }

  static func unknown(_ id: PolicyID) -> Refusal {
    Refusal(
      code: .unknownPolicy, field: "model",
      value: Refusal.bounded("\(id.organisation.rawValue)/\(id.model)"),
      message: "there is no such policy",
      remedy: "List the policies to see for which organisations and models there are any.")
  }

  /// The bounds that hang on nothing else.
  static func check(
    _ id: PolicyID, _ accounts: [PolicyAccount], _ threshold: UInt32
  ) throws(Refusal) {
    if id.organisation != PolicyID.everyone {
      try Bounds.identifier(id.organisation.rawValue, "organisation")
    }
    try Bounds.modelName(id.model, "model")
    try Bounds.within(threshold, 1...1_000, "failover_threshold")
    try Bounds.within(accounts.count, 1...accountsMax, "number of accounts")
    var seen: Set<AccountID> = []
    for account in accounts {
      try Bounds.within(account.weight, Bounds.weights, "weight")
      guard seen.insert(account.account).inserted else {
        throw .invalid("accounts", account.account.rawValue, "an account stands in a policy once")
      }
    }
    guard accounts.contains(where: { $0.weight > 0 }) else {
      throw .invalid(
        "weight", "0", "some account must have a weight above 0",
        remedy: "Remove the policy to stop using it.")
    }
  }
}

/// Which requests a policy is for.
public struct PolicyID: Sendable, Hashable, Comparable {
  /// The tenant; `*`: every one that has no policy of its own for the model.
  public var organisation: OrganisationID
  /// The model as clients write it, without prefix: 1…191 bytes.
  public var model: String

  /// Stands for every organisation.
  public static let everyone = OrganisationID("*")

  /// Made of its parts.
  public init(organisation: OrganisationID, model: String) {
    self.organisation = organisation
    self.model = model
  }

  /// By organisation, then by model.
  public static func < (a: Self, b: Self) -> Bool {
    (a.organisation, a.model) < (b.organisation, b.model)
  }
}

/// An account's share under a policy.
public struct PolicyAccount: Sendable, Hashable {
  /// Who serves.
  public var account: AccountID
  /// 0…10000; 0: no request while it is.
  public var weight: UInt32

  /// Made of its parts.
  public init(account: AccountID, weight: UInt32) {
    self.account = account
    self.weight = weight
  }
}

/// Facts in `policy/<organisation>/<model>`.
public enum PolicyEvent: Sendable, Hashable {
  case set(Set)
  case removed(PolicyID)

  /// The policy now is this.
  public struct Set: Sendable, Hashable {
    /// Which requests it is for.
    public var id: PolicyID
    /// Who serves them: 1…64, each account once.
    public var accounts: [PolicyAccount]
    /// Consecutive failures under the policy after which an account cools: 1…1000.
    public var failoverThreshold: UInt32
    /// Some account did not offer the model when it was written (`allowUnresolved`).
    public var isUnresolved: Bool

    /// Made of its parts.
    public init(
      id: PolicyID, accounts: [PolicyAccount], failoverThreshold: UInt32, isUnresolved: Bool
    ) {
      self.id = id
      self.accounts = accounts
      self.failoverThreshold = failoverThreshold
      self.isUnresolved = isUnresolved
    }
  }

  /// Which policy the fact is about.
  public var id: PolicyID {
    switch self {
    case .set(let it): it.id
    case .removed(let id): id
    }
  }
}

extension PolicyID: Payload {
  func write(to writer: inout RecordWriter) {
    organisation.write(to: &writer)
    writer.text(model)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    organisation = try OrganisationID(from: &reader)
    model = try reader.text()
  }
}

extension PolicyAccount: Payload {
  func write(to writer: inout RecordWriter) {
    account.write(to: &writer)
    weight.write(to: &writer)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    account = try AccountID(from: &reader)
    weight = try reader.uint32()
  }
}

extension PolicyEvent.Set: Payload {
  func write(to writer: inout RecordWriter) {
    id.write(to: &writer)
    accounts.write(to: &writer)
    failoverThreshold.write(to: &writer)
    writer.flag(isUnresolved)
  }

  init(from reader: inout RecordReader) throws(DecodingFailure) {
    id = try PolicyID(from: &reader)
    accounts = try [PolicyAccount](from: &reader)
    failoverThreshold = try reader.uint32()
    isUnresolved = try reader.flag()
  }
}

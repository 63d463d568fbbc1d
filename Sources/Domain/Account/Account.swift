/// A credential holder as it stands.
public struct Account: Sendable, Hashable {
  /// Opaque, unique over all providers.
  public var id: AccountID
  /// Whose service it uses.
  public var provider: ProviderID
  /// Unique within the provider: 1…64 visible characters.
  public var name: String
  /// 1…1000; lower is tried first.
  public var priority: UInt32
  /// 0…10000.
  public var weight: UInt32
  /// Whether requests may go there.
  public var isEnabled: Bool
  /// Why an operator took it out until an operator restores it; nil: not degraded.
  public var degradation: Degradation?
  /// Its secret, as far as it can be told.
  public var credential: Credential
  /// Of `account/<id>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    id: AccountID, provider: ProviderID, name: String, priority: UInt32, weight: UInt32,
    isEnabled: Bool, degradation: Degradation? = nil, credential: Credential = .none,
    revision: UInt64, createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.provider = provider
    self.name = name
    self.priority = priority
    self.weight = weight
    self.isEnabled = isEnabled
    self.degradation = degradation
    self.credential = credential
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }

  /// An operator's word that no request may go there.
  public struct Degradation: Sendable, Hashable {
    /// In the operator's words: 1…256 visible characters.
    public var reason: String
    /// When it was said.
    public var since: UnixNanoseconds

    /// Made of its parts.
    public init(reason: String, since: UnixNanoseconds) {
      self.reason = reason
      self.since = since
    }
  }
}

/// What can be asked of an account.
public enum AccountCommand: Sendable, Hashable {
  /// With a credential: `account.added` and `credential.issued` in one batch.
  case add(AccountEvent.Added, credential: CredentialTerms?)
  case change(AccountEvent.Changed)
  case enable(AccountID)
  case disable(AccountID)
  /// Not one more request goes there until it is restored; said again with another reason: that one holds.
  case degrade(AccountID, reason: String)
  case restore(AccountID)
  /// Also revokes its credential.
  case remove(AccountID)
  /// The next generation; the current one's fingerprint again is no event.
  case issueCredential(AccountID, CredentialTerms)
  /// Of the credential in force; nil: not known.
  case setCredentialExpiry(AccountID, UnixNanoseconds?)

  /// Whom the command is about.
  public var id: AccountID {
    switch self {
    case .add(let it, _): it.id
    case .change(let it): it.id
    case .enable(let id), .disable(let id), .remove(let id), .issueCredential(let id, _),
      .degrade(let id, _), .restore(let id), .setCredentialExpiry(let id, _):
      id
    }
  }
}

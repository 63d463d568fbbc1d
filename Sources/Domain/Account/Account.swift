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
  /// Of the last credential issued; 0: never one.
  public var credentialGeneration: UInt64
  /// nil: no usable credential.
  public var credentialFingerprint: Fingerprint?
  /// Position of the event whose sealed part holds the secret.
  public var credentialPosition: UInt64?
  /// Of `account/<id>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    id: AccountID, provider: ProviderID, name: String, priority: UInt32, weight: UInt32,
    isEnabled: Bool, credentialGeneration: UInt64, credentialFingerprint: Fingerprint?,
    credentialPosition: UInt64?, revision: UInt64, createdAt: UnixNanoseconds,
    updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.provider = provider
    self.name = name
    self.priority = priority
    self.weight = weight
    self.isEnabled = isEnabled
    self.credentialGeneration = credentialGeneration
    self.credentialFingerprint = credentialFingerprint
    self.credentialPosition = credentialPosition
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of an account.
public enum AccountCommand: Sendable, Hashable {
  /// With a credential: `account.added` and `credential.issued` in one batch.
  case add(AccountEvent.Added, credential: Fingerprint?)
  case change(AccountEvent.Changed)
  case enable(AccountID)
  case disable(AccountID)
  /// Also revokes its credential.
  case remove(AccountID)
  /// The next generation; the current one's fingerprint again is no event.
  case issueCredential(AccountID, Fingerprint)

  /// Whom the command is about.
  public var id: AccountID {
    switch self {
    case .add(let it, _): it.id
    case .change(let it): it.id
    case .enable(let id), .disable(let id), .remove(let id), .issueCredential(let id, _): id
    }
  }
}

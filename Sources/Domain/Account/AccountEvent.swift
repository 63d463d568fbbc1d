/// Facts in `account/<id>`: what operators want of an account.
public enum AccountEvent: Sendable, Hashable {
  case added(Added)
  case changed(Changed)
  case enabled(AccountID)
  case disabled(AccountID)
  /// No test and no success lifts it, only `restored`.
  case degraded(Degraded)
  case restored(AccountID)
  /// An operator issued a credential or said when it ends: in this stream too, so that a revision of it is a revision of that.
  case credentialSet(CredentialSet)
  case removed(AccountID)

  /// An operator wants no request to go there.
  public struct Degraded: Sendable, Hashable {
    /// Whom it is about.
    public var id: AccountID
    /// In the operator's words: 1…256 visible characters.
    public var reason: String

    /// Made of its parts.
    public init(id: AccountID, reason: String) {
      self.id = id
      self.reason = reason
    }
  }

  /// Which generation an operator issued, or spoke of.
  public struct CredentialSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: AccountID
    /// As in the `credential.issued` of the same batch.
    public var generation: UInt64

    /// Made of its parts.
    public init(id: AccountID, generation: UInt64) {
      self.id = id
      self.generation = generation
    }
  }

  /// Everything an account begins with; its secret is a `CredentialEvent` of the same batch.
  public struct Added: Sendable, Hashable {
    /// Whom it is about.
    public var id: AccountID
    /// At which provider it is.
    public var provider: ProviderID
    /// Unique within the provider: 1…64 visible characters.
    public var name: String
    /// 1…1000; lower is tried first.
    public var priority: UInt32
    /// 0…10000; share among accounts where the strategy is weighted.
    public var weight: UInt32

    /// Made of its parts.
    public init(
      id: AccountID, provider: ProviderID, name: String, priority: UInt32, weight: UInt32
    ) {
      self.id = id
      self.provider = provider
      self.name = name
      self.priority = priority
      self.weight = weight
    }
  }

  /// Only the fields that changed; nil is "unchanged".
  public struct Changed: Sendable, Hashable {
    /// Whom it is about.
    public var id: AccountID
    /// Unique within the provider.
    public var name: String?
    /// 1…1000; lower is tried first.
    public var priority: UInt32?
    /// 0…10000; share among accounts where the strategy is weighted.
    public var weight: UInt32?

    /// Made of its parts.
    public init(
      id: AccountID, name: String? = nil, priority: UInt32? = nil, weight: UInt32? = nil
    ) {
      self.id = id
      self.name = name
      self.priority = priority
      self.weight = weight
    }
  }
}

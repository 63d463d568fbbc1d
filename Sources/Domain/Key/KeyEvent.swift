/// Facts in `key/<id>`.
public enum KeyEvent: Sendable, Hashable {
  case created(Created)
  case changed(Changed)
  case paused(KeyID)
  case resumed(KeyID)
  case revoked(KeyID)
  case accessChanged(AccessChanged)
  case limitsSet(LimitsSet)
  case budgetsSet(BudgetsSet)

  /// Only what changed of where the key leads and for how long; nil is "unchanged".
  public struct AccessChanged: Sendable, Hashable {
    /// Whom it is about.
    public var id: KeyID
    /// Names or `*` wildcards; empty: all models.
    public var allowedModels: [String]?
    /// Empty: all accounts.
    public var allowedAccounts: [AccountID]?
    /// When the key ends.
    public var expiry: Expiry?

    /// Made of its parts.
    public init(
      id: KeyID, allowedModels: [String]? = nil, allowedAccounts: [AccountID]? = nil,
      expiry: Expiry? = nil
    ) {
      self.id = id
      self.allowedModels = allowedModels
      self.allowedAccounts = allowedAccounts
      self.expiry = expiry
    }
  }

  /// When a key ends.
  public enum Expiry: Sendable, Hashable {
    case never
    case at(UnixNanoseconds)
  }

  /// These limits hold from now on, whatever held before.
  public struct LimitsSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: KeyID
    /// All of them.
    public var limits: Limits

    /// Made of its parts.
    public init(id: KeyID, limits: Limits) {
      self.id = id
      self.limits = limits
    }
  }

  /// These budgets hold from now on; an empty list: none.
  public struct BudgetsSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: KeyID
    /// One a period at most.
    public var budgets: [Budget]

    /// Made of its parts.
    public init(id: KeyID, budgets: [Budget]) {
      self.id = id
      self.budgets = budgets
    }
  }

  /// A key exists from now on; it was shown once and is kept as a fingerprint only.
  public struct Created: Sendable, Hashable {
    /// Whom it is about.
    public var id: KeyID
    /// The name shown to people.
    public var name: String
    /// The tenant it belongs to.
    public var organisation: OrganisationID
    /// Tells the secret from others without revealing it.
    public var fingerprint: Fingerprint
    /// The first few and last few characters, for people to recognise it.
    public var masked: String
    /// May see which account served and why.
    public var diagnostics: Bool
    /// After this the key is refused.
    public var expiresAt: UnixNanoseconds?

    /// Made of its parts.
    public init(
      id: KeyID, name: String, organisation: OrganisationID, fingerprint: Fingerprint,
      masked: String, diagnostics: Bool, expiresAt: UnixNanoseconds?
    ) {
      self.id = id
      self.name = name
      self.organisation = organisation
      self.fingerprint = fingerprint
      self.masked = masked
      self.diagnostics = diagnostics
      self.expiresAt = expiresAt
    }
  }

  /// Only the fields that changed; nil is "unchanged".
  public struct Changed: Sendable, Hashable {
    /// Whom it is about.
    public var id: KeyID
    /// The name shown to people.
    public var name: String?
    /// May see which account served and why.
    public var diagnostics: Bool?

    /// Made of its parts.
    public init(id: KeyID, name: String? = nil, diagnostics: Bool? = nil) {
      self.id = id
      self.name = name
      self.diagnostics = diagnostics
    }
  }
}

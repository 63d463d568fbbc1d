/// A client's API key as it stands.
public struct Key: Sendable, Hashable {
  /// Public; not the key itself.
  public var id: KeyID
  /// For people: 1…128 bytes.
  public var name: String
  /// The tenant it belongs to.
  public var organisation: OrganisationID
  /// Tells the secret from others without revealing it.
  public var fingerprint: Fingerprint
  /// The first few and last few characters.
  public var masked: String
  /// May see which account served and why.
  public var diagnostics: Bool
  /// After this the key is refused; nil: never.
  public var expiresAt: UnixNanoseconds?
  /// Names or `*` wildcards that it may ask for; empty: all.
  public var allowedModels: [String]
  /// Accounts that may serve it; empty: all.
  public var allowedAccounts: [AccountID]
  /// Of this key alone, beside those of its organisation.
  public var limits: Limits
  /// Of this key alone, beside those of its organisation.
  public var budgets: [Budget]
  /// What may be done with it.
  public var status: Status
  /// Of `key/<id>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    id: KeyID, name: String, organisation: OrganisationID, fingerprint: Fingerprint,
    masked: String, diagnostics: Bool, expiresAt: UnixNanoseconds?,
    allowedModels: [String] = [], allowedAccounts: [AccountID] = [], limits: Limits = .none,
    budgets: [Budget] = [], status: Status, revision: UInt64, createdAt: UnixNanoseconds,
    updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.name = name
    self.organisation = organisation
    self.fingerprint = fingerprint
    self.masked = masked
    self.diagnostics = diagnostics
    self.expiresAt = expiresAt
    self.allowedModels = allowedModels
    self.allowedAccounts = allowedAccounts
    self.limits = limits
    self.budgets = budgets
    self.status = status
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }

  /// active ⇄ paused; either → revoked, which is final.
  public enum Status: String, Sendable, Hashable, CaseIterable {
    case active
    case paused
    case revoked
  }

  /// Whether the key's time is over at `now`.
  public func isExpired(at now: UnixNanoseconds) -> Bool {
    if let expiresAt { now >= expiresAt } else { false }
  }
}

/// What can be asked of a key.
public enum KeyCommand: Sendable, Hashable {
  case create(KeyEvent.Created, rights: KeyRights = KeyRights())
  case change(KeyEvent.Changed)
  /// What the rights leave nil stays as it is.
  case changeRights(KeyID, KeyRights)
  case pause(KeyID)
  case resume(KeyID)
  case revoke(KeyID)

  /// Which key the command is about.
  public var id: KeyID {
    switch self {
    case .create(let it, _): it.id
    case .changeRights(let id, _): id
    case .change(let it): it.id
    case .pause(let id), .resume(let id), .revoke(let id): id
    }
  }
}

/// Where a key leads, how far and for how long; nil is "unchanged", and for a new key "no bound".
public struct KeyRights: Sendable, Hashable {
  /// Names or `*` wildcards, at most 500; empty: all models.
  public var allowedModels: [String]?
  /// At most 500; empty: all accounts.
  public var allowedAccounts: [AccountID]?
  /// When the key ends.
  public var expiry: KeyEvent.Expiry?
  /// All limits, whatever held before.
  public var limits: Limits?
  /// All budgets, whatever held before.
  public var budgets: [Budget]?

  /// Made of its parts.
  public init(
    allowedModels: [String]? = nil, allowedAccounts: [AccountID]? = nil,
    expiry: KeyEvent.Expiry? = nil, limits: Limits? = nil, budgets: [Budget]? = nil
  ) {
    self.allowedModels = allowedModels
    self.allowedAccounts = allowedAccounts
    self.expiry = expiry
    self.limits = limits
    self.budgets = budgets
  }
}

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
    masked: String, diagnostics: Bool, expiresAt: UnixNanoseconds?, status: Status,
    revision: UInt64, createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.name = name
    self.organisation = organisation
    self.fingerprint = fingerprint
    self.masked = masked
    self.diagnostics = diagnostics
    self.expiresAt = expiresAt
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
  case create(KeyEvent.Created)
  case change(KeyEvent.Changed)
  case pause(KeyID)
  case resume(KeyID)
  case revoke(KeyID)

  /// Which key the command is about.
  public var id: KeyID {
    switch self {
    case .create(let it): it.id
    case .change(let it): it.id
    case .pause(let id), .resume(let id), .revoke(let id): id
    }
  }
}

/// Facts in `key/<id>`.
public enum KeyEvent: Sendable, Hashable {
  case created(Created)
  case changed(Changed)
  case paused(KeyID)
  case resumed(KeyID)
  case revoked(KeyID)

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

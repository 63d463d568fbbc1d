/// A command that the rules do not allow; nothing happened.
public struct Refusal: Error, Sendable, Hashable {
  /// Why not, as a stable word.
  public var code: Code
  /// The field at fault in the words of the configuration (`base_url`), empty if the whole command is.
  public var field: String
  /// What was given, at most 128 bytes; never a secret.
  public var value: String
  /// What is wrong, as one sentence for people.
  public var message: String
  /// What would help, as one sentence; may be empty.
  public var remedy: String

  /// Made of its parts.
  public init(code: Code, field: String, value: String, message: String, remedy: String = "") {
    self.code = code
    self.field = field
    self.value = value
    self.message = message
    self.remedy = remedy
  }

  /// Why not, as a stable word.
  public enum Code: String, Sendable, Hashable, CaseIterable {
    /// A field is outside its documented bounds.
    case invalidField = "invalid_field"
    case unknownProvider = "unknown_provider"
    case unknownAccount = "unknown_account"
    case unknownKey = "unknown_key"
    case unknownAlias = "unknown_alias"
    case unknownModel = "unknown_model"
    case unknownCombo = "unknown_combo"
    case unknownPolicy = "unknown_policy"
    case unknownOrganisation = "unknown_organisation"
    case unknownSyncToken = "unknown_sync_token"
    /// There is one by this id; creating never overwrites.
    case alreadyExists = "already_exists"
    /// The name already means something else to clients or people.
    case nameCollision = "name_collision"
    /// An alias points at nothing that is offered; the remedy lists near names.
    case unknownTarget = "unknown_target"
    /// An alias points at a bare name that several providers offer; the remedy lists them.
    case ambiguousTarget = "ambiguous_target"
    /// An alias points at an alias.
    case aliasOfAlias = "alias_of_alias"
    /// `value` holds the current revision.
    case revisionMismatch = "revision_mismatch"
    /// Another key has the same secret.
    case keyExists = "key_exists"
    /// The key is revoked for good.
    case notActive = "not_active"
    /// A provider still has accounts; the message names them.
    case providerInUse = "provider_in_use"
    /// An organisation still has keys or policies; the message names them.
    case organisationInUse = "organisation_in_use"
    /// A credential cannot be refreshed, or not now; the message says why.
    case notRefreshable = "not_refreshable"
    /// A refresh of the credential is under way.
    case refreshInProgress = "refresh_in_progress"
    /// A sign-in is of another subject or workspace than the account it is for.
    case notHome = "not_home"
    case signedInAsAnother = "signed_in_as_another"
  }

  /// The caller based the command on another revision than the current one.
  public static func revisionMismatch(current: UInt64) -> Refusal {
    Refusal(
      code: .revisionMismatch, field: "revision", value: String(current),
      message: "the revision is \(current) by now",
      remedy: "Read the current state and decide again.")
  }
}

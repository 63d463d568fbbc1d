/// Facts in `credential/<account>`: generations of an account's secret, never mixed with intent or health.
public enum CredentialEvent: Sendable, Hashable {
  case issued(Issued)
  case revoked(AccountID)
  case expirySet(ExpirySet)
  /// Durable before the provider is called.
  case refreshAttempted(RefreshAttempted)
  /// The new secret is the event's sealed part, durable before its first use.
  case refreshed(Refreshed)
  case refreshRejected(RefreshRejected)
  case refreshFailed(RefreshFailed)
  case markedUncertain(MarkedUncertain)
  case released(Released)
  case staleWriteRefused(StaleWriteRefused)
  case homeMoved(HomeMoved)
  case ancestryLearned(AncestryLearned)

  /// A generation came from an operator, the file, a sign-in or another node.
  ///
  /// The secret itself is the event's sealed part.
  public struct Issued: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// From 1, only growing under one home epoch.
    public var generation: UInt64
    /// Tells the secret from others without revealing it.
    public var fingerprint: Fingerprint
    /// What it is.
    public var kind: Credential.Kind
    /// The only node that refreshes it; nil: this log's own.
    public var home: NodeID?
    /// Grows when another node becomes that.
    public var homeEpoch: UInt64
    /// Whether there is a refresh token with it.
    public var canRefresh: Bool
    /// nil: not known.
    public var expiresAt: UnixNanoseconds?

    /// Made of its parts; what is left out is as with an API key.
    public init(
      account: AccountID, generation: UInt64, fingerprint: Fingerprint,
      kind: Credential.Kind = .apiKey, home: NodeID? = nil, homeEpoch: UInt64 = 0,
      canRefresh: Bool = false, expiresAt: UnixNanoseconds? = nil
    ) {
      self.account = account
      self.generation = generation
      self.fingerprint = fingerprint
      self.kind = kind
      self.home = home
      self.homeEpoch = homeEpoch
      self.canRefresh = canRefresh
      self.expiresAt = expiresAt
    }
  }

  /// When the generation in force stops working became known, or unknown.
  public struct ExpirySet: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The generation in force.
    public var generation: UInt64
    /// nil: not known.
    public var expiresAt: UnixNanoseconds?

    /// Made of its parts.
    public init(account: AccountID, generation: UInt64, expiresAt: UnixNanoseconds?) {
      self.account = account
      self.generation = generation
      self.expiresAt = expiresAt
    }
  }

  /// A refresh token is about to be presented.
  public struct RefreshAttempted: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// Whose refresh token it is.
    public var generation: UInt64
    /// Counts through all refreshes of the account, from 1.
    public var attempt: UInt64
    /// Why.
    public var cause: RefreshCause

    /// Made of its parts.
    public init(account: AccountID, generation: UInt64, attempt: UInt64, cause: RefreshCause) {
      self.account = account
      self.generation = generation
      self.attempt = attempt
      self.cause = cause
    }
  }

  /// The provider gave a new access token.
  public struct Refreshed: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The generation whose refresh token was presented.
    public var from: UInt64
    /// The one in force from now on.
    public var generation: UInt64
    /// Of the new secret.
    public var fingerprint: Fingerprint
    /// nil: the provider did not say.
    public var expiresAt: UnixNanoseconds?
    /// Number of the attempt.
    public var attempt: UInt64

    /// Made of its parts.
    public init(
      account: AccountID, from: UInt64, generation: UInt64, fingerprint: Fingerprint,
      expiresAt: UnixNanoseconds?, attempt: UInt64
    ) {
      self.account = account
      self.from = from
      self.generation = generation
      self.fingerprint = fingerprint
      self.expiresAt = expiresAt
      self.attempt = attempt
    }
  }

  /// The provider takes the refresh token no more; the access token is used until it ends.
  public struct RefreshRejected: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// Whose refresh token it was.
    public var generation: UInt64
    /// Number of the attempt.
    public var attempt: UInt64
    /// Stable short code, never the provider's text.
    public var code: String

    /// Made of its parts.
    public init(account: AccountID, generation: UInt64, attempt: UInt64, code: String) {
      self.account = account
      self.generation = generation
      self.attempt = attempt
      self.code = code
    }
  }

  /// The refresh brought nothing, and nothing says that the refresh token is bad.
  public struct RefreshFailed: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// Whose refresh token it was.
    public var generation: UInt64
    /// Number of the attempt.
    public var attempt: UInt64
    /// Stable short code, never the provider's text.
    public var code: String
    /// The provider may have taken the refresh token all the same.
    public var outcomeUnknown: Bool
    /// Not again by itself before this.
    public var retryAt: UnixNanoseconds

    /// Made of its parts.
    public init(
      account: AccountID, generation: UInt64, attempt: UInt64, code: String, outcomeUnknown: Bool,
      retryAt: UnixNanoseconds
    ) {
      self.account = account
      self.generation = generation
      self.attempt = attempt
      self.code = code
      self.outcomeUnknown = outcomeUnknown
      self.retryAt = retryAt
    }
  }

  /// Nobody knows whether the refresh token is still good.
  public struct MarkedUncertain: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The generation in force.
    public var generation: UInt64
    /// Why.
    public var reason: Credential.Uncertainty.Reason
    /// Number of the attempt whose end is not known; nil: there is none.
    public var attempt: UInt64?

    /// Made of its parts.
    public init(
      account: AccountID, generation: UInt64, reason: Credential.Uncertainty.Reason,
      attempt: UInt64?
    ) {
      self.account = account
      self.generation = generation
      self.reason = reason
      self.attempt = attempt
    }
  }

  /// An operator lets it be refreshed again.
  public struct Released: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The generation in force.
    public var generation: UInt64

    /// Made of its parts.
    public init(account: AccountID, generation: UInt64) {
      self.account = account
      self.generation = generation
    }
  }

  /// Somebody came with a credential that is not newer than the one in force, and it was not taken.
  public struct StaleWriteRefused: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The home epoch presented.
    public var homeEpoch: UInt64
    /// The generation presented.
    public var generation: UInt64
    /// Of what was presented; nil: it was an outcome without a secret.
    public var fingerprint: Fingerprint?
    /// Who came with it: `refresh`, or a peer's name.
    public var source: String
    /// Why it was not taken.
    public var rule: Rule

    /// Why a credential is not taken.
    public enum Rule: UInt8, Sendable, Hashable, CaseIterable {
      /// A newer one is in force.
      case older = 1
      /// Home epoch and generation are those in force, and the secret is another one.
      case conflict = 2

      /// As shown.
      public var name: String {
        switch self {
        case .older: "older"
        case .conflict: "conflict"
        }
      }
    }

    /// Made of its parts.
    public init(
      account: AccountID, homeEpoch: UInt64, generation: UInt64, fingerprint: Fingerprint?,
      source: String, rule: Rule
    ) {
      self.account = account
      self.homeEpoch = homeEpoch
      self.generation = generation
      self.fingerprint = fingerprint
      self.source = source
      self.rule = rule
    }
  }

  /// What a generation stands on, and what gave way to it, was told by another node.
  public struct AncestryLearned: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The generation in force.
    public var generation: UInt64
    /// All that is known of it now.
    public var ancestry: Ancestry

    /// Made of its parts.
    public init(account: AccountID, generation: UInt64, ancestry: Ancestry) {
      self.account = account
      self.generation = generation
      self.ancestry = ancestry
    }
  }

  /// Another node refreshes it from now on.
  public struct HomeMoved: Sendable, Hashable {
    /// The account concerned.
    public var account: AccountID
    /// The only node that refreshes it.
    public var home: NodeID
    /// One more than before.
    public var homeEpoch: UInt64

    /// Made of its parts.
    public init(account: AccountID, home: NodeID, homeEpoch: UInt64) {
      self.account = account
      self.home = home
      self.homeEpoch = homeEpoch
    }
  }
}

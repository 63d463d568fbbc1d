/// An account's secret as it stands: which generation is in force, and whether it can be renewed.
///
/// Of the secret itself only the fingerprint is here.
public struct Credential: Sendable, Hashable {
  /// Of the last credential that the account had; 0: never one.
  public var generation: UInt64 = 0
  /// Grows when another node becomes the one that refreshes it.
  public var homeEpoch: UInt64 = 0
  /// The only node that refreshes it; nil: this log's own.
  public var home: NodeID?
  /// nil: none is in force.
  public var fingerprint: Fingerprint?
  /// Position of the event whose sealed part holds the secret.
  public var position: UInt64?
  /// What the secret is.
  public var kind: Kind = .apiKey
  /// Whether there is a refresh token with it.
  public var canRefresh = false
  /// After this it does not work any more; nil: not known.
  public var expiresAt: UnixNanoseconds?
  /// When the generation in force came; nil: none did.
  public var since: UnixNanoseconds?
  /// Whether it may be refreshed.
  public var standing: Standing = .usable
  /// A refresh of which nobody knows yet how it ends.
  public var attempt: Attempt?
  /// How many refreshes were ever begun; the number of the last one.
  public var attempts: UInt64 = 0
  /// When the last one was, or when another node's newer credential came.
  public var attemptedAt: UnixNanoseconds?
  /// Refreshes that failed since the last success or issue.
  public var failures: UInt32 = 0
  /// How the last of them failed.
  public var lastFailure: Failure?
  /// Not to be refreshed by itself before this; nil: nothing stands in the way.
  public var retryAt: UnixNanoseconds?
  /// What the one in force, or the last one that was, stands on.
  public var ancestry = Ancestry.none

  /// Before the first one.
  public static let none = Credential()

  /// Made of its parts; what is left out is as before the first one.
  public init(
    generation: UInt64 = 0, homeEpoch: UInt64 = 0, home: NodeID? = nil,
    fingerprint: Fingerprint? = nil, position: UInt64? = nil, kind: Kind = .apiKey,
    canRefresh: Bool = false, expiresAt: UnixNanoseconds? = nil, since: UnixNanoseconds? = nil
  ) {
    self.generation = generation
    self.homeEpoch = homeEpoch
    self.home = home
    self.fingerprint = fingerprint
    self.position = position
    self.kind = kind
    self.canRefresh = canRefresh
    self.expiresAt = expiresAt
    self.since = since
  }

  /// How far a credential has come: in who refreshes it, and in what it is.
  public struct Version: Sendable, Hashable, Comparable {
    /// See `Credential.homeEpoch`.
    public var homeEpoch: UInt64
    /// See `Credential.generation`.
    public var generation: UInt64

    /// Made of its parts.
    public init(homeEpoch: UInt64, generation: UInt64) {
      self.homeEpoch = homeEpoch
      self.generation = generation
    }

    /// In the order in which events of one log put them in force.
    public static func < (a: Self, b: Self) -> Bool {
      (a.homeEpoch, a.generation) < (b.homeEpoch, b.generation)
    }
  }

  /// Of the last credential that the account had.
  public var version: Version { Version(homeEpoch: homeEpoch, generation: generation) }

  /// What a secret is.
  public enum Kind: UInt8, Sendable, Hashable, CaseIterable {
    case apiKey = 1
    /// An access token that somebody brought, with or without a refresh token.
    case token = 2
    /// Tokens from signing in.
    case oauth = 3

    /// As shown.
    public var name: String {
      switch self {
      case .apiKey: "api_key"
      case .token: "token"
      case .oauth: "oauth"
      }
    }
  }

  /// Whether it may be refreshed; its access token is used until it ends in any case.
  public enum Standing: Sendable, Hashable {
    case usable
    /// Nobody knows whether the provider took the refresh token already.
    case uncertain(Uncertainty)
    /// The provider refused the refresh token: somebody has to sign in again.
    case reauthRequired(Rejection)

    /// As shown.
    public var name: String {
      switch self {
      case .usable: "usable"
      case .uncertain: "uncertain"
      case .reauthRequired: "reauth_required"
      }
    }
  }

  /// Why nobody knows.
  public struct Uncertainty: Sendable, Hashable {
    /// Why.
    public var reason: Reason
    /// Since when.
    public var since: UnixNanoseconds
    /// Position of the attempt whose end is not known; nil: there was none.
    public var attempt: UInt64?

    /// Made of its parts.
    public init(reason: Reason, since: UnixNanoseconds, attempt: UInt64?) {
      self.reason = reason
      self.since = since
      self.attempt = attempt
    }

    /// Why nobody knows whether a refresh token is still good.
    public enum Reason: UInt8, Sendable, Hashable, CaseIterable {
      /// The process ended between the call and its outcome.
      case unfinished = 1
      /// The call was made and no answer came that tells.
      case answerLost = 2
      /// The data directory is a copy or a backup: the one it was made of may have refreshed since.
      case restored = 3

      /// As shown.
      public var name: String {
        switch self {
        case .unfinished: "unfinished"
        case .answerLost: "answer_lost"
        case .restored: "restored"
        }
      }
    }
  }

  /// A provider's word that the refresh token is good no more.
  public struct Rejection: Sendable, Hashable {
    /// Position of the attempt that used it up, as far as anybody can tell: the one that never got its answer,
    /// else the one that was refused.
    public var attempt: UInt64
    /// Stable short code: `invalid_grant`.
    public var code: String
    /// Since when.
    public var since: UnixNanoseconds

    /// Made of its parts.
    public init(attempt: UInt64, code: String, since: UnixNanoseconds) {
      self.attempt = attempt
      self.code = code
      self.since = since
    }
  }

  /// A refresh that was begun.
  public struct Attempt: Sendable, Hashable {
    /// Position of its `credential.refresh_attempted`.
    public var position: UInt64
    /// Counts through all refreshes of the account, from 1.
    public var number: UInt64
    /// Whose refresh token is presented.
    public var generation: UInt64
    /// Why.
    public var cause: RefreshCause

    /// Made of its parts.
    public init(position: UInt64, number: UInt64, generation: UInt64, cause: RefreshCause) {
      self.position = position
      self.number = number
      self.generation = generation
      self.cause = cause
    }
  }

  /// How a refresh failed.
  public struct Failure: Sendable, Hashable {
    /// Stable short code, never the provider's text.
    public var code: String
    /// When.
    public var at: UnixNanoseconds

    /// Made of its parts.
    public init(code: String, at: UnixNanoseconds) {
      self.code = code
      self.at = at
    }
  }
}

/// Why a credential is refreshed.
public enum RefreshCause: UInt8, Sendable, Hashable, CaseIterable {
  /// It ends soon.
  case proactive = 1
  /// The provider refused the access token.
  case reactive = 2
  /// Somebody wants it now.
  case byOperator = 3
  /// It is not known how the attempt before ended, and the access token is of no use any more.
  case recovery = 4

  /// As shown.
  public var name: String {
    switch self {
    case .proactive: "proactive"
    case .reactive: "reactive"
    case .byOperator: "operator"
    case .recovery: "recovery"
    }
  }
}

/// What a new generation is made of, but for the secret.
public struct CredentialTerms: Sendable, Hashable {
  /// Of all that is sealed.
  public var fingerprint: Fingerprint
  /// What it is.
  public var kind: Credential.Kind
  /// Whether there is a refresh token with it.
  public var canRefresh: Bool
  /// nil: not known.
  public var expiresAt: UnixNanoseconds?

  /// Made of its parts.
  public init(
    fingerprint: Fingerprint, kind: Credential.Kind, canRefresh: Bool, expiresAt: UnixNanoseconds?
  ) {
    self.fingerprint = fingerprint
    self.kind = kind
    self.canRefresh = canRefresh
    self.expiresAt = expiresAt
  }

  /// An API key: nothing renews it, and nobody knows when it ends.
  public static func key(_ fingerprint: Fingerprint) -> CredentialTerms {
    CredentialTerms(
      fingerprint: fingerprint, kind: .apiKey, canRefresh: false, expiresAt: nil)
  }
}

/// What can be asked of a credential's life; issuing and revoking are asked of its account.
public enum CredentialCommand: Sendable, Hashable {
  /// The refresh token of a generation is about to be presented; with a newer generation in force: nothing to do.
  case attempt(AccountID, generation: UInt64, cause: RefreshCause, at: UnixNanoseconds)
  /// How that ended.
  case settle(AccountID, Settlement)
  /// The process that began an attempt is gone.
  case recover(AccountID)
  /// The data directory is a copy or a backup.
  case suspect(AccountID)
  /// An operator's word that an uncertain or refused one may be refreshed again.
  case release(AccountID)
  /// Which node refreshes it from now on.
  case moveHome(AccountID, to: NodeID, force: Bool = false)
  /// What nodes that are synced agree on about that; nothing to do if its home was moved more often already.
  case settleHome(AccountID, NodeID, homeEpoch: UInt64)
  /// Another node's, if it is newer than ours.
  case take(AccountID, Foreign)
  /// What a generation stands on and what gave way to it, as nodes that are synced know it together.
  case learn(AccountID, generation: UInt64, Ancestry)

  /// Whom the command is about.
  public var account: AccountID {
    switch self {
    case .attempt(let id, _, _, _), .settle(let id, _), .recover(let id), .suspect(let id),
      .release(let id), .moveHome(let id, _, _), .settleHome(let id, _, _), .take(let id, _),
      .learn(let id, _, _):
      id
    }
  }

  /// The end of an attempt.
  public struct Settlement: Sendable, Hashable {
    /// Its number.
    public var attempt: UInt64
    /// Whose refresh token was presented.
    public var generation: UInt64
    /// What came of it.
    public var outcome: RefreshOutcome
    /// When.
    public var at: UnixNanoseconds

    /// Made of its parts.
    public init(
      attempt: UInt64, generation: UInt64, outcome: RefreshOutcome, at: UnixNanoseconds
    ) {
      self.attempt = attempt
      self.generation = generation
      self.outcome = outcome
      self.at = at
    }
  }

  /// A credential as another node has it.
  public struct Foreign: Sendable, Hashable {
    /// Which one.
    public var version: Credential.Version
    /// What it is made of.
    public var terms: CredentialTerms
    /// The only node that refreshes it.
    public var home: NodeID
    /// Who presents it: a peer's name.
    public var source: String

    /// Made of its parts.
    public init(
      version: Credential.Version, terms: CredentialTerms, home: NodeID, source: String
    ) {
      self.version = version
      self.terms = terms
      self.home = home
      self.source = source
    }
  }
}

public import Domain

/// What a configuration file asks for, read and checked, before it is compared with the log.
///
/// A nil field was not mentioned: an existing thing keeps its value, a new one gets the default.
public struct ConfigurationPlan: Sendable, Hashable {
  /// In the order of the file.
  public var providers: [Provider]
  /// In the order of the file.
  public var organisations: [Organisation]
  /// In the order of the file.
  public var keys: [Key]
  /// In the order of the file.
  public var aliases: [Alias]
  /// In the order of the file.
  public var combos: [Combo]
  /// In the order of the file.
  public var policies: [Policy]
  /// In the order of the file.
  public var prices: [Price]
  /// nil: the file has no such section.
  public var settings: Settings?
  /// What the file says shall not be there, in an order in which it can go.
  public var removals: [Removal] = []

  /// An upstream service, with its accounts.
  public struct Provider: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// 1…64 of `a-z A-Z 0-9 . _ -`, unique in the file.
    public var id: ProviderID
    /// What the upstream speaks.
    public var dialect: UpstreamProtocol
    /// Without trailing slash.
    public var baseURL: String
    /// nil: the id.
    public var prefix: String?
    /// Whether requests may go there.
    public var isEnabled: Bool?
    /// Names and second names, unique together.
    public var models: [ProviderModel]?
    /// Model names or `*` wildcards.
    public var excludedModels: [String]?
    /// By the provider's own names; these and no others.
    public var disabledModels: [String]?
    /// Every how many seconds the accounts are tested; 0: never; nil: the file says nothing of it.
    public var healthCheckSeconds: UInt32?
    /// All of it; nil: the file says nothing of it.
    public var oauth: OAuth?
    /// Unique by name.
    public var accounts: [Account]
  }

  /// How a provider's tokens are had and refreshed.
  public struct OAuth: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Without the secret, and not yet as the rules write it.
    public var client: OAuthClient
    /// In clear; nil: the one that the log has stays.
    public var secret: SecretText?
  }

  /// A credential holder at the provider it stands under.
  public struct Account: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Unique in its list: 1…64 visible ASCII characters; 128 bytes for a key.
    public var name: String
    /// In clear; nil: the file sets none.
    public var secret: SecretText?
    /// What the secret is.
    public var kind: Credential.Kind
    /// When an access token ends; nil: not known.
    public var expiresAt: UnixNanoseconds?
    /// 1…1000.
    public var priority: UInt32?
    /// 0…10000.
    public var weight: UInt32?
    /// Whether requests may go there.
    public var isEnabled: Bool?
  }

  /// An account by the name that people know it by, wherever it stands.
  public struct AccountReference: Sendable, Hashable {
    /// `name`, or `provider/name`.
    public var name: String
    /// Where it stands in the file, from 1.
    public var line: Int
    /// For example `policies[0].accounts[1].name`.
    public var path: String
  }

  /// A tenant.
  public struct Organisation: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Unique in the file.
    public var id: OrganisationID
    /// nil: the id, for a new one.
    public var name: String?
    /// All of them.
    public var limits: Limits?
    /// All of them, one a period.
    public var budgets: [Budget]?
  }

  /// A client's key.
  public struct Key: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// For example `keys[0]`.
    public var path: String
    /// Unique in its list: 1…64 visible ASCII characters; 128 bytes for a key.
    public var name: String
    /// In clear.
    public var secret: SecretText
    /// nil: the standard one.
    public var organisation: OrganisationID?
    /// May see which account served and why.
    public var diagnostics: Bool?
    /// Names or `*` wildcards; empty: all.
    public var allowedModels: [String]?
    /// Empty: all.
    public var allowedAccounts: [AccountReference]?
    /// When the key ends.
    public var expiry: KeyEvent.Expiry?
    /// All of them.
    public var limits: Limits?
    /// All of them, one a period.
    public var budgets: [Budget]?
  }

  /// A client-facing model name.
  public struct Alias: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Unique in its list: 1…64 visible ASCII characters; 128 bytes for a key.
    public var name: String
    /// `prefix/model`, or a model name.
    public var target: String
  }

  /// An ordered fallback list.
  public struct Combo: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// 1…128 visible ASCII, no `/`.
    public var name: String
    /// 1…32 different targets, the first one tried first.
    public var models: [String]
  }

  /// Weighted accounts for an organisation's requests of a model.
  public struct Policy: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// For example `policies[0]`.
    public var path: String
    /// Unique in the file.
    public var id: PolicyID
    /// 1…64.
    public var accounts: [Share]
    /// 1…1000; nil: 3, for a new one.
    public var failoverThreshold: UInt32?

    /// An account's part.
    public struct Share: Sendable, Hashable {
      /// Whose.
      public var account: AccountReference
      /// 0…10000.
      public var weight: UInt32
    }
  }

  /// What a model's tokens cost.
  public struct Price: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Unique in the file.
    public var id: PriceID
    /// All of it.
    public var price: Domain.Price
  }

  /// What holds for the whole gateway.
  public struct Settings: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// How an account is picked.
    public var fallbackStrategy: Strategy?
    /// Requests without a valid key are refused.
    public var requireAPIKey: Bool?
    /// Bare model names are refused.
    public var forceModelPrefix: Bool?
    /// 1 KiB…256 MiB.
    public var maxBodyBytes: UInt64?
    /// How many requests in a row one account gets under round-robin: 1…10,000.
    public var stickyRoundRobinLimit: UInt32?
    /// Upstream calls of one request at most: 1…64.
    public var maxAttempts: UInt32?
    /// From a request's arrival to the first byte of its answer: 1…3,600.
    public var requestTimeoutSeconds: UInt32?
    /// Addresses or `address/bits`; all of them.
    public var trustedProxies: [String]?
    /// What is exchanged with another system, and how; only what is given.
    public var sync = SettingsEvent.SyncChanged()
    /// Shown to that system.
    public var cloudToken: SecretText?
  }
}

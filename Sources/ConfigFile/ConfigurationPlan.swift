public import Domain

/// What a configuration file asks for, read and checked, before it is compared with the log.
///
/// A nil field was not mentioned: an existing thing keeps its value, a new one gets the default.
public struct ConfigurationPlan: Sendable, Hashable {
  /// In the order of the file.
  public var providers: [Provider]
  /// In the order of the file.
  public var keys: [Key]
  /// In the order of the file.
  public var aliases: [Alias]
  /// nil: the file has no such section.
  public var settings: Settings?

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
    /// Names and second names, unique together.
    public var models: [ProviderModel]?
    /// Model names or `*` wildcards.
    public var excludedModels: [String]?
    /// Unique by name.
    public var accounts: [Account]
  }

  /// A credential holder at the provider it stands under.
  public struct Account: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Unique in its list: 1…64 visible ASCII characters; 128 bytes for a key.
    public var name: String
    /// In clear; nil: the file sets none.
    public var secret: SecretText?
    /// 1…1000.
    public var priority: UInt32?
    /// 0…10000.
    public var weight: UInt32?
  }

  /// A client's key.
  public struct Key: Sendable, Hashable {
    /// Where it begins in the file, from 1.
    public var line: Int
    /// Unique in its list: 1…64 visible ASCII characters; 128 bytes for a key.
    public var name: String
    /// In clear.
    public var secret: SecretText
    /// nil: the standard one.
    public var organisation: OrganisationID?
    /// May see which account served and why.
    public var diagnostics: Bool?
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
  }
}

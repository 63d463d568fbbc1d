public import Domain

/// What a configuration file asks for, read and checked, before it is compared with the log.
///
/// A nil field was not mentioned: an existing thing keeps its value, a new one gets the default.
public struct ConfigurationPlan: Sendable, Hashable {
  public var providers: [Provider]
  public var keys: [Key]
  public var aliases: [Alias]
  public var settings: Settings?

  public struct Provider: Sendable, Hashable {
    public var line: Int
    public var id: ProviderID
    public var dialect: UpstreamProtocol
    /// Without trailing slash.
    public var baseURL: String
    /// nil: the id.
    public var prefix: String?
    public var models: [ProviderModel]?
    public var excludedModels: [String]?
    public var accounts: [Account]
  }

  public struct Account: Sendable, Hashable {
    public var line: Int
    public var name: String
    public var secret: SecretText?
    public var priority: UInt32?
    public var weight: UInt32?
  }

  public struct Key: Sendable, Hashable {
    public var line: Int
    public var name: String
    public var secret: SecretText
    public var organisation: OrganisationID?
    public var diagnostics: Bool?
  }

  public struct Alias: Sendable, Hashable {
    public var line: Int
    public var name: String
    public var target: String
  }

  public struct Settings: Sendable, Hashable {
    public var line: Int
    public var fallbackStrategy: Strategy?
    public var requireAPIKey: Bool?
    public var forceModelPrefix: Bool?
    public var maxBodyBytes: UInt64?
  }
}

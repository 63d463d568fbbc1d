/// An upstream service as it stands.
public struct Provider: Sendable, Hashable {
  /// 1…64 of `a-z A-Z 0-9 . _ -`.
  public var id: ProviderID
  /// The name shown to people: 1…128 bytes.
  public var name: String
  /// The wire dialect that upstream speaks.
  public var dialect: UpstreamProtocol
  /// `http://host[:port]/path` or `https://…`, without a trailing slash.
  public var baseURL: String
  /// What clients write before the slash in `prefix/model`.
  public var prefix: String
  /// What is offered, in the order of the configuration.
  public var models: [ProviderModel]
  /// Model names or `*` wildcards never offered.
  public var excludedModels: [String]
  /// What the provider said it offers beyond `models`, sorted; the last good answer.
  public var discoveredModels: [String]
  /// When it said so; nil: it was never asked with success.
  public var discoveredAt: UnixNanoseconds?
  /// Models that operators took out, by the provider's own name, sorted.
  public var disabledModels: [String]
  /// Every how many seconds its accounts are tested: 5…86,400; nil: they are not.
  public var healthCheckSeconds: UInt32?
  /// How tokens of its accounts are had and refreshed; nil: they have none that could be.
  public var oauth: OAuthClient?
  /// Position of the event whose sealed part holds the client's secret; nil: it has none.
  public var oauthPosition: UInt64?
  /// Whether requests may go there.
  public var isEnabled: Bool
  /// Of `provider/<id>`.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    id: ProviderID, name: String, dialect: UpstreamProtocol, baseURL: String, prefix: String,
    models: [ProviderModel], excludedModels: [String], discoveredModels: [String] = [],
    discoveredAt: UnixNanoseconds? = nil, disabledModels: [String] = [],
    healthCheckSeconds: UInt32? = nil, isEnabled: Bool,
    revision: UInt64, createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.name = name
    self.dialect = dialect
    self.baseURL = baseURL
    self.prefix = prefix
    self.models = models
    self.excludedModels = excludedModels
    self.discoveredModels = discoveredModels
    self.discoveredAt = discoveredAt
    self.disabledModels = disabledModels
    self.healthCheckSeconds = healthCheckSeconds
    self.isEnabled = isEnabled
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of a provider.
public enum ProviderCommand: Sendable, Hashable {
  case add(ProviderEvent.Added)
  case change(ProviderEvent.Changed)
  case enable(ProviderID)
  case disable(ProviderID)
  /// Only after its accounts are removed.
  case remove(ProviderID)
  /// What an account of it was told that it offers; the same list again is no event.
  case discover(ProviderEvent.ModelsDiscovered)
  /// nil: its accounts are not tested.
  case setHealthCheck(ProviderID, seconds: UInt32?)
  /// How tokens of its accounts are had and refreshed; nil: not any more.
  case setOAuth(ProviderID, OAuthClient?)

  /// Whom the command is about.
  public var id: ProviderID {
    switch self {
    case .add(let it): it.id
    case .change(let it): it.id
    case .discover(let it): it.id
    case .setHealthCheck(let id, _): id
    case .setOAuth(let id, _): id
    case .enable(let id), .disable(let id), .remove(let id): id
    }
  }
}

/// A model that a provider offers.
public struct ProviderModel: Sendable, Hashable {
  /// The provider's own name, sent upstream.
  public var name: String
  /// A second client-facing name under the provider's prefix, if any.
  public var alias: String?

  /// Made of its parts.
  public init(name: String, alias: String? = nil) {
    self.name = name
    self.alias = alias
  }
}

/// Facts in `provider/<id>`.
public enum ProviderEvent: Sendable, Hashable {
  case added(Added)
  case changed(Changed)
  case enabled(ProviderID)
  case disabled(ProviderID)
  /// A tombstone: the id may be added again later, as a new revision of the same stream.
  case removed(ProviderID)
  case modelsDiscovered(ModelsDiscovered)
  case healthCheckSet(HealthCheckSet)
  /// A client's secret is the event's sealed part.
  case oauthSet(OAuthSet)

  /// How tokens of its accounts are had and refreshed.
  public struct OAuthSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: ProviderID
    /// nil: not any more.
    public var client: OAuthClient?

    /// Made of its parts.
    public init(id: ProviderID, client: OAuthClient?) {
      self.id = id
      self.client = client
    }
  }

  /// Everything a provider begins with.
  public struct Added: Sendable, Hashable {
    /// Whom it is about.
    public var id: ProviderID
    /// The name shown to people.
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

    /// Made of its parts.
    public init(
      id: ProviderID, name: String, dialect: UpstreamProtocol, baseURL: String, prefix: String,
      models: [ProviderModel], excludedModels: [String]
    ) {
      self.id = id
      self.name = name
      self.dialect = dialect
      self.baseURL = baseURL
      self.prefix = prefix
      self.models = models
      self.excludedModels = excludedModels
    }
  }

  /// The provider was asked which models it offers, and this is its whole answer.
  public struct ModelsDiscovered: Sendable, Hashable {
    /// Whom it is about.
    public var id: ProviderID
    /// With whose credential it was asked.
    public var account: AccountID
    /// The provider's own names, sorted, each once: at most 2,000.
    public var models: [String]

    /// Made of its parts.
    public init(id: ProviderID, account: AccountID, models: [String]) {
      self.id = id
      self.account = account
      self.models = models
    }
  }

  /// How often the provider's accounts are tested.
  public struct HealthCheckSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: ProviderID
    /// 5…86,400; nil: they are not tested.
    public var intervalSeconds: UInt32?

    /// Made of its parts.
    public init(id: ProviderID, intervalSeconds: UInt32?) {
      self.id = id
      self.intervalSeconds = intervalSeconds
    }
  }

  /// Only the fields that changed; nil is "unchanged".
  public struct Changed: Sendable, Hashable {
    /// Whom it is about.
    public var id: ProviderID
    /// The name shown to people.
    public var name: String?
    /// The wire dialect that upstream speaks.
    public var dialect: UpstreamProtocol?
    /// Where the provider is reached, without a trailing slash.
    public var baseURL: String?
    /// What clients write before the slash in `prefix/model`.
    public var prefix: String?
    /// What is offered, in the order of the configuration.
    public var models: [ProviderModel]?
    /// Model names or `*` wildcards never offered.
    public var excludedModels: [String]?

    /// Made of its parts.
    public init(
      id: ProviderID, name: String? = nil, dialect: UpstreamProtocol? = nil,
      baseURL: String? = nil, prefix: String? = nil, models: [ProviderModel]? = nil,
      excludedModels: [String]? = nil
    ) {
      self.id = id
      self.name = name
      self.dialect = dialect
      self.baseURL = baseURL
      self.prefix = prefix
      self.models = models
      self.excludedModels = excludedModels
    }
  }
}

/// An upstream service as it stands.
public struct Provider: Sendable, Hashable {
  public var id: ProviderID
  /// The name shown to people: 1…128 bytes.
  public var name: String
  public var dialect: UpstreamProtocol
  /// `http://host[:port]/path` or `https://…`, without a trailing slash.
  public var baseURL: String
  /// What clients write before the slash in `prefix/model`.
  public var prefix: String
  public var models: [ProviderModel]
  /// Model names or `*` wildcards never offered.
  public var excludedModels: [String]
  public var isEnabled: Bool
  /// Of `provider/<id>`.
  public var revision: UInt64
  public var createdAt: UnixNanoseconds
  public var updatedAt: UnixNanoseconds

  public init(
    id: ProviderID, name: String, dialect: UpstreamProtocol, baseURL: String, prefix: String,
    models: [ProviderModel], excludedModels: [String], isEnabled: Bool, revision: UInt64,
    createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.name = name
    self.dialect = dialect
    self.baseURL = baseURL
    self.prefix = prefix
    self.models = models
    self.excludedModels = excludedModels
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

  /// Whom the command is about.
  public var id: ProviderID {
    switch self {
    case .add(let it): it.id
    case .change(let it): it.id
    case .enable(let id), .disable(let id), .remove(let id): id
    }
  }
}

/// A tenant as it stands.
public struct Organisation: Sendable, Hashable {
  /// 1…64 of `a-z A-Z 0-9 . _ -`.
  public var id: OrganisationID
  /// The name shown to people: 1…128 visible characters.
  public var name: String
  /// Of all its keys together.
  public var limits: Limits
  /// Of all its keys together; one a period at most.
  public var budgets: [Budget]
  /// None of its keys is let in while it is.
  public var isPaused: Bool
  /// Of `organisation/<id>`; 0: it has no event of its own.
  public var revision: UInt64
  /// When it began.
  public var createdAt: UnixNanoseconds
  /// When it was last changed.
  public var updatedAt: UnixNanoseconds

  /// Made of its parts.
  public init(
    id: OrganisationID, name: String, limits: Limits, budgets: [Budget], isPaused: Bool,
    revision: UInt64, createdAt: UnixNanoseconds, updatedAt: UnixNanoseconds
  ) {
    self.id = id
    self.name = name
    self.limits = limits
    self.budgets = budgets
    self.isPaused = isPaused
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }

  /// One that exists by being named: the standard one, and those of keys older than organisations.
  static func implied(_ id: OrganisationID, _ time: UnixNanoseconds) -> Organisation {
    Organisation(
      id: id, name: id.rawValue, limits: .none, budgets: [], isPaused: false, revision: 0,
      createdAt: time, updatedAt: time)
  }
}

/// What can be asked of an organisation.
public enum OrganisationCommand: Sendable, Hashable {
  case create(Create)
  case change(Change)
  case pause(OrganisationID)
  case resume(OrganisationID)
  /// Only after its keys are revoked and its policies removed; never the standard one.
  case remove(OrganisationID)

  /// Everything an organisation begins with.
  public struct Create: Sendable, Hashable {
    /// Whom it is about.
    public var id: OrganisationID
    /// The name shown to people.
    public var name: String
    /// Of all its keys together.
    public var limits: Limits
    /// Of all its keys together.
    public var budgets: [Budget]

    /// Made of its parts.
    public init(
      id: OrganisationID, name: String, limits: Limits = .none, budgets: [Budget] = []
    ) {
      self.id = id
      self.name = name
      self.limits = limits
      self.budgets = budgets
    }
  }

  /// Only the fields to change; nil is "unchanged".
  public struct Change: Sendable, Hashable {
    /// Whom it is about.
    public var id: OrganisationID
    /// The name shown to people.
    public var name: String?
    /// All limits, whatever held before.
    public var limits: Limits?
    /// All budgets, whatever held before.
    public var budgets: [Budget]?

    /// Made of its parts.
    public init(
      id: OrganisationID, name: String? = nil, limits: Limits? = nil, budgets: [Budget]? = nil
    ) {
      self.id = id
      self.name = name
      self.limits = limits
      self.budgets = budgets
    }
  }

  /// Whom the command is about.
  public var id: OrganisationID {
    switch self {
    case .create(let it): it.id
    case .change(let it): it.id
    case .pause(let id), .resume(let id), .remove(let id): id
    }
  }
}

/// Facts in `organisation/<id>`.
public enum OrganisationEvent: Sendable, Hashable {
  case created(Named)
  case renamed(Named)
  case limitsSet(LimitsSet)
  case budgetsSet(BudgetsSet)
  case paused(OrganisationID)
  case resumed(OrganisationID)
  /// A tombstone: the id may be created again later.
  case removed(OrganisationID)

  /// An organisation and the name shown to people.
  public struct Named: Sendable, Hashable {
    /// Whom it is about.
    public var id: OrganisationID
    /// 1…128 visible characters.
    public var name: String

    /// Made of its parts.
    public init(id: OrganisationID, name: String) {
      self.id = id
      self.name = name
    }
  }

  /// These limits hold from now on, whatever held before.
  public struct LimitsSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: OrganisationID
    /// All of them.
    public var limits: Limits

    /// Made of its parts.
    public init(id: OrganisationID, limits: Limits) {
      self.id = id
      self.limits = limits
    }
  }

  /// These budgets hold from now on; an empty list: none.
  public struct BudgetsSet: Sendable, Hashable {
    /// Whom it is about.
    public var id: OrganisationID
    /// One a period at most.
    public var budgets: [Budget]

    /// Made of its parts.
    public init(id: OrganisationID, budgets: [Budget]) {
      self.id = id
      self.budgets = budgets
    }
  }

  /// Whom the fact is about.
  public var id: OrganisationID {
    switch self {
    case .created(let it), .renamed(let it): it.id
    case .limitsSet(let it): it.id
    case .budgetsSet(let it): it.id
    case .paused(let id), .resumed(let id), .removed(let id): id
    }
  }
}

import Domain
import EventStore
import Views

/// Which requests of the log a list shows.
struct RequestFilter: Sendable {
  /// Any of these was asked; nil: whoever was.
  var accounts: Set<AccountID>?
  /// The client's name for the model, the provider's own, or `provider/model`.
  var model: String?
  var key: KeyID?
  var organisation: OrganisationID?
  var status: ClosedRange<UInt16>?
  var outcome: RequestStory.Outcome?
  var errorClass: ErrorClass?
  /// More than one account was asked.
  var isFailover = false
  /// Of the newest event: at or after.
  var since: UnixNanoseconds?
  /// Of the newest event: before.
  var until: UnixNanoseconds?

  /// Everything.
  static let none = RequestFilter()

  /// More marks than this narrow nothing down that looking at the pages would not do sooner.
  private static let marksMax = 64

  /// What a page of the log must have to be looked at: a mark of each group.
  var marks: [[RequestMark]] {
    var groups: [[RequestMark]] = []
    if let accounts { groups.append(accounts.sorted().map { .account($0) }) }
    if let model { groups.append([.asked(model), .model(model), .ownModel(model)]) }
    if let key { groups.append([.key(key)]) }
    if let organisation { groups.append([.organisation(organisation)]) }
    if let status { groups.append([.status(status)]) }
    if let errorClass { groups.append([.errorClass(errorClass)]) }
    if isFailover { groups.append([.failover]) }
    switch outcome {
    case .ended(let ending): groups.append([.ending(ending)])
    case .interrupted: groups.append([.interrupted])
    // Found at the place of its end, which says another thing.
    case .deliveryFailed: groups.append([.ending(.completed)])
    case .inFlight, .unknown, nil: break
    }
    return groups.filter { $0.isEmpty || $0.count <= Self.marksMax }
  }

  /// Whether a request is wanted, as far as this event of it tells.
  func admits(_ event: RequestEvent) -> Bool {
    switch event {
    case .finished(let fact):
      let wantsAnother: Bool =
        switch outcome {
        case .ended(let ending): ending != fact.ending
        case .deliveryFailed: fact.ending != .completed
        case .interrupted, .inFlight, .unknown: true
        case nil: false
        }
      return !wantsAnother
        && accounts.map { wanted in fact.attempts.contains { wanted.contains($0.account) } } ?? true
        && isModel(fact.modelAsked, fact.modelResolved)
        && isOf(fact.key, fact.organisation) && status?.contains(fact.status) ?? true
        && (errorClass == nil || errorClass == fact.errorClass)
        && (!isFailover || fact.attempts.count > 1)
    case .interrupted(let fact):
      return accounts == nil && model == nil && status == nil && errorClass == nil && !isFailover
        && (outcome == nil || outcome == .interrupted) && isOf(fact.key, fact.organisation)
    case .dispatched(let fact):
      return accounts.map { wanted in fact.account.map { wanted.contains($0) } ?? false } ?? true
        && isModel(fact.modelAsked, nil) && status == nil && errorClass == nil && !isFailover
        && (outcome == nil || outcome == .inFlight) && isOf(fact.key, fact.organisation)
    case .deliveryFailed, .deniedSummary: return false
    }
  }

  private func isOf(_ key: KeyID?, _ organisation: OrganisationID?) -> Bool {
    (self.key == nil || self.key == key)
      && (self.organisation == nil || self.organisation == organisation)
  }

  private func isModel(_ asked: String, _ resolved: String?) -> Bool {
    guard let model else { return true }
    if asked == model || resolved == model { return true }
    guard let resolved, let slash = resolved.firstIndex(of: "/") else { return false }
    return resolved[resolved.index(after: slash)...] == model
  }
}

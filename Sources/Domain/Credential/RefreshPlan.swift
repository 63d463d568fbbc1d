/// Which credentials are to be refreshed, and when to look again.
public struct RefreshPlan: Sendable, Hashable {
  /// To begin now, at most one of a family, in the order in which they fell due.
  public var due: [Refresh]
  /// When the next one falls due if nothing happens before; nil: none does.
  public var next: UnixNanoseconds?

  /// Made of its parts.
  public init(due: [Refresh], next: UnixNanoseconds?) {
    self.due = due
    self.next = next
  }

  /// A refresh to begin.
  public struct Refresh: Sendable, Hashable {
    /// Whose.
    public var account: AccountID
    /// The generation whose refresh token is presented.
    public var generation: UInt64
    /// Why.
    public var cause: RefreshCause

    /// Made of its parts.
    public init(account: AccountID, generation: UInt64, cause: RefreshCause) {
      self.account = account
      self.generation = generation
      self.cause = cause
    }
  }
}

extension ControlState {
  /// What is to be refreshed at a moment: every credential of this node that ends soon, whether or not requests go
  /// to its account.
  ///
  /// Depends on nothing but the log and the moment.
  public func refreshPlan(at now: UnixNanoseconds) -> RefreshPlan {
    struct Candidate {
      var refresh: RefreshPlan.Refresh
      var family: String
      var dueAt: Int64
    }
    /// A family's calls follow one another.
    struct Lane {
      var isBusy = false
      var freeAt = Int64.min
    }
    let homes = familyHomes()
    var lanes: [String: Lane] = [:]
    var candidates: [Candidate] = []
    for account in accounts.values {
      let credential = account.credential
      guard let oauth = providers[account.provider]?.oauth else { continue }
      let family = oauth.family(of: account)
      if credential.attempt != nil { lanes[family, default: Lane()].isBusy = true }
      if let last = credential.attemptedAt, oauth.spacingSeconds > 0 {
        let free = last.rawValue &+ Int64(oauth.spacingSeconds) * 1_000_000_000
        lanes[family, default: Lane()].freeAt = max(lanes[family]?.freeAt ?? .min, free)
      }
      guard credential.attempt == nil, credential.isHome(of: node),
        let dueAt = credential.refreshDue(leadSeconds: oauth.leadSeconds)
      else { continue }
      let cause: RefreshCause = credential.standing == .usable ? .proactive : .recovery
      candidates.append(
        Candidate(
          refresh: .init(account: account.id, generation: credential.generation, cause: cause),
          family: family, dueAt: dueAt.rawValue))
    }
    candidates.sort { ($0.dueAt, $0.refresh.account) < ($1.dueAt, $1.refresh.account) }
    var plan = RefreshPlan(due: [], next: nil)
    for candidate in candidates {
      let lane = lanes[candidate.family] ?? Lane()
      // Its end is an event, and then there is a new plan; so is a credential's way to its family's home.
      if lane.isBusy || homes[candidate.family] ?? node != node { continue }
      let at = max(candidate.dueAt, lane.freeAt)
      if at <= now.rawValue {
        plan.due.append(candidate.refresh)
        lanes[candidate.family, default: Lane()].isBusy = true
      } else {
        plan.next = UnixNanoseconds(min(at, plan.next?.rawValue ?? .max))
      }
    }
    return plan
  }
}

/// However soon a token ends, the next is not wanted earlier by itself: 10 s.
private let leastLife: Int64 = 10_000_000_000

extension Credential {
  /// When it is to be refreshed by itself; nil: never.
  ///
  /// - Parameter leadSeconds: how long before its end; half of its life if that is shorter.
  public func refreshDue(leadSeconds: UInt32) -> UnixNanoseconds? {
    guard canRefresh, fingerprint != nil, let expiresAt else { return nil }
    let due: Int64
    switch standing {
    case .usable:
      let life = expiresAt.rawValue &- (since?.rawValue ?? expiresAt.rawValue)
      let wanted = expiresAt.rawValue &- min(Int64(leadSeconds) * 1_000_000_000, max(life / 2, 0))
      due = max(wanted, since.map { $0.rawValue &+ leastLife } ?? wanted)
    case .uncertain(let it):
      if it.reason == .restored { return nil }
      due = expiresAt.rawValue
    case .reauthRequired: return nil
    }
    return UnixNanoseconds(max(due, retryAt?.rawValue ?? .min))
  }
}

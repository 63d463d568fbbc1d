/// Says where the next attempt of a request goes; the gateway and `replay` call the same function.
///
/// Pure: the same arguments and the same local answers give the same decision, for ever.
///
/// - Parameters:
///   - now: the decision's clock, which cooldowns are compared with; recorded with the attempt.
///   - seed: the decision's dice; recorded with the attempt.
///   - local: asked for what events up to the snapshot do not determine, and only for what the rule in force
///     needs: nothing for fill-first among healthy accounts.
///   - tried: where this request went already, in order; never chosen again.
/// - Complexity: one look-up and a walk along the accounts that may serve; nothing is sorted. A refusal costs
///   more: it looks for near names among all.
public func route(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: inout some LocalSource, tried: [Tried]
) -> Result<RoutingDecision, RoutingRefusal> {
  if facts.operation.isOfStored { return snapshot.ownersPlace(facts, now: now, tried: tried) }
  switch snapshot.resolve(facts) {
  case .failure(let refusal): return .failure(refusal)
  case .success(let group):
    var judgement = Judgement(snapshot, group, facts, now: now, seed: seed, tried: tried)
    judgement.choose(&local)
    guard let chosen = judgement.chosen else {
      if judgement.isForbidden { return .failure(.modelNotAllowed) }
      let rejected = judgement.verdicts(&local).compactMap { account, rejection in
        rejection.map { RoutingRefusal.Rejection(account: account, reason: $0) }
      }
      return .failure(.noAccount(rejected: rejected))
    }
    let account = snapshot.accounts[chosen.account]
    return .success(
      RoutingDecision(
        accountIndex: chosen.account, account: account.id, provider: account.provider,
        upstreamModel: chosen.upstreamModel, rule: judgement.rule,
        probe: account.halfOpenScope(of: chosen.upstreamModel, at: now), policy: group.policy))
  }
}

/// The same with answers that were noted, or none.
public func route(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [Tried]
) -> Result<RoutingDecision, RoutingRefusal> {
  var local = local
  return route(snapshot, facts, now: now, seed: seed, local: &local, tried: tried)
}

/// Lists every account of the resolved target and why it was not chosen; nil for the one that was.
///
/// Derived from the judgement that `route` rests on. Empty if the model is unknown or ambiguous. An account
/// that stands behind several models of a combo is listed once for each of them.
public func candidates(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [Tried]
) -> [(account: AccountID, rejection: RejectionReason?)] {
  if facts.operation.isOfStored {
    return facts.owner.map { [($0, snapshot.obstacle(of: $0, facts, now: now, tried: tried))] }
      ?? []
  }
  switch snapshot.resolve(facts) {
  case .failure: return []
  case .success(let group):
    var local = local
    var judgement = Judgement(snapshot, group, facts, now: now, seed: seed, tried: tried)
    judgement.choose(&local)
    return judgement.verdicts(&local)
  }
}

/// The accounts that may serve a name.
enum RoutingGroup {
  case target(Meaning.Target)
  case combo([Meaning.Target])
  case policy(PolicyGroup)
  /// Providers, none of which is enabled.
  case disabled([Int])

  var policy: PolicyID? { if case .policy(let group) = self { group.id } else { nil } }
}

extension RoutingSnapshot {
  /// What is stored is asked of the account that has it, whatever it stores it for.
  fileprivate func ownersPlace(
    _ facts: RequestFacts, now: UnixNanoseconds, tried: [Tried]
  ) -> Result<RoutingDecision, RoutingRefusal> {
    guard let owner = facts.owner else { return .failure(.noAccount(rejected: [])) }
    if let obstacle = obstacle(of: owner, facts, now: now, tried: tried) {
      return .failure(.noAccount(rejected: [.init(account: owner, reason: obstacle)]))
    }
    guard let index = accounts.firstIndex(where: { $0.id == owner }) else {
      return .failure(.noAccount(rejected: []))
    }
    return .success(
      RoutingDecision(
        accountIndex: index, account: owner, provider: accounts[index].provider,
        upstreamModel: "", rule: .owner))
  }

  /// Why the account that has something cannot be asked for it; nil: it can.
  fileprivate func obstacle(
    of owner: AccountID, _ facts: RequestFacts, now: UnixNanoseconds, tried: [Tried]
  ) -> RejectionReason? {
    guard let account = accounts.first(where: { $0.id == owner }),
      providers[account.providerIndex].dialect == .openai
    else { return .notOffered }
    if tried.contains(where: { $0.account == owner }) { return .alreadyTried }
    if let fence = facts.key.flatMap({ fences[$0] }), !fence.admits(account: owner) {
      return .notAllowed
    }
    return account.obstacle(to: "", at: now)
  }

  /// What the client's name means to its organisation, or why it means nothing.
  func resolve(_ facts: RequestFacts) -> Result<RoutingGroup, RoutingRefusal> {
    if !policies.isEmpty, let group = policy(for: facts) { return .success(.policy(group)) }
    return switch meanings[facts.model] {
    case .target(let target): .success(.target(target))
    case .combo(let targets): .success(.combo(targets))
    case .disabled(let providers): .success(.disabled(providers))
    case .ambiguous(let names): .failure(.ambiguousModel(candidates: names))
    case .dangling(let target): .failure(.unknownModel(near: near(target, facts.key)))
    case .none: .failure(.unknownModel(near: near(facts.model, facts.key)))
    }
  }

  /// The organisation's own policy goes before everybody's.
  private func policy(for facts: RequestFacts) -> PolicyGroup? {
    guard let groups = policies[facts.model] else { return nil }
    return facts.organisation.flatMap { groups[$0] } ?? groups[PolicyID.everyone]
  }

  /// Names near this one among those listed for the key, which are those that would be served.
  private func near(_ name: String, _ key: KeyID?) -> [String] {
    var search = NearNames(name)
    for model in models(for: key) { search.consider(model.id) }
    return search.found
  }
}

/// One choice among the accounts of a group.
private struct Judgement {
  /// Somewhere that a request might go.
  struct Place {
    /// Index into `RoutingSnapshot.accounts`.
    var account: Int
    var upstreamModel: String
  }

  private let snapshot: RoutingSnapshot
  private let group: RoutingGroup
  private let facts: RequestFacts
  private let fence: Fence?
  private let now: UnixNanoseconds
  private let seed: UInt64
  private let tried: [Tried]
  /// Providers, and models of them, that the request cannot be told to.
  private let untold: [(provider: Int, model: String?)]
  /// The client's dialect, where there are providers that nothing of it can be told to.
  private let narrow: Dialect?
  /// nil: none of the group may serve.
  private(set) var chosen: Place?
  private(set) var rule = ChoiceRule.only
  /// The key may not ask for any model of the group.
  private(set) var isForbidden = false

  init(
    _ snapshot: RoutingSnapshot, _ group: RoutingGroup, _ facts: RequestFacts,
    now: UnixNanoseconds, seed: UInt64, tried: [Tried]
  ) {
    self.snapshot = snapshot
    self.group = group
    self.facts = facts
    self.now = now
    self.seed = seed
    self.tried = tried
    untold = tried.filter(\.isUntold).compactMap { tried in
      snapshot.accounts.first { $0.id == tried.account }.map { ($0.providerIndex, tried.model) }
    }
    narrow = facts.operation.dialect.flatMap { $0.isKnownToAll ? nil : $0 }
    fence = snapshot.fences.isEmpty ? nil : facts.key.flatMap { snapshot.fences[$0] }
  }

  mutating func choose(_ local: inout some LocalSource) {
    if let owner = facts.owner { return choose(owner, &local) }
    switch group {
    case .disabled: break
    case .target(let target):
      isForbidden = !isAllowed(target)
      if !isForbidden { choose(among: target, &local) }
    case .combo(let targets):
      isForbidden = !targets.contains(where: isAllowed)
      for target in targets where chosen == nil { choose(among: target, &local) }
      rule = .combo
    case .policy(let policy): choose(among: policy, &local)
    }
  }

  /// No turn is taken: there is one account that can serve, or none.
  private mutating func choose(_ owner: AccountID, _ local: inout some LocalSource) {
    rule = .owner
    func isOwner(_ index: Int) -> Bool { snapshot.accounts[index].id == owner }
    switch group {
    case .disabled: break
    case .target(let target):
      isForbidden = !isAllowed(target)
      if !isForbidden { choose(of: [target], &local) }
    case .combo(let targets):
      isForbidden = !targets.contains(where: isAllowed)
      choose(of: targets, &local)
    case .policy(let policy):
      isForbidden = !policy.members.isEmpty && policy.members.allSatisfy { isFencedOff($0, policy) }
      for member in policy.members where isOwner(member.account) {
        guard obstacle(member, policy, &local) == nil, let model = member.upstreamModel else {
          continue
        }
        chosen = Place(account: member.account, upstreamModel: model)
        return
      }
    }
  }

  /// The first of the targets that the owner can serve.
  private mutating func choose(of targets: [Meaning.Target], _ local: inout some LocalSource) {
    for target in targets {
      for index in accounts(of: target) where obstacle(index, target, &local) == nil {
        chosen = Place(account: index, upstreamModel: target.upstreamModel)
        return
      }
    }
  }

  /// What became of every place of the group, best first within a provider.
  func verdicts(
    _ local: inout some LocalSource
  ) -> [(account: AccountID, rejection: RejectionReason?)] {
    let best = chosen.map { snapshot.accounts[$0.account].id }
    switch group {
    case .disabled(let providers):
      return providers.flatMap { snapshot.providers[$0].accounts }.map { index in
        let account = snapshot.accounts[index]
        return (
          account.id,
          stranger(account) ?? account.obstacle ?? best.map { .lowerPriority(than: $0) }
        )
      }
    case .target(let target):
      return accounts(of: target).map { index in
        verdict(index, obstacle(index, target, &local), passedBy: best)
      }
    case .combo(let targets):
      var isBehind = false
      var verdicts: [(account: AccountID, rejection: RejectionReason?)] = []
      for target in targets {
        let isOwn =
          chosen.map { place in
            !isBehind && place.upstreamModel == target.upstreamModel
              && accounts(of: target).contains(place.account)
          } ?? false
        for index in accounts(of: target) {
          let obstacle = obstacle(index, target, &local)
          if isOwn {
            verdicts.append(verdict(index, obstacle, passedBy: best))
          } else {
            verdicts.append(
              (
                snapshot.accounts[index].id, obstacle ?? best.map { .laterInCombo(than: $0) }
              ))
          }
        }
        if isOwn { isBehind = true }
      }
      return verdicts
    case .policy(let policy):
      return policy.members.map { member in
        let account = snapshot.accounts[member.account].id
        if member.account == chosen?.account { return (account, nil) }
        let passed: RejectionReason? = best.map { .notDrawn(chosen: $0) }
        return (account, obstacle(member, policy, &local) ?? passed)
      }
    }
  }

  private func verdict(
    _ index: Int, _ obstacle: RejectionReason?, passedBy best: AccountID?
  ) -> (account: AccountID, rejection: RejectionReason?) {
    let account = snapshot.accounts[index].id
    if index == chosen?.account { return (account, nil) }
    let passed: RejectionReason? = best.map {
      snapshot.settings.fallbackStrategy == .fillFirst
        ? .lowerPriority(than: $0) : .notDrawn(chosen: $0)
    }
    return (account, obstacle ?? passed)
  }

  private func accounts(of target: Meaning.Target) -> Range<Int> {
    snapshot.providers[target.provider].accounts
  }

  private func isAllowed(_ target: Meaning.Target) -> Bool {
    fence?.admits(model: facts.model, target.qualified) ?? true
  }

  // MARK: What stands against a place

  private func wasTried(_ account: SnapshotAccount, _ model: String) -> Bool {
    tried.contains { $0.account == account.id && ($0.model == nil || $0.model == model) }
  }

  private func isUntold(_ account: SnapshotAccount, _ model: String) -> Bool {
    untold.contains {
      $0.provider == account.providerIndex && ($0.model == nil || $0.model == model)
    }
  }

  /// Before all else: what no time and no operator's hand changes.
  private func stranger(_ account: SnapshotAccount) -> RejectionReason? {
    if let narrow {
      let provider = snapshot.providers[account.providerIndex]
      if provider.dialect.dialect(for: narrow) == nil { return .otherProtocol }
    }
    guard let owner = facts.owner else { return nil }
    return account.id == owner ? nil : .notOwner
  }

  private func obstacle(
    _ index: Int, _ target: Meaning.Target, _ local: inout some LocalSource
  ) -> RejectionReason? {
    let account = snapshot.accounts[index]
    if let stranger = stranger(account) { return stranger }
    if !tried.isEmpty, wasTried(account, target.upstreamModel) { return .alreadyTried }
    if !untold.isEmpty, isUntold(account, target.upstreamModel) { return .notCarried }
    if let fence, !fence.admits(account: account.id) || !isAllowed(target) { return .notAllowed }
    if let obstacle = account.obstacle(to: target.upstreamModel, at: now) { return obstacle }
    if account.weight == 0, facts.owner == nil, snapshot.settings.fallbackStrategy == .weighted {
      return .noWeight
    }
    return probing(account, target.upstreamModel, &local)
  }

  /// The local source is asked last, and only where there is something to be proved.
  private func probing(
    _ account: SnapshotAccount, _ model: String, _ local: inout some LocalSource
  ) -> RejectionReason? {
    guard account.halfOpenScope(of: model, at: now) != nil else { return nil }
    return local.isProbeFree(account.id, model: model) ? nil : .probing
  }

  private func obstacle(
    _ member: PolicyGroup.Member, _ policy: PolicyGroup, _ local: inout some LocalSource
  ) -> RejectionReason? {
    let account = snapshot.accounts[member.account]
    if let stranger = stranger(account) { return stranger }
    guard let model = member.upstreamModel else {
      return tried.contains { $0.account == account.id } ? .alreadyTried : .notOffered
    }
    if wasTried(account, model) { return .alreadyTried }
    if !untold.isEmpty, isUntold(account, model) { return .notCarried }
    if isFencedOff(member, policy) { return .notAllowed }
    if let fence, !fence.admits(account: account.id) { return .notAllowed }
    if let obstacle = account.obstacle(to: model, at: now) { return obstacle }
    if member.weight == 0, facts.owner == nil { return .noWeight }
    return probing(account, model, &local)
  }

  private func isFencedOff(_ member: PolicyGroup.Member, _ policy: PolicyGroup) -> Bool {
    guard let fence else { return false }
    let provider = snapshot.providers[snapshot.accounts[member.account].providerIndex]
    let qualified = provider.prefix + "/" + (member.upstreamModel ?? policy.id.model)
    return !fence.admits(model: facts.model, qualified)
  }

  // MARK: The strategies

  private mutating func choose(
    among target: Meaning.Target, _ local: inout some LocalSource
  ) {
    let strategy = snapshot.settings.fallbackStrategy
    guard strategy != .fillFirst else { return fillFirst(target, &local) }
    var open: [Int] = []
    for index in accounts(of: target) where obstacle(index, target, &local) == nil {
      open.append(index)
    }
    guard let first = open.first else { return }
    let index: Int? =
      switch strategy {
      case .fillFirst: first
      case .roundRobin: inTurn(open, target.qualified, &local)
      case .weighted: byWeight(open, target.qualified, &local)
      case .leastLatency: open.count > 1 ? quicker(open, &local) : first
      case .sessionSticky: bySession(open, in: accounts(of: target))
      }
    chosen = index.map { Place(account: $0, upstreamModel: target.upstreamModel) }
  }

  /// The first account that has no obstacle and was not tried.
  private mutating func fillFirst(_ target: Meaning.Target, _ local: inout some LocalSource) {
    for index in accounts(of: target) where obstacle(index, target, &local) == nil {
      guard chosen == nil else {
        rule = .fillFirst
        return
      }
      chosen = Place(account: index, upstreamModel: target.upstreamModel)
    }
  }

  /// A turn is taken also where only one could serve: the order does not depend on who can.
  private mutating func inTurn(
    _ open: [Int], _ group: String, _ local: inout some LocalSource
  ) -> Int {
    if open.count > 1 { rule = .roundRobin }
    let place = local.cursor(of: group) ?? Turns.mixed(seed)
    let turn = place / UInt64(max(1, snapshot.settings.stickyRoundRobinLimit))
    return open[Int(turn % UInt64(open.count))]
  }

  private mutating func byWeight(
    _ open: [Int], _ group: String, _ local: inout some LocalSource
  ) -> Int? {
    if open.count > 1 { rule = .weighted }
    return turn(of: open.map { snapshot.accounts[$0].weight }, group, &local).map { open[$0] }
  }

  /// By the group's cursor, or without one by the dice; nil if all weights are 0.
  private func turn(
    of weights: [UInt32], _ group: String, _ local: inout some LocalSource
  ) -> Int? {
    if let cursor = local.cursor(of: group) { return Turns.weighted(weights, at: cursor) }
    let total = weights.reduce(UInt64(0)) { $0 + UInt64($1) }
    guard total > 0 else { return nil }
    var left = Turns.mixed(seed) % total
    for (index, weight) in weights.enumerated() {
      if left < UInt64(weight) { return index }
      left -= UInt64(weight)
    }
    return nil
  }

  /// The quicker of two; what nobody knows yet is tried first.
  private mutating func quicker(_ open: [Int], _ local: inout some LocalSource) -> Int {
    rule = .leastLatency
    let dice = Turns.mixed(seed)
    let one = Int(dice % UInt64(open.count))
    var other = Int((dice >> 32) % UInt64(open.count - 1))
    if other >= one { other += 1 }
    let first = local.latency(of: snapshot.accounts[open[one]].id)
    let second = local.latency(of: snapshot.accounts[open[other]].id)
    return second < first ? open[other] : open[one]
  }

  /// The account with the highest hash of session and account, as long as it can serve (rendezvous hashing):
  /// an account more or less moves only the sessions that it gets or had.
  private mutating func bySession(_ open: [Int], in all: Range<Int>) -> Int {
    let session = facts.session ?? seed
    func rank(_ index: Int) -> UInt64 { Turns.mixed(session ^ snapshot.accounts[index].hash) }
    var best = open[0]
    for index in open.dropFirst() where rank(index) > rank(best) { best = index }
    rule = all.contains { rank($0) > rank(best) } ? .sessionMoved : .sessionSticky
    return best
  }

  /// Each as often as its weight says.
  private mutating func choose(among policy: PolicyGroup, _ local: inout some LocalSource) {
    isForbidden = !policy.members.isEmpty && policy.members.allSatisfy { isFencedOff($0, policy) }
    var open: [PolicyGroup.Member] = []
    for member in policy.members where obstacle(member, policy, &local) == nil {
      open.append(member)
    }
    if open.count > 1 { rule = .weighted }
    guard let turn = turn(of: open.map(\.weight), policy.name, &local),
      let model = open[turn].upstreamModel
    else { return }
    chosen = Place(account: open[turn].account, upstreamModel: model)
  }
}

/// Says where the next attempt of a request goes; the gateway and `replay` call the same function.
///
/// Pure: the same arguments give the same answer, for ever.
///
/// - Parameters:
///   - now: the decision's clock, which cooldowns are compared with; recorded with the attempt.
///   - seed: the decision's dice, drawn from under a policy; recorded with the attempt.
///   - local: what events up to the snapshot do not determine; empty for every rule there is.
///   - tried: accounts that this request already used, in order. Never chosen again for the same model: an
///     account that stands behind several models of a combo is tried once for each of them.
/// - Complexity: one look-up and a walk along the accounts that may serve; nothing is sorted. A refusal costs
///   more: it looks for near names among all.
public func route(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [AccountID]
) -> Result<RoutingDecision, RoutingRefusal> {
  switch snapshot.resolve(facts) {
  case .failure(let refusal): return .failure(refusal)
  case .success(let group):
    let judgement = Judgement(snapshot, group, facts, now: now, seed: seed, tried: tried)
    guard let chosen = judgement.chosen else {
      if judgement.isForbidden { return .failure(.modelNotAllowed) }
      let rejected = judgement.verdicts().compactMap { account, rejection in
        rejection.map { RoutingRefusal.Rejection(account: account, reason: $0) }
      }
      return .failure(.noAccount(rejected: rejected))
    }
    let account = snapshot.accounts[chosen.account]
    return .success(
      RoutingDecision(
        accountIndex: chosen.account, account: account.id, provider: account.provider,
        upstreamModel: chosen.upstreamModel, rule: judgement.rule))
  }
}

/// Lists every account of the resolved target and why it was not chosen; nil for the one that was.
///
/// Derived from the judgement that `route` rests on. Empty if the model is unknown or ambiguous. An account
/// that stands behind several models of a combo is listed once for each of them.
public func candidates(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [AccountID]
) -> [(account: AccountID, rejection: RejectionReason?)] {
  switch snapshot.resolve(facts) {
  case .failure: []
  case .success(let group):
    Judgement(snapshot, group, facts, now: now, seed: seed, tried: tried).verdicts()
  }
}

/// The accounts that may serve a name.
enum RoutingGroup {
  case target(Meaning.Target)
  case combo([Meaning.Target])
  case policy(PolicyGroup)
  /// Providers, none of which is enabled.
  case disabled([Int])
}

extension RoutingSnapshot {
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
  private let tried: [AccountID]
  /// nil: none of the group may serve.
  private(set) var chosen: Place?
  private(set) var rule = ChoiceRule.only
  /// The key may not ask for any model of the group.
  private(set) var isForbidden = false

  init(
    _ snapshot: RoutingSnapshot, _ group: RoutingGroup, _ facts: RequestFacts,
    now: UnixNanoseconds, seed: UInt64, tried: [AccountID]
  ) {
    self.snapshot = snapshot
    self.group = group
    self.facts = facts
    self.now = now
    self.tried = tried
    fence = snapshot.fences.isEmpty ? nil : facts.key.flatMap { snapshot.fences[$0] }
    switch group {
    case .disabled: break
    case .target(let target): choose(fillFirst: target)
    case .combo(let targets): choose(among: targets)
    case .policy(let policy): draw(policy, seed)
    }
  }

  /// What became of every place of the group, best first within a provider.
  func verdicts() -> [(account: AccountID, rejection: RejectionReason?)] {
    let best = chosen.map { snapshot.accounts[$0.account].id }
    switch group {
    case .disabled(let providers):
      return providers.flatMap { snapshot.providers[$0].accounts }.map { index in
        let account = snapshot.accounts[index]
        return (account.id, account.obstacle ?? best.map { .lowerPriority(than: $0) })
      }
    case .target(let target):
      return accounts(of: target).map { index in
        verdict(index, obstacle(index, target), best.map { .lowerPriority(than: $0) })
      }
    case .combo(let targets):
      let struck = strike(targets)
      var isBehind = false
      return targets.enumerated().flatMap { number, target in
        let isOwn = chosen.map { place in
          !isBehind && place.upstreamModel == target.upstreamModel
            && accounts(of: target).contains(place.account)
        }
        let verdicts = accounts(of: target).map { index in
          let account = snapshot.accounts[index]
          if isOwn == true, index == chosen?.account {
            return (account: account.id, rejection: RejectionReason?.none)
          }
          let obstacle = obstacle(index, target, struck: struck[number].contains(index))
          let passed: RejectionReason? = best.map {
            isOwn == true ? .lowerPriority(than: $0) : .laterInCombo(than: $0)
          }
          return (account: account.id, rejection: obstacle ?? passed)
        }
        if isOwn == true { isBehind = true }
        return verdicts
      }
    case .policy(let policy):
      return policy.members.map { member in
        verdict(
          member.account, obstacle(member, policy), best.map { .notDrawn(chosen: $0) })
      }
    }
  }

  private func verdict(
    _ index: Int, _ obstacle: RejectionReason?, _ passed: RejectionReason?
  ) -> (account: AccountID, rejection: RejectionReason?) {
    let account = snapshot.accounts[index].id
    if index == chosen?.account { return (account, nil) }
    return (account, obstacle ?? passed)
  }

  // MARK: One provider

  /// The first account that has no obstacle and was not tried.
  private mutating func choose(fillFirst target: Meaning.Target) {
    if let fence, !fence.admits(model: facts.model, target.qualified) {
      isForbidden = true
      return
    }
    for index in accounts(of: target) where obstacle(index, target) == nil {
      guard chosen == nil else {
        rule = .fillFirst
        return
      }
      chosen = Place(account: index, upstreamModel: target.upstreamModel)
    }
  }

  private func accounts(of target: Meaning.Target) -> Range<Int> {
    snapshot.providers[target.provider].accounts
  }

  private func obstacle(_ index: Int, _ target: Meaning.Target) -> RejectionReason? {
    obstacle(index, target, struck: tried.contains(snapshot.accounts[index].id))
  }

  private func obstacle(
    _ index: Int, _ target: Meaning.Target, struck: Bool
  ) -> RejectionReason? {
    if struck { return .alreadyTried }
    let account = snapshot.accounts[index]
    if let fence {
      guard fence.admits(account: account.id),
        fence.admits(model: facts.model, target.qualified)
      else { return .notAllowed }
    }
    return account.obstacle(to: target.upstreamModel, at: now)
  }

  // MARK: A combo

  /// The first account of the first model that has one left.
  private mutating func choose(among targets: [Meaning.Target]) {
    rule = .combo
    if let fence,
      !targets.contains(where: { fence.admits(model: facts.model, $0.qualified) })
    {
      isForbidden = true
      return
    }
    let struck = strike(targets)
    for (number, target) in targets.enumerated() {
      for index in accounts(of: target)
      where obstacle(index, target, struck: struck[number].contains(index)) == nil {
        chosen = Place(account: index, upstreamModel: target.upstreamModel)
        return
      }
    }
  }

  /// For which model each tried account was tried: the first that it could serve and was not tried for yet.
  ///
  /// What was tried is recorded by account alone. Had its state changed between two attempts, an account may
  /// be struck off another model than it was tried for; it is struck off once for each time.
  private func strike(_ targets: [Meaning.Target]) -> [Set<Int>] {
    var struck = [Set<Int>](repeating: [], count: targets.count)
    for id in tried {
      var fallback: (number: Int, index: Int)?
      var isStruck = false
      search: for (number, target) in targets.enumerated() {
        for index in accounts(of: target)
        where snapshot.accounts[index].id == id && !struck[number].contains(index) {
          if obstacle(index, target, struck: false) == nil {
            struck[number].insert(index)
            isStruck = true
            break search
          }
          if fallback == nil { fallback = (number, index) }
        }
      }
      if !isStruck, let fallback { struck[fallback.number].insert(fallback.index) }
    }
    return struck
  }

  // MARK: A policy

  /// One of the accounts that may serve, as often as its weight says.
  private mutating func draw(_ policy: PolicyGroup, _ seed: UInt64) {
    let open = policy.members.filter { obstacle($0, policy) == nil }
    isForbidden = !policy.members.isEmpty && policy.members.allSatisfy { isFencedOff($0, policy) }
    let total = open.reduce(UInt64(0)) { $0 + UInt64($1.weight) }
    guard total > 0 else { return }
    if open.count > 1 { rule = .weighted }
    var left = mixed(seed) % total
    for member in open {
      if left < UInt64(member.weight), let model = member.upstreamModel {
        chosen = Place(account: member.account, upstreamModel: model)
        return
      }
      left -= min(left, UInt64(member.weight))
    }
  }

  private func obstacle(_ member: PolicyGroup.Member, _ policy: PolicyGroup) -> RejectionReason? {
    let account = snapshot.accounts[member.account]
    if tried.contains(account.id) { return .alreadyTried }
    guard let model = member.upstreamModel else { return .notOffered }
    if isFencedOff(member, policy) { return .notAllowed }
    if let fence, !fence.admits(account: account.id) { return .notAllowed }
    if let obstacle = account.obstacle(to: model, at: now) { return obstacle }
    return member.weight == 0 ? .noWeight : nil
  }

  private func isFencedOff(_ member: PolicyGroup.Member, _ policy: PolicyGroup) -> Bool {
    guard let fence else { return false }
    let provider = snapshot.providers[snapshot.accounts[member.account].providerIndex]
    let qualified = provider.prefix + "/" + (member.upstreamModel ?? policy.id.model)
    return !fence.admits(model: facts.model, qualified)
  }
}

/// Spreads seeds that lie close together over all of 64 bits (the finaliser of SplitMix64).
private func mixed(_ seed: UInt64) -> UInt64 {
  var value = seed &+ 0x9E37_79B9_7F4A_7C15
  value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
  value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
  return value ^ (value >> 31)
}

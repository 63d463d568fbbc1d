/// Says where the next attempt of a request goes; the gateway and `replay` call the same function.
///
/// Pure: the same arguments give the same answer, for ever.
///
/// - Parameters:
///   - now: the decision's clock; recorded with the attempt, unused by fill-first.
///   - seed: the decision's dice; unused by fill-first.
///   - local: what events up to the snapshot do not determine; empty for fill-first.
///   - tried: accounts that this request already used; never chosen again.
/// - Complexity: one look-up and the accounts of one provider; nothing is sorted. A refusal costs more:
///   it looks for near names among all.
public func route(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [AccountID]
) -> Result<RoutingDecision, RoutingRefusal> {
  switch snapshot.resolve(facts.model) {
  case .failure(let refusal): return .failure(refusal)
  case .success(let group):
    let judgement = Judgement(snapshot, group, tried)
    guard let chosen = judgement.chosen, case .target(let target) = group else {
      let rejected = judgement.verdicts(snapshot, group, tried).compactMap { account, rejection in
        rejection.map { RoutingRefusal.Rejection(account: account, reason: $0) }
      }
      return .failure(.noAccount(rejected: rejected))
    }
    let account = snapshot.accounts[chosen]
    return .success(
      RoutingDecision(
        accountIndex: chosen, account: account.id, provider: account.provider,
        upstreamModel: target.upstreamModel, rule: judgement.rule))
  }
}

/// Lists every account of the resolved target and why it was not chosen; nil for the one that was.
///
/// Derived from the judgement that `route` rests on. Empty if the model is unknown or ambiguous.
public func candidates(
  _ snapshot: RoutingSnapshot, _ facts: RequestFacts, now: UnixNanoseconds, seed: UInt64,
  local: LocalInputs, tried: [AccountID]
) -> [(account: AccountID, rejection: RejectionReason?)] {
  switch snapshot.resolve(facts.model) {
  case .failure: []
  case .success(let group): Judgement(snapshot, group, tried).verdicts(snapshot, group, tried)
  }
}

/// The accounts that may serve a name.
private enum Group {
  case target(Meaning.Target)
  /// Providers, none of which is enabled.
  case disabled([Int])
}

extension RoutingSnapshot {
  /// What the client's name means, or why it means nothing.
  fileprivate func resolve(_ name: String) -> Result<Group, RoutingRefusal> {
    switch meanings[name] {
    case .target(let target): .success(.target(target))
    case .disabled(let providers): .success(.disabled(providers))
    case .ambiguous(let names): .failure(.ambiguousModel(candidates: names))
    case .dangling(let target): .failure(.unknownModel(near: near(target)))
    case .none: .failure(.unknownModel(near: near(name)))
    }
  }

  /// Names near this one among those listed, which are those that would be served.
  private func near(_ name: String) -> [String] {
    var search = NearNames(name)
    for model in listed { search.consider(model.id) }
    return search.found
  }
}

/// One choice among the accounts of a group.
private struct Judgement {
  /// Index into `RoutingSnapshot.accounts`; nil: none of the group may serve.
  let chosen: Int?
  let rule: ChoiceRule

  /// Fill-first: the first account that has no obstacle and was not tried.
  init(_ snapshot: RoutingSnapshot, _ group: Group, _ tried: [AccountID]) {
    var first: Int?
    var isOnly = true
    switch group {
    case .disabled: break
    case .target(let target):
      for index in snapshot.providers[target.provider].accounts
      where Self.obstacle(snapshot.accounts[index], tried) == nil {
        guard first != nil else {
          first = index
          continue
        }
        isOnly = false
        break
      }
    }
    chosen = first
    rule = isOnly ? .only : .fillFirst
  }

  /// What became of every account of the group, best first within a provider.
  func verdicts(
    _ snapshot: RoutingSnapshot, _ group: Group, _ tried: [AccountID]
  ) -> [(account: AccountID, rejection: RejectionReason?)] {
    let providers =
      switch group {
      case .target(let target): [target.provider]
      case .disabled(let providers): providers
      }
    let best = chosen.map { snapshot.accounts[$0].id }
    return providers.flatMap { snapshot.providers[$0].accounts }.map { index in
      let account = snapshot.accounts[index]
      if index == chosen { return (account.id, nil) }
      let obstacle = Self.obstacle(account, tried)
      return (account.id, obstacle ?? best.map { .lowerPriority(than: $0) })
    }
  }

  private static func obstacle(
    _ account: SnapshotAccount, _ tried: [AccountID]
  ) -> RejectionReason? {
    tried.contains(account.id) ? .alreadyTried : account.obstacle
  }
}

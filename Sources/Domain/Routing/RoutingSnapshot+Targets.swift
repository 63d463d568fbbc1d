extension RoutingSnapshot {
  /// The models that a request may be sent to, whichever account takes it; empty: none is known.
  public func targets(of model: String, organisation: OrganisationID?) -> [PriceID] {
    var targets: [PriceID] = []
    func add(_ provider: ProviderID, _ model: String) {
      let id = PriceID(provider: provider, model: model)
      if !targets.contains(id) { targets.append(id) }
    }
    let groups = policies[model]
    if let policy = organisation.flatMap({ groups?[$0] }) ?? groups?[PolicyID.everyone] {
      for member in policy.members {
        if let model = member.upstreamModel { add(accounts[member.account].provider, model) }
      }
    }
    switch meanings[model] {
    case .target(let target): add(providers[target.provider].id, target.upstreamModel)
    case .combo(let combo):
      for target in combo { add(providers[target.provider].id, target.upstreamModel) }
    case .disabled, .ambiguous, .dangling, nil: break
    }
    return targets
  }
}

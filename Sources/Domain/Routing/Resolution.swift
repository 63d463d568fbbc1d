/// What a name that clients write means, for people; made of the tables that `route` decides by.
public struct Resolution: Sendable, Hashable {
  /// By which step the name got its meaning.
  public var step: Step
  /// What the step leads to, as it is configured: an alias's target, a combo's models; empty for the others.
  public var targets: [String]
  /// Models at providers that may serve, in the order in which they are tried.
  public var places: [Place]

  /// The steps in their order; the first one that knows the name decides.
  public enum Step: String, Sendable, Hashable, CaseIterable {
    case prefix
    case alias
    case combo
    case policy
    case bare
    /// No step knows the name.
    case nothing
  }

  /// One model at one provider.
  public struct Place: Sendable, Hashable {
    /// Whose model.
    public var provider: ProviderID
    /// The provider's own name of it.
    public var model: String
  }
}

extension RoutingSnapshot {
  /// The policy that says which accounts serve a request; nil: none does.
  public func policy(of facts: RequestFacts) -> PolicyID? { (try? resolve(facts).get())?.policy }

  /// What a name means to a client.
  ///
  /// - Parameter state: of which this is the snapshot.
  public func resolution(of facts: RequestFacts, in state: ControlState) -> Resolution {
    let name = facts.model
    let group = try? resolve(facts).get()
    let step: Resolution.Step =
      if case .policy = group { .policy } else if state.aliases[name] != nil {
        .alias
      } else if state.combos[name] != nil { .combo } else if group == nil, meanings[name] == nil {
        .nothing
      } else if isPrefixed(name) {
        .prefix
      } else { .bare }
    var targets = state.aliases[name].map { [$0.target] } ?? state.combos[name]?.models ?? []
    var places: [Resolution.Place] = []
    switch group {
    case .target(let target): places = [place(target)]
    case .combo(let all): places = all.map(place)
    case .policy(let policy):
      targets = [policy.id.organisation.rawValue + "/" + policy.id.model]
      for member in policy.members {
        guard let model = member.upstreamModel else { continue }
        let place = Resolution.Place(provider: accounts[member.account].provider, model: model)
        if !places.contains(place) { places.append(place) }
      }
    case .disabled(let indexes):
      places = indexes.map { Resolution.Place(provider: providers[$0].id, model: name) }
    case nil: break
    }
    return Resolution(step: step, targets: targets, places: places)
  }

  private func place(_ target: Meaning.Target) -> Resolution.Place {
    Resolution.Place(provider: providers[target.provider].id, model: target.upstreamModel)
  }

  private func isPrefixed(_ name: String) -> Bool {
    guard let (prefix, _) = splitAtFirstSlash(name) else { return false }
    return providers.contains { $0.prefix == prefix }
  }
}

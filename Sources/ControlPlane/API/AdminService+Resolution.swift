import Domain
import Surface

/// `GET /api/models/alias?resolve=`: what a name means, and where a request for it would go now.
extension AdminService {
  /// By the gateway's own resolution and routing, with nothing in flight and dice that show nought.
  func resolve(_ name: String, _ call: AdminCall) throws -> AdminAnswer {
    let state = control.state
    let organisation = OrganisationID(try call.query.text("organisation") ?? "default")
    guard state.organisations[organisation] != nil else {
      throw APIFault(.unknownOrganisation, field: "organisation")
    }
    let snapshot = RoutingSnapshot(state)
    let facts = RequestFacts(
      model: name, organisation: organisation, key: nil, operation: .chatCompletions)
    let now = edge.now()
    let resolution = snapshot.resolution(of: facts, in: state)
    let outcome = route(snapshot, facts, now: now, seed: 0, local: .none, tried: [])
    let listed = candidates(snapshot, facts, now: now, seed: 0, local: .none, tried: [])
    var chosen = JSONValue.null
    var refusal: String?
    var near: [String] = []
    switch outcome {
    case .success(let decision):
      chosen = [
        "account": JSONValue(decision.account.rawValue),
        "provider": JSONValue(decision.provider.rawValue),
        "model": JSONValue(decision.upstreamModel), "rule": JSONValue(decision.rule.name),
      ]
    case .failure(.unknownModel(let names)): (refusal, near) = ("unknown_model", names)
    case .failure(.ambiguousModel(let names)): (refusal, near) = ("ambiguous_model", names)
    case .failure(.modelNotAllowed): refusal = "model_not_allowed"
    case .failure(.noAccount): refusal = "no_account"
    }
    return .json([
      "name": JSONValue(name), "organisation": JSONValue(organisation.rawValue),
      "via": JSONValue(resolution.step.rawValue),
      "targets": .array(resolution.targets.map { JSONValue($0) }),
      "models": .array(
        resolution.places.map {
          ["provider": JSONValue($0.provider.rawValue), "model": JSONValue($0.model)]
        }), "chosen": chosen, "refusal": JSONValue(refusal),
      "near": .array(near.map { JSONValue($0) }),
      "candidates": .array(
        listed.map { id, rejection in
          let account = state.accounts[id]
          return [
            "account": JSONValue(id.rawValue), "name": JSONValue(account?.name),
            "provider": JSONValue(account?.provider.rawValue),
            "isChosen": JSONValue(rejection == nil), "rejection": JSONValue(rejection?.name),
          ]
        }),
    ])
  }
}

import Domain
import HTTPTypes
import Surface

/// `/api/organisations`: tenants, to whom keys and policies belong.
extension AdminService {
  func listOrganisations(_ call: AdminCall) throws -> AdminAnswer {
    let query = call.query
    let name = try query.text("name")
    let isActive = try query.bool("isActive")
    let text = try query.text("q")
    let organisations = control.state.organisations.values.filter { organisation in
      (name ?? organisation.name) == organisation.name
        && (isActive ?? !organisation.isPaused) == !organisation.isPaused
        && matches(text, organisation.name, organisation.id.rawValue)
    }
    return try Page(query).answer(
      "organisations", organisations, by: { Page.Key(.text($0.id.rawValue)) }, json)
  }

  func getOrganisation(_ call: AdminCall) throws -> AdminAnswer {
    one(try Self.organisation(OrganisationID(try call.parameter("id")), control.state))
  }

  func addOrganisation(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let id = OrganisationID(try fields.string("id"))
    let wanted = OrganisationCommand.Create(
      id: id, name: try fields.optionalString("name") ?? id.rawValue,
      limits: try fields.changedLimits() ?? .none, budgets: try fields.changedBudgets() ?? [])
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in [Change(.organisation(.create(wanted)))]
    }
    var answer = one(try Self.organisation(id, outcome.state))
    answer.status = .created
    return answer
  }

  func changeOrganisation(_ call: AdminCall) async throws -> AdminAnswer {
    let id = OrganisationID(try call.parameter("id"))
    var fields = try call.fields()
    let wanted = OrganisationCommand.Change(
      id: id, name: try fields.changedString("name"), limits: try fields.changedLimits(),
      budgets: try fields.changedBudgets())
    let isActive = try fields.changedBool("isActive")
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      _ = try Self.organisation(id, state)
      var changes = [Change(.organisation(.change(wanted)))]
      if let isActive {
        changes.append(Change(.organisation(isActive ? .resume(id) : .pause(id))))
      }
      return changes
    }
    return one(try Self.organisation(id, outcome.state))
  }

  func removeOrganisation(_ call: AdminCall) async throws -> AdminAnswer {
    let id = OrganisationID(try call.parameter("id"))
    try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) { state in
      _ = try Self.organisation(id, state)
      return [Change(.organisation(.remove(id)))]
    }
    return .json(["message": "Organisation removed", "id": JSONValue(id.rawValue)])
  }

  private static func organisation(
    _ id: OrganisationID, _ state: ControlState
  ) throws -> Organisation {
    guard let organisation = state.organisations[id] else { throw APIFault(.unknownOrganisation) }
    return organisation
  }

  private func one(_ organisation: Organisation) -> AdminAnswer {
    .json(["organisation": json(organisation)], revision: organisation.revision)
  }

  private func json(_ organisation: Organisation) -> JSONValue {
    // The standard one was there before any event.
    let hasBegun = organisation.createdAt.rawValue != 0
    return [
      "id": JSONValue(organisation.id.rawValue), "name": JSONValue(organisation.name),
      "isActive": JSONValue(!organisation.isPaused), "limits": JSONValue(organisation.limits),
      "budgets": JSONValue(organisation.budgets),
      "usage": usage(of: .organisation(organisation.id), organisation.budgets),
      "createdAt": hasBegun ? JSONValue(organisation.createdAt) : .null,
      "updatedAt": organisation.revision > 0 ? JSONValue(organisation.updatedAt) : .null,
      "revision": JSONValue(organisation.revision),
    ]
  }
}

import Domain
import HTTPTypes
import Surface

/// `/api/combos`: ordered fallback lists of models, whose id is their name.
extension AdminService {
  func listCombos(_ call: AdminCall) throws -> AdminAnswer {
    let text = try call.query.text("q")
    let combos = control.state.combos.values.filter { matches(text, $0.name) }
    return try Page(call.query).answer(
      "combos", combos, by: { Page.Key(.text($0.name)) }, Self.json)
  }

  func getCombo(_ call: AdminCall) throws -> AdminAnswer {
    one(try Self.combo(try call.parameter("name"), control.state))
  }

  func addCombo(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let name = try fields.string("name")
    let set = try Self.set(name, &fields)
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      guard state.combos[name] == nil else {
        throw APIFault(
          .alreadyExists, field: "name", details: [.init("value", JSONValue(name))])
      }
      return [set]
    }
    var answer = one(try Self.combo(name, outcome.state))
    answer.status = .created
    return answer
  }

  func changeCombo(_ call: AdminCall) async throws -> AdminAnswer {
    let name = try call.parameter("name")
    var fields = try call.fields()
    if let given = try fields.changedString("name"), given != name {
      throw fields.fault(
        "name", "a combo keeps its name", remedy: "Add one under the new name, remove this one.")
    }
    let set = try Self.set(name, &fields)
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      _ = try Self.combo(name, state)
      return [set]
    }
    return one(try Self.combo(name, outcome.state))
  }

  func removeCombo(_ call: AdminCall) async throws -> AdminAnswer {
    let name = try call.parameter("name")
    try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) { state in
      _ = try Self.combo(name, state)
      return [Change(.combo(.remove(name: name)))]
    }
    return .json(["success": true, "name": JSONValue(name)])
  }

  /// The rest of a body that sets a combo.
  private static func set(_ name: String, _ fields: inout ObjectReader) throws -> Change {
    guard let models = try fields.optionalStrings("models") else {
      throw APIFault(.missingField, "models is missing", field: "models")
    }
    let allowUnresolved = try fields.optionalBool("allowUnresolved") ?? false
    try fields.finish()
    return Change(.combo(.set(name: name, models: models, allowUnresolved: allowUnresolved)))
  }

  private static func combo(_ name: String, _ state: ControlState) throws -> Combo {
    guard let combo = state.combos[name] else { throw APIFault(.unknownCombo) }
    return combo
  }

  private func one(_ combo: Combo) -> AdminAnswer {
    .json(Self.json(combo), revision: combo.revision)
  }

  private static func json(_ combo: Combo) -> JSONValue {
    [
      "id": JSONValue(combo.name), "name": JSONValue(combo.name),
      "models": .array(combo.models.map { JSONValue($0) }),
      "isUnresolved": JSONValue(combo.isUnresolved), "createdAt": JSONValue(combo.createdAt),
      "updatedAt": JSONValue(combo.updatedAt), "revision": JSONValue(combo.revision),
    ]
  }
}

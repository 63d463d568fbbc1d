import Domain
import Surface

/// `/api/models/alias`: client-facing model names.
extension AdminService {
  /// All as a map, with `?alias=x` one with its revision, with `?resolve=x` what a name means.
  func listAliases(_ call: AdminCall) throws -> AdminAnswer {
    let state = control.state
    let aliases = state.aliases
    if let name = call.query["alias"] {
      guard let alias = aliases[name] else { throw APIFault(.unknownAlias) }
      return .json(Self.json(alias, state), revision: alias.revision)
    }
    if let name = try call.query.text("resolve") { return try resolve(name, call) }
    let text = try call.query.text("q")
    let (page, next) = try Page(call.query).cut(
      aliases.values.filter { matches(text, $0.name, $0.target) }, by: { Page.Key(.text($0.name)) })
    return .json(
      .object(
        [
          .init("aliases", .object(page.map { .init($0.name, JSONValue($0.target)) })),
          .init(
            "unresolved",
            .array(page.filter { !state.isKnown(target: $0.target) }.map { JSONValue($0.name) })),
        ] + Page.members(next: next)))
  }

  func setAlias(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let name = try fields.string("alias")
    let target = try fields.string("model")
    let allowUnresolved = try fields.optionalBool("allowUnresolved") ?? false
    try fields.finish()
    let outcome: ControlPlane.Outcome
    do {
      outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
        state in
        let set = Change(
          .alias(.set(name: name, target: target, allowUnresolved: allowUnresolved)))
        if call.mustExist, state.aliases[name] == nil {
          throw Refusal.revisionMismatch(current: state.revision(ofStream: set.command.stream))
        }
        return [set]
      }
    } catch let refusal as Refusal {
      throw refusal.naming(["name": "alias", "target": "model"])
    }
    guard let alias = outcome.state.aliases[name] else { throw APIFault(.unknownAlias) }
    return .json(Self.json(alias, outcome.state), revision: alias.revision)
  }

  func removeAlias(_ call: AdminCall) async throws -> AdminAnswer {
    guard let name = call.query["alias"] else { throw APIFault(.missingField, field: "alias") }
    try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) { state in
      guard state.aliases[name] != nil else { throw APIFault(.unknownAlias) }
      return [Change(.alias(.remove(name: name)))]
    }
    return .json(["success": true, "alias": JSONValue(name)])
  }

  /// Whether the target is known is told as it is now, not as it was when the alias was written.
  private static func json(_ alias: AliasTarget, _ state: ControlState) -> JSONValue {
    [
      "success": true, "alias": JSONValue(alias.name), "model": JSONValue(alias.target),
      "isUnresolved": JSONValue(!state.isKnown(target: alias.target)),
      "createdAt": JSONValue(alias.createdAt),
      "updatedAt": JSONValue(alias.updatedAt), "revision": JSONValue(alias.revision),
    ]
  }
}

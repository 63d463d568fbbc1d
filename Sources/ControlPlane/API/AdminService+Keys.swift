import Domain
import HTTPTypes
import Surface

/// `/api/keys`: clients' keys. A key's text is in the answer that creates it and nowhere else.
extension AdminService {
  func listKeys(_ call: AdminCall) throws -> AdminAnswer {
    let query = call.query
    let organisation = try query.text("organisation")
    let name = try query.text("name")
    let status = try query.choice("status", of: ["active", "paused", "revoked"])
    let isActive = try query.bool("isActive")
    let text = try query.text("q")
    let state = control.state
    let keys = state.keys.values.filter { key in
      (organisation ?? key.organisation.rawValue) == key.organisation.rawValue
        && (name ?? key.name) == key.name && (status ?? key.status.rawValue) == key.status.rawValue
        && (isActive ?? (key.status == .active)) == (key.status == .active)
        && matches(text, key.name, key.id.rawValue)
    }
    return try Page(query).answer(
      "keys", keys, by: { Page.Key(.number($0.createdAt.rawValue), .text($0.id.rawValue)) }
    ) { .object(members($0, state)) }
  }

  func getKey(_ call: AdminCall) throws -> AdminAnswer {
    let state = control.state
    return one(try Self.key(KeyID(try call.parameter("id")), state), state)
  }

  func createKey(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let name = try fields.string("name")
    let organisation = try Self.organisation(&fields)
    let diagnostics = try fields.optionalBool("diagnostics") ?? false
    let wanted = try rights(&fields)
    try fields.finish()
    let key = KeyText.makeKey(edge)
    var created = KeyEvent.Created(
      id: KeyID(uuidText(edge.mintID())), name: name, organisation: organisation ?? .standard,
      fingerprint: control.vault.fingerprint(key), masked: KeyText.masked(key),
      diagnostics: diagnostics, expiresAt: nil)
    if case .at(let time) = wanted.rights.expiry { created.expiresAt = time }
    let event = created
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in [Change(.key(.create(event, rights: try wanted.resolved(state))))]
    }
    let made = try Self.key(created.id, outcome.state)
    let text = JSONValue.Member("key", JSONValue(String(decoding: key.bytes, as: UTF8.self)))
    return .json(
      .object([text] + members(made, outcome.state)), status: .created,
      revision: made.revision)
  }

  func changeKey(_ call: AdminCall) async throws -> AdminAnswer {
    let id = KeyID(try call.parameter("id"))
    var fields = try call.fields()
    let name = try fields.changedString("name")
    let organisation = try Self.organisation(&fields)
    let diagnostics = try fields.changedBool("diagnostics")
    let isActive = try fields.changedBool("isActive")
    let wanted = try rights(&fields)
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      let key = try Self.key(id, state)
      guard organisation ?? key.organisation == key.organisation else {
        throw APIFault(
          .invalidField, "A key keeps its organisation.", field: "organisation",
          remedy: "Create a new key for the other organisation, then revoke this one.")
      }
      var changes = [
        Change(.key(.change(KeyEvent.Changed(id: id, name: name, diagnostics: diagnostics)))),
        Change(.key(.changeRights(id, try wanted.resolved(state)))),
      ]
      if let isActive { changes.append(Change(.key(isActive ? .resume(id) : .pause(id)))) }
      return changes
    }
    return one(try Self.key(id, outcome.state), outcome.state)
  }

  func revokeKey(_ call: AdminCall) async throws -> AdminAnswer {
    let id = KeyID(try call.parameter("id"))
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      _ = try Self.key(id, state)
      return [Change(.key(.revoke(id)))]
    }
    return one(try Self.key(id, outcome.state), outcome.state)
  }

  private static func key(_ id: KeyID, _ state: ControlState) throws -> Key {
    guard let key = state.keys[id] else { throw APIFault(.unknownKey) }
    return key
  }

  /// Both spellings are read; where both are there they must say the same.
  private static func organisation(_ fields: inout ObjectReader) throws -> OrganisationID? {
    let organisation = try fields.changedString("organisation")
    let american = try fields.changedString("organization")
    if let organisation, let american, organisation != american {
      throw fields.fault(
        "organization", "organisation and organization contradict each other",
        remedy: "Send one of them.")
    }
    return (organisation ?? american).map { OrganisationID($0) }
  }

  /// Where the key leads, how far and for how long.
  private func rights(_ fields: inout ObjectReader) throws -> WantedRights {
    var rights = KeyRights(
      allowedModels: try fields.changedStrings("allowedModels"),
      limits: try fields.changedLimits(), budgets: try fields.changedBudgets())
    switch try fields.givenString("expiresAt") {
    case .absent: break
    case .null: rights.expiry = .never
    case .value(let text):
      guard let time = parseRFC3339(text), time > edge.now() else {
        throw fields.fault(
          "expiresAt", "expiresAt is not a time to come",
          remedy: "Send RFC 3339, for example 2030-01-01T00:00:00Z, or null for never.")
      }
      rights.expiry = .at(time)
    }
    return WantedRights(rights: rights, accounts: try fields.changedStrings("allowedAccounts"))
  }

  private func one(_ key: Key, _ state: ControlState) -> AdminAnswer {
    .json(["key": .object(members(key, state))], revision: key.revision)
  }

  private func members(_ key: Key, _ state: ControlState) -> [JSONValue.Member] {
    let isPaused = state.organisations[key.organisation]?.isPaused ?? false
    return [
      JSONValue.Member("id", JSONValue(key.id.rawValue)),
      JSONValue.Member("name", JSONValue(key.name)),
      JSONValue.Member("maskedKey", JSONValue(key.masked)),
      JSONValue.Member("organisation", JSONValue(key.organisation.rawValue)),
      JSONValue.Member("organisationIsActive", JSONValue(!isPaused)),
      JSONValue.Member("diagnostics", JSONValue(key.diagnostics)),
      JSONValue.Member("isActive", JSONValue(key.status == .active)),
      JSONValue.Member("status", JSONValue(key.status.rawValue)),
      JSONValue.Member("allowedModels", .array(key.allowedModels.map { JSONValue($0) })),
      JSONValue.Member(
        "allowedAccounts", .array(key.allowedAccounts.map { JSONValue($0.rawValue) })),
      JSONValue.Member("limits", JSONValue(key.limits)),
      JSONValue.Member("budgets", JSONValue(key.budgets)),
      JSONValue.Member("usage", usage(of: .key(key.id), key.budgets)),
      JSONValue.Member("expiresAt", JSONValue(key.expiresAt)),
      JSONValue.Member("createdAt", JSONValue(key.createdAt)),
      JSONValue.Member("updatedAt", JSONValue(key.updatedAt)),
      JSONValue.Member("revision", JSONValue(key.revision)),
    ]
  }
}

/// Rights as a body gives them: accounts by id, or by name where only one has it.
private struct WantedRights: Sendable {
  var rights: KeyRights
  var accounts: [String]?

  func resolved(_ state: ControlState) throws -> KeyRights {
    var rights = rights
    rights.allowedAccounts = try accounts.map { references in
      try references.map { try AdminService.account($0, state).id }
    }
    return rights
  }
}

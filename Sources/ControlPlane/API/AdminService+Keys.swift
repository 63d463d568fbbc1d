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
    let keys = control.state.keys.values.filter { key in
      (organisation ?? key.organisation.rawValue) == key.organisation.rawValue
        && (name ?? key.name) == key.name && (status ?? key.status.rawValue) == key.status.rawValue
        && (isActive ?? (key.status == .active)) == (key.status == .active)
        && matches(text, key.name, key.id.rawValue)
    }
    return try Page(query).answer(
      "keys", keys, by: { Page.Key(.number($0.createdAt.rawValue), .text($0.id.rawValue)) }
    ) { .object(Self.members($0)) }
  }

  func getKey(_ call: AdminCall) throws -> AdminAnswer {
    one(try Self.key(KeyID(try call.parameter("id")), control.state))
  }

  func createKey(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let name = try fields.string("name")
    let organisation = try fields.changedString("organisation")
    let american = try fields.changedString("organization")
    if let organisation, let american, organisation != american {
      throw fields.fault(
        "organization", "organisation and organization contradict each other",
        remedy: "Send one of them.")
    }
    let diagnostics = try fields.optionalBool("diagnostics") ?? false
    var expiresAt: UnixNanoseconds?
    if let text = try fields.optionalString("expiresAt") {
      guard let time = parseRFC3339(text), time > edge.now() else {
        throw fields.fault(
          "expiresAt", "expiresAt is not a time to come",
          remedy: "Send RFC 3339, for example 2030-01-01T00:00:00Z.")
      }
      expiresAt = time
    }
    try fields.finish()
    let key = KeyText.makeKey(edge)
    let created = KeyEvent.Created(
      id: KeyID(uuidText(edge.mintID())), name: name,
      organisation: (organisation ?? american).map { OrganisationID($0) } ?? .standard,
      fingerprint: control.vault.fingerprint(key), masked: KeyText.masked(key),
      diagnostics: diagnostics, expiresAt: expiresAt)
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in [Change(.key(.create(created)))]
    }
    let made = try Self.key(created.id, outcome.state)
    let text = JSONValue.Member("key", JSONValue(String(decoding: key.bytes, as: UTF8.self)))
    return .json(
      .object([text] + Self.members(made)), status: .created, revision: made.revision)
  }

  func changeKey(_ call: AdminCall) async throws -> AdminAnswer {
    let id = KeyID(try call.parameter("id"))
    var fields = try call.fields()
    let name = try fields.changedString("name")
    let diagnostics = try fields.changedBool("diagnostics")
    let isActive = try fields.changedBool("isActive")
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      _ = try Self.key(id, state)
      var changes = [
        Change(.key(.change(KeyEvent.Changed(id: id, name: name, diagnostics: diagnostics))))
      ]
      if let isActive { changes.append(Change(.key(isActive ? .resume(id) : .pause(id)))) }
      return changes
    }
    return one(try Self.key(id, outcome.state))
  }

  func revokeKey(_ call: AdminCall) async throws -> AdminAnswer {
    let id = KeyID(try call.parameter("id"))
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      _ = try Self.key(id, state)
      return [Change(.key(.revoke(id)))]
    }
    var answer = one(try Self.key(id, outcome.state))
    answer.status = .ok
    return answer
  }

  private static func key(_ id: KeyID, _ state: ControlState) throws -> Key {
    guard let key = state.keys[id] else { throw APIFault(.unknownKey) }
    return key
  }

  private func one(_ key: Key) -> AdminAnswer {
    .json(["key": .object(Self.members(key))], revision: key.revision)
  }

  private static func members(_ key: Key) -> [JSONValue.Member] {
    [
      JSONValue.Member("id", JSONValue(key.id.rawValue)),
      JSONValue.Member("name", JSONValue(key.name)),
      JSONValue.Member("maskedKey", JSONValue(key.masked)),
      JSONValue.Member("organisation", JSONValue(key.organisation.rawValue)),
      JSONValue.Member("diagnostics", JSONValue(key.diagnostics)),
      JSONValue.Member("isActive", JSONValue(key.status == .active)),
      JSONValue.Member("status", JSONValue(key.status.rawValue)),
      JSONValue.Member("expiresAt", JSONValue(key.expiresAt)),
      JSONValue.Member("createdAt", JSONValue(key.createdAt)),
      JSONValue.Member("updatedAt", JSONValue(key.updatedAt)),
      JSONValue.Member("revision", JSONValue(key.revision)),
    ]
  }
}

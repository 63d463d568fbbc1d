import Domain
import HTTPTypes
import Surface

/// `/api/providers`: accounts, which 9router's runbooks call connections.
extension AdminService {
  func listAccounts() -> AdminAnswer {
    let accounts = control.state.accounts.values.sorted {
      ($0.priority, $0.provider, $0.name, $0.id) < ($1.priority, $1.provider, $1.name, $1.id)
    }
    return .json(["connections": .array(accounts.map { Self.json($0) })])
  }

  func getAccount(_ call: AdminCall) throws -> AdminAnswer {
    one(try Self.account(try call.parameter("id"), control.state))
  }

  func addAccount(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let added = AccountEvent.Added(
      id: AccountID(uuidText(edge.mintID())), provider: ProviderID(try fields.string("provider")),
      name: try fields.string("name"),
      priority: UInt32(try fields.optionalInt("priority", in: 1...1000) ?? 1),
      weight: UInt32(try fields.optionalInt("weight", in: 0...10_000) ?? 1))
    guard let secret = try fields.changedCredential("apiKey") else {
      throw APIFault(.missingField, "apiKey is missing", field: "apiKey")
    }
    try fields.finish()
    let fingerprint = control.vault.fingerprint(secret)
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in [Change(.account(.add(added, credential: fingerprint)), secret: secret)]
    }
    var answer = one(try Self.account(added.id.rawValue, outcome.state))
    answer.status = .created
    return answer
  }

  func changeAccount(_ call: AdminCall) async throws -> AdminAnswer {
    let reference = try call.parameter("id")
    var fields = try call.fields()
    let name = try fields.changedString("name")
    let priority = try fields.changedInt("priority", in: 1...1000).map { UInt32($0) }
    let weight = try fields.changedInt("weight", in: 0...10_000).map { UInt32($0) }
    let isActive = try fields.changedBool("isActive")
    let secret = try fields.changedCredential("apiKey")
    try fields.finish()
    let fingerprint = secret.map { control.vault.fingerprint($0) }
    // Resolved once: a name may be changed by this very command.
    let id = try Self.account(reference, control.state).id
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      guard state.accounts[id] != nil else { throw APIFault(.unknownAccount) }
      var changes = [
        Change(
          .account(
            .change(
              AccountEvent.Changed(id: id, name: name, priority: priority, weight: weight))))
      ]
      if let isActive {
        changes.append(Change(.account(isActive ? .enable(id) : .disable(id))))
      }
      if let secret, let fingerprint {
        changes.append(Change(.account(.issueCredential(id, fingerprint)), secret: secret))
      }
      return changes
    }
    return one(try Self.account(id.rawValue, outcome.state))
  }

  func removeAccount(_ call: AdminCall) async throws -> AdminAnswer {
    let reference = try call.parameter("id")
    let id = try Self.account(reference, control.state).id
    try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) { state in
      guard state.accounts[id] != nil else { throw APIFault(.unknownAccount) }
      return [Change(.account(.remove(id)))]
    }
    return .json([
      "message": "Connection deleted successfully", "id": JSONValue(id.rawValue),
    ])
  }

  /// By id, or by name where only one account has it.
  static func account(_ reference: String, _ state: ControlState) throws -> Account {
    if let account = state.accounts[AccountID(reference)] { return account }
    let named = state.accounts.values.filter { $0.name == reference }.sorted { $0.id < $1.id }
    switch named.count {
    case 1: return named[0]
    case 0: throw APIFault(.unknownAccount)
    default:
      throw APIFault(
        .unknownAccount, "Several accounts have this name.", remedy: "Use one of the ids.",
        details: [
          JSONValue.Member(
            "candidates", .array(named.prefix(100).map { JSONValue($0.id.rawValue) }))
        ])
    }
  }

  private func one(_ account: Account) -> AdminAnswer {
    .json(["connection": Self.json(account)], revision: account.revision)
  }

  /// Without the credential: only that there is one, and by which fingerprint it is known.
  static func json(_ account: Account) -> JSONValue {
    [
      "id": JSONValue(account.id.rawValue), "provider": JSONValue(account.provider.rawValue),
      "name": JSONValue(account.name), "authType": "apikey",
      "priority": JSONValue(account.priority), "weight": JSONValue(account.weight),
      "isActive": JSONValue(account.isEnabled), "testStatus": "unknown",
      "hasCredential": JSONValue(account.credentialFingerprint != nil),
      "credentialGeneration": JSONValue(account.credentialGeneration),
      "fingerprint": JSONValue(account.credentialFingerprint.map { KeyText.short($0) }),
      "createdAt": JSONValue(account.createdAt), "updatedAt": JSONValue(account.updatedAt),
      "revision": JSONValue(account.revision),
    ]
  }
}

import Domain
import HTTPTypes
import Surface

/// `/api/providers`: accounts, which 9router's runbooks call connections.
extension AdminService {
  func listAccounts(_ call: AdminCall) throws -> AdminAnswer {
    let query = call.query
    let provider = try query.text("provider")
    let name = try query.text("name")
    let isActive = try query.bool("isActive")
    let testStatus = try query.choice("testStatus", of: TestStatus.allCases.map(\.name))
    let isDegraded = try query.bool("degraded")
    let text = try query.text("q")
    let (state, now) = (control.state, edge.now())
    let accounts = state.accounts.values.filter { account in
      let health = state.health[account.id] ?? .unknown
      guard testStatus.map({ $0 == health.shownStatus(at: now).name }) ?? true,
        isDegraded.map({ $0 == (account.degradation != nil) }) ?? true
      else { return false }
      return
        (provider ?? account.provider.rawValue) == account.provider.rawValue
        && (name ?? account.name) == account.name
        && (isActive ?? account.isEnabled) == account.isEnabled
        && matches(text, account.name, account.id.rawValue)
    }
    return try Page(query).answer(
      "connections", accounts,
      by: {
        Page.Key(
          .number(Int64($0.priority)), .text($0.provider.rawValue), .text($0.name),
          .text($0.id.rawValue))
      }, { json($0, state) })
  }

  func getAccount(_ call: AdminCall) throws -> AdminAnswer {
    let state = control.state
    return one(try Self.account(try call.parameter("id"), state), state)
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
      _ in [Change(.account(.add(added, credential: .key(fingerprint))), secret: secret)]
    }
    var answer = one(try Self.account(added.id.rawValue, outcome.state), outcome.state)
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
    let wanted = try WantedHealth(&fields, now: edge.now())
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
        changes.append(Change(.account(.issueCredential(id, .key(fingerprint))), secret: secret))
        // What a call with the old one led to says nothing of the new one.
        if state.health[id]?.cooldown?.needsProof == true {
          changes += Self.endingCooldown(of: id, state)
        }
      }
      return try changes
        + wanted.changes(of: id, state) { end in
          secret == nil
            ? self.expiry(end, of: id, state) : Change(.account(.setCredentialExpiry(id, end)))
        }
    }
    return one(try Self.account(id.rawValue, outcome.state), outcome.state)
  }

  /// The same credential with another end, as its next generation: other nodes hear of generations only.
  private func expiry(_ end: UnixNanoseconds, of id: AccountID, _ state: ControlState) -> Change {
    guard let held = control.held(id), held.credential == state.accounts[id]?.credential else {
      return Change(.account(.setCredentialExpiry(id, end)))
    }
    let secret = held.material.encoded
    let terms = CredentialTerms(
      fingerprint: control.vault.fingerprint(secret), kind: held.credential.kind,
      canRefresh: held.credential.canRefresh, expiresAt: end)
    return Change(.account(.issueCredential(id, terms)), secret: secret)
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

  /// As 9router's runbooks name it.
  private static func authType(of account: Account) -> String {
    switch account.credential.kind {
    case .apiKey: "apikey"
    case .token: "access_token"
    case .oauth: "oauth"
    }
  }

  func one(_ account: Account, _ state: ControlState) -> AdminAnswer {
    .json(["connection": json(account, state)], revision: account.revision)
  }

  /// Without the credential: only that there is one, and by which fingerprint it is known.
  func json(_ account: Account, _ state: ControlState) -> JSONValue {
    let health = state.health[account.id] ?? .unknown
    return .object(
      [
        .init("id", JSONValue(account.id.rawValue)),
        .init("provider", JSONValue(account.provider.rawValue)),
        .init("name", JSONValue(account.name)),
        .init("authType", JSONValue(Self.authType(of: account))),
        .init("priority", JSONValue(account.priority)), .init("weight", JSONValue(account.weight)),
        .init("isActive", JSONValue(account.isEnabled)),
      ] + health.members(at: edge.now()) + [
        .init(
          "degraded",
          account.degradation.map {
            ["reason": JSONValue($0.reason), "since": JSONValue($0.since)]
          } ?? .null),
        .init("credential", account.credential.json(account, state)),
        .init("hasCredential", JSONValue(account.credential.fingerprint != nil)),
        .init("credentialGeneration", JSONValue(account.credential.generation)),
        .init("expiresAt", JSONValue(account.credential.expiresAt)),
        .init("fingerprint", JSONValue(account.credential.fingerprint.map { KeyText.short($0) })),
        .init("createdAt", JSONValue(account.createdAt)),
        .init("updatedAt", JSONValue(account.updatedAt)),
        .init("revision", JSONValue(account.revision)),
      ])
  }
}

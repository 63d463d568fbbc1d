import Domain
import HTTPTypes
import Surface

/// `/api/providers/{id}/credential`: generations of an account's secret.
extension AdminService {
  /// Puts an access token in force as the next generation, whoever held the one before.
  func issueCredential(_ call: AdminCall) async throws -> AdminAnswer {
    let reference = try call.parameter("id")
    var fields = try call.fields()
    guard let access = try fields.changedCredential("accessToken", most: 16_384) else {
      throw APIFault(.missingField, "accessToken is missing", field: "accessToken")
    }
    let material = CredentialMaterial(
      access: access, refresh: try fields.changedCredential("refreshToken", most: 16_384),
      identity: try fields.changedCredential("idToken", most: 16_384))
    let expiresAt = try Self.expiry(&fields, now: edge.now())
    try fields.finish()
    let id = try Self.account(reference, control.state).id
    let outcome = try await control.execute(provenance: call.provenance) { state in
      guard let account = state.accounts[id] else { throw APIFault(.unknownAccount) }
      try call.requireRevision(of: account)
      let before = control.held(id)?.material
      if let refresh = material.refresh, before?.gaveUp(refresh) == true {
        throw APIFault(
          .tokenGivenUp, "A newer refresh token was given for this one, and is in force.",
          field: "refreshToken")
      }
      let whole = Self.whole(material, .token, before: before)
      let fingerprint = control.vault.fingerprint(whole.encoded)
      if case .reauthRequired(let it) = account.credential.standing,
        account.credential.fingerprint == fingerprint
      {
        throw APIFault(
          .tokenGivenUp,
          "The provider refused this refresh token (\(it.code)), and it is the one in force.",
          field: "refreshToken")
      }
      let terms = CredentialTerms(
        fingerprint: fingerprint, kind: .token,
        canRefresh: whole.refresh != nil, expiresAt: expiresAt)
      var changes = [Change(.account(.issueCredential(id, terms)), secret: whole.encoded)]
      // What a call with the old one led to says nothing of the new one.
      if state.health[id]?.cooldown?.needsProof == true {
        changes += Self.endingCooldown(of: id, state)
      }
      return changes
    }
    return one(try Self.account(id.rawValue, outcome.state), outcome.state)
  }

  /// Refreshes it now, whether or not it is due.
  func refreshCredential(_ call: AdminCall) async throws -> AdminAnswer {
    try call.fieldsIfAny().finish()
    let account = try Self.account(try call.parameter("id"), control.state)
    try call.requireRevision(of: account)
    guard let credentials else { throw APIFault(.gatewayNotRunning) }
    let result = await credentials.refresh(
      account.id, presented: account.credential.generation, cause: .byOperator,
      provenance: call.provenance)
    switch result {
    case .newer: return one(try Self.account(account.id.rawValue, control.state), control.state)
    case .refused(let refusal): throw refusal
    case .waits(let until):
      let seconds = (until.rawValue &- edge.now().rawValue + 999_999_999) / 1_000_000_000
      throw APIFault(
        .refreshWaits,
        "Another account of this client was refreshed; this one is refreshed by itself at \(rfc3339(until)).",
        details: [.init("until", JSONValue(until))],
        headers: [.retryAfter: String(max(1, seconds))])
    case .failed(let code):
      throw APIFault(
        .refreshFailed, "The provider gave no new token (\(code)).",
        remedy: "Read the account's credential to see what may be done.",
        details: [.init("reason", JSONValue(code))])
    }
  }

  /// An operator's word that the refresh token may be presented again.
  func releaseCredential(_ call: AdminCall) async throws -> AdminAnswer {
    try call.fieldsIfAny().finish()
    return try await change(call) { .release($0) }
  }

  /// Makes a node, this one if none is named, the only one that refreshes it.
  func moveCredential(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fieldsIfAny()
    let named = try fields.optionalString("node").map { NodeID($0) }
    let isForced = try fields.optionalBool("force") ?? false
    try fields.finish()
    guard let node = named ?? control.state.node else {
      throw APIFault(.missingField, "node is missing", field: "node")
    }
    let account = try Self.account(try call.parameter("id"), control.state)
    if !isForced, !control.state.knows(node) {
      throw APIFault(
        .notHome, "No node \(Refusal.bounded(node.rawValue)) is known here.", field: "node",
        remedy: "Name one that this node syncs with, see `GET /api/sync/cloud`, or send `force`.")
    }
    if node == control.state.node, account.credential.canRefresh,
      control.state.providers[account.provider]?.oauth == nil
    {
      // Where a provider's tokens are refreshed is each node's own: nobody would refresh it then.
      throw Refusal(
        code: .notRefreshable, field: "node", value: node.rawValue,
        message: "this node does not know where the provider's tokens are refreshed",
        remedy: "Set the provider's oauth here first, as it is on the node that refreshes now.")
    }
    return try await change(call) { .moveHome($0, to: node, force: isForced) }
  }

  private func change(
    _ call: AdminCall, _ command: @escaping @Sendable (AccountID) -> CredentialCommand
  ) async throws -> AdminAnswer {
    let id = try Self.account(try call.parameter("id"), control.state).id
    let outcome = try await control.execute(provenance: call.provenance) { state in
      guard let account = state.accounts[id] else { throw APIFault(.unknownAccount) }
      try call.requireRevision(of: account)
      return [Change(.credential(command(id)))]
    }
    return one(try Self.account(id.rawValue, outcome.state), outcome.state)
  }

  /// `expiresAt` as a time, or `expiresIn` as seconds from now; nil: neither.
  static func expiry(
    _ fields: inout ObjectReader, now: UnixNanoseconds
  ) throws -> UnixNanoseconds? {
    let text = try fields.optionalString("expiresAt")
    let seconds = try fields.optionalInt("expiresIn", in: 1...315_360_000)
    if text != nil, seconds != nil {
      throw fields.fault(
        "expiresIn", "expiresAt and expiresIn are both given", remedy: "Send one of them.")
    }
    if let seconds { return UnixNanoseconds(now.rawValue + seconds * 1_000_000_000) }
    guard let text else { return nil }
    guard let time = parseRFC3339(text) else {
      throw fields.fault(
        "expiresAt", "expiresAt is not a time",
        remedy: "Send RFC 3339, for example 2030-01-01T00:00:00Z, or expiresIn in seconds.")
    }
    return time
  }
}

extension Credential {
  /// As operators see it: everything but the secret.
  func json(_ account: Account, _ state: ControlState) -> JSONValue {
    let lead = state.providers[account.provider]?.oauth?.leadSeconds
    let next = isHome(of: state.node) ? lead.flatMap { refreshDue(leadSeconds: $0) } : nil
    return [
      "kind": JSONValue(kind.name), "generation": JSONValue(generation),
      "homeEpoch": JSONValue(homeEpoch), "home": JSONValue((home ?? state.node)?.rawValue),
      "isHome": JSONValue(isHome(of: state.node)), "canRefresh": JSONValue(canRefresh),
      "standing": JSONValue(standing.name), "reason": JSONValue(reason),
      "remedy": JSONValue(remedy),
      "attempt": JSONValue(namedAttempt), "expiresAt": JSONValue(expiresAt),
      "refreshing": JSONValue(attempt != nil), "nextRefreshAt": JSONValue(next),
      "failures": JSONValue(failures),
      "lastFailure": lastFailure.map { ["code": JSONValue($0.code), "at": JSONValue($0.at)] }
        ?? .null,
    ]
  }

  /// What may be done about it; nil: nothing has to be.
  private var remedy: String? {
    switch standing {
    case .usable:
      guard failures > 0 else { return nil }
      return
        "It is tried again by itself when nextRefreshAt comes; to try now, refresh it. If it goes on failing, look at lastFailure and the provider's oauth."
    case .uncertain(let it) where it.reason == .restored:
      return
        "Release it only if the directory that this one was made of made no refresh since, or the provider may revoke all that it gave; else sign in anew, or issue new tokens."
    case .uncertain:
      return
        "Wait: the old refresh token is presented again when the access token ends. Or sign in anew, or issue new tokens. Released, it is presented at once, and the provider may take that for theft."
    case .reauthRequired:
      return
        "Sign in anew, or issue tokens that came after these: the provider refused this refresh token."
    }
  }

  /// Why it is not usable, as a stable word.
  private var reason: String? {
    switch standing {
    case .usable: nil
    case .uncertain(let it): it.reason.name
    case .reauthRequired(let it): it.code
    }
  }

  /// Position of the attempt that made it so.
  private var namedAttempt: UInt64? {
    switch standing {
    case .usable: nil
    case .uncertain(let it): it.attempt
    case .reauthRequired(let it): it.attempt
    }
  }
}

extension ControlState {
  /// Whether a node was ever heard of: this one, one that it syncs with, or one that refreshes a credential.
  fileprivate func knows(_ node: NodeID) -> Bool {
    node == self.node || sync.peers[node.rawValue] != nil
      || accounts.values.contains { $0.credential.home == node }
  }
}

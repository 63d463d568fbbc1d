import Yams

/// Something that the old peer does by itself while it serves: it reads the blob, changes one record, and
/// writes the whole blob back.
struct PeerAct: Sendable {
  enum Deed: String, Sendable, CaseIterable {
    /// By the OAuth server, with the refresh token of the record.
    case refresh
    /// As after a 429.
    case cooldown
    /// As after a success.
    case clear
    /// Writes `fields`.
    case set
    /// Only reads, so that the isolate's cache is warm.
    case look
  }

  var machine: String
  var isolate: String
  var account: String
  var deed: Deed
  /// Between reading and writing the peer waits for `POST /_control/release`.
  var isHeld: Bool
  var fields: [String: JSONValue]

  static func read(_ given: Fields) throws(ScenarioFault) -> PeerAct {
    var fields = given
    guard let deed = try fields.choice("do", Deed.self) else {
      throw ScenarioFault(description: "\(given.path): do is missing")
    }
    var act = PeerAct(
      machine: try fields.required("machine"), isolate: try fields.string("isolate") ?? "worker",
      account: deed == .look ? "" : try fields.required("account"), deed: deed,
      isHeld: try fields.boolean("hold") ?? false, fields: [:])
    if deed == .set {
      guard let node = try fields.node("fields"), case .object(let read) = JSONValue(yaml: node)
      else { throw ScenarioFault(description: "\(given.path): fields is missing") }
      act.fields = read
    }
    try fields.refuseRest()
    return act
  }

  /// What a refresh told, for the callback.
  struct Told: Sendable {
    var provider: String
    var accessToken: String
    var refreshToken: String?
    var expiresIn: Int64?
  }

  /// The blob as this isolate sees it.
  func load(_ stage: Stage) -> [String: JSONValue]? {
    stage.peer.withState { state, now in state.load(machine, isolate: isolate, now: now) }
  }

  /// Changes the account's record in `data` and writes all of it; nil: nothing to tell anybody.
  func finish(_ data: [String: JSONValue], _ stage: Stage) -> (outcome: String, told: Told?) {
    guard var providers = data["providers"]?.object, var record = providers[account]?.object else {
      return ("no such account", nil)
    }
    var outcome = "written"
    var told: Told?
    var refreshed: Result<OAuthLedger.Issued, OAuthRefusal>?
    if deed == .refresh {
      let provider = record["provider"]?.string ?? ""
      let name = stage.peer.withState { state, _ in state.scenario.oauth[provider] ?? provider }
      refreshed = ask(stage, server: name, token: record["refreshToken"]?.string ?? "")
      guard refreshed != nil else { return ("no OAuth server for \(provider)", nil) }
    }
    stage.peer.withState { state, now in
      let stamp = JSONValue.string(UnixTime.text(now))
      switch deed {
      case .look: return
      case .set: record.merge(fields) { _, new in new }
      case .clear:
        record["status"] = "active"
        for name in ["lastError", "lastErrorAt", "errorCode", "rateLimitedUntil"] {
          record[name] = .null
        }
      case .cooldown:
        record["status"] = "unavailable"
        record["lastError"] = "rate limit"
        record["lastErrorAt"] = stamp
        record["errorCode"] = 429
        record["rateLimitedUntil"] = .string(UnixTime.text(now + 60_000_000_000))
      case .refresh:
        switch refreshed {
        case nil: return
        case .failure(let refusal):
          outcome = "refresh refused: \(refusal.outcome)"
          record["status"] = "error"
          record["lastError"] = "Token refresh failed"
          record["lastErrorAt"] = stamp
          record["errorCode"] = 401
        case .success(let issued):
          outcome = "refreshed"
          let expiresIn = issued.accessExpires.map { ($0 - issued.at) / 1_000_000_000 }
          record["accessToken"] = .string(issued.accessToken)
          if let token = issued.refreshToken { record["refreshToken"] = .string(token) }
          if let expiresIn {
            record["expiresIn"] = .integer(expiresIn)
            record["expiresAt"] = .string(UnixTime.text(now + expiresIn * 1_000_000_000))
          }
          told = Told(
            provider: record["provider"]?.string ?? "", accessToken: issued.accessToken,
            refreshToken: issued.refreshToken, expiresIn: expiresIn)
        }
      }
      record["updatedAt"] = stamp
      providers[account] = .object(record)
      var data = data
      data["providers"] = .object(providers)
      state.save(data, machine, isolate: isolate, now: now)
    }
    return (outcome, told)
  }

  /// nil: there is no such server.
  private func ask(
    _ stage: Stage, server name: String, token: String
  ) -> Result<OAuthLedger.Issued, OAuthRefusal>? {
    stage.oauth.withLedger { ledger, now in
      guard let server = ledger.scenario.server(name) else { return nil }
      var row = OAuthCall(server: name, endpoint: "token", grant: "refresh_token", client: "peer")
      row.presented = TokenMint.fingerprint(token)
      let result = Result { () throws(OAuthRefusal) in
        try ledger.refresh(token, server, client: nil, now: now)
      }
      switch result {
      case .success(let issued):
        row.family = issued.family
        row.generation = issued.generation
        row.subject = issued.subject.name
        row.outcome = "refreshed"
      case .failure(let refusal): row.outcome = refusal.outcome
      }
      ledger.record(row, now: now)
      return result
    }
  }
}

extension JSONValue {
  /// As JSON would say it: plain scalars that look like numbers or truths are such.
  init(yaml node: Node) {
    switch node {
    case .mapping(let mapping):
      var fields: [String: JSONValue] = [:]
      for (key, value) in mapping { fields[key.scalar?.string ?? ""] = JSONValue(yaml: value) }
      self = .object(fields)
    case .sequence(let items): self = .array(items.map { JSONValue(yaml: $0) })
    case .scalar(let scalar):
      if scalar.style != .plain {
        self = .string(scalar.string)
      } else {
        // Plain words other than JSON's are texts.
        self = JSONValue(scalar.string) ?? .string(scalar.string)
      }
    case .alias: self = .null
    }
  }
}

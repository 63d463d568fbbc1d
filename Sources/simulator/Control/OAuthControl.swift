import NIOHTTP1

/// The controls of the OAuth servers, the clock and held calls.
struct OAuthControl {
  let stage: Stage

  /// nil: no such control.
  func respond(_ path: String, _ document: () throws(ScenarioFault) -> Fields) throws(ScenarioFault)
    -> JSONValue?
  {
    switch path {
    case "oauth/next":
      let entry = try QueuedMishap.read(document())
      stage.oauth.withLedger { ledger, _ in ledger.queue.insert(entry, at: ledger.queueFront) }
      return ["ok": true]
    case "oauth/session": return try session(document())
    case "oauth/approve": return try decide(document(), isApproval: true)
    case "oauth/deny": return try decide(document(), isApproval: false)
    case "oauth/revoke", "oauth/expire":
      return try end(document(), isExpiry: path.hasSuffix("expire"))
    case "clock": return try clock(document())
    case "release":
      var fields = try document()
      let count = try fields.integer("count", 1...1_000_000) ?? 1_000_000
      let part = try fields.string("label") ?? ""
      try fields.refuseRest()
      return ["released": .integer(Int64(stage.holds.release(count, part: part)))]
    default: return nil
    }
  }

  /// The simulator's clock.
  var clockReport: JSONValue {
    [
      "now": .string(UnixTime.text(stage.clock.now)),
      "aheadMilliseconds": .integer(stage.clock.ahead / 1_000_000),
      "stopped": .boolean(stage.clock.isStopped),
    ]
  }

  private func session(_ given: Fields) throws(ScenarioFault) -> JSONValue {
    let session = try OAuthScenario.session(given)
    let issued = stage.oauth.withLedger { ledger, now in ledger.begin(session, now: now) }
    guard let issued else {
      throw ScenarioFault(description: "\(given.path).server: no OAuth server has this name")
    }
    return OAuthWords.object([
      "family": .integer(Int64(issued.family)), "accessToken": .string(issued.accessToken),
      "refreshToken": issued.refreshToken.map(JSONValue.string),
      "expiresAt": issued.accessExpires.map { .string(UnixTime.text($0)) },
    ])
  }

  private func decide(_ given: Fields, isApproval: Bool) throws(ScenarioFault) -> JSONValue {
    var fields = given
    let request = try fields.string("request")
    let userCode = try fields.string("user-code")
    let decision: OAuthLedger.Device.Decision =
      isApproval ? .approved(subject: try fields.required("subject")) : .denied
    try fields.refuseRest()
    if let userCode, request == nil {
      let isDone = stage.oauth.withLedger { ledger, now in
        ledger.decide(userCode: userCode, decision, now: now)
      }
      guard isDone else {
        throw ScenarioFault(description: "\(given.path).user-code: no device waits with it")
      }
      return ["ok": true]
    }
    guard let request, userCode == nil else {
      throw ScenarioFault(description: "\(given.path): request or user-code is expected")
    }
    let decided = stage.oauth.withLedger { ledger, now in
      ledger.decide(request, decision, now: now)
    }
    guard let decided else {
      throw ScenarioFault(description: "\(given.path).request: no authorization waits with it")
    }
    return OAuthWords.object([
      "location": decided.location.map(JSONValue.string),
      "code": decided.code.map(JSONValue.string),
    ])
  }

  /// Ends what a subject has at a server: its family, or only the time of its access tokens.
  private func end(_ given: Fields, isExpiry: Bool) throws(ScenarioFault) -> JSONValue {
    var fields = given
    let server = try fields.required("server")
    let subject = try fields.required("subject")
    try fields.refuseRest()
    let count = stage.oauth.withLedger { ledger, now in
      let chosen = ledger.families.filter {
        $0.server == server && $0.subject == subject && $0.revoked == nil
      }
      for family in chosen {
        guard isExpiry else {
          ledger.revoke(family.ordinal, why: "operator", now: now)
          continue
        }
        ledger.families[family.ordinal - 1].accessExpires = now
        for (token, access) in ledger.accessTokens where access.family == family.ordinal {
          ledger.accessTokens[token]?.expires = min(access.expires ?? now, now)
        }
      }
      return chosen.count
    }
    guard count > 0 else {
      throw ScenarioFault(description: "\(given.path): no live family of this server and subject")
    }
    return ["families": .integer(Int64(count))]
  }

  private func clock(_ given: Fields) throws(ScenarioFault) -> JSONValue {
    var fields = given
    let advance = try fields.span("advance", signed: true)
    let stops = try fields.boolean("stopped")
    try fields.refuseRest()
    if let advance { stage.clock.advance(by: advance) }
    if let stops { stage.clock.stop(stops) }
    return clockReport
  }

  // MARK: - What happened

  /// `GET /_control/oauth`.
  func report() -> JSONValue {
    let held = JSONValue.array(stage.holds.labels.map(JSONValue.string))
    return stage.oauth.withLedger { ledger, now in
      OAuthWords.object([
        "now": .string(UnixTime.text(now)), "callCount": .integer(Int64(ledger.callCount)),
        "calls": .array(ledger.calls.map(call)), "held": held,
        "queued": .integer(Int64(ledger.queue.reduce(0) { $0 + $1.times })),
        "families": .array(ledger.families.map { family($0, ledger, now: now) }),
        "authorizations": .array(
          ledger.requests.values.sorted { $0.id < $1.id }.map {
            ["request": .string($0.id), "server": .string($0.server)]
          }),
        "devices": .array(
          ledger.devices.values.filter { !$0.isUsed }.sorted { $0.userCode < $1.userCode }.map {
            ["userCode": .string($0.userCode), "server": .string($0.server)]
          }),
      ])
    }
  }

  private func call(_ row: OAuthCall) -> JSONValue {
    OAuthWords.object([
      "ordinal": .integer(Int64(row.ordinal)), "at": .string(UnixTime.text(row.at)),
      "server": .string(row.server), "endpoint": .string(row.endpoint),
      "grant": row.grant.map(JSONValue.string), "subject": row.subject.map(JSONValue.string),
      "family": row.family.map { .integer(Int64($0)) },
      "generation": row.generation.map { .integer(Int64($0)) },
      "presented": row.presented.map(JSONValue.string), "client": row.client.map(JSONValue.string),
      "outcome": .string(row.outcome), "mishap": row.mishap.map(JSONValue.string),
      "status": row.status.map { .integer(Int64($0)) },
    ])
  }

  private func family(
    _ family: OAuthLedger.Family, _ ledger: OAuthLedger, now: Int64
  ) -> JSONValue {
    let access: String =
      switch ledger.standing(of: family.accessToken, now: now) {
      case .live: "live"
      case .expired: "expired"
      case .revoked, .unknown: "revoked"
      }
    return OAuthWords.object([
      "family": .integer(Int64(family.ordinal)), "server": .string(family.server),
      "subject": .string(family.subject), "client": .string(family.client),
      "generation": .integer(Int64(family.generation)), "access": .string(access),
      "accessExpiresAt": family.accessExpires.map { .string(UnixTime.text($0)) },
      "accessFingerprint": .string(TokenMint.fingerprint(family.accessToken)),
      "refreshFingerprint": family.refreshToken.map { .string(TokenMint.fingerprint($0)) },
      "revoked": .boolean(family.revoked != nil),
      "revokedBy": family.revoked.map { .string($0.why) },
      "revokedAt": family.revoked.map { .string(UnixTime.text($0.at)) },
      "reuses": .integer(Int64(family.reuses)),
    ])
  }
}

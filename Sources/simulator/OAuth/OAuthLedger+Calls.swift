import NIOHTTP1

/// One call to an OAuth server, as the report shows it.
struct OAuthCall: Sendable {
  var ordinal: UInt64 = 0
  /// Unix nanoseconds of the simulator's clock, when the server looked at it.
  var at: Int64 = 0
  var server: String
  var endpoint: String
  var grant: String?
  var subject: String?
  var family: Int?
  /// That the call brought, or that it presented.
  var generation: Int?
  /// Fingerprint of the code or token.
  var presented: String?
  var client: String?
  var outcome = ""
  var mishap: String?
  /// Of the answer as the server meant it.
  var status: Int?
}

/// What the paths below a server's name lead to.
enum OAuthPlace: String, Sendable {
  case authorize
  case token
  case device
  case revoke
  case userinfo
  case discovery
  case jwks
  /// Kiro's client registration.
  case register
  /// GitHub's copilot token, which lives shortly and has no refresh token of its own.
  case short
  /// Roo's ticket for a client token, and the client token for a session token.
  case ticket
  case session

  init?(_ path: some StringProtocol, _ shape: OAuthShape.Name) {
    switch path {
    case "authorize", "oauth2/auth", "extension/sign-in": self = .authorize
    case "token", "login/oauth/access_token", "refreshToken": self = .token
    case "device/code", "login/device/code", "device_authorization": self = .device
    case "code" where shape == .minimax: self = .device
    case "revoke": self = .revoke
    case "userinfo", "user", "profile", "v1/me", "getUserInfo": self = .userinfo
    case ".well-known/openid-configuration", ".well-known/oauth-authorization-server":
      self = .discovery
    case "jwks": self = .jwks
    case "client/register" where shape == .kiro: self = .register
    case "copilot_internal/v2/token" where shape == .github: self = .short
    case "v1/client/sign_ins" where shape == .roo: self = .ticket
    case _ where shape == .roo && path.hasPrefix("v1/client/sessions/"): self = .session
    default: return nil
    }
  }

  var method: HTTPMethod {
    switch self {
    case .authorize, .userinfo, .discovery, .jwks, .short: .GET
    case .token, .device, .revoke, .register, .ticket, .session: .POST
    }
  }
}

extension OAuthLedger {
  static let callLimit = 4096

  /// Does what a call asks for and says so in `row`; the answer is the true one, which a mishap may bend.
  mutating func answer(
    _ call: HTTPCall, at place: OAuthPlace, of server: OAuthScenario.Server, base: String,
    now: Int64, row: inout OAuthCall
  ) -> JSONResponse {
    let words = OAuthWords(server: server, base: base)
    do {
      let answer = try dispatch(call, place, server, words, now: now, row: &row)
      if row.outcome.isEmpty { row.outcome = "answered" }
      return answer
    } catch {
      row.outcome = error.outcome
      return words.refusal(error)
    }
  }

  private mutating func dispatch(
    _ call: HTTPCall, _ place: OAuthPlace, _ server: OAuthScenario.Server, _ words: OAuthWords,
    now: Int64, row: inout OAuthCall
  ) throws(OAuthRefusal) -> JSONResponse {
    switch place {
    case .authorize: return try visit(call, server, now: now, row: &row)
    case .token: return good(words.issued(try token(call, server, now: now, row: &row)))
    case .device:
      let client = try client(call, server, mustProve: false)
      let device = try startDevice(
        server, client: client ?? "client", challenge: call.fields["code_challenge"],
        method: call.fields["code_challenge_method"], now: now)
      row.client = client
      var answer = words.device(device, now: now)
      if server.shape == .minimax, case .object(var fields) = answer {
        fields["state"] = call.fields["state"].map(JSONValue.string)
        answer = .object(fields)
      }
      return good(answer)
    case .revoke:
      let presented = call.fields["token"] ?? ""
      row.presented = TokenMint.fingerprint(presented)
      let family = refreshTokens[presented]?.family ?? accessTokens[presented]?.family
      if let family { revoke(family, why: "client", now: now) }
      row.family = family
      return good([:])
    case .userinfo:
      let (access, family) = try bearer(call, now: now, row: &row)
      var apiKey: String?
      if server.shape == .iflow {
        apiKey = TokenMint.token("sk-iflow-", "key \(family.subject)", 0)
        accessTokens[apiKey ?? ""] = Access(
          family: access.family, generation: access.generation, expires: nil)
      }
      return good(words.userInfo(server.subject(family.subject), apiKey: apiKey))
    case .discovery: return good(words.discovery)
    case .jwks: return good(TokenMint.jwks)
    case .register:
      let id = mint("kiro-client-", "registration")
      let secret = mint("kiro-secret-", "registration secret")
      registered[id] = secret
      return good([
        "clientId": .string(id), "clientSecret": .string(secret),
        "clientIdIssuedAt": .integer(now / 1_000_000_000),
        "clientSecretExpiresAt": .integer(now / 1_000_000_000 + 7_776_000),
      ])
    case .short:
      let (access, _) = try bearer(call, now: now, row: &row)
      let expires = now + server.rules.shortLifetime
      let token = mint("tid=", "copilot") + ";exp=\(expires / 1_000_000_000)"
      accessTokens[token] = Access(
        family: access.family, generation: access.generation, expires: expires)
      let lifetime = server.rules.shortLifetime / 1_000_000_000
      return good([
        "token": .string(token), "expires_at": .integer(expires / 1_000_000_000),
        "refresh_in": .integer(max(lifetime - 300, 1)),
        "endpoints": ["api": "https://api.individual.githubcopilot.com"],
      ])
    case .ticket:
      row.grant = "ticket"
      let ticket = call.fields["ticket"] ?? ""
      row.presented = TokenMint.fingerprint(ticket)
      let issued = try exchange(
        ticket, server, client: nil, redirectURI: nil, verifier: nil, now: now)
      note(issued, &row)
      var answer = good(["response": ["created_session_id": .string("sess_\(issued.family)")]])
      answer.headers.add(name: "authorization", value: issued.refreshToken ?? "")
      return answer
    case .session:
      row.grant = "refresh_token"
      let presented = call.bearer ?? ""
      row.presented = TokenMint.fingerprint(presented)
      noteFamily(of: presented, &row)
      let issued = try refresh(presented, server, client: nil, now: now)
      note(issued, &row)
      return good(["jwt": .string(issued.accessToken)])
    }
  }

  // MARK: - The token endpoint

  private mutating func token(
    _ call: HTTPCall, _ server: OAuthScenario.Server, now: Int64, row: inout OAuthCall
  ) throws(OAuthRefusal) -> Issued {
    let shape = OAuthShape[server.shape]
    if shape.body == .form, call.encoding != .form {
      throw .invalidRequest("a form is expected")
    }
    if shape.body == .json, call.json?.object == nil {
      throw .invalidRequest("a JSON object is expected")
    }
    func field(_ name: String) -> String? { OAuthLedger.field(name, call, server) }
    // Kiro's social sign-in refreshes by nothing but the token.
    let grant =
      field("grant_type") ?? (call.path.hasSuffix("/refreshToken") ? "refresh_token" : "")
    row.grant = grant
    if grant == "refresh_token" {
      row.presented = field("refresh_token").map(TokenMint.fingerprint)
      noteFamily(of: field("refresh_token") ?? "", &row)
    }
    let client = try client(call, server, mustProve: true)
    row.client = client
    let issued: Issued
    switch grant {
    case "authorization_code":
      guard let code = field("code") else { throw .invalidRequest("code is missing") }
      row.presented = TokenMint.fingerprint(code)
      issued = try exchange(
        code, server, client: client, redirectURI: field("redirect_uri"),
        verifier: field("code_verifier"), now: now)
    case "refresh_token":
      guard let token = field("refresh_token") else {
        throw .invalidRequest("refresh_token is missing")
      }
      issued = try refresh(token, server, client: client, now: now)
    case "urn:ietf:params:oauth:grant-type:device_code",
      "urn:ietf:params:oauth:grant-type:user_code":
      let name = server.shape == .minimax ? "user_code" : "device_code"
      guard let code = field(name) else { throw .invalidRequest("\(name) is missing") }
      row.presented = TokenMint.fingerprint(code)
      issued = try poll(
        code, server, client: client, verifier: field("code_verifier"), now: now)
    default: throw .unsupportedGrant
    }
    note(issued, &row)
    return issued
  }

  /// Kiro's names are camel case, and no others are understood there.
  private static func field(
    _ name: String, _ call: HTTPCall, _ server: OAuthScenario.Server
  ) -> String? {
    guard server.shape == .kiro else { return call.fields[name] }
    let parts = name.split(separator: "_")
    return call.fields[
      parts[0] + parts.dropFirst().map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()]
  }

  /// Who calls; nil if it does not say and need not.
  private func client(
    _ call: HTTPCall, _ server: OAuthScenario.Server, mustProve: Bool
  ) throws(OAuthRefusal) -> String? {
    let basic = call.basic
    if OAuthShape[server.shape].needsBasic, mustProve, basic == nil { throw .invalidClient }
    let id = basic?.user ?? OAuthLedger.field("client_id", call, server)
    let secret = basic?.password ?? OAuthLedger.field("client_secret", call, server)
    if let id, let expected = registered[id] {
      guard secret == expected else { throw .invalidClient }
      return id
    }
    guard server.clientID == nil || id == server.clientID else { throw .invalidClient }
    guard !mustProve || server.clientSecret == nil || secret == server.clientSecret else {
      throw .invalidClient
    }
    return id
  }

  // MARK: - The browser's visit

  private mutating func visit(
    _ call: HTTPCall, _ server: OAuthScenario.Server, now: Int64, row: inout OAuthCall
  ) throws(OAuthRefusal) -> JSONResponse {
    let request = try authorize(server, call.query, now: now)
    row.client = request.client
    let decision: Device.Decision? =
      if let subject = call.query["approve"] ?? server.autoApprove {
        .approved(subject: subject)
      } else if call.query["deny"] != nil {
        .denied
      } else {
        nil
      }
    guard let decision else {
      row.outcome = "waits for approval"
      return good(["request": .string(request.id), "server": .string(server.name)])
    }
    let decided = decide(request.id, decision, now: now)
    if case .approved(let subject) = decision { row.subject = subject }
    row.outcome = decision == .denied ? "denied" : "approved"
    guard let location = decided?.location else {
      return good(["code": JSONValue(optional: decided?.code)])
    }
    var answer = JSONResponse(status: .found, text: "")
    answer.headers.add(name: "location", value: location)
    return answer
  }

  // MARK: - Helpers

  private func good(_ value: JSONValue) -> JSONResponse {
    JSONResponse(status: .ok, text: value.text)
  }

  private func bearer(
    _ call: HTTPCall, now: Int64, row: inout OAuthCall
  ) throws(OAuthRefusal) -> (Access, Family) {
    let token = call.bearer ?? call.query["accessToken"] ?? ""
    row.presented = TokenMint.fingerprint(token)
    guard let access = accessTokens[token] else { throw .badBearer }
    let family = families[access.family - 1]
    row.family = family.ordinal
    row.generation = access.generation
    row.subject = family.subject
    guard case .live = standing(of: token, now: now) else { throw .badBearer }
    return (access, family)
  }

  private func noteFamily(of token: String, _ row: inout OAuthCall) {
    guard let known = refreshTokens[token] else { return }
    row.family = known.family
    row.generation = known.generation
    row.subject = families[known.family - 1].subject
  }

  private func note(_ issued: Issued, _ row: inout OAuthCall) {
    row.family = issued.family
    row.generation = issued.generation
    row.subject = issued.subject.name
    row.outcome = issued.isRepeat ? "repeated" : issued.isRefresh ? "refreshed" : "issued"
  }

  /// Keeps a finished row.
  mutating func record(_ row: OAuthCall, now: Int64) {
    callCount += 1
    var row = row
    row.ordinal = callCount
    row.at = now
    calls.append(row)
    if calls.count > OAuthLedger.callLimit { calls.removeFirst() }
  }
}

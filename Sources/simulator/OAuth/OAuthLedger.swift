/// Why a call is refused; each shape words it in its own way.
enum OAuthRefusal: Error, Sendable, Equatable {
  case invalidRequest(String)
  case invalidClient
  case unsupportedGrant
  /// An access token that is not live, where one is needed.
  case badBearer
  /// A code that is unknown, used, expired, another client's, or whose verifier is wrong.
  case badCode(String)
  case unknownToken
  /// Used up by an earlier refresh.
  case usedToken
  case expiredToken
  case revokedToken
  case pending
  case slowDown
  case denied
  case deviceExpired

  /// RFC 6749's and RFC 8628's word.
  var code: String {
    switch self {
    case .invalidRequest: "invalid_request"
    case .invalidClient: "invalid_client"
    case .unsupportedGrant: "unsupported_grant_type"
    case .badBearer: "invalid_token"
    case .badCode, .unknownToken, .usedToken, .expiredToken, .revokedToken: "invalid_grant"
    case .pending: "authorization_pending"
    case .slowDown: "slow_down"
    case .denied: "access_denied"
    case .deviceExpired: "expired_token"
    }
  }

  /// For the report.
  var outcome: String {
    switch self {
    case .invalidRequest: "invalid-request"
    case .invalidClient: "invalid-client"
    case .unsupportedGrant: "unsupported-grant"
    case .badBearer: "bad-bearer"
    case .badCode(let reason): "bad-code: \(reason)"
    case .unknownToken: "unknown-token"
    case .usedToken: "reused"
    case .expiredToken: "expired"
    case .revokedToken: "revoked"
    case .pending: "pending"
    case .slowDown: "slow-down"
    case .denied: "denied"
    case .deviceExpired: "device-expired"
    }
  }
}

/// What all OAuth servers of a scenario remember; the time comes with each call, in Unix nanoseconds.
struct OAuthLedger: Sendable {
  /// Everything that one sign-in led to.
  struct Family: Sendable {
    /// From 1.
    var ordinal: Int
    var server: String
    var subject: String
    var client: String
    /// False for a family of the scenario, whose client is only a name for siblings.
    var isBound: Bool
    /// 1 with the sign-in, one more with every refresh.
    var generation = 0
    var refreshToken: String?
    var refreshExpires: Int64?
    var accessToken = ""
    var accessExpires: Int64?
    var revoked: Revoked?
    /// Presentations of used-up tokens.
    var reuses = 0
  }

  struct Revoked: Sendable, Equatable {
    var at: Int64
    /// `reuse`, `sibling`, `spacing`, `code-reuse`, `client` or `operator`.
    var why: String
  }

  /// A refresh token, good or not.
  struct Refresh: Sendable {
    var family: Int
    var generation: Int
    var usedAt: Int64?
    /// What it brought, for the time of grace.
    var brought: Issued?
  }

  /// Something that the model endpoints may accept.
  struct Access: Sendable {
    var family: Int
    var generation: Int
    /// nil: for ever.
    var expires: Int64?
    var isRevoked = false
  }

  /// What a good answer is made of.
  struct Issued: Sendable {
    var family: Int
    var generation: Int
    var subject: OAuthScenario.Subject
    var client: String
    var accessToken: String
    var accessExpires: Int64?
    var refreshToken: String?
    var at: Int64
    var isRefresh: Bool
    /// Given before, and again in the time of grace.
    var isRepeat = false
    /// Asked for with the authorization, told in the id token.
    var nonce: String?
  }

  var scenario: OAuthScenario
  var families: [Family] = []
  var refreshTokens: [String: Refresh] = [:]
  var accessTokens: [String: Access] = [:]
  var codes: [String: Code] = [:]
  var requests: [String: Authorization] = [:]
  var devices: [String: Device] = [:]
  /// Kiro's registered clients: id → secret.
  var registered: [String: String] = [:]
  /// A test's entries first, then the scenario's.
  var queue: [QueuedMishap] = []
  /// Where a test's next entry goes.
  var queueFront: Int { queue.firstIndex(where: \.isScenarios) ?? queue.count }
  var calls: [OAuthCall] = []
  var callCount: UInt64 = 0
  /// Refreshes of a client, by `server/client`.
  var refreshTimes: [String: [Int64]] = [:]
  /// Goes on across resets, so that no token is given twice.
  var minted: UInt64

  init(scenario: OAuthScenario, now: Int64, minted: UInt64 = 0) {
    self.scenario = scenario
    self.minted = minted
    queue = scenario.servers.flatMap(\.calls)
    for index in queue.indices { queue[index].isScenarios = true }
    for session in scenario.sessions { _ = begin(session, now: now) }
  }

  mutating func mint(_ prefix: String, _ kind: String) -> String {
    minted += 1
    return TokenMint.token(prefix, kind, minted)
  }

  // MARK: - Families

  /// A family without a sign-in; nil if there is no such server.
  mutating func begin(_ session: OAuthScenario.Session, now: Int64) -> Issued? {
    guard let server = scenario.server(session.server) else { return nil }
    return issue(
      server, subject: session.subject, client: session.client, isBound: false, now: now,
      given: session)
  }

  /// The first generation of a new family.
  mutating func issue(
    _ server: OAuthScenario.Server, subject: String, client: String, isBound: Bool = true,
    withRefresh: Bool = true, nonce: String? = nil, now: Int64,
    given: OAuthScenario.Session? = nil
  ) -> Issued {
    let shape = OAuthShape[server.shape]
    var family = Family(
      ordinal: families.count + 1, server: server.name, subject: subject, client: client,
      isBound: isBound)
    if withRefresh, shape.hasRefresh {
      family.refreshToken = given?.refreshToken ?? mint(shape.refreshPrefix, "refresh")
      family.refreshExpires = server.rules.refreshLifetime.map { now + $0 }
    }
    if server.rules.siblings == .invalidated {
      revokeSiblings(of: family, why: "sibling", now: now)
    }
    families.append(family)
    return advance(
      family.ordinal, server, isRefresh: false, nonce: nonce, now: now, given: given)
  }

  /// The next generation's access token, with whatever refresh token the family has by now.
  private mutating func advance(
    _ ordinal: Int, _ server: OAuthScenario.Server, isRefresh: Bool, nonce: String? = nil,
    now: Int64, given: OAuthScenario.Session? = nil
  ) -> Issued {
    let shape = OAuthShape[server.shape]
    var family = families[ordinal - 1]
    family.generation += 1
    family.accessExpires = (given?.expiresIn ?? server.rules.accessLifetime).map { now + $0 }
    let subject = server.subject(family.subject)
    family.accessToken =
      given?.accessToken
      ?? accessToken(shape, server, subject, expires: family.accessExpires, now: now)
    if server.rules.oldAccess == .revoked {
      for (token, access) in accessTokens where access.family == ordinal {
        accessTokens[token]?.isRevoked = true
      }
    }
    accessTokens[family.accessToken] = Access(
      family: ordinal, generation: family.generation, expires: family.accessExpires)
    if let token = family.refreshToken {
      refreshTokens[token] = Refresh(family: ordinal, generation: family.generation)
    }
    families[ordinal - 1] = family
    return Issued(
      family: ordinal, generation: family.generation, subject: subject, client: family.client,
      accessToken: family.accessToken, accessExpires: family.accessExpires,
      refreshToken: family.refreshToken, at: now, isRefresh: isRefresh, nonce: nonce)
  }

  private mutating func accessToken(
    _ shape: OAuthShape, _ server: OAuthScenario.Server, _ subject: OAuthScenario.Subject,
    expires: Int64?, now: Int64
  ) -> String {
    guard shape.accessIsJWT else { return mint(shape.accessPrefix, "access") }
    return TokenMint.jwt([
      "jti": .string(mint("", "access")), "sub": .string(subject.name), "iss": "simulator",
      "iat": .integer(now / 1_000_000_000),
      "exp": .integer((expires ?? now) / 1_000_000_000),
      "https://api.openai.com/auth": ["chatgpt_account_id": .string(subject.workspace)],
    ])
  }

  // MARK: - Refreshing

  /// One refresh by `token`; `client` is who asks, nil if it does not say.
  mutating func refresh(
    _ token: String, _ server: OAuthScenario.Server, client: String?, now: Int64
  ) throws(OAuthRefusal) -> Issued {
    guard let known = refreshTokens[token] else { throw .unknownToken }
    let family = families[known.family - 1]
    guard family.server == server.name, !family.isBound || client == nil || client == family.client
    else { throw .unknownToken }
    if let usedAt = known.usedAt, server.rules.rotation == .singleUse {
      if var brought = known.brought, family.revoked == nil, server.rules.grace > 0,
        now - usedAt <= server.rules.grace
      {
        brought.isRepeat = true
        return brought
      }
      families[known.family - 1].reuses += 1
      if server.rules.reuse == .revokeFamily { revoke(known.family, why: "reuse", now: now) }
      throw .usedToken
    }
    guard family.revoked == nil else { throw .revokedToken }
    if let expires = family.refreshExpires, expires <= now { throw .expiredToken }
    try space(server, family, now: now)
    if server.rules.siblings == .invalidated {
      revokeSiblings(of: family, why: "sibling", now: now)
    }
    if server.rules.rotation != .reusable {
      families[known.family - 1].refreshToken = mint(
        OAuthShape[server.shape].refreshPrefix, "refresh")
      families[known.family - 1].refreshExpires = server.rules.refreshLifetime.map { now + $0 }
    }
    let issued = advance(known.family, server, isRefresh: true, now: now)
    if server.rules.rotation != .reusable {
      refreshTokens[token]?.usedAt = now
      refreshTokens[token]?.brought = issued
    }
    return issued
  }

  /// Counts the refresh of the family's client; too many at once revoke all families of it.
  private mutating func space(
    _ server: OAuthScenario.Server, _ family: Family, now: Int64
  ) throws(OAuthRefusal) {
    guard let spacing = server.rules.spacing else { return }
    let lane = "\(server.name)/\(family.client)"
    let recent = refreshTimes[lane, default: []].filter { now - $0 <= spacing.within } + [now]
    refreshTimes[lane] = recent
    guard recent.count > spacing.refreshes else { return }
    revokeSiblings(of: family, why: "spacing", now: now)
    revoke(family.ordinal, why: "spacing", now: now)
    throw .revokedToken
  }

  // MARK: - Revoking

  mutating func revoke(_ ordinal: Int, why: String, now: Int64) {
    guard families[ordinal - 1].revoked == nil else { return }
    families[ordinal - 1].revoked = Revoked(at: now, why: why)
  }

  /// All other families of the same server and client.
  private mutating func revokeSiblings(of family: Family, why: String, now: Int64) {
    for other in families
    where other.ordinal != family.ordinal && other.server == family.server
      && other.client == family.client
    {
      revoke(other.ordinal, why: why, now: now)
    }
  }

  // MARK: - Judging

  /// How the model endpoints see a key.
  enum Standing: Sendable {
    /// No token of ours.
    case unknown
    case live(subject: String)
    case expired(OAuthShape.Dialect)
    case revoked(OAuthShape.Dialect)
  }

  func standing(of key: String, now: Int64) -> Standing {
    guard let access = accessTokens[key] else { return .unknown }
    let family = families[access.family - 1]
    guard let server = scenario.server(family.server) else { return .unknown }
    let dialect = OAuthShape[server.shape].dialect
    if access.isRevoked || (family.revoked != nil && server.rules.revocation == .all) {
      return .revoked(dialect)
    }
    if let expires = access.expires, expires <= now { return .expired(dialect) }
    return .live(subject: family.subject)
  }
}

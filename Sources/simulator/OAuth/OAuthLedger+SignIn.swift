/// Sign-ins: authorization codes and devices.
extension OAuthLedger {
  /// An authorization that somebody must approve.
  struct Authorization: Sendable {
    var id: String
    var server: String
    var client: String
    var redirectURI: String
    var state: String?
    var challenge: String?
    var scope: String?
    var nonce: String?
    var isOffline: Bool
    /// Claude's `code=true`: the code is shown to the user instead of being sent home.
    var showsCode: Bool
    var expires: Int64
  }

  struct Code: Sendable {
    var request: Authorization
    var subject: String
    var expires: Int64
    /// The family that it was exchanged for.
    var family: Int?
  }

  struct Device: Sendable {
    var deviceCode: String
    var userCode: String
    var server: String
    var client: String
    var challenge: String?
    var expires: Int64
    var interval: Int64
    var lastPoll: Int64?
    var decision: Decision?
    var isUsed = false

    enum Decision: Sendable, Equatable {
      case approved(subject: String)
      case denied
    }
  }

  /// Where an approval or a denial sends the browser: nil if the code is shown instead.
  struct Decided: Sendable {
    var location: String?
    /// As a user copies it: Claude's with the state behind `#`.
    var code: String?
  }

  /// Opens an authorization from the parameters of the browser's visit.
  mutating func authorize(
    _ server: OAuthScenario.Server, _ query: [String: String], now: Int64
  ) throws(OAuthRefusal) -> Authorization {
    // Roo's page knows no clients.
    guard let client = query["client_id"] ?? (server.shape == .roo ? "roo" : nil),
      server.clientID == nil || server.clientID == client
    else { throw .invalidClient }
    // iFlow's and Roo's names for it.
    let given = query["redirect_uri"] ?? query["redirect"] ?? query["auth_redirect"]
    guard let redirect = given else {
      throw .invalidRequest("redirect_uri is missing")
    }
    let showsCode = query["code"] == "true" && !OAuthLedger.isLoopback(redirect)
    guard showsCode || OAuthLedger.isLoopback(redirect) else {
      throw .invalidRequest("redirect_uri must be http to a loopback address")
    }
    guard [.iflow, .roo].contains(server.shape) || query["response_type"] == "code" else {
      throw .invalidRequest("response_type must be code")
    }
    let challenge = query["code_challenge"]
    if OAuthShape[server.shape].needsPKCE, challenge == nil {
      throw .invalidRequest("code_challenge is missing")
    }
    guard challenge == nil || query["code_challenge_method"] == "S256" else {
      throw .invalidRequest("code_challenge_method must be S256")
    }
    let request = Authorization(
      id: mint("ar-", "authorization"), server: server.name, client: client, redirectURI: redirect,
      state: query["state"], challenge: challenge, scope: query["scope"], nonce: query["nonce"],
      isOffline: query["access_type"] == "offline", showsCode: showsCode,
      expires: now + server.rules.codeLifetime)
    requests[request.id] = request
    return request
  }

  /// Settles an authorization, once; nil if there is none of this id, or its time is over.
  mutating func decide(_ id: String, _ decision: Device.Decision, now: Int64) -> Decided? {
    guard let request = requests.removeValue(forKey: id), request.expires > now,
      let server = scenario.server(request.server)
    else { return nil }
    let state = request.state.map { "&state=\($0.percentEncoded)" } ?? ""
    let join = request.redirectURI.contains("?") ? "&" : "?"
    switch decision {
    case .denied:
      guard !request.showsCode else { return Decided() }
      return Decided(location: request.redirectURI + join + "error=access_denied" + state)
    case .approved(let subject):
      let code = mint("ac-", "code")
      codes[code] = Code(
        request: request, subject: subject, expires: now + server.rules.codeLifetime)
      if request.showsCode {
        return Decided(code: code + (request.state.map { "#\($0)" } ?? ""))
      }
      return Decided(location: request.redirectURI + join + "code=\(code)" + state, code: code)
    }
  }

  /// Exchanges a code, once.
  mutating func exchange(
    _ code: String, _ server: OAuthScenario.Server, client: String?, redirectURI: String?,
    verifier: String?, now: Int64
  ) throws(OAuthRefusal) -> Issued {
    guard let known = codes[code], known.request.server == server.name else {
      throw .badCode("unknown")
    }
    if let family = known.family {
      // RFC 6749 §4.1.2: what the code brought is taken back.
      revoke(family, why: "code-reuse", now: now)
      throw .badCode("used")
    }
    guard known.expires > now else { throw .badCode("expired") }
    guard client == nil || client == known.request.client else { throw .badCode("client") }
    guard redirectURI == nil || redirectURI == known.request.redirectURI else {
      throw .badCode("redirect_uri")
    }
    try OAuthLedger.check(verifier, against: known.request.challenge)
    let shape = OAuthShape[server.shape]
    let issued = issue(
      server, subject: known.subject, client: known.request.client,
      withRefresh: !shape.refreshOnlyOffline || known.request.isOffline,
      nonce: known.request.nonce, now: now)
    codes[code]?.family = issued.family
    return issued
  }

  /// Opens a device sign-in.
  mutating func startDevice(
    _ server: OAuthScenario.Server, client: String, challenge: String?, method: String?, now: Int64
  ) throws(OAuthRefusal) -> Device {
    guard server.clientID == nil || server.clientID == client || registered[client] != nil else {
      throw .invalidClient
    }
    guard challenge != nil || !OAuthShape[server.shape].needsPKCE || server.shape == .oidc else {
      throw .invalidRequest("code_challenge is missing")
    }
    guard challenge == nil || method == "S256" else {
      throw .invalidRequest("code_challenge_method must be S256")
    }
    let letters = mint("", "user code").prefix(8).uppercased()
    var device = Device(
      deviceCode: mint("dc-", "device"), userCode: letters.prefix(4) + "-" + letters.suffix(4),
      server: server.name, client: client, challenge: challenge,
      expires: now + server.rules.deviceLifetime, interval: server.rules.deviceInterval)
    if let subject = server.autoApprove { device.decision = .approved(subject: subject) }
    devices[device.deviceCode] = device
    return device
  }

  /// Settles the device sign-in with this user code; false if there is none that waits.
  mutating func decide(userCode: String, _ decision: Device.Decision, now: Int64) -> Bool {
    guard
      let device = devices.values.first(where: {
        $0.userCode == userCode && $0.decision == nil && $0.expires > now
      })
    else { return false }
    devices[device.deviceCode]?.decision = decision
    return true
  }

  /// One poll by the device code (MiniMax: by the user code).
  mutating func poll(
    _ code: String, _ server: OAuthScenario.Server, client: String?, verifier: String?, now: Int64
  ) throws(OAuthRefusal) -> Issued {
    let known =
      server.shape == .minimax ? devices.values.first { $0.userCode == code } : devices[code]
    guard var device = known, device.server == server.name, !device.isUsed else {
      throw .badCode("unknown")
    }
    guard client == nil || client == device.client else { throw .badCode("client") }
    guard device.expires > now else { throw .deviceExpired }
    defer { devices[device.deviceCode] = device }
    let isHasty = device.lastPoll.map { now - $0 < device.interval } ?? false
    device.lastPoll = now
    if isHasty {
      device.interval += 5_000_000_000
      throw .slowDown
    }
    switch device.decision {
    case nil: throw .pending
    case .denied:
      device.isUsed = true
      throw .denied
    case .approved(let subject):
      try OAuthLedger.check(verifier, against: device.challenge)
      device.isUsed = true
      return issue(server, subject: subject, client: device.client, now: now)
    }
  }

  private static func check(_ verifier: String?, against challenge: String?) throws(OAuthRefusal) {
    guard let challenge else { return }
    guard let verifier, TokenMint.challenge(of: verifier) == challenge else {
      throw .badCode("code_verifier")
    }
  }

  private static func isLoopback(_ uri: String) -> Bool {
    ["http://127.0.0.1", "http://localhost", "http://[::1]"].contains { origin in
      guard uri.hasPrefix(origin) else { return false }
      return [nil, ":", "/", "?"].contains(uri.dropFirst(origin.count).first)
    }
  }
}

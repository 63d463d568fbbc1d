import Domain
import HTTPTypes
import Surface

/// `/api/oauth`: how people and their accounts come here. What is decided is in Domain, what is said is in
/// `TokenForm` and `TokenReading`.
extension AdminService {
  /// The table, with what is configured of it.
  func listSignIns() -> AdminAnswer {
    let providers = control.state.providers.values.sorted { $0.id < $1.id }
    return .json([
      "providers": .array(
        OAuthProvider.all.map { row in
          [
            "kind": JSONValue(row.kind), "title": JSONValue(row.title),
            "flows": .array(row.flows.map { JSONValue($0.rawValue) }),
            "isRouted": JSONValue(row.service?.isSpoken ?? true),
            "needsClient": JSONValue(row.client == nil && row.flows != [.imported]),
            "needsClientSecret": JSONValue(row.needsSecret),
            "configured": .array(
              providers.filter { ($0.oauth?.kind ?? $0.id.rawValue) == row.kind }
                .map { JSONValue($0.id.rawValue) }),
          ]
        })
    ])
  }

  // MARK: A browser's sign-in

  func beginAuthorization(_ call: AdminCall) throws -> AdminAnswer {
    let (service, form) = try service(call, .authorizationCode)
    _ = try endpoint()
    let row = service.row
    let given = try call.query.text("redirect_uri", atMost: 2_048)
    guard let redirectURI = row.redirectURI ?? given else {
      throw APIFault(
        .missingField, "The query has no redirect_uri.", field: "redirect_uri",
        remedy:
          "Add ?redirect_uri=http://localhost:8080/callback, or where the browser is to come back.")
    }
    guard Self.isRedirect(redirectURI) else {
      throw APIFault(
        .invalidField, "redirect_uri leads neither to this machine nor to an https address.",
        field: "redirect_uri",
        remedy: "Use http://localhost:PORT/…, or https://… without a fragment.")
    }
    let state = SignIns.handle(edge)
    let verifier = row.usesPKCE ? Secret(SignIns.handle(edge)) : nil
    let challenge = verifier.map { SignIns.challenge(of: $0) }
    let nonce = form.client.scopes.contains("openid") ? SignIns.handle(edge) : nil
    guard
      let url = form.authorizeURL(
        redirectURI: redirectURI, state: state, challenge: challenge, nonce: nonce)
    else { throw SignInFault.unavailable("its oauth has no authorizeUrl") }
    let now = edge.now()
    let begun = try begun(
      service, .authorizationCode, call, lifeSeconds: SignInDesk<SignIns.Held>.lifetime,
      account: try call.query.text("account"), now)
    let held = SignIns.Held(
      service: service, redirectURI: redirectURI, verifier: verifier, nonce: nonce)
    try desk { desk throws(SignInRefusal) in
      try desk.begin(begun, handle: state, held: held, at: now)
    }
    let place = Self.place(of: redirectURI)
    return .json([
      "authUrl": JSONValue(url), "state": JSONValue(state), "codeVerifier": JSONValue(state),
      "codeChallenge": JSONValue(challenge), "redirectUri": JSONValue(redirectURI),
      "flowType": JSONValue(
        row.usesPKCE ? "authorization_code_pkce" : "authorization_code"),
      "fixedPort": row.redirectURI == nil ? .null : JSONValue(place.port),
      "callbackPath": JSONValue(place.path), "expiresAt": JSONValue(begun.expiresAt),
    ])
  }

  func exchangeCode(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    var code = try fields.string("code")
    var state = try fields.optionalString("state")
    let redirectURI = try fields.optionalString("redirectUri")
    let verifier = try fields.optionalString("codeVerifier")
    try fields.finish()
    // As some services show it to people: the code with the state behind it.
    if let mark = code.firstIndex(of: "#") {
      state = state ?? String(code[code.index(after: mark)...])
      code = String(code[..<mark])
    }
    guard let state else {
      throw APIFault(.missingField, "state is missing", field: "state")
    }
    guard let secret = TokenReading.sendable(code) else {
      throw APIFault(.invalidField, "code is no authorization code", field: "code")
    }
    let endpoint = try endpoint()
    let caller = try caller(call, .authorizationCode)
    let now = edge.now()
    let (begun, held) = try desk { desk throws(SignInRefusal) in
      try desk.take(state, by: caller, at: now)
    }
    guard redirectURI == nil || redirectURI == held.redirectURI else {
      throw APIFault(
        .invalidField, "redirectUri is not the one that the sign-in began with",
        field: "redirectUri", remedy: "Begin anew, and send the redirectUri of the answer.")
    }
    guard verifier == nil || verifier == state else {
      throw APIFault(
        .invalidField, "codeVerifier is not the one that the sign-in began with",
        field: "codeVerifier",
        remedy: "Begin anew, and send the codeVerifier of the answer, or none.")
    }
    let form = try Self.form(held.service)
    let answer = await endpoint.send(form.exchange(secret, held, state: state))
    let document = try SignInFault.document(answer)
    guard let tokens = TokenReading(row: held.service.row).tokens(document, now: edge.now()) else {
      throw SignInFault.refusal(answer, document)
    }
    return try await store(tokens, document, held, begun.account, .oauth, call)
  }

  // MARK: A device's sign-in

  func beginDevice(_ call: AdminCall) async throws -> AdminAnswer {
    var (service, form) = try service(call, .deviceCode)
    let endpoint = try endpoint()
    let account = try call.query.text("account")
    // Whether there is such an account is said before a provider is asked for a code.
    _ = try begun(service, .deviceCode, call, lifeSeconds: 1, account: account, edge.now())
    if let registration = form.registration {
      let answer = await endpoint.send(registration)
      let document = try SignInFault.document(answer)
      guard let id = document.text(["clientId"]).flatMap(TokenReading.sendable),
        let secret = document.text(["clientSecret"]).flatMap(TokenReading.sendable)
      else { throw SignInFault.refusal(answer, document) }
      form.registered = TokenForm.Registered(id: id, secret: secret)
    }
    let handle = SignIns.handle(edge)
    let verifier = service.row.usesPKCE ? Secret(SignIns.handle(edge)) : nil
    guard
      let request = form.device(
        challenge: verifier.map { SignIns.challenge(of: $0) }, state: handle)
    else { throw SignInFault.unavailable("its oauth has no deviceUrl") }
    let answer = await endpoint.send(request)
    let document = try SignInFault.document(answer)
    let now = edge.now()
    guard let device = TokenReading(row: service.row).device(document, now: now) else {
      throw SignInFault.refusal(answer, document)
    }
    if service.row.device == .byUserCode, let echoed = document["state"]?.string, echoed != handle {
      throw SignInFault.failed("state_mismatch")
    }
    let begun = try begun(
      service, .deviceCode, call, lifeSeconds: device.lifeSeconds, account: account, now)
    let held = SignIns.Held(
      service: service, verifier: verifier, deviceCode: device.code, registered: form.registered)
    try desk { desk throws(SignInRefusal) in
      try desk.begin(
        begun, handle: handle, held: held, intervalSeconds: device.intervalSeconds, at: now)
    }
    return .json([
      "device_code": JSONValue(handle), "user_code": JSONValue(device.userCode),
      "verification_uri": JSONValue(device.page),
      "verification_uri_complete": JSONValue(device.completePage),
      "expires_in": JSONValue(device.lifeSeconds), "interval": JSONValue(device.intervalSeconds),
      "codeVerifier": JSONValue(handle), "expiresAt": JSONValue(begun.expiresAt),
    ])
  }

  func pollDevice(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let handle = try fields.string("deviceCode")
    // What older clients send back of the answer; nothing in it is needed.
    _ = fields.raw("codeVerifier")
    _ = fields.raw("extraData")
    try fields.finish()
    let endpoint = try endpoint()
    let caller = try caller(call, .deviceCode)
    let now = edge.now()
    let polled = try desk { desk throws(SignInRefusal) in
      try desk.poll(handle, by: caller, at: now)
    }
    guard let (begun, held) = polled, let code = held.deviceCode else {
      return Self.pending("authorization_pending")
    }
    let form = try Self.form(held.service)
    let answer = await endpoint.send(form.poll(code, verifier: held.verifier))
    let document = (try? SignInFault.document(answer)) ?? .null
    if let tokens = TokenReading(row: held.service.row).tokens(document, now: edge.now()) {
      // Only one poll gets this far: the provider gives its tokens once.
      _ = try? signIns.with { $0.end(handle) }
      return try await store(tokens, document, held, begun.account, .oauth, call)
    }
    let finding = Self.finding(answer, document)
    switch finding {
    case .waits, .unclear:
      let at = edge.now()
      _ = try? signIns.with { $0.wait(handle, slower: finding != .waits, at: at) }
      return Self.pending(finding == .waits ? "authorization_pending" : "slow_down")
    case .over(let code):
      _ = try? signIns.with { $0.end(handle) }
      return .json([
        "success": false, "pending": false, "error": JSONValue(code),
        "errorDescription": "The provider ended the sign-in; begin it anew.",
      ])
    }
  }

  /// What an answer without tokens says of a device.
  private enum Finding: Equatable {
    case waits
    /// To be asked again, not as soon.
    case unclear
    case over(String)
  }

  private static func finding(_ answer: TokenAnswer, _ document: JSONValue) -> Finding {
    let error = TokenRefresh.error(document)
    if document["status"]?.string == "pending", error != "slow_down" { return .waits }
    switch error {
    case "authorization_pending"?: return .waits
    case "slow_down"?: return .unclear
    case "expired_token"?: return .over("expired_token")
    case _: break
    }
    guard case .answered(let status, _, _) = answer, status < 500, status != 429 else {
      return .unclear
    }
    return .over(SignInFault.reason(answer, document))
  }

  private static func pending(_ code: String) -> AdminAnswer {
    .json([
      "success": false, "pending": true, "error": JSONValue(code),
      "errorDescription": "The provider has not decided yet.",
    ])
  }

  // MARK: What they share

  /// The provider of the path, with a client; refused where it has no such way.
  func service(
    _ call: AdminCall, _ flow: OAuthProvider.Flow
  ) throws -> (OAuthService, TokenForm) {
    let service = try service(call)
    guard service.row.flows.contains(flow) else {
      let ways = service.row.flows.map(\.rawValue).joined(separator: ", ")
      throw SignInFault.unavailable("its ways are: \(ways)")
    }
    return (service, try Self.form(service))
  }

  /// The provider of the path: as it is configured, else as the table has it.
  func service(_ call: AdminCall) throws -> OAuthService {
    let id = ProviderID(try call.parameter("provider"))
    if let provider = control.state.providers[id] {
      if let client = provider.oauth {
        return OAuthService(
          provider: id, row: OAuthProvider[client.kind], client: client,
          secret: control.clientSecret(of: id))
      }
      let row = OAuthProvider[id.rawValue]
      return OAuthService(provider: id, row: row, client: row.client)
    }
    guard let row = OAuthProvider.row(id.rawValue), row.service != nil else {
      throw APIFault(.unknownProvider)
    }
    return OAuthService(provider: id, row: row, client: row.client)
  }

  static func form(_ service: OAuthService) throws -> TokenForm {
    guard let client = service.client else { throw SignInFault.unavailable("it has no oauth") }
    if service.row.needsSecret, service.secret == nil {
      throw SignInFault.unavailable("its client's secret is not set")
    }
    return TokenForm(row: service.row, client: client, secret: service.secret)
  }

  func endpoint() throws -> any TokenEndpoint {
    guard let credentials else { throw APIFault(.gatewayNotRunning) }
    return credentials.endpoint
  }

  private func begun(
    _ service: OAuthService, _ flow: OAuthProvider.Flow, _ call: AdminCall, lifeSeconds: Int64,
    account: String?, _ now: UnixNanoseconds
  ) throws -> SignInBegun {
    SignInBegun(
      provider: service.provider, flow: flow, session: try Self.session(call),
      expiresAt: UnixNanoseconds(now.rawValue + lifeSeconds * 1_000_000_000),
      account: try account.map { try wanted($0, at: service.provider) })
  }

  /// The account that is to get the next credential.
  func wanted(_ reference: String, at provider: ProviderID) throws -> AccountID {
    let account = try Self.account(reference, control.state)
    guard account.provider == provider else { throw APIFault(.unknownAccount) }
    return account.id
  }

  private func caller(_ call: AdminCall, _ flow: OAuthProvider.Flow) throws -> SignInCaller {
    SignInCaller(
      session: try Self.session(call), provider: ProviderID(try call.parameter("provider")),
      flow: flow)
  }

  /// Whose sign-in it is; ends with the session.
  private static func session(_ call: AdminCall) throws -> String {
    switch call.caller {
    case .anyone: throw APIFault(.unauthorized)
    case .admin(let session): "session \(uuidText(session.id))"
    case .key(let key): "key \(key.id.rawValue)"
    case .local(let uid): "local \(uid)"
    }
  }

  /// Asks what waits; its refusals in the API's words.
  private func desk<Result: Sendable>(
    _ body: (inout SignInDesk<SignIns.Held>) throws(SignInRefusal) -> Result
  ) throws -> Result {
    do throws(SignInRefusal) {
      return try signIns.with(body)
    } catch {
      throw SignInFault.told(error)
    }
  }

  /// Where a code may be sent: this machine, or an address whose owner is proved.
  private static func isRedirect(_ uri: String) -> Bool {
    guard uri.utf8.allSatisfy({ (0x21...0x7E).contains($0) }), !uri.contains("#"),
      !uri.contains("\\"), !uri.contains("@")
    else { return false }
    if uri.hasPrefix("https://") { return uri.utf8.count > 8 }
    return ["http://localhost", "http://127.0.0.1", "http://[::1]"].contains { origin in
      guard uri.hasPrefix(origin) else { return false }
      return [nil, ":", "/", "?"].contains(uri.dropFirst(origin.count).first)
    }
  }

  private static func place(of uri: String) -> (port: Int?, path: String) {
    let rest = uri.drop { $0 != ":" }.dropFirst(3)
    let authority = rest.prefix { $0 != "/" && $0 != "?" }
    let path = rest.dropFirst(authority.count).prefix { $0 != "?" }
    let port = authority.lastIndex(of: ":").flatMap {
      Int(authority[authority.index(after: $0)...])
    }
    return (port, path.isEmpty ? "/" : String(path))
  }
}

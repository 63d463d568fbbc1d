import Domain
import HTTPTypes
import Surface

extension AdminService {
  /// Runs the checks of the request's row.
  func admit(_ call: inout AdminCall) async throws {
    // Who opened the socket in the data directory could as well open the log: no credential would
    // keep anything from them, and no browser comes this way.
    if case .local = call.caller { return }
    for check in AccessCheck.checks(of: call.row, posture) {
      try await pass(check, &call)
    }
  }

  /// What decides which checks are in force.
  var posture: AccessCheck.Posture {
    AccessCheck.Posture(
      requiresClientKey: control.state.settings.requireAPIKey,
      hasAdministrationListener: administrationHosts != nil)
  }

  private func pass(_ check: AccessCheck, _ call: inout AdminCall) async throws {
    let hosts = call.isOnAdministrationListener ? administrationHosts ?? hosts : hosts
    switch check {
    case .administrationListener:
      guard call.isOnAdministrationListener else {
        throw APIFault(
          .notFound, "Administration answers on another address of this gateway.",
          remedy: "Ask the address given by --admin-listen.")
      }
    case .hostAllowList:
      guard hosts.accepts(call.headers[.hostField]) else { throw APIFault(.forbiddenHost) }
    case .sameOrigin:
      guard let origin = call.headers[.origin] else { return }
      guard hosts.accepts(origin: origin, host: call.headers[.hostField]) else {
        throw APIFault(
          .forbiddenHost, "The request comes from another site's page.",
          remedy: "Call the administration from its own origin, or without a browser.")
      }
    case .adminCredential:
      guard let session = await session(of: call) else { throw APIFault(.unauthorized) }
      call.caller = .admin(session)
    case .adminCredentialOrClientKey:
      // Where administration has an address of its own, a session counts nowhere else.
      let mayBeAdmin = administrationHosts == nil || call.isOnAdministrationListener
      if mayBeAdmin, let session = await session(of: call) {
        call.caller = .admin(session)
      } else if let key = key(of: call) {
        call.caller = .key(key)
      } else {
        throw APIFault(.unauthorized)
      }
    case .loginRateLimit:
      // Where the password is looked at: a request without one is no attempt.
      return
    case .clientKey, .controlSocketOnly:
      // The data plane's rows do not come here, and those of the socket must not.
      throw APIFault(.notFound)
    }
  }

  private func session(of call: AdminCall) async -> Sessions.Session? {
    guard let token = call.bearer ?? call.cookie else { return nil }
    return await sessions.session(
      token, now: edge.now(),
      passwordPosition: control.state.settings.adminPasswordPosition)
  }

  private func key(of call: AdminCall) -> Key? {
    guard let text = call.bearer, (1...512).contains(text.utf8.count) else { return nil }
    let fingerprint = control.vault.fingerprint(Secret(text))
    let now = edge.now()
    return control.state.keys.values.first { key in
      key.fingerprint == fingerprint && key.status == .active && !key.isExpired(at: now)
    }
  }

  func login(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let password = Secret(try fields.string("password"))
    try fields.finish()
    let position = try await check(password, call)
    let (token, session) = try await sessions.issue(
      id: edge.mintID(), now: edge.now(), passwordPosition: position)
    let text = String(decoding: token.bytes, as: UTF8.self)
    var answer = AdminAnswer.json([
      "success": true, "token": JSONValue(text), "expiresAt": JSONValue(session.expiresAt),
    ])
    answer.headers[.setCookie] = cookie(text, maxAge: Sessions.lifetime, call)
    return answer
  }

  func logout(_ call: AdminCall) async -> AdminAnswer {
    if let session = await session(of: call) { sessions.revoke(session, now: edge.now()) }
    var answer = AdminAnswer.json(["success": true])
    answer.headers[.setCookie] = cookie("", maxAge: 0, call)
    return answer
  }

  /// Checks the administrator's password under the limit of its address.
  func check(_ password: Secret, _ call: AdminCall) async throws -> UInt64 {
    let address = call.remoteAddress
    if case .refused(let seconds, _, _) = limiter.admit(address, now: edge.now()) {
      throw APIFault(.tooManyAttempts, headers: [.retryAfter: String(seconds)])
    }
    guard let position = try await control.position(ofPassword: password) else {
      throw APIFault(.invalidPassword)
    }
    limiter.succeeded(address, now: edge.now())
    return position
  }

  /// `Secure` wherever TLS is spoken, and wherever it should be.
  func cookie(_ token: String, maxAge: Int64, _ call: AdminCall) -> String {
    let isSecure = call.isForwardedSecurely ?? !options.isLoopback
    let secure = isSecure ? "; Secure" : ""
    return "auth_token=\(token); Path=/; Max-Age=\(maxAge); HttpOnly; SameSite=Lax\(secure)"
  }
}

import Domain
import HTTPTypes
import Logging
import Surface

/// `/api/auth`: the administrator's sessions. What comes of each attempt is in the stream `access`.
extension AdminService {
  func login(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let password = Secret(try fields.string("password"))
    try fields.finish()
    let position = try await check(password, call)
    let id = edge.mintID()
    let (token, session) = try await sessions.issue(
      id: id, now: edge.now(), passwordPosition: position)
    await note(
      .loginSucceeded(AccessEvent.LoginSucceeded(session: id, expiresAt: session.expiresAt)), call,
      actor: "admin")
    let text = String(decoding: token.bytes, as: UTF8.self)
    var answer = AdminAnswer.json([
      "success": true, "token": JSONValue(text), "expiresAt": JSONValue(session.expiresAt),
    ])
    answer.headers[.setCookie] = cookie(text, maxAge: Sessions.lifetime, call)
    return answer
  }

  /// Ends the caller's session, or with `all` every one; what has ended stays so over restarts.
  func logout(_ call: AdminCall) async throws -> AdminAnswer {
    let ofAll = try Self.endsAll(call)
    let session = await session(of: call)
    try await endSessions(session, ofAll: ofAll, Self.call(call, of: session))
    var answer = AdminAnswer.json(["success": true])
    answer.headers[.setCookie] = cookie("", maxAge: 0, call)
    return answer
  }

  private func endSessions(
    _ session: Sessions.Session?, ofAll: Bool, _ call: AdminCall
  ) async throws {
    if ofAll {
      if case .anyone = call.caller { throw APIFault(.unauthorized) }
      try await end(.allSessionsRevoked, call)
    } else if let session {
      // At once, even if the log takes nothing now.
      sessions.revoke(session, now: edge.now())
      try await end(
        .sessionRevoked(
          AccessEvent.SessionRevoked(session: session.id, expiresAt: session.expiresAt)), call)
    }
  }

  // The next two are apart from `logout` and never inlined: among its suspensions they crash the optimiser
  // (Swift 6.3.1, splitting the coroutine).

  @inline(never)
  private static func endsAll(_ call: AdminCall) throws -> Bool {
    if call.body.isEmpty { return false }
    var fields = try call.fields()
    let ofAll = try fields.optionalBool("all") ?? false
    try fields.finish()
    return ofAll
  }

  @inline(never)
  private static func call(_ call: AdminCall, of session: Sessions.Session?) -> AdminCall {
    var call = call
    if let session { call.caller = .admin(session) }
    return call
  }

  /// Checks the administrator's password under the limit of its address.
  ///
  /// - Returns: The password's position.
  func check(_ password: Secret, _ call: AdminCall) async throws -> UInt64 {
    let address = call.remoteAddress
    if case .refused(let seconds, let untold) = limiter.admit(address, now: edge.now()) {
      if untold > 0 {
        await note(
          .loginRefused(AccessEvent.LoginRefused(reason: "locked", count: untold)), call,
          actor: "anyone")
      }
      throw APIFault(.tooManyAttempts, headers: [.retryAfter: String(seconds)])
    }
    guard let position = try await control.position(ofPassword: password) else {
      await note(
        .loginRefused(AccessEvent.LoginRefused(reason: "wrong_password", count: 1)), call,
        actor: "anyone")
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

  /// Ends sessions, durably.
  private func end(_ event: AccessEvent, _ call: AdminCall) async throws {
    do {
      try await control.execute(provenance: call.provenance) { _ in
        [Change(.access(.note(event)))]
      }
    } catch let error as ControlError {
      guard var fault = APIFault(error) else { throw error }
      fault.headers[.setCookie] = cookie("", maxAge: 0, call)
      throw fault
    }
  }

  /// Notes what came of an attempt.
  ///
  /// A log that takes nothing keeps nobody out: an administrator has to see what is wrong with it.
  private func note(_ event: AccessEvent, _ call: AdminCall, actor: String) async {
    var provenance = call.provenance
    provenance.actor = actor
    do {
      try await control.execute(provenance: provenance) { _ in [Change(.access(.note(event)))] }
    } catch {
      logger.error(
        "a sign-in is not in the log",
        metadata: [
          "address": "\(call.remoteAddress)", "cause": "\(String(describing: type(of: error)))",
        ])
    }
  }
}

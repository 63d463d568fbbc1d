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
      guard let session = await session(of: call) else { throw unauthorized(call) }
      call.caller = .admin(session)
    case .adminCredentialOrClientKey:
      // Where administration has an address of its own, a session counts nowhere else.
      let mayBeAdmin = administrationHosts == nil || call.isOnAdministrationListener
      if mayBeAdmin, let session = await session(of: call) {
        call.caller = .admin(session)
      } else if let key = key(of: call) {
        call.caller = .key(key)
      } else {
        throw unauthorized(call)
      }
    case .credentialUnlessLocal:
      if isLocal(call, hosts) { return }
      if let session = await session(of: call) {
        call.caller = .admin(session)
      } else if let key = key(of: call), key.diagnostics {
        call.caller = .key(key)
      } else {
        throw unauthorized(call)
      }
    case .loginRateLimit, .syncToken:
      // Where the password or the message is looked at: a request without one is no attempt.
      return
    case .clientKey, .controlSocketOnly:
      // The data plane's rows do not come here, and those of the socket must not.
      throw APIFault(.notFound)
    }
  }

  /// A program on this machine asks, for itself: no browser that was told a foreign name for it, and no proxy.
  private func isLocal(_ call: AdminCall, _ hosts: HostGuard) -> Bool {
    let forwarded: [HTTPField.Name?] = [.xForwardedFor, .init("forwarded"), .init("via")]
    return IPAddress(call.remoteAddress)?.isLoopback == true
      && hosts.accepts(call.headers[.hostField])
      && !forwarded.compactMap(\.self).contains { call.headers[$0] != nil }
  }

  /// Who a session belongs to is asked of the state as it is now: what ended it may have come meanwhile.
  func session(of call: AdminCall) async -> Sessions.Session? {
    guard let token = call.bearer ?? call.cookie,
      let session = await sessions.session(token, now: edge.now())
    else { return nil }
    let state = control.state
    guard session.passwordPosition == state.settings.adminPasswordPosition,
      !session.isOver(by: state.access)
    else { return nil }
    return session
  }

  /// The refusal of a request without a session; a browser need not show what opens nothing again.
  private func unauthorized(_ call: AdminCall) -> APIFault {
    let isCookie = call.bearer == nil && call.cookie != nil
    return APIFault(
      .unauthorized, headers: isCookie ? [.setCookie: cookie("", maxAge: 0, call)] : [:])
  }

  private func key(of call: AdminCall) -> Key? {
    guard let text = call.bearer, (1...512).contains(text.utf8.count) else { return nil }
    let fingerprint = control.vault.fingerprint(Secret(text))
    let now = edge.now()
    return control.state.keys.values.first { key in
      key.fingerprint == fingerprint && key.status == .active && !key.isExpired(at: now)
    }
  }
}

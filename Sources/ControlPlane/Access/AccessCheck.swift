import Surface

/// A check between a request and its handler; the admission runs those of the row, the inventory lists them.
enum AccessCheck: String, Sendable, Hashable, CaseIterable {
  /// The request came to the address that is for administration alone.
  case administrationListener = "administration-listener"
  /// The `Host` header names this gateway.
  case hostAllowList = "host-allow-list"
  /// A browser's write comes from a page of this gateway's.
  case sameOrigin = "same-origin"
  /// An administrator's session.
  case adminCredential = "admin-credential"
  /// An administrator's session or a client's key.
  case adminCredentialOrClientKey = "admin-credential-or-client-key"
  /// From this machine without one; else an administrator's session or a key with `diagnostics`.
  case credentialUnlessLocal = "credential-unless-local"
  /// A client's key; checked by the data plane.
  case clientKey = "client-key"
  /// Few wrong passwords a minute.
  case loginRateLimit = "login-rate-limit"
  /// A message sealed under a sync token; few that do not open a minute.
  case syncToken = "sync-token"
  /// Nothing gets past: the row is for the control socket alone.
  case controlSocketOnly = "control-socket-only"

  /// What decides which checks are in force, beyond the row.
  struct Posture: Sendable, Hashable {
    /// Clients are asked for a key.
    var requiresClientKey: Bool
    /// Administration has an address of its own.
    var hasAdministrationListener: Bool
  }

  /// What a request to the row has to pass, in this order.
  static func checks(of row: RouteRow, _ posture: Posture) -> [AccessCheck] {
    var checks: [AccessCheck] = []
    let isAdministration = row.tier == .admin && !row.admitsKeys || row.group == .signIn
    if isAdministration, posture.hasAdministrationListener {
      checks.append(.administrationListener)
    }
    if row.tier == .admin || row.group == .signIn {
      checks.append(.hostAllowList)
      // A browser tells where a write comes from; another site's page has no business here.
      if row.method != .get { checks.append(.sameOrigin) }
    }
    switch row.tier {
    case .public:
      if row.endpoint == .login { checks.append(.loginRateLimit) }
      if row.endpoint == .metrics { checks.append(.credentialUnlessLocal) }
    case .admin: checks.append(row.admitsKeys ? .adminCredentialOrClientKey : .adminCredential)
    case .client: if posture.requiresClientKey { checks.append(.clientKey) }
    case .peer: checks.append(.syncToken)
    case .local: checks.append(.controlSocketOnly)
    }
    return checks
  }

  /// One line for the inventory.
  var summary: String {
    switch self {
    case .administrationListener: "only on the address given by --admin-listen"
    case .hostAllowList: "the Host header names this gateway (listen address, --allowed-host)"
    case .sameOrigin: "a write with an Origin comes from this gateway's own pages"
    case .adminCredential: "an administrator's session, as cookie or bearer token"
    case .adminCredentialOrClientKey:
      "an administrator's session, or a client's key for what is its organisation's"
    case .credentialUnlessLocal:
      "no credential from this machine itself; from elsewhere or by a proxy an administrator's session, or a client's key with diagnostics"
    case .clientKey: "a client's key that is neither paused, revoked nor expired"
    case .loginRateLimit:
      "at most \(LoginLimiter.failures) wrong passwords a minute from one address,"
        + " \(LoginLimiter.failuresInTotal) from all strangers together"
    case .syncToken:
      "a message sealed under a sync token that was not revoked; at most \(LoginLimiter.failures) that do"
        + " not open a minute from one address"
    case .controlSocketOnly: "only by the control socket in the data directory"
    }
  }
}

extension RouteTier {
  /// One line for the inventory.
  var summary: String {
    switch self {
    case .client: "clients, by their API keys"
    case .admin: "administrators"
    case .public: "everybody who reaches the listener"
    case .peer: "other nodes, by sync tokens"
    case .local: "the control socket in the data directory"
    }
  }
}

import Domain

/// What was made because the log had none, in clear: to be shown once and never again.
public struct FirstStart: Sendable {
  /// The client key named `default`.
  public var clientKey: Secret?
  /// The administrator's password.
  public var adminPassword: Secret?
}

extension ControlPlane {
  /// Makes the first client key and the administrator's password where the log has none.
  ///
  /// A log that ever had a key gets none, even if all are revoked: that was a decision.
  ///
  /// - Parameter adminPassword: `SIGNALBOX_ADMIN_PASSWORD`. If given it is the password from now on;
  ///   an event only where it was another. nil: a password is made if there is none.
  /// - Returns: What was made.
  public func firstStart(adminPassword: Secret?) async throws -> FirstStart {
    var made = FirstStart()
    if state.keys.isEmpty {
      let key = KeyText.makeKey(edge)
      let fact = KeyEvent.Created(
        id: KeyID(uuidText(edge.mintID())), name: "default", organisation: .standard,
        fingerprint: vault.fingerprint(key), masked: KeyText.masked(key), diagnostics: true,
        expiresAt: nil)
      try await execute(provenance: .system) { _ in [Change(.key(.create(fact)))] }
      made.clientKey = key
    }
    if let adminPassword {
      if try await !passwordMatches(adminPassword) {
        let change = try await passwordChange(adminPassword)
        try await execute(provenance: .system) { _ in [change] }
      }
    } else if state.settings.adminPasswordPosition == nil {
      let password = KeyText.makePassword(edge)
      let change = try await passwordChange(password)
      try await execute(provenance: .system) { _ in [change] }
      made.adminPassword = password
    }
    return made
  }
}

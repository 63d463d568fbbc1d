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
  /// Shown first, stored then: after a crash between the two the next start shows others, which
  /// hold; the other way round nobody would ever have seen those that hold.
  ///
  /// - Parameters:
  ///   - adminPassword: `SIGNALBOX_ADMIN_PASSWORD`: the first password. Where one is set already this is left
  ///     alone: one that was changed since must not come back with each start. nil: one is made if there is none.
  ///   - show: Called before anything is stored, and only if something was made; nothing is stored
  ///     if it throws.
  /// - Returns: What was made.
  /// - Throws: `WeakPassword`, before anything is stored; else as `execute`.
  public func firstStart(
    adminPassword: Secret?, show: (FirstStart) throws -> Void = { _ in }
  ) async throws -> FirstStart {
    var made = FirstStart()
    var changes: [Change] = []
    if state.keys.isEmpty {
      let key = KeyText.makeKey(edge)
      let fact = KeyEvent.Created(
        id: KeyID(uuidText(edge.mintID())), name: "default", organisation: .standard,
        fingerprint: vault.fingerprint(key), masked: KeyText.masked(key), diagnostics: true,
        expiresAt: nil)
      changes.append(Change(.key(.create(fact))))
      made.clientKey = key
    }
    if state.settings.adminPasswordPosition == nil {
      let password = adminPassword ?? KeyText.makePassword(edge)
      changes.append(try await passwordChange(password))
      if adminPassword == nil { made.adminPassword = password }
    }
    guard !changes.isEmpty else { return made }
    if made.clientKey != nil || made.adminPassword != nil { try show(made) }
    let all = changes
    try await execute(provenance: .system) { _ in all }
    return made
  }

  /// Whether a password is the administrator's; takes some 100 ms.
  public func isAdminPassword(_ password: Secret) async throws -> Bool {
    try await position(ofPassword: password) != nil
  }
}

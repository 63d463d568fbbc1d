public import Domain

/// What was made because the log had none, in clear: to be shown once and never again.
public struct FirstStart: Sendable {
  /// The client key named `default`.
  public var clientKey: Secret?
  /// The administrator's password.
  public var adminPassword: Secret?
  /// The log had no administrator's password and has one now, made or given.
  public var setsPassword = false
}

/// The administrator's first password, which is hashed while the log is still being made.
///
/// Hashing takes as long as all else that a first start does, and needs nothing of it.
public struct FirstPassword: Sendable {
  let password: Secret
  /// Nobody gave it, so somebody must be shown it.
  let isMade: Bool
  private let hashing: Task<PasswordHash, any Error>

  /// Begins to hash on a thread of its own, which takes some 100 ms and 32 MiB.
  ///
  /// - Parameters:
  ///   - given: `SIGNALBOX_ADMIN_PASSWORD`; nil: one is made.
  ///   - cost: log2 of scrypt's cost.
  /// - Throws: `WeakPassword`.
  public static func begin(
    _ given: Secret?, edge: Edge = .system, cost: UInt8 = 15
  ) throws(WeakPassword) -> FirstPassword {
    if let given, let flaw = WeakPassword(of: String(decoding: given.bytes, as: UTF8.self)) {
      throw flaw
    }
    let password = given ?? KeyText.makePassword(edge)
    let thread = Sideline(label: "signalbox.first-password", limit: 1)
    return FirstPassword(
      password: password, isMade: given == nil,
      hashing: Task { try await thread.run { try PasswordHash.make(password, logCost: cost) } })
  }

  /// Once it is there.
  var hash: PasswordHash { get async throws { try await hashing.value } }
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
  ///   - begun: That password, where hashing it was begun before it was known whether it is needed.
  ///   - show: Called before anything is stored, and only if something was made; nothing is stored
  ///     if it throws.
  /// - Returns: What was made.
  /// - Throws: `WeakPassword`, before anything is stored; else as `execute`.
  public func firstStart(
    adminPassword: Secret?, begun: FirstPassword? = nil,
    show: (FirstStart) throws -> Void = { _ in }
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
      let first = try begun ?? FirstPassword.begin(adminPassword, edge: edge, cost: passwordCost)
      changes.append(Change(.settings(.setAdminPassword), secret: try await first.hash.encoded))
      if first.isMade { made.adminPassword = first.password }
      made.setsPassword = true
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

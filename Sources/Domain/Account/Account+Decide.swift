extension Account {
  /// The rules of one account; nil is "there is none", also behind a tombstone.
  ///
  /// - Parameter generation: of the last credential that this id ever had; 0: none.
  static func decide(
    _ command: AccountCommand, _ state: Account?, generation: UInt64
  ) throws(Refusal) -> [Event] {
    switch (command, state) {
    case (.add(let added, let credential), .none):
      try check(added)
      let account = Event.account(.added(added))
      guard let credential else { return [account] }
      return [account, issued(added.id, generation + 1, credential)]
    case (.add(let added, _), .some):
      throw Refusal(
        code: .alreadyExists, field: "id", value: added.id.rawValue,
        message: "there is an account \(added.id.rawValue)",
        remedy: "Change it, issue a credential to it, or remove it first.")

    case (.change(let wanted), .some(let account)):
      try check(wanted)
      let changed = account.difference(wanted)
      return changed.isEmpty ? [] : [.account(.changed(changed))]
    case (.enable(let id), .some(let account)):
      return account.isEnabled ? [] : [.account(.enabled(id))]
    case (.disable(let id), .some(let account)):
      return account.isEnabled ? [.account(.disabled(id))] : []
    case (.remove(let id), .some(let account)):
      let removed = Event.account(.removed(id))
      return account.credentialFingerprint == nil
        ? [removed] : [.credential(.revoked(id)), removed]
    case (.issueCredential(let id, let fingerprint), .some(let account)):
      return account.credentialFingerprint == fingerprint
        ? []
        : [
          issued(id, generation + 1, fingerprint),
          .account(.credentialSet(.init(id: id, generation: generation + 1))),
        ]
    case (.setCredentialExpiry(let id, let time), .some(let account)):
      guard account.credentialFingerprint != nil else {
        throw Refusal(
          code: .invalidField, field: "expires_at", value: "",
          message: "there is no credential that could expire", remedy: "Issue one first.")
      }
      return account.credentialExpiresAt == time
        ? []
        : [
          .credential(
            .expirySet(
              .init(account: id, generation: account.credentialGeneration, expiresAt: time))),
          .account(.credentialSet(.init(id: id, generation: account.credentialGeneration))),
        ]
    case (.degrade(let id, let reason), .some(let account)):
      try Bounds.label(reason, "reason", most: 256)
      return account.degradation?.reason == reason
        ? [] : [.account(.degraded(.init(id: id, reason: reason)))]
    case (.restore(let id), .some(let account)):
      return account.degradation == nil ? [] : [.account(.restored(id))]

    case (.change, .none), (.enable, .none), (.disable, .none), (.remove, .none),
      (.issueCredential, .none), (.setCredentialExpiry, .none), (.degrade, .none),
      (.restore, .none):
      throw unknown(command.id)
    }
  }

  /// Takes in a fact of the account's own stream; total.
  ///
  /// - Parameter tombstone: the account as it was when it was last removed; kept up to date.
  static func evolve(
    _ state: inout Account?, tombstone: inout Account?, _ event: AccountEvent, revision: UInt64,
    time: UnixNanoseconds
  ) {
    switch event {
    case .added(let it):
      // Generations only grow, also over a removal.
      let generation = state?.credentialGeneration ?? tombstone?.credentialGeneration ?? 0
      state = Account(
        id: it.id, provider: it.provider, name: it.name, priority: it.priority, weight: it.weight,
        isEnabled: true, credentialGeneration: generation, credentialFingerprint: nil,
        credentialPosition: nil, revision: revision, createdAt: time, updatedAt: time)
      tombstone = nil
    case .changed(let it): state?.take(it)
    case .enabled: state?.isEnabled = true
    case .disabled: state?.isEnabled = false
    case .degraded(let it): state?.degradation = .init(reason: it.reason, since: time)
    case .restored: state?.degradation = nil
    case .credentialSet: break
    case .removed:
      state?.forgetCredential()
      tombstone = state ?? tombstone
      state = nil
      tombstone?.revision = revision
      tombstone?.updatedAt = time
    }
    state?.revision = revision
    state?.updatedAt = time
  }

  /// Takes in a fact of the credential's stream; total.
  ///
  /// The account's own revision is not touched.
  mutating func take(_ event: CredentialEvent, position: UInt64) {
    switch event {
    case .issued(let it):
      guard it.generation > credentialGeneration else { return }
      credentialGeneration = it.generation
      credentialFingerprint = it.fingerprint
      credentialPosition = position
      credentialExpiresAt = nil
    case .revoked: forgetCredential()
    case .expirySet(let it):
      guard it.generation == credentialGeneration, credentialFingerprint != nil else { return }
      credentialExpiresAt = it.expiresAt
    }
  }

  static func unknown(_ id: AccountID) -> Refusal {
    Refusal(
      code: .unknownAccount, field: "id", value: Refusal.bounded(id.rawValue),
      message: "there is no such account", remedy: "List the accounts to see their ids.")
  }

  private mutating func forgetCredential() {
    credentialFingerprint = nil
    credentialPosition = nil
    credentialExpiresAt = nil
  }

  private mutating func take(_ changed: AccountEvent.Changed) {
    name = changed.name ?? name
    priority = changed.priority ?? priority
    weight = changed.weight ?? weight
  }

  private func difference(_ wanted: AccountEvent.Changed) -> AccountEvent.Changed {
    AccountEvent.Changed(
      id: id, name: wanted.name == name ? nil : wanted.name,
      priority: wanted.priority == priority ? nil : wanted.priority,
      weight: wanted.weight == weight ? nil : wanted.weight)
  }

  private static func issued(
    _ id: AccountID, _ generation: UInt64, _ fingerprint: Fingerprint
  ) -> Event {
    .credential(.issued(.init(account: id, generation: generation, fingerprint: fingerprint)))
  }

  private static func check(_ added: AccountEvent.Added) throws(Refusal) {
    try Bounds.identifier(added.id.rawValue, "id")
    try Bounds.label(added.name, "name", most: 64)
    try Bounds.within(added.priority, Bounds.priorities, "priority")
    try Bounds.within(added.weight, Bounds.weights, "weight")
  }

  private static func check(_ changed: AccountEvent.Changed) throws(Refusal) {
    if let name = changed.name { try Bounds.label(name, "name", most: 64) }
    if let priority = changed.priority {
      try Bounds.within(priority, Bounds.priorities, "priority")
    }
    if let weight = changed.weight { try Bounds.within(weight, Bounds.weights, "weight") }
  }
}

extension AccountEvent.Changed {
  /// Nothing would change.
  var isEmpty: Bool { self == Self(id: id) }
}

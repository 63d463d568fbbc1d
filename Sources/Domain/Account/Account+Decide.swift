extension Account {
  /// The rules of one account; nil is "there is none", also behind a tombstone.
  ///
  /// - Parameters:
  ///   - last: the last credential that this id ever had.
  ///   - node: this log's own.
  ///   - home: of the others of its family; nil: there are none.
  static func decide(
    _ command: AccountCommand, _ state: Account?, last: Credential, node: NodeID?,
    family home: NodeID?
  ) throws(Refusal) -> [Event] {
    switch (command, state) {
    case (.add(let added, let credential), .none):
      try check(added)
      // One that was kept is not that of an account made anew.
      let kept: [Event] = last.fingerprint == nil ? [] : [.credential(.revoked(added.id))]
      let account = Event.account(.added(added))
      guard let credential else { return kept + [account] }
      return kept + [
        account,
        .credential(last.issuing(credential, to: added.id, node: node, family: home)),
      ]
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
      return account.credential.fingerprint == nil
        ? [removed] : [.credential(.revoked(id)), removed]
    case (.issueCredential(let id, let terms), .some(let account)):
      // The same with another end is a generation of its own, or other nodes would not hear of it.
      if account.credential.fingerprint == terms.fingerprint,
        terms.expiresAt.map({ account.credential.expiresAt == $0 }) ?? true
      {
        return []
      }
      return [
        .credential(last.issuing(terms, to: id, node: node, family: home)),
        .account(.credentialSet(.init(id: id, generation: last.generation + 1))),
      ]
    case (.setCredentialExpiry(_, let time), .some(let account)):
      guard account.credential.fingerprint != nil else {
        throw Refusal(
          code: .invalidField, field: "expires_at", value: "",
          message: "there is no credential that could expire", remedy: "Issue one first.")
      }
      return expiry(time, of: account)
    case (.degrade(let id, let reason), .some(let account)):
      try Bounds.label(reason, "reason", most: 256)
      return account.degradation?.reason == reason
        ? [] : [.account(.degraded(.init(id: id, reason: reason)))]
    case (.restore(let id), .some(let account)):
      return account.degradation == nil ? [] : [.account(.restored(id))]
    case (.remove(let id), .none) where last.fingerprint != nil:
      return [.credential(.revoked(id))]

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
      // Generations only grow, also over a removal; a credential that nobody revoked is in force again.
      var credential = tombstone?.credential ?? .none
      if let before = state?.credential {
        credential = before
        credential.forget()
      }
      state = Account(
        id: it.id, provider: it.provider, name: it.name, priority: it.priority, weight: it.weight,
        isEnabled: true, credential: credential, revision: revision, createdAt: time,
        updatedAt: time)
      tombstone = nil
    case .changed(let it): state?.take(it)
    case .enabled: state?.isEnabled = true
    case .disabled: state?.isEnabled = false
    case .degraded(let it): state?.degradation = .init(reason: it.reason, since: time)
    case .restored: state?.degradation = nil
    case .credentialSet: break
    case .removed:
      tombstone = state ?? tombstone
      state = nil
      tombstone?.revision = revision
      tombstone?.updatedAt = time
    }
    state?.revision = revision
    state?.updatedAt = time
  }

  private static func expiry(_ time: UnixNanoseconds?, of account: Account) -> [Event] {
    let (id, generation) = (account.id, account.credential.generation)
    return account.credential.expiresAt == time
      ? []
      : [
        .credential(.expirySet(.init(account: id, generation: generation, expiresAt: time))),
        .account(.credentialSet(.init(id: id, generation: generation))),
      ]
  }

  static func unknown(_ id: AccountID) -> Refusal {
    Refusal(
      code: .unknownAccount, field: "id", value: Refusal.bounded(id.rawValue),
      message: "there is no such account", remedy: "List the accounts to see their ids.")
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

extension Key {
  /// The rules of one key; nil is "there is none".
  ///
  /// A revoked key stays, so its id is never used again.
  static func decide(_ command: KeyCommand, _ state: Key?) throws(Refusal) -> [KeyEvent] {
    switch (command, state, state?.status) {
    case (.create(let created, let rights), .none, _):
      try check(created)
      var key: Key?
      evolve(&key, .created(created), revision: 0, time: UnixNanoseconds(0))
      return [.created(created)] + (try key?.events(for: rights) ?? [])
    case (.create(let created, _), .some, _):
      throw Refusal(
        code: .alreadyExists, field: "id", value: created.id.rawValue,
        message: "there is a key \(created.id.rawValue)", remedy: "Create one with another id.")

    case (.change(let wanted), .some(let key), .active),
      (.change(let wanted), .some(let key), .paused):
      if let name = wanted.name { try Bounds.label(name, "name", most: 128) }
      let changed = key.difference(wanted)
      return changed.isEmpty ? [] : [.changed(changed)]
    case (.changeRights(_, let rights), .some(let key), .active),
      (.changeRights(_, let rights), .some(let key), .paused):
      return try key.events(for: rights)
    case (.pause(let id), .some, .active): return [.paused(id)]
    case (.pause, .some, .paused): return []
    case (.resume(let id), .some, .paused): return [.resumed(id)]
    case (.resume, .some, .active): return []
    case (.revoke(let id), .some, .active), (.revoke(let id), .some, .paused):
      return [.revoked(id)]
    case (.revoke, .some, .revoked): return []

    case (.changeRights, .some, .revoked), (.change, .some, .revoked), (.pause, .some, .revoked),
      (.resume, .some, .revoked):
      throw Refusal(
        code: .notActive, field: "id", value: command.id.rawValue,
        message: "the key \(command.id.rawValue) is revoked for good", remedy: "Create a new key.")
    case (.changeRights, .none, _), (.changeRights, .some, .none), (.change, .none, _),
      (.pause, .none, _), (.resume, .none, _), (.revoke, .none, _),
      (.change, .some, .none), (.pause, .some, .none), (.resume, .some, .none),
      (.revoke, .some, .none):
      throw unknown(command.id)
    }
  }

  /// Takes in a fact; total.
  static func evolve(
    _ state: inout Key?, _ event: KeyEvent, revision: UInt64, time: UnixNanoseconds
  ) {
    switch event {
    case .created(let it):
      state = Key(
        id: it.id, name: it.name, organisation: it.organisation, fingerprint: it.fingerprint,
        masked: it.masked, diagnostics: it.diagnostics, expiresAt: it.expiresAt, status: .active,
        revision: revision, createdAt: time, updatedAt: time)
    case .changed(let it): state?.take(it)
    case .paused: state?.status = .paused
    case .resumed: state?.status = .active
    case .revoked: state?.status = .revoked
    case .accessChanged(let it):
      if let models = it.allowedModels { state?.allowedModels = models }
      if let accounts = it.allowedAccounts { state?.allowedAccounts = accounts }
      switch it.expiry {
      case .never: state?.expiresAt = nil
      case .at(let time): state?.expiresAt = time
      case nil: break
      }
    case .limitsSet(let it): state?.limits = it.limits
    case .budgetsSet(let it): state?.budgets = it.budgets
    }
    state?.revision = revision
    state?.updatedAt = time
  }

  static func unknown(_ id: KeyID) -> Refusal {
    Refusal(
      code: .unknownKey, field: "id", value: Refusal.bounded(id.rawValue),
      message: "there is no such key", remedy: "List the keys to see their ids.")
  }

  /// Only what differs, at most one event of each sort.
  private func events(for wanted: KeyRights) throws(Refusal) -> [KeyEvent] {
    if let models = wanted.allowedModels {
      try Bounds.within(models.count, 0...Self.allowedMax, "number of allowed models")
      for pattern in models { try Bounds.modelName(pattern, "allowed_models") }
    }
    if let accounts = wanted.allowedAccounts {
      try Bounds.within(accounts.count, 0...Self.allowedMax, "number of allowed accounts")
    }
    let expiry: KeyEvent.Expiry = expiresAt.map { .at($0) } ?? .never
    let access = KeyEvent.AccessChanged(
      id: id, allowedModels: wanted.allowedModels == allowedModels ? nil : wanted.allowedModels,
      allowedAccounts: wanted.allowedAccounts == allowedAccounts ? nil : wanted.allowedAccounts,
      expiry: wanted.expiry == expiry ? nil : wanted.expiry)
    var events: [KeyEvent] = []
    if access != .init(id: id) { events.append(.accessChanged(access)) }
    if let limits = wanted.limits {
      try limits.check()
      if limits != self.limits { events.append(.limitsSet(.init(id: id, limits: limits))) }
    }
    if let budgets = wanted.budgets {
      try Budget.check(budgets)
      if budgets != self.budgets { events.append(.budgetsSet(.init(id: id, budgets: budgets))) }
    }
    return events
  }

  private static let allowedMax = 500

  private mutating func take(_ changed: KeyEvent.Changed) {
    name = changed.name ?? name
    diagnostics = changed.diagnostics ?? diagnostics
  }

  private func difference(_ wanted: KeyEvent.Changed) -> KeyEvent.Changed {
    KeyEvent.Changed(
      id: id, name: wanted.name == name ? nil : wanted.name,
      diagnostics: wanted.diagnostics == diagnostics ? nil : wanted.diagnostics)
  }

  private static func check(_ created: KeyEvent.Created) throws(Refusal) {
    try Bounds.identifier(created.id.rawValue, "id")
    try Bounds.label(created.name, "name", most: 128)
    try Bounds.identifier(created.organisation.rawValue, "organisation")
    try Bounds.label(created.masked, "masked", most: 64)
  }
}

extension KeyEvent.Changed {
  /// Nothing would change.
  var isEmpty: Bool { self == Self(id: id) }
}

/// Decides one command: the events that make it so, or why not.
///
/// - Parameter ifMatch: the revision of `command.stream` that the author saw; nil: none stated.
/// - Returns: the events of one batch, in order; empty: it is already so.
/// - Throws: `Refusal`; what is missing comes before a wrong revision, that before wrong fields.
public func decide(
  _ command: Command, _ state: ControlState, ifMatch: UInt64? = nil
) throws(Refusal) -> [ProposedEvent] {
  if let missing = state.missing(command) { throw missing }
  if let ifMatch {
    let current = state.revision(ofStream: command.stream)
    guard ifMatch == current else { throw .revisionMismatch(current: current) }
  }
  let events = try state.events(for: command)
  var proposed: [ProposedEvent] = []
  for event in events {
    let stream = event.stream
    let earlier = proposed.reduce(0) { $0 + ($1.stream == stream ? 1 : 0) }
    proposed.append(
      ProposedEvent(
        stream: stream, event: event,
        expectedRevision: state.revision(ofStream: stream) + UInt64(earlier)))
  }
  return proposed
}

/// Decides several commands in order, each on the outcome of those before it.
///
/// - Returns: one list per command; together they are one batch, all or nothing.
/// - Throws: the first refusal; then nothing of the batch may be appended.
public func decide(
  _ commands: [Command], _ state: ControlState
) throws(Refusal) -> [[ProposedEvent]] {
  var outcome = state
  var lists: [[ProposedEvent]] = []
  lists.reserveCapacity(commands.count)
  for (index, command) in commands.enumerated() {
    let proposed = try decide(command, outcome)
    lists.append(proposed)
    // Nobody asks for the outcome of the last one, and of a single one none at all: it would cost a copy of
    // every table that it changes.
    guard index + 1 < commands.count else { break }
    for one in proposed {
      // Neither position nor time enters a decision, so a scratch state needs no true ones.
      outcome.apply(one.event, position: outcome.position + 1, time: UnixNanoseconds(0))
    }
  }
  return lists
}

extension ControlState {
  /// The refusal of a command about something that is not there; nil if it is, or need not be.
  fileprivate func missing(_ command: Command) -> Refusal? {
    switch command {
    case .provider(.add), .account(.add), .alias(.set), .combo(.set), .policy(.set),
      .organisation(.create), .key(.create), .settings, .pricing, .access, .node, .sync,
      .syncToken:
      nil
    case .merged(let command): missing(command)
    case .provider(let command):
      providers[command.id] == nil ? Provider.unknown(command.id) : nil
    case .account(.remove(let id)) where keepsCredential(of: id): nil
    case .account(let command): accounts[command.id] == nil ? Account.unknown(command.id) : nil
    case .credential(let command):
      accounts[command.account] == nil ? Account.unknown(command.account) : nil
    case .health(let command):
      accounts[command.account] == nil ? Account.unknown(command.account) : nil
    case .model(let command):
      providers[command.id.provider] == nil ? Provider.unknown(command.id.provider) : nil
    case .combo(let command): combos[command.name] == nil ? Combo.unknown(command.name) : nil
    case .policy(let command): policies[command.id] == nil ? Policy.unknown(command.id) : nil
    case .organisation(let command):
      organisations[command.id] == nil ? Organisation.unknown(command.id) : nil
    case .alias(let command): aliases[command.name] == nil ? AliasTarget.unknown(command.name) : nil
    case .key(let command): keys[command.id] == nil ? Key.unknown(command.id) : nil
    }
  }

  /// The aggregate's own rules, then those that need to see its neighbours.
  fileprivate func events(for command: Command) throws(Refusal) -> [Event] {
    switch command {
    case .provider(let command):
      let events = try ownEvents(for: .provider(command), isUnresolved: false)
      try check(command, events)
      // What was switched off goes with the provider, and its own stream says so: it may come back.
      guard case .remove(let id) = command, let provider = providers[id] else { return events }
      return provider.disabledModels.map {
        .model(.enabled(ModelID(provider: id, name: $0)))
      } + events
    case .account(let command):
      let events = try ownEvents(for: .account(command), isUnresolved: false)
      try check(command)
      return events
    case .alias(.set(let name, let target, let allowUnresolved)):
      let isUnresolved = try checkAlias(name, target, allowUnresolved: allowUnresolved)
      return try ownEvents(
        for: .alias(.set(name: name, target: target, allowUnresolved: allowUnresolved)),
        isUnresolved: isUnresolved)
    case .combo(.set(let name, let models, let allowUnresolved)):
      let isUnresolved = try checkCombo(name, models, allowUnresolved: allowUnresolved)
      return try ownEvents(for: command, isUnresolved: isUnresolved)
    case .policy(.set(let id, let accounts, let threshold, let allowUnresolved)):
      let isUnresolved = try checkPolicy(
        id, accounts, threshold, allowUnresolved: allowUnresolved)
      return try ownEvents(for: command, isUnresolved: isUnresolved)
    case .organisation(let organisation):
      let events = try ownEvents(for: command, isUnresolved: false)
      try check(organisation)
      return events
    case .merged(.policy(.set(let id, let accounts, let threshold, _))):
      let isUnresolved = try checkPolicy(id, accounts, threshold, allowsUnknown: true)
      return try ownEvents(
        for: .policy(
          .set(id, accounts: accounts, failoverThreshold: threshold, allowUnresolved: true)),
        isUnresolved: isUnresolved)
    case .merged(.key(let command)):
      var key = keys[command.id]
      // What else was edited of a key that is revoked by now is still what its owners meant it to be.
      if case .changeRights = command, key?.status == .revoked { key?.status = .paused }
      if case .change = command, key?.status == .revoked { key?.status = .paused }
      let events = try Key.decide(command, key).map(Event.key)
      try check(command, allowsUnknown: true)
      return events
    case .merged(.account(let command)):
      let events = try events(for: .account(command))
      // Where it cannot be for a while its credential waits for it; only an operator revokes one.
      guard isSameAccount(command) else { return events }
      // Nobody is left to hear how a refresh ends that is under way.
      let doubts = try ownEvents(for: .credential(.recover(command.id)), isUnresolved: false)
      return doubts + events.filter { if case .credential(.revoked) = $0 { false } else { true } }
    case .merged(let command): return try events(for: command)
    case .key(let command):
      let events = try ownEvents(for: .key(command), isUnresolved: false)
      try check(command)
      return events
    case .model(let model):
      let events = try ownEvents(for: command, isUnresolved: false)
      try check(model)
      return events
    case .alias(.remove), .combo(.remove), .policy(.remove), .credential, .health, .settings,
      .pricing, .access, .node, .sync, .syncToken:
      return try ownEvents(for: command, isUnresolved: false)
    }
  }

  /// Whether an account that is gone or comes back is the one whose credential is known.
  private func isSameAccount(_ command: AccountCommand) -> Bool {
    switch command {
    case .remove: true
    case .add(let added, let credential):
      credential == nil && removedAccounts[added.id]?.provider == added.provider
    case .change, .enable, .disable, .issueCredential, .setCredentialExpiry, .degrade, .restore:
      false
    }
  }

  private func ownEvents(
    for command: Command, isUnresolved: Bool
  ) throws(Refusal) -> [Event] {
    switch command {
    case .provider(let command):
      return try Provider.decide(command, providers[command.id]).map(Event.provider)
    case .account(let command):
      let last = accounts[command.id] ?? removedAccounts[command.id]
      let provider: ProviderID? =
        if case .add(let added, _) = command { added.provider } else { last?.provider }
      return try Account.decide(
        command, accounts[command.id], last: last?.credential ?? .none, node: node,
        family: provider.flatMap { familyHome(of: command.id, at: $0) })
    case .credential(let command):
      let account = accounts[command.account]
      let provider = account.flatMap { providers[$0.provider] }
      var events = try (account?.credential ?? .none).decide(
        command, node: node, hasTokenEndpoint: provider?.oauth != nil)
      if let account, !events.isEmpty {
        switch command {
        case .attempt: if let refusal = familyObstacle(to: account) { throw refusal }
        case .moveHome(_, let home, _): events += try moving(account, to: home)
        case _: break
        }
      }
      return events.map(Event.credential)
    case .node(let command): return try events(for: command)
    case .alias(let command):
      return try AliasTarget.decide(
        command, aliases[command.name], isUnresolved: isUnresolved
      ).map(Event.alias)
    case .health(let command):
      return try AccountHealth.decide(command, health[command.account] ?? .unknown)
        .map(Event.health)
    case .model(let command):
      guard let provider = providers[command.id.provider] else {
        throw Provider.unknown(command.id.provider)
      }
      return try provider.decide(command).map(Event.model)
    case .combo(let command):
      return try Combo.decide(command, combos[command.name], isUnresolved: isUnresolved)
        .map(Event.combo)
    case .policy(let command):
      return try Policy.decide(command, policies[command.id], isUnresolved: isUnresolved)
        .map(Event.policy)
    case .organisation(let command):
      return try Organisation.decide(command, organisations[command.id])
        .map(Event.organisation)
    case .pricing(let command):
      return try Pricing.decide(command, pricing).map(Event.pricing)
    case .access(.note(let event)):
      return [.access(event)]
    case .sync(.note(let event)):
      return [.sync(event)]
    case .syncToken(let command):
      return try SyncToken.decide(command, syncTokens).map(Event.syncToken)
    case .merged(let command):
      return try events(for: command)
    case .key(let command):
      return try Key.decide(command, keys[command.id]).map(Event.key)
    case .settings(let command):
      return try Settings.decide(command, settings).map(Event.settings)
    }
  }
}

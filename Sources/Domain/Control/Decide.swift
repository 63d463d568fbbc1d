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
  for command in commands {
    let proposed = try decide(command, outcome)
    for one in proposed {
      // Neither position nor time enters a decision, so a scratch state needs no true ones.
      outcome.apply(one.event, position: outcome.position + 1, time: UnixNanoseconds(0))
    }
    lists.append(proposed)
  }
  return lists
}

extension ControlState {
  /// The refusal of a command about something that is not there; nil if it is, or need not be.
  fileprivate func missing(_ command: Command) -> Refusal? {
    switch command {
    case .provider(.add), .account(.add), .alias(.set), .key(.create), .settings: nil
    case .provider(let command):
      providers[command.id] == nil ? Provider.unknown(command.id) : nil
    case .account(let command): accounts[command.id] == nil ? Account.unknown(command.id) : nil
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
      return events
    case .account(let command):
      let events = try ownEvents(for: .account(command), isUnresolved: false)
      try check(command)
      return events
    case .alias(.set(let name, let target, let allowUnresolved)):
      let isUnresolved = try checkAlias(name, target, allowUnresolved: allowUnresolved)
      return try ownEvents(
        for: .alias(.set(name: name, target: target, allowUnresolved: allowUnresolved)),
        isUnresolved: isUnresolved)
    case .alias(.remove):
      return try ownEvents(for: command, isUnresolved: false)
    case .key(let command):
      let events = try ownEvents(for: .key(command), isUnresolved: false)
      try check(command)
      return events
    case .settings:
      return try ownEvents(for: command, isUnresolved: false)
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
      return try Account.decide(
        command, accounts[command.id], generation: last?.credentialGeneration ?? 0)
    case .alias(let command):
      return try AliasTarget.decide(
        command, aliases[command.name], isUnresolved: isUnresolved
      ).map(Event.alias)
    case .key(let command):
      return try Key.decide(command, keys[command.id]).map(Event.key)
    case .settings(let command):
      return try Settings.decide(command, settings).map(Event.settings)
    }
  }
}

/// What is asked of the log's own identity.
public enum NodeCommand: Sendable, Hashable {
  /// The log begins to have one; one that it has stays.
  case identify(NodeID, incarnation: UInt64)
  /// The data directory is not the one that wrote the log last: every credential that somebody else may have
  /// refreshed meanwhile becomes uncertain.
  case restore(incarnation: UInt64)
}

/// Which node a log belongs to.
public struct NodeIdentity: Sendable, Hashable {
  /// Random, made at the first start, kept through copies and backups.
  public var node: NodeID
  /// Random, made anew whenever the directory turns out to be a copy or a backup.
  public var incarnation: UInt64

  /// Made of its parts.
  public init(node: NodeID, incarnation: UInt64) {
    self.node = node
    self.incarnation = incarnation
  }
}

extension ControlState {
  /// This log's own node; nil: logs of older builds.
  public var node: NodeID? { identity?.node }

  /// The rules of the log's identity.
  func events(for command: NodeCommand) throws(Refusal) -> [Event] {
    switch (command, identity) {
    case (.identify(let node, let incarnation), .none):
      try Bounds.node(node)
      return [.gateway(.identified(.init(node: node, incarnation: incarnation)))]
    case (.identify, .some): return []
    case (.restore, .none):
      // A log that never knew who it is cannot know that it is another: every credential that can be refreshed
      // came after logs had identities.
      return []
    case (.restore(let incarnation), .some(let identity)):
      guard incarnation != identity.incarnation else { return [] }
      let restored = Event.gateway(
        .restored(
          .init(
            node: identity.node, incarnation: incarnation, previous: identity.incarnation)))
      var events = [restored]
      // Also what waits for an account to come back.
      let kept = removedAccounts.values.filter { keepsCredential(of: $0.id) }
      for account in (Array(accounts.values) + kept).sorted(by: { $0.id < $1.id }) {
        events += try account.credential.decide(
          .suspect(account.id), node: identity.node, hasTokenEndpoint: true
        ).map(Event.credential)
      }
      return events
    }
  }
}

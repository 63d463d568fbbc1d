/// What an operator wants to change.
///
/// Ids, names and fingerprints were made at the edge.
public enum Command: Sendable, Hashable {
  case provider(ProviderCommand)
  case account(AccountCommand)
  case credential(CredentialCommand)
  case health(HealthCommand)
  case model(ModelCommand)
  case alias(AliasCommand)
  case combo(ComboCommand)
  case policy(PolicyCommand)
  case organisation(OrganisationCommand)
  case key(KeyCommand)
  case settings(SettingsCommand)
  case pricing(PricingCommand)
  case access(AccessCommand)
  case node(NodeCommand)
  case sync(SyncCommand)
  case syncToken(SyncTokenCommand)
  /// An edit that was allowed where it was made: what it names may be gone since. An account that goes by one
  /// cannot be here for a while: its credential is kept for it.
  indirect case merged(Command)

  /// The stream whose revision an `If-Match` is compared with.
  public var stream: String {
    switch self {
    case .provider(let command): command.id.stream
    case .account(let command): command.id.stream
    case .credential(let command): command.account.credentialStream
    case .health(let command): command.account.healthStream
    case .model(let command): command.id.stream
    case .alias(let command): aliasStream(command.name)
    case .combo(let command): comboStream(command.name)
    case .policy(let command): command.id.stream
    case .organisation(let command): command.id.stream
    case .key(let command): command.id.stream
    case .settings: settingsStream
    case .pricing: pricingStream
    case .access: accessStream
    case .node: gatewayStream
    case .sync(.note(let event)): syncStream(event.peer)
    case .syncToken(let command): command.id.stream
    case .merged(let command): command.stream
    }
  }
}

/// An event that a decision asks to be appended.
public struct ProposedEvent: Sendable, Hashable {
  /// The stream to append to.
  public var stream: String
  /// What happened.
  public var event: Event
  /// The stream's revision just before this event, the earlier ones of the same decision included.
  public var expectedRevision: UInt64

  /// Made of its parts.
  public init(stream: String, event: Event, expectedRevision: UInt64) {
    self.stream = stream
    self.event = event
    self.expectedRevision = expectedRevision
  }
}

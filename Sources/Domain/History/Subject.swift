/// What a stream of the configuration is about.
public enum Subject: Sendable, Hashable {
  case provider(ProviderID)
  case account(AccountID)
  case alias(String)
  case key(KeyID)
  case settings
  /// An account's generations of secrets: shown, never set back.
  case credential(AccountID)

  /// Whom the events of a stream are about; nil: nothing that is configured.
  public init?(stream: String) {
    if stream == settingsStream {
      self = .settings
      return
    }
    guard let (kind, name) = splitAtFirstSlash(stream), !name.isEmpty else { return nil }
    switch kind {
    case "provider": self = .provider(ProviderID(name))
    case "account": self = .account(AccountID(name))
    case "alias": self = .alias(name)
    case "key": self = .key(KeyID(name))
    case "credential": self = .credential(AccountID(name))
    case _: return nil
    }
  }

  /// Its stream.
  public var stream: String {
    switch self {
    case .provider(let id): id.stream
    case .account(let id): id.stream
    case .alias(let name): aliasStream(name)
    case .key(let id): id.stream
    case .settings: settingsStream
    case .credential(let id): id.credentialStream
    }
  }

  /// Whether an operator sets it, so that it can be set back.
  public var isIntent: Bool {
    switch self {
    case .provider, .account, .alias, .key, .settings: true
    case .credential: false
    }
  }
}

extension ControlState {
  /// Everything configured that an operator sets, revoked keys and the settings included, in the order of
  /// plans: what others refer to first, then by name.
  public var subjects: [Subject] {
    [.settings] + providers.keys.sorted().map { .provider($0) }
      + accounts.keys.sorted().map { .account($0) } + keys.keys.sorted().map { .key($0) }
      + aliases.keys.sorted().map { .alias($0) }
  }

  /// The resource as it stands; nil: it is not there.
  public func image(of subject: Subject) -> Image? {
    switch subject {
    case .provider(let id): providers[id]?.image
    case .account(let id): accounts[id]?.image
    case .alias(let name): aliases[name]?.image
    case .key(let id): keys[id]?.image
    case .settings: settings.image
    case .credential(let id): accounts[id]?.credentialImage ?? removedAccounts[id]?.credentialImage
    }
  }

  /// The resource of a stream as it stands; nil: it is not there, or nothing that is configured.
  public func image(ofStream stream: String) -> Image? {
    Subject(stream: stream).flatMap { image(of: $0) }
  }
}

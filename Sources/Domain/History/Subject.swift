/// What a stream of the configuration is about.
public enum Subject: Sendable, Hashable {
  case provider(ProviderID)
  case account(AccountID)
  case alias(String)
  case key(KeyID)
  case combo(String)
  case policy(PolicyID)
  case organisation(OrganisationID)
  /// Whether one model of a provider is used.
  case model(ModelID)
  case settings
  case pricing
  /// An account's generations of secrets: shown, never set back.
  case credential(AccountID)
  /// What is known of an account's health: shown, never set back.
  case health(AccountID)

  /// Whom the events of a stream are about; nil: nothing that is configured.
  public init?(stream: String) {
    switch stream {
    case settingsStream:
      self = .settings
      return
    case pricingStream:
      self = .pricing
      return
    case _: break
    }
    guard let (kind, name) = splitAtFirstSlash(stream), !name.isEmpty else { return nil }
    switch kind {
    case "provider": self = .provider(ProviderID(name))
    case "account": self = .account(AccountID(name))
    case "alias": self = .alias(name)
    case "key": self = .key(KeyID(name))
    case "combo": self = .combo(name)
    case "policy":
      guard let (organisation, model) = splitAtFirstSlash(name) else { return nil }
      self = .policy(PolicyID(organisation: OrganisationID(organisation), model: model))
    case "organisation": self = .organisation(OrganisationID(name))
    case "model":
      guard let (provider, model) = splitAtFirstSlash(name) else { return nil }
      self = .model(ModelID(provider: ProviderID(provider), name: model))
    case "credential": self = .credential(AccountID(name))
    case "health": self = .health(AccountID(name))
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
    case .combo(let name): comboStream(name)
    case .policy(let id): id.stream
    case .organisation(let id): id.stream
    case .model(let id): id.stream
    case .settings: settingsStream
    case .pricing: pricingStream
    case .credential(let id): id.credentialStream
    case .health(let id): id.healthStream
    }
  }

  /// Whether an operator sets it, so that it can be set back.
  public var isIntent: Bool {
    switch self {
    case .provider, .account, .alias, .key, .combo, .policy, .organisation, .model, .settings,
      .pricing:
      true
    case .credential, .health: false
    }
  }
}

extension ControlState {
  /// Everything configured that an operator sets, revoked keys and the settings included, in the order of
  /// plans: what others refer to first, then by name.
  public var subjects: [Subject] {
    var all: [Subject] = [.settings, .pricing]
    all += organisations.keys.sorted().map { .organisation($0) }
    for provider in providers.values.sorted(by: { $0.id < $1.id }) {
      all.append(.provider(provider.id))
      all += provider.disabledModels.map { .model(ModelID(provider: provider.id, name: $0)) }
    }
    all += accounts.keys.sorted().map { .account($0) }
    all += keys.keys.sorted().map { .key($0) }
    all += aliases.keys.sorted().map { .alias($0) }
    all += combos.keys.sorted().map { .combo($0) }
    return all + policies.keys.sorted().map { .policy($0) }
  }

  /// The resource as it stands; nil: it is not there.
  public func image(of subject: Subject) -> Image? {
    switch subject {
    case .provider(let id): providers[id]?.image
    case .account(let id): accounts[id]?.image
    case .alias(let name): aliases[name]?.image
    case .key(let id): keys[id]?.image
    case .combo(let name): combos[name]?.image
    case .policy(let id): policies[id]?.image
    case .organisation(let id): organisations[id]?.image
    case .model(let id): providers[id.provider]?.image(of: id)
    case .settings: settings.image
    case .pricing: pricing.image
    case .credential(let id): accounts[id]?.credentialImage ?? removedAccounts[id]?.credentialImage
    case .health(let id): health[id]?.image(of: id)
    }
  }

  /// The resource of a stream as it stands; nil: it is not there, or nothing that is configured.
  public func image(ofStream stream: String) -> Image? {
    Subject(stream: stream).flatMap { image(of: $0) }
  }
}

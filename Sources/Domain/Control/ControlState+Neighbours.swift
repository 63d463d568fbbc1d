/// The rules that span aggregates.
extension ControlState {
  /// A provider's names must be its own, and it stays while accounts hang on it.
  func check(_ command: ProviderCommand, _ events: [Event]) throws(Refusal) {
    switch command {
    case .add, .change:
      // The names are checked as they will be, whichever field brings a new one in.
      var outcome: Provider? = providers[command.id]
      for case .provider(let event) in events {
        Provider.evolve(&outcome, event, revision: 0, time: UnixNanoseconds(0))
      }
      if let outcome, !events.isEmpty { try checkNames(of: outcome) }
    case .remove(let id):
      let names = accounts.values.filter { $0.provider == id }.map(\.name).sorted()
      guard names.isEmpty else {
        let shown = names.prefix(10).joined(separator: ", ")
        let rest = names.count > 10 ? " and \(names.count - 10) more" : ""
        throw Refusal(
          code: .providerInUse, field: "id", value: id.rawValue,
          message: "the provider \(id.rawValue) still has accounts: \(shown)\(rest)",
          remedy: "Remove its accounts first.")
      }
    case .enable, .disable: break
    }
  }

  /// An account hangs on a provider that is there, under a name of its own.
  func check(_ command: AccountCommand) throws(Refusal) {
    switch command {
    case .add(let added, _):
      guard providers[added.provider] != nil else {
        throw Refusal(
          code: .unknownProvider, field: "provider",
          value: Refusal.bounded(added.provider.rawValue), message: "there is no such provider",
          remedy: "Add the provider first.")
      }
      try checkName(added.name, of: added.id, at: added.provider)
    case .change(let changed):
      if let name = changed.name, let account = accounts[changed.id] {
        try checkName(name, of: changed.id, at: account.provider)
      }
    case .enable, .disable, .remove, .issueCredential: break
    }
  }

  /// Two keys never share a secret, not even with a revoked one.
  func check(_ command: KeyCommand) throws(Refusal) {
    switch command {
    case .create(let created):
      let holder = keys.values.filter { $0.fingerprint == created.fingerprint }.map(\.id).min()
      if let holder {
        throw Refusal(
          code: .keyExists, field: "key", value: "",
          message: "the same secret is the key \(holder.rawValue)",
          remedy: "Let the gateway generate a new one.")
      }
    case .change, .pause, .resume, .revoke: break
    }
  }

  /// An alias means one known thing, and nothing else means the alias.
  ///
  /// - Returns: whether the target is unknown (only if that is allowed).
  func checkAlias(
    _ name: String, _ target: String, allowUnresolved: Bool
  ) throws(Refusal) -> Bool {
    try Bounds.aliasName(name)
    try Bounds.target(target)
    if let provider = providers(where: { $0.prefix == name }).first {
      throw .collision("name", name, "the prefix of the provider \(provider.id.rawValue)")
    }
    if let provider = providers(where: { $0.isOffered(name) }).first {
      throw .collision("name", name, "a model of the provider \(provider.id.rawValue)")
    }
    if let other = aliases.values.filter({ $0.target == name }).map(\.name).min() {
      throw .collision("name", name, "the target of the alias \(other)")
    }
    guard target != name, aliases[target] == nil else {
      throw Refusal(
        code: .aliasOfAlias, field: "target", value: Refusal.bounded(target),
        message: "an alias cannot point at an alias",
        remedy: aliases[target].map { "Point at \($0.target) instead." } ?? "")
    }
    switch resolve(target: target) {
    case .known: return false
    case .ambiguous where allowUnresolved, .unknown where allowUnresolved: return true
    case .ambiguous(let names):
      throw Refusal(
        code: .ambiguousTarget, field: "target", value: Refusal.bounded(target),
        message: "several providers offer this model",
        remedy: "Choose one of: \(names.joined(separator: ", ")).")
    case .unknown(let near):
      let remedy =
        near.isEmpty
        ? "List the models to see what is offered, or allow an unresolved target."
        : "Near names: \(near.joined(separator: ", "))."
      throw Refusal(
        code: .unknownTarget, field: "target", value: Refusal.bounded(target),
        message: "no provider offers this model", remedy: remedy)
    }
  }

  private enum TargetResolution {
    case known
    case ambiguous([String])
    case unknown(near: [String])
  }

  /// The same steps as `RoutingSnapshot` takes, on the state (a property test holds the two together).
  private func resolve(target: String) -> TargetResolution {
    if let (prefix, model) = splitAtFirstSlash(target),
      let provider = providers(where: { $0.prefix == prefix }).first
    {
      return provider.isOffered(model) ? .known : .unknown(near: near(target))
    }
    let offering = providers { $0.isOffered(target) }
    let enabled = offering.filter(\.isEnabled)
    if enabled.count > 1 {
      return .ambiguous(enabled.map { "\($0.prefix)/\(target)" }.sorted().prefix(10).map(\.self))
    }
    return offering.isEmpty ? .unknown(near: near(target)) : .known
  }

  private func near(_ target: String) -> [String] {
    var search = NearNames(target)
    for provider in providers.values {
      for offer in provider.offers { search.consider("\(provider.prefix)/\(offer.name)") }
    }
    return search.found
  }

  private func checkNames(of provider: Provider) throws(Refusal) {
    let others = providers { $0.id != provider.id && $0.prefix == provider.prefix }
    if let other = others.first {
      throw .collision("prefix", provider.prefix, "the prefix of the provider \(other.id.rawValue)")
    }
    if aliases[provider.prefix] != nil {
      throw .collision("prefix", provider.prefix, "an alias")
    }
    for offer in provider.offers where aliases[offer.name] != nil {
      throw .collision("models", offer.name, "an alias")
    }
  }

  private func checkName(
    _ name: String, of id: AccountID, at provider: ProviderID
  ) throws(Refusal) {
    let holder = accounts.values
      .filter { $0.provider == provider && $0.id != id && $0.name == name }.map(\.id).min()
    if let holder {
      throw .collision("name", name, "the account \(holder.rawValue) of the same provider")
    }
  }

  /// Sorted by id, so that which one a refusal names does not hang on hashing.
  private func providers(where isWanted: (Provider) -> Bool) -> [Provider] {
    providers.values.filter(isWanted).sorted { $0.id < $1.id }
  }
}

extension Bounds {
  /// What an alias may point at: 1…256 visible bytes.
  static func target(_ value: String) throws(Refusal) {
    guard let (prefix, model) = splitAtFirstSlash(value) else {
      return try modelName(value, "target")
    }
    guard 1...64 ~= prefix.utf8.count else {
      throw .invalid("target", value, "target must have 1 to 64 bytes before its first slash")
    }
    try modelName(model, "target")
  }
}

extension Refusal {
  fileprivate static func collision(_ field: String, _ value: String, _ with: String) -> Refusal {
    Refusal(
      code: .nameCollision, field: field, value: bounded(value),
      message: "\(bounded(value)) is already \(with)", remedy: "Choose another name.")
  }
}

/// The rules that span aggregates.
extension ControlState {
  /// A provider's names must be its own, and it stays while accounts hang on it.
  func check(_ command: ProviderCommand, _ events: [Event]) throws(Refusal) {
    switch command {
    case .add, .change:
      // The names are checked as they will be, whichever field brings a new one in.
      var outcome: Provider? = providers[command.id]
      for case .provider(let event) in events {
        Provider.evolve(
          &outcome, event, revision: 0, position: 0, time: UnixNanoseconds(0))
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
    case .enable, .disable, .discover, .setHealthCheck, .setOAuth: break
    }
  }

  /// A model that comes back must not find its name taken.
  func check(_ command: ModelCommand) throws(Refusal) {
    guard case .enable(let id) = command, var provider = providers[id.provider] else { return }
    provider.evolve(.enabled(id))
    try checkNames(of: provider)
  }

  /// Whether a request for this target would find a provider that offers it, enabled or not.
  public func isKnown(target: String) -> Bool {
    if case .known = resolve(target: target) { true } else { false }
  }

  /// An organisation stays while keys or policies hang on it.
  func check(_ command: OrganisationCommand) throws(Refusal) {
    guard case .remove(let id) = command else { return }
    guard id != .standard else {
      throw Refusal(
        code: .organisationInUse, field: "id", value: id.rawValue,
        message: "the standard organisation is where keys without one of their own belong",
        remedy: "Pause it to let none of its keys in.")
    }
    let holders =
      keys.values.filter { $0.organisation == id && $0.status != .revoked }
      .map { "key \($0.id.rawValue)" }
      + policies.keys.filter { $0.organisation == id }.map { "policy for \($0.model)" }
    guard holders.isEmpty else {
      let shown = holders.sorted().prefix(10).joined(separator: ", ")
      let rest = holders.count > 10 ? " and \(holders.count - 10) more" : ""
      throw Refusal(
        code: .organisationInUse, field: "id", value: Refusal.bounded(id.rawValue),
        message: "the organisation \(id.rawValue) still has: \(shown)\(rest)",
        remedy: "Revoke its keys and remove its policies first.")
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
    case .enable, .disable, .remove, .issueCredential, .setCredentialExpiry, .degrade, .restore:
      break
    }
  }

  /// Two keys never share a secret, not even with a revoked one.
  ///
  /// - Parameter allowsUnknown: also if accounts that it names are not there.
  func check(_ command: KeyCommand, allowsUnknown: Bool = false) throws(Refusal) {
    switch command {
    case .create(let created, let rights):
      guard organisations[created.organisation] != nil else {
        throw Organisation.unknown(created.organisation)
      }
      if !allowsUnknown { try check(allowedAccounts: rights.allowedAccounts) }
      let holder = keys.values.filter { $0.fingerprint == created.fingerprint }.map(\.id).min()
      if let holder {
        throw Refusal(
          code: .keyExists, field: "key", value: "",
          message: "the same secret is the key \(holder.rawValue)",
          remedy: "Let the gateway generate a new one.")
      }
    case .changeRights(_, let rights):
      if !allowsUnknown { try check(allowedAccounts: rights.allowedAccounts) }
    case .change, .pause, .resume, .revoke: break
    }
  }

  private func check(allowedAccounts: [AccountID]?) throws(Refusal) {
    for id in allowedAccounts ?? [] where accounts[id] == nil { throw Account.unknown(id) }
  }

  /// A combo means a list of known things, and nothing else means the combo.
  ///
  /// - Returns: whether a model is unknown (only if that is allowed).
  func checkCombo(
    _ name: String, _ models: [String], allowUnresolved: Bool
  ) throws(Refusal) -> Bool {
    try Bounds.publicName(name, "combo")
    try Bounds.within(models.count, 1...Combo.modelsMax, "number of models")
    try checkName(name, "combo", isAlias: false)
    var seen: Set<String> = []
    var isUnresolved = false
    for model in models {
      try Bounds.target(model, "models")
      guard seen.insert(model).inserted else {
        throw .invalid("models", model, "a model stands in a combo once")
      }
      guard combos[model] == nil, model != name else {
        throw Refusal(
          code: .aliasOfAlias, field: "models", value: Refusal.bounded(model),
          message: "a combo cannot hold a combo", remedy: "List its models instead.")
      }
      if let alias = aliases[model] {
        throw Refusal(
          code: .aliasOfAlias, field: "models", value: Refusal.bounded(model),
          message: "a combo cannot hold an alias", remedy: "Write \(alias.target) instead.")
      }
      isUnresolved =
        try check(target: model, "models", allowUnresolved: allowUnresolved) || isUnresolved
    }
    return isUnresolved
  }

  /// A policy shares requests out among known accounts that offer the model.
  ///
  /// - Parameters:
  ///   - allowUnresolved: also if an account does not offer the model.
  ///   - allowsUnknown: also if an account is not there.
  /// - Returns: whether some account does not offer it (only if that is allowed).
  func checkPolicy(
    _ id: PolicyID, _ wanted: [PolicyAccount], _ threshold: UInt32, allowUnresolved: Bool = true,
    allowsUnknown: Bool = false
  ) throws(Refusal) -> Bool {
    try Policy.check(id, wanted, threshold)
    // As `checkName` has it the other way round: which of the two came first must not matter to what stands.
    if policies[id] == nil, aliases[id.model] != nil || combos[id.model] != nil {
      throw .collision("model", id.model, aliases[id.model] != nil ? "an alias" : "a combo")
    }
    guard id.organisation == PolicyID.everyone || organisations[id.organisation] != nil else {
      throw Organisation.unknown(id.organisation)
    }
    var isUnresolved = false
    for share in wanted {
      guard let account = accounts[share.account] else {
        guard allowsUnknown else { throw Account.unknown(share.account) }
        isUnresolved = true
        continue
      }
      guard providers[account.provider]?.isOffered(id.model) != true else { continue }
      guard allowUnresolved else {
        throw Refusal(
          code: .unknownTarget, field: "accounts", value: Refusal.bounded(share.account.rawValue),
          message: "the provider \(account.provider.rawValue) of the account "
            + "\(account.name) does not offer \(Refusal.bounded(id.model))",
          remedy: "Write the model without a prefix, as a provider offers it, or allow an "
            + "unresolved target.")
      }
      isUnresolved = true
    }
    return isUnresolved
  }

  /// An alias means one known thing, and nothing else means the alias.
  ///
  /// - Returns: whether the target is unknown (only if that is allowed).
  func checkAlias(
    _ name: String, _ target: String, allowUnresolved: Bool
  ) throws(Refusal) -> Bool {
    try Bounds.publicName(name, "alias")
    try Bounds.target(target, "target")
    try checkName(name, "alias", isAlias: true)
    guard target != name, aliases[target] == nil else {
      throw Refusal(
        code: .aliasOfAlias, field: "target", value: Refusal.bounded(target),
        message: "an alias cannot point at an alias",
        remedy: aliases[target].map { "Point at \($0.target) instead." } ?? "")
    }
    if combos[target] != nil {
      throw Refusal(
        code: .aliasOfAlias, field: "target", value: Refusal.bounded(target),
        message: "an alias cannot point at a combo", remedy: "Let clients ask for the combo.")
    }
    return try check(target: target, "target", allowUnresolved: allowUnresolved)
  }

  /// Nobody else may mean something by a name that clients write.
  private func checkName(_ name: String, _ what: String, isAlias: Bool) throws(Refusal) {
    if let provider = providers(where: { $0.prefix == name }).first {
      throw .collision("name", name, "the prefix of the provider \(provider.id.rawValue)")
    }
    if let provider = providers(where: { $0.isOffered(name) }).first {
      throw .collision("name", name, "a model of the provider \(provider.id.rawValue)")
    }
    if isAlias ? combos[name] != nil : aliases[name] != nil {
      throw .collision("name", name, isAlias ? "a combo" : "an alias")
    }
    if let other = aliases.values.filter({ $0.target == name }).map(\.name).min() {
      throw .collision("name", name, "the target of the alias \(other)")
    }
    if let other = combos.values.filter({ $0.models.contains(name) }).map(\.name).min() {
      throw .collision("name", name, "a model of the combo \(other)")
    }
    if let policy = policies.keys.filter({ $0.model == name }).min() {
      throw .collision(
        "name", name, "the model of a policy of \(policy.organisation.rawValue)")
    }
  }

  /// - Returns: whether the target is unknown (only if that is allowed).
  private func check(
    target: String, _ field: String, allowUnresolved: Bool
  ) throws(Refusal) -> Bool {
    switch resolve(target: target) {
    case .known: return false
    case .ambiguous where allowUnresolved, .unknown where allowUnresolved: return true
    case .ambiguous(let names):
      throw Refusal(
        code: .ambiguousTarget, field: field, value: Refusal.bounded(target),
        message: "several providers offer this model",
        remedy: "Choose one of: \(names.joined(separator: ", ")).")
    case .unknown(let near):
      let remedy =
        near.isEmpty
        ? "List the models to see what is offered, or allow an unresolved target."
        : "Near names: \(near.joined(separator: ", "))."
      throw Refusal(
        code: .unknownTarget, field: field, value: Refusal.bounded(target),
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
    if combos[provider.prefix] != nil {
      throw .collision("prefix", provider.prefix, "a combo")
    }
    // Names that were discovered give way; those that an operator writes must not need to.
    for name in provider.models.flatMap({ [$0.name, $0.alias ?? $0.name] })
    where provider.isOffered(name) {
      if aliases[name] != nil { throw .collision("models", name, "an alias") }
      if combos[name] != nil { throw .collision("models", name, "a combo") }
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
  static func target(_ value: String, _ field: String) throws(Refusal) {
    guard let (prefix, model) = splitAtFirstSlash(value) else {
      return try modelName(value, field)
    }
    guard 1...64 ~= prefix.utf8.count else {
      throw .invalid(field, value, "\(field) must have 1 to 64 bytes before its first slash")
    }
    try modelName(model, field)
  }
}

extension Refusal {
  fileprivate static func collision(_ field: String, _ value: String, _ with: String) -> Refusal {
    Refusal(
      code: .nameCollision, field: field, value: bounded(value),
      message: "the name \(bounded(value)) is already \(with)", remedy: "Choose another name.")
  }
}

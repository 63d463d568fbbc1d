extension Provider {
  /// The rules of one provider; nil is "there is none", also behind a tombstone.
  static func decide(
    _ command: ProviderCommand, _ state: Provider?
  ) throws(Refusal) -> [ProviderEvent] {
    switch (command, state) {
    case (.add(let added), .none):
      return [.added(try checked(added))]
    case (.add(let added), .some):
      throw Refusal(
        code: .alreadyExists, field: "id", value: added.id.rawValue,
        message: "there is a provider \(added.id.rawValue)",
        remedy: "Change it, or remove it first.")

    case (.change(let wanted), .some(let provider)):
      let changed = provider.difference(try checked(wanted))
      return changed.isEmpty ? [] : [.changed(changed)]
    case (.enable(let id), .some(let provider)):
      return provider.isEnabled ? [] : [.enabled(id)]
    case (.disable(let id), .some(let provider)):
      return provider.isEnabled ? [.disabled(id)] : []
    case (.remove(let id), .some):
      return [.removed(id)]

    case (.discover(let it), .some(let provider)):
      try Bounds.within(it.models.count, 0...Bounds.modelsPerProvider, "number of models")
      for model in it.models { try Bounds.modelName(model, "models") }
      let isNew = provider.discoveredAt == nil || provider.discoveredModels != it.models
      return isNew ? [.modelsDiscovered(it)] : []

    case (.setHealthCheck(let id, let seconds), .some(let provider)):
      if let seconds { try Bounds.within(seconds, 5...86_400, "health_check.interval_seconds") }
      return seconds == provider.healthCheckSeconds
        ? [] : [.healthCheckSet(.init(id: id, intervalSeconds: seconds))]

    case (.setOAuth(let id, let client), .some(let provider)):
      let checked: OAuthClient? = if let client { try client.checked() } else { nil }
      return checked == provider.oauth ? [] : [.oauthSet(.init(id: id, client: checked))]

    case (.setOAuth, .none), (.change, .none), (.enable, .none), (.disable, .none),
      (.remove, .none),
      (.discover, .none), (.setHealthCheck, .none):
      throw unknown(command.id)
    }
  }

  /// Takes in a fact; total.
  static func evolve(
    _ state: inout Provider?, _ event: ProviderEvent, revision: UInt64, position: UInt64,
    time: UnixNanoseconds
  ) {
    switch event {
    case .added(let it):
      state = Provider(
        id: it.id, name: it.name, dialect: it.dialect, baseURL: it.baseURL, prefix: it.prefix,
        models: it.models, excludedModels: it.excludedModels, isEnabled: true, revision: revision,
        createdAt: time, updatedAt: time)
    case .changed(let it): state?.take(it)
    case .enabled: state?.isEnabled = true
    case .disabled: state?.isEnabled = false
    case .removed: state = nil
    case .modelsDiscovered(let it):
      state?.discoveredModels = it.models
      state?.discoveredAt = time
    case .healthCheckSet(let it): state?.healthCheckSeconds = it.intervalSeconds
    case .oauthSet(let it):
      state?.oauth = it.client
      state?.oauthPosition = it.client?.secret == nil ? nil : position
    }
    state?.revision = revision
    state?.updatedAt = time
  }

  static func unknown(_ id: ProviderID) -> Refusal {
    Refusal(
      code: .unknownProvider, field: "id", value: Refusal.bounded(id.rawValue),
      message: "there is no such provider", remedy: "List the providers to see their ids.")
  }

  private mutating func take(_ changed: ProviderEvent.Changed) {
    name = changed.name ?? name
    dialect = changed.dialect ?? dialect
    baseURL = changed.baseURL ?? baseURL
    prefix = changed.prefix ?? prefix
    models = changed.models ?? models
    excludedModels = changed.excludedModels ?? excludedModels
  }

  /// The fields of `wanted` that differ from what holds.
  private func difference(_ wanted: ProviderEvent.Changed) -> ProviderEvent.Changed {
    ProviderEvent.Changed(
      id: id, name: wanted.name == name ? nil : wanted.name,
      dialect: wanted.dialect == dialect ? nil : wanted.dialect,
      baseURL: wanted.baseURL == baseURL ? nil : wanted.baseURL,
      prefix: wanted.prefix == prefix ? nil : wanted.prefix,
      models: wanted.models == models ? nil : wanted.models,
      excludedModels: wanted.excludedModels == excludedModels ? nil : wanted.excludedModels)
  }

  private static func checked(
    _ added: ProviderEvent.Added
  ) throws(Refusal) -> ProviderEvent.Added {
    try Bounds.identifier(added.id.rawValue, "id")
    try Bounds.label(added.name, "name", most: 128)
    try Bounds.identifier(added.prefix, "prefix")
    try check(models: added.models)
    try check(excludedModels: added.excludedModels)
    var checked = added
    checked.baseURL = try BaseURL.checked(added.baseURL)
    return checked
  }

  private static func checked(
    _ changed: ProviderEvent.Changed
  ) throws(Refusal) -> ProviderEvent.Changed {
    if let name = changed.name { try Bounds.label(name, "name", most: 128) }
    if let prefix = changed.prefix { try Bounds.identifier(prefix, "prefix") }
    if let models = changed.models { try check(models: models) }
    if let excluded = changed.excludedModels { try check(excludedModels: excluded) }
    var checked = changed
    if let baseURL = changed.baseURL { checked.baseURL = try BaseURL.checked(baseURL) }
    return checked
  }

  private static func check(models: [ProviderModel]) throws(Refusal) {
    try Bounds.within(models.count, 0...Bounds.modelsPerProvider, "number of models")
    var seen: Set<String> = []
    for model in models {
      try Bounds.modelName(model.name, "models.name")
      if let alias = model.alias { try Bounds.modelName(alias, "models.alias") }
      for name in [model.name, model.alias] {
        guard let name else { continue }
        guard seen.insert(name).inserted else {
          throw .invalid("models", name, "a provider's model names must differ from each other")
        }
      }
    }
  }

  private static func check(excludedModels: [String]) throws(Refusal) {
    try Bounds.within(
      excludedModels.count, 0...Bounds.excludedModelsPerProvider, "number of excluded models")
    for pattern in excludedModels { try Bounds.modelName(pattern, "excluded_models") }
  }
}

extension ProviderEvent.Changed {
  /// Nothing would change.
  var isEmpty: Bool { self == Self(id: id) }
}

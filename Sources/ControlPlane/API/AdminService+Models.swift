import Domain
import Surface

/// `/api/models`: what providers offer, by configuration and by their own word.
extension AdminService {
  func listProviderModels(_ call: AdminCall) throws -> AdminAnswer {
    let query = call.query
    let provider = try query.text("provider")
    let isActive = try query.bool("isActive")
    let source = try query.choice("source", of: CatalogueModel.Source.allCases.map(\.rawValue))
    let text = try query.text("q")
    let state = control.state
    let models = state.providers.values
      .filter { (provider ?? $0.id.rawValue) == $0.id.rawValue }
      .flatMap { CatalogueModel.all(of: $0) }
      .filter { model in
        (isActive ?? model.isActive) == model.isActive
          && (source ?? model.source.rawValue) == model.source.rawValue
          && matches(text, model.path)
      }
    let aliases = Dictionary(grouping: state.aliases.values, by: \.target)
    return try Page(query).answer(
      "models", models,
      by: { Page.Key(.text($0.provider.id.rawValue), .text($0.name)) },
      { $0.json(aliases: aliases, state) })
  }

  func getProviderModel(_ call: AdminCall) throws -> AdminAnswer {
    let state = control.state
    return one(try Self.model(try call.parameter("id"), state), state)
  }

  func changeProviderModel(_ call: AdminCall) async throws -> AdminAnswer {
    let path = try call.parameter("id")
    var fields = try call.fields()
    let isActive = try fields.bool("isActive")
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      let id = try Self.model(path, state).id
      return [Change(.model(isActive ? .enable(id) : .disable(id)))]
    }
    return one(try Self.model(path, outcome.state), outcome.state)
  }

  private func one(_ model: CatalogueModel, _ state: ControlState) -> AdminAnswer {
    let aliases = Dictionary(grouping: state.aliases.values, by: \.target)
    return .json(
      ["model": model.json(aliases: aliases, state)],
      revision: state.revision(ofStream: model.id.stream))
  }

  /// By `provider/name` or `prefix/name`; the name may hold slashes, and may be the model's second one.
  private static func model(_ path: String, _ state: ControlState) throws -> CatalogueModel {
    let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw APIFault(.unknownModel) }
    let (owner, name) = (String(parts[0]), String(parts[1]))
    guard
      let provider = state.providers[ProviderID(owner)]
        ?? state.providers.values.first(where: { $0.prefix == owner }),
      let model = CatalogueModel.all(of: provider).first(where: {
        $0.name == name || $0.alias == name
      })
    else { throw APIFault(.unknownModel) }
    return model
  }
}

/// A model of a provider as operators see it, offered or not.
private struct CatalogueModel {
  enum Source: String, CaseIterable {
    case configured
    case discovered
    /// Switched off, and named by nobody any more.
    case absent
  }

  var provider: Provider
  var name: String
  var alias: String?
  var source: Source
  var isActive: Bool
  var isExcluded: Bool

  var id: ModelID { ModelID(provider: provider.id, name: name) }
  var path: String { "\(provider.id.rawValue)/\(name)" }

  /// Every model that the provider's configuration, its own list or a switch names, each once.
  static func all(of provider: Provider) -> [CatalogueModel] {
    var seen: Set<String> = []
    let disabled = Set(provider.disabledModels)
    var patterns = provider
    patterns.disabledModels = []
    func model(_ name: String, _ alias: String?, _ source: Source) -> CatalogueModel? {
      guard seen.insert(name).inserted else { return nil }
      // The configuration's second name goes before a discovered one.
      if let alias { seen.insert(alias) }
      return CatalogueModel(
        provider: provider, name: name, alias: alias, source: source,
        isActive: !disabled.contains(name), isExcluded: patterns.isTakenOut(name))
    }
    return provider.models.compactMap { model($0.name, $0.alias, .configured) }
      + provider.discoveredModels.compactMap { model($0, nil, .discovered) }
      + provider.disabledModels.compactMap { model($0, nil, .absent) }
  }

  func json(aliases: [String: [AliasTarget]], _ state: ControlState) -> JSONValue {
    let names = [name] + (alias.map { [$0] } ?? [])
    let own = names.flatMap { aliases["\(provider.prefix)/\($0)"] ?? [] }.map(\.name).sorted()
    let isOffered = provider.isEnabled && isActive && !isExcluded && source != .absent
    return [
      "id": JSONValue(path), "provider": JSONValue(provider.id.rawValue),
      "model": JSONValue(name), "fullModel": JSONValue("\(provider.prefix)/\(name)"),
      "alias": JSONValue(alias), "aliases": .array(own.map { JSONValue($0) }),
      "source": JSONValue(source.rawValue), "isActive": JSONValue(isActive),
      "enabled": JSONValue(isActive), "excluded": JSONValue(isExcluded),
      "offered": JSONValue(isOffered), "revision": JSONValue(state.revision(ofStream: id.stream)),
    ]
  }
}

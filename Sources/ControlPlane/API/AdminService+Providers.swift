import Domain
import HTTPTypes
import Surface

/// `/api/provider-nodes`: upstream services.
extension AdminService {
  func listProviders(_ call: AdminCall) throws -> AdminAnswer {
    let query = call.query
    let name = try query.text("name")
    let isActive = try query.bool("isActive")
    let text = try query.text("q")
    let providers = control.state.providers.values.filter { provider in
      (name ?? provider.name) == provider.name
        && (isActive ?? provider.isEnabled) == provider.isEnabled
        && matches(text, provider.name, provider.id.rawValue)
    }
    return try Page(query).answer(
      "nodes", providers, by: { Page.Key(.text($0.id.rawValue)) }, Self.json)
  }

  func getProvider(_ call: AdminCall) throws -> AdminAnswer {
    try one(provider(ProviderID(try call.parameter("id")), control.state))
  }

  func addProvider(_ call: AdminCall) async throws -> AdminAnswer {
    var fields = try call.fields()
    let id = ProviderID(try fields.string("id"))
    let added = ProviderEvent.Added(
      id: id, name: try fields.optionalString("name") ?? id.rawValue,
      dialect: try Self.dialect(&fields) ?? .openai,
      baseURL: Self.withoutSlashes(try fields.string("baseUrl")),
      prefix: try fields.optionalString("prefix") ?? id.rawValue,
      models: try Self.models(&fields) ?? [],
      excludedModels: try fields.optionalStrings("excludedModels") ?? [])
    let healthCheck = try Self.healthCheck(&fields)
    let oauth = try OAuthFields(&fields)
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      _ in
      [Change(.provider(.add(added)))] + Self.changes(healthCheck, of: id)
        + oauth.changes(of: id, control)
    }
    var answer = try one(provider(id, outcome.state))
    answer.status = .created
    return answer
  }

  func changeProvider(_ call: AdminCall) async throws -> AdminAnswer {
    let id = ProviderID(try call.parameter("id"))
    var fields = try call.fields()
    let changed = ProviderEvent.Changed(
      id: id, name: try fields.changedString("name"), dialect: try Self.dialect(&fields),
      baseURL: try fields.changedString("baseUrl").map { Self.withoutSlashes($0) },
      prefix: try fields.changedString("prefix"), models: try Self.models(&fields),
      excludedModels: try fields.optionalStrings("excludedModels"))
    let isActive = try fields.changedBool("isActive")
    let healthCheck = try Self.healthCheck(&fields)
    let oauth = try OAuthFields(&fields)
    try fields.finish()
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      _ = try provider(id, state)
      var changes =
        [Change(.provider(.change(changed)))] + Self.changes(healthCheck, of: id)
        + oauth.changes(of: id, control)
      if let isActive {
        changes.append(Change(.provider(isActive ? .enable(id) : .disable(id))))
      }
      return changes
    }
    return try one(provider(id, outcome.state))
  }

  func removeProvider(_ call: AdminCall) async throws -> AdminAnswer {
    let id = ProviderID(try call.parameter("id"))
    try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) { state in
      _ = try provider(id, state)
      return [Change(.provider(.remove(id)))]
    }
    return .json(["message": "Provider removed", "id": JSONValue(id.rawValue)])
  }

  private func provider(_ id: ProviderID, _ state: ControlState) throws -> Provider {
    guard let provider = state.providers[id] else { throw APIFault(.unknownProvider) }
    return provider
  }

  private func one(_ provider: Provider) -> AdminAnswer {
    .json(["node": Self.json(provider)], revision: provider.revision)
  }

  /// `protocol`; the runbooks' `apiType` means the same.
  private static func dialect(_ fields: inout ObjectReader) throws -> UpstreamProtocol? {
    let name = try fields.changedString("protocol")
    let old = try fields.changedString("apiType")
    if let name, let old, name != old {
      throw fields.fault(
        "apiType", "protocol and apiType contradict each other", remedy: "Send protocol only.")
    }
    guard let text = name ?? old else { return nil }
    guard let dialect = UpstreamProtocol.allCases.first(where: { $0.name == text }) else {
      let names = UpstreamProtocol.allCases.map(\.name).joined(separator: ", ")
      throw fields.fault(
        name == nil ? "apiType" : "protocol", "there is no such protocol",
        remedy: "Choose one of \(names).")
    }
    return dialect
  }

  /// Every how many seconds the accounts are tested; null: they are not.
  private static func healthCheck(
    _ fields: inout ObjectReader
  ) throws -> ObjectReader.Given<UInt32> {
    guard let value = fields.raw("healthCheck") else { return .absent }
    if value.isNull { return .null }
    guard value.members != nil else {
      throw fields.fault(
        "healthCheck", "healthCheck is \(value.typeName)",
        remedy: "Send {\"intervalSeconds\": 30}, or null for none.")
    }
    var inner = try ObjectReader(value, path: "healthCheck")
    let seconds = try inner.int("intervalSeconds", in: 5...86_400)
    try inner.finish()
    return .value(UInt32(seconds))
  }

  private static func changes(
    _ healthCheck: ObjectReader.Given<UInt32>, of id: ProviderID
  ) -> [Change] {
    switch healthCheck {
    case .absent: []
    case .null: [Change(.provider(.setHealthCheck(id, seconds: nil)))]
    case .value(let seconds): [Change(.provider(.setHealthCheck(id, seconds: seconds)))]
    }
  }

  private static func models(_ fields: inout ObjectReader) throws -> [ProviderModel]? {
    guard let readers = try fields.optionalObjects("models") else { return nil }
    return try readers.map { reader in
      var reader = reader
      let model = ProviderModel(
        name: try reader.string("name"), alias: try reader.optionalString("alias"))
      try reader.finish()
      return model
    }
  }

  private static func withoutSlashes(_ url: String) -> String {
    var url = url[...]
    while url.hasSuffix("/") { url.removeLast() }
    return String(url)
  }

  static func json(_ provider: Provider) -> JSONValue {
    [
      "id": JSONValue(provider.id.rawValue), "name": JSONValue(provider.name),
      "prefix": JSONValue(provider.prefix), "protocol": JSONValue(provider.dialect.name),
      "apiType": JSONValue(provider.dialect.name), "baseUrl": JSONValue(provider.baseURL),
      "models": .array(
        provider.models.map { model in
          ["name": JSONValue(model.name), "alias": JSONValue(model.alias)]
        }), "excludedModels": .array(provider.excludedModels.map { JSONValue($0) }),
      "healthCheck": provider.healthCheckSeconds.map { ["intervalSeconds": JSONValue($0)] }
        ?? .null,
      "oauth": provider.oauth?.json ?? .null, "isActive": JSONValue(provider.isEnabled),
      "createdAt": JSONValue(provider.createdAt),
      "updatedAt": JSONValue(provider.updatedAt), "revision": JSONValue(provider.revision),
    ]
  }
}

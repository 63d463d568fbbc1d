import Domain

// `/api/provider-nodes`.
extension Contract {
  static let listProviders = page(
    "nodes", of: .named(.provider),
    filters: [.filter("isActive", .bool), .filter("name", .text(1...512)), .search])
  static let addProvider = write(
    [
      .field("id", .identifier), .field("baseUrl", .baseURL),
      .optional("name", Schema.label(128).orNull), .optional("prefix", Schema.identifier.orNull),
      .optional("protocol", .dialect), .optional("apiType", .dialect),
      .optional("models", .models.orNull), .optional("excludedModels", .excludedModels.orNull),
      .optional("healthCheck", Schema.healthCheck.orNull),
    ], status: 201, [.field("node", .named(.provider))], errors: [.alreadyExists, .nameCollision])
  static let getProvider = read(
    [.field("node", .named(.provider))], revision: true, errors: [.unknownProvider])
  static let changeProvider = write(
    [
      .optional("name", .label(128)), .optional("baseUrl", .baseURL),
      .optional("prefix", .identifier), .optional("protocol", .dialect),
      .optional("apiType", .dialect), .optional("models", .models.orNull),
      .optional("excludedModels", .excludedModels.orNull),
      .optional("healthCheck", Schema.healthCheck.orNull), .optional("isActive", .bool),
    ], [.field("node", .named(.provider))], errors: [.unknownProvider, .nameCollision])
  static let removeProvider = removal(
    [.field("message", .string), .field("id", .identifier)],
    errors: [.unknownProvider, .providerInUse])
}

extension Schema {
  static let dialect = choice(UpstreamProtocol.allCases.map(\.name))
  static let models = array(
    of: .object([
      .field("name", .modelName),
      .optional("alias", Schema.modelName.orNull.described("What clients may write instead.")),
    ]), atMost: 2000)
  static let excludedModels = array(of: .modelName, atMost: 500)

  static let healthCheck = object([
    .field(
      "intervalSeconds",
      Schema.integer(5...86_400).described("Between tests of each enabled account."))
  ]).described("Regular tests of the provider's accounts; null: there are none.")

  static let provider = object(
    [
      .field("id", .identifier), .field("name", .string),
      .field("prefix", Schema.identifier.described("What clients write before the slash.")),
      .field("protocol", .dialect),
      .field("apiType", Schema.dialect.described("The same as `protocol`.")),
      .field("baseUrl", .string),
      .field(
        "models",
        .array(of: .object([.field("name", .string), .field("alias", .string.orNull)]))),
      .field("excludedModels", .array(of: .string)),
      .field("healthCheck", Schema.healthCheck.orNull), .field("isActive", .bool),
    ] + .history)
}

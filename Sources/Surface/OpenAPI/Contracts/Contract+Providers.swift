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
      .optional("healthCheck", Schema.healthCheck.orNull), .optional("oauth", Schema.oauth.orNull),
    ], status: 201, [.field("node", .named(.provider))], errors: [.alreadyExists, .nameCollision])
  static let getProvider = read(
    [.field("node", .named(.provider))], revision: true, errors: [.unknownProvider])
  static let changeProvider = write(
    [
      .optional("name", .label(128)), .optional("baseUrl", .baseURL),
      .optional("prefix", .identifier), .optional("protocol", .dialect),
      .optional("apiType", .dialect), .optional("models", .models.orNull),
      .optional("excludedModels", .excludedModels.orNull),
      .optional("healthCheck", Schema.healthCheck.orNull), .optional("oauth", Schema.oauth.orNull),
      .optional("isActive", .bool),
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

  private static let word = string(1...256, matching: "[!-~]{1,256}")

  static let oauth = object([
    .optional("kind", Schema.identifier.orNull), .field("tokenUrl", .baseURL),
    .optional("authorizeUrl", Schema.baseURL.orNull),
    .optional("deviceUrl", Schema.baseURL.orNull), .optional("revokeUrl", Schema.baseURL.orNull),
    .optional("userInfoUrl", Schema.baseURL.orNull),
    .field("clientId", word),
    .optional("clientSecret", Schema.credential.described("Left out: the one that is set stays.")),
    .optional("scopes", Schema.array(of: word, atMost: 64).orNull),
    .optional("encoding", Schema.choice(OAuthClient.Encoding.allCases.map(\.name)).orNull),
    .optional(
      "leadSeconds",
      Schema.integer(0...2_592_000).orNull.described("A token is refreshed so long before its end.")
    ),
    .optional("family", Schema.choice(["per-account", "per-client"]).orNull),
    .optional(
      "spacingSeconds",
      Schema.integer(0...3_600).orNull.described("Between two refreshes of a family.")),
  ]).described(
    "How the accounts' tokens are had and refreshed; http only to this machine. Null: they are not."
  )

  static let shownOAuth = object([
    .field("kind", .string), .field("tokenUrl", .string),
    .field("authorizeUrl", Schema.string.orNull), .field("deviceUrl", Schema.string.orNull),
    .field("revokeUrl", Schema.string.orNull), .field("userInfoUrl", Schema.string.orNull),
    .field("clientId", .string),
    .field("hasClientSecret", .bool), .field("scopes", .array(of: .string)),
    .field("encoding", .choice(OAuthClient.Encoding.allCases.map(\.name))),
    .field("leadSeconds", .count), .field("family", .choice(["per-account", "per-client"])),
    .field("spacingSeconds", .count),
  ])

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
      .field("healthCheck", Schema.healthCheck.orNull),
      .field("oauth", Schema.shownOAuth.orNull), .field("isActive", .bool),
    ] + .history)
}

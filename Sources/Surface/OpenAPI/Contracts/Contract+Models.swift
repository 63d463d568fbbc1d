// `/api/models`: what providers offer, configured and discovered.
extension Contract {
  static let listProviderModels = page(
    "models", of: .named(.providerModel),
    filters: [
      .filter("provider", .text(1...64)), .filter("isActive", .bool),
      .filter("source", .modelSource),
      .search,
    ])
  static let getProviderModel = read(
    [.field("model", .named(.providerModel))], revision: true, errors: [.unknownModel])
  static let changeProviderModel = write(
    [.field("isActive", .bool)], [.field("model", .named(.providerModel))],
    errors: [.unknownModel])
}

extension Schema {
  static let modelSource = choice(["configured", "discovered", "absent"]).described(
    "`absent`: switched off, and the provider does not name it any more.")

  static let providerModel = object([
    .field("id", .string.described("`provider/name`, as in this path.")),
    .field("provider", .identifier), .field("model", .string.described("The provider's own name.")),
    .field("fullModel", .string.described("`prefix/name`, as clients write it.")),
    .field("alias", .string.orNull.described("A second name at the provider.")),
    .field("aliases", Schema.array(of: .string).described("The gateway's aliases for it.")),
    .field("source", .modelSource), .field("isActive", .bool),
    .field("enabled", Schema.bool.described("The same as `isActive`.")),
    .field("excluded", Schema.bool.described("A pattern of the provider keeps it out.")),
    .field("offered", Schema.bool.described("Whether clients can ask for it now.")),
    .field("revision", .revision),
  ])
}

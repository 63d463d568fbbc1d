// `/api/keys`.
extension Contract {
  static let listKeys = page(
    "keys", of: .named(.key),
    filters: [
      .filter("organisation", .text(1...64)), .filter("status", .keyStatus),
      .filter("isActive", .bool), .filter("name", .text(1...512)), .search,
    ])
  static let createKey = write(
    [
      .field("name", .label(128)), .optional("organisation", .identifier),
      .optional("organization", Schema.identifier.described("The same as `organisation`.")),
      .optional(
        "diagnostics",
        Schema.bool.orNull.described("Answers name account and snapshot.").byDefault(false)),
      .optional("expiresAt", Schema.time.orNull.described("A time to come.")),
    ], status: 201,
    [.field("key", .string.described("The secret: shown this once."))] + Schema.keyFields,
    errors: [.alreadyExists, .keyExists, .unknownOrganisation])
  static let getKey = read([.field("key", .named(.key))], revision: true, errors: [.unknownKey])
  static let changeKey = write(
    [
      .optional("name", .label(128)), .optional("diagnostics", .bool),
      .optional("isActive", Schema.bool.described("false pauses the key.")),
    ], [.field("key", .named(.key))], errors: [.unknownKey, .notActive])
  static let revokeKey = write(nil, [.field("key", .named(.key))], errors: [.unknownKey])
}

extension Schema {
  static let key = object(keyFields)
  static let keyStatus = choice(["active", "paused", "revoked"])
  static let keyFields: [Field] =
    [
      .field("id", .identifier), .field("name", .string),
      .field("maskedKey", .string.described("Enough of the secret to know it by.")),
      .field("organisation", .identifier), .field("diagnostics", .bool), .field("isActive", .bool),
      .field("status", .keyStatus), .field("expiresAt", Schema.time.orNull),
    ] + .history
}

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
    ] + Schema.keyRights, status: 201,
    [.field("key", .string.described("The secret: shown this once."))] + Schema.keyFields,
    errors: [.alreadyExists, .keyExists, .unknownOrganisation, .unknownAccount])
  static let getKey = read([.field("key", .named(.key))], revision: true, errors: [.unknownKey])
  static let changeKey = write(
    [
      .optional("name", .label(128)),
      .optional(
        "organisation", Schema.identifier.described("As it is: a key keeps its organisation.")),
      .optional("organization", Schema.identifier.described("The same as `organisation`.")),
      .optional("diagnostics", .bool),
      .optional("isActive", Schema.bool.described("false pauses the key.")),
    ] + Schema.keyRights, [.field("key", .named(.key))],
    errors: [.unknownKey, .unknownAccount, .notActive])
  static let revokeKey = write(nil, [.field("key", .named(.key))], errors: [.unknownKey])
}

extension Schema {
  static let key = object(keyFields)
  static let keyStatus = choice(["active", "paused", "revoked"])
  static let keyFields: [Field] =
    [
      .field("id", .identifier), .field("name", .string),
      .field("maskedKey", .string.described("Enough of the secret to know it by.")),
      .field("organisation", .identifier),
      .field(
        "organisationIsActive",
        Schema.bool.described("false: the organisation is paused, so the key is not let in.")),
      .field("diagnostics", .bool), .field("isActive", .bool), .field("status", .keyStatus),
      .field("allowedModels", .array(of: .string).described("Empty: all.")),
      .field("allowedAccounts", .array(of: .identifier).described("Empty: all.")),
      .field("limits", .shownLimits), .field("budgets", .array(of: .shownBudget)),
      .field("usage", .limitUsage),
      .field("expiresAt", Schema.time.orNull),
    ] + .history

  /// Where a key leads, how far and for how long.
  static let keyRights: [Field] = [
    .optional(
      "allowedModels",
      .array(of: .modelName, atMost: 500).described(
        "Names, or wildcards with `*` over them; empty: all.")),
    .optional(
      "allowedAccounts",
      .array(of: .text(1...256), atMost: 500).described(
        "Accounts' ids, or names where unique; empty: all.")),
    .optional("expiresAt", Schema.time.orNull.described("A time to come; null: never.")),
    .optional("limits", .limits), .optional("budgets", .budgets),
  ]
}

// `/api/sync/tokens`.
extension Contract {
  static let listSyncTokens = page(
    "tokens", of: .object(Schema.syncTokenFields), filters: [.filter("isActive", .bool)])
  static let issueSyncToken = write(
    [.field("name", .label(128))], status: 201,
    [
      .field(
        "token",
        .string.described(
          "The secret, to be set as the other node's `cloudToken`: shown this once."))
    ] + Schema.syncTokenFields)
  static let revokeSyncToken = write(
    nil, [.field("token", .object(Schema.syncTokenFields))], errors: [.unknownSyncToken])
}

extension Schema {
  fileprivate static let syncTokenFields: [Field] =
    [
      .field("id", .identifier), .field("name", .string), .field("isActive", .bool),
      .field(
        "lastUsedAt",
        Schema.time.orNull.described("null: by nobody since the gateway started.")),
      .field("revokedAt", Schema.time.orNull.described("null: it is accepted.")),
    ] + .history
}

// `/api/sync/tokens`.
extension Contract {
  static let listSyncTokens = page(
    "tokens", of: .object(Schema.syncTokenFields), filters: [.filter("isActive", .bool)])
  static let issueSyncToken = write(
    [
      .field("name", .label(128)),
      .optional(
        "node",
        Schema.string(1...64, matching: "[!-~]{1,64}").described(
          "The node that it is made for; absent: it is the first one's who comes with it.")),
    ], status: 201,
    [
      .field(
        "token",
        .string.described(
          "The secret, to be set as the other node's `cloudToken`: shown this once."))
    ] + Schema.syncTokenFields)
  static let revokeSyncToken = write(
    nil, [.field("token", .object(Schema.syncTokenFields))], errors: [.unknownSyncToken])
  static let forgetSyncPeer = removal(
    [.field("peer", .string), .field("revokedTokens", .array(of: .identifier))],
    errors: [.unknownSyncPeer, .syncPeerInUse])
}

extension Schema {
  fileprivate static let syncTokenFields: [Field] =
    [
      .field("id", .identifier), .field("name", .string),
      .field(
        "node",
        Schema.string.orNull.described(
          "Whose it is: what others say under it is refused. null: the first one's who comes with it."
        )),
      .field("isActive", .bool),
      .field(
        "lastUsedAt",
        Schema.time.orNull.described(
          "Since the gateway started; of before that, when it last brought something. null: neither."
        )),
      .field(
        "lastRefusal",
        Schema.object([.field("node", .string), .field("code", .string), .field("at", .time)])
          .orNull.described("Somebody else who had it: the name given, and when that was noted.")),
      .field("revokedAt", Schema.time.orNull.described("null: it is accepted.")),
    ] + .history
}

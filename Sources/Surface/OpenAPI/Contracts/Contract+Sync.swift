// `/api/sync/cloud` and `/api/sync/exchange`.
extension Contract {
  static let getSync = read([
    .field("enabled", Schema.bool.described("Exchanges follow by themselves.")),
    .field("connected", Schema.bool.described("The last one came to its end.")),
    .field("configured", Schema.bool.described("`cloudUrl` and `cloudToken` are set.")),
    .field("cloudUrl", .string.orNull), .field("cloudProtocol", .string.orNull),
    .field(
      "credentials",
      Schema.choice(["sealed", "bare", "none"]).orNull.described(
        "How they go there: sealed between nodes, whatever `syncSecrets` says; else as they are with it, and not without. null: not configured."
      )),
    .field("node", Schema.string.orNull.described("This node's own name.")),
    .field("lastSync", Schema.time.orNull),
    .field(
      "withheld",
      Schema.array(of: syncDrift).described(
        "What nodes agree on and cannot be so here, whichever of them told it.")),
    .field(
      "awaited",
      Schema.array(of: syncDrift).described(
        "Credentials that wait for the node that refreshes them.")),
    .field(
      "peers",
      .array(
        of: .object([
          .field("peer", .string),
          .field("url", Schema.string.orNull.described("null: it comes here.")),
          .field("enabled", .bool),
          .field(
            "owesRemoval", Schema.bool.described("It did not confirm that it keeps nothing.")),
          .field("lastSync", Schema.time.orNull), .field("receivedAt", Schema.time.orNull),
          .field("pushedAt", Schema.time.orNull),
          .field("drift", .array(of: syncDrift)),
          .field("conflicts", .count), .field("waiting", .count),
          .field(
            "failure",
            Schema.object([
              .field("action", .string), .field("code", .string), .field("since", .time),
              .optional(
                "stream", Schema.string.described("The resource that stands in the way.")),
              .optional("field", .string),
              .optional("told", Schema.count.described("Resources told of in that exchange.")),
              .optional("before", Schema.count.described("The most in one before.")),
            ]).orNull),
        ]))),
  ])

  private static let syncDrift = Schema.object([
    .field("stream", .string),
    .field("field", Schema.string.described("Empty: the whole resource.")),
    .field("ours", .any), .field("theirs", .any), .field("rule", .string),
    .field("why", .string), .field("since", Schema.time.orNull),
  ])

  static let actOnSync = Contract(
    body: .object([
      .field("action", .choice(["enable", "sync", "disable", "check"])),
      .optional("machineId", .any),
    ]),
    answers: [
      .ok(
        .object([
          .field("success", .constant(true)), .field("message", .string),
          .optional(
            "changes",
            .object([
              .field("updated", .array(of: .string)), .field("fromWorker", .array(of: .string)),
            ])),
          .optional("peer", .string),
          .optional(
            "exchange", Schema.uuid.orNull.described("null: both sides held the same.")),
          .optional("decisions", .count), .optional("conflicts", .count),
          .optional("withheld", .count), .optional("waiting", .count),
          .optional("verified", .bool),
          .optional(
            "copyRemoved",
            Schema.bool.described(
              "It keeps no copy. A node is no copy: it keeps what it has, and this is false.")),
          .optional("told", Schema.bool.described("It confirmed that it knows.")),
          .optional(
            "untold",
            Schema.array(of: .object([.field("peer", .string), .field("url", .string)]))
              .described("Left without a word, for `cloudUrl` leads elsewhere by now.")),
        ]))
    ], errors: [.syncNotConfigured, .syncFailed, .gatewayNotRunning, .overloaded])

  static let greetSync = Contract(
    body: .object(author + [.field("nonce", drawn)]),
    answers: [
      .ok(
        .object([
          .field("version", .constant(1)), .field("node", .string), .field("challenge", drawn),
          .field("documents", .integer(1...255)),
        ]))
    ], errors: [.gatewayNotRunning])

  static let exchangeSync = Contract(
    body: .object(author + [.field("challenge", drawn), .field("sealed", .string)]),
    answers: [.ok(.object([.field("sealed", .string)]))],
    errors: [
      .syncUnauthorized, .syncChallengeOver, .syncRefused, .recordingUnavailable,
      .gatewayNotRunning,
    ])

  private static let author: [Schema.Field] = [
    .field("version", .integer(1...1)),
    .field(
      "token",
      Schema.string(1...64, matching: "[!-~]{1,64}").described("The public part of the sync token.")
    ),
    .field("node", .string(1...64, matching: "[!-~]{1,64}")),
  ]

  private static let drawn = Schema.string(43...43, matching: "[A-Za-z0-9_-]{43}").described(
    "32 random bytes as base64url.")
}

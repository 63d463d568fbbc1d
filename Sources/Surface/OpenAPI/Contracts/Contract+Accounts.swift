// `/api/providers`.
extension Contract {
  static let listAccounts = page(
    "connections", of: .named(.account),
    filters: [
      .filter("provider", .text(1...64)), .filter("isActive", .bool),
      .filter("name", .text(1...256)), .filter("testStatus", .testStatus),
      .filter("degraded", .bool), .search,
    ])
  static let addAccount = write(
    [
      .field("provider", .identifier), .field("name", .label(64)), .field("apiKey", .credential),
      .optional("priority", .priority.orNull), .optional("weight", .weight.orNull),
    ], status: 201, [.field("connection", .named(.account))],
    errors: [.unknownProvider, .alreadyExists, .nameCollision, .sampleKey])
  static let getAccount = read(
    [.field("connection", .named(.account))], revision: true, errors: [.unknownAccount])
  static let changeAccount = write(
    [
      .optional("name", .label(64)), .optional("priority", .priority),
      .optional("weight", .weight), .optional("isActive", .bool),
      .optional("apiKey", .credential),
      .optional(
        "expiresAt",
        Schema.time.orNull.described("When the credential stops working; null: not known.")),
      .optional("testStatus", .testStatus),
      .optional(
        "rateLimitedUntil",
        Schema.time.orNull.described(
          "No request goes there before; at most 366 days ahead. Null ends every cooldown.")),
      .optional(
        "lastError",
        Schema.object([.field("code", .errorWord), .optional("type", .errorType)]).orNull.described(
          "Null clears it.")
      ), .optional("errorCode", Schema.integer(100...599).orNull),
    ], [.field("connection", .named(.account))],
    errors: [.unknownAccount, .nameCollision, .sampleKey])
  static let issueCredential = write(
    [
      .field("accessToken", .token), .optional("refreshToken", .token),
      .optional("idToken", .token),
      .optional("expiresAt", Schema.time.orNull.described("Null: not known.")),
      .optional(
        "expiresIn",
        Schema.integer(1...315_360_000).orNull.described("Seconds from now, in place of expiresAt.")
      ),
    ], [.field("connection", .named(.account))],
    errors: [.unknownAccount, .sampleKey, .tokenGivenUp])
  static let refreshCredential = Contract(
    body: .object([]), bodyIsOptional: true,
    answers: [.ok(.object([.field("connection", .named(.account))]), revision: true)],
    errors: [
      .unknownAccount, .notRefreshable, .refreshInProgress, .refreshWaits, .refreshFailed,
      .gatewayNotRunning,
    ], honoursIfMatch: true)
  static let releaseCredential = Contract(
    body: .object([]), bodyIsOptional: true,
    answers: [.ok(.object([.field("connection", .named(.account))]), revision: true)],
    errors: [.unknownAccount, .refreshInProgress], honoursIfMatch: true)
  static let moveCredential = Contract(
    body: .object([
      .optional(
        "node", Schema.string(1...64, matching: "[!-~]{1,64}").orNull.described("Else this one.")),
      .optional(
        "force",
        Schema.bool.orNull.described("Also where another node is its home: that is gone for good.")),
    ]), bodyIsOptional: true,
    answers: [.ok(.object([.field("connection", .named(.account))]), revision: true)],
    errors: [.unknownAccount, .notRefreshable, .refreshInProgress, .notHome], honoursIfMatch: true)
  static let removeAccount = removal(
    [.field("message", .string), .field("id", .identifier)], errors: [.unknownAccount])
}

extension Schema {
  /// An access token or a refresh token as it is sent.
  static let token = string(1...16_384, matching: "[!-~]{1,16384}")

  static let heldCredential = object([
    .field("kind", .choice(["api_key", "token", "oauth"])), .field("generation", .count),
    .field("homeEpoch", .count.described("Grows when another node becomes its home.")),
    .field("home", .string.orNull.described("The only node that refreshes it.")),
    .field("isHome", .bool.described("This node is that.")), .field("canRefresh", .bool),
    .field("standing", .choice(["usable", "uncertain", "reauth_required"])),
    .field("reason", .string.orNull.described("Why it is not usable, as a short word.")),
    .field("remedy", .string.orNull.described("What may be done; null: nothing has to be.")),
    .field("attempt", Schema.count.orNull.described("Position of the refresh that made it so.")),
    .field("expiresAt", Schema.time.orNull.described("Null: not known.")),
    .field("refreshing", .bool), .field("nextRefreshAt", Schema.time.orNull),
    .field("failures", .count.described("Refreshes that failed in a row.")),
    .field(
      "lastFailure", Schema.object([.field("code", .string), .field("at", .time)]).orNull),
  ])

  static let account = object(
    [
      .field("id", .identifier), .field("provider", .identifier), .field("name", .string),
      .field("authType", .choice(["apikey", "access_token", "oauth"])),
      .field("priority", .priority),
      .field("weight", .weight), .field("isActive", .bool), .field("testStatus", .testStatus),
      .field(
        "rateLimitedUntil", Schema.time.orNull.described("Null: the account does not cool.")),
      .field(
        "modelCooldowns",
        Schema.map(of: .time).described("Models of it that cool, by the provider's own name.")),
      .field("cooldowns", .cooldowns), .field("lastError", Schema.lastError.orNull),
      .field("errorCode", Schema.integer.orNull.described("Upstream's status of that error.")),
      .field("lastErrorAt", Schema.time.orNull), .field("lastTested", Schema.time.orNull),
      .field("latencyMs", Schema.count.orNull.described("Of the last test.")),
      .field(
        "degraded",
        Schema.object([.field("reason", .string), .field("since", .time)]).orNull.described(
          "An operator took it out; only an operator puts it back.")),
      .field("credential", .heldCredential),
      .field("expiresAt", Schema.time.orNull.described("Of the credential; null: not known.")),
      .field("hasCredential", .bool),
      .field("credentialGeneration", .count.described("How many credentials the account has had.")),
      .field("fingerprint", .string.orNull.described("By which the credential is known in logs.")),
    ] + .history)
}

// `/api/replay/state`: the document that `replay state --json` prints.
extension Contract {
  static let replayState = Contract(
    query: [
      .moment("at", "The moment, inclusive; the log's end if it is left out."),
      .init(
        name: "part",
        schema: .choice([
          "providers", "accounts", "aliases", "combos", "policies", "organisations", "keys",
          "settings", "pricing", "usage",
        ]), note: "Only one part of it."),
    ],
    answers: [
      .report(
        "state",
        [
          .field("log", .logCoverage), .field("at", Schema.place.orNull),
          .field("time", Schema.time.orNull), .field("gaps", .array(of: .logGap)),
          .field(
            "openGap",
            Schema.count.orNull.described("Since where requests are not recorded; null: they are.")
          ), .field("unreadable", .count), .field("unknown", .count),
          .optional("providers", .array(of: .stateProvider)),
          .optional("accounts", .array(of: .stateAccount)),
          .optional(
            "aliases",
            .stateList([
              .field("name", .string), .field("target", .string), .field("isUnresolved", .bool),
            ])),
          .optional(
            "combos",
            .stateList([
              .field("name", .string), .field("models", .array(of: .string)),
              .field("isUnresolved", .bool),
            ])),
          .optional(
            "policies",
            .stateList([
              .field("organisation", .string), .field("model", .string),
              .field(
                "accounts",
                .array(of: .object([.field("account", .string), .field("weight", .count)]))),
              .field("failoverThreshold", .count), .field("isUnresolved", .bool),
            ])),
          .optional(
            "organisations",
            .stateList([
              .field("id", .string), .field("name", .string), .field("isPaused", .bool),
              .field("limits", .stateLimits), .field("budgets", .array(of: .stateBudget)),
            ])), .optional("keys", .array(of: .stateKey)),
          .optional("settings", .stateSettings), .optional("pricing", .statePricing),
          .optional(
            "usage", Schema.stateUsage.orNull.described("null: a bundle does not tell it.")),
        ], note: "What was known, by its parts")
    ], errors: [.notFound, .logUnreadable, .overloaded])
}

extension Schema {
  private static let stateTail: [Field] = [
    .field("revision", .count), .field("createdAt", .time), .field("updatedAt", .time),
    .field("lastChange", Schema.streamChange.orNull),
  ]

  fileprivate static func stateList(_ fields: [Field]) -> Schema {
    .array(of: .object(fields + stateTail))
  }

  fileprivate static let stateProvider = object(
    [
      .field("id", .string), .field("name", .string), .field("isEnabled", .bool),
      .field("protocol", .string), .field("baseUrl", .string), .field("prefix", .string),
      .field(
        "models",
        .array(of: .object([.field("name", .string), .field("alias", Schema.string.orNull)]))),
      .field("excludedModels", .array(of: .string)), .field("disabledModels", .array(of: .string)),
      .field("discoveredModels", .array(of: .string)),
      .field("healthCheckSeconds", Schema.count.orNull.described("null: accounts are not tested.")),
    ] + stateTail)

  fileprivate static let stateAccount = object(
    [
      .field("id", .string), .field("provider", .string), .field("name", .string),
      .field("isEnabled", .bool), .field("priority", .count), .field("weight", .count),
      .field("credentialGeneration", .count),
      .field("credentialFingerprint", Schema.string.orNull),
      .field("credentialStanding", .choice(["usable", "uncertain", "reauth_required"])),
      .field("credentialExpiresAt", Schema.time.orNull),
      .field("credentialLastChange", Schema.streamChange.orNull),
      .field(
        "degraded", Schema.string.orNull.described("An operator's reason; null: not degraded.")),
      .field("health", stateHealth.orNull.described("null: nothing is known.")),
    ] + stateTail)

  private static let stateHealth = object([
    .field("testStatus", .choice(["unknown", "active", "unavailable", "error"])),
    .field(
      "cooldowns",
      .array(
        of: .object([
          .field("model", Schema.string.orNull.described("null: the whole account.")),
          .field("rule", .string), .field("since", .time), .field("until", .time),
          .field("isOver", Schema.bool.described("Its time was over at the document's `time`.")),
          .field("level", .count),
        ]))), .field("consecutiveErrors", .count),
    .field(
      "lastError",
      object([
        .field("status", Schema.count.orNull), .field("class", Schema.string.orNull),
        .field("code", Schema.string.orNull), .field("at", .time),
      ]).orNull), .field("testedAt", Schema.time.orNull), .field("quirks", .array(of: .string)),
    .field("lastChange", Schema.streamChange.orNull),
  ])

  fileprivate static let stateKey = object(
    [
      .field("id", .string), .field("name", .string),
      .field("status", .choice(["active", "paused", "revoked"])), .field("organisation", .string),
      .field("masked", .string), .field("fingerprint", .string), .field("diagnostics", .bool),
      .field("expiresAt", Schema.time.orNull),
      .field("allowedModels", Schema.array(of: .string).described("Empty: all.")),
      .field("allowedAccounts", Schema.array(of: .string).described("Empty: all.")),
      .field("limits", .stateLimits), .field("budgets", .array(of: .stateBudget)),
    ] + stateTail)

  fileprivate static let stateLimits = object(
    ["rps", "burst", "rpm", "tpm", "concurrency"].map { .field($0, .count) }
  ).described("0: no limit.")

  fileprivate static let stateBudget = object([
    .field("period", .choice(["day", "month"])), .field("timezone", .string),
    .field("microUsd", Schema.count.orNull), .field("tokens", Schema.count.orNull),
  ])

  fileprivate static let stateSettings = object(
    [
      .field("fallbackStrategy", .string), .field("requireApiKey", .bool),
      .field("forceModelPrefix", .bool), .field("maxBodyBytes", .count),
      .field("stickyRoundRobinLimit", .count), .field("maxAttempts", .count),
      .field("requestTimeoutSeconds", .count), .field("trustedProxies", .array(of: .string)),
      .field("cloudUrl", Schema.string.orNull), .field("cloudProtocol", .syncProtocol),
      .field("cloudToken", Schema.string.orNull.described("Its fingerprint.")),
      .field("machineId", Schema.string.orNull), .field("syncSecrets", .bool),
      .field("syncIntervalSeconds", .syncInterval),
      .field("isAdminPasswordSet", .bool),
      .field("adminPasswordLastChange", Schema.streamChange.orNull),
    ] + stateTail)

  fileprivate static let statePricing = object(
    [
      .field(
        "models",
        .array(
          of: .object([
            .field("provider", .string), .field("model", .string),
            .field("inputMicroUsd", Schema.count.described("For a million tokens.")),
            .field("outputMicroUsd", .count),
            .field("cachedMicroUsd", Schema.count.orNull.described("null: as input.")),
            .field("reasoningMicroUsd", Schema.count.orNull.described("null: as output.")),
            .field("cacheCreationMicroUsd", Schema.count.orNull.described("null: as input.")),
          ])))
    ] + stateTail)

  fileprivate static let stateUsage = object([
    .field("underWay", Schema.count.described("Requests dispatched and not ended.")),
    .field(
      "spent",
      .array(
        of: .object([
          .field("organisation", Schema.string.orNull), .field("key", Schema.string.orNull),
          .field("period", .choice(["day", "month"])), .field("start", .time),
          .field("end", .time),
          .field("isOver", Schema.bool.described("It was over at the document's `time`.")),
          .field("microUsd", .count), .field("tokens", .count),
          .field("budget", Schema.stateBudget.orNull),
        ]))),
  ])
}

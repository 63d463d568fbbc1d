import Domain

// The tests, cooldowns and degradation of accounts, which the API Router's runbooks call backends.
extension Contract {
  static let testAccount = Contract(
    body: .object([
      .optional(
        "model",
        Schema.modelName.orNull.described("By the provider's own name; else the first offered."))
    ]), bodyIsOptional: true, answers: [.ok(.named(.accountTest))],
    errors: [.unknownAccount, .gatewayNotRunning], honoursIfMatch: true)
  static let endCooldown = Contract(
    answers: [
      .ok(
        .object([
          .field("connection", .named(.account)),
          .field("ended", Schema.bool.described("Whether there was one.")),
        ]), revision: true)
    ], errors: [.unknownAccount], honoursIfMatch: true)
  static let discoverModels = Contract(
    answers: [
      .ok(
        .object([
          .field("success", .bool), .field("provider", .identifier),
          .field("models", .array(of: .string, atMost: 2000)),
          .field("added", .array(of: .string, atMost: 2000)),
          .field("removed", .array(of: .string, atMost: 2000)),
          .field("skipped", Schema.count.described("Entries that cannot be a model's name.")),
          .field("latencyMs", .count), .field("discoveredAt", .time),
        ]))
    ], errors: [.unknownAccount, .discoveryFailed, .gatewayNotRunning], honoursIfMatch: true)

  static let listBackends = page(
    "backends", of: .named(.backend),
    filters: [
      .filter("provider", .text(1...64)), .filter("health_status", .backendStatus), .search,
    ],
    also: [.field("count", Schema.count.described("Of all pages."))])
  static let getBackendHealth = read(
    Schema.backendFields + [.field("status", .backendStatus), .optional("last_error", .lastError)],
    revision: true, errors: [.unknownAccount])
  static let degradeBackend = Contract(
    body: .object([
      .optional("reason", Schema.label(256).orNull.described("What the next operator should know."))
    ]), bodyIsOptional: true,
    answers: [
      .ok(
        .object([
          .field("backend_id", .identifier), .field("status", .choice(["degraded"])),
          .field("reason", .string), .field("updated_at", .time),
        ]), revision: true)
    ], errors: [.unknownAccount], honoursIfMatch: true)
  static let restoreBackend = Contract(
    answers: [
      .ok(
        .object([
          .field("backend_id", .identifier), .field("status", .backendStatus),
          .field("updated_at", .time),
          .field(
            "probe",
            Schema.anyOf([.named(.accountTest), .constant(.null)]).described(
              "What a test found after the account was put back; null: none could be made.")),
        ]), revision: true)
    ], errors: [.unknownAccount], honoursIfMatch: true)
}

extension Schema {
  static let testStatus = choice(TestStatus.allCases.map(\.name))
  static let backendStatus = choice(["healthy", "degraded", "unhealthy", "unknown"])
  /// A stable code such as `status_429`.
  static let errorWord = string(1...64, matching: "[a-z0-9_]{1,64}")

  static let errorType = choice(ErrorClass.allCases.map(\.name)).orNull.described(
    "Whose fault it was; found by a call, so that a change can only repeat it.")

  static let lastError = object([
    .field("code", .string.orNull), .field("type", .errorType),
  ])

  static let accountTest = object([
    .field("valid", .bool),
    .field("error", .string.orNull.described("One sentence of the gateway's own.")),
    .field("errorCode", .string.orNull.described("A stable code such as `status_401`.")),
    .field(
      "errorClass", choice(ErrorClass.allCases.map(\.name)).orNull.described("Whose fault it is.")),
    .field("refreshed", Schema.bool.described("Whether the credential was renewed for it.")),
    .field("latencyMs", .count), .field("status", Schema.integer.orNull.described("Upstream's.")),
    .field("model", .string.orNull), .field("testedAt", .time),
    .field("cooldownEnded", .bool), .field("degraded", .bool),
  ])

  static let backend = object(backendFields)
  static let backendFields: [Field] = [
    .field("backend_id", .identifier), .field("name", .string), .field("provider", .identifier),
    .field("uri", .string), .field("timeout_ms", .count),
    .field("health_status", .backendStatus), .field("last_check", Schema.time.orNull),
    .field("consecutive_errors", .count), .field("latency_ms", Schema.count.orNull),
    .field("reason", .string.orNull.described("Why it was degraded.")),
    .field("degraded_since", Schema.time.orNull),
    .field("rate_limited_until", Schema.time.orNull), .field("cooldowns", .cooldowns),
  ]

  static let cooldowns = array(
    of: .object([
      .field(
        "model",
        Schema.string.orNull.described("By the provider's own name; null: the whole account.")),
      .field("rule", Schema.errorWord.described("What asked for it, as `rate_limited`.")),
      .field("until", .time), .field("since", .time),
      .field("level", Schema.count.described("How many in a row came before it.")),
      .field(
        "halfOpen",
        Schema.bool.described(
          "Its time is over and nothing has shown yet that the account serves: one request at a "
            + "time goes there.")),
    ]), atMost: 2001)
}

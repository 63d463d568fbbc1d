import Domain

// What the log says of requests.
extension Contract {
  static let auditRequest = Contract(
    query: [
      .init(
        name: "proof", schema: Schema.bool.byDefault(false),
        note: "`true`: with the document that `replay check-proof` takes.")
    ],
    answers: [
      .ok(
        .object(
          Schema.requestFields + [
            .field("occurrences", .count), .field("hasMore", .bool),
            .field(
              "others",
              .array(
                of: .object([.field("requestId", .uuid), .field("receivedAt", Schema.time.orNull)]),
                atMost: 100)),
            .optional(
              "proof",
              .string.described(
                "A document, as text, that shows the request's events to be in the log unchanged.")),
          ]))
    ], errors: [.notFound, .logUnreadable])
  static let usageLogs = Contract(
    query: listed(200, "The most requests, newest first.") + requestFilters + [
      .init(
        name: "format", schema: Schema.choice(["json", "text"]).byDefault("json"),
        note: "`text`: lines as 9router writes them.")
    ],
    answers: [
      .init(
        status: 200, note: "The newest requests",
        schema: .anyOf([
          .object([
            .field("logs", .array(of: .requestRow)), .field("complete", .bool),
            .field("scannedTo", Schema.place.orNull), .next,
          ]), .array(of: .string),
        ]), headers: [.complete, .scannedTo, .next])
    ], errors: listErrors)

  static let routingDecisions = Contract(
    query: listed(100, "The most requests whose decisions are shown, newest first.")
      + requestFilters + [
        .init(
          name: "decision_type",
          schema: .choice(["PRIMARY", "FAILOVER", "OVERRIDE", "RATE_LIMIT", "NONE"]),
          note: "`OVERRIDE`: the request was bound to the account; `NONE`: refused before a choice."
        )
      ],
    answers: [
      .ok(
        .object([
          .field("decisions", .array(of: .decision)), .field("count", .count),
          .field("complete", .bool), .field("scannedTo", Schema.place.orNull), .next,
        ]))
    ], errors: listErrors)

  static let usageHistory = Contract(
    query: [
      span("since", "Only requests that came at or after; rounded down to the hour."),
      span("until", "Only requests that came before; rounded up to the hour."),
    ],
    answers: [
      .ok(
        .object(
          [
            "totalRequests", "totalPromptTokens", "totalCompletionTokens", "completed", "failed",
            "denied", "hungUp", "interrupted", "undelivered", "deniedBeyondCounting", "withTokens",
            "withPrice",
          ].map { .field($0, .count) } + [.field("totalCost", .measured)]
            + ["byProvider", "byModel", "byAccount", "byApiKey", "byEndpoint"].map {
              .field($0, .map(of: .usageGroup))
            } + [
              .field("last10Minutes", .array(of: .object(Schema.usageSums), atMost: 10)),
              .field(
                "pending",
                .object([
                  .field("byModel", .map(of: .count)), .field("byAccount", .map(of: .count)),
                ])),
              .field(
                "activeRequests",
                .array(
                  of: .object([
                    .field("model", .string), .field("provider", .string.orNull),
                    .field("account", .string.orNull), .field("count", .count),
                  ]))),
              .field(
                "recentRequests",
                .array(
                  of: .object([
                    .field("requestId", .uuid), .field("timestamp", Schema.time.orNull),
                    .field("model", .string.orNull), .field("provider", .string.orNull),
                    .field("promptTokens", Schema.count.orNull),
                    .field("completionTokens", Schema.count.orNull),
                    .field("status", Schema.integer.orNull),
                  ]), atMost: 20)),
              .field("position", .count.described("The last event counted.")),
              .field(
                "lag", .count.described("Events acknowledged before the call and not counted yet.")),
            ]))
    ], errors: viewErrors)

  static let providerMetrics = Contract(
    query: [
      .init(
        name: "window", schema: .string(2...5, matching: "[0-9]{1,4}[mh]").byDefault("10m"),
        note: "Minutes or hours up to now, at most 24h; the running minute counts.")
    ],
    answers: [
      .ok(
        .map(
          of: .object([
            .field("request_count", .count), .field("success_count", .count),
            .field("failure_count", .count), .field("success_rate", Schema.measured.orNull),
            .field("total_tokens", .count), .field("cost_usd", .measured),
            .field("latency_p50_ms", Schema.measured.orNull),
            .field("latency_p95_ms", Schema.measured.orNull),
            .field(
              "statuses",
              .map(of: .count).described("By upstream's status; `none`: no answer came.")),
          ])),
        note: "By provider; a call to one that failed counts there, whoever answered in the end",
        headers: [.position, .lag])
    ], errors: viewErrors)

  private static let viewErrors: [ErrorCode] = [.viewsUnavailable, .gatewayNotRunning]
  private static let listErrors: [ErrorCode] = [.unknownAccount, .unknownKey, .unknownProvider]

  private static func listed(_ standard: Int, _ note: String) -> [Parameter] {
    [
      .init(
        name: "limit", schema: Schema.integer(1...1000).byDefault(JSONValue(standard)), note: note),
      .init(name: "after", schema: .text(1...4096), note: "`next` of the page before."),
    ]
  }

  private static func span(_ name: String, _ note: String) -> Parameter {
    .init(
      name: name, schema: .text(1...64).example("2026-11-20T14:00:00Z"),
      note: note + " RFC 3339, or so long ago as in `-15m`.")
  }

  private static let requestFilters: [Parameter] = [
    .init(
      name: "account", schema: .text(1...128),
      note: "Any account that was asked: its id or its name."),
    .init(
      name: "backend_id", schema: .text(1...128), note: "The same under the API Router's name."),
    .filter("provider", .identifier),
    .init(
      name: "model", schema: .text(1...256),
      note: "As the client asked for it, as the provider has it, or `provider/model`."),
    .init(name: "key", schema: .text(1...128), note: "A key's id or its name."),
    .filter("organisation", .identifier), .filter("organization", .identifier),
    .filter("organization_id", .identifier),
    .init(
      name: "status", schema: .string(3...3, matching: "[1-5]([0-9]{2}|xx)"),
      note: "What the client got: a status, or a class like `4xx`."),
    .filter(
      "outcome",
      .choice(["in_flight", "delivery_failed", "interrupted"] + Ending.allCases.map(\.name))),
    .filter("errorClass", .choice(ErrorClass.allCases.map(\.name))),
    span("since", "Only what ended at or after."), span("until", "Only what ended before."),
  ]
}

extension Schema {
  /// With at most six decimals.
  fileprivate static let measured = amount(0...UInt64(Int64.max))

  fileprivate static let usageSums: [Field] = [
    .field("requests", .count), .field("promptTokens", .count), .field("completionTokens", .count),
    .field("cost", .measured),
  ]

  fileprivate static let usageGroup = object(
    usageSums + [
      .field("failed", .count), .field("lastUsed", Schema.time.orNull),
      .field("rawModel", .string.orNull), .field("provider", .string.orNull),
      .optional("connectionId", .string), .optional("accountName", .string),
      .optional("keyId", .string), .optional("keyName", .string.orNull),
      .optional("organisation", .string.orNull), .optional("endpoint", .string),
    ])

  fileprivate static let decision = object([
    .field("decision_id", .string), .field("request_id", .string), .field("requestId", .uuid),
    .field("organization_id", .string.orNull), .field("model", .string),
    .field("model_resolved", .string.orNull), .field("backend_id", .string.orNull),
    .field("backend", .string.orNull), .field("provider", .string.orNull),
    .field("decision_type", .choice(["PRIMARY", "FAILOVER", "OVERRIDE", "RATE_LIMIT", "NONE"])),
    .field("reason", .string.orNull.described("The rule that chose, or the code of the refusal.")),
    .field("attempt_number", .count),
    .field(
      "policy_version", Schema.count.orNull.described("Position of the view that it was made by.")),
    .field("timestamp", .time), .field("status", .integer.orNull),
    .field("error_class", errorClass),
    .field("error_code", .string.orNull), .field("position", .place),
  ])

  private static let errorClass = choice(ErrorClass.allCases.map(\.name)).orNull
  private static let outcome = choice(
    ["unknown", "in_flight", "delivery_failed", "interrupted"] + Ending.allCases.map(\.name))

  fileprivate static let requestRow = object([
    .field("requestId", .uuid), .field("timestamp", Schema.time.orNull),
    .field("model", .string.orNull), .field("modelResolved", .string.orNull),
    .field("provider", .string.orNull), .field("accountId", .string.orNull),
    .field("account", .string.orNull), .field("organisation", .string.orNull),
    .field("keyId", .string.orNull), .field("tokensInput", Schema.count.orNull),
    .field("tokensOutput", Schema.count.orNull), .field("status", .integer.orNull),
    .field("outcome", outcome), .field("errorCode", .string.orNull),
    .field("totalMicroseconds", Schema.count.orNull), .field("position", .place),
  ])

  /// Everything that the log has of one request; the optional ones come with its end.
  fileprivate static let requestFields: [Field] = [
    .field("request_id", .string.described("The client's own id, else the gateway's.")),
    .field("requestId", .uuid), .field("clientRequestId", .string.orNull),
    .field("organisation", .string.orNull), .field("organization_id", .string.orNull),
    .field("keyId", .string.orNull), .field("outcome", outcome),
    .field("operation", .string.orNull), .field("modelAsked", .string.orNull),
    .field("modelResolved", .string.orNull), .field("receivedAt", Schema.time.orNull),
    .optional("stream", .bool), .optional("status", .integer),
    .optional("errorCode", .string.orNull), .optional("errorClass", errorClass),
    .optional(
      "tokens",
      .object([
        .field("input", Schema.count.orNull), .field("output", Schema.count.orNull),
        .field("cached", Schema.count.orNull), .field("reasoning", Schema.count.orNull),
      ])), .optional("tokens_input", Schema.count.orNull),
    .optional("tokens_output", Schema.count.orNull),
    .optional("costMicroUsd", Schema.integer.orNull),
    .optional("traceId", .string.described("The client's trace, else the request's own.")),
    .optional("spanId", .string.described("What an OpenTelemetry collector is told of it.")),
    .optional("requestBytes", .count),
    .optional("responseBytes", .count),
    .optional(
      "timings",
      .object([
        .field("queueMicroseconds", .count), .field("firstByteMicroseconds", Schema.count.orNull),
        .field("totalMicroseconds", .count),
      ])), .optional("latency_ms", .count), .optional("retry_count", .count),
    .optional("attempts", .array(of: .attempt)),
    .optional("remoteAddress", .string.orNull), .optional("backend_id", .string.orNull),
    .optional("account", .string.orNull), .optional("deliveryErrorCode", .string),
    .field("positions", .map(of: .place)),
  ]

  private static let attempt = object([
    .optional("account", .string), .optional("accountName", .string.orNull),
    .optional("provider", .string.orNull), .optional("rule", .string),
    .optional("snapshot", .count),
    .optional("seed", .string.described("64 bits, as text.")), .field("at", .time),
    .field("status", .integer.orNull), .field("errorClass", errorClass),
    .field("errorCode", .string.orNull), .field("connectMicroseconds", Schema.count.orNull),
    .field("firstByteMicroseconds", Schema.count.orNull), .field("totalMicroseconds", .count),
  ])
}

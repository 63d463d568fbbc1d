import Domain

// What the log says of requests.
extension Contract {
  static let auditRequest = Contract(
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
          ]))
    ], errors: [.notFound])
  static let usageLogs = Contract(
    query: [
      .init(
        name: "limit", schema: Schema.integer(1...1000).byDefault(200),
        note: "The most requests, newest first."),
      .init(
        name: "format", schema: Schema.choice(["json", "text"]).byDefault("json"),
        note: "`text`: lines as 9router writes them."),
    ],
    answers: [
      .init(
        status: 200, note: "The newest requests",
        schema: .anyOf([
          .object([
            .field("logs", .array(of: .requestRow)), .field("complete", .bool),
            .field("scannedTo", Schema.place.orNull),
          ]), .array(of: .string),
        ]), headers: [.complete, .scannedTo])
    ])
}

extension Schema {
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
    .optional("costMicroUsd", Schema.integer.orNull), .optional("requestBytes", .count),
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

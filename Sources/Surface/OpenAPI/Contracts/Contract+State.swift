// For load balancers and monitors.
extension Contract {
  static let health = Contract(answers: [
    .ok(.healthState, note: "Requests are served; `degraded`: not all are recorded"),
    Answer(
      status: 503, .healthState, note: "Requests cannot be served as the recording mode promises"),
  ])
  static let ping = Contract(answers: [
    .ok(
      .object([
        .field("status", .constant("ok")), .field("timestamp", .time), .field("latencyMs", .count),
        .field("position", .place),
        .field(
          "views",
          .choice(["ok", "behind", "unavailable", "not_configured"]).described(
            "`behind`: they do not have everything yet; requests do not depend on them.")),
      ])),
    Answer(
      status: 503,
      .object([
        .field("status", .constant("error")),
        .field(
          "error",
          .choice(["log_read_failed", "overloaded"]).described(
            "`overloaded`: too many pings wait, and nothing was looked at for this one.")),
        .field("timestamp", .time),
      ]), note: "The log cannot be read, or too many pings wait"),
  ])
  static let healthz = read([
    .field("status", .constant("healthy")), .field("build", .named(.build)),
    .field("timestamp", .time),
  ])
  static let readyz = Contract(answers: [
    .ok(.readiness, note: "The gateway can serve"),
    Answer(
      status: 503, .readiness, note: "No account is configured, or the log takes nothing"),
  ])
  static let metrics = Contract(
    answers: [
      Answer(
        status: 200,
        note:
          "Prometheus' text; without a credential only from this machine, else for administrators and keys with `diagnostics`",
        schema: .string, mediaType: "text/plain")
    ], errors: [.unauthorized])
  static let systemVersion = read(
    Schema.buildFields + [
      .field("swift", .string.described("The compiler's version.")),
      .field(
        "formats",
        .object([
          .field("log", .string), .field("snapshot", .string), .field("views", .count),
          .field("proof", .string),
        ])),
      .field("started", .time), .field("uptimeSeconds", .count),
      .field("epoch", .count.described("Of the log: grows with every start.")),
      .field("store", .uuid.described("Of the log in the data directory.")),
      .field("position", .place), .field("recording", .string),
    ])
  static let openAPI = Contract(answers: [.ok(.open([.field("openapi", .constant("3.1.0"))]))])
}

extension Schema {
  static let build = object(buildFields)

  fileprivate static let buildFields: [Field] = [
    .field("version", .string),
    .field("commit", .string.described("Empty in a build that nobody released.")),
    .field("build_time", .string.described("RFC 3339; empty in a build that nobody released.")),
  ]

  fileprivate static let healthState = object([
    .field("status", .choice(["ok", "degraded", "error"])), .field("version", .string),
    .field("timestamp", .time), .field("position", .place),
    .optional("error", .string.described("Why the log takes nothing.")),
  ])

  fileprivate static let readiness = object([
    .field("status", .choice(["ready", "degraded"])),
    .field(
      "components", .map(of: .choice(["healthy", "degraded", "unhealthy", "not_configured"]))),
    .field("recording", .recording), .field("build", .named(.build)), .field("timestamp", .time),
  ])

  private static let recording = object([
    .field("mode", .string), .field("state", .choice(["off", "recording", "disk_full", "failed"])),
    .optional("reserve", .choice(["in_use", "used_up"])),
    .optional("missing", .count.described("Events that could not be recorded.")),
    .optional("gap_opened", .string.orNull),
  ])
}

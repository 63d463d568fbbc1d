import Domain

// `/api/settings`.
extension Contract {
  static let getSettings = Contract(answers: [.ok(.named(.settings), revision: true)])
  static let changeSettings = Contract(
    body: .object([
      .optional("fallbackStrategy", .strategy), .optional("requireApiKey", .bool),
      .optional("forceModelPrefix", .bool), .optional("maxBodyBytes", .bodyLimit),
      .optional("stickyRoundRobinLimit", .stickyLimit), .optional("maxAttempts", .attempts),
      .optional("requestTimeoutSeconds", .requestTimeout),
      .optional("trustedProxies", .trustedProxies),
      .optional(
        "cloudUrl",
        Schema.string(0...512).orNull.described(
          "The system to exchange with: https, or http to this machine; null: none.")),
      .optional("cloudProtocol", .syncProtocol),
      .optional(
        "cloudToken",
        Schema.string(1...4096).orNull.described(
          "Shown to that system; null takes it away, leaving it out keeps it.")),
      .optional(
        "machineId",
        Schema.string(0...128).orNull.described(
          "This node's name at a system of the older protocol; null: none.")),
      .optional("syncSecrets", .syncSecrets), .optional("syncIntervalSeconds", .syncInterval),
      .optional("currentPassword", .string(1...1024)),
      .optional(
        "newPassword",
        .string(12...1024).described(
          "Needs `currentPassword`; none that everybody knows; ends every session.")),
    ]).together(["currentPassword", "newPassword"]),
    answers: [.ok(.named(.settings), revision: true)],
    errors: [.invalidPassword, .weakPassword, .tooManyAttempts], honoursIfMatch: true)
}

extension Schema {
  static let strategy = choice(Strategy.allCases.map(\.name))
  static let bodyLimit = integer(1024...(256 << 20))
  static let trustedProxies = array(of: string(1...64), atMost: 64)
    .described("Addresses, or `address/bits`, whose forwarded headers are believed.")
  static let syncProtocol = choice(SyncProtocol.allCases.map(\.name))
  static let syncSecrets = bool.described(
    "Of a system that speaks 9router alone: between nodes credentials always travel, sealed.")
  static let syncInterval = integer(10...86_400)
  static let stickyLimit = integer(1...10_000)
  static let attempts = integer(1...64)
  static let requestTimeout = integer(1...3_600)

  static let settings = object([
    .field("fallbackStrategy", .strategy), .field("requireApiKey", .bool),
    .field("forceModelPrefix", .bool), .field("maxBodyBytes", .bodyLimit),
    .field("stickyRoundRobinLimit", .stickyLimit), .field("maxAttempts", .attempts),
    .field("requestTimeoutSeconds", .requestTimeout),
    .field(
      "cloudEnabled",
      Schema.bool.described("Exchanges follow by themselves; `POST /api/sync/cloud` sets it.")),
    .field("cloudUrl", Schema.string.orNull), .field("cloudProtocol", .syncProtocol),
    .field("cloudToken", Schema.string.orNull.described("Enough of it to know it by.")),
    .field("machineId", Schema.string.orNull), .field("syncSecrets", .syncSecrets),
    .field("syncIntervalSeconds", .syncInterval), .field("trustedProxies", .trustedProxies),
    .field("hasPassword", .bool), .field("updatedAt", Schema.time.orNull),
    .field("revision", .revision),
  ])
}

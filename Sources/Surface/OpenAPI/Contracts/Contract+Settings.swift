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
  static let stickyLimit = integer(1...10_000)
  static let attempts = integer(1...64)
  static let requestTimeout = integer(1...3_600)

  static let settings = object([
    .field("fallbackStrategy", .strategy), .field("requireApiKey", .bool),
    .field("forceModelPrefix", .bool), .field("maxBodyBytes", .bodyLimit),
    .field("stickyRoundRobinLimit", .stickyLimit), .field("maxAttempts", .attempts),
    .field("requestTimeoutSeconds", .requestTimeout), .field("trustedProxies", .trustedProxies),
    .field("hasPassword", .bool), .field("updatedAt", Schema.time.orNull),
    .field("revision", .revision),
  ])
}

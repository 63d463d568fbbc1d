import Domain

// `/api/settings`.
extension Contract {
  static let getSettings = Contract(answers: [.ok(.named(.settings), revision: true)])
  static let changeSettings = Contract(
    body: .object([
      .optional("fallbackStrategy", .strategy), .optional("requireApiKey", .bool),
      .optional("forceModelPrefix", .bool), .optional("maxBodyBytes", .bodyLimit),
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

  static let settings = object([
    .field("fallbackStrategy", .strategy), .field("requireApiKey", .bool),
    .field("forceModelPrefix", .bool), .field("maxBodyBytes", .bodyLimit),
    .field("hasPassword", .bool), .field("updatedAt", Schema.time.orNull),
    .field("revision", .revision),
  ])
}

// `/api/providers`.
extension Contract {
  static let listAccounts = page(
    "connections", of: .named(.account),
    filters: [
      .filter("provider", .identifier), .filter("isActive", .bool),
      .filter("name", .text(1...256)), .search,
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
    ], [.field("connection", .named(.account))],
    errors: [.unknownAccount, .nameCollision, .sampleKey])
  static let removeAccount = removal(
    [.field("message", .string), .field("id", .identifier)], errors: [.unknownAccount])
}

extension Schema {
  static let account = object(
    [
      .field("id", .identifier), .field("provider", .identifier), .field("name", .string),
      .field("authType", .choice(["apikey"])), .field("priority", .priority),
      .field("weight", .weight), .field("isActive", .bool), .field("testStatus", .string),
      .field("hasCredential", .bool),
      .field("credentialGeneration", .count.described("How many credentials the account has had.")),
      .field("fingerprint", .string.orNull.described("By which the credential is known in logs.")),
    ] + .history)
}

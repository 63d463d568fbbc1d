import Domain

// `/api/organisations`, and the limits and budgets that keys have as well.
extension Contract {
  static let listOrganisations = page(
    "organisations", of: .named(.organisation),
    filters: [.filter("isActive", .bool), .filter("name", .text(1...512)), .search])
  static let addOrganisation = write(
    [
      .field("id", .identifier),
      .optional("name", Schema.label(128).orNull.described("Without one: the id.")),
      .optional("limits", .limits), .optional("budgets", .budgets),
    ], status: 201, [.field("organisation", .named(.organisation))], errors: [.alreadyExists])
  static let getOrganisation = read(
    [.field("organisation", .named(.organisation))], revision: true,
    errors: [.unknownOrganisation])
  static let changeOrganisation = write(
    [
      .optional("name", .label(128)), .optional("limits", .limits), .optional("budgets", .budgets),
      .optional("isActive", Schema.bool.described("false: none of its keys is let in.")),
    ], [.field("organisation", .named(.organisation))], errors: [.unknownOrganisation])
  static let removeOrganisation = removal(
    [.field("message", .string), .field("id", .string)],
    errors: [.unknownOrganisation, .organisationInUse])
}

extension Schema {
  static let organisation = object([
    .field("id", .identifier), .field("name", .string),
    .field("isActive", Schema.bool.described("false: none of its keys is let in.")),
    .field("limits", .shownLimits), .field("budgets", .array(of: .shownBudget)),
    .field("usage", .limitUsage),
    .field("createdAt", Schema.time.orNull.described("null: it was always there.")),
    .field("updatedAt", Schema.time.orNull), .field("revision", .revision),
  ])

  /// All limits as a request gives them.
  static let limits = object(limitFields.map { .optional($0.name, $0.schema) }).described(
    "All of them, whatever held before; 0 or left out: no limit.")
  /// All budgets as a request gives them.
  static let budgets = array(
    of: object([
      .field("period", period), .optional("timezone", timezone.byDefault("UTC")),
      .optional("usd", usd.orNull), .optional("tokens", tokens.orNull),
    ]), atMost: Budget.Period.allCases.count
  ).described(
    "All of them, whatever held before; one a period at most, each with usd, tokens or both."
  )

  static let shownLimits = object(limitFields).described("0: no limit.")
  static let shownBudget = object([
    .field("period", period), .field("timezone", timezone), .field("usd", usd.orNull),
    .field("tokens", tokens.orNull),
  ])

  /// What is used of limits and budgets.
  static let limitUsage = object([
    .field(
      "requestsUnderWay",
      integer(0...Int64(UInt32.max)).described("Counted while there is any limit.")),
    .field("day", periodUsage), .field("month", periodUsage),
  ]).orNull.described("As the gateway counts; null while none runs.")
  private static let periodUsage = object([
    .field("usd", usage(of: .amount(0...UInt64.max))),
    .field("tokens", usage(of: .integer(0...Int64.max))),
    .field("resetsAt", .time),
  ])
  private static func usage(of amount: Schema) -> Schema {
    object([
      .field("used", amount), .field("reserved", amount.described("For requests under way.")),
      .field("remaining", amount.orNull.described("Of the budget; null: there is none.")),
    ])
  }

  private static let limitFields: [Field] = [
    .field("rps", integer(0...1_000_000).described("Requests a second, on average.")),
    .field(
      "burst",
      integer(0...1_000_000).described("Requests at once after a quiet time; needs rps.")),
    .field("rpm", integer(0...10_000_000).described("Requests a minute.")),
    .field("tpm", integer(0...1_000_000_000_000).described("Tokens a minute.")),
    .field("concurrency", integer(0...100_000).described("Requests under way at once.")),
  ]
  private static let period = choice(Budget.Period.allCases.map(\.name))
  private static let timezone = string(
    3...6, matching: "(UTC|[+-](0[0-9]|1[0-3]):[0-5][0-9]|[+-]14:00)"
  ).described("Where the period begins at midnight: UTC or a fixed offset.")
  private static let usd = amount(1...1_000_000_000_000_000).described(
    "US dollars, exact to six decimals.")
  private static let tokens = integer(1...1_000_000_000_000_000).described(
    "Input and output together.")
}

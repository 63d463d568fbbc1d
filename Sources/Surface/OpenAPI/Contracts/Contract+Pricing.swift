// `/api/pricing`.
extension Contract {
  static let getPricing = Contract(answers: [.ok(.prices, revision: true)])
  static let changePricing = Contract(
    body: .pricePatches, answers: [.ok(.prices, revision: true)], honoursIfMatch: true)
  static let removePricing = Contract(
    query: [
      .init(name: "provider", schema: .identifier, note: "Remove the prices of this provider."),
      .init(
        name: "model", schema: .modelName, note: "Remove only this model's; needs `provider`."),
      .init(
        name: "all", schema: .bool, note: "`true` without `provider`: remove every price."),
    ], answers: [.ok(.prices, revision: true)], errors: [.missingField, .notFound],
    honoursIfMatch: true)
}

extension Schema {
  fileprivate static let prices = map(
    of: map(
      of: object([
        .field("input", price), .field("output", price),
        .field("cached", price.orNull.described("null: as input.")),
        .field("reasoning", price.orNull.described("null: as output.")),
        .field("cache_creation", price.orNull.described("null: as input.")),
      ]))
  ).described("By provider and model, US dollars for a million tokens.")

  fileprivate static let pricePatches = map(
    from: identifier,
    to: map(
      from: modelName,
      to: object([
        .optional("input", price), .optional("output", price), .optional("cached", price.orNull),
        .optional("reasoning", price.orNull), .optional("cache_creation", price.orNull),
      ]).described(
        "Fields left out stay; a model without a price yet needs input and output."))
  ).described(
    "By provider and model, US dollars for a million tokens; neither needs to be known yet.")

  private static let price = amount(0...1_000_000_000_000)
}

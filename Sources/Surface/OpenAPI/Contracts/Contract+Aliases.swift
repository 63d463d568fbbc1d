import Domain

// `/api/models/alias`.
extension Contract {
  static let listAliases = Contract(
    query: [
      .init(
        name: "alias", schema: .text(1...128),
        note: "Answer this alias alone, with its revision."),
      .init(
        name: "resolve", schema: .text(1...256),
        note: "Explain what a client's model name means, and where a request for it would go now."),
      .init(
        name: "organisation", schema: .text(1...64),
        note: "With `resolve`: whose request; else the standard organisation's."),
    ] + [.search] + Parameter.paging,
    answers: [
      .init(
        status: 200, note: "The aliases as a map, or the one asked for",
        schema: .anyOf([
          .object([
            .field("aliases", .map(of: .string).described("Each alias and its target.")),
            .field(
              "unresolved",
              .array(of: .string).described("Those of the page whose target is not known.")),
            .next,
          ]), .named(.alias), .resolution,
        ]))
    ], errors: [.unknownAlias, .unknownOrganisation])
  static let setAlias = write(
    [
      .field("alias", .aliasName), .field("model", .modelName),
      .optional(
        "allowUnresolved",
        Schema.bool.orNull.described("Take a target that is not known yet.").byDefault(false)),
    ], Schema.aliasFields,
    errors: [.nameCollision, .unknownTarget, .ambiguousTarget, .aliasOfAlias])
  static let removeAlias = removal(
    query: [
      .init(name: "alias", schema: .text(1...128), isRequired: true, note: "The alias to remove.")
    ], [.field("success", .bool), .field("alias", .string)],
    errors: [.missingField, .unknownAlias])
}

extension Schema {
  static let resolution = object([
    .field("name", .string), .field("organisation", .string),
    .field(
      "via",
      choice(Resolution.Step.allCases.map(\.rawValue)).described(
        "Which step knows the name: they are asked in this order.")),
    .field("targets", array(of: .string).described("What the step leads to, as configured.")),
    .field(
      "models", array(of: object([.field("provider", .string), .field("model", .string)]))),
    .field(
      "chosen",
      anyOf([
        object([
          .field("account", .string), .field("provider", .string), .field("model", .string),
          .field("rule", .choice(ChoiceRule.allCases.map(\.name))),
        ]), .constant(.null),
      ])),
    .field("refusal", Schema.string.orNull), .field("near", array(of: .string)),
    .field(
      "candidates",
      array(
        of: object([
          .field("account", .string), .field("name", Schema.string.orNull),
          .field("provider", Schema.string.orNull), .field("isChosen", .bool),
          .field("rejection", Schema.string.orNull),
        ]))),
  ])

  static let alias = object(aliasFields)
  static let aliasFields: [Field] =
    [
      .field("success", .bool), .field("alias", .string), .field("model", .string),
      .field("isUnresolved", .bool),
    ] + .history
}

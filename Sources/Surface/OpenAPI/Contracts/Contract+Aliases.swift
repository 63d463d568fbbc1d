// `/api/models/alias`.
extension Contract {
  static let listAliases = Contract(
    query: [
      .init(
        name: "alias", schema: .text(1...128),
        note: "Answer this alias alone, with its revision.")
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
          ]), .named(.alias),
        ]))
    ], errors: [.unknownAlias])
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
  static let alias = object(aliasFields)
  static let aliasFields: [Field] =
    [
      .field("success", .bool), .field("alias", .string), .field("model", .string),
      .field("isUnresolved", .bool),
    ] + .history
}

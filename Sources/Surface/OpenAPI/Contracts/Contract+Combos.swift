// `/api/combos`.
extension Contract {
  static let listCombos = page("combos", of: .named(.combo), filters: [.search])
  static let addCombo = write(
    [.field("name", .aliasName)] + comboFields, status: 201, Schema.comboFields,
    errors: [.alreadyExists] + comboErrors)
  static let getCombo = read(Schema.comboFields, revision: true, errors: [.unknownCombo])
  static let changeCombo = write(
    [.optional("name", Schema.aliasName.described("As in the path: a combo keeps its name."))]
      + comboFields, Schema.comboFields, errors: [.unknownCombo] + comboErrors)
  static let removeCombo = removal(
    [.field("success", .bool), .field("name", .string)], errors: [.unknownCombo])

  private static let comboFields: [Schema.Field] = [
    .field(
      "models",
      .array(of: .modelName, atMost: 32).described(
        "At least one, each once, the first tried first: `prefix/model` or a model that one provider offers."
      )),
    .optional(
      "allowUnresolved",
      Schema.bool.orNull.described("Take models that are not known yet.").byDefault(false)),
  ]
  private static let comboErrors: [ErrorCode] = [
    .nameCollision, .unknownTarget, .ambiguousTarget, .aliasOfAlias,
  ]
}

extension Schema {
  static let combo = object(comboFields)
  fileprivate static let comboFields: [Field] =
    [
      .field("id", .string.described("The name.")), .field("name", .string),
      .field("models", .array(of: .string)),
      .field("isUnresolved", Schema.bool.described("Some model was not known when it was set.")),
    ] + .history
}

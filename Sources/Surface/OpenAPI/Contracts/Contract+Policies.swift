// `/v1/admin/routing/policies`: API Router's names.
extension Contract {
  static let listPolicies = page(
    "policies", of: .named(.policy),
    filters: [
      .filter("organization_id", .organisationOrAll), .filter("model", .modelName),
    ])
  static let setPolicy = write(
    [
      .optional("organization_id", Schema.organisationOrAll.described("`*`: everyone's.")),
      .optional(
        "organisation_id",
        Schema.organisationOrAll.described("The same; one of the two must be there.")),
      .field("model", .modelName), .field("backends", .backendShares),
      .optional("failover_threshold", failoverThreshold.byDefault(3)), allowUnresolved,
    ] + answered, Schema.policyFields, errors: policyErrors)
  static let getPolicy = read(Schema.policyFields, revision: true, errors: [.unknownPolicy])
  static let changePolicy = write(
    [
      .optional("organization_id", Schema.organisationOrAll.described("As in the path.")),
      .optional("organisation_id", Schema.organisationOrAll.described("As in the path.")),
      .optional("model", Schema.modelName.described("As in the path.")),
      .optional("backends", .backendShares), .optional("failover_threshold", failoverThreshold),
      allowUnresolved,
    ] + answered, Schema.policyFields, errors: [.unknownPolicy] + policyErrors)
  static let removePolicy = removal(
    [
      .field("policy_id", .string), .field("organization_id", .string), .field("model", .string),
      .field("deleted", .constant(true)),
    ], errors: [.unknownPolicy])

  private static let failoverThreshold = Schema.integer(1...1000)
  private static let allowUnresolved = Schema.Field.optional(
    "allow_unresolved",
    Schema.bool.orNull.described("Take backends that do not offer the model.").byDefault(false))
  /// What answers hold beside it, so that an earlier answer can be sent to go back to it.
  private static let answered: [Schema.Field] = [
    "policy_id", "degraded_backends", "removed_backends", "created_at", "updated_at", "version",
  ].map { .optional($0, Schema.any.described("Part of answers; means nothing here.")) }
  private static let policyErrors: [ErrorCode] = [
    .unknownOrganisation, .unknownAccount, .unknownTarget,
  ]
}

extension Schema {
  static let policy = object(policyFields)
  fileprivate static let policyFields: [Field] = [
    .field("policy_id", .string.described("`<organisation>-<model>`.")),
    .field("organization_id", .organisationOrAll), .field("model", .string),
    .field(
      "backends",
      .array(of: .object([.field("backend_id", .identifier), .field("weight", .weight)]))),
    .field(
      "failover_threshold",
      Schema.integer(1...1000).described("Failures in a row after which a backend cools.")),
    .field(
      "degraded_backends",
      .array(of: .identifier).described("Those that an operator has set aside.")),
    .field(
      "removed_backends",
      .array(of: .identifier).described("Those whose account is not there any more.")),
    .field(
      "allow_unresolved",
      Schema.bool.described("true: some backend did not offer the model when it was set.")),
    .field("created_at", .time), .field("updated_at", .time), .field("version", .revision),
  ]
  /// An organisation's id, or `*`.
  fileprivate static let organisationOrAll = string(
    1...64, matching: #"(\*|[A-Za-z0-9._-]{1,64})"#)
  fileprivate static let backendShares = array(
    of: object([
      .field("backend_id", text(1...256).described("An account's id, or its name where unique.")),
      .field("weight", weight),
    ]), atMost: 64
  ).described("At least one, each account once, some weight above 0.")
}

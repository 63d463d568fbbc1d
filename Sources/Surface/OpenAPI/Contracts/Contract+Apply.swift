// What is asked for over the control socket alone.
extension Contract {
  static let resetPassword = Contract(
    body: .object([
      .optional(
        "newPassword",
        Schema.string.orNull.described("Left out: one is made, and answered this once."))
    ]), bodyIsOptional: true,
    answers: [
      .ok(
        .object([
          .field("success", .constant(true)), .optional("password", .string),
          .field("revision", .revision),
        ]), revision: true)
    ], errors: [.weakPassword], honoursIfMatch: true)
  static let applyConfiguration = Contract(
    body: .object([
      .field("file", Schema.string.described("The file's text, YAML.")),
      .optional(
        "environment",
        Schema.map(of: .string).orNull.described(
          "The values of the variables that the file names; no others.")),
      .optional(
        "plan", Schema.bool.orNull.described("Only show what would change.").byDefault(false)),
    ]),
    answers: [
      .ok(
        .object([
          .field("plan", .bool), .field("events", Schema.count.described("Events written.")),
          .field(
            "changes",
            .array(
              of: .object([
                .field("kind", .choice(["added", "changed", "unchanged"])),
                .field("line", Schema.count.described("In the file, from 1.")),
                .field("text", .string),
              ]))),
          .field(
            "unmanaged",
            Schema.array(
              of: .object([.field("what", .string), .field("id", .string), .field("text", .string)])
            ).described("What the log has and the file does not mention; it stays.")),
          .field("revision", Schema.count.described("Of the whole configuration.")),
        ]), revision: true)
    ], errors: [.invalidConfiguration], honoursIfMatch: true)
}

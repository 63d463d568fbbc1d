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
    body: .object(
      [
        .field("file", Schema.string.described("The file's text, YAML.")),
        .optional(
          "environment",
          Schema.map(of: .string).orNull.described(
            "The values of the variables that the file names; no others.")),
        .optional(
          "overwrite",
          Schema.bool.orNull.described("Take the file's word also for what was edited elsewhere.")
            .byDefault(false)),
      ] + planFields),
    answers: [.ok(.object(Schema.appliedFields), revision: true)],
    errors: ErrorCode.ofChanges + [.invalidConfiguration, .logUnreadable], honoursIfMatch: true)
}

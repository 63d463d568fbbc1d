// `/api/auth`.
extension Contract {
  static let login = Contract(
    body: .object([.field("password", .string)]),
    answers: [
      .ok(
        .object([
          .field("success", .constant(true)),
          .field("token", .string.described("Also in the cookie `auth_token`.")),
          .field("expiresAt", .time),
        ]), headers: [.setCookie])
    ], errors: [.invalidPassword, .tooManyAttempts])
  static let logout = Contract(
    body: .object([
      .optional("all", Schema.bool.orNull.described("End every session, not only the caller's."))
    ]), bodyIsOptional: true,
    answers: [.ok(.object([.field("success", .constant(true))]), headers: [.setCookie])],
    errors: [.unauthorized, .recordingUnavailable])
}

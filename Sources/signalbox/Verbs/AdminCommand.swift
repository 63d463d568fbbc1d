import ArgumentParser
import Surface

/// `signalbox admin`: the administrator's own.
struct AdminCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "admin", abstract: "The administrator's password.",
    subcommands: [ResetPassword.self])
}

/// `admin reset-password`.
struct ResetPassword: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "reset-password",
    abstract: "Set the administrator's password without the current one, and end every session.",
    discussion: """
      Without an option a password is made and shown this once. Where SIGNALBOX_ADMIN_PASSWORD is set
      for the gateway, that one holds again from its next start.

      Examples:
        signalbox admin reset-password --data ./data
        pass show signalbox | signalbox admin reset-password --password-stdin --data ./data
      """)

  @OptionGroup var password: SecretOptions<Password>
  @OptionGroup var options: VerbOptions

  func request() throws -> ControlRequest {
    var body = RequestBody()
    body.set("newPassword", try password.secret())
    return ControlRequest(.post, "/api/settings/reset-password", body: .object(body.members))
  }

  func text(_ answer: JSONValue) -> String {
    let made = answer["password"]?.string.map { "admin password (shown once): \($0)\n" }
    return (made ?? "the admin password is set\n") + "every session has ended\n"
  }
}

/// The administrator's password.
enum Password: SecretName {
  static let option = "password"
  static let description = "The new password"
}

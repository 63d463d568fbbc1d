import ArgumentParser
import Surface

/// `signalbox settings`: what holds for the whole gateway.
struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "What holds for the whole gateway.",
    discussion: """
      Examples:
        signalbox settings
        signalbox settings change --require-api-key --max-body-bytes 1048576
      """,
    subcommands: [ShowSettings.self, ChangeSettings.self], defaultSubcommand: ShowSettings.self)
}

/// `settings show`.
struct ShowSettings: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Show the settings, with the revision that --if-match takes.")

  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest { ControlRequest(.get, "/api/settings") }
  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

/// `settings change`.
struct ChangeSettings: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "change", abstract: "Change the settings given; the others stay.")

  @Option(
    name: .long,
    help:
      "How an account is picked: fill-first, round-robin, weighted, least-latency, session-sticky.")
  var fallbackStrategy: String?

  @Flag(name: .long, inversion: .prefixedNo, help: "Whether requests need a valid key.")
  var requireAPIKey: Bool?

  @Flag(name: .long, inversion: .prefixedNo, help: "Whether models need their prefix.")
  var forceModelPrefix: Bool?

  @Option(name: .long, help: ArgumentHelp("The longest body of a request.", valueName: "bytes"))
  var maxBodyBytes: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("Requests in a row for one account under round-robin.", valueName: "count"))
  var stickyRoundRobinLimit: Int?

  @Option(
    name: .long, help: ArgumentHelp("Upstream calls of one request at most.", valueName: "count"))
  var maxAttempts: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("From a request's arrival to its answer's first byte.", valueName: "seconds")
  )
  var requestTimeout: Int?

  @OptionGroup var sync: SyncSettingFields
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() throws -> ControlRequest {
    var body = RequestBody()
    body.set("fallbackStrategy", fallbackStrategy)
    body.set("requireApiKey", requireAPIKey)
    body.set("forceModelPrefix", forceModelPrefix)
    body.set("maxBodyBytes", maxBodyBytes)
    body.set("stickyRoundRobinLimit", stickyRoundRobinLimit)
    body.set("maxAttempts", maxAttempts)
    body.set("requestTimeoutSeconds", requestTimeout)
    try sync.write(to: &body)
    return ControlRequest(
      .patch, "/api/settings", body: .object(body.members), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AnswerText.fields(answer) }
}

import ArgumentParser
import Surface

/// `accounts sign-in`.
struct SignInVerb: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sign-in",
    abstract: "Sign in at a provider; the account gets the next credential, or is made.",
    discussion: """
      The gateway must run. Prints what to open in a browser, on any machine. Where that ends at an address with a \
      code in it, or shows a code, it is read from standard input; where a code is typed there, the command waits.

      Examples:
        signalbox accounts sign-in claude
        signalbox accounts sign-in qwen --account work
      """)

  @Argument(help: "The provider's id, or one of the kinds that GET /api/oauth lists.")
  var provider: String

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Whose next credential it is to be; refused if somebody else signs in.",
      valueName: "id or name"))
  var account: String?

  @Flag(name: .long, help: "With a code that is typed elsewhere, where the provider has both ways.")
  var device = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where the browser comes back, if the provider does not say.", valueName: "url"))
  var redirectURI = "http://localhost:8399/callback"

  @OptionGroup var options: VerbOptions

  private static let unavailable = "sign_in_unavailable"

  private var administration: Administration { Administration(data: options.data) }
  private var path: String { "/api/oauth/\(percentEncoded(provider))" }

  func run() async throws {
    do {
      try await signIn()
    } catch {
      throw Console.explain(error)
    }
  }

  private func signIn() async throws {
    let wanted = account.map { "account=\(percentEncoded($0))" }
    if !device {
      let query = ["redirect_uri=\(percentEncoded(redirectURI))", wanted].compactMap { $0 }
      let reply = try await administration.send(
        ControlRequest(.get, "\(path)/authorize?" + query.joined(separator: "&")))
      if reply.status == 200 { return try await inBrowser(try reply.json()) }
      // Whoever has not this way may have the other.
      let refused = Refused(reply)
      guard refused.code == Self.unavailable else { throw refused }
      let other = try await administration.send(deviceRequest(wanted))
      guard other.status == 200 else {
        throw Refused(other).code == Self.unavailable ? refused : Refused(other)
      }
      return try await onDevice(try other.json())
    }
    try await onDevice(try await answer(deviceRequest(wanted)))
  }

  private func deviceRequest(_ wanted: String?) -> ControlRequest {
    ControlRequest(.get, "\(path)/device-code" + (wanted.map { "?" + $0 } ?? ""))
  }

  private func inBrowser(_ begun: JSONValue) async throws {
    try Console.say("open: \(AnswerText.cell(begun["authUrl"] ?? .null))")
    try Console.say("then paste the address that the browser ends at, or the code that it shows:")
    guard let line = readLine(), let back = CameBack(line) else {
      throw ValidationError("There is no code in that; begin the sign-in anew.")
    }
    var body: [JSONValue.Member] = [
      .init("code", JSONValue(back.code)), .init("redirectUri", begun["redirectUri"] ?? .null),
    ]
    let state = back.state.map { JSONValue($0) } ?? begun["state"] ?? .null
    body.append(.init("state", state))
    try show(try await answer(ControlRequest(.post, "\(path)/exchange", body: .object(body))))
  }

  private func onDevice(_ begun: JSONValue) async throws {
    let page = begun["verification_uri_complete"]?.string ?? begun["verification_uri"]?.string
    try Console.say("open: \(AnswerText.cell(JSONValue(page)))")
    try Console.say("code: \(AnswerText.cell(begun["user_code"] ?? .null))")
    let poll = ControlRequest(
      .post, "\(path)/poll", body: ["deviceCode": begun["device_code"] ?? .null])
    let end = ContinuousClock.now + .seconds(begun["expires_in"]?.int ?? 600)
    // Providers say how often they may be asked.
    let pause = Duration.seconds(max(1, begun["interval"]?.int ?? 5))
    while ContinuousClock.now < end {
      try await Task.sleep(for: pause)
      let reply = try await answer(poll)
      if reply["success"]?.bool == true { return try show(reply) }
      guard reply["pending"]?.bool == true else {
        throw Self.refused(
          reply["error"]?.string ?? "sign_in_refused",
          reply["errorDescription"]?.string ?? "The provider ended the sign-in.")
      }
    }
    throw Self.refused("expired_token", "Nobody typed the code in time; begin the sign-in anew.")
  }

  /// A no that came in a good answer.
  private static func refused(_ code: String, _ message: String) -> Refused {
    let body: JSONValue = ["error": ["code": JSONValue(code), "message": JSONValue(message)]]
    return Refused(ControlReply(status: 400, bytes: body.bytes))
  }

  private func answer(_ request: ControlRequest) async throws -> JSONValue {
    let reply = try await administration.send(request)
    guard (200..<300).contains(reply.status) else { throw Refused(reply) }
    return try reply.json()
  }

  private func show(_ answer: JSONValue) throws {
    if options.json { return try Console.say(String(decoding: answer.bytes, as: UTF8.self)) }
    try Console.say(ImportVerb.fields(answer))
  }

  /// What a person brings back from the browser.
  struct CameBack {
    var code: String
    /// nil: it was not beside the code.
    var state: String?

    /// An address with `code` and `state` in its query, `CODE#STATE`, or a code.
    init?(_ line: String) {
      let text = line.split { $0 == " " || $0 == "\t" || $0 == "\r" }.joined()
      if text.hasPrefix("http://") || text.hasPrefix("https://") {
        let query = text.drop { $0 != "?" }.dropFirst().prefix { $0 != "#" }
        var found: [String: String] = [:]
        for pair in query.split(separator: "&") {
          let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
          guard parts.count == 2 else { continue }
          found[String(parts[0])] = percentDecoded(parts[1].utf8)
        }
        guard let code = found["code"] else { return nil }
        self.code = code
        state = found["state"]
        return
      }
      let parts = text.split(separator: "#", maxSplits: 1)
      guard let code = parts.first, !code.isEmpty else { return nil }
      self.code = String(code)
      state = parts.count > 1 ? String(parts[1]) : nil
    }
  }
}

/// `accounts import`.
struct ImportVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Take tokens or a key that another program got; brought twice, it is one account.",
    discussion: """
      With a refresh token alone, the gateway must run: it is presented at once.

      Examples:
        signalbox accounts import cursor --access-token-file token.txt
        signalbox accounts import kiro-social --refresh-token-env KIRO_REFRESH_TOKEN
      """)

  @Argument(help: "The provider's id, or one of the kinds that GET /api/oauth lists.")
  var provider: String

  @Option(
    name: .long,
    help: ArgumentHelp("Whose next credential it is to be.", valueName: "id or name"))
  var account: String?

  @Option(
    name: .long,
    help: ArgumentHelp("When the access token ends, if it is known.", valueName: "time"))
  var expiresAt: String?

  @Option(
    name: .long, help: ArgumentHelp("Of the program that the token is from.", valueName: "id"))
  var machineID: String?

  @OptionGroup var access: SecretOptions<AccessToken>
  @OptionGroup var refresh: SecretOptions<RefreshToken>
  @OptionGroup var key: SecretOptions<APIKey>
  @OptionGroup var options: VerbOptions

  func request() throws -> ControlRequest {
    var body = RequestBody()
    body.set("accessToken", try access.secret())
    body.set("refreshToken", try refresh.secret())
    body.set("apiKey", try key.secret())
    body.set("account", account)
    body.set("expiresAt", expiresAt)
    body.set("machineId", machineID)
    return ControlRequest(
      .post, "/api/oauth/\(percentEncoded(provider))/import", body: .object(body.members))
  }

  func text(_ answer: JSONValue) -> String { Self.fields(answer) + "\n" }

  static func fields(_ answer: JSONValue) -> String {
    let text = AnswerText.fields(answer["connection"] ?? answer)
    return text.hasSuffix("\n") ? String(text.dropLast()) : text
  }
}

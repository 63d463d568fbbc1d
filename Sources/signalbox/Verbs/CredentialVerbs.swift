import ArgumentParser
import Surface

// What operators do about an account's tokens; an API key is changed with `accounts change`.

/// `accounts issue`.
struct IssueCredentialVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "issue",
    abstract: "Put another access token in force for one account, as its next generation.",
    discussion: """
      Secrets come from the environment or from standard input, never from the command line.

      Example:
        signalbox accounts issue u1 --access-token-env AT --refresh-token-env RT --expires-in 3600
      """)

  @OptionGroup var what: Reference<AccountResource>
  @OptionGroup var access: SecretOptions<AccessToken>

  @OptionGroup var renewal: SecretOptions<RefreshToken>

  @Option(
    name: .long, help: ArgumentHelp("After how many seconds it ends.", valueName: "seconds"))
  var expiresIn: Int?

  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() throws -> ControlRequest {
    guard let token = try access.secret() else {
      throw ValidationError(
        "Give the access token by --access-token-env, --access-token-file or --access-token-stdin.")
    }
    var body = RequestBody()
    body.set("accessToken", token)
    body.set("refreshToken", try renewal.secret())
    body.set("expiresIn", expiresIn)
    return ControlRequest(
      .put, AccountResource.target(what.reference) + "/credential",
      body: .object(body.members),
      ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AccountResource.fields(answer) }
}

/// A provider's access token.
enum AccessToken: SecretName {
  static let option = "access-token"
  static let description = "The access token"
}

/// What brings the next access token.
enum RefreshToken: SecretName {
  static let option = "refresh-token"
  static let description = "The refresh token that came with it"
}

/// `accounts refresh`.
struct RefreshCredentialVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "refresh", abstract: "Refresh one account's credential now.",
    discussion: "The gateway must run.")

  @OptionGroup var what: Reference<AccountResource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(
      .post, AccountResource.target(what.reference) + "/credential/refresh",
      ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AccountResource.fields(answer) }
}

/// `accounts release`.
struct ReleaseCredentialVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "release",
    abstract: "Let one account's uncertain or refused credential be refreshed again.",
    discussion: """
      Only if nothing else holds the same refresh token: a provider may take a used one for theft and
      revoke everything that came of it.
      """)

  @OptionGroup var what: Reference<AccountResource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(
      .post, AccountResource.target(what.reference) + "/credential/release",
      ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AccountResource.fields(answer) }
}

/// `accounts move-home`.
struct MoveHomeVerb: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "move-home",
    abstract: "Make this node, or another, the only one that refreshes one account's credential.")

  @OptionGroup var what: Reference<AccountResource>

  @Option(name: .long, help: "The node; without it the one that is asked.")
  var node: String?

  @Flag(
    name: .long,
    help: """
      Take it from a node that is gone for good. If that one refreshed it since the last exchange, sign in anew.
      """)
  var force = false

  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(
      .post, AccountResource.target(what.reference) + "/credential/home",
      body: .object(
        (node.map { [.init("node", JSONValue($0))] } ?? [])
          + (force ? [.init("force", .bool(true))] : [])), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AccountResource.fields(answer) }
}

import ArgumentParser
import Surface

/// `signalbox sync`: what is exchanged with other systems.
struct SyncCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sync", abstract: "What is exchanged with other nodes and systems.",
    discussion: """
      Examples:
        signalbox settings change --cloud-url https://gateway.example.com --cloud-token-env TOKEN
        signalbox sync enable
        signalbox sync status
      """,
    subcommands: [
      SyncStatusVerb.self, EnableSyncVerb.self, SyncNowVerb.self, DisableSyncVerb.self,
      CheckSyncVerb.self, ForgetSyncVerb.self, SyncTokensCommand.self,
    ])
}

/// `sync tokens`.
struct SyncTokensCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokens",
    abstract: "What lets other nodes exchange with this one; a token is shown once.",
    discussion: """
      Examples:
        signalbox sync tokens issue node-b
        signalbox sync tokens revoke 7Qd0xYb3Kp5w
      """,
    subcommands: [
      ListVerb<SyncTokenResource>.self, AddVerb<NewSyncToken>.self, RevokeSyncToken.self,
    ], defaultSubcommand: ListVerb<SyncTokenResource>.self)
}

enum SyncTokenResource: AdminResource {
  static let noun = "sync token"
  static let path = "/api/sync/tokens"
  static let listed = "tokens"
  static let single: String? = "token"
  static let columns = [
    Column("NAME", "name"), Column("ID", "id"), Column("NODE", "node"),
    Column("ACTIVE", "isActive"),
    Column("ISSUED", "createdAt"), Column("LAST USED", "lastUsedAt"),
    Column("REVOKED", "revokedAt"), Column(">REVISION", "revision"),
  ]
}

struct NewSyncToken: NewFields {
  typealias Resource = SyncTokenResource
  static let verb = "issue"
  static let abstract = "Issue one token for another node, and show it this once."
  static let shownOnce: String? = "token"

  @Argument(help: "Whose it is, for people.")
  var name: String

  @Option(
    help: ArgumentHelp(
      "The node it is made for, as its `sync status` says; else it is the first one's who comes with it.",
      valueName: "node"))
  var node: String?

  func write(to body: inout RequestBody) {
    body.set("name", name)
    body.set("node", node)
  }
}

/// `sync tokens revoke`.
struct RevokeSyncToken: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Accept one token no more; it cannot be taken back.")

  @OptionGroup var what: Reference<SyncTokenResource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.delete, SyncTokenResource.target(what.reference), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { SyncTokenResource.fields(answer) }
}

/// The settings of what is exchanged with another system.
struct SyncSettingFields: ParsableArguments {
  @Option(
    name: .customLong("cloud-url"),
    help: ArgumentHelp(
      "The system to exchange with; an empty text takes it away.", valueName: "url"))
  var cloudURL: String?

  @Option(name: .long, help: "What that system speaks: signalbox, 9router.")
  var cloudProtocol: String?

  @OptionGroup var cloudToken: SecretOptions<CloudToken>

  @Flag(name: .customLong("no-cloud-token"), help: "No token is shown to that system any more.")
  var isWithoutToken = false

  @Option(
    name: .customLong("machine-id"),
    help: ArgumentHelp(
      "This node's name at a system that speaks 9router; an empty text takes it away.",
      valueName: "name"))
  var machineID: String?

  @Flag(
    name: .long, inversion: .prefixedNo,
    help: ArgumentHelp(
      "Whether tokens are told to a system that speaks 9router, and taken from it; between nodes credentials always travel, sealed."
    ))
  var syncSecrets: Bool?

  @Option(name: .long, help: ArgumentHelp("Between two exchanges.", valueName: "seconds"))
  var syncInterval: Int?

  func write(to body: inout RequestBody) throws {
    body.set("cloudUrl", cloudURL)
    body.set("cloudProtocol", cloudProtocol)
    let token = try cloudToken.secret()
    guard token == nil || !isWithoutToken else {
      throw ValidationError("Give a token, or --no-cloud-token.")
    }
    body.set("cloudToken", isWithoutToken ? .null : token.map { JSONValue($0) })
    body.set("machineId", machineID)
    body.set("syncSecrets", syncSecrets)
    body.set("syncIntervalSeconds", syncInterval)
  }
}

enum CloudToken: SecretName {
  static let option = "cloud-token"
  static let description = "The token that is shown to the system to exchange with"
}

import ArgumentParser
import Surface

/// `signalbox keys`: clients' keys.
struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Clients' keys; a key is shown once, when it is created.",
    discussion: """
      Examples:
        signalbox keys create batch --organisation acme --expires-at 2030-01-01T00:00:00Z
        signalbox keys pause 019ab3c4-…
        signalbox keys revoke 019ab3c4-…
      """,
    subcommands: [
      ListVerb<KeyResource>.self, ShowVerb<KeyResource>.self, AddVerb<NewKey>.self,
      ChangeVerb<ChangedKey>.self, SwitchVerb<KeyResource, Paused>.self,
      SwitchVerb<KeyResource, Resumed>.self, RevokeKey.self,
    ], defaultSubcommand: ListVerb<KeyResource>.self)
}

enum KeyResource: AdminResource {
  static let noun = "key"
  static let path = "/api/keys"
  static let listed = "keys"
  static let single: String? = "key"
  static let columns = [
    Column("NAME", "name"), Column("KEY", "maskedKey"), Column("ORGANISATION", "organisation"),
    Column("STATUS", "status"), Column("DIAGNOSTICS", "diagnostics"),
    Column("EXPIRES", "expiresAt"), Column(">REVISION", "revision"), Column("ID", "id"),
  ]
}

struct NewKey: NewFields {
  typealias Resource = KeyResource
  static let verb = "create"
  static let abstract = "Create one key, and show it this once."
  static let shownOnce: String? = "key"

  @Argument(help: "The key's name.")
  var name: String

  @Option(name: .long, help: ArgumentHelp("Whose key it is.", valueName: "id"))
  var organisation: String?

  @Flag(name: .long, help: "Its answers tell which account served, and why.")
  var diagnostics = false

  @OptionGroup var rights: KeyRightFields

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    body.set("organisation", organisation)
    if diagnostics { body.set("diagnostics", true) }
    rights.write(to: &body)
  }
}

struct ChangedKey: ChangedFields {
  typealias Resource = KeyResource

  @Option(name: .long, help: "Another name.")
  var name: String?

  @Flag(
    inversion: .prefixedNo, help: "Whether its answers tell which account served, and why.")
  var diagnostics: Bool?

  @OptionGroup var rights: KeyRightFields

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    body.set("diagnostics", diagnostics)
    rights.write(to: &body)
  }
}

/// Where a key leads, how far and for how long.
struct KeyRightFields: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp("Until when it is accepted, as 2030-01-01T00:00:00Z.", valueName: "time"))
  var expiresAt: String?

  @Flag(name: .long, help: "It does not expire.")
  var noExpiry = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A model that it may ask for, * matches any; may be repeated, and makes the whole list.",
      valueName: "pattern"))
  var allowedModel: [String] = []

  @Flag(name: .long, help: "It may ask for every model.")
  var anyModel = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "An account that may serve it, by id or name; may be repeated, and makes the whole list.",
      valueName: "account"))
  var allowedAccount: [String] = []

  @Flag(name: .long, help: "Every account may serve it.")
  var anyAccount = false

  @OptionGroup var limits: LimitFields

  func validate() throws {
    guard expiresAt == nil || !noExpiry else {
      throw ValidationError("Give one of --expires-at and --no-expiry.")
    }
  }

  func write(to body: inout RequestBody) {
    body.set("expiresAt", noExpiry ? .null : expiresAt.map { JSONValue($0) })
    body.set("allowedModels", list: allowedModel.map { JSONValue($0) }, isEmptied: anyModel)
    body.set("allowedAccounts", list: allowedAccount.map { JSONValue($0) }, isEmptied: anyAccount)
    limits.write(to: &body)
  }
}

/// `keys revoke`.
struct RevokeKey: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "revoke", abstract: "Refuse one key for ever; it cannot be taken back.")

  @OptionGroup var what: Reference<KeyResource>
  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.delete, KeyResource.target(what.reference), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { KeyResource.fields(answer) }
}

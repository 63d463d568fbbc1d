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

  @Option(
    name: .long,
    help: ArgumentHelp("Until when it is accepted, as 2030-01-01T00:00:00Z.", valueName: "time"))
  var expiresAt: String?

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    body.set("organisation", organisation)
    if diagnostics { body.set("diagnostics", true) }
    body.set("expiresAt", expiresAt)
  }
}

struct ChangedKey: ChangedFields {
  typealias Resource = KeyResource

  @Option(name: .long, help: "Another name.")
  var name: String?

  @Flag(
    inversion: .prefixedNo, help: "Whether its answers tell which account served, and why.")
  var diagnostics: Bool?

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    body.set("diagnostics", diagnostics)
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

import ArgumentParser
import Surface

/// `signalbox accounts`: who holds a credential at a provider.
struct AccountsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accounts",
    abstract: "Holders of a credential at a provider.",
    discussion: """
      An account is named by its id, or by its name where only one has it.

      Examples:
        signalbox accounts add a1 --provider mock --api-key-env UPSTREAM_KEY
        pass show upstream/new | signalbox accounts change a1 --api-key-stdin
        signalbox accounts disable a1
        signalbox accounts degrade a1 --reason "refunds pending"
      """,
    subcommands: [
      ListVerb<AccountResource>.self, ShowVerb<AccountResource>.self, AddVerb<NewAccount>.self,
      ChangeVerb<ChangedAccount>.self, SwitchVerb<AccountResource, Enabled>.self,
      SwitchVerb<AccountResource, Disabled>.self, RemoveVerb<AccountResource>.self,
      TestAccountVerb.self, EndCooldownVerb.self, DegradeVerb.self, RestoreVerb.self,
      DiscoverModelsVerb.self, IssueCredentialVerb.self, RefreshCredentialVerb.self,
      ReleaseCredentialVerb.self, MoveHomeVerb.self,
      SignInVerb.self, ImportVerb.self,
    ], defaultSubcommand: ListVerb<AccountResource>.self)
}

enum AccountResource: AdminResource {
  static let noun = "account"
  static let path = "/api/providers"
  static let listed = "connections"
  static let single: String? = "connection"
  static let reference = "id or name"
  static let columns = [
    Column("NAME", "name"), Column("PROVIDER", "provider"), Column("ACTIVE", "isActive"),
    Column("STATUS", "testStatus"), Column(">PRIORITY", "priority"), Column(">WEIGHT", "weight"),
    Column("KEY", "fingerprint"), Column(">REVISION", "revision"), Column("ID", "id"),
  ]
}

/// An account's credential.
enum APIKey: SecretName {
  static let option = "api-key"
  static let description = "The provider's API key"
}

struct NewAccount: NewFields {
  typealias Resource = AccountResource

  @Argument(help: "The account's name.")
  var name: String

  @Option(name: .long, help: ArgumentHelp("At which provider it is.", valueName: "id"))
  var provider: String

  @OptionGroup var preference: PreferenceFields
  @OptionGroup var key: SecretOptions<APIKey>

  func write(to body: inout RequestBody) throws {
    body.set("provider", provider)
    body.set("name", name)
    preference.write(to: &body)
    body.set("apiKey", try key.secret())
  }
}

struct ChangedAccount: ChangedFields {
  typealias Resource = AccountResource

  @Option(name: .long, help: "Another name.")
  var name: String?

  @OptionGroup var preference: PreferenceFields
  @OptionGroup var key: SecretOptions<APIKey>

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    preference.write(to: &body)
    body.set("apiKey", try key.secret())
  }
}

struct PreferenceFields: ParsableArguments {
  @Option(name: .long, help: "Which accounts come first: 1 before 2.")
  var priority: Int?

  @Option(name: .long, help: "Its share among accounts of the same priority.")
  var weight: Int?

  func write(to body: inout RequestBody) {
    body.set("priority", priority)
    body.set("weight", weight)
  }
}

import ArgumentParser
import Surface

/// `signalbox organisations`: to whom keys and policies belong.
struct OrganisationsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "organisations",
    abstract: "To whom keys and policies belong, with their limits and budgets.",
    discussion: """
      Examples:
        signalbox organisations add acme --rps 100 --burst 200 --budget month,usd=500
        signalbox organisations pause acme
      """,
    subcommands: [
      ListVerb<OrganisationResource>.self, ShowVerb<OrganisationResource>.self,
      AddVerb<NewOrganisation>.self, ChangeVerb<ChangedOrganisation>.self,
      SwitchVerb<OrganisationResource, Paused>.self,
      SwitchVerb<OrganisationResource, Resumed>.self, RemoveVerb<OrganisationResource>.self,
    ], defaultSubcommand: ListVerb<OrganisationResource>.self)
}

enum OrganisationResource: AdminResource {
  static let noun = "organisation"
  static let path = "/api/organisations"
  static let listed = "organisations"
  static let single: String? = "organisation"
  static let columns = [
    Column("ID", "id"), Column("NAME", "name"), Column("ACTIVE", "isActive"),
    Column("LIMITS", "limits"), Column("BUDGETS", "budgets"), Column(">REVISION", "revision"),
  ]
}

struct NewOrganisation: NewFields {
  typealias Resource = OrganisationResource

  @Argument(help: "The organisation's id.")
  var id: String

  @Option(name: .long, help: "A name for people.")
  var name: String?

  @OptionGroup var limits: LimitFields

  func write(to body: inout RequestBody) throws {
    body.set("id", id)
    body.set("name", name)
    limits.write(to: &body)
  }
}

struct ChangedOrganisation: ChangedFields {
  typealias Resource = OrganisationResource

  @Option(name: .long, help: "Another name.")
  var name: String?

  @OptionGroup var limits: LimitFields

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    limits.write(to: &body)
  }
}

import ArgumentParser
import Surface

/// `signalbox models`: what providers offer.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "What providers offer, configured or discovered.",
    discussion: """
      A model is named by its provider's id and the provider's own name for it.

      Examples:
        signalbox models list
        signalbox models disable mock/gpt-4o
      """,
    subcommands: [
      ListVerb<ModelResource>.self, ShowVerb<ModelResource>.self,
      SwitchVerb<ModelResource, Enabled>.self, SwitchVerb<ModelResource, Disabled>.self,
    ], defaultSubcommand: ListVerb<ModelResource>.self)
}

enum ModelResource: AdminResource {
  static let noun = "model"
  static let path = "/api/models"
  static let listed = "models"
  static let single: String? = "model"
  static let reference = "provider/model"
  static let columns = [
    Column("ID", "id"), Column("ASKED AS", "fullModel"), Column("ALIASES", "aliases"),
    Column("SOURCE", "source"), Column("ACTIVE", "isActive"), Column("EXCLUDED", "excluded"),
    Column("OFFERED", "offered"), Column(">REVISION", "revision"),
  ]
}

import ArgumentParser
import Surface

/// `signalbox combo`: ordered fallback lists of models.
struct ComboCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "combo",
    abstract: "Names for ordered lists of models: the next one is asked where one cannot answer.",
    discussion: """
      Examples:
        signalbox combo add smart mock/gpt-4o mock/gpt-4o-mini
        signalbox combo change smart mock/gpt-4o corp/o1 --if-match 1
      """,
    subcommands: [
      ListVerb<ComboResource>.self, ShowVerb<ComboResource>.self, AddVerb<NewCombo>.self,
      ChangeVerb<ChangedCombo>.self, RemoveVerb<ComboResource>.self,
    ], defaultSubcommand: ListVerb<ComboResource>.self)
}

enum ComboResource: AdminResource {
  static let noun = "combo"
  static let path = "/api/combos"
  static let listed = "combos"
  static let reference = "name"
  static let columns = [
    Column("NAME", "name"), Column("MODELS", "models"), Column("UNRESOLVED", "isUnresolved"),
    Column(">REVISION", "revision"),
  ]
}

struct NewCombo: NewFields {
  typealias Resource = ComboResource

  @Argument(help: "The combo's name.")
  var name: String

  @OptionGroup var models: ComboModels

  func write(to body: inout RequestBody) throws {
    body.set("name", name)
    models.write(to: &body)
  }
}

struct ChangedCombo: ChangedFields {
  typealias Resource = ComboResource

  @OptionGroup var models: ComboModels

  func write(to body: inout RequestBody) throws { models.write(to: &body) }
}

struct ComboModels: ParsableArguments {
  @Argument(help: "All its models in their order, each as prefix/model.")
  var models: [String]

  @Flag(name: .long, help: "Also if nothing has such a model yet.")
  var allowUnresolved = false

  func write(to body: inout RequestBody) {
    body.set("models", list: models.map { JSONValue($0) })
    if allowUnresolved { body.set("allowUnresolved", true) }
  }
}

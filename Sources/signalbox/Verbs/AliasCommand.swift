import ArgumentParser
import Surface

/// `signalbox alias`: model names of the gateway's own.
struct AliasCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "alias",
    abstract: "Model names of the gateway's own, and what they stand for.",
    discussion: """
      Examples:
        signalbox alias set fast mock/gpt-4o-mini
        signalbox alias set fast mock/gpt-4o --if-match 1
      """,
    subcommands: [
      ListVerb<AliasResource>.self, ShowVerb<AliasResource>.self, SetAlias.self,
      RemoveVerb<AliasResource>.self,
    ], defaultSubcommand: ListVerb<AliasResource>.self)
}

enum AliasResource: AdminResource {
  static let noun = "alias"
  static let path = "/api/models/alias"
  static let listed = "aliases"
  static let reference = "name"
  static let columns = [
    Column("ALIAS", "alias"), Column("MODEL", "model"), Column("UNRESOLVED", "isUnresolved"),
  ]

  static func target(_ reference: String) -> String {
    "\(path)?alias=\(percentEncoded(reference))"
  }

  /// The API lists a map, and beside it the names whose target is not known.
  static func elements(_ answer: JSONValue) -> [JSONValue] {
    let unresolved = Set((answer["unresolved"]?.array ?? []).compactMap(\.string))
    return (answer[listed]?.members ?? []).map { member in
      [
        "alias": JSONValue(member.name), "model": member.value,
        "isUnresolved": .bool(unresolved.contains(member.name)),
      ]
    }
  }
}

/// `alias set`.
struct SetAlias: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Make or change one alias.")

  @Argument(help: "The alias.")
  var alias: String

  @Argument(help: "What it stands for: prefix/model, or a model's name.")
  var model: String

  @Flag(name: .long, help: "Also if nothing has such a model yet.")
  var allowUnresolved = false

  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    var body = RequestBody()
    body.set("alias", alias)
    body.set("model", model)
    if allowUnresolved { body.set("allowUnresolved", true) }
    return ControlRequest(
      .put, AliasResource.path, body: .object(body.members), ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { AliasResource.fields(answer) }
}

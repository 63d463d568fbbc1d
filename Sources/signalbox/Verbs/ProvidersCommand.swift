import ArgumentParser
import Domain
import Surface

/// `signalbox providers`: upstream services.
struct ProvidersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "providers",
    abstract: "Upstream services: address, protocol, prefix, models.",
    discussion: """
      Examples:
        signalbox providers add mock --base-url http://127.0.0.1:9000/v1 --model gpt-4o=big
        signalbox providers change mock --prefix m --if-match 3
        signalbox providers disable mock
      """,
    subcommands: [
      ListVerb<ProviderResource>.self, ShowVerb<ProviderResource>.self,
      AddVerb<NewProvider>.self, ChangeVerb<ChangedProvider>.self,
      SwitchVerb<ProviderResource, Enabled>.self, SwitchVerb<ProviderResource, Disabled>.self,
      RemoveVerb<ProviderResource>.self,
    ], defaultSubcommand: ListVerb<ProviderResource>.self)
}

enum ProviderResource: AdminResource {
  static let noun = "provider"
  static let path = "/api/provider-nodes"
  static let listed = "nodes"
  static let single: String? = "node"
  static let columns = [
    Column("ID", "id"), Column("PROTOCOL", "protocol"), Column("BASE URL", "baseUrl"),
    Column("PREFIX", "prefix"), Column("ACTIVE", "isActive"), Column(">REVISION", "revision"),
  ]
}

struct NewProvider: NewFields {
  typealias Resource = ProviderResource

  @Argument(help: "The provider's id.")
  var id: String

  @OptionGroup var fields: ProviderFields

  func write(to body: inout RequestBody) throws {
    body.set("id", id)
    fields.write(to: &body)
  }
}

struct ChangedProvider: ChangedFields {
  typealias Resource = ProviderResource

  @OptionGroup var fields: ProviderFields

  func write(to body: inout RequestBody) throws { fields.write(to: &body) }
}

struct ProviderFields: ParsableArguments {
  @Option(name: .long, help: "Where its API begins, as https://api.example.com/v1.")
  var baseURL: String?

  @Option(name: .long, help: "What it speaks: openai.")
  var `protocol`: String?

  @Option(name: .long, help: "A name for people.")
  var name: String?

  @Option(name: .long, help: "What stands before the slash in prefix/model.")
  var prefix: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A model, and perhaps a second name; may be repeated, and makes the whole list.",
      valueName: "model[=name]"))
  var model: [String] = []

  @Flag(name: .long, help: "No models listed.")
  var noModels = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A model that is not offered, * matches any; may be repeated, and makes the whole list.",
      valueName: "pattern"))
  var excludeModel: [String] = []

  @Flag(name: .long, help: "No models excluded.")
  var noExcludedModels = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How often each enabled account is tested, from 5s to 24h, as 30s.", valueName: "duration"),
    transform: Self.interval)
  var healthCheck: Int?

  @Flag(name: .long, help: "No regular tests.")
  var noHealthCheck = false

  func validate() throws {
    if healthCheck != nil, noHealthCheck {
      throw ValidationError("--health-check and --no-health-check contradict each other.")
    }
  }

  private static func interval(_ text: String) throws -> Int {
    guard let nanoseconds = parseDuration(text), nanoseconds % 1_000_000_000 == 0,
      5...86_400 ~= nanoseconds / 1_000_000_000
    else { throw ValidationError("Write whole seconds from 5s to 24h, for example 30s.") }
    return Int(nanoseconds / 1_000_000_000)
  }

  func write(to body: inout RequestBody) {
    body.set("name", name)
    body.set("protocol", self.protocol)
    body.set("baseUrl", baseURL)
    body.set("prefix", prefix)
    let models: [JSONValue] = model.map { text in
      let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let name = JSONValue(String(parts[0]))
      return parts.count == 1
        ? ["name": name] : ["name": name, "alias": JSONValue(String(parts[1]))]
    }
    body.set("models", list: models, isEmptied: noModels)
    body.set(
      "excludedModels", list: excludeModel.map { JSONValue($0) }, isEmptied: noExcludedModels)
    if let healthCheck { body.set("healthCheck", ["intervalSeconds": JSONValue(healthCheck)]) }
    if noHealthCheck { body.set("healthCheck", .null) }
  }
}

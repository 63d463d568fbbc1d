import ArgumentParser
import Surface

/// `signalbox pricing`: what tokens cost.
struct PricingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pricing",
    abstract: "What tokens cost, in US dollars for a million.",
    discussion: """
      Examples:
        signalbox pricing set mock gpt-4o --input 2.5 --output 10 --cached 1.25
        signalbox pricing remove mock gpt-4o
      """,
    subcommands: [ListPricing.self, SetPricing.self, RemovePricing.self],
    defaultSubcommand: ListPricing.self)

  fileprivate static let path = "/api/pricing"

  /// Provider by provider, model by model.
  fileprivate static func table(_ answer: JSONValue) -> String {
    let rows = (answer.members ?? []).flatMap { provider in
      (provider.value.members ?? []).map { model in
        JSONValue.object(
          [
            JSONValue.Member("provider", JSONValue(provider.name)),
            JSONValue.Member("model", JSONValue(model.name)),
          ] + (model.value.members ?? []))
      }
    }
    return rows.isEmpty
      ? "there is no price\n"
      : AnswerText.table(
        rows,
        [
          Column("PROVIDER", "provider"), Column("MODEL", "model"), Column(">INPUT", "input"),
          Column(">OUTPUT", "output"), Column(">CACHED", "cached"),
          Column(">REASONING", "reasoning"), Column(">CACHE CREATION", "cache_creation"),
        ])
  }
}

/// `pricing list`.
struct ListPricing: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List every price.")

  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest { ControlRequest(.get, PricingCommand.path) }
  func text(_ answer: JSONValue) -> String { PricingCommand.table(answer) }
}

/// `pricing set`.
struct SetPricing: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Set the prices given of one model; its others stay.")

  @Argument(help: "The provider's id.")
  var provider: String

  @Argument(help: "The model, by the provider's own name.")
  var model: String

  @Option(name: .long, help: ArgumentHelp("Of what is sent.", valueName: "usd"))
  var input: Decimal?

  @Option(name: .long, help: ArgumentHelp("Of what is answered.", valueName: "usd"))
  var output: Decimal?

  @Option(name: .long, help: ArgumentHelp("Of what the provider had kept.", valueName: "usd"))
  var cached: Decimal?

  @Option(name: .long, help: ArgumentHelp("Of what is thought.", valueName: "usd"))
  var reasoning: Decimal?

  @Option(name: .long, help: ArgumentHelp("Of what the provider keeps.", valueName: "usd"))
  var cacheCreation: Decimal?

  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    var price = RequestBody()
    price.set("input", input?.json)
    price.set("output", output?.json)
    price.set("cached", cached?.json)
    price.set("reasoning", reasoning?.json)
    price.set("cache_creation", cacheCreation?.json)
    let models = JSONValue.object([JSONValue.Member(model, .object(price.members))])
    return ControlRequest(
      .patch, PricingCommand.path, body: .object([JSONValue.Member(provider, models)]),
      ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { PricingCommand.table(answer) }
}

/// `pricing remove`.
struct RemovePricing: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "remove", abstract: "Remove the prices of a model, of a provider, or all.")

  @Argument(help: "The provider's id.")
  var provider: String?

  @Argument(help: "The model, by the provider's own name; without it all of the provider.")
  var model: String?

  @Flag(name: .long, help: "Every price there is.")
  var all = false

  @OptionGroup var writing: WriteOptions
  @OptionGroup var options: VerbOptions

  func validate() throws {
    guard all == (provider == nil) else {
      throw ValidationError("Name a provider, or give --all.")
    }
  }

  func request() -> ControlRequest {
    let query =
      all
      ? "all=true"
      : [("provider", provider), ("model", model)].compactMap { name, value in
        value.map { "\(name)=\(percentEncoded($0))" }
      }.joined(separator: "&")
    return ControlRequest(
      .delete, "\(PricingCommand.path)?\(query)", ifMatch: writing.ifMatch)
  }

  func text(_ answer: JSONValue) -> String { PricingCommand.table(answer) }
}

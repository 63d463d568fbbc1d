import Domain

extension ConfigurationFile {
  /// `pricing: {provider: {model: {input: …}}}`.
  static func prices(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Price] {
    guard let node = document.node("pricing") else { return [] }
    let providers = try Fields(anyNamesIn: node, path: "pricing", environment: environment)
    var out: [ConfigurationPlan.Price] = []
    for (provider, line) in providers.names {
      guard isIdentifier(provider) else {
        throw ConfigFault(
          .invalidValue, line: line, path: "pricing",
          "A provider's id has 1 to 64 letters, digits, `.`, `_` and `-`.")
      }
      guard let node = providers.node(provider) else { continue }
      let models = try Fields(
        anyNamesIn: node, path: providers.child(provider), environment: environment)
      for (model, line) in models.names {
        try checkModel(model, line, models.path)
        guard let node = models.node(model) else { continue }
        let fields = try Fields(
          node, path: models.child(model), environment: environment, .price)
        func amount(_ name: String) throws(ConfigFault) -> UInt64? {
          try fields.amount(name, 0...1_000_000_000_000)
        }
        guard let input = try amount("input") else { throw fields.missing("input") }
        guard let output = try amount("output") else { throw fields.missing("output") }
        out.append(
          ConfigurationPlan.Price(
            line: line, id: PriceID(provider: ProviderID(provider), model: model),
            price: Price(
              input: input, output: output, cached: try amount("cached"),
              reasoning: try amount("reasoning"), cacheCreation: try amount("cache-creation"))))
      }
    }
    return out
  }
}

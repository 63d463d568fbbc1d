import Domain

extension ConfigurationPlan {
  /// Prices in one row and one event: so many share a row at most.
  private static let pricesPerRow = 500

  /// What differs of the prices; one row of no change if nothing does.
  func pricing(_ state: ControlState) throws(ConfigFault) -> [PlannedChange] {
    let known = Set(providers.map(\.id)).union(state.providers.keys)
    for price in prices where !known.contains(price.id.provider) {
      let near = NearNames.of(
        price.id.provider.rawValue, among: known.map(\.rawValue).sorted())
      throw ConfigFault(
        .unknownName, line: price.line, path: "pricing.\(price.id.provider.rawValue)",
        "There is no provider \(Fields.shown(price.id.provider.rawValue)).",
        remedy: near.isEmpty
          ? "Prices stand under the id of a provider."
          : "Did you mean \(near.map { "`\($0)`" }.joined(separator: " or "))?")
    }
    guard let line = prices.first?.line else { return [] }
    let changed = prices.filter { state.pricing.prices[$0.id] != $0.price }
    guard !changed.isEmpty else {
      return [
        PlannedChange(
          kind: .unchanged, command: nil, text: "pricing: unchanged", line: line, path: "pricing")
      ]
    }
    return stride(from: 0, to: changed.count, by: Self.pricesPerRow).map { start in
      let part = changed[start..<min(start + Self.pricesPerRow, changed.count)]
      var differences = Differences()
      for price in part {
        _ = differences.take(
          "\(shown(price.id.provider.rawValue))/\(shown(price.id.model))",
          state.pricing.prices[price.id], price.price, Self.text)
      }
      var row = differences.row(
        "pricing",
        .pricing(.change(.init(set: part.map { .init(id: $0.id, price: $0.price) }))),
        part.first?.line ?? line)
      if part.allSatisfy({ state.pricing.prices[$0.id] == nil }) { row.kind = .added }
      row.path = "pricing"
      return row
    }
  }

  /// Prices that the file does not mention.
  func unmanagedPrices(in state: ControlState) -> [Unmanaged] {
    let known = Set(prices.map(\.id))
    return state.pricing.prices.keys.filter { !known.contains($0) }.sorted().map { id in
      let name = "\(id.provider.rawValue)/\(id.model)"
      return Unmanaged(
        what: "price", id: name, text: "price of \(shown(name)) is not in the file")
    }
  }

  /// `input 2.5, output 10`, in US dollars for a million tokens.
  private static func text(_ price: Domain.Price?) -> String {
    guard let price else { return "none" }
    let fields: [(String, UInt64?)] = [
      ("input", price.input), ("output", price.output), ("cached", price.cached),
      ("reasoning", price.reasoning), ("cache-creation", price.cacheCreation),
    ]
    return fields.compactMap { name, value in value.map { "\(name) \(decimalText(millionths: $0))" }
    }
    .joined(separator: ", ")
  }
}

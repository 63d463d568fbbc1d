extension Pricing {
  /// A field a model, `provider/model`.
  var image: Image {
    prices.sorted { $0.key < $1.key }.reduce(into: Image(.pricing)) { image, entry in
      image.add(entry.key.field, entry.value.imageValue)
    }
  }

  /// What makes the prices be as the image says.
  static func commands(_ before: Image?, _ after: Image) -> [Command] {
    let entries = after.fields.compactMap { field -> PricingEvent.Entry? in
      guard let id = PriceID(field: field.name) else { return nil }
      return .init(id: id, price: Price(imageValue: field.value))
    }
    let kept = Set(entries.map(\.id))
    let removed = (before?.fields ?? []).compactMap { PriceID(field: $0.name) }
      .filter { !kept.contains($0) }
    return [.pricing(.change(.init(set: entries, removed: removed)))]
  }
}

extension PriceID {
  fileprivate var field: String { "\(provider.rawValue)/\(model)" }

  fileprivate init?(field: String) {
    guard let (provider, model) = splitAtFirstSlash(field) else { return nil }
    self.init(provider: ProviderID(provider), model: model)
  }
}

extension Price {
  /// In millionths of a US dollar for a million tokens; what costs as something else is not there.
  public var imageValue: Image.Value {
    .record([
      .init("input", .number(input)), .init("output", .number(output)),
      .init("cached", Image.Value(cached)), .init("reasoning", Image.Value(reasoning)),
      .init("cacheCreation", Image.Value(cacheCreation)),
    ])
  }

  init(imageValue: Image.Value) {
    self.init(
      input: imageValue["input"].number ?? 0, output: imageValue["output"].number ?? 0,
      cached: imageValue["cached"].number, reasoning: imageValue["reasoning"].number,
      cacheCreation: imageValue["cacheCreation"].number)
  }
}

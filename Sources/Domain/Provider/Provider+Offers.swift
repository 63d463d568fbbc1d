extension Provider {
  /// A name that clients may write and the provider's own name for it.
  struct Offer {
    var name: String
    var upstreamModel: String
  }

  /// Every name under which clients reach a model here, in the order of `models`; excluded ones are not.
  ///
  /// A pattern that matches a model's own name excludes its second name with it.
  var offers: [Offer] {
    var offers: [Offer] = []
    offers.reserveCapacity(models.count)
    for model in models where !isExcluded(model.name) {
      offers.append(Offer(name: model.name, upstreamModel: model.name))
      if let alias = model.alias, !isExcluded(alias) {
        offers.append(Offer(name: alias, upstreamModel: model.name))
      }
    }
    return offers
  }

  /// Whether clients reach a model here by this name (without prefix).
  func isOffered(_ name: String) -> Bool {
    models.contains { model in
      (model.name == name || model.alias == name) && !isExcluded(model.name) && !isExcluded(name)
    }
  }

  private func isExcluded(_ name: String) -> Bool {
    excludedModels.contains { matches(name, wildcard: $0) }
  }
}

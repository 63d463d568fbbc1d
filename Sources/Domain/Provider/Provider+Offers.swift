extension Provider {
  /// A name that clients may write and the provider's own name for it.
  struct Offer {
    var name: String
    var upstreamModel: String
  }

  /// Every name under which clients reach a model here: in the order of `models`, then discovered ones.
  ///
  /// Excluded and disabled ones are not offered. A pattern that matches a model's own name excludes its
  /// second name with it, and a discovered name never takes one that the configuration gave.
  var offers: [Offer] {
    var offers: [Offer] = []
    offers.reserveCapacity(models.count + discoveredModels.count)
    for model in models where !isTakenOut(model.name) {
      offers.append(Offer(name: model.name, upstreamModel: model.name))
      if let alias = model.alias, !isExcluded(alias) {
        offers.append(Offer(name: alias, upstreamModel: model.name))
      }
    }
    if !discoveredModels.isEmpty {
      let configured = Set(models.flatMap { [$0.name, $0.alias ?? $0.name] })
      for name in discoveredModels where !configured.contains(name) && !isTakenOut(name) {
        offers.append(Offer(name: name, upstreamModel: name))
      }
    }
    return offers
  }

  /// Whether clients reach a model here by this name (without prefix).
  func isOffered(_ name: String) -> Bool {
    upstreamModel(of: name) != nil
  }

  /// The provider's own name of what clients reach here by this name (without prefix).
  func upstreamModel(of name: String) -> String? {
    let configured = models.first { $0.name == name || $0.alias == name }
    if let configured {
      return isTakenOut(configured.name) || isExcluded(name) ? nil : configured.name
    }
    return isDiscovered(name) && !isTakenOut(name) ? name : nil
  }

  /// Whether there is such a model by the provider's own name, offered or not.
  func has(model name: String) -> Bool {
    models.contains { $0.name == name } || isDiscovered(name)
  }

  /// Whether no request may go to this model, by the provider's own name.
  public func isTakenOut(_ name: String) -> Bool {
    isExcluded(name) || !disabledModels.isEmpty && disabledModels.contains(name)
  }

  private func isDiscovered(_ name: String) -> Bool {
    guard !discoveredModels.isEmpty else { return false }
    return discoveredModels.contains(name)
  }

  private func isExcluded(_ name: String) -> Bool {
    excludedModels.contains { matches(name, wildcard: $0) }
  }
}

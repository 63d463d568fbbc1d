/// What a name that clients may write stands for.
enum Meaning: Sendable {
  case target(Target)
  /// A combo's models, those that mean one provider, in its order; never empty.
  case combo([Target])
  /// A bare name that only disabled providers offer, and more than one of them: indexes of these.
  case disabled([Int])
  /// Names that say which one is meant.
  case ambiguous([String])
  /// An alias whose target nobody offers.
  case dangling(target: String)

  /// One model at one provider.
  struct Target: Sendable {
    /// Index into the providers, sorted by id.
    var provider: Int
    var upstreamModel: String
    /// `prefix/model`, as a key's allowed models are matched with.
    var qualified: String
    /// Seconds since the Unix epoch at which the name was made.
    var createdAt: Int64
  }
}

/// Works out what every name means; used once per snapshot.
///
/// The steps are those of the contract: `prefix/model`, then aliases, combos, policies and bare names. A later
/// step never takes a name that an earlier one could have meant, so that nothing falls through.
struct NameIndex {
  private(set) var meanings: [String: Meaning] = [:]
  private let providers: [Provider]
  /// Who offers a bare name, enabled or not, in the order of their prefixes.
  private var offering: [String: Offerings] = [:]
  private var prefixes: [String: Int] = [:]
  /// Of enabled providers, in the order in which they are listed.
  private var prefixed: [ListedModel] = []
  private var aliases: [ListedModel] = []

  private static let candidatesMax = 10

  private struct Offering {
    var provider: Int
    var upstreamModel: String
  }

  /// One or more; nearly always one, which needs no memory of its own.
  private struct Offerings {
    var first: Offering
    var others: [Offering] = []
    var all: [Offering] { [first] + others }
  }

  /// - Parameters:
  ///   - providers: sorted by id.
  ///   - others: how many names will be added beside those of providers.
  init(_ providers: [Provider], others: Int) {
    self.providers = providers
    let count = providers.reduce(0) { $0 + $1.models.count }
    meanings.reserveCapacity(3 * count + others)
    aliases.reserveCapacity(others)
    offering.reserveCapacity(count)
    prefixed.reserveCapacity(count)
    // Two providers never share a prefix; if a log says otherwise, the first by id has it.
    for (index, provider) in providers.enumerated() where prefixes[provider.prefix] == nil {
      prefixes[provider.prefix] = index
    }
    // With the slash, because that is what a longer prefix is compared with in the names.
    let inListedOrder = prefixes.map { (start: $0.key + "/", index: $0.value) }
      .sorted { $0.start < $1.start }
    for (start, index) in inListedOrder { addOffers(of: index, start) }
  }

  private mutating func addOffers(of index: Int, _ start: String) {
    let provider = providers[index]
    let created = seconds(provider.createdAt)
    for offer in provider.offers.sorted(by: { $0.name < $1.name }) {
      let name = start + offer.name
      meanings[name] = .target(
        Meaning.Target(
          provider: index, upstreamModel: offer.upstreamModel, qualified: name,
          createdAt: created))
      let own = Offering(provider: index, upstreamModel: offer.upstreamModel)
      if offering[offer.name]?.others.append(own) == nil {
        offering[offer.name] = Offerings(first: own)
      }
      if provider.isEnabled {
        prefixed.append(ListedModel(id: name, ownedBy: provider.id.rawValue, createdAt: created))
      }
    }
  }

  /// An alias means what its target means as a prefixed or bare name; never another alias.
  mutating func add(_ alias: AliasTarget) {
    guard meanings[alias.name] == nil else { return }
    let meaning = meaning(ofTarget: alias.target, created: seconds(alias.createdAt))
    meanings[alias.name] = meaning
    if case .target(let target) = meaning, providers[target.provider].isEnabled {
      aliases.append(
        ListedModel(
          id: alias.name, ownedBy: providers[target.provider].id.rawValue,
          createdAt: target.createdAt))
    }
  }

  /// A combo means its models as prefixed or bare names; those that mean nothing now are passed over.
  mutating func add(_ combo: Combo) {
    guard meanings[combo.name] == nil else { return }
    let created = seconds(combo.createdAt)
    var targets: [Meaning.Target] = []
    for model in combo.models {
      if case .target(let target) = meaning(ofTarget: model, created: created) {
        targets.append(target)
      }
    }
    guard !targets.isEmpty else {
      meanings[combo.name] = .dangling(target: combo.models.first ?? combo.name)
      return
    }
    meanings[combo.name] = .combo(targets)
    if targets.contains(where: { providers[$0.provider].isEnabled }) {
      aliases.append(ListedModel(id: combo.name, ownedBy: "combo", createdAt: created))
    }
  }

  /// Bare names last; where prefixes are forced, they only say what to write instead.
  mutating func addBareNames(isPrefixForced: Bool) {
    for (name, offering) in offering where meanings[name] == nil {
      guard !isUnderPrefix(name) else { continue }
      meanings[name] =
        isPrefixForced ? .ambiguous(candidates(name, offering.all)) : bareMeaning(name, offering)
    }
  }

  /// Everything listed, sorted by id.
  func listed() -> [ListedModel] {
    let aliases = aliases.sorted { $0.id < $1.id }
    var listed: [ListedModel] = []
    listed.reserveCapacity(prefixed.count + aliases.count)
    var rest = aliases[...]
    for model in prefixed {
      while let alias = rest.first, alias.id < model.id {
        listed.append(alias)
        rest.removeFirst()
      }
      listed.append(model)
    }
    return listed + rest
  }

  private func meaning(ofTarget target: String, created: Int64) -> Meaning {
    var meaning: Meaning
    if target.utf8.contains(Bounds.slash), let prefixed = meanings[target] {
      // Aliases have no slash in their names, so this can only be a prefixed name.
      meaning = prefixed
    } else if isUnderPrefix(target) {
      meaning = .dangling(target: target)
    } else if let offering = offering[target] {
      meaning = bareMeaning(target, offering)
    } else {
      meaning = .dangling(target: target)
    }
    if case .target(var place) = meaning {
      place.createdAt = created
      meaning = .target(place)
    }
    return meaning
  }

  private func bareMeaning(_ name: String, _ offerings: Offerings) -> Meaning {
    guard !offerings.others.isEmpty else { return .target(target(offerings.first)) }
    let enabled = offerings.all.filter { providers[$0.provider].isEnabled }
    if enabled.count > 1 { return .ambiguous(candidates(name, enabled)) }
    guard let only = enabled.first else {
      return .disabled(offerings.all.map(\.provider).sorted())
    }
    return .target(target(only))
  }

  private func target(_ offering: Offering) -> Meaning.Target {
    let provider = providers[offering.provider]
    return Meaning.Target(
      provider: offering.provider, upstreamModel: offering.upstreamModel,
      qualified: provider.prefix + "/" + offering.upstreamModel,
      createdAt: seconds(provider.createdAt))
  }

  private func candidates(_ name: String, _ offering: [Offering]) -> [String] {
    let names = offering.map { "\(providers[$0.provider].prefix)/\(name)" }
    return Array(names.sorted().prefix(Self.candidatesMax))
  }

  private func isUnderPrefix(_ name: String) -> Bool {
    guard name.utf8.contains(Bounds.slash), let (prefix, _) = splitAtFirstSlash(name) else {
      return false
    }
    return prefixes[prefix] != nil
  }
}

private func seconds(_ time: UnixNanoseconds) -> Int64 {
  let (seconds, rest) = time.rawValue.quotientAndRemainder(dividingBy: 1_000_000_000)
  return rest < 0 ? seconds - 1 : seconds
}

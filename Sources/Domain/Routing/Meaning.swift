/// What a name that clients may write stands for.
enum Meaning: Sendable {
  case target(Target)
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
    /// Seconds since the Unix epoch at which the name was made.
    var createdAt: Int64
  }
}

/// Works out what every name means; used once per snapshot.
///
/// The steps are those of the contract: `prefix/model`, then aliases, then bare names. A later step never takes
/// a name that an earlier one could have meant, so that nothing falls through.
struct NameIndex {
  private(set) var meanings: [String: Meaning] = [:]
  private let providers: [Provider]
  /// Who offers a bare name, enabled or not, in the order of the providers.
  private var offering: [String: [Offering]] = [:]
  private var prefixes: [String: Int] = [:]
  private var prefixed: [ListedModel] = []
  private var aliases: [ListedModel] = []

  private static let candidatesMax = 10

  private struct Offering {
    var provider: Int
    var upstreamModel: String
  }

  /// - Parameter providers: sorted by id.
  init(_ providers: [Provider]) {
    self.providers = providers
    let count = providers.reduce(0) { $0 + $1.models.count }
    meanings.reserveCapacity(3 * count)
    for (index, provider) in providers.enumerated() {
      // Two providers never share a prefix; if a log says otherwise, the first by id has it.
      guard prefixes[provider.prefix] == nil else { continue }
      prefixes[provider.prefix] = index
      let created = seconds(provider.createdAt)
      for offer in provider.offers {
        let name = "\(provider.prefix)/\(offer.name)"
        let target = Meaning.Target(
          provider: index, upstreamModel: offer.upstreamModel, createdAt: created)
        meanings[name] = .target(target)
        offering[offer.name, default: []].append(
          Offering(provider: index, upstreamModel: offer.upstreamModel))
        if provider.isEnabled {
          prefixed.append(
            ListedModel(id: name, ownedBy: provider.id.rawValue, createdAt: created))
        }
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

  /// Bare names last; where prefixes are forced, they only say what to write instead.
  mutating func addBareNames(isPrefixForced: Bool) {
    for (name, offering) in offering where meanings[name] == nil {
      guard !isUnderPrefix(name) else { continue }
      meanings[name] =
        isPrefixForced ? .ambiguous(candidates(name, offering)) : bareMeaning(name, offering)
    }
  }

  func listed(_ state: ControlState) -> [ListedModel] {
    (prefixed + aliases).sorted { $0.id < $1.id }
  }

  private func meaning(ofTarget target: String, created: Int64) -> Meaning {
    var meaning: Meaning
    if let slash = splitAtFirstSlash(target), prefixes[slash.prefix] != nil {
      // Aliases have no slash in their names, so this can only be a prefixed name.
      meaning = meanings[target] ?? .dangling(target: target)
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

  private func bareMeaning(_ name: String, _ offering: [Offering]) -> Meaning {
    let enabled = offering.filter { providers[$0.provider].isEnabled }
    if enabled.count > 1 { return .ambiguous(candidates(name, enabled)) }
    guard let only = enabled.first ?? (offering.count == 1 ? offering.first : nil) else {
      return .disabled(offering.map(\.provider))
    }
    return .target(
      Meaning.Target(
        provider: only.provider, upstreamModel: only.upstreamModel,
        createdAt: seconds(providers[only.provider].createdAt)))
  }

  private func candidates(_ name: String, _ offering: [Offering]) -> [String] {
    let names = offering.map { "\(providers[$0.provider].prefix)/\(name)" }
    return Array(names.sorted().prefix(Self.candidatesMax))
  }

  private func isUnderPrefix(_ name: String) -> Bool {
    guard let slash = splitAtFirstSlash(name) else { return false }
    return prefixes[slash.prefix] != nil
  }
}

private func seconds(_ time: UnixNanoseconds) -> Int64 {
  let (seconds, rest) = time.rawValue.quotientAndRemainder(dividingBy: 1_000_000_000)
  return rest < 0 ? seconds - 1 : seconds
}

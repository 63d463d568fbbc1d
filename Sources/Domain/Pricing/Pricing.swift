/// What tokens of a model cost.
///
/// In millionths of a US dollar for a million tokens, which is pico-dollars a token; up to 10^12.
public struct Price: Sendable, Hashable {
  /// Tokens of requests.
  public var input: UInt64
  /// Tokens of answers.
  public var output: UInt64
  /// Tokens of requests that upstream had in its cache; nil: as input.
  public var cached: UInt64?
  /// Tokens of thinking; nil: as output.
  public var reasoning: UInt64?
  /// Tokens written to upstream's cache; nil: as input.
  public var cacheCreation: UInt64?

  /// Made of its parts.
  public init(
    input: UInt64, output: UInt64, cached: UInt64? = nil, reasoning: UInt64? = nil,
    cacheCreation: UInt64? = nil
  ) {
    self.input = input
    self.output = output
    self.cached = cached
    self.reasoning = reasoning
    self.cacheCreation = cacheCreation
  }
}

/// Of which model a price is.
public struct PriceID: Sendable, Hashable, Comparable {
  /// Whose model.
  public var provider: ProviderID
  /// The provider's own name of it.
  public var model: String

  /// Made of its parts.
  public init(provider: ProviderID, model: String) {
    self.provider = provider
    self.model = model
  }

  /// By provider, then by model.
  public static func < (a: Self, b: Self) -> Bool {
    (a.provider, a.model) < (b.provider, b.model)
  }
}

/// Facts in `pricing`.
public enum PricingEvent: Sendable, Hashable {
  case changed(Changed)

  /// Only the prices that changed.
  public struct Changed: Sendable, Hashable {
    /// Those set, sorted by id.
    public var set: [Entry]
    /// Those removed, sorted.
    public var removed: [PriceID]

    /// Made of its parts.
    public init(set: [Entry] = [], removed: [PriceID] = []) {
      self.set = set
      self.removed = removed
    }
  }

  /// A model and its price.
  public struct Entry: Sendable, Hashable {
    /// Of which model.
    public var id: PriceID
    /// What its tokens cost from now on.
    public var price: Price

    /// Made of its parts.
    public init(id: PriceID, price: Price) {
      self.id = id
      self.price = price
    }
  }
}

/// All prices as they stand.
public struct Pricing: Sendable, Hashable {
  /// By model.
  public var prices: [PriceID: Price]
  /// Of `pricing`: the price version that requests record.
  public var revision: UInt64
  /// When the first price was set.
  public var createdAt: UnixNanoseconds
  /// When one was last changed.
  public var updatedAt: UnixNanoseconds

  /// No price at all.
  public static let initial = Pricing(
    prices: [:], revision: 0, createdAt: UnixNanoseconds(0), updatedAt: UnixNanoseconds(0))

  /// Made of its parts.
  public init(
    prices: [PriceID: Price], revision: UInt64, createdAt: UnixNanoseconds,
    updatedAt: UnixNanoseconds
  ) {
    self.prices = prices
    self.revision = revision
    self.createdAt = createdAt
    self.updatedAt = updatedAt
  }
}

/// What can be asked of the prices.
public enum PricingCommand: Sendable, Hashable {
  /// Sets and removes; removing a price that is not there is no event.
  case change(PricingEvent.Changed)
}

extension Pricing {
  static let entriesMax = 10_000

  /// The rules of the prices.
  static func decide(
    _ command: PricingCommand, _ state: Pricing
  ) throws(Refusal) -> [PricingEvent] {
    switch command {
    case .change(let wanted):
      for entry in wanted.set { try check(entry) }
      let removed = Set(wanted.removed)
      let changed = PricingEvent.Changed(
        set: wanted.set.filter { state.prices[$0.id] != $0.price && !removed.contains($0.id) }
          .sorted { $0.id < $1.id },
        removed: removed.filter { state.prices[$0] != nil }.sorted())
      for (one, next) in zip(changed.set, changed.set.dropFirst()) where one.id == next.id {
        throw .invalid("pricing", one.id.model, "a model's price is given twice")
      }
      let added = changed.set.count { state.prices[$0.id] == nil }
      let count = state.prices.count + added - changed.removed.count
      try Bounds.within(count, 0...entriesMax, "number of prices")
      return changed == PricingEvent.Changed() ? [] : [.changed(changed)]
    }
  }

  /// Takes in a fact; total.
  mutating func evolve(_ event: PricingEvent, revision: UInt64, time: UnixNanoseconds) {
    switch event {
    case .changed(let it):
      for id in it.removed { prices[id] = nil }
      for entry in it.set { prices[entry.id] = entry.price }
    }
    if self.revision == 0 { createdAt = time }
    self.revision = revision
    updatedAt = time
  }

  private static func check(_ entry: PricingEvent.Entry) throws(Refusal) {
    try Bounds.identifier(entry.id.provider.rawValue, "provider")
    try Bounds.modelName(entry.id.model, "model")
    let price = entry.price
    let fields: [(String, UInt64?)] = [
      ("input", price.input), ("output", price.output), ("cached", price.cached),
      ("reasoning", price.reasoning), ("cache_creation", price.cacheCreation),
    ]
    for (name, value) in fields {
      if let value { try Bounds.within(value, 0...1_000_000_000_000, name) }
    }
  }
}

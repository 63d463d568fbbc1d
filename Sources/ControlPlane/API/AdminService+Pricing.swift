import Domain
import Surface

/// `/api/pricing`: what tokens cost, by provider and model.
///
/// Prices are US dollars for a million tokens, exact to six decimals. Neither provider nor model need be
/// known: prices may come before the models they are of, and outlive them.
extension AdminService {
  func getPricing() -> AdminAnswer { one(control.state.pricing) }

  /// Merges per field; what the body does not name stays.
  func changePricing(_ call: AdminCall) async throws -> AdminAnswer {
    let patches = try Self.patches(try call.json())
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      let set = try patches.map { patch in
        PricingEvent.Entry(id: patch.id, price: try patch.applied(to: state.pricing))
      }
      return [Change(.pricing(.change(.init(set: set))))]
    }
    return one(outcome.state.pricing)
  }

  func removePricing(_ call: AdminCall) async throws -> AdminAnswer {
    let provider = try call.query.text("provider").map { ProviderID($0) }
    let model = try call.query.text("model")
    let isAll = try call.query.bool("all") ?? false
    guard isAll != (provider != nil), provider != nil || model == nil else {
      throw APIFault(
        .missingField, "The query does not say which prices to remove.", field: "provider",
        remedy:
          "Add ?provider=<id>, ?provider=<id>&model=<name>, or ?all=true for every price there is.")
    }
    let outcome = try await control.execute(provenance: call.provenance, ifMatch: call.ifMatch) {
      state in
      let ids = state.pricing.prices.keys.filter { id in
        (provider ?? id.provider) == id.provider && (model ?? id.model) == id.model
      }
      guard isAll || !ids.isEmpty else {
        throw APIFault(.notFound, "There is no such price.", remedy: "See `GET /api/pricing`.")
      }
      return [Change(.pricing(.change(.init(removed: ids.sorted()))))]
    }
    return one(outcome.state.pricing)
  }

  private func one(_ pricing: Pricing) -> AdminAnswer {
    let prices = pricing.prices.sorted { $0.key < $1.key }
    var providers: [JSONValue.Member] = []
    for (id, price) in prices {
      let model = JSONValue.Member(id.model, JSONValue(price))
      if let last = providers.last, last.name == id.provider.rawValue {
        providers[providers.count - 1].value = .object((last.value.members ?? []) + [model])
      } else {
        providers.append(.init(id.provider.rawValue, .object([model])))
      }
    }
    return .json(.object(providers), revision: pricing.revision)
  }

  /// `{provider: {model: {input, …}}}`; a fault names the path of the value.
  private static func patches(_ body: JSONValue) throws -> [PricePatch] {
    var patches: [PricePatch] = []
    for provider in try members(body, "The body") {
      let path = Refusal.bounded(provider.name)
      for model in try members(provider.value, path) {
        let fields = try ObjectReader(
          model.value, path: "\(path).\(Refusal.bounded(model.name))")
        patches.append(
          try PricePatch(PriceID(provider: ProviderID(provider.name), model: model.name), fields))
      }
    }
    return patches
  }

  private static func members(_ value: JSONValue, _ path: String) throws -> [JSONValue.Member] {
    guard let members = value.members else {
      throw FieldFault(
        code: .invalidField, field: path == "The body" ? "" : path,
        message: "\(path) is \(value.typeName)",
        remedy: #"Send {"<provider>": {"<model>": {"input": 2.5, "output": 10}}}."#)
    }
    return members
  }
}

/// What a body says of one model's price.
private struct PricePatch: Sendable {
  let id: PriceID
  private let input: UInt64?
  private let output: UInt64?
  private let cached: ObjectReader.Given<UInt64>
  private let reasoning: ObjectReader.Given<UInt64>
  private let cacheCreation: ObjectReader.Given<UInt64>
  private let path: String

  init(_ id: PriceID, _ reader: ObjectReader) throws {
    var fields = reader
    let range: ClosedRange<UInt64> = 0...1_000_000_000_000
    self.id = id
    path = "\(Refusal.bounded(id.provider.rawValue)).\(Refusal.bounded(id.model))"
    input = try Self.required(&fields, "input", range)
    output = try Self.required(&fields, "output", range)
    cached = try fields.givenAmount("cached", in: range)
    reasoning = try fields.givenAmount("reasoning", in: range)
    cacheCreation = try fields.givenAmount("cache_creation", in: range)
    try fields.finish()
  }

  /// The price with these fields; one that is not there yet needs both that every price has.
  func applied(to pricing: Pricing) throws -> Price {
    let old = pricing.prices[id]
    return Price(
      input: try needed("input", input ?? old?.input),
      output: try needed("output", output ?? old?.output),
      cached: Self.merged(cached, old?.cached), reasoning: Self.merged(reasoning, old?.reasoning),
      cacheCreation: Self.merged(cacheCreation, old?.cacheCreation))
  }

  private func needed(_ name: String, _ value: UInt64?) throws -> UInt64 {
    guard let value else {
      throw FieldFault(
        code: .missingField, field: "\(path).\(name)", message: "\(path).\(name) is missing",
        remedy: "A model's first price has input and output.")
    }
    return value
  }

  private static func merged(_ given: ObjectReader.Given<UInt64>, _ old: UInt64?) -> UInt64? {
    switch given {
    case .absent: old
    case .null: nil
    case .value(let value): value
    }
  }

  /// A field that a price never lacks, so that null is refused.
  private static func required(
    _ fields: inout ObjectReader, _ name: String, _ range: ClosedRange<UInt64>
  ) throws -> UInt64? {
    switch try fields.givenAmount(name, in: range) {
    case .absent: return nil
    case .value(let value): return value
    case .null:
      throw fields.fault(name, "\(name) is null", remedy: "Leave it out, or give it a value.")
    }
  }
}

extension JSONValue {
  /// All five fields; null where another field's price holds.
  fileprivate init(_ price: Price) {
    func amount(_ value: UInt64?) -> JSONValue { value.map { JSONValue(millionths: $0) } ?? .null }
    self = [
      "input": amount(price.input), "output": amount(price.output),
      "cached": amount(price.cached), "reasoning": amount(price.reasoning),
      "cache_creation": amount(price.cacheCreation),
    ]
  }
}

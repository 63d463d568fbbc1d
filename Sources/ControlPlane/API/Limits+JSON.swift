import Domain
import Surface

extension ObjectReader {
  /// `limits` as one field: what it leaves out has no limit; nil leaves all as they are.
  mutating func changedLimits() throws -> Limits? {
    guard var fields = try optionalObject("limits") else {
      try refuseNull("limits")
      return nil
    }
    let limits = Limits(
      requestsPerSecond: UInt32(try fields.changedInt("rps", in: 0...1_000_000) ?? 0),
      burst: UInt32(try fields.changedInt("burst", in: 0...1_000_000) ?? 0),
      requestsPerMinute: UInt32(try fields.changedInt("rpm", in: 0...10_000_000) ?? 0),
      tokensPerMinute: UInt64(try fields.changedInt("tpm", in: 0...1_000_000_000_000) ?? 0),
      concurrency: UInt32(try fields.changedInt("concurrency", in: 0...100_000) ?? 0))
    try fields.finish()
    return limits
  }

  /// `budgets` as one field: the list is all of them; nil leaves all as they are.
  mutating func changedBudgets() throws -> [Budget]? {
    guard let readers = try optionalObjects("budgets") else {
      try refuseNull("budgets")
      return nil
    }
    return try readers.map { reader in
      var fields = reader
      let name = try fields.string("period")
      guard let period = Budget.Period.allCases.first(where: { $0.name == name }) else {
        let names = Budget.Period.allCases.map(\.name).joined(separator: ", ")
        throw fields.fault(
          "period", "there is no such period", remedy: "Choose one of \(names).")
      }
      let budget = Budget(
        period: period, timezone: try fields.changedString("timezone") ?? "UTC",
        microUSD: try fields.givenAmount("usd", in: 1...1_000_000_000_000_000).value,
        tokens: try fields.optionalInt("tokens", in: 1...1_000_000_000_000_000)
          .map { UInt64($0) })
      try fields.finish()
      return budget
    }
  }

  private func refuseNull(_ name: String) throws {
    guard contains(name) else { return }
    throw fault(name, "\(name) is null", remedy: "Leave it out, or send it empty.")
  }
}

extension JSONValue {
  /// All limits; 0: none.
  init(_ limits: Limits) {
    self = [
      "rps": JSONValue(limits.requestsPerSecond), "burst": JSONValue(limits.burst),
      "rpm": JSONValue(limits.requestsPerMinute), "tpm": JSONValue(limits.tokensPerMinute),
      "concurrency": JSONValue(limits.concurrency),
    ]
  }

  /// All budgets, the dollars exactly as they were given.
  init(_ budgets: [Budget]) {
    self = .array(
      budgets.map { budget in
        [
          "period": JSONValue(budget.period.name), "timezone": JSONValue(budget.timezone),
          "usd": budget.microUSD.map { JSONValue(millionths: $0) } ?? .null,
          "tokens": JSONValue(budget.tokens),
        ]
      })
  }
}

extension AdminService {
  /// What is used of limits and budgets now; null while no gateway runs.
  func usage(of scope: LimitScope, _ budgets: [Budget]) -> JSONValue {
    guard let usage = usage?.usage(of: scope, budgets: budgets, at: edge.now()) else {
      return .null
    }
    func json(_ period: Budget.Period, _ used: PeriodUsage) -> JSONValue {
      let budget = budgets.first { $0.period == period }
      func left(_ limit: UInt64?, _ used: UInt64, _ reserved: UInt64) -> UInt64? {
        limit.map { $0 - min($0, used) }.map { $0 - min($0, reserved) }
      }
      let usd = left(budget?.microUSD, used.used.microUSD, used.reserved.microUSD)
      return [
        "usd": [
          "used": JSONValue(millionths: used.used.microUSD),
          "reserved": JSONValue(millionths: used.reserved.microUSD),
          "remaining": usd.map { JSONValue(millionths: $0) } ?? .null,
        ],
        "tokens": [
          "used": JSONValue(used.used.tokens), "reserved": JSONValue(used.reserved.tokens),
          "remaining": JSONValue(
            left(budget?.tokens, used.used.tokens, used.reserved.tokens)),
        ],
        "resetsAt": JSONValue(used.resetsAt),
      ]
    }
    return [
      "requestsUnderWay": JSONValue(usage.underWay), "day": json(.day, usage.day),
      "month": json(.month, usage.month),
    ]
  }
}

import Domain

extension ConfigurationFile {
  static func organisations(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Organisation] {
    var out: [ConfigurationPlan.Organisation] = []
    var ids: Uniqueness = .init("organisation")
    for (node, path) in try document.list("organisations", max: 10_000) ?? [] {
      let fields = try Fields(node, path: path, environment: environment, .organisation)
      let id = try identifier(fields, "id")
      try ids.add(id, fields.line(of: "id"), fields.child("id"))
      out.append(
        ConfigurationPlan.Organisation(
          line: fields.line, id: OrganisationID(id), name: try fields.text("name", max: 512),
          limits: try limits(fields, environment), budgets: try budgets(fields, environment)))
    }
    return out
  }

  /// All limits of an organisation or a key: what is left out has none.
  static func limits(
    _ holder: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> Limits? {
    guard let node = holder.node("limits") else { return nil }
    let fields = try Fields(
      node, path: holder.child("limits"), environment: environment, .limits)
    let limits = Limits(
      requestsPerSecond: try fields.number("rps").map(UInt32.init) ?? 0,
      burst: try fields.number("burst").map(UInt32.init) ?? 0,
      requestsPerMinute: try fields.number("rpm").map(UInt32.init) ?? 0,
      tokensPerMinute: try fields.number("tpm") ?? 0,
      concurrency: try fields.number("concurrency").map(UInt32.init) ?? 0)
    guard limits.burst == 0 || limits.requestsPerSecond > 0 else {
      throw ConfigFault(
        .invalidValue, line: fields.line(of: "burst"), path: fields.child("burst"),
        "A burst says nothing without a rate.", remedy: "Set `rps` as well.")
    }
    return limits
  }

  /// All budgets of an organisation or a key.
  static func budgets(
    _ holder: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [Budget]? {
    guard let elements = try holder.list("budgets", max: Budget.Period.allCases.count) else {
      return nil
    }
    var out: [Budget] = []
    var periods: Uniqueness = .init("period")
    for (node, path) in elements {
      let fields = try Fields(node, path: path, environment: environment, .budget)
      let name = try fields.requiredText("period", max: 16)
      let all = Budget.Period.allCases.map { "`\($0.name)`" }.joined(separator: " or ")
      guard let period = Budget.Period.allCases.first(where: { $0.name == name }) else {
        throw ConfigFault(
          .invalidValue, line: fields.line(of: "period"), path: fields.child("period"),
          "There is no period \(Fields.shown(name)).", remedy: "Write \(all).")
      }
      try periods.add(name, fields.line(of: "period"), fields.child("period"))
      let timezone = try fields.text("timezone", max: 64) ?? "UTC"
      guard Budget.isTimezone(timezone) else {
        throw ConfigFault(
          .invalidValue, line: fields.line(of: "timezone"), path: fields.child("timezone"),
          "\(Fields.shown(timezone)) is not a timezone that budgets have.",
          remedy: "Write `UTC` or a fixed offset such as `+02:00`.")
      }
      let budget = Budget(
        period: period, timezone: timezone,
        microUSD: try fields.amount("usd", 1...1_000_000_000_000_000),
        tokens: try fields.number("tokens"))
      guard budget.microUSD != nil || budget.tokens != nil else {
        throw ConfigFault(
          .missingField, line: fields.line, path: path, "A budget limits `usd`, `tokens` or both.",
          remedy: "Add one of the two.")
      }
      out.append(budget)
    }
    return out
  }
}

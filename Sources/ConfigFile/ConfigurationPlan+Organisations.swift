import Domain

extension ConfigurationPlan {
  /// Organisations that exist by being named by a key.
  func impliedOrganisations(_ state: ControlState) -> [PlannedChange] {
    var seen = Set(organisations.map(\.id))
    return keys.compactMap { key in
      guard let id = key.organisation, state.organisations[id] == nil,
        seen.insert(id).inserted
      else { return nil }
      return PlannedChange(
        kind: .added, command: .organisation(.create(.init(id: id, name: id.rawValue))),
        text: "organisation \(shown(id.rawValue)): new, named by the key \(shown(key.name))",
        line: key.line, path: key.path)
    }
  }

  /// Organisations that the file does not mention, not even by a key.
  func unmanagedOrganisations(in state: ControlState) -> [Unmanaged] {
    let known = Set(organisations.map(\.id)).union(keys.compactMap(\.organisation))
    // One without an event of its own is there because the gateway needs it.
    return state.organisations.values.filter { $0.revision > 0 && !known.contains($0.id) }
      .sorted { $0.id < $1.id }
      .map { organisation in
        Unmanaged(
          what: "organisation", id: organisation.id.rawValue,
          text: "organisation \(shown(organisation.id.rawValue)) is not in the file")
      }
  }
}

extension ConfigurationPlan.Organisation {
  func change(_ state: ControlState) -> PlannedChange {
    let title = "organisation \(shown(id.rawValue))"
    guard let old = state.organisations[id] else {
      let created = OrganisationCommand.Create(
        id: id, name: name ?? id.rawValue, limits: limits ?? .none, budgets: budgets ?? [])
      return PlannedChange(
        kind: .added, command: .organisation(.create(created)),
        text: "\(title): new, limits \(told(created.limits)), budgets \(told(created.budgets))",
        line: line)
    }
    var differences = Differences()
    var changed = OrganisationCommand.Change(id: id)
    changed.name = differences.take("name", old.name, name, shown)
    changed.limits = differences.take("limits", old.limits, limits, told)
    changed.budgets = differences.take("budgets", old.budgets, budgets, told)
    return differences.row(title, .organisation(.change(changed)), line)
  }
}

/// `rps 100, burst 200`, or `none`.
func told(_ limits: Limits) -> String {
  let fields: [(String, UInt64)] = [
    ("rps", UInt64(limits.requestsPerSecond)), ("burst", UInt64(limits.burst)),
    ("rpm", UInt64(limits.requestsPerMinute)), ("tpm", limits.tokensPerMinute),
    ("concurrency", UInt64(limits.concurrency)),
  ]
  let set = fields.filter { $0.1 > 0 }.map { "\($0.0) \($0.1)" }
  return set.isEmpty ? "none" : set.joined(separator: ", ")
}

/// `500 USD a month (UTC)`, or `none`.
func told(_ budgets: [Budget]) -> String {
  if budgets.isEmpty { return "none" }
  return budgets.map { budget in
    let amounts =
      (budget.microUSD.map { ["\(decimalText(millionths: $0)) USD"] } ?? [])
      + (budget.tokens.map { ["\($0) tokens"] } ?? [])
    return "\(amounts.joined(separator: " and ")) a \(budget.period.name) (\(budget.timezone))"
  }.joined(separator: ", ")
}

import Domain

extension ConfigurationPlan {
  /// Combos and policies that the file does not mention.
  func unmanagedRouting(in state: ControlState) -> [Unmanaged] {
    let names = Set(combos.map(\.name))
    let ids = Set(policies.map(\.id))
    return state.combos.keys.filter { !names.contains($0) }.sorted()
      .map { Unmanaged(what: "combo", id: $0, text: "combo \(shown($0)) is not in the file") }
      + state.policies.keys.filter { !ids.contains($0) }.sorted().map { id in
        let name = "\(id.organisation.rawValue)/\(id.model)"
        return Unmanaged(
          what: "policy", id: name, text: "policy \(shown(name)) is not in the file")
      }
  }
}

extension ConfigurationPlan.Combo {
  func change(_ state: ControlState) -> PlannedChange {
    let title = "combo \(shown(name))"
    func list(_ models: [String]) -> String { models.map(shown).joined(separator: ", ") }
    let set = Command.combo(.set(name: name, models: models, allowUnresolved: false))
    guard let old = state.combos[name] else {
      return PlannedChange(
        kind: .added, command: set, text: "\(title): new → \(list(models))", line: line)
    }
    var differences = Differences()
    _ = differences.take("models", old.models, models, list)
    return differences.row(title, set, line)
  }
}

extension ConfigurationPlan.Policy {
  /// Where nothing else was ever said: consecutive failures after which an account cools.
  static let failoverThreshold: UInt32 = 3

  func change(
    _ state: ControlState, _ accounts: AccountDirectory
  ) throws(ConfigFault) -> PlannedChange {
    let title = "policy \(shown(id.organisation.rawValue))/\(shown(id.model))"
    var shares: [PolicyAccount] = []
    var holders: [AccountID: Int] = [:]
    for share in self.accounts {
      let account = try accounts.id(share.account)
      if let line = holders.updateValue(share.account.line, forKey: account) {
        throw ConfigFault(
          .duplicate, line: share.account.line, path: share.account.path,
          "The account \(Fields.shown(share.account.name)) stands already in line \(line).",
          remedy: "Keep one of them.")
      }
      shares.append(PolicyAccount(account: account, weight: share.weight))
    }
    func list(_ shares: [PolicyAccount]) -> String {
      shares.map { "\(shown($0.account.rawValue)) \($0.weight)" }.joined(separator: ", ")
    }
    let old = state.policies[id]
    let threshold = failoverThreshold ?? old?.failoverThreshold ?? Self.failoverThreshold
    let set = Command.policy(
      .set(id, accounts: shares, failoverThreshold: threshold, allowUnresolved: false))
    guard let old else {
      return PlannedChange(
        kind: .added, command: set,
        text: "\(title): new, accounts \(list(shares)), failover-threshold \(threshold)",
        line: line)
    }
    var differences = Differences()
    _ = differences.take("accounts", old.accounts, shares, list)
    _ = differences.take("failover-threshold", old.failoverThreshold, failoverThreshold) {
      String($0)
    }
    return differences.row(title, set, line)
  }
}

import Domain
import Yams

/// What clients may ask for beside models: aliases, combos and policies.
extension ConfigurationFile {
  static func aliases(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Alias] {
    guard let node = document.node("aliases") else { return [] }
    let fields = try Fields(anyNamesIn: node, path: "aliases", environment: environment)
    var out: [ConfigurationPlan.Alias] = []
    for (name, line) in fields.names {
      try checkPublicName(name, "An alias's name", line, "aliases")
      let target = try fields.requiredText(name, max: 256)
      try visible(target, line, fields.child(name))
      out.append(ConfigurationPlan.Alias(line: line, name: name, target: target))
    }
    return out
  }

  static func combos(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Combo] {
    guard let node = document.node("combos") else { return [] }
    let fields = try Fields(anyNamesIn: node, path: "combos", environment: environment)
    var out: [ConfigurationPlan.Combo] = []
    for (name, line) in fields.names {
      try checkPublicName(name, "A combo's name", line, "combos")
      let models = try names(fields, name, "model", most: 32, length: 256) ?? []
      guard !models.isEmpty else {
        throw ConfigFault(
          .invalidValue, line: line, path: fields.child(name), "A combo has at least one model.",
          remedy: "Write `\(name): [prefix/model, …]`.")
      }
      out.append(ConfigurationPlan.Combo(line: line, name: name, models: models.map(\.text)))
    }
    return out
  }

  static func policies(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Policy] {
    var out: [ConfigurationPlan.Policy] = []
    var ids: Uniqueness = .init("policy for")
    for (node, path) in try document.list("policies", max: 10_000) ?? [] {
      let fields = try Fields(node, path: path, environment: environment, .policy)
      let everyone = PolicyID.everyone.rawValue
      let organisation =
        try fields.text("organisation") == everyone ? everyone : identifier(fields, "organisation")
      guard let model = try modelName(fields, "model") else { throw fields.missing("model") }
      try ids.add("\(organisation)/\(model)", fields.line(of: "model"), fields.child("model"))
      out.append(
        ConfigurationPlan.Policy(
          line: fields.line, path: path,
          id: PolicyID(organisation: OrganisationID(organisation), model: model),
          accounts: try shares(fields, environment),
          failoverThreshold: try fields.number("failover-threshold").map(UInt32.init)))
    }
    return out
  }

  private static func shares(
    _ policy: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Policy.Share] {
    guard let elements = try policy.list("accounts", max: 64) else {
      throw policy.missing("accounts")
    }
    var out: [ConfigurationPlan.Policy.Share] = []
    var seen: Uniqueness = .init("account")
    for (node, path) in elements {
      if case .scalar = node {
        throw ConfigFault(
          .wrongType, line: node.mark?.line, path: path,
          "An account's share is written with its fields, not as a bare name.",
          remedy: "Write `{name: …, weight: 1}`.")
      }
      let fields = try Fields(node, path: path, environment: environment, .share)
      let name = try fields.requiredText("name", max: 129)
      try visible(name, fields.line(of: "name"), fields.child("name"))
      try seen.add(name, fields.line(of: "name"), fields.child("name"))
      out.append(
        ConfigurationPlan.Policy.Share(
          account: .init(
            name: name, line: fields.line(of: "name"), path: fields.child("name")),
          weight: try fields.number("weight").map(UInt32.init) ?? 1))
    }
    guard out.contains(where: { $0.weight > 0 }) else {
      throw ConfigFault(
        .invalidValue, line: policy.line(of: "accounts"), path: policy.child("accounts"),
        "Some account must have a weight above 0.", remedy: "Write `{name: …, weight: 1}`.")
    }
    return out
  }
}

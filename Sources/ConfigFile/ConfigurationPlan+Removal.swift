public import Domain

extension ConfigurationPlan {
  /// Something that the file says shall not be there: the only way in which a file removes.
  public struct Removal: Sendable, Hashable {
    /// Where it stands in the file, from 1.
    public var line: Int
    /// For example `remove.aliases[0]`.
    var path: String
    /// What shall go.
    public var what: What

    /// What a file can remove.
    public enum What: Sendable, Hashable {
      case alias(String)
      case combo(String)
      case policy(PolicyID)
      case account(ProviderID, name: String)
      /// Every key of this name is revoked.
      case key(String)
      case provider(ProviderID)
      case organisation(OrganisationID)
    }
  }
}

extension ConfigurationPlan.Removal {
  /// The sections of `remove:`, in an order in which nothing is taken away that others still need.
  static let sections = [
    "aliases", "combos", "policies", "accounts", "keys", "providers", "organisations",
  ]

  /// What to command for it.
  func changes(_ state: ControlState) -> [PlannedChange] {
    let commands: [Command]
    switch what {
    case .alias(let name):
      commands = state.aliases[name] == nil ? [] : [.alias(.remove(name: name))]
    case .combo(let name): commands = state.combos[name] == nil ? [] : [.combo(.remove(name: name))]
    case .policy(let id): commands = state.policies[id] == nil ? [] : [.policy(.remove(id))]
    case .account(let provider, let name):
      commands = state.accounts.values.filter { $0.provider == provider && $0.name == name }
        .map { .account(.remove($0.id)) }
    case .key(let name):
      commands = state.keys.values.filter { $0.name == name && $0.status != .revoked }
        .map(\.id).sorted().map { .key(.revoke($0)) }
    case .provider(let id): commands = state.providers[id] == nil ? [] : [.provider(.remove(id))]
    case .organisation(let id):
      commands = state.organisations[id] == nil ? [] : [.organisation(.remove(id))]
    }
    guard !commands.isEmpty else {
      return [
        PlannedChange(
          kind: .unchanged, command: nil, text: "\(title): gone already, as `remove` asks",
          line: line, path: path)
      ]
    }
    let did = if case .key = what { "revoked" } else { "removed" }
    return commands.map {
      PlannedChange(
        kind: .removed, command: $0, text: "\(title): \(did)", line: line,
        path: path)
    }
  }

  /// As people call it.
  var title: String {
    switch what {
    case .alias(let name): "alias \(shown(name))"
    case .combo(let name): "combo \(shown(name))"
    case .policy(let id): "policy \(shown(id.organisation.rawValue))/\(shown(id.model))"
    case .account(let provider, let name): "account \(shown(provider.rawValue))/\(shown(name))"
    case .key(let name): "key \(shown(name))"
    case .provider(let id): "provider \(shown(id.rawValue))"
    case .organisation(let id): "organisation \(shown(id.rawValue))"
    }
  }
}

extension ConfigurationFile {
  /// The section `remove:`: names by kind, none of which the file sets as well.
  static func removals(
    _ document: Fields, _ environment: [String: String], _ plan: ConfigurationPlan
  ) throws(ConfigFault) -> [ConfigurationPlan.Removal] {
    guard let node = document.node("remove") else { return [] }
    let fields = try Fields(node, path: "remove", environment: environment, .removal)
    var out: [ConfigurationPlan.Removal] = []
    var seen: Set<ConfigurationPlan.Removal.What> = []
    for section in ConfigurationPlan.Removal.sections {
      for (index, entry) in (try fields.texts(section, max: 10_000, length: 256) ?? []).enumerated()
      {
        let path = "remove.\(section)[\(index)]"
        let removal = ConfigurationPlan.Removal(
          line: entry.line, path: path, what: try what(section, entry.text, entry.line, path))
        guard seen.insert(removal.what).inserted else {
          throw ConfigFault(
            .duplicate, line: entry.line, path: path, "The \(removal.title) stands here twice.",
            remedy: "Keep one of them.")
        }
        guard !plan.sets(removal.what) else {
          throw ConfigFault(
            .duplicate, line: entry.line, path: path,
            "The file both sets and removes the \(removal.title).",
            remedy: "Keep one of the two.")
        }
        out.append(removal)
      }
    }
    return out
  }

  private static func what(
    _ section: String, _ text: String, _ line: Int, _ path: String
  ) throws(ConfigFault) -> ConfigurationPlan.Removal.What {
    func pair(_ form: String) throws(ConfigFault) -> (String, String) {
      let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
        throw ConfigFault(
          .invalidValue, line: line, path: path, "Expected \(form).",
          remedy: "Write for example `\(form)`.")
      }
      return (String(parts[0]), String(parts[1]))
    }
    switch section {
    case "aliases": return .alias(text)
    case "combos": return .combo(text)
    case "policies":
      let (organisation, model) = try pair("organisation/model")
      return .policy(PolicyID(organisation: OrganisationID(organisation), model: model))
    case "accounts":
      let (provider, name) = try pair("provider/account")
      return .account(ProviderID(provider), name: name)
    case "keys": return .key(text)
    case "providers": return .provider(ProviderID(text))
    default: return .organisation(OrganisationID(text))
    }
  }
}

extension ConfigurationPlan {
  /// Whether the file has it in one of its sections.
  fileprivate func sets(_ what: Removal.What) -> Bool {
    switch what {
    case .alias(let name): aliases.contains { $0.name == name }
    case .account(let provider, let name):
      providers.contains { it in it.id == provider && it.accounts.contains { $0.name == name } }
    case .key(let name): keys.contains { $0.name == name }
    case .provider(let id): providers.contains { $0.id == id }
    case .organisation(let id):
      organisations.contains { $0.id == id } || keys.contains { $0.organisation == id }
    case .combo(let name): combos.contains { $0.name == name }
    case .policy(let id):
      policies.contains { $0.id == id }
    }
  }
}

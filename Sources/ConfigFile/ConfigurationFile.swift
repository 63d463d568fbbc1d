import Domain
import Yams

/// The declarative configuration file (YAML, kebab-case) of `signalbox apply` and `serve --config`.
public enum ConfigurationFile {
  /// Bytes of a file: 1 MiB.
  public static let bytesMax = YAMLDocument.bytesMax

  /// What this build reads at the top level.
  static let sections = ["providers", "keys", "aliases", "settings"]
  private static let unbuiltSections = ["organisations", "combos", "policies", "pricing"]

  /// Reads and checks a file without looking at any log.
  ///
  /// - Parameter environment: what `${NAME}` in values expands from; `$${NAME}` stands for itself.
  /// - Throws: the first fault, with path and line; parts that this build does not have are refused
  ///   by name, never passed over.
  public static func parse(
    _ text: String, environment: [String: String]
  ) throws(ConfigFault) -> ConfigurationPlan {
    guard text.utf8.count <= bytesMax else {
      throw ConfigFault(
        .tooLarge, line: nil, path: "", "The file is larger than \(bytesMax) bytes.")
    }
    let root = try YAMLDocument.compose(try EnvironmentReference.mark(text))
    let fields = try Fields(
      root, path: "", environment: environment, known: sections, unbuilt: unbuiltSections)
    return ConfigurationPlan(
      providers: try providers(fields, environment), keys: try keys(fields, environment),
      aliases: try aliases(fields, environment), settings: try settings(fields, environment))
  }

  /// The names of the environment's variables that the text refers to, each once, in its order.
  ///
  /// - Throws: what `parse` would throw before it reads any value.
  public static func variables(in text: String) throws(ConfigFault) -> [String] {
    EnvironmentReference.names(in: try EnvironmentReference.mark(text))
  }

  // MARK: Providers

  private static func providers(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Provider] {
    var out: [ConfigurationPlan.Provider] = []
    var ids: Uniqueness = .init("provider id")
    var prefixes: Uniqueness = .init("prefix")
    for (node, path) in try document.list("providers", max: 1_000) ?? [] {
      let fields = try Fields(
        node, path: path, environment: environment,
        known: [
          "id", "protocol", "base-url", "prefix", "models", "excluded-models", "accounts",
        ], unbuilt: ["oauth"])
      let id = try identifier(fields, "id")
      try ids.add(id, fields.line(of: "id"), fields.child("id"))
      let prefix = fields.has("prefix") ? try identifier(fields, "prefix") : nil
      try prefixes.add(prefix ?? id, fields.line(of: "prefix"), fields.child("prefix"))
      out.append(
        ConfigurationPlan.Provider(
          line: fields.line, id: ProviderID(id), dialect: try dialect(fields),
          baseURL: try baseURL(fields), prefix: prefix, models: try models(fields, environment),
          excludedModels: try excludedModels(fields),
          accounts: try accounts(fields, environment)))
    }
    return out
  }

  private static func dialect(_ fields: Fields) throws(ConfigFault) -> UpstreamProtocol {
    let name = try fields.requiredText("protocol", max: 32)
    switch name {
    case UpstreamProtocol.openai.name: return .openai
    case UpstreamProtocol.anthropic.name, UpstreamProtocol.gemini.name:
      throw ConfigFault(
        .notBuilt, line: fields.line(of: "protocol"), path: fields.child("protocol"),
        "This build does not have upstreams of protocol `\(name)` yet.",
        remedy: "It has `openai`.")
    default:
      throw ConfigFault(
        .invalidValue, line: fields.line(of: "protocol"), path: fields.child("protocol"),
        "There is no protocol \(Fields.shown(name)).", remedy: "Write `openai`.")
    }
  }

  /// Shape only; which addresses may be called is decided where calls are made.
  private static func baseURL(_ fields: Fields) throws(ConfigFault) -> String {
    var url = try fields.requiredText("base-url", max: 2_048)
    func refuse(_ message: String) -> ConfigFault {
      ConfigFault(
        .invalidValue, line: fields.line(of: "base-url"), path: fields.child("base-url"), message,
        remedy: "Write for example `https://api.example.com/v1`.")
    }
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw refuse("A base URL is visible ASCII without spaces.")
    }
    let scheme = ["http://", "https://"].first { url.hasPrefix($0) }
    guard let scheme else { throw refuse("A base URL begins with http:// or https://.") }
    while url.hasSuffix("/"), url.utf8.count > scheme.utf8.count { url.removeLast() }
    let rest = url.dropFirst(scheme.count)
    guard !rest.contains("?"), !rest.contains("#") else {
      throw refuse("A base URL has no query and no fragment.")
    }
    let authority = rest.prefix { $0 != "/" }
    guard !authority.contains("@") else {
      throw refuse("A base URL holds no user or password: credentials belong to accounts.")
    }
    guard !authority.isEmpty, !authority.hasPrefix(":") else {
      throw refuse("The base URL names no host.")
    }
    return url
  }

  private static func models(
    _ provider: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ProviderModel]? {
    guard let elements = try provider.list("models", max: 2_000) else { return nil }
    var out: [ProviderModel] = []
    var names: Uniqueness = .init("model name")
    for (node, path) in elements {
      if case .scalar = node {
        throw ConfigFault(
          .wrongType, line: node.mark?.line, path: path,
          "A model is written with its fields, not as a bare name.",
          remedy: "Write `{name: …}`.")
      }
      let fields = try Fields(
        node, path: path, environment: environment, known: ["name", "alias"])
      let name = try modelName(fields, "name")
      guard let name else { throw fields.missing("name") }
      try names.add(name, fields.line(of: "name"), fields.child("name"))
      let alias = try modelName(fields, "alias")
      if let alias { try names.add(alias, fields.line(of: "alias"), fields.child("alias")) }
      out.append(ProviderModel(name: name, alias: alias))
    }
    return out
  }

  private static func excludedModels(_ provider: Fields) throws(ConfigFault) -> [String]? {
    guard let texts = try provider.texts("excluded-models", max: 2_000, length: 128) else {
      return nil
    }
    var seen: Uniqueness = .init("excluded model")
    for (index, element) in texts.enumerated() {
      let path = "\(provider.child("excluded-models"))[\(index)]"
      try visible(element.text, element.line, path)
      try seen.add(element.text, element.line, path)
    }
    return texts.map(\.text)
  }

  private static func accounts(
    _ provider: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Account] {
    var out: [ConfigurationPlan.Account] = []
    var names: Uniqueness = .init("account name")
    for (node, path) in try provider.list("accounts", max: 10_000) ?? [] {
      let fields = try Fields(
        node, path: path, environment: environment,
        known: ["name", "api-key", "priority", "weight"],
        unbuilt: ["access-token", "refresh-token", "expires-at"])
      let name = try fields.requiredText("name", max: 64)
      try visible(name, fields.line(of: "name"), fields.child("name"))
      try names.add(name, fields.line(of: "name"), fields.child("name"))
      out.append(
        ConfigurationPlan.Account(
          line: fields.line, name: name, secret: try fields.secret("api-key", for: .upstream),
          priority: try fields.whole("priority", 1...1_000).map(UInt32.init),
          weight: try fields.whole("weight", 0...10_000).map(UInt32.init)))
    }
    return out
  }

  // MARK: Keys, aliases, settings

  private static func keys(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Key] {
    var out: [ConfigurationPlan.Key] = []
    var names: Uniqueness = .init("key name")
    var lines: [SecretText: Int] = [:]
    for (node, path) in try document.list("keys", max: 10_000) ?? [] {
      let fields = try Fields(
        node, path: path, environment: environment,
        known: ["name", "key", "organisation", "diagnostics"],
        unbuilt: ["limits", "budgets", "expires-at"])
      let name = try fields.requiredText("name", max: 128)
      try names.add(name, fields.line(of: "name"), fields.child("name"))
      guard let secret = try fields.secret("key", for: .client) else { throw fields.missing("key") }
      if let first = lines.updateValue(fields.line(of: "key"), forKey: secret) {
        throw ConfigFault(
          .duplicate, line: fields.line(of: "key"), path: fields.child("key"),
          "Two keys have the same secret; the other stands in line \(first).",
          remedy: "Give each its own: a secret tells one client from another.")
      }
      let organisation =
        fields.has("organisation") ? try identifier(fields, "organisation") : nil
      out.append(
        ConfigurationPlan.Key(
          line: fields.line, name: name, secret: secret,
          organisation: organisation.map { OrganisationID($0) },
          diagnostics: try fields.flag("diagnostics")))
    }
    return out
  }

  private static func aliases(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Alias] {
    guard let node = document.node("aliases") else { return [] }
    let fields = try Fields(anyNamesIn: node, path: "aliases", environment: environment)
    var out: [ConfigurationPlan.Alias] = []
    for (name, line) in fields.names {
      let isName =
        (1...128).contains(name.utf8.count)
        && name.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
      guard isName else {
        throw ConfigFault(
          .invalidValue, line: line, path: "aliases",
          "An alias's name is 1 to 128 visible ASCII characters without `/`.")
      }
      let target = try fields.requiredText(name, max: 256)
      try visible(target, line, fields.child(name))
      out.append(ConfigurationPlan.Alias(line: line, name: name, target: target))
    }
    return out
  }

  private static let unbuiltStrategies = [
    "round-robin", "weighted", "least-latency", "session-sticky",
  ]

  private static func settings(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> ConfigurationPlan.Settings? {
    guard let node = document.node("settings") else { return nil }
    let fields = try Fields(
      node, path: "settings", environment: environment,
      known: ["fallback-strategy", "require-api-key", "force-model-prefix", "max-body-bytes"],
      unbuilt: [
        "sticky-round-robin-limit", "failover-threshold", "record-bodies", "cloud-url",
        "cloud-token", "cloud-protocol", "machine-id", "sync-secrets", "sync-interval-seconds",
      ])
    var strategy: Strategy?
    if let name = try fields.text("fallback-strategy", max: 64) {
      let line = fields.line(of: "fallback-strategy")
      let path = fields.child("fallback-strategy")
      strategy = Strategy.allCases.first { $0.name == name }
      let built = Strategy.allCases.map { "`\($0.name)`" }.joined(separator: ", ")
      if strategy == nil, unbuiltStrategies.contains(name) {
        throw ConfigFault(
          .notBuilt, line: line, path: path, "This build does not have the strategy `\(name)` yet.",
          remedy: "It has \(built).")
      }
      if strategy == nil {
        throw ConfigFault(
          .invalidValue, line: line, path: path, "There is no strategy \(Fields.shown(name)).",
          remedy: "Write \(built).")
      }
    }
    return ConfigurationPlan.Settings(
      line: fields.line, fallbackStrategy: strategy,
      requireAPIKey: try fields.flag("require-api-key"),
      forceModelPrefix: try fields.flag("force-model-prefix"),
      maxBodyBytes: try fields.whole("max-body-bytes", 1_024...(256 << 20)))
  }

  // MARK: Rules of values

  /// 1…64 of `a-z A-Z 0-9 . _ -`.
  private static func identifier(
    _ fields: Fields, _ name: String
  ) throws(ConfigFault) -> String {
    let text = try fields.requiredText(name, max: 64)
    let isIdentifier = text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
      default: false
      }
    }
    guard isIdentifier else {
      throw ConfigFault(
        .invalidValue, line: fields.line(of: name), path: fields.child(name),
        "\(Fields.shown(text)) has characters that are not allowed.",
        remedy: "Use 1 to 64 letters, digits, `.`, `_` and `-`.")
    }
    return text
  }

  private static func modelName(_ fields: Fields, _ name: String) throws(ConfigFault) -> String? {
    guard let text = try fields.text(name, max: 128) else { return nil }
    try visible(text, fields.line(of: name), fields.child(name))
    return text
  }

  private static func visible(_ text: String, _ line: Int, _ path: String) throws(ConfigFault) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw ConfigFault(
        .invalidValue, line: line, path: path, "Expected visible ASCII without spaces.")
    }
  }

  /// Refuses the second of two equal names, naming the line of the first.
  private struct Uniqueness {
    private let what: String
    private var lines: [String: Int] = [:]

    init(_ what: String) { self.what = what }

    mutating func add(_ name: String, _ line: Int, _ path: String) throws(ConfigFault) {
      if let first = lines.updateValue(line, forKey: name) {
        throw ConfigFault(
          .duplicate, line: line, path: path,
          "The \(what) \(Fields.shown(name)) stands already in line \(first).",
          remedy: "Keep one of them.")
      }
    }
  }
}

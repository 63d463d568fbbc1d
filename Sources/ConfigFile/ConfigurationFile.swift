import Domain
import Yams

/// The declarative configuration file (YAML, kebab-case) of `signalbox apply` and `serve --config`.
public enum ConfigurationFile {
  /// Bytes of a file: 1 MiB.
  public static let bytesMax = YAMLDocument.bytesMax

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
    let marked = try EnvironmentReference.mark(text)
    let root = try YAMLDocument.compose(marked)
    let fields = try Fields(root, path: "", environment: environment, .document)
    var plan = ConfigurationPlan(
      providers: try providers(fields, environment),
      organisations: try organisations(fields, environment),
      keys: try keys(fields, environment), aliases: try aliases(fields, environment),
      combos: try combos(fields, environment), policies: try policies(fields, environment),
      prices: try prices(fields, environment), settings: try settings(fields, environment))
    plan.removals = try removals(fields, environment, plan)
    // Said last, because whatever else a cut made wrong says more.
    try refuseCut(marked)
    return plan
  }

  /// Refuses a file that ends within a line: `weight: 80` cut to `weight: 8` is YAML as well.
  ///
  /// A closing bracket ends a line as surely as a line break does.
  private static func refuseCut(_ marked: String) throws(ConfigFault) {
    guard let last = marked.unicodeScalars.last, !"\n]}".unicodeScalars.contains(last) else {
      return
    }
    throw ConfigFault(
      .syntax, line: 1 + marked.unicodeScalars.count { $0 == "\n" }, path: "",
      "The last line has no end, so the file may have been cut off.",
      remedy: "End it with a line break.")
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
      let fields = try Fields(node, path: path, environment: environment, .provider)
      let id = try identifier(fields, "id")
      try ids.add(id, fields.line(of: "id"), fields.child("id"))
      let prefix = fields.has("prefix") ? try identifier(fields, "prefix") : nil
      try prefixes.add(prefix ?? id, fields.line(of: "prefix"), fields.child("prefix"))
      out.append(
        ConfigurationPlan.Provider(
          line: fields.line, id: ProviderID(id), dialect: try dialect(fields),
          baseURL: try baseURL(fields), prefix: prefix, isEnabled: try fields.flag("enabled"),
          models: try models(fields, environment),
          excludedModels: try names(
            fields, "excluded-models", "excluded model", most: 500, length: 191)?.map(\.text),
          disabledModels: try names(
            fields, "disabled-models", "disabled model", most: 2_000, length: 191)?.map(\.text),
          healthCheckSeconds: try healthCheck(fields, environment),
          oauth: try oauth(fields, environment),
          accounts: try accounts(fields, environment)))
    }
    return out
  }

  /// In seconds; 0: the file wants none.
  private static func healthCheck(
    _ provider: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> UInt32? {
    guard let node = provider.node("health-check") else { return nil }
    let fields = try Fields(
      node, path: provider.child("health-check"), environment: environment, .healthCheck)
    let text = try fields.requiredText("interval", max: 32)
    if text == "none" { return 0 }
    guard let nanoseconds = parseDuration(text), nanoseconds % 1_000_000_000 == 0,
      5...86_400 ~= nanoseconds / 1_000_000_000
    else {
      throw ConfigFault(
        .invalidValue, line: fields.line(of: "interval"), path: fields.child("interval"),
        "\(Fields.shown(text)) is no interval.",
        remedy: "Write whole seconds from `5s` to `24h`, or `none`.")
    }
    return UInt32(nanoseconds / 1_000_000_000)
  }

  private static func dialect(_ fields: Fields) throws(ConfigFault) -> UpstreamProtocol {
    let name = try fields.requiredText("protocol", max: 32)
    guard let dialect = UpstreamProtocol.allCases.first(where: { $0.name == name }) else {
      let names = UpstreamProtocol.allCases.map { "`\($0.name)`" }.joined(separator: ", ")
      throw ConfigFault(
        .invalidValue, line: fields.line(of: "protocol"), path: fields.child("protocol"),
        "There is no protocol \(Fields.shown(name)).", remedy: "Write one of \(names).")
    }
    return dialect
  }

  /// Shape only; which addresses may be called is decided where calls are made.
  private static func baseURL(_ fields: Fields) throws(ConfigFault) -> String {
    var url = try fields.requiredText("base-url", max: 512)
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
      let fields = try Fields(node, path: path, environment: environment, .model)
      let name = try modelName(fields, "name")
      guard let name else { throw fields.missing("name") }
      try names.add(name, fields.line(of: "name"), fields.child("name"))
      let alias = try modelName(fields, "alias")
      if let alias { try names.add(alias, fields.line(of: "alias"), fields.child("alias")) }
      out.append(ProviderModel(name: name, alias: alias))
    }
    return out
  }

  private static func accounts(
    _ provider: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Account] {
    var out: [ConfigurationPlan.Account] = []
    var names: Uniqueness = .init("account name")
    for (node, path) in try provider.list("accounts", max: 10_000) ?? [] {
      let fields = try Fields(node, path: path, environment: environment, .account)
      let name = try fields.requiredText("name", max: 64)
      try visible(name, fields.line(of: "name"), fields.child("name"))
      try names.add(name, fields.line(of: "name"), fields.child("name"))
      let (secret, kind) = try credential(fields)
      out.append(
        ConfigurationPlan.Account(
          line: fields.line, name: name, secret: secret, kind: kind,
          expiresAt: try time(fields, "expires-at"),
          priority: try fields.number("priority").map(UInt32.init),
          weight: try fields.number("weight").map(UInt32.init),
          isEnabled: try fields.flag("enabled")))
    }
    return out
  }
}

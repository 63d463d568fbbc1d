import Domain

extension ConfigurationFile {
  static func keys(
    _ document: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> [ConfigurationPlan.Key] {
    var out: [ConfigurationPlan.Key] = []
    var seen: Uniqueness = .init("key name")
    var lines: [SecretText: Int] = [:]
    for (node, path) in try document.list("keys", max: 10_000) ?? [] {
      let fields = try Fields(node, path: path, environment: environment, .key)
      let name = try fields.requiredText("name", max: 128)
      try seen.add(name, fields.line(of: "name"), fields.child("name"))
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
          line: fields.line, path: path, name: name, secret: secret,
          organisation: organisation.map { OrganisationID($0) },
          diagnostics: try fields.flag("diagnostics"),
          allowedModels: try names(fields, "allowed-models", "model", most: 500, length: 191)?
            .map(\.text),
          allowedAccounts: try names(fields, "allowed-accounts", "account", most: 500, length: 129)?
            .map { .init(name: $0.text, line: $0.line, path: $0.path) },
          expiry: try expiry(fields), limits: try limits(fields, environment),
          budgets: try budgets(fields, environment)))
    }
    return out
  }

  private static func expiry(_ fields: Fields) throws(ConfigFault) -> KeyEvent.Expiry? {
    guard let text = try fields.text("expires-at", max: 64) else { return nil }
    if text == "never" { return .never }
    guard let time = parseRFC3339(text) else {
      throw ConfigFault(
        .wrongType, line: fields.line(of: "expires-at"), path: fields.child("expires-at"),
        "\(Fields.shown(text)) is not a time with its zone.",
        remedy: "Write for example `2026-12-31T00:00:00Z`, or `never`.")
    }
    return .at(time)
  }
}

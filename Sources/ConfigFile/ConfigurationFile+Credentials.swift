import Domain

/// What accounts prove themselves by, and how their tokens are refreshed.
extension ConfigurationFile {
  private static let tokenBytes = 16_384

  /// An API key, or an access token with what belongs to it.
  static func credential(
    _ account: Fields
  ) throws(ConfigFault) -> (secret: SecretText?, kind: Credential.Kind) {
    let key = try account.secret("api-key", for: .upstream)
    let access = try account.secret("access-token", for: .upstream, most: tokenBytes)
    let refresh = try account.secret("refresh-token", for: .upstream, most: tokenBytes)
    guard let access else {
      for name in ["refresh-token", "expires-at"] where account.has(name) {
        throw ConfigFault(
          .missingField, line: account.line(of: name), path: account.child("access-token"),
          "`\(name)` says something of an access token, and there is none.",
          remedy: name == "refresh-token"
            ? "Add `access-token`, or bring the refresh token with `signalbox accounts import`."
            : "Add `access-token`, or leave it out: an API key has no end that is known.")
      }
      return (key, .apiKey)
    }
    guard key == nil else {
      throw ConfigFault(
        .conflict, line: account.line(of: "api-key"), path: account.child("api-key"),
        "`api-key` stands beside `access-token`.", remedy: "Keep one of them.")
    }
    return (SecretText(access.revealed, refresh: refresh?.revealed), .token)
  }

  static func oauth(
    _ provider: Fields, _ environment: [String: String]
  ) throws(ConfigFault) -> ConfigurationPlan.OAuth? {
    guard let node = provider.node("oauth") else { return nil }
    let fields = try Fields(
      node, path: provider.child("oauth"), environment: environment, .oauth)
    var client = OAuthClient(
      kind: try choice(fields, "kind", OAuthProvider.all.map(\.kind)) ?? "generic",
      tokenURL: try fields.requiredText("token-url", max: 512),
      clientID: try fields.requiredText("client-id"))
    client.authorizeURL = try fields.text("authorize-url", max: 512)
    client.deviceURL = try fields.text("device-url", max: 512)
    client.revokeURL = try fields.text("revoke-url", max: 512)
    client.userInfoURL = try fields.text("user-info-url", max: 512)
    client.scopes = try fields.texts("scopes", max: 64, length: 256)?.map(\.text) ?? []
    let encoding = try choice(fields, "encoding", OAuthClient.Encoding.allCases.map(\.name))
    client.encoding = OAuthClient.Encoding.allCases.first { $0.name == encoding } ?? .form
    client.leadSeconds = try seconds(fields, "refresh-lead", most: 2_592_000, "720h") ?? 300
    client.isSharedFamily =
      try choice(fields, "family", ["per-account", "per-client"]) == "per-client"
    client.spacingSeconds = try seconds(fields, "spacing", most: 3_600, "1h") ?? 0
    return ConfigurationPlan.OAuth(
      line: fields.line, client: client,
      secret: try fields.secret("client-secret", for: .upstream))
  }

  private static func choice(
    _ fields: Fields, _ name: String, _ choices: [String]
  ) throws(ConfigFault) -> String? {
    guard let text = try fields.text(name, max: 64) else { return nil }
    guard choices.contains(text) else {
      throw ConfigFault(
        .invalidValue, line: fields.line(of: name), path: fields.child(name),
        "\(Fields.shown(text)) is not one of the choices.",
        remedy: "Write one of \(choices.map { "`\($0)`" }.joined(separator: ", ")).")
    }
    return text
  }

  private static func seconds(
    _ fields: Fields, _ name: String, most: Int64, _ bound: String
  ) throws(ConfigFault) -> UInt32? {
    guard let text = try fields.text(name, max: 32) else { return nil }
    guard let nanoseconds = parseDuration(text), nanoseconds % 1_000_000_000 == 0,
      0...most ~= nanoseconds / 1_000_000_000
    else {
      throw ConfigFault(
        .invalidValue, line: fields.line(of: name), path: fields.child(name),
        "\(Fields.shown(text)) is no duration that fits here.",
        remedy: "Write whole seconds from `0s` to `\(bound)`, for example `5m`.")
    }
    return UInt32(nanoseconds / 1_000_000_000)
  }

  /// RFC 3339.
  static func time(
    _ fields: Fields, _ name: String
  ) throws(ConfigFault) -> UnixNanoseconds? {
    guard let text = try fields.text(name, max: 64) else { return nil }
    guard let time = parseRFC3339(text) else {
      throw ConfigFault(
        .wrongType, line: fields.line(of: name), path: fields.child(name),
        "\(Fields.shown(text)) is not a time with its zone.",
        remedy: "Write for example `2026-12-31T00:00:00Z`.")
    }
    return time
  }
}

import Domain
import Surface

/// `oauth` of a provider: how its accounts' tokens are had and refreshed.
struct OAuthFields {
  private var given: ObjectReader.Given<OAuthClient>
  /// nil: the one that there is stays.
  private var secret: Secret?

  init(_ fields: inout ObjectReader) throws {
    guard let value = fields.raw("oauth") else {
      given = .absent
      return
    }
    if value.isNull {
      given = .null
      return
    }
    guard value.members != nil else {
      throw fields.fault(
        "oauth", "oauth is \(value.typeName)",
        remedy: "Send {\"tokenUrl\": …, \"clientId\": …}, or null for none.")
    }
    var inner = try ObjectReader(value, path: "oauth")
    var client = OAuthClient(
      kind: try inner.optionalString("kind") ?? "generic", tokenURL: try inner.string("tokenUrl"),
      clientID: try inner.string("clientId"))
    client.authorizeURL = try inner.optionalString("authorizeUrl")
    client.deviceURL = try inner.optionalString("deviceUrl")
    client.revokeURL = try inner.optionalString("revokeUrl")
    client.userInfoURL = try inner.optionalString("userInfoUrl")
    client.scopes = try inner.optionalStrings("scopes") ?? []
    if let name = try inner.optionalString("encoding") {
      guard let encoding = OAuthClient.Encoding.allCases.first(where: { $0.name == name }) else {
        throw inner.fault(
          "encoding", "there is no such encoding", remedy: "Choose form or json.")
      }
      client.encoding = encoding
    }
    if let lead = try inner.optionalInt("leadSeconds", in: 0...2_592_000) {
      client.leadSeconds = UInt32(lead)
    }
    if let spacing = try inner.optionalInt("spacingSeconds", in: 0...3_600) {
      client.spacingSeconds = UInt32(spacing)
    }
    switch try inner.optionalString("family") {
    case nil, "per-account": break
    case "per-client": client.isSharedFamily = true
    case .some:
      throw inner.fault(
        "family", "there is no such family", remedy: "Choose per-account or per-client.")
    }
    secret = try inner.changedCredential("clientSecret")
    try inner.finish()
    given = .value(client)
  }

  /// The command that makes it so; none if nothing was said.
  func changes(of id: ProviderID, _ control: ControlPlane) -> [Change] {
    switch given {
    case .absent: return []
    case .null: return [Change(.provider(.setOAuth(id, nil)))]
    case .value(var client):
      let secret = secret ?? control.clientSecret(of: id)
      client.secret = secret.map { control.vault.fingerprint($0) }
      return [Change(.provider(.setOAuth(id, client)), secret: secret)]
    }
  }
}

extension OAuthClient {
  /// As operators see it: of the client's secret only that there is one.
  var json: JSONValue {
    [
      "kind": JSONValue(kind), "tokenUrl": JSONValue(tokenURL),
      "authorizeUrl": JSONValue(authorizeURL), "deviceUrl": JSONValue(deviceURL),
      "revokeUrl": JSONValue(revokeURL), "userInfoUrl": JSONValue(userInfoURL),
      "clientId": JSONValue(clientID),
      "hasClientSecret": JSONValue(secret != nil), "scopes": .array(scopes.map { JSONValue($0) }),
      "encoding": JSONValue(encoding.name), "leadSeconds": JSONValue(leadSeconds),
      "family": JSONValue(isSharedFamily ? "per-client" : "per-account"),
      "spacingSeconds": JSONValue(spacingSeconds),
    ]
  }
}

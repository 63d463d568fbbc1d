import Domain
import FoundationEssentials
import Surface

/// Requests to an OAuth server, worded as its row of the table has it.
struct TokenForm {
  var row: OAuthProvider
  var client: OAuthClient
  var secret: Secret?
  var registered: Registered?

  /// A client that the provider made for one sign-in.
  struct Registered: Sendable {
    var id: Secret
    var secret: Secret

    init(id: Secret, secret: Secret) {
      self.id = id
      self.secret = secret
    }

    /// The one that is sealed beside an account's tokens; nil: there is none.
    init?(of material: CredentialMaterial) {
      guard let id = material.extra[Extra.clientID], let secret = material.extra[Extra.clientSecret]
      else { return nil }
      self.init(id: id, secret: secret)
    }
  }

  /// `fields` by the standard's names.
  ///
  /// - Parameter provesClient: false: the client only names itself.
  func request(
    _ url: String, _ fields: [(String, Secret)], provesClient: Bool = true
  ) -> TokenRequest {
    var fields = fields
    var headers = [("accept", "application/json")]
    switch row.proof {
    case .body, .basic:
      fields.append(("client_id", Secret(client.clientID)))
      if provesClient, let secret {
        fields.append(("client_secret", secret))
        if row.proof == .basic {
          let pair = Array(client.clientID.utf8) + [UInt8(ascii: ":")] + secret.bytes
          headers.append(("authorization", "Basic " + Data(pair).base64EncodedString()))
        }
      }
    case .registered:
      if let registered {
        fields += [("client_id", registered.id), ("client_secret", registered.secret)]
      }
    }
    let named = fields.map { (row.words.name($0), $1) }
    switch client.encoding {
    case .form:
      headers.append(("content-type", "application/x-www-form-urlencoded"))
      return TokenRequest(
        url: url, headers: headers,
        body: Array(
          named.map { $0 + "=" + TokenRefresh.formText($1) }.joined(separator: "&").utf8))
    case .json:
      return json(
        url, .object(named.map { .init($0, JSONValue(String(decoding: $1.bytes, as: UTF8.self))) }),
        headers)
    }
  }

  private func json(
    _ url: String, _ value: JSONValue, _ headers: [(String, String)]
  ) -> TokenRequest {
    TokenRequest(
      url: url, headers: headers + [("content-type", "application/json")], body: value.bytes)
  }

  // MARK: A browser's sign-in

  /// Where the browser is sent; nil: the provider has no such place.
  func authorizeURL(
    redirectURI: String, state: String, challenge: String?, nonce: String?
  ) -> String? {
    guard let base = client.authorizeURL else { return nil }
    var query = [
      ("response_type", "code"), ("client_id", client.clientID), (row.redirectName, redirectURI),
      ("state", state),
    ]
    if !client.scopes.isEmpty { query.append(("scope", client.scopes.joined(separator: " "))) }
    if let challenge {
      query += [("code_challenge", challenge), ("code_challenge_method", "S256")]
    }
    if let nonce { query.append(("nonce", nonce)) }
    query += row.authorizeParameters.map { ($0.name, $0.value) }
    return base + "?" + query.map { $0 + "=" + Self.queryText($1) }.joined(separator: "&")
  }

  func exchange(_ code: Secret, _ held: SignIns.Held, state: String) -> TokenRequest {
    var fields: [(String, Secret)] = [
      ("grant_type", Secret("authorization_code")), ("code", code),
    ]
    if let redirectURI = held.redirectURI { fields.append(("redirect_uri", Secret(redirectURI))) }
    if let verifier = held.verifier { fields.append(("code_verifier", verifier)) }
    if row.sendsState { fields.append(("state", Secret(state))) }
    return request(client.tokenURL, fields)
  }

  // MARK: A device's sign-in

  /// What makes us known to the provider first; nil: it knows us, or has no such place.
  var registration: TokenRequest? {
    guard case .registered = row.device, let device = client.deviceURL,
      let slash = device.lastIndex(of: "/")
    else { return nil }
    return json(
      device[...slash] + "client/register",
      [
        "clientName": "signalbox", "clientType": "public",
        "scopes": .array(client.scopes.map { JSONValue($0) }),
      ], [("accept", "application/json")])
  }

  func device(challenge: String?, state: String) -> TokenRequest? {
    guard let url = client.deviceURL else { return nil }
    var fields: [(String, Secret)] = []
    switch row.device {
    case .registered(let startURL): fields.append(("start_url", Secret(startURL)))
    case .standard, .byUserCode:
      if !client.scopes.isEmpty {
        fields.append(("scope", Secret(client.scopes.joined(separator: " "))))
      }
      if row.device == .byUserCode {
        fields += [("response_type", Secret("code")), ("state", Secret(state))]
      }
    }
    if let challenge {
      fields += [
        ("code_challenge", Secret(challenge)), ("code_challenge_method", Secret("S256")),
      ]
    }
    return request(url, fields, provesClient: false)
  }

  func poll(_ code: Secret, verifier: Secret?) -> TokenRequest {
    var fields: [(String, Secret)] =
      row.device == .byUserCode
      ? [("grant_type", Secret("urn:ietf:params:oauth:grant-type:user_code")), ("user_code", code)]
      : [
        ("grant_type", Secret("urn:ietf:params:oauth:grant-type:device_code")),
        ("device_code", code),
      ]
    if let verifier { fields.append(("code_verifier", verifier)) }
    return request(client.tokenURL, fields)
  }

  // MARK: Who it is

  /// nil: the provider has no such place.
  func userInfo(_ access: Secret) -> TokenRequest? {
    guard let url = client.userInfoURL else { return nil }
    let token = String(decoding: access.bytes, as: UTF8.self)
    let accept = ("accept", "application/json")
    if let name = row.userInfoParameter {
      return TokenRequest(
        method: .get, url: url + "?" + name + "=" + TokenRefresh.formText(access),
        headers: [accept], body: [])
    }
    return TokenRequest(
      method: .get, url: url, headers: [accept, ("authorization", "Bearer " + token)], body: [])
  }

  /// What asks for the token that lasts shortly; nil: the provider has no such thing, or no such place.
  func lease(_ token: Secret) -> TokenRequest? {
    guard let lease = row.lease, let beside = client.userInfoURL,
      let slash = beside.lastIndex(of: "/")
    else { return nil }
    return TokenRequest(
      method: .get, url: beside[...slash] + lease.path,
      headers: [
        ("accept", "application/json"),
        ("authorization", "Bearer " + String(decoding: token.bytes, as: UTF8.self)),
      ], body: [])
  }

  /// As a query has it: nothing but what RFC 3986 leaves alone stands as it is.
  private static func queryText(_ text: String) -> String { TokenRefresh.formText(Secret(text)) }
}

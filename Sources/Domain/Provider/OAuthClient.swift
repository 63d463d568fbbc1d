/// How a provider's tokens are had and refreshed, as data.
public struct OAuthClient: Sendable, Hashable {
  /// Which provider's ways it has, by the name of its row: `claude`, `codex`, …, or `generic`.
  public var kind: String
  /// Where tokens are had and refreshed; `http` only to loopback.
  public var tokenURL: String
  /// Where people allow it; nil: not that way.
  public var authorizeURL: String?
  /// Where codes for other devices are had; nil: not that way.
  public var deviceURL: String?
  /// Where tokens are given back; nil: nowhere.
  public var revokeURL: String?
  /// Where the service says whose a token is; nil: it is not asked.
  public var userInfoURL: String?
  /// By which the provider knows the client.
  public var clientID: String
  /// Of the client's secret, which is the event's sealed part; nil: it has none.
  public var secret: Fingerprint?
  /// What is asked for.
  public var scopes: [String]
  /// How requests are written.
  public var encoding: Encoding
  /// How long before its end a token is refreshed: 0…2,592,000 seconds.
  public var leadSeconds: UInt32
  /// Refreshing one account of the client may revoke the others', so they follow one another.
  public var isSharedFamily: Bool
  /// How long a family waits between two refreshes: 0…3,600 seconds.
  public var spacingSeconds: UInt32

  /// How a request to a token endpoint is written.
  public enum Encoding: UInt8, Sendable, Hashable, CaseIterable {
    /// `application/x-www-form-urlencoded`, as RFC 6749 has it.
    case form = 1
    case json = 2

    /// As written in configuration and answers.
    public var name: String {
      switch self {
      case .form: "form"
      case .json: "json"
      }
    }
  }

  /// Made of its parts.
  public init(
    kind: String = "generic", tokenURL: String, authorizeURL: String? = nil,
    deviceURL: String? = nil, revokeURL: String? = nil, userInfoURL: String? = nil,
    clientID: String, secret: Fingerprint? = nil, scopes: [String] = [], encoding: Encoding = .form,
    leadSeconds: UInt32 = 300, isSharedFamily: Bool = false, spacingSeconds: UInt32 = 0
  ) {
    self.kind = kind
    self.tokenURL = tokenURL
    self.authorizeURL = authorizeURL
    self.deviceURL = deviceURL
    self.revokeURL = revokeURL
    self.userInfoURL = userInfoURL
    self.clientID = clientID
    self.secret = secret
    self.scopes = scopes
    self.encoding = encoding
    self.leadSeconds = leadSeconds
    self.isSharedFamily = isSharedFamily
    self.spacingSeconds = spacingSeconds
  }

  /// Which accounts' refreshes must follow one another: those of one client, or each account for itself.
  public func family(of account: Account) -> String {
    isSharedFamily ? sharedFamily : "account " + account.id.rawValue
  }

  /// By what accounts of one client are told from others'.
  var sharedFamily: String { "client " + tokenURL + " " + clientID }

  /// The same with every URL as `BaseURL` writes it.
  ///
  /// - Throws: where a field is out of its bounds, or an URL leads elsewhere than to https or this machine.
  public func checked() throws(Refusal) -> OAuthClient {
    try Bounds.identifier(kind, "oauth.kind")
    guard 1...256 ~= clientID.utf8.count, clientID.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
      throw .invalid(
        "oauth.clientId", "", "oauth.clientId must be 1 to 256 visible ASCII characters")
    }
    try Bounds.within(scopes.count, 0...64, "number of oauth.scopes")
    for scope in scopes {
      guard 1...256 ~= scope.utf8.count, scope.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else {
        throw .invalid(
          "oauth.scopes", scope, "each of oauth.scopes must be 1 to 256 visible ASCII characters")
      }
    }
    try Bounds.within(leadSeconds, 0...2_592_000, "oauth.leadSeconds")
    try Bounds.within(spacingSeconds, 0...3_600, "oauth.spacingSeconds")
    var checked = self
    checked.tokenURL = try Self.url(tokenURL, "oauth.tokenUrl")
    checked.authorizeURL = try Self.url(authorizeURL, "oauth.authorizeUrl")
    checked.deviceURL = try Self.url(deviceURL, "oauth.deviceUrl")
    checked.revokeURL = try Self.url(revokeURL, "oauth.revokeUrl")
    checked.userInfoURL = try Self.url(userInfoURL, "oauth.userInfoUrl")
    return checked
  }

  private static func url(_ text: String?, _ field: String) throws(Refusal) -> String? {
    guard let text else { return nil }
    let checked: String = try url(text, field)
    return checked
  }

  private static func url(_ text: String, _ field: String) throws(Refusal) -> String {
    let checked: String
    do throws(Refusal) {
      checked = try BaseURL.checked(text)
    } catch {
      throw Refusal(
        code: error.code, field: field, value: "",
        message: field + error.message.dropFirst("base_url".count),
        remedy: "Write it like https://auth.example.com/oauth/token.")
    }
    if checked.hasPrefix("http://"), !BaseURL.isLoopback(checked) {
      throw .invalid(
        field, "", "\(field) must begin with https:// unless it leads to this machine",
        remedy: "Tokens are not sent in clear over a network.")
    }
    return checked
  }
}

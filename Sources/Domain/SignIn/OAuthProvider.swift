/// How one provider signs people in, as data: a row of `OAuthProvider.all`.
///
/// What an operator may change (URLs, client, scopes, lead, spacing) is in `client`, which holds until a provider's own
/// `oauth` is set; what is the service's nature is beside it.
public struct OAuthProvider: Sendable, Hashable {
  /// As in paths and in a client's `kind`: `claude`, `codex`, …, `generic`.
  public var kind: String
  /// As people know it.
  public var title: String
  /// The ways in which its accounts come here.
  public var flows: [Flow]
  /// What holds where the provider has no `oauth` of its own; nil: it must have one, or none is needed.
  public var client: OAuthClient?
  /// Its client has a secret, which is not ours to hand out: an operator sets it.
  public var needsSecret = false
  /// Where the browser must be sent back to, because the service knows the client by it; nil: any loopback address.
  public var redirectURI: String?
  /// What the authorization request has beside the standard's parameters.
  public var authorizeParameters: [Parameter] = []
  /// What the service calls `redirect_uri` in the authorization request.
  public var redirectName = "redirect_uri"
  /// Whether requests carry a proof of the verifier (RFC 7636, S256).
  public var usesPKCE = true
  /// How its fields are named.
  public var words = Words.snake
  /// How the client proves itself.
  public var proof = Proof.body
  /// How a device is signed in.
  public var device = Device.standard
  /// The token request also wants the `state`.
  public var sendsState = false
  /// Where it says whose tokens they are.
  public var identity = Identity()
  /// When an access token ends.
  public var expiry = Expiry.seconds("expires_in")
  /// Fields of the answer that are kept beside the tokens, and merged by later answers.
  public var kept: [String] = []
  /// Where the key that requests carry is found in the answer of `userInfoURL`, instead of the access token.
  public var key: [String]?
  /// Where the query of `userInfoURL` has the token; nil: it goes in `Authorization: Bearer`.
  public var userInfoParameter: String?
  /// What its models take is had for the token, which is presented for it again and again; nil: they take the token.
  public var lease: Lease?
  /// Where its models are asked; nil: where the provider says.
  public var service: Service?

  /// A way in which an account comes here.
  public enum Flow: String, Sendable, Hashable, CaseIterable {
    /// A browser is sent there and comes back with a code.
    case authorizationCode = "authorization_code"
    /// Somebody types a code on another device.
    case deviceCode = "device_code"
    /// Somebody brings tokens that another program got.
    case imported = "import"
  }

  /// One parameter of a query.
  public struct Parameter: Sendable, Hashable {
    /// Not encoded.
    public var name: String
    /// Not encoded.
    public var value: String
  }

  /// How a service names its fields.
  public enum Words: Sendable, Hashable {
    /// `refresh_token`, as RFC 6749 has it.
    case snake
    /// `refreshToken`.
    case camel

    /// The standard's name of a field as the service has it.
    public func name(_ standard: String) -> String {
      guard self == .camel else { return standard }
      let parts = standard.split(separator: "_")
      return parts.dropFirst().reduce(String(parts.first ?? "")) {
        $0 + $1.prefix(1).uppercased() + $1.dropFirst()
      }
    }
  }

  /// How a client proves itself.
  public enum Proof: Sendable, Hashable {
    /// `client_id`, and `client_secret` if it has one, among the fields.
    case body
    /// `Authorization: Basic`.
    case basic
    /// By an id and a secret that the service gave this account's sign-in; none, then nothing but the token.
    case registered
  }

  /// How a device is signed in.
  public enum Device: Sendable, Hashable {
    /// As RFC 8628.
    case standard
    /// It registers first, at `client/register` beside the device's URL, and names a start page.
    case registered(startURL: String)
    /// Polled by the user's code; times are moments and milliseconds.
    case byUserCode
  }

  /// When an access token ends.
  public enum Expiry: Sendable, Hashable {
    /// A field with the seconds until then.
    case seconds(String)
    /// A field with the moment, in milliseconds since 1970.
    case moment(String)
    /// Its own claim `exp` says it.
    case claim
    /// It does not.
    case never
  }

  /// Where a service says whose tokens they are.
  public struct Identity: Sendable, Hashable {
    /// In which document.
    public var place = Place.nowhere
    /// The path of the subject: stable, and never handed to another person.
    public var subject: [String] = []
    /// The path of the workspace, organisation or team that the tokens are for; empty: there are none.
    public var workspace: [String] = []
    /// The path of the e-mail address, for people's eyes only.
    public var email: [String] = []

    /// Which document says it.
    public enum Place: Sendable, Hashable {
      case answer
      /// The id token, which comes straight from the token endpoint.
      case idToken
      /// The access token's own claims.
      case accessToken
      /// The answer of `userInfoURL`.
      case userInfo
      /// Nobody says it: an account is known by nothing but its id here.
      case nowhere
    }
  }

  /// A token that lasts shortly, which the one that somebody signed in for brings as often as it is presented: it is kept
  /// as a refresh token is, and the one that it brought as the access token.
  public struct Lease: Sendable, Hashable {
    /// Where it is had: in place of the last part of `userInfoURL`.
    public var path: String
    /// The field with the token.
    public var token: String
    /// The field with the moment of its end, in seconds since 1970.
    public var end: String
    /// Where the answer says at which address models take it; kept beside it as `endpoint`.
    public var endpoint: [String]
  }

  /// Where and how its models are asked: what a provider that is not configured yet is made of.
  public struct Service: Sendable, Hashable {
    /// The nearest protocol.
    public var dialect: UpstreamProtocol
    /// As `Provider.baseURL`.
    public var baseURL: String
    /// Whether its accounts are served by that protocol as it is spoken here; else they are kept and refreshed, but no
    /// request goes to them.
    public var isSpoken = true
  }

  /// The row of a kind; `generic`'s for one that is not known.
  public static subscript(_ kind: String) -> OAuthProvider { row(kind) ?? generic }

  /// The row of a kind, if there is one.
  public static func row(_ kind: String) -> OAuthProvider? { all.first { $0.kind == kind } }
}

import Domain
import Surface

/// What an OAuth server's answers say, read as its row of the table has it.
struct TokenReading {
  var row: OAuthProvider

  /// Tokens, and how long the access token lasts; nil seconds: the provider does not say.
  struct Tokens: Sendable {
    var material: CredentialMaterial
    var lifeSeconds: Int64?
  }

  /// nil: there is no access token in it.
  func tokens(_ document: JSONValue, now: UnixNanoseconds) -> Tokens? {
    // A refresh token that cannot be sent is not as good as none: the one before may be used up.
    guard let access = token(document, "access_token"),
      document[row.words.name("refresh_token")]?.isNull ?? true
        || token(document, "refresh_token") != nil
    else { return nil }
    var extra: [String: Secret] = [:]
    for name in row.kept { extra[name] = document.text([name]).flatMap(Self.sendable) }
    return Tokens(
      material: CredentialMaterial(
        access: access, refresh: token(document, "refresh_token"),
        identity: token(document, "id_token"), extra: extra),
      lifeSeconds: life(document, access, now: now))
  }

  /// A token that lasts shortly, as it is merged into what there is; nil: there is none in it.
  func lease(_ document: JSONValue, now: UnixNanoseconds) -> Tokens? {
    guard let lease = row.lease, let token = document[lease.token]?.string.flatMap(Self.sendable)
    else { return nil }
    var extra: [String: Secret] = [:]
    extra["endpoint"] = document.text(lease.endpoint).flatMap(Self.sendable)
    return Tokens(
      material: CredentialMaterial(access: token, extra: extra),
      lifeSeconds: document.number(lease.end).flatMap { Self.life(until: $0, now: now) })
  }

  private func token(_ document: JSONValue, _ name: String) -> Secret? {
    (document[row.words.name(name)]?.string).flatMap(Self.sendable)
  }

  /// How long an access token lasts; what is not in the future says nothing.
  func life(_ document: JSONValue, _ access: Secret, now: UnixNanoseconds) -> Int64? {
    switch row.expiry {
    case .seconds(let name): document.number(name).flatMap(Self.life)
    case .moment(let name): document.number(name).flatMap { Self.life(until: $0 / 1_000, now: now) }
    case .claim: Self.claims(access)?.number("exp").flatMap { Self.life(until: $0, now: now) }
    case .never: nil
    }
  }

  /// Seconds from now to a moment in Unix seconds, which may be any number: whoever brings a token writes its claims.
  private static func life(until end: Int64, now: UnixNanoseconds) -> Int64? {
    let (seconds, isOver) = end.subtractingReportingOverflow(now.rawValue / 1_000_000_000)
    return isOver ? nil : life(seconds)
  }

  /// Up to ten years; what is less than a second or longer says nothing.
  private static func life(_ seconds: Int64) -> Int64? {
    (1...315_360_000).contains(seconds) ? seconds : nil
  }

  /// Who it is, by a document that the row names.
  func identity(in document: JSONValue) -> SignedInIdentity {
    func told(_ path: [String]) -> String? {
      guard !path.isEmpty, let text = document.text(path), (1...256).contains(text.utf8.count)
      else { return nil }
      return text
    }
    return SignedInIdentity(
      subject: told(row.identity.subject), workspace: told(row.identity.workspace),
      email: told(row.identity.email))
  }

  /// The claims of an id token that is meant for us; nil: it is not, or is none.
  ///
  /// It came straight from the token endpoint, whose certificate was checked: its signature adds nothing (OpenID
  /// Connect Core 3.1.3.7, 6).
  ///
  /// - Parameter nonce: what we sent to have it in there, as 3.1.3.7, 11 asks; it is of this moment then, too, and must
  ///   not be over. nil: we sent none, and the token may be an old one that somebody brought.
  static func claims(
    of token: Secret, audience: String, nonce: String?, now: UnixNanoseconds
  ) -> JSONValue? {
    guard let claims = claims(token) else { return nil }
    let audiences = claims["aud"]?.array?.compactMap(\.string) ?? [claims["aud"]?.string ?? ""]
    guard audiences.contains(audience) else { return nil }
    guard let nonce else { return claims }
    let clockTolerance: Int64 = 60
    guard claims["nonce"]?.string == nonce,
      claims.number("exp").map({ $0 > now.rawValue / 1_000_000_000 - clockTolerance }) ?? true
    else { return nil }
    return claims
  }

  /// What a JWT claims; nil: it is none.
  static func claims(_ token: Secret) -> JSONValue? {
    let parts = token.bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let bytes = Base64URL.bytes(String(decoding: parts[1], as: UTF8.self)),
      let claims = try? JSONValue.parse(bytes), claims.members != nil
    else { return nil }
    return claims
  }

  /// A token as it is sent: 1…16,384 visible ASCII characters.
  static func sendable(_ text: String) -> Secret? {
    let isFit =
      (1...16_384).contains(text.utf8.count) && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    return isFit ? Secret(text) : nil
  }

  // MARK: A device's sign-in

  /// What opens a device's sign-in.
  struct Device: Sendable {
    /// By which the provider knows it.
    var code: Secret
    /// What people type.
    var userCode: String
    /// Where they type it.
    var page: String
    /// The same with the code in it; nil: there is none.
    var completePage: String?
    var lifeSeconds: Int64
    var intervalSeconds: Int64
  }

  /// nil: the answer has not what it takes.
  func device(_ document: JSONValue, now: UnixNanoseconds) -> Device? {
    func text(_ name: String) -> String? {
      document[row.words.name(name)]?.string.flatMap {
        (1...2_048).contains($0.utf8.count) && $0.utf8.allSatisfy { (0x21...0x7E).contains($0) }
          ? $0 : nil
      }
    }
    // It is shown to people to be followed.
    func link(_ name: String) -> String? {
      text(name).flatMap { $0.hasPrefix("https://") || $0.hasPrefix("http://") ? $0 : nil }
    }
    let isByUserCode = row.device == .byUserCode
    guard let userCode = text("user_code"),
      let code = isByUserCode ? userCode : text("device_code"),
      let page = link("verification_uri") ?? link("verification_url")
    else { return nil }
    let interval = document.number(row.words.name("interval"))
    let life =
      isByUserCode
      ? document.number("expired_in").map { $0 / 1_000 - now.rawValue / 1_000_000_000 }
      : document.number(row.words.name("expires_in"))
    return Device(
      code: Secret(code), userCode: userCode, page: page,
      completePage: link("verification_uri_complete"),
      lifeSeconds: min(max(life ?? 600, 1), 3_600),
      intervalSeconds: min(max(interval.map { isByUserCode ? $0 / 1_000 : $0 } ?? 5, 0), 300))
  }
}

extension JSONValue {
  /// The text at a path, or the integer there as text.
  func text(_ path: [String]) -> String? {
    var value: JSONValue? = self
    for name in path { value = value?[name] }
    return value?.string ?? value?.int.map(String.init)
  }

  /// A number without its fraction, or a text that is one.
  func number(_ name: String) -> Int64? {
    let text: String
    switch self[name] {
    case .number(let written): text = written
    case .string(let written): text = written
    case _: return nil
    }
    return Int64(text) ?? Double(text).flatMap { Int64(exactly: $0.rounded(.towardZero)) }
  }
}

import Domain
import Surface

/// How a refresh token is presented, and what an answer says.
struct TokenRefresh {
  var client: OAuthClient
  var clientSecret: Secret?

  /// nil: there is no refresh token.
  func request(_ material: CredentialMaterial) -> TokenRequest? {
    guard let refresh = material.refresh else { return nil }
    var fields: [(String, Secret)] = [
      ("grant_type", Secret("refresh_token")), ("refresh_token", refresh),
      ("client_id", Secret(client.clientID)),
    ]
    if let clientSecret { fields.append(("client_secret", clientSecret)) }
    let body: [UInt8]
    let type: String
    switch client.encoding {
    case .form:
      type = "application/x-www-form-urlencoded"
      body = Array(
        fields.map { name, value in name + "=" + Self.formText(value) }.joined(separator: "&").utf8)
    case .json:
      type = "application/json"
      body =
        JSONValue.object(
          fields.map { .init($0, JSONValue(String(decoding: $1.bytes, as: UTF8.self))) }
        ).bytes
    }
    return TokenRequest(
      url: client.tokenURL,
      headers: [("content-type", type), ("accept", "application/json")], body: body)
  }

  /// What an answer brought.
  enum Finding {
    /// To be merged into what there is; nil: the provider did not say when it ends.
    case token(CredentialMaterial, lifeSeconds: Int64?)
    case nothing(RefreshOutcome)
  }

  static func finding(_ answer: TokenAnswer) -> Finding {
    switch answer {
    case .notSent(let code): return .nothing(RefreshOutcome(.notSent(code: code)))
    case .noAnswer(let code): return .nothing(RefreshOutcome(.noAnswer(code: code)))
    case .answered(let status, let retryAfter, let body):
      let document = try? JSONValue.parse(body)
      if (200..<300).contains(status),
        let access = document?["access_token"]?.string ?? document?["accessToken"]?.string,
        isSendable(access)
      {
        let refresh = document?["refresh_token"]?.string ?? document?["refreshToken"]?.string
        let identity = document?["id_token"]?.string
        return .token(
          CredentialMaterial(
            access: Secret(access), refresh: refresh.flatMap { isSendable($0) ? Secret($0) : nil },
            identity: identity.flatMap { isSendable($0) ? Secret($0) : nil }),
          lifeSeconds: life(document))
      }
      return .nothing(
        RefreshOutcome(
          .answered(status: status, error: error(document), retryAfterSeconds: retryAfter)))
    }
  }

  /// `error` is a word by RFC 6749; some wrap it into an object with a `code`, or name a type.
  private static func error(_ document: JSONValue?) -> String? {
    guard let error = document?["error"] else { return document?["__type"]?.string }
    return error.string ?? error["code"]?.string ?? error["type"]?.string
  }

  /// A number, or a text that is one; what is not positive says nothing.
  private static func life(_ document: JSONValue?) -> Int64? {
    let value = document?["expires_in"] ?? document?["expiresIn"]
    let seconds = value?.int ?? value?.string.flatMap { Int64($0) }
    return seconds.flatMap { (1...315_360_000).contains($0) ? $0 : nil }
  }

  private static func isSendable(_ token: String) -> Bool {
    (1...16_384).contains(token.utf8.count)
      && token.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }

  /// As `application/x-www-form-urlencoded` has it.
  static func formText(_ secret: Secret) -> String {
    var text = ""
    for byte in secret.bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
        UInt8(ascii: "_"), UInt8(ascii: "*"):
        text.unicodeScalars.append(Unicode.Scalar(byte))
      case _: text += "%" + hexadecimalText([byte]).uppercased()
      }
    }
    return text
  }
}

import Domain
import Surface

/// How a refresh token is presented, and what an answer says.
struct TokenRefresh {
  var client: OAuthClient
  var clientSecret: Secret?

  private var row: OAuthProvider { OAuthProvider[client.kind] }

  /// nil: there is no refresh token.
  func request(_ material: CredentialMaterial) -> TokenRequest? {
    guard let refresh = material.refresh else { return nil }
    let form = TokenForm(
      row: row, client: client, secret: clientSecret, registered: .init(of: material))
    if row.lease != nil { return form.lease(refresh) }
    return form.request(
      client.tokenURL, [("grant_type", Secret("refresh_token")), ("refresh_token", refresh)])
  }

  /// What an answer brought.
  enum Finding {
    /// To be merged into what there is; nil: the provider did not say when it ends.
    case token(CredentialMaterial, lifeSeconds: Int64?)
    case nothing(RefreshOutcome)
  }

  func finding(_ answer: TokenAnswer, now: UnixNanoseconds) -> Finding {
    switch answer {
    case .notSent(let code): return .nothing(RefreshOutcome(.notSent(code: code)))
    case .noAnswer(let code): return .nothing(RefreshOutcome(.noAnswer(code: code)))
    case .answered(let status, let retryAfter, let body):
      let document = try? JSONValue.parse(body)
      let reading = TokenReading(row: row)
      if (200..<300).contains(status), let document,
        let tokens = row.lease == nil
          ? reading.tokens(document, now: now) : reading.lease(document, now: now)
      {
        return .token(tokens.material, lifeSeconds: tokens.lifeSeconds)
      }
      return .nothing(
        RefreshOutcome(
          .answered(
            status: status, error: Self.error(document), retryAfterSeconds: retryAfter)))
    }
  }

  /// `error` is a word by RFC 6749; some wrap it into an object with a `code`, or name a type.
  static func error(_ document: JSONValue?) -> String? {
    guard let error = document?["error"] else { return document?["__type"]?.string }
    return error.string ?? error["code"]?.string ?? error["type"]?.string
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

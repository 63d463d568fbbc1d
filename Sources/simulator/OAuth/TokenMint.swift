import Crypto
import Foundation

/// Makes tokens out of a counter: no two alike, and (but for signatures) the same in every run.
enum TokenMint {
  /// 32 characters that say nothing, after `prefix`.
  static func token(_ prefix: String, _ kind: String, _ ordinal: UInt64) -> String {
    prefix + String(hex(SHA256.hash(data: Data("simulator \(kind) \(ordinal)".utf8))).prefix(32))
  }

  /// What a report shows of a token.
  static func fingerprint(_ token: String) -> String {
    String(hex(SHA256.hash(data: Data(token.utf8))).prefix(12))
  }

  /// Base64url of SHA-256, as PKCE's S256 wants it.
  static func challenge(of verifier: String) -> String {
    base64url(Data(SHA256.hash(data: Data(verifier.utf8))))
  }

  /// A token with claims, signed by the key that `jwks` shows.
  static func jwt(_ claims: JSONValue) -> String {
    let header: JSONValue = ["alg": "ES256", "typ": "JWT", "kid": "simulator"]
    let signed = base64url(Data(header.text.utf8)) + "." + base64url(Data(claims.text.utf8))
    guard let key, let signature = try? key.signature(for: Data(signed.utf8)) else { return signed }
    return signed + "." + base64url(signature.rawRepresentation)
  }

  /// The public half.
  static var jwks: JSONValue {
    guard let key else { return ["keys": []] }
    let point = key.publicKey.rawRepresentation
    return [
      "keys": [
        [
          "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "simulator",
          "x": .string(base64url(point.prefix(32))), "y": .string(base64url(point.suffix(32))),
        ]
      ]
    ]
  }

  private static var key: P256.Signing.PrivateKey? {
    try? P256.Signing.PrivateKey(
      rawRepresentation: Data(SHA256.hash(data: Data("simulator key".utf8))))
  }

  private static func base64url(_ data: Data) -> String {
    data.base64EncodedString().replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
  }

  private static func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }
}

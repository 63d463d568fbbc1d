/// A secret in clear on its way from the file to the vault: prints, dumps and interpolates as `****`.
public struct SecretText: Sendable, Hashable {
  private let text: String
  /// The refresh token that stands beside an access token, in clear; for the vault and the fingerprint only.
  public let refresh: String?

  /// Wraps a secret in clear.
  public init(_ text: String, refresh: String? = nil) {
    self.text = text
    self.refresh = refresh
  }

  /// The secret in clear; for the vault and the fingerprint only.
  public var revealed: String { text }

  /// Enough for a person to recognise a client's key: the first and last four characters of those of at
  /// least 24, else nothing at all.
  public var masked: String {
    let characters = Array(text)
    guard characters.count >= 24 else { return "****" }
    return String(characters.prefix(4)) + "…" + String(characters.suffix(4))
  }
}

extension SecretText: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Never the secret.
  public var description: String { "****" }
  /// Never the secret.
  public var debugDescription: String { "****" }
  /// Shows no children, so that `dump` shows nothing.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

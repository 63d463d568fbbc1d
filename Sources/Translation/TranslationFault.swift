/// Why something cannot be said in another protocol, or cannot be read in its own.
///
/// Of a request it becomes a 400 before any call; of an answer, an upstream failure.
public struct TranslationFault: Error, Sendable, Hashable {
  /// The kinds of fault, each with a code of its own in the catalogue.
  public enum Kind: Sendable, Hashable {
    /// A field has a form that its own protocol does not know.
    case malformed
    /// Its own protocol knows it; the other has no place for it.
    case notCarried
    /// It names something that only the account holding it has: a stored response, a file, a cache.
    case stateBound
  }

  /// What kind of fault this is.
  public var kind: Kind
  /// Where, as the client wrote it: `messages[2].content[0].type`.
  public var field: String
  /// One bounded sentence; never a value.
  public var message: String

  /// A fault at a field.
  public init(_ kind: Kind, _ field: String, _ message: String) {
    self.kind = kind
    self.field = field
    self.message = message
  }
}

/// Bytes that must not be seen: a credential, a client key, a password.
///
/// Printing, interpolating, dumping or reflecting one shows `<redacted>`. The bytes are reached only
/// by naming them, so that a review can search for `.bytes`.
public struct Secret: Sendable, Hashable {
  /// The secret itself; never log it, never put it into an error or an event's public part.
  public let bytes: [UInt8]

  /// Wraps the UTF-8 of a text.
  public init(_ text: String) { self.bytes = Array(text.utf8) }

  /// Wraps bytes.
  public init(bytes: [UInt8]) { self.bytes = bytes }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// `<redacted>`, always.
  public var description: String { "<redacted>" }
  /// `<redacted>`, always.
  public var debugDescription: String { "<redacted>" }
  /// Nothing to see.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

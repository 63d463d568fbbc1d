/// Bytes of the log are not what their kind says.
///
/// Names the place and the rule, never the contents.
public struct DecodingFailure: Error, Sendable, Hashable {
  /// The wire kind that the bytes were recorded under; at most 127 bytes are kept.
  public var kind: String
  /// Offset in the payload at which reading stopped, in bytes.
  public var offset: Int
  /// Which rule of the encoding was broken.
  public var reason: Reason

  /// Made of its parts.
  public init(kind: String, offset: Int, reason: Reason) {
    self.kind = kind
    self.offset = offset
    self.reason = reason
  }

  /// Which rule of the encoding was broken.
  public enum Reason: String, Sendable, Hashable, CaseIterable {
    /// The payload ends inside a field.
    case truncated
    /// A varint has more than 64 bits, or a byte that says nothing.
    case invalidVarint = "invalid_varint"
    /// A text is not UTF-8.
    case invalidText = "invalid_text"
    /// A number is outside its field's range, or no case of its enumeration.
    case invalidValue = "invalid_value"
    /// A set of flags has bits that this kind does not define.
    case unknownFlags = "unknown_flags"
    /// The fields could have been written shorter, so this is not our writer's work.
    case notCanonical = "not_canonical"
    /// Bytes are left behind the last field.
    case trailingBytes = "trailing_bytes"
  }
}

/// How deep one stands in a JSON text that passes byte by byte, told by quotes and brackets alone.
///
/// Checks nothing: of what is no JSON, what it tells means nothing.
public struct JSONNesting: Sendable {
  /// What a byte is.
  public enum Byte: Sendable {
    /// The quote before a string.
    case opensText
    /// Within a string, escapes as written.
    case text
    /// The quote behind a string.
    case closesText
    /// `{` or `[`; it counts in `depth` already.
    case opens
    /// `}` or `]`; it no longer counts in `depth`.
    case closes
    /// Anything else.
    case other
  }

  /// Brackets that are open.
  public private(set) var depth = 0
  private var isInText = false
  private var isEscaped = false

  /// Before the first byte.
  public init() {}

  /// Takes the next byte.
  @inline(__always)
  public mutating func take(_ byte: UInt8) -> Byte {
    if isInText {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInText = false
        return .closesText
      }
      return .text
    }
    switch byte {
    case UInt8(ascii: "\""):
      isInText = true
      return .opensText
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      depth += 1
      return .opens
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      depth -= 1
      return .closes
    case _: return .other
    }
  }
}

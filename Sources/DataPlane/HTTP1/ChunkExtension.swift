/// The syntax of chunk extensions, `*( ";" token [ "=" ( token / quoted-string ) ] )`, byte by byte.
///
/// Extensions mean nothing to this gateway, but parsers that disagree on where a quoted one ends
/// disagree on where the chunk starts. The white space of RFC 9112 §7.1.1 ("bad") is refused.
struct ChunkExtension {
  private enum State {
    case nameStart, name, valueStart, token, quoted, escaped, quoteEnd
  }

  private var state = State.nameStart

  /// Whether the line may end here.
  var isWhole: Bool {
    switch state {
    case .name, .token, .quoteEnd: true
    case .nameStart, .valueStart, .quoted, .escaped: false
    }
  }

  /// Takes the next byte after the first ";"; false if it may not stand there.
  mutating func take(_ byte: UInt8) -> Bool {
    switch state {
    case .nameStart:
      state = .name
      return Octets.isToken(byte)
    case .name where byte == UInt8(ascii: "="):
      state = .valueStart
      return true
    case .valueStart where byte == UInt8(ascii: "\""):
      state = .quoted
      return true
    case .valueStart:
      state = .token
      return Octets.isToken(byte)
    case .name, .token, .quoteEnd:
      if byte == UInt8(ascii: ";") {
        state = .nameStart
        return true
      }
      return state != .quoteEnd && Octets.isToken(byte)
    case .quoted:
      if byte == UInt8(ascii: "\"") {
        state = .quoteEnd
      } else if byte == UInt8(ascii: "\\") {
        state = .escaped
      }
      return Octets.isFieldValue(byte)
    case .escaped:
      state = .quoted
      return Octets.isFieldValue(byte)
    }
  }
}

/// The parts of a status line (RFC 9112 §4).
struct StatusLine: Sendable {
  let version: HTTP1Version
  let status: Int

  /// Longest status line taken, with its CRLF; the reason phrase means nothing.
  static let lineBytes = 1024

  /// Parses the line without its CRLF, which starts at offset 0.
  ///
  /// The space before an empty reason phrase may be missing: common, and without ambiguity.
  static func parse(
    _ bytes: UnsafeRawBufferPointer, end: Int
  ) -> Parsed<StatusLine> {
    guard end >= 12 else { return .failure(.invalidStatusLine) }
    let version: HTTP1Version
    switch VersionToken.parse(bytes, 0..<8) {
    case .success(let parsed): version = parsed
    case .failure(let code):
      return .failure(code == .unsupportedVersion ? code : .invalidStatusLine)
    }
    guard bytes[8] == Octets.space, bytes[9] &- 0x31 < 5, Octets.isDigit(bytes[10]),
      Octets.isDigit(bytes[11]), end == 12 || bytes[12] == Octets.space,
      bytes.slice(12..<end).isFieldValue()
    else { return .failure(.invalidStatusLine) }
    let status =
      Int(bytes[9] &- 0x30) * 100 + Int(bytes[10] &- 0x30) * 10 + Int(bytes[11] &- 0x30)
    return .success(StatusLine(version: version, status: status))
  }
}

/// The parts of a request line as offsets into the head (RFC 9112 §3).
struct RequestLine: Sendable {
  let method: HTTP1Method
  let version: HTTP1Version
  let form: HTTP1RequestHead.TargetForm
  let target: Range<Int>
  /// Without the query; empty if an absolute-form target has no path.
  let path: Range<Int>
  /// Empty but for absolute-form.
  let authority: Range<Int>

  /// Longest method name looked at; longer ones are refused before their end is known.
  static let methodBytes = 32
  /// What a request line has beside method and target: two spaces, the version, CRLF.
  static let otherBytes = 12

  /// Parses the line without its CRLF, which starts at offset 0.
  static func parse(
    _ bytes: UnsafeRawBufferPointer, end: Int, limits: HTTP1Limits
  ) -> Parsed<RequestLine> {
    guard let space = bytes.firstIndex(of: Octets.space, in: 0..<end), space > 0,
      let second = bytes.firstIndex(of: Octets.space, in: space + 1..<end)
    else { return .failure(faultOfIncompleteLine(bytes, end)) }
    let name = bytes.slice(0..<space)
    for byte in name where !Octets.isToken(byte) { return .failure(.invalidRequestLine) }
    let version: HTTP1Version
    switch VersionToken.parse(bytes, second + 1..<end) {
    case .success(let parsed): version = parsed
    case .failure(let code):
      return .failure(code == .unsupportedVersion ? code : .invalidRequestLine)
    }
    guard let method = HTTP1Method(token: name) else { return .failure(.unknownMethod) }
    let target = space + 1..<second
    guard target.count <= limits.targetBytes else { return .failure(.targetTooLong) }
    guard let parts = parseTarget(bytes, target, method) else { return .failure(.invalidTarget) }
    return .success(
      RequestLine(
        method: method, version: version, form: parts.form, target: target, path: parts.path,
        authority: parts.authority))
  }

  /// A CR in the line is named as such, whatever else is wrong with it.
  private static func faultOfIncompleteLine(
    _ bytes: UnsafeRawBufferPointer, _ end: Int
  ) -> HTTP1Fault.Code {
    bytes.firstIndex(of: Octets.cr, in: 0..<end) == nil ? .invalidRequestLine : .bareCR
  }

  private struct TargetParts {
    let form: HTTP1RequestHead.TargetForm
    let path: Range<Int>
    let authority: Range<Int>
  }

  private static func parseTarget(
    _ bytes: UnsafeRawBufferPointer, _ target: Range<Int>, _ method: HTTP1Method
  ) -> TargetParts? {
    guard let first = target.first.map({ bytes[$0] }) else { return nil }
    if first == UInt8(ascii: "/") {
      guard let path = pathRange(bytes, target) else { return nil }
      return TargetParts(form: .origin, path: path, authority: 0..<0)
    }
    if first == UInt8(ascii: "*") {
      guard target.count == 1, method == .options else { return nil }
      return TargetParts(form: .asterisk, path: target, authority: 0..<0)
    }
    return parseAbsolute(bytes, target)
  }

  private static func parseAbsolute(
    _ bytes: UnsafeRawBufferPointer, _ target: Range<Int>
  ) -> TargetParts? {
    let schemeBytes: Int
    if hasScheme(bytes, target, "http://") {
      schemeBytes = 7
    } else if hasScheme(bytes, target, "https://") {
      schemeBytes = 8
    } else {
      return nil
    }
    let start = target.lowerBound + schemeBytes
    var end = start
    while end < target.upperBound, bytes[end] != UInt8(ascii: "/"), bytes[end] != UInt8(ascii: "?")
    {
      end += 1
    }
    guard HostValue.isValid(bytes.slice(start..<end)),
      let path = pathRange(bytes, end..<target.upperBound)
    else { return nil }
    return TargetParts(form: .absolute, path: path, authority: start..<end)
  }

  private static func hasScheme(
    _ bytes: UnsafeRawBufferPointer, _ target: Range<Int>, _ scheme: StaticString
  ) -> Bool {
    guard target.count >= scheme.utf8CodeUnitCount else { return false }
    for index in 0..<scheme.utf8CodeUnitCount {
      let byte = bytes[target.lowerBound + index]
      let folded = byte &- 0x41 < 26 ? byte | 0x20 : byte
      guard folded == scheme.utf8Start[index] else { return false }
    }
    return true
  }

  /// The path of "path[?query]" if every character may stand there and every escape is whole.
  private static func pathRange(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
  ) -> Range<Int>? {
    var queryStart = range.upperBound
    var index = range.lowerBound
    while index < range.upperBound {
      let byte = bytes[index]
      guard Octets.isPathOrQuery(byte) else { return nil }
      if byte == UInt8(ascii: "%") {
        guard index + 2 < range.upperBound, Octets.hexValue(bytes[index + 1]) != nil,
          Octets.hexValue(bytes[index + 2]) != nil
        else { return nil }
        index += 2
      } else if byte == UInt8(ascii: "?"), queryStart == range.upperBound {
        queryStart = index
      }
      index += 1
    }
    return range.lowerBound..<queryStart
  }
}

/// The version in a start line.
enum VersionToken {
  /// `unsupportedVersion` for a well-formed other version; `invalidRequestLine` for anything else.
  @inline(__always)
  static func parse(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
  ) -> Parsed<HTTP1Version> {
    let start = range.lowerBound
    guard range.count == 8, bytes.slice(start..<start + 5).equals("HTTP/"),
      Octets.isDigit(bytes[start + 5]), bytes[start + 6] == UInt8(ascii: "."),
      Octets.isDigit(bytes[start + 7])
    else { return .failure(.invalidRequestLine) }
    guard bytes[start + 5] == UInt8(ascii: "1") else { return .failure(.unsupportedVersion) }
    switch bytes[start + 7] {
    case UInt8(ascii: "1"): return .success(.http11)
    case UInt8(ascii: "0"): return .success(.http10)
    default: return .failure(.unsupportedVersion)
    }
  }
}

/// `uri-host [ ":" port ]` of RFC 9110 §7.2, with a host that is not empty.
enum HostValue {
  static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let first = bytes.first else { return false }
    var index = 0
    if first == UInt8(ascii: "[") {
      index = 1
      while index < bytes.count, Octets.isIPv6(bytes[index]) { index += 1 }
      guard index > 1, index < bytes.count, bytes[index] == UInt8(ascii: "]") else { return false }
      index += 1
    } else {
      while index < bytes.count, Octets.isRegisteredName(bytes[index]) { index += 1 }
      guard index > 0 else { return false }
    }
    if index == bytes.count { return true }
    guard bytes[index] == Octets.colon else { return false }
    let port = bytes[(index + 1)...]
    return port.count <= 5 && port.allSatisfy(Octets.isDigit)
  }
}

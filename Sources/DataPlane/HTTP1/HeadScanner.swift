/// Takes a head apart line by line, in one pass, resumable at any byte.
///
/// A line is judged when it is whole and lines are judged in order, so faults do not depend on how
/// the bytes were cut on their way.
struct HeadScanner: Sendable {
  enum Step {
    case needMore
    /// The start line ends here (offset of its CR); call `startLineDone` and scan on.
    case startLine(end: Int)
    /// The head has this many bytes.
    case complete(Int)
    case fault(HTTP1Fault.Code)
  }

  private(set) var places = HTTP1FieldPlaces()
  private(set) var contentLength: Int?
  private(set) var isChunked = false
  private(set) var hasClose = false
  private(set) var hasKeepAlive = false
  private(set) var expectsContinue = false

  private var hasStartLine = false
  /// Offset of the first line not judged yet.
  private var lineStart = 0
  /// No line feed before this offset and after `lineStart`.
  private var searched = 0

  /// How the body ends as far as the fields say.
  var framing: HTTP1BodyFraming {
    if isChunked { return .chunked }
    guard let contentLength else { return .none }
    return .length(contentLength)
  }

  /// RFC 9112 §9.3.
  func keepsAlive(_ version: HTTP1Version) -> Bool {
    !hasClose && (version == .http11 || hasKeepAlive)
  }

  mutating func startLineDone(end: Int) {
    hasStartLine = true
    lineStart = end + 2
    searched = lineStart
    places.start = lineStart
  }

  /// Scans on; `startLineBytes` bounds the first line.
  @inline(__always)
  mutating func scan(
    _ bytes: UnsafeRawBufferPointer, limits: HTTP1Limits, isRequest: Bool, startLineBytes: Int
  ) -> Step {
    while true {
      let bound = hasStartLine ? limits.headBytes : min(startLineBytes, limits.headBytes)
      let end = min(bytes.count, bound)
      guard searched < end, let feed = bytes.firstIndex(of: Octets.lf, in: searched..<end) else {
        if bytes.count >= bound {
          return .fault(hasStartLine || !isRequest ? .headTooLarge : .targetTooLong)
        }
        searched = max(searched, end)
        return .needMore
      }
      guard feed > lineStart, bytes[feed - 1] == Octets.cr else { return .fault(.bareLF) }
      guard hasStartLine else { return .startLine(end: feed - 1) }
      if feed - 1 == lineStart { return .complete(feed + 1) }
      if let code = field(bytes, lineStart..<feed - 1, limits, isRequest) { return .fault(code) }
      lineStart = feed + 1
      searched = lineStart
    }
  }

  /// Checks and notes one field line, without its CRLF and not empty.
  @inline(__always)
  private mutating func field(
    _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, _ limits: HTTP1Limits, _ isRequest: Bool
  ) -> HTTP1Fault.Code? {
    guard Int(places.count) < limits.fields else { return .tooManyFields }
    places.count += 1
    switch FieldLine.check(bytes, line) {
    case .failure(let code): return code
    case .success(let field):
      guard let name = HTTP1Name(token: bytes.slice(field.name)) else { return nil }
      let isFirst = places.note(name, field.value)
      return noteMeaning(of: name, bytes, field.value, isFirst: isFirst, isRequest: isRequest)
    }
  }

  private mutating func noteMeaning(
    of name: HTTP1Name, _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>, isFirst: Bool,
    isRequest: Bool
  ) -> HTTP1Fault.Code? {
    let value = bytes.slice(range)
    switch name {
    case .contentLength:
      guard isFirst else { return .repeatedField }
      switch ContentLength.parse(value) {
      case .success(let length): contentLength = length
      case .failure(let code): return code
      }
      return isChunked ? .lengthAndTransferCoding : nil
    case .transferEncoding:
      guard isFirst else { return .repeatedField }
      guard value.count == 7, value.allSatisfy(Octets.isToken), value.equalsIgnoringCase("chunked")
      else { return .unsupportedTransferCoding }
      isChunked = true
      return contentLength == nil ? nil : .lengthAndTransferCoding
    case .connection:
      return noteConnection(bytes, range)
    case .host where isRequest:
      guard isFirst else { return .repeatedField }
      return HostValue.isValid(value) ? nil : .invalidHost
    case .expect where isRequest:
      guard isFirst else { return .repeatedField }
      guard value.count == 12, value.allSatisfy(Octets.isToken),
        value.equalsIgnoringCase("100-continue")
      else { return .unsupportedExpectation }
      expectsContinue = true
      return nil
    case .authorization where isRequest, .xAPIKey where isRequest, .contentType where isRequest:
      // Which of two keys counts must never be a matter of opinion between us and a proxy before us.
      return isFirst ? nil : .repeatedField
    default:
      return nil
    }
  }

  private mutating func noteConnection(
    _ bytes: UnsafeRawBufferPointer, _ range: Range<Int>
  ) -> HTTP1Fault.Code? {
    var options = TokenList(bytes, range)
    while let option = options.next() {
      let token = bytes.slice(option)
      guard token.allSatisfy(Octets.isToken) else { return .invalidConnection }
      if token.equalsIgnoringCase("close") {
        hasClose = true
      } else if token.equalsIgnoringCase("keep-alive") {
        hasKeepAlive = true
      } else if !token.equalsIgnoringCase("upgrade") {
        places.nominatesFields = true
      }
    }
    return nil
  }
}

/// The syntax of one field line (RFC 9112 §5), shared by heads and trailers.
struct FieldLine {
  let name: Range<Int>
  let value: Range<Int>

  @inline(__always)
  static func check(
    _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>
  ) -> Parsed<FieldLine> {
    var colon = line.lowerBound
    while colon < line.upperBound, Octets.isToken(bytes[colon]) { colon += 1 }
    guard colon < line.upperBound, bytes[colon] == Octets.colon, colon > line.lowerBound else {
      return .failure(faultOfName(bytes, line, at: colon))
    }
    let value = bytes.trimmed(colon + 1..<line.upperBound)
    guard bytes.slice(value).isFieldValue() else {
      let hasCR = bytes.firstIndex(of: Octets.cr, in: value) != nil
      return .failure(hasCR ? .bareCR : .invalidFieldValue)
    }
    return .success(FieldLine(name: line.lowerBound..<colon, value: value))
  }

  private static func faultOfName(
    _ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, at stop: Int
  ) -> HTTP1Fault.Code {
    if Octets.isWhitespace(bytes[line.lowerBound]) { return .obsoleteFolding }
    guard stop < line.upperBound else { return .invalidFieldName }
    if bytes[stop] == Octets.cr { return .bareCR }
    var next = stop
    while next < line.upperBound, Octets.isWhitespace(bytes[next]) { next += 1 }
    let isSpaceThenColon = next > stop && next < line.upperBound && bytes[next] == Octets.colon
    return isSpaceThenColon ? .whitespaceBeforeColon : .invalidFieldName
  }
}

/// `1*DIGIT` of RFC 9110 §8.6: no sign, no list, no white space, and countable.
enum ContentLength {
  static func parse(_ bytes: UnsafeRawBufferPointer) -> Parsed<Int> {
    guard !bytes.isEmpty else { return .failure(.invalidContentLength) }
    var length = 0
    var overflows = false
    for byte in bytes {
      guard Octets.isDigit(byte) else { return .failure(.invalidContentLength) }
      let (scaled, tooBig) = length.multipliedReportingOverflow(by: 10)
      let (sum, tooBigNow) = scaled.addingReportingOverflow(Int(byte &- 0x30))
      overflows = overflows || tooBig || tooBigNow
      length = overflows ? 0 : sum
    }
    return overflows ? .failure(.contentLengthTooLarge) : .success(length)
  }
}

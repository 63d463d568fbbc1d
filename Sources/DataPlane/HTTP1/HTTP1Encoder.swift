public import NIOCore

/// Appends heads and chunk framing to a buffer.
///
/// Text known when compiling is trusted; anything that came from outside goes through a function that
/// refuses what could end a line or split a message, and then appends nothing.
public enum HTTP1Encoder {
  /// `METHOD target HTTP/1.1`; the target is origin-form without white space or control characters.
  ///
  /// - Throws: `invalidTarget`.
  public static func requestLine(
    _ method: HTTP1Method, target: some Collection<UInt8>, to buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    guard target.first == UInt8(ascii: "/"), target.allSatisfy(isVisible) else {
      throw HTTP1Fault(.invalidTarget)
    }
    buffer.writeStaticString(method.token)
    buffer.writeInteger(Octets.space)
    buffer.writeBytes(target)
    buffer.writeStaticString(" HTTP/1.1\r\n")
  }

  /// `METHOD target HTTP/1.1` for a target known when compiling.
  public static func requestLine(
    _ method: HTTP1Method, target: StaticString, to buffer: inout ByteBuffer
  ) {
    buffer.writeStaticString(method.token)
    buffer.writeInteger(Octets.space)
    buffer.writeStaticString(target)
    buffer.writeStaticString(" HTTP/1.1\r\n")
  }

  /// `HTTP/1.1 status reason` with the registered reason phrase, or none for unregistered statuses.
  ///
  /// - Precondition: `status` is in 100…599.
  public static func statusLine(_ status: Int, to buffer: inout ByteBuffer) {
    precondition((100...599).contains(status), "status must be in 100…599")
    let version: StaticString = "HTTP/1.1 "
    let digits = Decimal(status)
    let reason = reason(status)
    let count = version.utf8CodeUnitCount + digits.count + 1 + reason.utf8CodeUnitCount + 2
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { out in
      var line = LineWriter(out)
      line.text(version)
      line.digits(digits)
      line.byte(Octets.space)
      line.text(reason)
      line.end()
      return count
    }
  }

  /// A field known when compiling.
  public static func field(
    _ name: StaticString, _ value: StaticString, to buffer: inout ByteBuffer
  ) {
    field(name, valueCount: value.utf8CodeUnitCount, to: &buffer) { $0.text(value) }
  }

  /// A field with a number.
  public static func field(_ name: StaticString, _ value: Int, to buffer: inout ByteBuffer) {
    let digits = Decimal(value)
    field(name, valueCount: digits.count, to: &buffer) { $0.digits(digits) }
  }

  /// A field whose value comes from outside.
  ///
  /// - Throws: `invalidFieldValue` if it holds CR, LF, NUL or any other control character but tab;
  ///   nothing is appended.
  public static func field(
    _ name: StaticString, checked value: some Collection<UInt8>, to buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    guard value.allSatisfy(Octets.isFieldValue) else { throw HTTP1Fault(.invalidFieldValue) }
    field(name, valueCount: value.count, to: &buffer) { $0.bytes(value) }
  }

  /// A field whose value is bytes from outside.
  ///
  /// - Throws: as the other `checked` forms.
  public static func field(
    _ name: StaticString, checked value: UnsafeRawBufferPointer, to buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    guard value.isFieldValue() else { throw HTTP1Fault(.invalidFieldValue) }
    field(name, valueCount: value.count, to: &buffer) { $0.bytes(value) }
  }

  /// A field whose value is text from outside.
  ///
  /// - Throws: as the other `checked` form.
  public static func field(
    _ name: StaticString, checked value: String, to buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    try field(name, checked: value.utf8, to: &buffer)
  }

  /// A field whose value is bytes from outside.
  ///
  /// - Throws: as the other `checked` forms.
  public static func field(
    _ name: StaticString, checked value: ByteBuffer, to buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    let isAppended = value.withUnsafeReadableBytes { bytes in
      guard bytes.isFieldValue() else { return false }
      field(name, valueCount: bytes.count, to: &buffer) { $0.bytes(bytes) }
      return true
    }
    if !isAppended { throw HTTP1Fault(.invalidFieldValue) }
  }

  /// A field whose name and value come from outside.
  ///
  /// - Throws: `invalidFieldName` unless the name is a token, `invalidFieldValue` as above.
  public static func field(
    checkedName name: some Collection<UInt8>, checked value: some Collection<UInt8>,
    to buffer: inout ByteBuffer
  ) throws(HTTP1Fault) {
    guard !name.isEmpty, name.allSatisfy(Octets.isToken) else {
      throw HTTP1Fault(.invalidFieldName)
    }
    guard value.allSatisfy(Octets.isFieldValue) else { throw HTTP1Fault(.invalidFieldValue) }
    buffer.writeBytes(name)
    buffer.writeStaticString(": ")
    buffer.writeBytes(value)
    lineEnd(to: &buffer)
  }

  /// A field whose value is an id in its 8-4-4-4-12 form, without an intermediate string.
  public static func field(_ name: StaticString, uuid: UInt128, to buffer: inout ByteBuffer) {
    field(name, valueCount: 36, to: &buffer) { $0.uuid(uuid) }
  }

  /// A `traceparent` of version 00, without an intermediate string.
  public static func traceparent(
    _ trace: UInt128, parent: UInt64, flags: UInt8, to buffer: inout ByteBuffer
  ) {
    field("traceparent", valueCount: 55, to: &buffer) { line in
      line.text("00-")
      line.digits(of: UInt64(truncatingIfNeeded: trace >> 64))
      line.digits(of: UInt64(truncatingIfNeeded: trace))
      line.byte(UInt8(ascii: "-"))
      line.digits(of: parent)
      line.byte(UInt8(ascii: "-"))
      line.digits(of: flags)
    }
  }

  /// The length of the body, in bytes.
  ///
  /// - Precondition: not negative.
  public static func contentLength(_ length: Int, to buffer: inout ByteBuffer) {
    precondition(length >= 0, "a length is not negative")
    field("content-length", length, to: &buffer)
  }

  /// Says that the body comes in chunks.
  public static func chunkedCoding(to buffer: inout ByteBuffer) {
    buffer.writeStaticString("transfer-encoding: chunked\r\n")
  }

  /// The empty line after the fields.
  public static func endOfHead(to buffer: inout ByteBuffer) { lineEnd(to: &buffer) }

  /// A whole chunk, copied; nothing for an empty slice, because an empty chunk would end the body.
  public static func chunk(_ slice: ByteBuffer, to buffer: inout ByteBuffer) {
    guard slice.readableBytes > 0 else { return }
    chunkHead(slice.readableBytes, to: &buffer)
    buffer.writeImmutableBuffer(slice)
    lineEnd(to: &buffer)
  }

  /// The line before a chunk's bytes, for callers that write the bytes without copying.
  ///
  /// - Precondition: `size` is positive.
  public static func chunkHead(_ size: Int, to buffer: inout ByteBuffer) {
    precondition(size > 0, "an empty chunk ends the body")
    var shift = (Int.bitWidth - size.leadingZeroBitCount - 1) & ~3
    while shift >= 0 {
      let digit = UInt8((size >> shift) & 0xF)
      buffer.writeInteger(digit < 10 ? digit + UInt8(ascii: "0") : digit + (UInt8(ascii: "a") - 10))
      shift -= 4
    }
    lineEnd(to: &buffer)
  }

  /// The line end after a chunk's bytes.
  public static func chunkEnd(to buffer: inout ByteBuffer) { lineEnd(to: &buffer) }

  /// The end of a chunked body, without trailers.
  public static func lastChunk(to buffer: inout ByteBuffer) {
    buffer.writeStaticString("0\r\n\r\n")
  }

  /// Appends `name: `, the `valueCount` bytes that `value` writes, and the line's end: in one piece, since
  /// there are a dozen such lines a request, and each write to a buffer asks anew whether it has room.
  @inline(__always)
  private static func field(
    _ name: StaticString, valueCount: Int, to buffer: inout ByteBuffer,
    _ value: (inout LineWriter) -> Void
  ) {
    let count = name.utf8CodeUnitCount + 2 + valueCount + 2
    buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { out in
      var line = LineWriter(out)
      line.text(name)
      line.byte(Octets.colon)
      line.byte(Octets.space)
      value(&line)
      line.end()
      return count
    }
  }

  private static func lineEnd(to buffer: inout ByteBuffer) { buffer.writeStaticString("\r\n") }

  /// RFC 3986 has no others in a target; only line and field separators are dangerous.
  private static func isVisible(_ byte: UInt8) -> Bool { byte > 0x20 && byte < 0x7F }

  private static func reason(_ status: Int) -> StaticString {
    switch status {
    case 100: "Continue"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 206: "Partial Content"
    case 301: "Moved Permanently"
    case 302: "Found"
    case 303: "See Other"
    case 304: "Not Modified"
    case 307: "Temporary Redirect"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 402: "Payment Required"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 406: "Not Acceptable"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 410: "Gone"
    case 411: "Length Required"
    case 412: "Precondition Failed"
    case 413: "Content Too Large"
    case 414: "URI Too Long"
    case 415: "Unsupported Media Type"
    case 417: "Expectation Failed"
    case 422: "Unprocessable Content"
    case 428: "Precondition Required"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 499: "Client Closed Request"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 502: "Bad Gateway"
    case 503: "Service Unavailable"
    case 504: "Gateway Timeout"
    case 505: "HTTP Version Not Supported"
    default: ""
    }
  }
}

/// A number in decimal digits, without an intermediate string.
private struct Decimal {
  private var digits: InlineArray<20, UInt8> = .init(repeating: 0)
  private var start = 20

  init(_ value: Int) {
    var rest = value.magnitude
    repeat {
      start -= 1
      digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    if value < 0 {
      start -= 1
      digits[start] = UInt8(ascii: "-")
    }
  }

  var count: Int { digits.count - start }

  /// The digit, or sign, at `index`, which is below `count`.
  subscript(index: Int) -> UInt8 { digits[start + index] }
}

/// Writes one line into memory that has room for it.
private struct LineWriter {
  private let out: UnsafeMutableRawBufferPointer
  private var at = 0

  init(_ out: UnsafeMutableRawBufferPointer) { self.out = out }

  @inline(__always)
  mutating func byte(_ byte: UInt8) {
    out[at] = byte
    at += 1
  }

  @inline(__always)
  mutating func text(_ text: StaticString) {
    bytes(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  @inline(__always)
  mutating func bytes(_ bytes: UnsafeRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: out[at...]).copyMemory(from: bytes)
    at += bytes.count
  }

  mutating func bytes(_ bytes: some Collection<UInt8>) {
    UnsafeMutableRawBufferPointer(rebasing: out[at...]).copyBytes(from: bytes)
    at += bytes.count
  }

  mutating func digits(_ number: Decimal) {
    for index in 0..<number.count { byte(number[index]) }
  }

  mutating func uuid(_ uuid: UInt128) {
    let high = UInt64(truncatingIfNeeded: uuid >> 64)
    let low = UInt64(truncatingIfNeeded: uuid)
    hex(high, from: 60, through: 32)
    byte(UInt8(ascii: "-"))
    hex(high, from: 28, through: 16)
    byte(UInt8(ascii: "-"))
    hex(high, from: 12, through: 0)
    byte(UInt8(ascii: "-"))
    hex(low, from: 60, through: 48)
    byte(UInt8(ascii: "-"))
    hex(low, from: 44, through: 0)
  }

  /// All hexadecimal digits of a number.
  mutating func digits(of number: some FixedWidthInteger & UnsignedInteger) {
    hex(UInt64(number), from: number.bitWidth - 4, through: 0)
  }

  /// The digits of the bits from `first` down to `last`, both the lowest of a digit's four.
  @inline(__always)
  private mutating func hex(_ bits: UInt64, from first: Int, through last: Int) {
    var shift = first
    while shift >= last {
      byte(Self.hexDigit(UInt8(truncatingIfNeeded: bits &>> UInt64(shift)) & 0xF))
      shift &-= 4
    }
  }

  mutating func end() {
    byte(Octets.cr)
    byte(Octets.lf)
  }

  @inline(__always)
  private static func hexDigit(_ value: UInt8) -> UInt8 {
    value < 10 ? value + UInt8(ascii: "0") : value + (UInt8(ascii: "a") - 10)
  }
}

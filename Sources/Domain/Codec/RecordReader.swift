/// Reads fields in the log's encoding from bytes that may be anything.
///
/// Every read is checked against what is left before anything is allocated, and only the one encoding that
/// `RecordWriter` produces is accepted, so a decoded record encodes to the same bytes again.
struct RecordReader {
  private let bytes: ArraySlice<UInt8>
  private var index: Int
  private let kind: String

  init(_ bytes: ArraySlice<UInt8>, kind: String) {
    self.bytes = bytes
    self.kind = kind
    index = bytes.startIndex
  }

  var remaining: Int { bytes.endIndex - index }

  /// The failure at the place reached.
  func failure(_ reason: DecodingFailure.Reason) -> DecodingFailure {
    let bounded =
      kind.utf8.count <= 127 ? kind : String(decoding: kind.utf8.prefix(127), as: UTF8.self)
    return DecodingFailure(kind: bounded, offset: index - bytes.startIndex, reason: reason)
  }

  mutating func byte() throws(DecodingFailure) -> UInt8 {
    guard index < bytes.endIndex else { throw failure(.truncated) }
    defer { index += 1 }
    return bytes[index]
  }

  mutating func varint() throws(DecodingFailure) -> UInt64 {
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      let next = try byte()
      // The tenth byte has room for one bit; a last byte of zero says nothing.
      guard shift < 63 || next <= 1, next != 0 || shift == 0 else {
        throw failure(.invalidVarint)
      }
      value |= UInt64(next & 0x7F) << shift
      if next < 0x80 { return value }
      shift += 7
    }
  }

  mutating func zigzag() throws(DecodingFailure) -> Int64 {
    let value = try varint()
    return Int64(bitPattern: (value >> 1) ^ (0 &- (value & 1)))
  }

  mutating func time() throws(DecodingFailure) -> UnixNanoseconds { UnixNanoseconds(try zigzag()) }

  mutating func uint16() throws(DecodingFailure) -> UInt16 {
    guard let value = UInt16(exactly: try varint()) else { throw failure(.invalidValue) }
    return value
  }

  mutating func uint32() throws(DecodingFailure) -> UInt32 {
    guard let value = UInt32(exactly: try varint()) else { throw failure(.invalidValue) }
    return value
  }

  mutating func flag() throws(DecodingFailure) -> Bool {
    switch try byte() {
    case 0: return false
    case 1: return true
    case _: throw failure(.invalidValue)
    }
  }

  /// A set of flags of which only those in `known` may be set.
  mutating func flags(known: UInt64) throws(DecodingFailure) -> UInt64 {
    let value = try varint()
    guard value & ~known == 0 else { throw failure(.unknownFlags) }
    return value
  }

  mutating func one<Case: RawRepresentable>(
    of _: Case.Type
  ) throws(DecodingFailure) -> Case where Case.RawValue == UInt8 {
    guard let value = Case(rawValue: try byte()) else { throw failure(.invalidValue) }
    return value
  }

  mutating func id() throws(DecodingFailure) -> UInt128 {
    var value: UInt128 = 0
    for byte in try take(16) { value = value << 8 | UInt128(byte) }
    return value
  }

  mutating func text() throws(DecodingFailure) -> String {
    let length = try varint()
    guard length <= UInt64(remaining) else { throw failure(.truncated) }
    let taken = try take(Int(length))
    // Faster than `String(validating:as:)`, which is not specialised: a repaired text differs from its bytes.
    let text = String(decoding: taken, as: UTF8.self)
    guard text.utf8.elementsEqual(taken) else { throw failure(.invalidText) }
    return text
  }

  /// Steps over a text that nobody asks for, without looking whether it is one.
  mutating func skipText() throws(DecodingFailure) { _ = try textPlace() }

  /// Steps over a text and tells where it stands, counted from the first byte, without looking whether it is one.
  mutating func textPlace() throws(DecodingFailure) -> Range<Int> {
    let length = try varint()
    guard length <= UInt64(remaining) else { throw failure(.truncated) }
    defer { index += Int(length) }
    let place = index - bytes.startIndex
    return place..<place + Int(length)
  }

  /// The same, with or without a look whether it is a text.
  mutating func textPlace(isChecked: Bool) throws(DecodingFailure) -> Range<Int> {
    let place = try textPlace()
    if isChecked, !isText(place) { throw failure(.invalidText) }
    return place
  }

  private func isText(_ place: Range<Int>) -> Bool {
    let taken = bytes[bytes.startIndex + place.lowerBound..<bytes.startIndex + place.upperBound]
    let isASCII = taken.withUnsafeBytes { bytes in
      var high: UInt64 = 0
      var at = 0
      while at + 8 <= bytes.count {
        high |= bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
        at += 8
      }
      while at < bytes.count {
        high |= UInt64(bytes[at])
        at += 1
      }
      return high & 0x8080_8080_8080_8080 == 0
    }
    return isASCII || String(decoding: taken, as: UTF8.self).utf8.elementsEqual(taken)
  }

  mutating func data() throws(DecodingFailure) -> [UInt8] {
    let length = try varint()
    guard length <= UInt64(remaining) else { throw failure(.truncated) }
    return [UInt8](try take(Int(length)))
  }

  mutating func fingerprint() throws(DecodingFailure) -> Fingerprint {
    Fingerprint([UInt8](try take(Fingerprint.byteCount)))
  }

  /// A number of elements that each take at least one byte, so it never exceeds what is left.
  mutating func count() throws(DecodingFailure) -> Int {
    let value = try varint()
    guard value <= UInt64(remaining) else { throw failure(.truncated) }
    return Int(value)
  }

  /// Everything was read.
  func end() throws(DecodingFailure) {
    guard remaining == 0 else { throw failure(.trailingBytes) }
  }

  private mutating func take(_ count: Int) throws(DecodingFailure) -> ArraySlice<UInt8> {
    guard count <= remaining else { throw failure(.truncated) }
    defer { index += count }
    return bytes[index..<index + count]
  }
}

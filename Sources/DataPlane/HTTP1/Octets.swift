/// Character classes of RFC 9110 and RFC 3986 as bit sets: two words, no table in memory.
enum Octets {
  static let cr = UInt8(ascii: "\r")
  static let lf = UInt8(ascii: "\n")
  static let space = UInt8(ascii: " ")
  static let tab = UInt8(ascii: "\t")
  static let colon = UInt8(ascii: ":")

  /// RFC 9110 §5.6.2 `tchar`.
  @inline(__always)
  static func isToken(_ byte: UInt8) -> Bool {
    isIn(byte, 0x03FF_6CFA_0000_0000, 0x57FF_FFFF_C7FF_FFFE)
  }

  /// RFC 3986 `pchar`, "/" and "?": what a path with its query consists of.
  @inline(__always)
  static func isPathOrQuery(_ byte: UInt8) -> Bool {
    isIn(byte, 0xAFFF_FFF2_0000_0000, 0x47FF_FFFE_87FF_FFFF)
  }

  /// RFC 3986 `reg-name`; covers IPv4 addresses.
  @inline(__always)
  static func isRegisteredName(_ byte: UInt8) -> Bool {
    isIn(byte, 0x2BFF_7FF2_0000_0000, 0x47FF_FFFE_87FF_FFFE)
  }

  /// The characters of an IPv6 address.
  @inline(__always)
  static func isIPv6(_ byte: UInt8) -> Bool {
    isIn(byte, 0x07FF_4000_0000_0000, 0x0000_007E_0000_007E)
  }

  /// RFC 9110 §5.5: visible characters, obs-text, space and tab.
  @inline(__always)
  static func isFieldValue(_ byte: UInt8) -> Bool {
    (byte >= 0x20 && byte != 0x7F) || byte == tab
  }

  @inline(__always)
  static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }

  @inline(__always)
  static func isWhitespace(_ byte: UInt8) -> Bool { byte == space || byte == tab }

  /// The value of a hexadecimal digit, nil for any other byte.
  @inline(__always)
  static func hexValue(_ byte: UInt8) -> Int? {
    if byte &- 0x30 < 10 { return Int(byte &- 0x30) }
    let letter = (byte | 0x20) &- 0x61
    return letter < 6 ? Int(letter) + 10 : nil
  }

  @inline(__always)
  private static func isIn(_ byte: UInt8, _ low: UInt64, _ high: UInt64) -> Bool {
    let word = byte < 64 ? low : high
    return byte < 128 && (word >> UInt64(byte & 63)) & 1 != 0
  }
}

extension UnsafeRawBufferPointer {
  /// Whether these are exactly the bytes of `text`.
  @inline(__always)
  func equals(_ text: StaticString) -> Bool {
    guard count == text.utf8CodeUnitCount else { return false }
    let other = text.utf8Start
    for index in 0..<count where self[index] != other[index] { return false }
    return true
  }

  /// Whether these are the bytes of `lower` in any case.
  ///
  /// `lower` consists of lower-case letters, digits and hyphens; the bytes compared are token
  /// characters, among which setting bit 5 makes no other byte equal to one of these.
  @inline(__always)
  func equalsIgnoringCase(_ lower: StaticString) -> Bool {
    guard count == lower.utf8CodeUnitCount, let base = baseAddress else { return false }
    let other = UnsafeRawPointer(lower.utf8Start)
    if count >= 8 {
      let fold: UInt64 = 0x2020_2020_2020_2020
      var offset = 0
      while offset + 8 <= count {
        let mine = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self) | fold
        guard mine == other.loadUnaligned(fromByteOffset: offset, as: UInt64.self) | fold else {
          return false
        }
        offset += 8
      }
      // The last eight bytes overlap those already compared.
      let last = count - 8
      return base.loadUnaligned(fromByteOffset: last, as: UInt64.self) | fold
        == other.loadUnaligned(fromByteOffset: last, as: UInt64.self) | fold
    }
    for index in 0..<count where self[index] | 0x20 != lower.utf8Start[index] { return false }
    return true
  }

  /// Whether every byte may stand in a field value; eight bytes at a time.
  @inline(__always)
  func isFieldValue() -> Bool {
    guard let base = baseAddress else { return true }
    var offset = 0
    while offset + 8 <= count {
      let word = base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      // A byte below 0x20 borrows into bit 7; so does 0x7F after the exclusive or.
      let ones: UInt64 = 0x0101_0101_0101_0101
      let tops: UInt64 = 0x8080_8080_8080_8080
      let control = (word &- ones &* 0x20) & ~word & tops
      let delete = word ^ (ones &* 0x7F)
      let isDelete = (delete &- ones) & ~delete & tops
      if control | isDelete != 0 {
        for index in offset..<offset + 8 where !Octets.isFieldValue(self[index]) { return false }
      }
      offset += 8
    }
    while offset < count {
      guard Octets.isFieldValue(self[offset]) else { return false }
      offset += 1
    }
    return true
  }

  /// The part without white space at both ends.
  @inline(__always)
  func trimmed(_ range: Range<Int>) -> Range<Int> {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, Octets.isWhitespace(self[start]) { start += 1 }
    while end > start, Octets.isWhitespace(self[end - 1]) { end -= 1 }
    return start..<end
  }

  @inline(__always)
  func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[range])
  }
}

/// Walks over a JSON document byte by byte, checking all of RFC 8259's grammar on the way.
///
/// The pointer is borrowed: a cursor lives inside the call that was given the bytes. Every read is
/// guarded by `count`; nothing is allocated.
struct JSONCursor {
  static let maximumDepth = 128
  static let maximumTopLevelMembers = 1024
  static let maximumTopLevelNameBytes = 256
  static let maximumModelBytes = 256

  private let base: UnsafeRawPointer
  let count: Int
  /// Where the next byte is read; 0…count.
  private(set) var at = 0
  /// Of a tree: half surrogate pairs in its texts are marked instead of refused.
  var marksHalves = false

  /// Nil if there are no bytes at all.
  init?(_ bytes: UnsafeRawBufferPointer) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return nil }
    self.base = base
    self.count = bytes.count
  }

  /// The byte at `index`, which must be below `count`.
  @inline(__always)
  func byte(_ index: Int) -> UInt8 {
    assert(index >= 0 && index < count)
    return base.load(fromByteOffset: index, as: UInt8.self)
  }

  /// The byte at the cursor; nil at the end.
  @inline(__always)
  var current: UInt8? { at < count ? byte(at) : nil }

  /// The byte at the cursor; at the end, a flaw.
  @inline(__always)
  func expectByte() throws(JSONFlaw) -> UInt8 {
    guard at < count else { throw JSONFlaw(.unexpectedEnd, at: count) }
    return byte(at)
  }

  /// Steps over the byte at the cursor, which the caller has looked at.
  @inline(__always)
  mutating func advance() { at += 1 }

  @inline(__always)
  mutating func skipWhitespace() {
    while at < count {
      switch byte(at) {
      case 0x20, 0x0A, 0x0D, 0x09: at += 1
      default: return
      }
    }
  }

  // MARK: Documents

  /// Up to the first byte of the document's value.
  mutating func beginDocument() throws(JSONFlaw) {
    if count >= 3, byte(0) == 0xEF, byte(1) == 0xBB, byte(2) == 0xBF {
      throw JSONFlaw(.byteOrderMark, at: 0)
    }
    skipWhitespace()
    if at == count { throw JSONFlaw(.empty, at: at) }
  }

  /// Nothing but white space may follow.
  mutating func endDocument() throws(JSONFlaw) {
    skipWhitespace()
    if at < count { throw JSONFlaw(.trailingBytes, at: at) }
  }

  // MARK: Values

  /// Steps over one value of any type; `outer` containers are open around it.
  mutating func skipValue(within outer: Int) throws(JSONFlaw) {
    // One bit a container, 1 for objects, the innermost in the lowest bit.
    var kinds: UInt128 = 0
    var depth = 0
    while true {
      switch try expectByte() {
      case UInt8(ascii: "\""):
        try skipString()
      case UInt8(ascii: "{"):
        if outer + depth >= Self.maximumDepth { throw JSONFlaw(.tooDeep, at: at) }
        at += 1
        skipWhitespace()
        if try expectByte() == UInt8(ascii: "}") {
          at += 1
        } else {
          kinds = kinds << 1 | 1
          depth += 1
          try skipName()
          continue
        }
      case UInt8(ascii: "["):
        if outer + depth >= Self.maximumDepth { throw JSONFlaw(.tooDeep, at: at) }
        at += 1
        skipWhitespace()
        if try expectByte() == UInt8(ascii: "]") {
          at += 1
        } else {
          kinds <<= 1
          depth += 1
          continue
        }
      case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
        try skipNumber()
      default:
        try skipLiteral()
      }

      // The value is over: so may be the containers around it.
      while true {
        if depth == 0 { return }
        skipWhitespace()
        let byte = try expectByte()
        let inObject = kinds & 1 == 1
        if byte == UInt8(ascii: ",") {
          at += 1
          skipWhitespace()
          if inObject { try skipName() }
          break
        }
        guard byte == (inObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else {
          throw JSONFlaw(inObject ? .expectedCommaOrBrace : .expectedCommaOrBracket, at: at)
        }
        at += 1
        kinds >>= 1
        depth -= 1
      }
    }
  }

  /// From a name's opening quote to the first byte of its value.
  @discardableResult
  mutating func skipName() throws(JSONFlaw) -> JSONToken {
    guard try expectByte() == UInt8(ascii: "\"") else { throw JSONFlaw(.expectedName, at: at) }
    let name = try skipString()
    skipWhitespace()
    guard try expectByte() == UInt8(ascii: ":") else { throw JSONFlaw(.expectedColon, at: at) }
    at += 1
    skipWhitespace()
    return name
  }

  /// The cursor stands after the value of an object's member: true if another member's name follows.
  mutating func nextMember() throws(JSONFlaw) -> Bool {
    skipWhitespace()
    switch try expectByte() {
    case UInt8(ascii: ","):
      at += 1
      skipWhitespace()
      return true
    case UInt8(ascii: "}"):
      at += 1
      return false
    default:
      throw JSONFlaw(.expectedCommaOrBrace, at: at)
    }
  }

  /// The cursor stands on an opening brace: true if a member's name follows.
  mutating func firstMember() throws(JSONFlaw) -> Bool {
    at += 1
    skipWhitespace()
    guard try expectByte() == UInt8(ascii: "}") else { return true }
    at += 1
    return false
  }

  /// Steps over `true`, `false` or `null`.
  mutating func skipLiteral() throws(JSONFlaw) {
    switch byte(at) {
    case UInt8(ascii: "t"): try skipWord("true")
    case UInt8(ascii: "f"): try skipWord("false")
    case UInt8(ascii: "n"): try skipWord("null")
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
      throw JSONFlaw(.badLiteral, at: at)
    default:
      throw JSONFlaw(.expectedValue, at: at)
    }
  }

  private mutating func skipWord(_ word: StaticString) throws(JSONFlaw) {
    for index in 0..<word.utf8CodeUnitCount {
      guard at + index < count else { throw JSONFlaw(.unexpectedEnd, at: count) }
      if byte(at + index) != word.utf8Start[index] { throw JSONFlaw(.badLiteral, at: at) }
    }
    at += word.utf8CodeUnitCount
  }

  // MARK: Numbers

  /// Steps over a number; true if it is made of digits alone.
  @discardableResult
  mutating func skipNumber() throws(JSONFlaw) -> Bool {
    let start = at
    var isPlain = true
    if byte(at) == UInt8(ascii: "-") {
      isPlain = false
      at += 1
    }
    if current == UInt8(ascii: "0") {
      at += 1
    } else {
      try skipDigits(from: start)
    }
    if current == UInt8(ascii: ".") {
      isPlain = false
      at += 1
      try skipDigits(from: start)
    }
    if current == UInt8(ascii: "e") || current == UInt8(ascii: "E") {
      isPlain = false
      at += 1
      if current == UInt8(ascii: "+") || current == UInt8(ascii: "-") { at += 1 }
      try skipDigits(from: start)
    }
    if let byte = current {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "+"),
        UInt8(ascii: "-"), UInt8(ascii: "a")...UInt8(ascii: "z"),
        UInt8(ascii: "A")...UInt8(ascii: "Z"):
        throw JSONFlaw(.badNumber, at: start)
      default: break
      }
    }
    return isPlain
  }

  /// One digit or more; the flaw is told at the number's first byte.
  private mutating func skipDigits(from start: Int) throws(JSONFlaw) {
    guard at < count else { throw JSONFlaw(.unexpectedEnd, at: count) }
    guard isDigit(byte(at)) else { throw JSONFlaw(.badNumber, at: start) }
    repeat { at += 1 } while at < count && isDigit(byte(at))
  }

  @inline(__always)
  private func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }

  /// Steps over a number and gives its value if it is digits alone and fits.
  mutating func unsignedInteger() throws(JSONFlaw) -> UInt64? {
    let start = at
    guard try skipNumber() else { return nil }
    var value: UInt64 = 0
    for index in start..<at {
      let (product, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = product.addingReportingOverflow(
        UInt64(byte(index) &- UInt8(ascii: "0")))
      if overflow || carry { return nil }
      value = sum
    }
    return value
  }

  // MARK: Strings

  /// Steps over a string, from its opening to behind its closing quote.
  @discardableResult
  mutating func skipString() throws(JSONFlaw) -> JSONToken {
    let start = at
    var index = at + 1
    var hasEscapes = false
    while true {
      index = skipPlain(from: index)
      guard index < count else { throw JSONFlaw(.unexpectedEnd, at: count) }
      let byte = byte(index)
      if byte == UInt8(ascii: "\"") {
        at = index + 1
        return JSONToken(range: start..<at, hasEscapes: hasEscapes)
      } else if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        index = try skipEscape(from: index)
      } else if byte >= 0x80 {
        index = try skipMultibyte(from: index)
      } else {
        throw JSONFlaw(.controlCharacter, at: index)
      }
    }
  }

  /// The first byte from `index` on that is a quote, a backslash, a control or not ASCII, or `count`.
  ///
  /// Eight bytes at a time: the lowest marked byte of each test is exact, whatever borrows do above
  /// it, and only the lowest is used.
  @inline(__always)
  private func skipPlain(from index: Int) -> Int {
    var index = index
    while index &+ 8 <= count {
      let word = UInt64(
        littleEndian: base.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let quotes = word ^ 0x2222_2222_2222_2222
      let slashes = word ^ 0x5C5C_5C5C_5C5C_5C5C
      let marks =
        (((quotes &- 0x0101_0101_0101_0101) & ~quotes)
          | ((slashes &- 0x0101_0101_0101_0101) & ~slashes)
          | ((word &- 0x2020_2020_2020_2020) & ~word) | word) & 0x8080_8080_8080_8080
      if marks != 0 { return index &+ marks.trailingZeroBitCount >> 3 }
      index &+= 8
    }
    while index < count {
      let byte = byte(index)
      if byte < 0x20 || byte >= 0x80 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
        return index
      }
      index &+= 1
    }
    return index
  }

  /// Over one escape that begins at `index`; halves of surrogate pairs pass, as RFC 8259 has it.
  private func skipEscape(from index: Int) throws(JSONFlaw) -> Int {
    guard index + 1 < count else { throw JSONFlaw(.unexpectedEnd, at: count) }
    switch byte(index + 1) {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
      UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return index + 2
    case UInt8(ascii: "u"):
      for digit in index + 2..<index + 6 {
        guard digit < count else { throw JSONFlaw(.unexpectedEnd, at: count) }
        guard hexValue(byte(digit)) != nil else { throw JSONFlaw(.badEscape, at: index) }
      }
      return index + 6
    default:
      throw JSONFlaw(.badEscape, at: index)
    }
  }

  /// Over a run of characters that are not ASCII, by Table 3-7 of the Unicode standard: no overlong
  /// forms, no surrogates, nothing above U+10FFFF.
  private func skipMultibyte(from index: Int) throws(JSONFlaw) -> Int {
    var index = index
    repeat {
      let lead = byte(index)
      let length: Int
      var lowest: UInt8 = 0x80
      var highest: UInt8 = 0xBF
      switch lead {
      case 0xC2...0xDF: length = 2
      case 0xE0:
        length = 3
        lowest = 0xA0
      case 0xED:
        length = 3
        highest = 0x9F
      case 0xE1...0xEF: length = 3
      case 0xF0:
        length = 4
        lowest = 0x90
      case 0xF1...0xF3: length = 4
      case 0xF4:
        length = 4
        highest = 0x8F
      default: throw JSONFlaw(.badUTF8, at: index)
      }
      guard index + length <= count else { throw JSONFlaw(.badUTF8, at: index) }
      let second = byte(index + 1)
      guard second >= lowest, second <= highest else { throw JSONFlaw(.badUTF8, at: index) }
      if length >= 3, byte(index + 2) & 0xC0 != 0x80 { throw JSONFlaw(.badUTF8, at: index) }
      if length == 4, byte(index + 3) & 0xC0 != 0x80 { throw JSONFlaw(.badUTF8, at: index) }
      index += length
    } while index < count && byte(index) >= 0x80
    return index
  }

  // MARK: Strings' contents

  /// The bytes that a string token stands for, unescaped one by one.
  func unescaped(_ token: JSONToken) -> JSONUnescaping {
    JSONUnescaping(
      bytes: UnsafeRawBufferPointer(
        start: base + token.range.lowerBound + 1, count: token.range.count - 2))
  }

  /// The text of a range that was checked to be UTF-8.
  func checkedText(_ range: Range<Int>) -> String {
    String(
      decoding: UnsafeRawBufferPointer(start: base + range.lowerBound, count: range.count),
      as: UTF8.self)
  }

  /// Whether the token stands for `text`, however it is escaped.
  ///
  /// Names are compared with many words, and nearly always their lengths tell.
  @inline(__always)
  func equals(_ token: JSONToken, _ text: StaticString) -> Bool {
    if !token.hasEscapes, token.range.count != text.utf8CodeUnitCount + 2 { return false }
    return isSame(token, text)
  }

  private func isSame(_ token: JSONToken, _ text: StaticString) -> Bool {
    if !token.hasEscapes {
      let (mine, length) = (base + token.range.lowerBound + 1, text.utf8CodeUnitCount)
      let theirs = UnsafeRawPointer(text.utf8Start)
      var index = 0
      while index &+ 8 <= length {
        guard
          mine.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            == theirs.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        else { return false }
        index &+= 8
      }
      while index < length {
        guard mine.load(fromByteOffset: index, as: UInt8.self) == text.utf8Start[index] else {
          return false
        }
        index &+= 1
      }
      return true
    }
    var bytes = unescaped(token)
    for index in 0..<text.utf8CodeUnitCount where bytes.next() != text.utf8Start[index] {
      return false
    }
    return bytes.next() == nil
  }
}

/// A string token: where it stands, quotes included, and whether a backslash is in it.
struct JSONToken {
  var range: Range<Int>
  var hasEscapes: Bool
}

/// The value of a hexadecimal digit; nil for any other byte.
func hexValue(_ byte: UInt8) -> UInt8? {
  switch byte {
  case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
  case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
  case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
  default: nil
  }
}

extension JSONTree {
  /// Reads a JSON document of whole numbers, as `rendered` writes one; nil for anything else.
  ///
  /// Bounded in depth; members may repeat (whoever reads them compares with what it would write).
  init?(parsing text: String) {
    var parser = Parser(bytes: Array(text.utf8))
    guard let value = parser.value(depth: 0), parser.isAtEnd else { return nil }
    self = value
  }

  /// The value of an object's member; nil if this is no object or has none of the name.
  subscript(name: String) -> JSONTree? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.name == name }?.value
  }

  /// The text; nil if this is none.
  var text: String? { if case .text(let text) = self { text } else { nil } }

  /// The number, also if `count` wrote it as text; nil if this is none or negative.
  var count: UInt64? {
    switch self {
    case .number(let number): UInt64(exactly: number)
    case .text(let text): UInt64(text)
    default: nil
    }
  }

  /// The elements; nil if this is no array.
  var elements: [JSONTree]? { if case .array(let elements) = self { elements } else { nil } }

  private struct Parser {
    let bytes: [UInt8]
    var at = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool {
      mutating get {
        skipSpace()
        return at == bytes.count
      }
    }

    private mutating func skipSpace() {
      while at < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[at]) { at += 1 }
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
      skipSpace()
      guard at < bytes.count, bytes[at] == UInt8(ascii: character) else { return false }
      at += 1
      return true
    }

    private mutating func take(word: String) -> Bool {
      guard bytes[at...].starts(with: word.utf8) else { return false }
      at += word.utf8.count
      return true
    }

    mutating func value(depth: Int) -> JSONTree? {
      guard depth < 16 else { return nil }
      skipSpace()
      guard at < bytes.count else { return nil }
      switch bytes[at] {
      case UInt8(ascii: "{"): return object(depth)
      case UInt8(ascii: "["): return array(depth)
      case UInt8(ascii: "\""): return string().map { .text($0) }
      case UInt8(ascii: "t"): return take(word: "true") ? .bool(true) : nil
      case UInt8(ascii: "f"): return take(word: "false") ? .bool(false) : nil
      case UInt8(ascii: "n"): return take(word: "null") ? .null : nil
      default: return number()
      }
    }

    private mutating func object(_ depth: Int) -> JSONTree? {
      guard take("{") else { return nil }
      var members: [Member] = []
      if take("}") { return .object([]) }
      repeat {
        skipSpace()
        guard let name = string(), take(":"), let value = value(depth: depth + 1) else {
          return nil
        }
        members.append(Member(name, value))
      } while take(",")
      return take("}") ? .object(members) : nil
    }

    private mutating func array(_ depth: Int) -> JSONTree? {
      guard take("[") else { return nil }
      var elements: [JSONTree] = []
      if take("]") { return .array([]) }
      repeat {
        guard let value = value(depth: depth + 1) else { return nil }
        elements.append(value)
      } while take(",")
      return take("]") ? .array(elements) : nil
    }

    private mutating func number() -> JSONTree? {
      let start = at
      if at < bytes.count, bytes[at] == UInt8(ascii: "-") { at += 1 }
      while at < bytes.count, (0x30...0x39).contains(bytes[at]) { at += 1 }
      return Int64(String(decoding: bytes[start..<at], as: UTF8.self)).map { .number($0) }
    }

    private mutating func string() -> String? {
      guard at < bytes.count, bytes[at] == UInt8(ascii: "\"") else { return nil }
      at += 1
      var units: [UInt16] = []
      var plain = at
      func flush(_ end: Int, _ units: inout [UInt16]) -> Bool {
        guard let text = String(validating: bytes[plain..<end], as: UTF8.self) else { return false }
        units.append(contentsOf: text.utf16)
        return true
      }
      while at < bytes.count {
        let byte = bytes[at]
        guard byte >= 0x20 else { return nil }
        if byte == UInt8(ascii: "\"") {
          guard flush(at, &units) else { return nil }
          at += 1
          return String(validating: units, as: UTF16.self)
        }
        guard byte == UInt8(ascii: "\\") else {
          at += 1
          continue
        }
        guard flush(at, &units), let unit = escape() else { return nil }
        units.append(unit)
        plain = at
      }
      return nil
    }

    /// Reads a backslash and what belongs to it.
    private mutating func escape() -> UInt16? {
      guard at + 1 < bytes.count else { return nil }
      let letter = bytes[at + 1]
      at += 2
      switch letter {
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return UInt16(letter)
      case UInt8(ascii: "b"): return 8
      case UInt8(ascii: "f"): return 12
      case UInt8(ascii: "n"): return 10
      case UInt8(ascii: "r"): return 13
      case UInt8(ascii: "t"): return 9
      case UInt8(ascii: "u"):
        guard at + 4 <= bytes.count else { return nil }
        let digits = bytes[at..<(at + 4)]
        at += 4
        guard let high = parseHex(String(decoding: digits, as: UTF8.self)) else { return nil }
        return UInt16(high[0]) << 8 | UInt16(high[1])
      default: return nil
      }
    }
  }
}

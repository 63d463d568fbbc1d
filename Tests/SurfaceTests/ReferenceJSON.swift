/// RFC 8259 written down a second time, as plainly as can be, to hold the scanner against.
struct ReferenceJSON {
  private var scalars: [UnicodeScalar]
  private var at = 0
  private var depth = 0

  static func isValid(_ bytes: [UInt8]) -> Bool {
    guard let text = String(validating: bytes, as: UTF8.self) else { return false }
    var parser = ReferenceJSON(scalars: Array(text.unicodeScalars))
    parser.space()
    guard parser.value() else { return false }
    parser.space()
    return parser.at == parser.scalars.count
  }

  private var next: UnicodeScalar? { at < scalars.count ? scalars[at] : nil }

  private mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard scalars[at...].starts(with: wanted) else { return false }
    at += wanted.count
    return true
  }

  private mutating func space() {
    while let scalar = next, " \n\r\t".unicodeScalars.contains(scalar) { at += 1 }
  }

  private mutating func value() -> Bool {
    switch next {
    case "{": list("{", "}") { $0.string() && $0.colon() && $0.value() }
    case "[": list("[", "]") { $0.value() }
    case "\"": string()
    case "t": take("true")
    case "f": take("false")
    case "n": take("null")
    default: number()
    }
  }

  private mutating func colon() -> Bool {
    space()
    guard take(":") else { return false }
    space()
    return true
  }

  private mutating func list(
    _ open: String, _ close: String, _ item: (inout Self) -> Bool
  ) -> Bool {
    depth += 1
    defer { depth -= 1 }
    guard depth <= 128, take(open) else { return false }
    space()
    if take(close) { return true }
    while true {
      space()
      guard item(&self) else { return false }
      space()
      if take(close) { return true }
      guard take(",") else { return false }
    }
  }

  private mutating func string() -> Bool {
    guard take("\"") else { return false }
    while let scalar = next {
      at += 1
      switch scalar {
      case "\"": return true
      case "\\":
        guard let escaped = next else { return false }
        at += 1
        if escaped == "u" {
          for _ in 0..<4 {
            guard let digit = next, digit.properties.isASCIIHexDigit else { return false }
            at += 1
          }
        } else if !"\"\\/bfnrt".unicodeScalars.contains(escaped) {
          return false
        }
      default:
        if scalar.value < 0x20 { return false }
      }
    }
    return false
  }

  private mutating func digits() -> Bool {
    let start = at
    while let scalar = next, ("0"..."9").contains(scalar) { at += 1 }
    return at > start
  }

  private mutating func number() -> Bool {
    _ = take("-")
    if !take("0"), !digits() { return false }
    if take("."), !digits() { return false }
    if take("e") || take("E") {
      if !take("+") { _ = take("-") }
      return digits()
    }
    return true
  }
}

import Domain

/// Client keys and passwords as the gateway makes and shows them.
enum KeyText {
  private static let digits = Array(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

  /// A fresh client key: `sk-sb-` and 32 characters, 190 bits of chance.
  static func makeKey(_ edge: Edge) -> Secret { Secret("sk-sb-" + characters(32, edge)) }

  /// A fresh password: 24 characters, 142 bits of chance.
  static func makePassword(_ edge: Edge) -> Secret { Secret(characters(24, edge)) }

  /// Enough to recognise a key by; nothing at all of a short one.
  static func masked(_ key: Secret) -> String {
    guard key.bytes.count >= 20, key.bytes.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      return "…"
    }
    let head = String(decoding: key.bytes.prefix(8), as: UTF8.self)
    let tail = String(decoding: key.bytes.suffix(4), as: UTF8.self)
    return "\(head)…\(tail)"
  }

  /// The first 12 hexadecimal digits: enough to compare by eye.
  static func short(_ fingerprint: Fingerprint) -> String {
    hexadecimalText(fingerprint.rawValue.prefix(6))
  }

  /// Uniform: values that would favour the first digits are thrown again.
  static func characters(_ count: Int, _ edge: Edge) -> String {
    var text: [UInt8] = []
    while text.count < count {
      var bits = edge.random()
      for _ in 0..<10 where text.count < count {
        let value = Int(bits & 63)
        bits >>= 6
        if value < digits.count { text.append(digits[value]) }
      }
    }
    return String(decoding: text, as: UTF8.self)
  }
}

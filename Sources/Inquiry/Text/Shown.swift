import Domain

/// How values look in text: on one line, with nothing a terminal would obey.
public enum Shown {
  /// Text of the log with control and direction characters escaped.
  public static func text(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: \.isHidden) else { return text }
    var out = ""
    for scalar in text.unicodeScalars {
      if scalar.isHidden {
        out += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        out.unicodeScalars.append(scalar)
      }
    }
    return out
  }

  /// `412 µs`, `3.4 ms`, `34 ms`, `12.3 s`; the last digit is truncated.
  static func duration(_ microseconds: UInt64) -> String {
    switch microseconds {
    case 0..<1_000: "\(microseconds) µs"
    case 1_000..<10_000: "\(microseconds / 1_000).\(microseconds / 100 % 10) ms"
    case 10_000..<10_000_000: "\(microseconds / 1_000) ms"
    default: "\(microseconds / 1_000_000).\(microseconds / 100_000 % 10) s"
    }
  }

  /// `1 attempt`, `2 attempts`.
  static func count(_ number: Int, _ noun: String) -> String {
    count(UInt64(max(0, number)), noun)
  }

  static func count(_ number: UInt64, _ noun: String) -> String {
    count(number, noun, noun + "s")
  }

  /// `1 loss`, `2 losses`.
  static func count(_ number: UInt64, _ one: String, _ many: String) -> String {
    "\(number) \(number == 1 ? one : many)"
  }

  static func hex(_ bytes: some Sequence<UInt8>) -> String {
    var out = ""
    for byte in bytes {
      if byte < 16 { out += "0" }
      out += String(byte, radix: 16)
    }
    return out
  }

  /// Enough of a fingerprint to compare by eye.
  static func fingerprint(_ fingerprint: Fingerprint) -> String {
    hex(fingerprint.rawValue.prefix(6)) + "…"
  }

  /// Sixteen hexadecimal digits.
  static func incarnation(_ incarnation: UInt64) -> String {
    hex(withUnsafeBytes(of: incarnation.bigEndian) { [UInt8]($0) })
  }

  static func models(_ models: [ProviderModel]) -> String {
    if models.isEmpty { return "none" }
    return models.map { model in
      model.alias.map { "\(text(model.name)) as \(text($0))" } ?? text(model.name)
    }.joined(separator: ", ")
  }

  static func list(_ names: [String]) -> String {
    names.isEmpty ? "none" : names.map(text).joined(separator: ", ")
  }
}

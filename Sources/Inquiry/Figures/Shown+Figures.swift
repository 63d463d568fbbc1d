import Domain

extension Shown {
  /// A length of time as `parseDuration` reads it: `90s` is `1m30s`; parts below a millisecond are left out.
  static func span(_ nanoseconds: Int64) -> String {
    var rest = nanoseconds.magnitude / 1_000_000
    var out = ""
    for (unit, size) in [
      ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
    ] as [(String, UInt64)] where rest >= size {
      out += "\(rest / size)\(unit)"
      rest %= size
    }
    return out.isEmpty ? "0s" : out
  }

  /// The same for people, of two units at most and rounded down: `1 h 25 min`, `12 s`, `3 d 4 h`.
  static func length(_ nanoseconds: Int64) -> String {
    let seconds = nanoseconds.magnitude / 1_000_000_000
    guard seconds > 0 else { return "\(nanoseconds.magnitude / 1_000_000) ms" }
    let units: [(String, UInt64)] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    let at = units.firstIndex { seconds >= $0.1 } ?? 3
    var out = "\(seconds / units[at].1) \(units[at].0)"
    if at + 1 < units.count, seconds % units[at].1 / units[at + 1].1 > 0 {
      out += " \(seconds % units[at].1 / units[at + 1].1) \(units[at + 1].0)"
    }
    return out
  }

  /// `12,345,678`.
  static func grouped(_ number: UInt64) -> String {
    let digits = Array(String(number))
    var out = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { out += "," }
      out.append(digit)
    }
    return out
  }

  /// `$1.234567` in its shortest form, with cents at least.
  static func dollars(_ microUSD: UInt64) -> String {
    var text = decimalText(millionths: microUSD)
    let decimals = text.contains(".") ? text.split(separator: ".")[1].count : 0
    if decimals == 0 { text += ".00" }
    if decimals == 1 { text += "0" }
    return "$" + text
  }
}

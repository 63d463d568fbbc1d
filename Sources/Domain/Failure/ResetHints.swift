/// When a provider says that it will take requests again, gathered from an answer's head and its error.
///
/// Unreadable, past and absurd hints (beyond 366 days) count for nothing. Whoever acts on a hint sets a ceiling.
public struct ResetHints: Sendable, Hashable {
  /// The longest wait that is believed, in nanoseconds.
  public static let waitMax: Int64 = 366 * 86_400 * second

  private static let second: Int64 = 1_000_000_000

  private let now: UnixNanoseconds
  /// Said about this very refusal.
  private var explicit: Int64?
  /// When limits are full again, by what they count; and whether nothing is left of them.
  private var limits: [Limit] = []

  private struct Limit: Sendable, Hashable {
    var name: String
    var wait: Int64?
    var isUsedUp: Bool?
  }

  /// No hint yet; `now` is the instant that waits are counted from.
  public init(now: UnixNanoseconds) { self.now = now }

  /// How long to wait, in nanoseconds, more than 0; nil: nothing was said.
  ///
  /// What was said about this refusal counts before what limits in general say; of those, the used-up ones, and
  /// of several the last to be over.
  public var wait: Int64? {
    explicit
      ?? limits.compactMap { $0.isUsedUp == false ? nil : $0.wait }.max()
  }

  /// When it is over.
  public var resetAt: UnixNanoseconds? { wait.map { UnixNanoseconds(now.rawValue + $0) } }

  /// Takes in a wait that the error itself names, in nanoseconds.
  public mutating func take(wait: Int64?) {
    guard let wait, 1...Self.waitMax ~= wait else { return }
    explicit = max(explicit ?? 0, wait)
  }

  /// Whether `take(field:_:)` has any use for a header field of this name, in lower case.
  public static func knows(field name: String) -> Bool {
    name == "retry-after" || name == "retry-after-ms" || limit(of: name) != nil
  }

  /// Takes in a header field, its name in lower case; one that says nothing of resets is passed over.
  public mutating func take(field name: String, _ value: String) {
    switch name {
    case "retry-after": take(wait: Self.wait(value, now: now))
    case "retry-after-ms":
      take(wait: Self.nanoseconds(value, unit: 1_000_000))
    case _:
      guard let (limit, isReset) = Self.limit(of: name) else { return }
      let index =
        limits.firstIndex { $0.name == limit }
        ?? {
          limits.append(Limit(name: limit))
          return limits.count - 1
        }()
      guard limits.count <= 16 else {
        limits.removeLast()
        return
      }
      if isReset {
        limits[index].wait = Self.wait(value, now: now)
      } else {
        limits[index].isUsedUp = Self.nanoseconds(value, unit: 1).map { $0 == 0 }
      }
    }
  }

  /// What a field counts, and whether it tells the reset or what remains.
  ///
  /// As in `x-ratelimit-reset-tokens`, `anthropic-ratelimit-tokens-remaining`, `x-ratelimit-reset`.
  private static func limit(of name: String) -> (name: String, isReset: Bool)? {
    var rest = Substring(name)
    if rest.hasPrefix("anthropic-") {
      rest = rest.dropFirst(10)
    } else if rest.hasPrefix("x-") {
      rest = rest.dropFirst(2)
    }
    guard rest.hasPrefix("ratelimit-"), rest.utf8.count <= 64 else { return nil }
    rest = rest.dropFirst(10)
    for (word, isReset) in [("reset", true), ("remaining", false)] {
      if rest == word { return ("", isReset) }
      if rest.hasPrefix(word + "-") {
        return (String(rest.dropFirst(word.utf8.count + 1)), isReset)
      }
      if rest.hasSuffix("-" + word) { return (String(rest.dropLast(word.utf8.count + 1)), isReset) }
    }
    return nil
  }

  // MARK: Forms

  /// A wait in nanoseconds from any of the forms in use; nil if it is none, over already, or beyond 366 days.
  ///
  /// Seconds, an epoch in seconds or milliseconds, a duration (`6m0s`, `7.66s`, `20ms`), an RFC 3339 or HTTP date.
  public static func wait(_ text: String, now: UnixNanoseconds) -> Int64? {
    guard 1...64 ~= text.utf8.count else { return nil }
    let wait: Int64?
    if let number = nanoseconds(text, unit: second) {
      wait =
        switch number / second {
        case 0..<100_000_000: number
        case 1_000_000_000..<100_000_000_000: number.subtracted(now.rawValue)
        case _: nil
        }
    } else if let milliseconds = nanoseconds(text, unit: 1),
      // To the year 2255: more milliseconds are more nanoseconds than 64 bits hold.
      1_000_000_000_000..<9_000_000_000_000 ~= milliseconds
    {
      wait = (milliseconds * 1_000_000).subtracted(now.rawValue)
    } else if let duration = duration(text) {
      wait = duration
    } else if let time = parseRFC3339(text) ?? parseHTTPDate(text) {
      wait = time.rawValue.subtracted(now.rawValue)
    } else {
      wait = nil
    }
    return wait.flatMap { 1...waitMax ~= $0 ? $0 : nil }
  }

  /// A decimal number without sign or exponent, times `unit`; nil for anything else and beyond 64 bits.
  private static func nanoseconds(_ text: String, unit: Int64) -> Int64? {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard 1...2 ~= parts.count, let whole = number(parts[0]) else { return nil }
    let (product, isOver) = whole.multipliedReportingOverflow(by: unit)
    guard !isOver else { return nil }
    guard parts.count == 2 else { return product }
    guard let fraction = fraction(parts[1], of: unit) else { return nil }
    let (sum, isOverToo) = product.addingReportingOverflow(fraction)
    return isOverToo ? nil : sum
  }

  private static func number(_ digits: Substring.UTF8View) -> Int64? {
    guard !digits.isEmpty, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    return Int64(Substring(digits))
  }

  /// What stands behind the point, cut to nine digits.
  private static func fraction(_ digits: Substring.UTF8View, of unit: Int64) -> Int64? {
    guard !digits.isEmpty, digits.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    var value: Int64 = 0
    var rest = unit
    for digit in digits.prefix(9) {
      rest /= 10
      value += Int64(digit - 0x30) * rest
    }
    return value
  }

  /// As `parseDuration`, but the numbers may have a fraction (`2m59.56s`) and no unit comes without a number.
  private static func duration(_ text: String) -> Int64? {
    var rest = text.utf8[...]
    var total: Int64 = 0
    var lastUnit = Int64.max
    guard !rest.isEmpty else { return nil }
    while !rest.isEmpty {
      let digits = rest.prefix { 0x30...0x39 ~= $0 || $0 == UInt8(ascii: ".") }
      rest = rest.dropFirst(digits.count)
      let letters = rest.prefix { 0x61...0x7A ~= $0 }
      rest = rest.dropFirst(letters.count)
      guard let unit = parseDuration("1" + String(Substring(letters))), unit < lastUnit,
        let part = nanoseconds(String(Substring(digits)), unit: unit)
      else { return nil }
      lastUnit = unit
      let (sum, isOver) = total.addingReportingOverflow(part)
      guard !isOver else { return nil }
      total = sum
    }
    return total
  }
}

extension Int64 {
  /// nil beyond 64 bits.
  fileprivate func subtracted(_ other: Int64) -> Int64? {
    let (difference, isOver) = subtractingReportingOverflow(other)
    return isOver ? nil : difference
  }
}

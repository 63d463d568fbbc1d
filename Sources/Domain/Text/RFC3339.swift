/// The time in UTC with milliseconds (cut, not rounded): `2026-11-20T20:53:39.123Z`.
///
/// Every 64-bit time has a form, also those before 1970.
public func rfc3339(_ time: UnixNanoseconds) -> String {
  let milliseconds = floorDivide(time.rawValue, by: 1_000_000)
  let seconds = floorDivide(milliseconds.quotient, by: 1_000)
  let day = floorDivide(seconds.quotient, by: 86_400)
  let date = CivilDate(daysSinceEpoch: day.quotient)
  return String(unsafeUninitializedCapacity: 24) { buffer in
    var place = 0
    func put(_ value: Int64, digits: Int, then separator: Character?) {
      var rest = value
      for index in stride(from: place + digits - 1, through: place, by: -1) {
        buffer[index] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      }
      place += digits
      if let separator = separator?.asciiValue {
        buffer[place] = separator
        place += 1
      }
    }
    put(date.year, digits: 4, then: "-")
    put(date.month, digits: 2, then: "-")
    put(date.day, digits: 2, then: "T")
    put(day.remainder / 3_600, digits: 2, then: ":")
    put(day.remainder / 60 % 60, digits: 2, then: ":")
    put(day.remainder % 60, digits: 2, then: ".")
    put(seconds.remainder, digits: 3, then: "Z")
    return place
  }
}

/// An RFC 3339 time of the years 1970…2262, with `Z` or an offset and 0…9 digits of fraction.
///
/// nil for anything else: a day that does not exist, a leap second, a time outside 64 bits of nanoseconds.
public func parseRFC3339(_ text: String) -> UnixNanoseconds? {
  // The longest: 2262-04-11T23:47:16.854775807+00:00.
  guard 20...35 ~= text.utf8.count else { return nil }
  var scanner = DigitScanner(text.utf8)
  guard let year = scanner.number(digits: 4), scanner.take("-"),
    let month = scanner.number(digits: 2), scanner.take("-"),
    let day = scanner.number(digits: 2), scanner.take("T") || scanner.take("t"),
    let hour = scanner.number(digits: 2), scanner.take(":"),
    let minute = scanner.number(digits: 2), scanner.take(":"),
    let second = scanner.number(digits: 2)
  else { return nil }
  var nanoseconds: Int64 = 0
  if scanner.take(".") {
    guard let fraction = scanner.fraction() else { return nil }
    nanoseconds = fraction
  }
  guard let offset = scanner.offsetSeconds(), scanner.isAtEnd,
    1970...2262 ~= year, hour <= 23, minute <= 59, second <= 59,
    let date = CivilDate(year: year, month: month, day: day)
  else { return nil }
  let seconds = date.daysSinceEpoch * 86_400 + hour * 3_600 + minute * 60 + second - offset
  let (whole, isOver) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
  let (time, isOverToo) = whole.addingReportingOverflow(nanoseconds)
  guard !isOver, !isOverToo, time >= 0 else { return nil }
  return UnixNanoseconds(time)
}

/// Reads fixed-width numbers from ASCII.
private struct DigitScanner {
  private var rest: Substring.UTF8View

  init(_ text: String.UTF8View) { rest = text[...] }

  var isAtEnd: Bool { rest.isEmpty }

  mutating func take(_ character: Character) -> Bool {
    guard let byte = rest.first, byte == character.asciiValue else { return false }
    rest.removeFirst()
    return true
  }

  mutating func number(digits: Int) -> Int64? {
    var value: Int64 = 0
    for _ in 0..<digits {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// 1…9 digits behind the point, in nanoseconds.
  mutating func fraction() -> Int64? {
    var value: Int64 = 0
    var digits = 0
    while digits < 9, let next = digit() {
      value = value * 10 + next
      digits += 1
    }
    guard digits > 0 else { return nil }
    for _ in digits..<9 { value *= 10 }
    return value
  }

  /// `Z`, or `+hh:mm` east of Greenwich.
  mutating func offsetSeconds() -> Int64? {
    if take("Z") || take("z") { return 0 }
    let isWest = take("-")
    guard isWest || take("+"), let hours = number(digits: 2), take(":"),
      let minutes = number(digits: 2), hours <= 23, minutes <= 59
    else { return nil }
    let seconds = hours * 3_600 + minutes * 60
    return isWest ? -seconds : seconds
  }

  private mutating func digit() -> Int64? {
    guard let byte = rest.first, 0x30...0x39 ~= byte else { return nil }
    rest.removeFirst()
    return Int64(byte - 0x30)
  }
}

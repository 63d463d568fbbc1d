import NIOCore

/// The value of `date` (RFC 9110 §5.6.7), worked out once a second.
struct HTTPDate {
  private var second: Int64 = -1
  private var text: [UInt8] = []

  /// Appends the field for this instant.
  mutating func append(wallNanoseconds: Int64, to buffer: inout ByteBuffer) {
    let now = wallNanoseconds / 1_000_000_000
    if now != second {
      second = now
      text = Array("date: \(Self.text(now))\r\n".utf8)
    }
    buffer.writeBytes(text)
  }

  /// The date as in `Sun, 06 Nov 1994 08:49:37 GMT`.
  static func text(_ unixSeconds: Int64) -> String {
    let seconds = max(0, unixSeconds)
    let days = seconds / 86_400
    let time = seconds % 86_400
    // Days to civil date, by 400-year eras that begin on the first of March.
    let shifted = days + 719_468
    let era = shifted / 146_097
    let dayOfEra = shifted % 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let weekdays = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    let months = [
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    let clock = [time / 3600, time / 60 % 60, time % 60].map(two).joined(separator: ":")
    return "\(weekdays[Int(days % 7)]), \(two(day)) \(months[Int(month - 1)]) \(year) \(clock) GMT"
  }

  private static func two(_ number: Int64) -> String {
    number < 10 ? "0\(number)" : String(number)
  }
}

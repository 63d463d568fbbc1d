import Foundation

/// Unix nanoseconds as RFC 3339 with milliseconds, and back.
enum UnixTime {
  static func text(_ nanoseconds: Int64) -> String {
    formatter.string(from: Date(timeIntervalSince1970: Double(nanoseconds / 1_000_000) / 1000))
  }

  /// nil unless `text` is a time as JavaScript writes it.
  static func parse(_ text: String) -> Int64? {
    guard let date = formatter.date(from: text) ?? whole.date(from: text) else { return nil }
    return Int64((date.timeIntervalSince1970 * 1000).rounded()) * 1_000_000
  }

  private static var formatter: ISO8601DateFormatter {
    let formatter = ISO8601DateFormatter()
    formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
    return formatter
  }

  private static var whole: ISO8601DateFormatter { ISO8601DateFormatter() }
}

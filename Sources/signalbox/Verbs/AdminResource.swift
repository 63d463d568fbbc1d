import Surface

/// What the API calls one kind of thing, and how it looks in a table.
protocol AdminResource {
  /// In the singular, as in `Show one account.`
  static var noun: String { get }
  /// Where the API lists them; one is at this path and its id.
  static var path: String { get }
  /// Where a list's answer has the elements.
  static var listed: String { get }
  /// Where the answer to one has its fields; nil: they are the answer.
  static var single: String? { get }
  /// How the command line asks for one: `id`, or what else it is known by.
  static var reference: String { get }
  /// The columns of a list.
  static var columns: [Column] { get }
  /// Path and query of one.
  static func target(_ reference: String) -> String
  /// The elements of a list's answer.
  static func elements(_ answer: JSONValue) -> [JSONValue]
}

extension AdminResource {
  static var single: String? { nil }
  static var reference: String { "id" }
  static func target(_ reference: String) -> String { "\(path)/\(percentEncoded(reference))" }
  static func elements(_ answer: JSONValue) -> [JSONValue] { answer[listed]?.array ?? [] }
}

/// One column of a list.
struct Column {
  /// With `>` before it, aligned to the right.
  var heading: String
  /// The member that it shows.
  var member: String

  init(_ heading: String, _ member: String) {
    self.heading = heading
    self.member = member
  }
}

/// A segment of a path, or a value of a query: everything but letters, digits and `-._~` escaped.
func percentEncoded(_ text: String) -> String {
  var out = ""
  for byte in text.utf8 {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
      UInt8(ascii: "_"), UInt8(ascii: "~"):
      out.unicodeScalars.append(Unicode.Scalar(byte))
    default:
      let digits = String(byte, radix: 16, uppercase: true)
      out += digits.utf8.count == 1 ? "%0" + digits : "%" + digits
    }
  }
  return out
}

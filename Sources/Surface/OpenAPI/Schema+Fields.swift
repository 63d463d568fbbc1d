// The kinds of text and number that several resources share; the bounds are Domain's.
extension Schema {
  /// The id of a resource, also an organisation or a prefix: 1…64 of `a-z A-Z 0-9 . _ -`.
  public static let identifier = string(1...64, matching: "[A-Za-z0-9._-]{1,64}")
  /// Text without control characters, as in a path or a query.
  public static func text(_ lengths: ClosedRange<Int>) -> Schema {
    string(lengths, matching: #"[^\u0000-\u001F\u007F]*"#)
  }
  /// Text for people.
  public static func label(_ most: Int) -> Schema {
    string(1...most, matching: "\(visible)(\(visibleOrSpace)*\(visible))?").described(
      "Visible characters, at most four bytes each in the mean; no space at either end.")
  }
  /// A model's own name, or a wildcard over such names.
  public static let modelName = string(
    1...191, matching: "\(visibleNoSlash)(\(visible)*\(visibleNoSlash))?"
  ).described("At most 191 bytes, visible, no slash at either end.")
  /// A name that clients write instead of a model's.
  public static let aliasName = string(1...128, matching: "[!-.0-~]{1,128}")
  /// A secret as it is sent upstream.
  public static let credential = string(1...4096, matching: "[!-~]{1,4096}")
  /// An URL without user, query and fragment.
  public static let baseURL = string(
    8...512, matching: "https?://\(host)(:[1-9][0-9]{0,3})?(/[\(pathBytes)][\(pathBytes).]*)*/*"
  ).example("https://api.example.com/v1")
  /// 1…1000; lower is tried first.
  public static let priority = integer(1...1000)
  /// 0…10000; the share among accounts where the strategy is weighted.
  public static let weight = integer(0...10_000)
  /// The revision of a resource: how many events its stream has.
  public static let revision = count.described("What `ETag` says and `If-Match` asks for.")
  /// `epoch:position` of an event.
  public static let place = string(3...41, matching: "[0-9]+:[0-9]+")

  /// One event of a stream, each as the lines of its fields.
  public static let event = object([
    .field("data", .string), .optional("event", .string), .optional("id", .string),
    .optional("retry", .string),
  ]).described("Of each event.")

  private static let visible = #"[^\u0000-\u0020\u007F-\u00A0\u00AD]"#
  private static let visibleOrSpace = #"[^\u0000-\u001F\u007F-\u00A0\u00AD]"#
  private static let visibleNoSlash = #"[^\u0000-\u0020\u007F-\u00A0\u00AD/]"#
  private static let host =
    #"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]{1,44}\])"#
  private static let pathBytes = #"A-Za-z0-9_~!$&'()*+,;=:@%-"#
}

extension [Schema.Field] {
  /// When a revisioned resource was made and changed, and its revision.
  public static let history: [Schema.Field] = [
    .field("createdAt", .time), .field("updatedAt", .time), .field("revision", .revision),
  ]
}

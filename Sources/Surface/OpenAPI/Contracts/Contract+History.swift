import Domain

// What streams of the configuration say of themselves, and the ways back.
extension Contract {
  static let streamHistory = page(
    "steps", of: .historyStep,
    also: [
      .field("stream", .string), .field("revision", .revision),
      .field(
        "missing", Schema.count.described("Steps of the page that cannot be read any more.")),
    ], errors: [.notFound, .logUnreadable])
}

extension Schema {
  private static let source = choice(Source.allCases.map(\.name))

  /// A field before and after.
  static let fieldChange = object([
    .field("field", .string), .field("before", .any), .field("after", .any),
  ])

  fileprivate static let historyStep = object([
    .field("at", .place), .field("revision", .revision), .field("event", .uuid),
    .field("time", .time), .field("kind", .string), .field("actor", Schema.string.orNull),
    .field("source", source.orNull), .field("address", Schema.string.orNull),
    .field(
      "cause", Schema.uuid.orNull.described("The event gone back to, where it was going back.")),
    .field("request", Schema.uuid.orNull.described("The request that it came with.")),
    .field(
      "base",
      Schema.count.orNull.described("The revision that the author had seen; null: none stated.")),
    .field("changes", .array(of: .fieldChange)),
    .field(
      "fields", Schema.object([]).orNull.described("The event itself; null: not readable here.")),
  ])
}

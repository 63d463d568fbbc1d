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

  static let events = Contract(
    query: [
      .init(
        name: "limit", schema: .integer(1...1000).byDefault(100),
        note: "The most events of the page."),
      .init(
        name: "before", schema: position,
        note: "Only events before this position; `next` of the page before."),
      .init(
        name: "after", schema: position,
        note: "Only events after this position, in the log's order and not the newest first."),
      .init(
        name: "type", schema: .text(1...127),
        note: "A kind or its beginning up to a dot: `account`, `alias.set`, `alias.set.v1`."),
      .filter("stream", .text(1...255)), .filter("actor", .text(1...255)),
      .init(
        name: "requestId", schema: .text(1...128),
        note: "Of a request, by the gateway's id or the client's; or the id of what made a change."),
      .init(
        name: "from", schema: .text(1...64),
        note: "Only at or after, by the author's clock: RFC 3339 or `-15m`."),
      .init(name: "to", schema: .text(1...64), note: "Only before; as `from`."),
      .init(
        name: "follow", schema: .bool,
        note: "`true`, or a request that accepts `text/event-stream`: go on with what comes."),
    ],
    answers: [
      .ok(
        .object([
          .field("events", .array(of: .logEvent)),
          .field(
            "gaps", .array(of: .open([])).described("Ranges among them that cannot be read.")),
          .field(
            "complete",
            Schema.bool.described(
              "false: there may be more beyond `scannedTo`, though the page has room.")),
          .field(
            "scannedTo",
            Schema.string.orNull.described("The last event looked at, as `epoch:position`.")),
          .optional(
            "next",
            .string.described(
              "Send it as `before`, or as `after` where that was given; not there on the last page."
            )),
        ])),
      Answer(
        status: 200,
        note: "The events behind `Last-Event-ID`, else behind `after`, else new ones, as they come",
        schema: .event, mediaType: "text/event-stream"),
    ], errors: [.notFound, .logUnreadable])

  private static let position = Schema.string(1...41, matching: "([0-9]{1,20}:)?[0-9]{1,20}")

  static let revertStream = write(
    [
      .field("stream", .text(1...512).example("alias/fast")),
      .field("to", Schema.integer(1...Int64.max).described("A revision of the stream.")),
      .optional(
        "allowUnresolved",
        Schema.bool.orNull.described("Take an alias's target that is not known any more.")
          .byDefault(false)),
    ] + planFields,
    [.field("stream", .string), .field("to", .revision)] + wayBackFields,
    errors: ErrorCode.ofChanges + [.notFound, .logUnreadable])

  static let restoreConfiguration = write(
    [
      .field(
        "at",
        .text(1...128).example("2026-11-20T14:00:00Z").described(
          "A position (`123`, `2:123`), an RFC 3339 time, a time ago (`-15m`), `request:<id>` or"
            + " `event:<id>`."))
    ] + planFields, wayBackFields, errors: ErrorCode.ofChanges + [.notFound, .logUnreadable])

  static let configurationDrift = read(
    [
      .field(
        "file", Schema.string.orNull.described("null: the gateway was started without one.")),
      .field(
        "fault",
        Schema.string.orNull.described("Why the file cannot be compared now; null: it was.")),
      .field("comparison", Schema.object(Schema.appliedFields).orNull),
    ], errors: [.logUnreadable])

  static let planFields: [Schema.Field] = [
    .optional(
      "plan",
      Schema.bool.orNull.described("Only show what would change and what it would do.")
        .byDefault(false)),
    .optional(
      "effectSeconds",
      Schema.integer(0...60).orNull.described(
        "How long a plan may look at the requests of the last 24 h; 0: not at all."
      )
      .byDefault(5)),
  ]

  private static let wayBackFields: [Schema.Field] = [
    .field("plan", .bool),
    .field("at", Schema.place.described("The event gone back to.")), .field("event", .uuid),
    .field("time", Schema.time.described("Of that event.")),
    .field("events", Schema.count.described("Written; 0 for a plan, or if it is so already.")),
    .field("position", Schema.place.orNull.described("Of the last event written.")),
    .field("revision", .revision), .field("changes", .array(of: .resourceChange)),
    .field("caveats", .array(of: .caveat)), .field("effect", Schema.routingEffect.orNull),
  ]
}

extension ErrorCode {
  /// How the rules may refuse a batch of changes.
  static let ofChanges: [ErrorCode] = [
    .nameCollision, .alreadyExists, .keyExists, .notActive, .providerInUse, .unknownTarget,
    .ambiguousTarget, .aliasOfAlias, .unknownProvider, .unknownAccount, .unknownAlias, .unknownKey,
    .unknownModel, .unknownCombo, .unknownPolicy, .unknownOrganisation, .organisationInUse,
    .bodyTooLarge,
  ]
}

extension Schema {
  private static let source = choice(Source.allCases.map(\.name))

  /// A field before and after.
  static let fieldChange = object([
    .field("field", .string), .field("before", .any), .field("after", .any),
  ])

  /// A resource before and after.
  static let resourceChange = object([
    .field("stream", .string), .field("title", .string),
    .field("change", choice(["added", "changed", "removed"])),
    .field("removedBy", writer), .field("fields", .array(of: .fieldSet)),
  ])

  /// A field before and after, and who set what was before.
  private static let fieldSet = object([
    .field("field", .string), .field("before", .any), .field("after", .any),
    .field("setBy", writer),
  ])

  private static let writer = object([
    .field("actor", .string), .field("source", source), .field("address", string.orNull),
    .field("time", .time), .field("at", .place),
  ]).orNull

  /// What a file comes to.
  static let appliedFields: [Field] = [
    .field("plan", .bool),
    .field("drift", Schema.bool.described("Whether the file and the log say different things.")),
    .field("events", Schema.count.described("Written; 0 for a plan, or if it is so already.")),
    .field("changes", .array(of: .resourceChange)),
    .field(
      "credentials", .array(of: .string).described("Accounts that get a secret of the file.")),
    .field(
      "kept",
      .array(
        of: .object([
          .field("stream", .string), .field("title", .string),
          .field("field", Schema.string.orNull.described("null: the whole of it.")),
          .field("log", .any), .field("file", .any), .field("setBy", writer),
        ])
      ).described("What was edited elsewhere and is left as it is.")),
    .field(
      "rows",
      .array(
        of: .object([.field("kind", .string), .field("line", .count), .field("text", .string)])
      ).described("What the file says of each thing, as one line.")),
    .field(
      "unmanaged",
      .array(
        of: .object([.field("what", .string), .field("id", .string), .field("text", .string)])
      ).described("What the file does not mention; it stays.")),
    .field("effect", routingEffect.orNull),
    .field("revision", Schema.count.described("Of the whole configuration.")),
  ]

  /// What does not come back, or goes with what is taken away.
  static let caveat = object([
    .field("stream", .string), .field("message", .string), .field("remedy", .string),
  ])

  /// Which requests would go elsewhere.
  static let routingEffect = object([
    .field("since", .time), .field("looked", .count), .field("changed", .count),
    .field("notRouted", .count), .field("complete", .bool), .field("scannedTo", place.orNull),
    .field("gaps", .count),
    .field(
      "groups",
      .array(
        of: .object([
          .field("model", .string), .field("from", routingOutcome), .field("to", routingOutcome),
          .field("requests", .count), .field("examples", .array(of: .uuid)),
        ]))), .field("others", .count), .field("limits", .array(of: .string)),
  ])

  private static let routingOutcome = object([
    .field("account", Schema.string.orNull), .field("name", Schema.string.orNull),
    .field("model", Schema.string.orNull),
    .field("refused", Schema.string.orNull.described("Why it goes nowhere; null: it goes.")),
  ])

  fileprivate static let logEvent = open([
    .field("at", .place), .field("time", .time), .field("timeNanoseconds", .string),
    .field("event", .uuid), .field("kind", .string), .field("stream", .string),
    .field("revision", .revision), .field("payloadBytes", .count),
    .field("sealedBytes", Schema.count.described("Of what is encrypted; it is not shown.")),
    .optional("provenance", .open([.field("actor", .string), .field("source", source)])),
    .optional("fields", .map(of: .any)),
    .optional("unknownKind", Schema.bool.described("Written by a later build; kept, not read.")),
    .optional("unreadable", .open([])),
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
      "fields", Schema.map(of: .any).orNull.described("The event itself; null: not readable here.")),
  ])
}

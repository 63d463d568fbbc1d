import Domain

// `/api/replay/…`: the documents that `replay VERB --json` prints.
extension Contract {
  static let replayWindow = Contract(
    query: Parameter.range + [
      .init(
        name: "kind", schema: .text(1...127),
        note: "Only this kind of event, or its beginning: `request`, `alias.set`."),
      .init(name: "type", schema: .text(1...127), note: "The same as `kind`."),
      .init(
        name: "account", schema: .text(1...128), note: "Its id, its name, or `provider/name`."),
      .init(name: "key", schema: .text(1...128), note: "Its id or its name."),
      .init(name: "org", schema: .text(1...64), note: "An organisation's id."),
      .init(
        name: "model", schema: .text(1...256),
        note: "As asked, as sent upstream, or an alias's name."),
      .filter("provider", .identifier),
      .init(
        name: "status", schema: .string(3...3, matching: "[1-5]([0-9]{2}|xx)"),
        note: "Only requests answered so: `429`, `5xx`."),
      .init(
        name: "limit", schema: .integer(1...1000).byDefault(1000),
        note: "Events in the timeline; the figures count all."),
      .init(
        name: "interval", schema: .text(1...32).example("1m"),
        note: "Count requests by intervals of this length, and find the figures that jumped."),
      .init(
        name: "baseline", schema: .text(1...32).example("1d"),
        note: "Hold the window against what was so long before it; counts as read."),
      .init(
        name: "top", schema: .integer(0...1000),
        note: "Tell so many of the slowest requests and most frequent failures."),
    ],
    answers: [
      .report(
        "window",
        [
          .field("log", .logCoverage),
          .field(
            "window",
            .object([
              .field("first", .count), .field("last", .count),
              .field("firstAt", Schema.place.orNull),
              .field("lastAt", Schema.place.orNull), .field("firstTime", Schema.time.orNull),
              .field("lastTime", Schema.time.orNull), .field("epochs", .array(of: .count)),
              .field("events", .count),
              .field(
                "outside",
                Schema.count.described(
                  "Events between that are left out, as their times are not the window's: a clock was set."
                )),
            ])),
          .field("gaps", .array(of: .logGap)), .field("gapsBefore", .count),
          .field(
            "unrecorded",
            Schema.object([
              .field("gaps", .count), .field("requests", .count), .field("uncounted", .count),
              .field("openSince", Schema.count.orNull),
            ]).described("Requests that the log could not take.")),
          .field("filter", .map(of: .string)),
          .field(
            "summary",
            .object(
              [
                "events", "finished", "inFlightAtEnd", "interrupted", "deliveryFailed",
                "deniedInSummaries",
              ].map { .field($0, .count) }
                + ["endings", "statuses", "errorClasses"].map { .field($0, .map(of: .count)) }
                + ["accounts", "models"].map { .field($0, .array(of: .open([]))) })),
          .field("timeline", .array(of: .open([]), atMost: 1000)), .field("omitted", .count),
          .optional("baseline", .baseline), .optional("top", .topRequests),
          .optional("changes", .array(of: .changePoint)),
          .optional(
            "intervals",
            .object([
              .field("length", .string),
              .field(
                "rows",
                .array(
                  of: .object([
                    .field("start", .time), .field("firstAt", Schema.place.orNull),
                    .field("firstFailedAt", Schema.place.orNull),
                    .field("figures", .requestFigures),
                  ]))),
            ])),
        ])
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayShow = Contract(
    query: [.target("A request's id, `request:<id>`, `event:<id>`, or a position.")],
    answers: [
      .report(
        "show",
        [
          .optional("request", .uuid), .optional("clientRequestId", Schema.string.orNull),
          .optional("outcome", .string), .optional("occurrences", .count),
          .optional("others", .array(of: .uuid)), .optional("events", .array(of: .open([]))),
          .optional("attempts", .array(of: .open([]))), .optional("gaps", .count),
        ], note: "A request's story, or the fields of one event", isOpen: true)
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayExplain = Contract(
    query: [.target("A request's id, or the position of one of its events.")],
    answers: [
      .report(
        "explain",
        [
          .field("request", .uuid), .field("clientRequestId", Schema.string.orNull),
          .field("outcome", .string), .field("operation", .string), .field("model", .string),
          .field("organisation", Schema.string.orNull), .field("key", Schema.string.orNull),
          .field("status", Schema.count.orNull.described("null: its end is not in the log.")),
          .field("errorClass", Schema.string.orNull),
          .field("errorCode", Schema.string.orNull),
          .field(
            "decisions",
            .array(
              of: .object([
                .field("attempt", Schema.count.orNull.described("null: no account was asked.")),
                .field("chosen", Schema.string.orNull), .field("outcome", .string),
                .field("because", .string), .field("snapshot", .count),
                .field("decidedAt", .time),
                .field("reproduced", .choice(["yes", "no", "unknown"])),
                .field("why", Schema.string.orNull),
                .field(
                  "resolution",
                  Schema.object([
                    .field("step", .string), .field("targets", .array(of: .string)),
                    .field("models", .array(of: .string)),
                  ]).orNull.described("What the name meant to this client.")),
                .field(
                  "sent", Schema.string.orNull.described("`provider/model` asked for upstream.")),
                .field(
                  "names",
                  Schema.array(
                    of: .object([
                      .field("name", .string), .field("last", Schema.streamChange.orNull),
                      .field("what", Schema.string.orNull), .field("near", .array(of: .string)),
                      .field("isWhole", .bool),
                    ])
                  ).described("Of a name that nobody knew: what touched it last.")),
                .field(
                  "candidates",
                  .array(
                    of: .object([
                      .field("account", .string), .field("name", .string),
                      .field("isChosen", .bool), .field("rejection", Schema.string.orNull),
                      .field("reason", Schema.string.orNull),
                      .field(
                        "since",
                        Schema.streamChange.orNull.described("What put it in that state.")),
                      .field("otherwise", Schema.otherChoice.orNull),
                    ]))), .field("smallestChange", Schema.otherChoice.orNull),
                .field("inForce", .array(of: .streamChange)),
              ]))), .field("gaps", .count),
        ])
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayDiff = Contract(
    query: [
      .moment("from", "One moment, inclusive.", isRequired: true),
      .moment("to", "The other; the log's end if it is left out."),
    ],
    answers: [
      .report(
        "state-diff",
        [
          .field("log", .logCoverage), .field("from", .logMoment), .field("to", .logMoment),
          .field("gaps", .array(of: .logGap)), .field("unreadable", .count),
          .field(
            "rows",
            .array(
              of: .object([
                .field("stream", .string), .field("wasThere", .bool), .field("isThere", .bool),
                .field(
                  "fields",
                  .array(
                    of: .object([
                      .field("field", .string), .field("before", .any), .field("after", .any),
                      .field("since", Schema.streamChange.orNull),
                    ]))),
              ]))),
        ])
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayDrift = Contract(
    query: Parameter.range + [
      .init(name: "stream", schema: .text(1...255), note: "Only this stream.")
    ],
    answers: [
      .report(
        "drift",
        [
          .field("log", .logCoverage), .field("first", .count), .field("last", .count),
          .field("edits", .count), .field("otherTimes", .otherTimes),
          .field("gaps", .array(of: .logGap)), .field("unreadable", .count),
          .field("rules", .map(of: .count)),
          .field(
            "findings",
            .array(
              of: .object([
                .field("stream", .string), .field("field", .string),
                .field("rules", .array(of: .string)), .field("before", .any),
                .field("after", .any), .field("revision", .count),
                .field("base", Schema.count.orNull), .field("edit", .streamChange),
                .field("replaced", Schema.streamChange.orNull),
                .field("replacedRevision", Schema.count.orNull),
                .field("original", Schema.streamChange.orNull),
              ]))),
        ])
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayBlame = Contract(
    query: [
      .init(
        name: "stream", schema: .text(1...512).example("alias/fast"), isRequired: true,
        note: "A stream, or one and a field of it: `account/mock-a1.priority`."),
      .moment("at", "The moment, inclusive; the log's end if it is left out."),
    ],
    answers: [
      .report(
        "blame",
        [
          .field("stream", .string), .field("revision", .count),
          .field("removed", Schema.streamChange.orNull),
          .field(
            "fields",
            .array(
              of: .object([
                .field("field", .string), .field("value", .any), .field("since", .streamChange),
                .field("before", .any), .field("beforeSince", Schema.streamChange.orNull),
              ]))), .field("unreadable", .count),
          .field(
            "gaps",
            Schema.array(of: .logGap).described(
              "Damaged ranges behind the last readable event of the stream: another one may stand there."
            )),
        ])
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayBisect = Contract(
    query: Parameter.range + [
      .init(
        name: "predicate", schema: .text(1...512).example("account/mock-a1 is cooling"),
        isRequired: true, note: "As `replay bisect --help` lists them.")
    ],
    answers: [
      .report(
        "bisect",
        [
          .field("log", .logCoverage), .field("predicate", .string), .field("first", .count),
          .field("last", .count), .field("otherTimes", .otherTimes),
          .field("gaps", .array(of: .logGap)), .field("looked", .count),
          .field("wasTrue", .bool), .optional("isCut", .bool),
          .optional(
            "idleSince",
            Schema.logMoment.described(
              "Of a rate: the last request that counts, if its time was over before the range's end."
            )),
          .field("becameTrueAt", Schema.place.orNull),
          .field(
            "turns",
            .array(
              of: .object([
                .field("isTrue", .bool), .field("at", Schema.place.orNull), .field("time", .time),
                .field("what", .string),
                .field(
                  "ranEmpty",
                  Schema.bool.described(
                    "A rate ended because too few requests were left: that shows no recovery.")),
              ]))), .field("omitted", .count),
        ])
    ], errors: [.notFound, .logUnreadable, .overloaded])

  static let replayWhatIf = Contract(
    query: Parameter.range + [
      .init(
        name: "set", schema: .text(1...4096).example("account/mock-a1.priority=9"),
        note: "Fields that are supposed to be others: `stream.field=value`, several with `;`."),
      .init(
        name: "remove", schema: .text(1...4096).example("account/mock-a1"),
        note: "Resources that are supposed not to be there, several with `;`."),
    ],
    answers: [
      .report(
        "what-if",
        [
          .field("log", .logCoverage), .field("first", .count), .field("last", .count),
          .field("otherTimes", .otherTimes), .field("supposed", .array(of: .string)),
          .field("gaps", .array(of: .logGap)),
        ]
          + ["decided", "moved", "notRouted", "notApplicable", "notReproducible"].map {
            .field($0, .count)
          } + [
            .field(
              "modelled",
              Schema.object([
                .field("requests", .count), .field("moved", .count),
                .field("why", .map(of: .count)),
              ]).described(
                "Besides those decided: what the choice hangs on is not in the log, and was drawn.")
            ),
            .field(
              "undecided",
              Schema.object(["limits", "letIn", "owner"].map { .field($0, .count) }).described(
                "Besides those decided: requests under limits that are supposed to be others, refused ones that would be let in, and those refused because of the account that has what they refer to."
              )),
            .field(
              "outside",
              .array(of: .object([.field("at", .place), .field("time", .time)])).described(
                "The nearest requests before and after the range that what is supposed is about, where nothing moved."
              )),
            .field(
              "groups",
              .array(
                of: .object([
                  .field("model", .string), .field("from", .open([])), .field("to", .open([])),
                  .field("requests", .count), .field("modelled", .count), .field("failed", .count),
                  .field("callersFault", .count), .field("examples", .array(of: .uuid)),
                ]))),
            .field(
              "failures",
              .object(
                [
                  "recorded", "callersFault", "modelled", "low", "high", "refused", "unknowable",
                ].map { .field($0, .count) })),
            .field(
              "accounts",
              .array(
                of: .object([
                  .field("account", .string), .field("recorded", .count), .field("failed", .count),
                  .field("notDecided", .count), .field("supposed", .count),
                ]))),
            .field(
              "cost",
              .object(
                ["recordedMicroUsd", "supposedMicroUsd", "unknown", "unknownRecordedMicroUsd"].map {
                  .field($0, .count)
                })),
            .field("terms", .array(of: .string)),
          ])
    ], errors: [.missingField, .notFound, .logUnreadable, .overloaded])
}

extension Contract.Parameter {
  static func moment(
    _ name: String, _ note: String, isRequired: Bool = false
  ) -> Self {
    .init(
      name: name, schema: .text(1...160).example("2026-11-20T14:00:00Z"), isRequired: isRequired,
      note: note + " A position (`123`, `2:123`), an RFC 3339 time, a time ago (`-15m`),"
        + " `request:<id>` or `event:<id>`.")
  }

  static let range: [Self] = [
    moment("from", "Where the range begins; at the log's beginning if it is left out."),
    moment("to", "Where it ends, inclusive; at the log's end if it is left out."),
  ]

  fileprivate static func target(_ note: String) -> Self {
    .init(name: "id", schema: .text(1...160), isRequired: true, note: note)
  }
}

extension Contract.Answer {
  /// A document of `replay`: the verb's name, the documents' version, and what it tells.
  static func report(
    _ verb: String, _ fields: [Schema.Field], note: String = "What `replay --json` prints",
    isOpen: Bool = false
  ) -> Self {
    let head: [Schema.Field] = [
      .field("replay", .constant(JSONValue(verb))), .field("version", .constant(1)),
    ]
    return .ok(isOpen ? .open(head + fields) : .object(head + fields), note: note)
  }
}

extension Schema {
  static let logMoment = object([.field("at", .place), .field("time", .time)]).orNull

  static let logCoverage = object([
    .field("store", .string), .field("first", .logMoment), .field("last", .logMoment),
  ]).described("What the log holds altogether.")

  static let otherTimes = count.described(
    "Events between the times asked for that have other times, as a clock was set: they count too.")

  static let logGap = open([
    .field("first", .count), .field("last", Schema.count.orNull), .field("rule", .string),
    .field("message", .string),
  ]).described("A range that cannot be read.")

  static let streamChange = object([
    .field("at", .place), .field("time", .time), .field("stream", .string),
    .field("kind", .string), .field("actor", .string),
    .field("source", choice(Source.allCases.map(\.name))),
  ])

  fileprivate static let otherChoice = object([
    .field("account", .string), .field("name", .string),
    .field(
      "steps",
      array(
        of: object([.optional("command", .string), .optional("requestsLater", .count)]))),
    .field("barrier", Schema.string.orNull),
  ])
}

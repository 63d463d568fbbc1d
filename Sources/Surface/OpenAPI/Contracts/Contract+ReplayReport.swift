// `/api/replay/report`, and the figures that it shares with `/api/replay/window`.
extension Contract {
  static let replayReport = Contract(
    query: Parameter.range + [
      .init(
        name: "format", schema: Schema.choice(["json", "html", "md"]).byDefault("json"),
        note: "`html`: a page that loads nothing; `md`: Markdown."),
      .init(
        name: "availability", schema: .text(1...16).example("99.5"),
        note: "Percentage of requests that are promised to be served."),
      .init(
        name: "firstByte", schema: .text(1...32).example("3s"),
        note: "Within how long the first byte is promised."),
      .init(
        name: "inTime", schema: .text(1...16).example("95"),
        note: "Percentage of requests whose first byte is promised in that time."),
    ],
    answers: [
      .report(
        "report",
        [
          .field("log", .logCoverage), .field("first", .count), .field("last", .count),
          .field(
            "isAboutRefusals",
            Schema.bool.described(
              "No rung was reached, and most requests were refused at their callers' fault: edits are held against that."
            )),
          .field("otherTimes", .otherTimes),
          .field(
            "isMinimised",
            Schema.bool.described("From a minimised bundle: what it does not need is not counted.")),
          .field("objectives", .map(of: .count)),
          .field("incident", Schema.incident.orNull.described("null: no rung was reached.")),
          .field("others", .array(of: .incident)),
          .field(
            "builds",
            .array(
              of: .object([
                .field("version", .string), .field("recording", .string),
                .field("started", .logMoment),
              ]))),
          .field(
            "impact",
            .object(
              [
                .field("first", .count), .field("last", .count),
                .field("figures", .requestFigures),
              ]
                + ["late", "interrupted", "undelivered", "deniedInSummaries"].map {
                  .field($0, .count)
                }
                + ["organisations", "models", "providers", "accounts", "codes"].map {
                  .field(
                    $0,
                    .array(
                      of: .object([
                        .field("name", .string), .field("counted", .count),
                        .field("failed", .count),
                      ])))
                }
                + [
                  .field(
                    "refusals",
                    Schema.array(
                      of: .object([.field("name", .string), .field("requests", .count)])
                    )
                    .described("What callers were at fault for, by code and class."))
                ])),
          .field("top", .topRequests),
          .field(
            "timeline",
            .array(
              of: .object([
                .field("time", .time), .field("at", Schema.place.orNull), .field("kind", .string),
                .field("what", .string), .field("who", .string),
              ]))), .field("timelineOmitted", .count),
          .field("contributions", .array(of: .contribution)),
          .field("helped", .array(of: .contribution)),
          .field(
            "actors",
            .array(
              of: .object([
                .field("name", .string), .field("edits", .count), .field("first", .logMoment),
                .field("last", .logMoment),
              ]))),
          .field(
            "series",
            .object([
              .field("interval", .string),
              .field(
                "rows",
                .array(
                  of: .object([.field("start", .time), .field("figures", .requestFigures)]))),
            ])), .field("changes", .array(of: .changePoint)),
          .field("lanes", .array(of: .open([.field("account", .string)]))),
          .field("gaps", .array(of: .logGap)), .field("unrecorded", .open([])),
          .field("doubts", .array(of: .open([.field("what", .string)]))),
        ]),
      Answer(
        status: 200, note: "With `format=html`: the page that `replay report -o x.html` writes",
        schema: .string, mediaType: "text/html"),
      Answer(
        status: 200, note: "With `format=md`: what `replay report` prints", schema: .string,
        mediaType: "text/markdown"),
    ], errors: [.notFound, .logUnreadable, .overloaded])
}

extension Schema {
  private static let times = object([
    .field("p50", count.orNull), .field("p95", count.orNull), .field("p99", count.orNull),
    .field("isExact", bool),
  ])

  static let requestFigures = object(
    ["requests", "counted", "failed", "callersFault"].map { .field($0, count) }
      + [.field("errorClasses", map(of: count))]
      + [
        "calls", "callersCalls", "failedCalls", "failedCallMicroseconds", "retries", "rescued",
        "tokensIn", "tokensOut", "costMicroUsd", "unpriced", "lostTokens", "lostMicroUsd",
        "lostUnknown",
      ].map { .field($0, count) }
      + [.field("firstByteMicroseconds", times), .field("totalMicroseconds", times)])

  static let baseline = object([
    .field("length", .string), .field("from", .time), .field("to", .time),
    .field("coveredFrom", Schema.time.described("Since when there is a log.")),
    .field("window", requestFigures), .field("whole", requestFigures),
    .field("sameTimeOfDay", requestFigures.orNull),
    .field("another", array(of: string).described("Figures that differ, or are twice or half.")),
  ])

  static let topRequests = object([
    .field("slow", array(of: open([.field("request", .uuid), .field("at", .place)]))),
    .field("failing", array(of: open([.field("code", .string), .field("requests", .count)]))),
    .field("otherFailures", Schema.count.described("Failures of kinds beyond those told.")),
  ])

  static let changePoint = object([
    .field("figure", .string), .field("start", .time), .field("at", place.orNull),
    .field("isRise", .bool), .field("before", .string), .field("after", .string),
  ])

  fileprivate static let incident = object([
    .field("severity", .string), .field("recurred", .bool), .field("began", .logMoment),
    .field("last", .logMoment), .field("goesOn", .bool), .field("resolveBy", .time),
    .field(
      "conditions",
      .array(
        of: .object([
          .field("rule", .string), .field("subject", .string), .field("severity", .string),
          .field("began", .logMoment), .field("rang", .time), .field("last", .logMoment),
          .field("goesOn", .bool),
        ]))),
  ])

  fileprivate static let contribution = object([
    .field("rule", .string), .field("score", .integer), .field("time", .time),
    .field("at", .array(of: .place)), .field("what", .string), .field("who", .string),
    .field("evidence", .string),
  ])
}

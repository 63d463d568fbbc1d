import Domain
import EventStore

extension IncidentReport {
  /// For machines.
  public var json: JSONTree {
    func moment(_ it: LogCoverage.Moment?) -> JSONTree {
      it.map { .object([.init("at", .text($0.place)), .init("time", .text(rfc3339($0.time)))]) }
        ?? .null
    }
    func names(_ names: Names) -> JSONTree {
      .array(
        names.rows.map {
          .object([
            .init("name", .text($0.name)), .init("counted", .count($0.counted)),
            .init("failed", .count($0.failed)),
          ])
        })
    }
    func contribution(_ it: Contribution) -> JSONTree {
      .object([
        .init("rule", .text(it.rule.rawValue)), .init("score", .count(it.score)),
        .init("time", .text(rfc3339(it.time))), .init("at", .array(it.places.map { .text($0) })),
        .init("what", .text(it.what)), .init("who", .text(it.who)),
        .init("evidence", .text(it.evidence)),
      ])
    }
    func incident(_ it: Incident?) -> JSONTree {
      guard let it else { return .null }
      return .object([
        .init("severity", .text(it.severity.name)), .init("recurred", .bool(it.recurred)),
        .init("began", moment(it.began)), .init("last", moment(it.last)),
        .init("goesOn", .bool(it.goesOn)),
        .init(
          "resolveBy",
          .text(rfc3339(UnixNanoseconds(it.began.time.rawValue &+ it.severity.resolveWithin)))),
        .init(
          "conditions",
          .array(
            it.episodes.map {
              .object([
                .init("rule", .text($0.rule.rawValue)), .init("subject", .text($0.subject)),
                .init("severity", .text($0.rule.severity.name)), .init("began", moment($0.began)),
                .init("rang", .text(rfc3339($0.rang))), .init("last", moment($0.last)),
                .init("goesOn", .bool($0.goesOn)),
              ])
            })),
      ])
    }
    return .object([
      .init("replay", .text("report")), .init("log", coverage.json),
      .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
      .init("isAboutRefusals", .bool(isAboutRefusals)), .init("otherTimes", .count(otherTimes)),
      .init("isMinimised", .bool(isMinimised)),
      .init(
        "objectives",
        .object([
          .init("servedPerMillion", .count(objectives.servedPerMillion)),
          .init("inTimePerMillion", .count(objectives.inTimePerMillion)),
          .init("firstByteMicroseconds", .count(objectives.firstByteMicroseconds)),
        ])), .init("incident", incident(main)),
      .init("others", .array(incidents.filter { $0 != main }.map { incident($0) })),
      .init(
        "builds",
        .array(
          builds.map {
            .object([
              .init("version", .text($0.version)), .init("recording", .text($0.recording.name)),
              .init("started", moment($0.moment)),
            ])
          })),
      .init(
        "impact",
        .object([
          .init("first", .count(impactFirst.rawValue)), .init("last", .count(impactLast.rawValue)),
          .init("figures", impact.figures.json), .init("late", .count(impact.late)),
          .init("interrupted", .count(impact.interrupted)),
          .init("undelivered", .count(impact.undelivered)),
          .init("deniedInSummaries", .count(impact.deniedInSummaries)),
          .init("organisations", names(impact.organisations)),
          .init("models", names(impact.models)), .init("providers", names(impact.providers)),
          .init("accounts", names(impact.accounts)), .init("codes", names(impact.codes)),
          .init(
            "refusals",
            .array(
              impact.refusals.rows.map {
                .object([.init("name", .text($0.name)), .init("requests", .count($0.counted))])
              })),
        ])), .init("top", top.json),
      .init(
        "timeline",
        .array(
          timeline.map {
            .object([
              .init("time", .text(rfc3339($0.time))),
              .init("at", .text($0.place.isEmpty ? nil : $0.place)),
              .init("kind", .text($0.kind.rawValue)), .init("what", .text($0.what)),
              .init("who", .text($0.who)),
            ])
          })), .init("timelineOmitted", .count(timelineOmitted)),
      .init("contributions", .array(contributions.map(contribution))),
      .init("helped", .array(helped.map(contribution))),
      .init(
        "actors",
        .array(
          actors.map {
            .object([
              .init("name", .text($0.name)), .init("edits", .count($0.edits)),
              .init("first", moment($0.first)), .init("last", moment($0.last)),
            ])
          })),
      .init(
        "series",
        .object([
          .init("interval", .text(Shown.span(series.length))),
          .init(
            "rows",
            .array(
              series.intervals.map {
                .object([
                  .init("start", .text(rfc3339($0.start))), .init("figures", $0.figures.json),
                ])
              })),
        ])), .init("changes", .array(ChangePoint.find(in: series).map(\.json))),
      .init(
        "lanes",
        .array(
          lanes.lanes.values.sorted { $0.name < $1.name }.map { lane in
            .object([
              .init("account", .text(lane.name)),
              .init(
                "segments",
                .array(
                  lane.segments.map {
                    .object([
                      .init("state", .text($0.state.rawValue)),
                      .init("from", .text(rfc3339($0.from))), .init("to", .text(rfc3339($0.to))),
                      .init("at", .text($0.place)), .init("endAt", .text($0.endPlace)),
                    ])
                  })), .init("omitted", .count(lane.omitted)),
            ])
          })), .init("gaps", .array(gaps.map(\.json))), .init("unrecorded", unrecorded.json),
      .init(
        "doubts",
        .array(
          doubts.map { .object([.init("at", .text($0.place)), .init("what", .text($0.what))]) })
      ),
    ])
  }
}

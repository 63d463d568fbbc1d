import Domain
public import EventStore

/// Every event of a stream, newest first, with what each changed.
public struct HistoryReport: InquiryReport, Hashable {
  /// The page.
  public var history: StreamHistory
  /// Damaged ranges behind the newest event that can be read, if the page begins with that: another one may stand there.
  public var gaps: [LogGap]

  /// 3 if an event of the page cannot be read, or that cannot be ruled out.
  public var exitCode: ExitCode { history.missing > 0 || !gaps.isEmpty ? .damaged : .same }
}

extension Replay {
  /// The newest events of a stream with what each changed.
  ///
  /// - Throws: `.notFound` for a stream without events, with the names that come near.
  public static func history(
    _ log: LogReader, of stream: String, before: UInt64? = nil, limit: Int
  ) throws(InquiryFault) -> HistoryReport {
    try requireStream(stream, in: log)
    let history = try history(of: stream, in: log, before: before, limit: limit)
    var gaps: [LogGap] = []
    if before == nil {
      let newest = try history.steps.first.map { (step) throws(InquiryFault) in
        try reading { () throws(StoreError) in try log.position(of: EventID(step.id)) }
      }
      gaps = try Self.gaps(
        behind: (newest ?? nil) ?? .origin, through: nil,
        isMissing: history.steps.first?.revision != history.revision, in: log)
    }
    return HistoryReport(history: history, gaps: gaps)
  }
}

extension HistoryReport {
  /// For people.
  public var text: String {
    var out = "stream    \(Shown.text(history.stream)), revision \(history.revision)\n"
    if history.missing > 0 {
      out += "damaged   \(Shown.count(history.missing, "event")) cannot be read\n"
    }
    for gap in gaps { out += "gap       \(gap.text): what stands there may be of it\n" }
    for step in history.steps {
      out += "\n\(step.revision)  \(step.place)  \(rfc3339(step.time))  \(Shown.text(step.kind))"
      if let provenance = step.provenance {
        out += "  by \(Shown.text(provenance.actor)) via \(provenance.source.name)"
        out += provenance.base.map { ", made on revision \($0)" } ?? ""
      } else {
        out += "  cannot be decoded"
      }
      out += "\n"
      for change in step.changes {
        out += "   \(change.field): \(change.before.shown) → \(change.after.shown)\n"
      }
    }
    if history.oldest > 1 {
      out += "\n\(Shown.count(history.oldest - 1, "older event")): --before \(history.oldest)\n"
    }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("history")), .init("stream", .text(history.stream)),
      .init("revision", .count(history.revision)), .init("missing", .count(history.missing)),
      .init("oldest", .count(history.oldest)), .init("gaps", .array(gaps.map(\.json))),
      .init(
        "events",
        .array(
          history.steps.map { step in
            .object([
              .init("revision", .count(step.revision)), .init("at", .text(step.place)),
              .init("time", .text(rfc3339(step.time))), .init("event", .text(uuidText(step.id))),
              .init("kind", .text(step.kind)),
              .init("provenance", step.provenance.map { EventFields.provenance($0) } ?? .null),
              .init(
                "changes",
                .array(
                  step.changes.map {
                    .object([
                      .init("field", .text($0.field)), .init("before", $0.before.json),
                      .init("after", $0.after.json),
                    ])
                  })), .init("fields", step.fields ?? .null),
            ])
          })),
    ])
  }
}

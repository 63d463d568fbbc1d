public import Domain
public import EventStore

/// What of the configuration differs between two moments, and the event that made each difference.
public struct StateDifference: InquiryReport, Hashable {
  /// A resource that differs.
  public struct Row: Sendable, Hashable {
    /// Its stream, for example `alias/fast`.
    public var stream: String
    /// Whether it was there.
    public var wasThere: Bool
    /// Whether it is there.
    public var isThere: Bool
    /// In the order of its fields.
    public var fields: [Field]
  }

  /// A field that differs.
  public struct Field: Sendable, Hashable {
    /// By the name that answers give it.
    public var name: String
    /// At the first moment; `none` if it was not there.
    public var before: Image.Value
    /// At the second.
    public var after: Image.Value
    /// The event that gave it the later one of its two values; nil: it cannot be read.
    public var since: ConfigurationChange?
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// From here.
  public var first: LogCoverage.Moment?
  /// To here; may be the earlier one.
  public var second: LogCoverage.Moment?
  /// In the order of plans: what others refer to first, then by name.
  public var rows: [Row]
  /// Damaged ranges up to the later moment.
  public var gaps: [LogGap]
  /// Configuration events up to there that could not be decoded.
  public var unreadable: Int

  /// 1 if anything differs, 3 if something up to there is damaged.
  public var exitCode: ExitCode {
    if !gaps.isEmpty || unreadable > 0 { return .damaged }
    return rows.isEmpty ? .same : .differs
  }
}

extension Replay {
  /// Compares the configuration at two moments.
  ///
  /// - Parameters:
  ///   - selector: the first moment; nil: the log's end.
  ///   - other: the second one; nil: the log's end.
  public static func difference(
    _ log: LogReader, from selector: Selector?, to other: Selector?, now: UnixNanoseconds,
    progress: Progress? = nil
  ) throws(InquiryFault) -> StateDifference {
    func position(_ selector: Selector?) throws(InquiryFault) -> Position {
      let position = min(try moment(selector, in: log, now: now), log.last)
      try log.requireCovered(position)
      return position
    }
    func place(_ position: Position) throws(InquiryFault) -> LogCoverage.Moment? {
      guard position.rawValue > 0 else { return nil }
      return try reading { () throws(StoreError) in try log.event(at: position) }.map {
        LogCoverage.Moment(place: "\($0.epoch):\($0.position)", time: UnixNanoseconds($0.time))
      }
    }
    let (one, two) = (try position(selector), try position(other))
    let early = try ConfigurationFold.through(min(one, two), of: log, progress: progress)
    let late = try ConfigurationFold.through(
      max(one, two), isEnd: max(one, two) >= log.last, of: log, progress: progress)
    let (before, after) = one <= two ? (early, late) : (late, early)
    var writers = FieldWriters(log, at: max(one, two).rawValue, late.changes)
    var rows: [StateDifference.Row] = []
    for subject in StateDifference.subjects(before.state, after.state) {
      let images = (before.state.image(of: subject), after.state.image(of: subject))
      var fields: [StateDifference.Field] = []
      for it in Image.difference(images.0, images.1) {
        fields.append(
          StateDifference.Field(
            name: it.field, before: it.before, after: it.after,
            since: try writers.writer(of: [it.field], in: subject)))
      }
      guard !fields.isEmpty else { continue }
      rows.append(
        StateDifference.Row(
          stream: subject.stream, wasThere: images.0 != nil, isThere: images.1 != nil,
          fields: fields))
    }
    return StateDifference(
      coverage: try LogCoverage(log), first: try place(one), second: try place(two), rows: rows,
      gaps: late.gaps, unreadable: late.unreadable)
  }
}

extension StateDifference {
  /// Everything that is configured at one of two moments, and what is known of accounts.
  package static func subjects(_ one: ControlState, _ two: ControlState) -> [Subject] {
    var seen: Set<Subject> = []
    var all: [Subject] = []
    for state in [one, two] {
      for subject in state.subjects where seen.insert(subject).inserted { all.append(subject) }
    }
    let accounts = Set(one.accounts.keys).union(two.accounts.keys).sorted()
    return all + accounts.flatMap { [.credential($0), .health($0)] }
  }

  /// For people.
  public var text: String {
    func text(_ moment: LogCoverage.Moment?) -> String {
      moment.map { "\($0.place), \(rfc3339($0.time))" } ?? "before the first event"
    }
    var out = "store     \(coverage.storeID)\nfrom      \(text(first))\nto        \(text(second))\n"
    for gap in gaps { out += "gap       \(gap.text)\n" }
    if unreadable > 0 {
      out += "damaged   \(Shown.count(unreadable, "configuration event")) cannot be decoded\n"
    }
    if rows.isEmpty { return out + "differs   nothing\n" }
    for row in rows {
      out += "\n\(row.isThere ? row.wasThere ? "changed" : "added" : "removed")  "
      out += Shown.text(row.stream) + "\n"
      var table = TextTable("field", "before", "after", "by")
      for field in row.fields {
        table.add(
          field.name, field.before.shown, field.after.shown,
          field.since.map {
            "\($0.place) \(rfc3339($0.time)) \(Shown.text($0.kind)) by \(Shown.text($0.actor)) via "
              + $0.source.name
          } ?? "")
      }
      out += table.rendered()
    }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    func json(_ moment: LogCoverage.Moment?) -> JSONTree {
      moment.map {
        .object([.init("at", .text($0.place)), .init("time", .text(rfc3339($0.time)))])
      } ?? .null
    }
    return .object([
      .init("replay", .text("state-diff")), .init("log", coverage.json),
      .init("from", json(first)), .init("to", json(second)),
      .init("gaps", .array(gaps.map(\.json))), .init("unreadable", .count(unreadable)),
      .init(
        "rows",
        .array(
          rows.map { row in
            .object([
              .init("stream", .text(row.stream)), .init("wasThere", .bool(row.wasThere)),
              .init("isThere", .bool(row.isThere)),
              .init(
                "fields",
                .array(
                  row.fields.map {
                    .object([
                      .init("field", .text($0.name)), .init("before", $0.before.json),
                      .init("after", $0.after.json), .init("since", $0.since?.json ?? .null),
                    ])
                  })),
            ])
          })),
    ])
  }
}

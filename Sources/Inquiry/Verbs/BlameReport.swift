public import Domain
public import EventStore

/// Who gave each field of a resource its value, when, through which door, and instead of what.
public struct BlameReport: InquiryReport, Hashable {
  /// A field as it stands.
  public struct Row: Sendable, Hashable {
    /// By the name that answers give it.
    public var field: String
    /// As it stands.
    public var value: Image.Value
    /// The event that gave it.
    public var since: ConfigurationChange
    /// What it was before; `none` if it was not there.
    public var before: Image.Value
    /// The event that had given that; nil: none had.
    public var beforeSince: ConfigurationChange?
  }

  /// Whose fields they are.
  public var stream: String
  /// The stream's revision at the moment asked for.
  public var revision: UInt64
  /// nil: the resource is there; else the event that removed it.
  public var removed: ConfigurationChange?
  /// In the order in which the resource shows them.
  public var rows: [Row]
  /// Events of the stream that cannot be read.
  public var unreadable: UInt64
  /// Damaged ranges behind the last event of the stream that can be read: another one may stand there.
  public var gaps: [LogGap]

  /// 3 if an event of the stream cannot be read, or that cannot be ruled out.
  public var exitCode: ExitCode { unreadable > 0 || !gaps.isEmpty ? .damaged : .same }
}

extension Replay {
  /// Says of each field of a resource, or of one, who set it.
  ///
  /// - Parameters:
  ///   - target: a stream (`alias/fast`, `settings`), or one and a field of it (`account/mock-a1.priority`).
  ///   - selector: nil: now, as far as the log tells.
  /// - Throws: `.notFound` for a stream or a field that there is not, with what there is.
  public static func blame(
    _ log: LogReader, _ target: String, at selector: Selector? = nil, now: UnixNanoseconds
  ) throws(InquiryFault) -> BlameReport {
    let last = try selector?.resolve(in: log, now: now, edge: .to) ?? log.last
    let (stream, field) = split(target, in: log)
    guard let subject = Subject(stream: stream) else {
      throw InquiryFault(
        .usage,
        "`\(Shown.text(String(target.prefix(128))))` is nothing that is configured. Write a stream, for example "
          + "`alias/fast`, `account/<id>`, `provider/<id>`, `key/<id>`, `settings`, and a field of it if only "
          + "that is wanted: `account/<id>.priority`.")
    }
    try requireStream(stream, in: log)
    var fold = StreamFold(subject)
    var earlier: [String: (value: Image.Value, writer: StreamFold.Writer?)] = [:]
    var (revision, read): (UInt64, UInt64) = (0, 0)
    var position = Position.origin
    var next: StoredEvent?
    try reading { () throws(StoreError) in
      try log.forwards(ofStream: stream, from: Revision(1)) { stored in
        guard stored.position <= last else {
          next = stored
          return false
        }
        (revision, position) = (stored.revision.rawValue, stored.position)
        guard let recorded = Entry(stored).recorded else { return true }
        read += 1
        let writers = fold.writers
        for change in fold.apply(recorded, epoch: stored.epoch.rawValue) {
          earlier[change.field] = (change.before, writers[change.field])
        }
        return true
      }
    }
    let known = next.map { max($0.revision.rawValue, 1) - 1 } ?? log.revision(of: stream).rawValue
    let gaps = try gaps(
      behind: position,
      through: next == nil && last >= log.last ? nil : min(last, next?.position ?? last),
      isMissing: known > revision, in: log)
    if !gaps.isEmpty { revision = max(revision, known) }
    guard read > 0 || revision == 0 else {
      throw InquiryFault(
        .damaged,
        "None of the \(Shown.count(revision, "event")) of `\(Shown.text(stream))` can be read"
          + (gaps.first.map { ": \($0.text)" } ?? "") + ".")
    }
    guard revision > 0 else {
      try refuseIfDamaged("an event of `\(Shown.text(stream))` up to there", behind: nil, in: log)
      throw InquiryFault(
        .notFound,
        "`\(Shown.text(stream))` had no event yet at that moment. \(try LogCoverage(log).text)")
    }
    let fields = fold.image?.fields ?? []
    if let field, !fields.contains(where: { $0.name == field }), fold.image != nil {
      throw InquiryFault(
        .notFound,
        "`\(Shown.text(stream))` has no field `\(Shown.text(field))`. It has "
          + "\(fields.map(\.name).joined(separator: ", ")).")
    }
    func change(_ writer: StreamFold.Writer) -> ConfigurationChange {
      ConfigurationChange(writer, stream: stream)
    }
    return BlameReport(
      stream: stream, revision: revision,
      removed: fold.image == nil ? fold.presence.map(change) : nil,
      rows: fields.filter { field == nil || $0.name == field }.compactMap { it in
        fold.writers[it.name].map { writer in
          BlameReport.Row(
            field: it.name, value: it.value, since: change(writer),
            before: earlier[it.name]?.value ?? .none,
            beforeSince: earlier[it.name]?.writer.map(change))
        }
      },
      // What a minimised bundle leaves out is not damaged; who made a bundle up may tell a revision twice.
      unreadable: log.bundle?.isMinimised == true ? 0 : revision - min(revision, read), gaps: gaps)
  }

  /// A stream's name may hold dots: what is a stream as it stands is one.
  static func split(_ target: String, in log: LogReader) -> (String, String?) {
    guard log.revision(of: target).rawValue == 0, let dot = target.lastIndex(of: ".") else {
      return (target, nil)
    }
    return (String(target[..<dot]), String(target[target.index(after: dot)...]))
  }
}

extension BlameReport {
  /// For people.
  public var text: String {
    var out = "stream    \(Shown.text(stream)), revision \(revision)\n"
    if unreadable > 0 { out += "damaged   \(Shown.count(unreadable, "event")) cannot be read\n" }
    for gap in gaps { out += "gap       \(gap.text): what stands there may be of it\n" }
    if let removed { out += "removed   \(removed.text)\n" }
    guard !rows.isEmpty else { return out }
    var table = TextTable("field", "value", "since", "by", "via", "before")
    for row in rows {
      table.add(
        row.field, row.value.shown, "\(row.since.place) \(rfc3339(row.since.time))",
        Shown.text(row.since.actor), row.since.source.name,
        row.beforeSince.map { "\(row.before.shown) (\($0.place) \(Shown.text($0.actor)))" } ?? "")
    }
    return out + "\n" + table.rendered()
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("blame")), .init("stream", .text(stream)),
      .init("revision", .count(revision)), .init("removed", removed?.json ?? .null),
      .init(
        "fields",
        .array(
          rows.map { row in
            .object([
              .init("field", .text(row.field)), .init("value", row.value.json),
              .init("since", row.since.json), .init("before", row.before.json),
              .init("beforeSince", row.beforeSince?.json ?? .null),
            ])
          })), .init("unreadable", .count(unreadable)),
      .init("gaps", .array(gaps.map(\.json))),
    ])
  }
}

public import Domain
public import EventStore

/// What an export takes out of the log.
public struct ExportQuery: Sendable, Hashable {
  /// nil: from the log's beginning.
  public var from: Selector?
  /// nil: to the log's end.
  public var to: Selector?
  /// Only events that all given filters match.
  public var filter: WindowFilter
  /// Which rows are wanted.
  public var tables: Set<ExportTable>

  /// Made of its parts.
  public init(
    from: Selector? = nil, to: Selector? = nil, filter: WindowFilter = WindowFilter(),
    tables: Set<ExportTable>
  ) {
    self.from = from
    self.to = to
    self.filter = filter
    self.tables = tables
  }
}

/// What an export wrote.
public struct ExportSummary: Sendable, Hashable {
  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// By table.
  public var rows: [ExportTable: UInt64] = [:]
  /// Events between, left out as their times lie outside of the times asked for: a clock was set.
  public var outside: UInt64 = 0
  /// Events whose bytes are not what their kind says: they are rows of `events`, without fields.
  public var unreadable: UInt64 = 0
  /// Damaged ranges within.
  public var gaps: [LogGap] = []

  /// 3 if a part of the range is damaged.
  public var exitCode: ExitCode { gaps.isEmpty && unreadable == 0 ? .same : .damaged }

  /// Of what was written, for a person, with line breaks.
  public var text: String {
    var out = ""
    for table in ExportTable.allCases {
      if let count = rows[table] {
        out += "\(table.rawValue)  \(Shown.count(count, "row"))\n"
      }
    }
    if rows.values.allSatisfy({ $0 == 0 }) { out += "Nothing to write. \(coverage.text)\n" }
    if outside > 0 {
      out += "left out  \(Shown.count(outside, "event")) between, of other times: a clock was set\n"
    }
    for gap in gaps { out += "gap  \(gap.text)\n" }
    if unreadable > 0 { out += "\(Shown.count(unreadable, "event")) cannot be decoded\n" }
    return out
  }
}

extension Replay {
  /// Gives every row of a range to `row`, in the log's order; nothing is kept in memory.
  ///
  /// - Parameter row: takes one row; what it throws ends the export.
  public static func export(
    _ log: LogReader, _ query: ExportQuery, now: UnixNanoseconds, progress: Progress? = nil,
    row: (ExportTable, [ExportValue]) throws(InquiryFault) -> Void
  ) throws(InquiryFault) -> ExportSummary {
    let end = log.last
    let first = max(
      try query.from?.resolve(in: log, now: now, edge: .from) ?? log.first, log.first)
    let last = min(try query.to?.resolve(in: log, now: now, edge: .to) ?? end, end)
    var summary = ExportSummary(coverage: try LogCoverage(log), first: first, last: last)
    for table in query.tables { summary.rows[table] = 0 }
    guard first <= last || last >= end else { return summary }
    let times = EventTimes(from: query.from, to: query.to, now: now)
    let wantsEvents = query.tables.contains(.events)
    var (fold, start) = ConfigurationFold.start(in: log, through: Position(first.rawValue - 1))
    // To the log's end: bytes behind the last readable event are part of the range.
    let through: Position? = last >= end ? nil : last
    try log.read(from: start, through: through, progress: progress) {
      (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        if gap.last.map({ $0 >= first }) ?? true { summary.gaps.append(gap) }
      case .event(let stored):
        guard stored.position <= last else { return }
        let isRelevant = ConfigurationFold.isRelevant(stored.kind)
        guard stored.position >= first else {
          if isRelevant { fold.apply(Entry(stored)) }
          return
        }
        guard times.contains(UnixNanoseconds(stored.time)) else {
          summary.outside += 1
          if isRelevant { fold.apply(Entry(stored)) }
          return
        }
        guard isRelevant || wantsEvents || stored.kind.hasPrefix("request.") else { return }
        let entry = Entry(stored)
        let before = fold.state
        if isRelevant { fold.apply(entry) }
        let state = fold.state
        guard query.filter.matches(entry, kind: stored.kind, state) else { return }
        if entry.recorded == nil { summary.unreadable += 1 }
        func put(_ table: ExportTable, _ values: [ExportValue]) throws(InquiryFault) {
          summary.rows[table, default: 0] += 1
          try row(table, values)
        }
        if query.tables.contains(.requests), let values = ExportTable.request(entry, state) {
          try put(.requests, values)
        }
        if query.tables.contains(.attempts) {
          for values in ExportTable.attempts(entry, state) { try put(.attempts, values) }
        }
        if wantsEvents { try put(.events, ExportTable.event(entry, before: before)) }
      }
    }
    return summary
  }
}

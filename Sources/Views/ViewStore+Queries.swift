internal import Domain
internal import Foundation
internal import GRDB

extension ViewStore {
  /// What was used, by series, in no particular order; `.operation` series together hold every request once.
  ///
  /// - Parameters:
  ///   - from: First hour since the Unix epoch; nil: from the beginning.
  ///   - to: The hour behind the last one; nil: to the end.
  public func usage(
    from: Int64?, to: Int64?
  ) throws -> [(series: UsageSeries, totals: UsageTotals)] {
    let all: Int64 = 1 << 40
    let low = max(from ?? -all, -all)
    let spans = Self.spans(low..<max(low, min(to ?? all, all)))
    let parts = spans.map { span in
      """
      SELECT series, \(Schema.totals) FROM usage_\(span.table)
      WHERE \(span.table) >= \(span.range.lowerBound) AND \(span.table) < \(span.range.upperBound)
      """
    }
    guard !parts.isEmpty else { return [] }
    return try read { db in
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT n.kind, n.operation, n.subject, n.model, t.* FROM (
            SELECT series, \(Schema.totalsSummed) FROM (\(parts.joined(separator: " UNION ALL ")))
            GROUP BY series) t
          JOIN series_named n ON n.id = t.series
          """)
      var found: [(UsageSeries, UsageTotals)] = []
      while let row = try rows.next() {
        found.append((try UsageSeries(row), try UsageTotals(row, at: 5)))
      }
      return found
    }
  }

  /// Whole months and days from their tables, the hours at both ends from theirs.
  static func spans(_ hours: Range<Int64>) -> [(table: String, range: Range<Int64>)] {
    func cut(_ hours: Range<Int64>, _ tables: [(table: String, hours: Int64)]) -> [(
      table: String, range: Range<Int64>
    )] {
      guard !hours.isEmpty, let (table, length) = tables.first else { return [] }
      let first = (hours.lowerBound + (length - 1)).floored(by: length)
      let end = hours.upperBound.floored(by: length)
      let rest = Array(tables.dropFirst())
      guard first < end else { return cut(hours, rest) }
      return cut(hours.lowerBound..<first * length, rest) + [(table, first..<end)]
        + cut(end * length..<hours.upperBound, rest)
    }
    return cut(hours, [("month", 768), ("day", 24), ("hour", 1)])
  }

  /// What was used, minute by minute, ascending; minutes without a request are missing.
  ///
  /// - Parameter minutes: Minutes since the Unix epoch.
  public func usage(
    minutes: Range<Int64>
  ) throws -> [(minute: Int64, totals: UsageTotals)] {
    try read { db in
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT minute, \(Schema.totals) FROM usage_minute WHERE minute >= ? AND minute < ?
          ORDER BY minute
          """, arguments: [minutes.lowerBound, minutes.upperBound])
      var found: [(Int64, UsageTotals)] = []
      while let row = try rows.next() {
        found.append((try row.integer(0), try UsageTotals(row, at: 1)))
      }
      return found
    }
  }

  /// Calls that ended within some minutes, by series, in no particular order.
  ///
  /// Costs a row an hour and series, and a row a minute and series at both ends.
  ///
  /// - Parameter minutes: Minutes since the Unix epoch, of those that are kept: the newest 2,880 with requests.
  public func calls(minutes: Range<Int64>) throws -> [CallSeries: CallTotals] {
    let first = (minutes.lowerBound.adding(59)).floored(by: 60)
    let end = max(first, minutes.upperBound.floored(by: 60))
    let hasHours = first < end
    let spans: [(String, Range<Int64>)] =
      hasHours
      ? [
        ("hour", first..<end), ("minute", minutes.lowerBound..<first * 60),
        ("minute", end * 60..<minutes.upperBound),
      ] : [("minute", minutes)]
    return try read { db in
      var sums: [[Int64]: CallSum] = [:]
      for (span, range) in spans where !range.isEmpty {
        let rows = try Row.fetchCursor(
          db.cachedStatement(
            sql: """
              SELECT account, status, error_class, \(Schema.callSums) FROM call_\(span)
              WHERE \(span) >= ? AND \(span) < ?
              """), arguments: [range.lowerBound, range.upperBound])
        while let row = try rows.next() {
          let series = [try row.integer(0), try row.integer(1), try row.integer(2)]
          try sums[series, default: CallSum()].add(row, at: 3)
        }
      }
      let name = try db.cachedStatement(sql: "SELECT text FROM name WHERE id = ?")
      var found: [CallSeries: CallTotals] = [:]
      for (series, sum) in sums {
        guard let text = try Row.fetchOne(name, arguments: [series[0]])?.text(0) else {
          throw ViewFault.damaged("account \(series[0]) has no name")
        }
        var totals = sum.totals
        totals.latency = sum.latency.histogram
        let key = CallSeries(
          account: AccountID(text), status: series[1] == 0 ? nil : UInt16(clamping: series[1]),
          errorClass: ErrorClass(rawValue: UInt8(clamping: series[2])))
        found[key, default: CallTotals()].add(totals)
      }
      return found
    }
  }

  /// Pages of the log that have requests with each of these marks, the newest first.
  ///
  /// A page may have one request with this mark and another with that: who reads it looks at each.
  ///
  /// - Parameters:
  ///   - groups: A page has at least one mark of each group; at least one group, none of them empty.
  ///   - through: The newest page that counts.
  ///   - limit: Pages at most.
  public func pages(
    with groups: [[RequestMark]], through: UInt64, limit: Int
  ) throws -> [UInt64] {
    let last = through / ViewDelta.chapterPages
    return try read { db in
      var chapters: [Int64: UInt64]?
      for group in groups {
        var found: [Int64: UInt64] = [:]
        for mark in group {
          if case .inFlight = mark {
            for (_, position) in try Self.inFlight(db)
            where position / ViewDelta.pageEvents <= through {
              let (chapter, page) = ViewDelta.page(of: position)
                .quotientAndRemainder(dividingBy: ViewDelta.chapterPages)
              found[Int64(clamping: chapter), default: 0] |= 1 << page
            }
            continue
          }
          let (kind, value) = mark.parts
          let values: ClosedRange<Int64>? =
            switch value {
            case .numbers(let numbers): numbers
            case .name(let text): try Names.find(text, db).map { $0...$0 }
            }
          // A name that no request ever had.
          guard let values else { continue }
          let rows = try Row.fetchCursor(
            db.cachedStatement(
              sql: """
                SELECT chapter, pages FROM mark
                WHERE kind = ? AND value BETWEEN ? AND ? AND chapter <= ?
                """),
            arguments: [
              kind.rawValue, values.lowerBound, values.upperBound, Int64(clamping: last),
            ])
          while let row = try rows.next() {
            let chapter = try row.integer(0)
            guard (0...Int64(clamping: last)).contains(chapter) else {
              throw ViewFault.damaged("\(chapter) is no chapter of the log")
            }
            found[chapter, default: 0] |= UInt64(bitPattern: try row.integer(1))
          }
        }
        chapters =
          chapters.map { known in
            known.reduce(into: [:]) { both, entry in
              let pages = entry.value & found[entry.key, default: 0]
              if pages != 0 { both[entry.key] = pages }
            }
          } ?? found
      }
      var pages: [UInt64] = []
      for (chapter, bits) in (chapters ?? [:]).sorted(by: { $0.key > $1.key }) {
        var bits = bits
        while bits != 0 {
          let bit = UInt64(63 - bits.leadingZeroBitCount)
          bits &= ~(1 << bit)
          let page = UInt64(clamping: chapter) * ViewDelta.chapterPages + bit
          guard page <= through else { continue }
          guard pages.count < limit else { return pages }
          pages.append(page)
        }
      }
      return pages
    }
  }
}

// MARK: Rows

/// Rows of `CallTotals` added up, the histograms in one place that has room for all buckets.
private struct CallSum {
  var totals = CallTotals()
  var latency = LatencyHistogram.Sum()

  mutating func add(_ row: Row, at first: Int) throws {
    totals.add(try CallTotals(row, at: first, hasLatency: false))
    try latency.add(try row.bytes(first + 4))
  }
}

extension CallTotals {
  init(_ row: Row, at first: Int, hasLatency: Bool = true) throws {
    self.init()
    count = try row.count(first)
    inputTokens = try row.sum(first + 1)
    outputTokens = try row.sum(first + 2)
    costMicroUSD = try row.sum(first + 3)
    if hasLatency { latency = try LatencyHistogram(bytes: try row.bytes(first + 4)) }
  }

  var columns: StatementArguments {
    [count, inputTokens, outputTokens, costMicroUSD, Data(latency.bytes)]
  }
}

extension UsageTotals {
  /// Of the columns of `Schema.totals`, the first of them at `first`.
  fileprivate init(_ row: Row, at first: Int) throws {
    try self.init { column in
      if column == Schema.totalsCount - 1 { return try row.integer(first + column) }
      return try Schema.isCount(column) ? row.count(first + column) : row.sum(first + column)
    }
  }
}

extension UsageSeries {
  /// Of the columns kind, operation, subject and model.
  fileprivate init(_ row: Row) throws {
    let (kind, subject, model) = (try row.integer(0), try row.text(2), try row.text(3))
    switch (ViewDelta.Series.Kind(rawValue: UInt8(clamping: kind)), subject) {
    case (.operation, _):
      self = .operation(Operation(rawValue: UInt8(clamping: try row.integer(1))), model: model)
    case (.account, let subject?): self = .account(AccountID(subject), model: model)
    case (.key, let subject?): self = .key(KeyID(subject), model: model)
    case _: throw ViewFault.damaged("a series is of kind \(kind) and about nothing")
    }
  }
}

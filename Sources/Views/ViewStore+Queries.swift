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
    // Whole days from their table, the hours at both ends from the other.
    let all: Int64 = 1 << 40
    let (low, high) = (max(from ?? -all, -all), min(to ?? all, all))
    let firstDay = (low + 23).floored(by: 24)
    let endDay = max(high.floored(by: 24), firstDay)
    let hasDays = firstDay < endDay
    let (head, tail) = (hasDays ? firstDay * 24 : high, hasDays ? endDay * 24 : high)
    return try read { db in
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT n.kind, n.operation, n.subject, n.organisation, n.model, t.* FROM (
            SELECT series, \(Schema.totalsSummed) FROM (
              SELECT series, \(Schema.totals) FROM usage_day WHERE day >= ? AND day < ?
              UNION ALL
              SELECT series, \(Schema.totals) FROM usage_hour WHERE hour >= ? AND hour < ?
              UNION ALL
              SELECT series, \(Schema.totals) FROM usage_hour WHERE hour >= ? AND hour < ?)
            GROUP BY series) t
          JOIN series_named n ON n.id = t.series
          """, arguments: [firstDay, endDay, low, head, tail, high])
      var found: [(UsageSeries, UsageTotals)] = []
      while let row = try rows.next() {
        found.append((try UsageSeries(row), try UsageTotals(row, at: 6)))
      }
      return found
    }
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
  /// Costs a row a minute and series: 24 hours of 50 series are 72,000 rows.
  ///
  /// - Parameter minutes: Minutes since the Unix epoch.
  public func calls(minutes: Range<Int64>) throws -> [CallSeries: CallTotals] {
    try read { db in
      let rows = try Row.fetchCursor(
        db,
        sql: """
          SELECT account, model, status, error_class, count, input_tokens, output_tokens,
            cost_micro_usd, latency
          FROM calls_by_minute WHERE minute >= ? AND minute < ?
          """, arguments: [minutes.lowerBound, minutes.upperBound])
      var found: [CallSeries: CallTotals] = [:]
      while let row = try rows.next() {
        let status = try row.integer(2)
        let series = CallSeries(
          account: AccountID(try row.text(0) ?? ""), model: try row.text(1),
          status: status == 0 ? nil : UInt16(clamping: status),
          errorClass: ErrorClass(rawValue: UInt8(clamping: try row.integer(3))))
        found[series, default: CallTotals()].add(try CallTotals(row, at: 4))
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

extension CallTotals {
  init(_ row: Row, at first: Int) throws {
    self.init()
    count = try row.count(first)
    inputTokens = try row.sum(first + 1)
    outputTokens = try row.sum(first + 2)
    costMicroUSD = try row.sum(first + 3)
    latency = try LatencyHistogram(bytes: try row.bytes(first + 4))
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
  /// Of the columns kind, operation, subject, organisation and model.
  fileprivate init(_ row: Row) throws {
    let (kind, subject, model) = (try row.integer(0), try row.text(2), try row.text(4))
    switch (ViewDelta.Series.Kind(rawValue: UInt8(clamping: kind)), subject) {
    case (.operation, _):
      self = .operation(Operation(rawValue: UInt8(clamping: try row.integer(1))), model: model)
    case (.account, let subject?): self = .account(AccountID(subject), model: model)
    case (.key, let subject?):
      self = .key(
        KeyID(subject), try row.text(3).map { OrganisationID($0) }, model: model)
    case _: throw ViewFault.damaged("a series is of kind \(kind) and about nothing")
    }
  }
}

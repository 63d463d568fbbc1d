import Domain
import EventStore
import Foundation
import Inquiry
import Testing

@Suite struct ExportTests {
  private func rows(
    _ log: TestLog, _ query: ExportQuery
  ) throws -> (rows: [(table: ExportTable, values: [ExportValue])], summary: ExportSummary) {
    var rows: [(table: ExportTable, values: [ExportValue])] = []
    let summary = try Replay.export(log.reader(), query, now: TestLog.now) { table, values in
      rows.append((table, values))
    }
    return (rows, summary)
  }

  @Test func `every event and every end of a request is a row as wide as its columns`() throws {
    let log = try TestLog.story()
    let (rows, summary) = try rows(log, ExportQuery(tables: Set(ExportTable.allCases)))
    for (table, values) in rows {
      #expect(values.count == table.columns.count)
      for (column, value) in zip(table.columns, values) {
        switch value {
        case .none: #expect(column.isOptional, "\(table) \(column.name)")
        case .number: #expect(column.isNumber, "\(table) \(column.name)")
        case .text: #expect(!column.isNumber, "\(table) \(column.name)")
        }
      }
    }
    #expect(summary.rows[.events] == log.last && summary.exitCode == .same)
    // Six ends, of which one is an interruption, and six upstream calls.
    #expect(summary.rows[.requests] == 7)
    #expect(summary.rows[.attempts] == 6)
  }

  @Test func `ranges and filters are those of window`() throws {
    let log = try TestLog.story()
    for (from, to, filter) in [
      ("1:12", "2:25", WindowFilter()), ("1", "2:30", WindowFilter(account: "mock/a2")),
      ("5", "2:30", WindowFilter(kind: "request.finished", model: "fast")),
    ] {
      let window = try Replay.window(
        log.reader(),
        WindowQuery(from: Selector(from), to: Selector(to), filter: filter, limit: 0),
        now: TestLog.now)
      let (rows, _) = try rows(
        log,
        ExportQuery(from: Selector(from), to: Selector(to), filter: filter, tables: [.events]))
      let places = rows.map { row -> String in
        guard case .number(let position) = row.values[0], case .number(let epoch) = row.values[1]
        else { return "" }
        return "\(epoch):\(position)"
      }
      #expect(places == window.timeline.map(\.place) && !places.isEmpty)
    }
  }

  @Test(arguments: [
    ("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@x", "'@x"), ("a,b", "\"a,b\""),
    ("a\"b", "\"a\"\"b\""), ("=\"x\",1", "\"'=\"\"x\"\",1\""), ("a\nb", "a\\u{a}b"),
    ("\t=x", "\\u{9}=x"), ("gpt\u{1B}[31m", "gpt\\u{1b}[31m"), ("ä b", "ä b"), ("", ""),
  ])
  func `a cell is neither two cells, nor a line, nor a formula`(_ text: String, _ cell: String) {
    let columns = ExportTable.events.columns.count
    let values = [.text(text)] + Array(repeating: ExportValue.none, count: columns - 1)
    let commas = String(repeating: ",", count: columns - 1)
    #expect(ExportText.csv.row(values, of: .events) == cell + commas + "\r\n")
  }

  @Test func `a line of JSON is one object with the columns that have a value`() throws {
    let log = try TestLog.story()
    for (table, values) in try rows(log, ExportQuery(tables: Set(ExportTable.allCases))).rows {
      let line = ExportText.ndjson.row(values, of: table)
      #expect(line.last == "\n" && line.dropLast().allSatisfy { $0 != "\n" })
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
      let present = zip(table.columns, values).filter { $0.1 != .none }.map(\.0.name)
      #expect(Set(object.keys) == Set(present))
    }
  }

  @Test func `the same rows give the same file, which is never written over`() throws {
    let log = try TestLog.story()
    let tables = Set(ExportTable.allCases)
    func write(_ name: String) throws -> Data {
      let path = log.directory + "/" + name
      let file = try ExportFile(path: path, tables: tables)
      _ = try Replay.export(log.reader(), ExportQuery(tables: tables), now: TestLog.now) {
        (table, values) throws(InquiryFault) in try file.insert(values, into: table)
      }
      #expect(!FileManager.default.fileExists(atPath: path))
      try file.finish()
      #expect(!FileManager.default.fileExists(atPath: path + ".partial"))
      return try Data(contentsOf: URL(fileURLWithPath: path))
    }
    let first = try write("one.sqlite")
    #expect(try first == write("two.sqlite"))
    let fault = try #require(throws: InquiryFault.self) {
      try ExportFile(path: log.directory + "/one.sqlite", tables: tables)
    }
    #expect(fault.code == .usage && fault.message.contains("exists already"))
    #expect(try Data(contentsOf: URL(fileURLWithPath: log.directory + "/one.sqlite")) == first)
  }

  @Test func `nothing sealed is in any row`() throws {
    let log = try TestLog.story()
    for (table, values) in try rows(log, ExportQuery(tables: Set(ExportTable.allCases))).rows {
      #expect(!ExportText.csv.row(values, of: table).contains("09090909"))
    }
  }
}

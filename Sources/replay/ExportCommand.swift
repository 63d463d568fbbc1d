public import ArgumentParser
import Inquiry

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes requests and events as lines of JSON, as CSV or as a SQLite file.",
    discussion: """
      Rows come in the log's order and are the same bytes each time; memory does not
      grow with their number. A file that is there is never overwritten. Prompts,
      answers and secrets are in no row: the log's public part has none.

      --ndjson and --csv write one table, to standard output without -o; --sqlite
      writes all three into the new file of -o. The columns are in docs/replay.md.

      EXAMPLES
        replay export --csv --from -1d -o requests.csv
        replay export --ndjson --table events --kind alias
        replay export --sqlite -o november.sqlite --from 2026-11-01T00:00:00Z
        sqlite3 november.sqlite 'SELECT * FROM usage_by_key'
      """)

  enum Format: String, EnumerableFlag {
    case ndjson, csv, sqlite

    static func help(for value: Format) -> ArgumentHelp? {
      switch value {
      case .ndjson: "A JSON object a line."
      case .csv: "RFC 4180, with a line of names; safe to open in a spreadsheet."
      case .sqlite: "A new SQLite file with indexes and views."
      }
    }
  }

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @OptionGroup var filters: FilterOptions

  @Flag(exclusivity: .exclusive) var format: Format

  @Option(
    help:
      "Which rows: \(ExportTable.allCases.map(\.rawValue).joined(separator: ", ")); default: requests."
  )
  var table: ExportTable?

  @Option(
    name: [.customShort("o"), .long],
    help: ArgumentHelp("The file to be made; - for standard output.", valueName: "file"))
  var output: String?

  func validate() throws {
    if options.json {
      throw ValidationError("--json: an export has its own formats; --ndjson is JSON")
    }
    guard format == .sqlite else { return }
    guard let output, output != "-" else {
      throw ValidationError("--sqlite: name the file to be made with -o")
    }
    if table != nil { throw ValidationError("--table: a SQLite file has all tables") }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    let filter = try filters.filter(isNoted: true)
    let log = try options.open()
    let progress = LogOptions.progress(of: log)
    let now = LogOptions.now()
    let summary: ExportSummary
    switch format {
    case .sqlite:
      let tables = Set(ExportTable.allCases)
      let file = try ExportFile(path: output ?? "", tables: tables)
      do {
        summary = try Replay.export(
          log, ExportQuery(from: from, to: to, filter: filter, tables: tables), now: now,
          progress: progress
        ) { (table, values) throws(InquiryFault) in try file.insert(values, into: table) }
        try file.finish()
      } catch {
        file.abandon()
        throw error
      }
    case .ndjson, .csv:
      let form: ExportText = format == .csv ? .csv : .ndjson
      let table = table ?? .requests
      var stream = try RowStream(path: output == "-" ? nil : output)
      do {
        try stream.write(form.head(of: table))
        summary = try Replay.export(
          log, ExportQuery(from: from, to: to, filter: filter, tables: [table]), now: now,
          progress: progress
        ) { (table, values) throws(InquiryFault) in
          try stream.write(form.row(values, of: table))
        }
        try stream.finish()
      } catch {
        stream.abandon()
        throw error
      }
    }
    Terminal.error(summary.text)
    guard summary.exitCode == .same else {
      throw ArgumentParser.ExitCode(summary.exitCode.rawValue)
    }
  }
}

extension ExportTable: ExpressibleByArgument {}

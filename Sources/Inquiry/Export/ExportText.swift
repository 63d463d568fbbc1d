/// How rows are written as text.
public enum ExportText: Sendable {
  /// A JSON object a line; a column without a value is left out.
  case ndjson
  /// RFC 4180 with a line of names, safe to open in a spreadsheet.
  case csv

  /// What stands before the rows.
  public func head(of table: ExportTable) -> String {
    switch self {
    case .ndjson: ""
    case .csv: table.columns.map(\.name).joined(separator: ",") + "\r\n"
    }
  }

  /// One row, with its line break.
  public func row(_ values: [ExportValue], of table: ExportTable) -> String {
    switch self {
    case .ndjson:
      let members = zip(table.columns, values).compactMap { column, value -> JSONTree.Member? in
        switch value {
        case .none: nil
        // Beyond what all readers of JSON keep, as text, as everywhere else.
        case .number(let number):
          .init(
            column.name, abs(number) <= 1 << 53 ? .number(number) : .text(String(number)))
        case .text(let text): .init(column.name, .text(text))
        }
      }
      return JSONTree.object(members).line + "\n"
    case .csv: return values.map(Self.cell).joined(separator: ",") + "\r\n"
    }
  }

  /// A cell: what a terminal would obey is escaped, and what a spreadsheet would take for a formula has a `'`
  /// before it.
  private static func cell(_ value: ExportValue) -> String {
    switch value {
    case .none: return ""
    case .number(let number): return String(number)
    case .text(let text):
      var cell = Shown.text(text)
      if let first = cell.first, "=+-@".contains(first) { cell = "'" + cell }
      guard cell.utf8.contains(where: { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }) else {
        return cell
      }
      return "\""
        + cell.split(separator: "\"", omittingEmptySubsequences: false)
        .joined(separator: "\"\"") + "\""
    }
  }
}

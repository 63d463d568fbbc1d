/// Rows under headings, columns as wide as their widest cell; no space at a line's end.
public struct TextTable {
  private let headings: [String]
  private let isRight: [Bool]
  private var rows: [[String]] = []

  init(_ headings: String...) { self.init(headings: headings) }

  /// Headings that begin with `>` align their column to the right.
  public init(headings: [String]) {
    self.headings = headings.map { $0.hasPrefix(">") ? String($0.dropFirst()) : $0 }
    isRight = headings.map { $0.hasPrefix(">") }
  }

  var isEmpty: Bool { rows.isEmpty }

  mutating func add(_ cells: String...) { add(cells) }

  /// Adds a row; missing cells are empty, surplus ones are dropped.
  public mutating func add(_ cells: [String]) {
    let padded = cells + Array(repeating: "", count: max(0, headings.count - cells.count))
    rows.append(Array(padded.prefix(headings.count)))
  }

  /// The table, each line after `indent` spaces and with a line break.
  public func rendered(indent: Int = 2) -> String {
    let all = [headings] + rows
    let widths = headings.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    var out = ""
    for row in all {
      var line = String(repeating: " ", count: indent)
      for (column, cell) in row.enumerated() {
        let pad = String(repeating: " ", count: widths[column] - cell.count)
        line += isRight[column] ? pad + cell : cell + pad
        if column + 1 < row.count { line += "  " }
      }
      while line.last == " " { line.removeLast() }
      out += line + "\n"
    }
    return out
  }
}

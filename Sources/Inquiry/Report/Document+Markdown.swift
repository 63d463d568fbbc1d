import Domain

extension Document {
  /// As Markdown; figures are told by their tables.
  var markdown: String {
    var out = "# \(Self.escaped(title))\n\n**\(Self.escaped(badge))** · \(Self.line(summary))\n\n"
    out += Self.markdown(facts)
    for block in blocks {
      switch block {
      case .heading(let text, _): out += "## \(Self.escaped(text))\n\n"
      case .subheading(let text): out += "### \(Self.escaped(text))\n\n"
      case .paragraph(let line): out += Self.line(line) + "\n\n"
      case .list(let lines):
        for line in lines { out += "- \(Self.line(line))\n" }
        out += "\n"
      case .facts(let facts): out += Self.markdown(facts)
      case .table(let table): out += Self.markdown(table)
      case .figure(let figure):
        out += "### \(Self.escaped(figure.title))\n\n\(Self.escaped(figure.description))\n\n"
        out += Self.markdown(figure.table)
      }
    }
    return out + "---\n\n" + Self.line(colophon) + "\n"
  }

  private static func markdown(_ facts: [Fact]) -> String {
    var out = "| | |\n|---|---|\n"
    for fact in facts { out += "| \(escaped(fact.name)) | \(line(fact.value)) |\n" }
    return out + "\n"
  }

  private static func markdown(_ table: Table) -> String {
    var out = ""
    if !table.caption.isEmpty { out += "\(escaped(table.caption)):\n\n" }
    out += "| " + table.columns.map { escaped($0.title) }.joined(separator: " | ") + " |\n"
    out += "|" + table.columns.map { $0.isNumber ? "---:" : "---" }.joined(separator: "|") + "|\n"
    for row in table.rows { out += "| " + row.map(line).joined(separator: " | ") + " |\n" }
    if !table.note.isEmpty { out += "\n\(escaped(table.note))\n" }
    return out + "\n"
  }

  private static func line(_ line: [Inline]) -> String {
    line.map { inline in
      switch inline {
      case .text(let text): escaped(text)
      case .place(let place): place.isEmpty ? "–" : "`\(code(place))`"
      case .code(let text): "`\(code(text))`"
      case .strong(let text): "**\(escaped(text))**"
      case .time(let time): rfc3339(time)
      case .slot(let text): "_\(escaped(text))_"
      }
    }.joined()
  }

  /// What Markdown or HTML would take for more than text is escaped.
  static func escaped(_ text: String) -> String {
    var out = ""
    for character in Shown.text(text) {
      switch character {
      case "\\", "`", "*", "_", "[", "]", "|", "#", "~": out += "\\\(character)"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "&": out += "&amp;"
      default: out.append(character)
      }
    }
    return out
  }

  /// Within a code span of a table nothing can be escaped: its end and a cell's end are replaced.
  private static func code(_ text: String) -> String {
    Shown.text(text).map { $0 == "`" ? "ˋ" : $0 == "|" ? "¦" : String($0) }.joined()
  }
}

import Domain

/// Writing HTML.
enum Page {
  /// With everything escaped that HTML would take for more than text, also within attributes.
  static func escaped(_ text: String) -> String {
    var out = ""
    for character in Shown.text(text) {
      switch character {
      case "&": out += "&amp;"
      case "<": out += "&lt;"
      case ">": out += "&gt;"
      case "\"": out += "&quot;"
      case "'": out += "&#39;"
      default: out.append(character)
      }
    }
    return out
  }
}

extension IncidentReport {
  /// What the page says that it may load, and so all that it needs: its own style.
  public static let pagePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
}

extension Document {
  /// As a page of its own, valid without scripts; nothing is loaded from anywhere.
  var html: String {
    let writer = PageWriter(self)
    let contents = blocks.compactMap { block -> String? in
      guard case .heading(let text, let id) = block else { return nil }
      return "<li><a href=\"#\(id)\">\(Page.escaped(text))</a></li>"
    }.joined()
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      <meta http-equiv="Content-Security-Policy" content="\(IncidentReport.pagePolicy)">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="color-scheme" content="light dark">
      <meta name="referrer" content="no-referrer">
      <link rel="icon" href="data:,">
      <title>\(Page.escaped(title))</title>
      <style>
      \(Self.style)</style>
      </head>
      <body>
      <header class="\(badgeKind)">
      <p class="kicker">Incident report <span>draft, from the register</span></p>
      <h1>\(Self.heading(title))</h1>
      <p class="lead"><strong class="badge">\(Page.escaped(badge))</strong> \(writer.line(summary))</p>
      \(facts.isEmpty ? "" : writer.facts(facts, isFull: true))</header>
      <div class="frame">
      \(contents.isEmpty ? "" : "<nav aria-label=\"Contents\"><ol>\(contents)</ol></nav>\n")<main>
      \(writer.body)</main>
      </div>
      <footer><p>\(writer.line(colophon))</p></footer>
      </body>
      </html>

      """
  }

  /// With the day it begins with set apart.
  private static func heading(_ title: String) -> String {
    let day = title.prefix(10)
    guard title.count > 11, day.utf8.allSatisfy({ (0x30...0x39).contains($0) || $0 == 0x2D }) else {
      return Page.escaped(title)
    }
    return "<time datetime=\"\(day)\">\(day)</time> " + Page.escaped(String(title.dropFirst(11)))
  }
}

/// Writes the blocks of a document as HTML.
private struct PageWriter {
  private let document: Document
  /// Positions that the timeline has a row of: citations lead there.
  private let told: Set<String>
  /// The day that all times are of; nil: there are several.
  private let day: String?

  init(_ document: Document) {
    self.document = document
    var (told, days) = (Set<String>(), Set<String>())
    for case .table(let table) in document.blocks where !table.kinds.isEmpty {
      for row in table.rows {
        for cell in row {
          if case .place(let place)? = cell.first { told.insert(place) }
          if case .time(let time)? = cell.first { days.insert(String(rfc3339(time).prefix(10))) }
        }
      }
    }
    self.told = told
    day = days.count == 1 ? days.first : nil
  }

  var body: String {
    var (out, isOpen, seen) = ("", false, Set<String>())
    for block in document.blocks {
      switch block {
      case .heading(let text, let id):
        if isOpen { out += "</section>\n" }
        isOpen = true
        out += "<section aria-labelledby=\"\(id)\">\n<h2 id=\"\(id)\">\(Page.escaped(text))</h2>\n"
      case .subheading(let text): out += "<h3>\(Page.escaped(text))</h3>\n"
      case .paragraph(let text):
        let isSlot =
          text.count == 1 && text.allSatisfy { if case .slot = $0 { true } else { false } }
        out += "<p\(isSlot ? " class=\"fill\"" : "")>\(line(text))</p>\n"
      case .list(let lines):
        out += "<ul>\n" + lines.map { "<li>\(line($0))</li>\n" }.joined() + "</ul>\n"
      case .facts(let list): out += facts(list, isFull: false)
      case .table(let it): out += table(it, &seen)
      case .figure(let it): out += figure(it, &seen)
      }
    }
    return out + (isOpen ? "</section>\n" : "")
  }

  func facts(_ facts: [Document.Fact], isFull: Bool) -> String {
    "<dl>\n"
      + facts.map {
        "<div><dt>\(Page.escaped($0.name))</dt><dd>\(line($0.value, isFull: isFull))</dd></div>\n"
      }.joined() + "</dl>\n"
  }

  private func figure(_ it: Document.Figure, _ seen: inout Set<String>) -> String {
    let legend = it.legend.map {
      "<li><i class=\"key \($0.mark)\" aria-hidden=\"true\"></i>\(Page.escaped($0.text))</li>"
    }.joined()
    return """
      <figure>
      <figcaption><h3>\(Page.escaped(it.title))</h3><p>\(Page.escaped(it.description))</p></figcaption>
      <ul class="legend">\(legend)</ul>
      \(it.drawing)
      <details><summary>The same as a table</summary>
      \(table(it.table, &seen))</details>
      </figure>

      """
  }

  private func table(_ it: Document.Table, _ seen: inout Set<String>) -> String {
    guard !it.rows.isEmpty else {
      return it.note.isEmpty && it.caption.isEmpty
        ? ""
        : "<p class=\"note\">\(Page.escaped(it.note.isEmpty ? "\(it.caption): none." : it.note))</p>\n"
    }
    // Many columns become one below the other where there is no room for them side by side.
    let isStacked =
      it.isStacked || it.columns.count > 4
      || it.columns.contains(where: \.isWide) && it.columns.count > 3
        && !it.columns.contains(where: \.isNumber)
    let isTimeline = !it.kinds.isEmpty
    var out =
      "<table class=\"\(isTimeline ? "timeline " : "")\(isStacked || isTimeline ? "stack" : "plain")\" role=\"table\">\n"
    if !it.caption.isEmpty { out += "<caption>\(Page.escaped(it.caption))</caption>\n" }
    out += "<thead role=\"rowgroup\"><tr role=\"row\">"
    for column in it.columns {
      out +=
        "<th role=\"columnheader\" scope=\"col\"\(mark(column))>\(Page.escaped(column.title))</th>"
    }
    out += "</tr></thead>\n<tbody role=\"rowgroup\">\n"
    for (at, row) in it.rows.enumerated() {
      var attributes = " role=\"row\""
      if isTimeline {
        attributes += " class=\"\(it.kinds[at])\""
        for cell in row {
          if case .place(let place)? = cell.first, !place.isEmpty, seen.insert(place).inserted {
            attributes += " id=\"\(Self.anchor(place))\""
          }
        }
      }
      out += "<tr\(attributes)>"
      for (column, cell) in zip(it.columns, row) {
        out +=
          "<td role=\"cell\"\(mark(column)) data-label=\"\(Page.escaped(column.title))\">\(line(cell, isRow: isTimeline))</td>"
      }
      out += "</tr>\n"
    }
    out += "</tbody>\n</table>\n"
    if !it.note.isEmpty { out += "<p class=\"note\">\(Page.escaped(it.note))</p>\n" }
    return out
  }

  private func mark(_ column: Document.Column) -> String {
    column.isNumber ? " class=\"number\"" : column.isWide ? " class=\"wide\"" : ""
  }

  private static func anchor(_ place: String) -> String {
    "p" + place.map { $0.isNumber ? String($0) : "-" }.joined()
  }

  func line(_ line: [Document.Inline], isFull: Bool = false, isRow: Bool = false) -> String {
    line.map { inline in
      switch inline {
      case .text(let text): return Page.escaped(text)
      case .strong(let text): return "<strong>\(Page.escaped(text))</strong>"
      case .code(let text): return "<code>\(Page.escaped(text))</code>"
      case .slot(let text): return "<span class=\"slot\">\(Page.escaped(text))</span>"
      case .place(let place):
        if place.isEmpty { return "–" }
        let text = Page.escaped(place)
        return told.contains(place) && !isRow
          ? "<a class=\"place\" href=\"#\(Self.anchor(place))\">\(text)</a>"
          : "<span class=\"place\">\(text)</span>"
      case .time(let time): return self.time(time, isFull: isFull)
      }
    }.joined()
  }

  private func time(_ time: UnixNanoseconds, isFull: Bool) -> String {
    let text = rfc3339(time)
    var clock = String(text.dropFirst(11).dropLast())
    if clock.hasSuffix(".000") { clock.removeLast(4) }
    let date = text.prefix(10)
    let shown =
      isFull ? "\(date) \(clock)\u{A0}UTC" : String(date) == day ? clock : "\(date) \(clock)"
    return "<time datetime=\"\(text)\">\(shown)</time>"
  }
}

import Surface

import enum Inquiry.Shown
import struct Inquiry.TextTable

/// Answers of the API as people read them; nothing in them can move a terminal's cursor.
enum AnswerText {
  /// A row for each element.
  static func table(_ elements: [JSONValue], _ columns: [Column]) -> String {
    var table = TextTable(headings: columns.map(\.heading))
    for element in elements { table.add(columns.map { cell(element[$0.member]) }) }
    return table.rendered(indent: 0)
  }

  /// A line for each field.
  static func fields(_ value: JSONValue) -> String {
    let members = value.members ?? []
    let width = members.map(\.name.count).max() ?? 0
    return members.map { member in
      let name = Shown.text(member.name)
      let pad = String(repeating: " ", count: max(0, width - name.count) + 2)
      return "\(name)\(pad)\(cell(member.value))\n"
    }.joined()
  }

  /// A value on one line; `-` for what is not there.
  static func cell(_ value: JSONValue?) -> String {
    switch value {
    case nil, .null?: "-"
    case .bool(let truth)?: truth ? "yes" : "no"
    case .number(let text)?: text
    case .string(let text)?: text.isEmpty ? "-" : Shown.text(text)
    case .array(let elements)?:
      elements.isEmpty ? "-" : elements.map { cell($0) }.joined(separator: ", ")
    case .object(let members)?:
      members.isEmpty
        ? "-"
        : members.filter { !$0.value.isNull }
          .map { "\(Shown.text($0.name))=\(cell($0.value))" }.joined(separator: " ")
    }
  }
}

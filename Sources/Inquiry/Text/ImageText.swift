import Domain

extension Image.Value {
  /// On one line: `false`, `3`, `mock/big`, `[a, b]`, `{account: a1, weight: 3}`; nothing is `–`.
  var shown: String {
    switch self {
    case .none: "–"
    case .flag(let flag): String(flag)
    case .number(let number): String(number)
    case .text(let text): text.isEmpty ? "\"\"" : Shown.text(text)
    case .time(let time): rfc3339(time)
    case .list(let list): "[" + list.map(\.shown).joined(separator: ", ") + "]"
    case .record(let members):
      "{" + members.map { "\(Shown.text($0.name)): \($0.value.shown)" }.joined(separator: ", ")
        + "}"
    }
  }

  /// As answers of the administration show it.
  var json: JSONTree {
    switch self {
    case .none: .null
    case .flag(let flag): .bool(flag)
    case .number(let number): .count(number)
    case .text(let text): .text(text)
    case .time(let time): .text(rfc3339(time))
    case .list(let list): .array(list.map(\.json))
    case .record(let members): .object(members.map { .init($0.name, $0.value.json) })
    }
  }
}

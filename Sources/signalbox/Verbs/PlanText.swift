import Surface

import enum Inquiry.Shown

/// What would change, and what that would do, as operators read it.
enum PlanText {
  /// A file that was applied, or a plan of it.
  static func applied(_ answer: JSONValue) -> String {
    var lines = changes(answer["changes"])
    for text in answer["credentials"]?.array ?? [] { lines.append("~ \(shown(text))") }
    lines += kept(answer["kept"])
    for row in answer["rows"]?.array ?? []
    where row["kind"] == "unchanged" && row["text"]?.string?.hasSuffix(": unchanged") == false {
      lines.append("= \(shown(row["text"]))")
    }
    for row in answer["unmanaged"]?.array ?? [] { lines.append("? \(shown(row["text"]))") }
    lines += effect(answer["effect"])
    let rows = answer["changes"]?.array ?? []
    let credentials = answer["credentials"]?.array?.count ?? 0
    let counts = [("added", "added"), ("changed", "changed"), ("removed", "removed")].map { kind in
      let more = kind.0 == "changed" ? credentials : 0
      return "\(rows.count { $0["change"]?.string == kind.0 } + more) \(kind.1)"
    }
    let end =
      answer["plan"]?.bool == true
      ? "planned at revision \(answer["revision"]?.uint ?? 0), nothing written"
      : "\(answer["events"]?.int ?? 0) events written"
    let left = answer["kept"]?.array?.count ?? 0
    let note = left == 0 ? "" : ", \(left) left as edited elsewhere"
    return (lines + ["\(counts.joined(separator: ", "))\(note); \(end)"]).joined(separator: "\n")
  }

  /// Going back, or a plan of it.
  static func wayBack(_ answer: JSONValue) -> String {
    var lines = ["back to \(shown(answer["at"])) of \(shown(answer["time"]))"]
    lines += changes(answer["changes"])
    for caveat in answer["caveats"]?.array ?? [] {
      lines.append(
        "! \(shown(caveat["stream"])): \(shown(caveat["message"])). \(shown(caveat["remedy"]))")
    }
    if answer["changes"]?.array?.isEmpty ?? true { lines.append("it is so already") }
    lines += effect(answer["effect"])
    if answer["plan"]?.bool == true {
      lines.append("planned, nothing written")
    } else {
      let place = answer["position"]?.string.map { ", through \($0)" } ?? ""
      lines.append("\(answer["events"]?.int ?? 0) events written\(place)")
    }
    return lines.joined(separator: "\n")
  }

  /// A line for each resource, and one for each of its fields, with who set what was before.
  static func changes(_ rows: JSONValue?) -> [String] {
    (rows?.array ?? []).flatMap { row -> [String] in
      let change = row["change"]?.string ?? ""
      let mark = ["added": "+", "removed": "-"][change] ?? "~"
      let by = row["removedBy"].map { writer($0, "it was removed") } ?? ""
      let fields = (row["fields"]?.array ?? []).compactMap { field -> String? in
        let name = shown(field["field"])
        switch change {
        case "added":
          return isUsual(field["after"]) ? nil : "    \(name): \(value(field["after"]))"
        case "removed":
          return isUsual(field["before"]) ? nil : "    \(name): \(value(field["before"]))"
        default:
          let by = field["setBy"].map { writer($0, "set") } ?? ""
          return "    \(name): \(value(field["before"])) → \(value(field["after"]))\(by)"
        }
      }
      return ["\(mark) \(shown(row["title"]))\(by)"] + fields
    }
  }

  /// What was edited elsewhere and is left.
  static func kept(_ rows: JSONValue?) -> [String] {
    (rows?.array ?? []).map { row in
      let field = row["field"]?.string.map { " \(Shown.text($0))" } ?? ""
      let values =
        row["field"]?.string == nil
        ? "left as it is" : "left at \(value(row["log"])), the file says \(value(row["file"]))"
      let by = row["setBy"].map { writer($0, "edited elsewhere") } ?? ""
      return "! \(shown(row["title"]))\(field): \(values)\(by)"
    }
  }

  /// Which requests would go elsewhere.
  static func effect(_ effect: JSONValue?) -> [String] {
    guard let effect, !effect.isNull else { return [] }
    let looked = effect["looked"]?.int ?? 0
    if looked == 0, effect["complete"]?.bool == true, effect["notRouted"] == 0 { return [] }
    let changed = effect["changed"]?.int ?? 0
    var lines = [
      "of \(looked) requests of the last 24 h, decided anew, \(changed) would go elsewhere"
    ]
    if effect["complete"]?.bool == false {
      lines.append(
        "  only the newest were looked at, back to \(shown(effect["scannedTo"])): time was over")
    }
    for group in effect["groups"]?.array ?? [] {
      let examples = (group["examples"]?.array ?? []).map { shown($0) }.joined(separator: ", ")
      lines.append(
        "  \(group["requests"]?.int ?? 0) × \(shown(group["model"])): \(place(group["from"])) → "
          + "\(place(group["to"])), for example \(examples)")
    }
    if let others = effect["others"]?.int, others > 0 { lines.append("  \(others) × others") }
    if let count = effect["notRouted"]?.int, count > 0 {
      lines.append("  \(count) more were refused before any routing")
    }
    if let gaps = effect["gaps"]?.int, gaps > 0 {
      lines.append("  \(gaps) parts of the log are missing or cannot be read")
    }
    for limit in changed > 0 ? effect["limits"]?.array ?? [] : [] {
      lines.append("  not known: \(shown(limit))")
    }
    return lines
  }

  /// ` (set by admin via api, 2026-…, 1:23)`.
  static func writer(_ writer: JSONValue, _ did: String) -> String {
    guard !writer.isNull else { return "" }
    return " (\(did) by \(shown(writer["actor"])) via \(shown(writer["source"])), "
      + "\(shown(writer["time"])), \(shown(writer["at"])))"
  }

  /// What a new thing has when nobody says otherwise, and what need not be told of an old one.
  private static func isUsual(_ value: JSONValue?) -> Bool {
    switch value {
    case nil, .null?, .array([])?: true
    case .object(let members)?: members.allSatisfy { $0.value == 0 || isUsual($0.value) }
    case .bool?, .number?, .string?, .array?: false
    }
  }

  private static func place(_ outcome: JSONValue?) -> String {
    if let why = outcome?["refused"]?.string { return "refused (\(Shown.text(why)))" }
    return "\(shown(outcome?["name"])) \(shown(outcome?["model"]))"
  }

  static func value(_ value: JSONValue?) -> String { AnswerText.cell(value) }

  static func shown(_ value: JSONValue?) -> String { AnswerText.cell(value) }
}

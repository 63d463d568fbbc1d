import ArgumentParser
import Surface

/// `signalbox history`: who set what, when and from where.
struct HistoryCommand: AdminVerb {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Show who set what in a stream, when and from where, newest first.",
    discussion: """
      Examples:
        signalbox history alias/fast
        signalbox history account/mock-a1 --json
        signalbox history settings
      """)

  @Argument(help: "The stream: alias/NAME, provider/ID, account/ID, key/ID, settings…")
  var stream: String

  @OptionGroup var options: VerbOptions

  func request() -> ControlRequest {
    ControlRequest(.get, "/api/history/\(percentEncoded(stream))")
  }

  func text(_ answer: JSONValue) -> String {
    var lines: [String] = []
    for step in answer["steps"]?.array ?? [] {
      func cell(_ name: String) -> String { AnswerText.cell(step[name]) }
      let address = step["address"]?.string.map { _ in " from \(cell("address"))" } ?? ""
      let base = step["base"]?.isNull == false ? ", based on revision \(cell("base"))" : ""
      lines.append(
        "revision \(cell("revision"))  \(cell("at"))  \(cell("time"))  \(cell("kind"))  "
          + "by \(cell("actor")) via \(cell("source"))\(address)\(base)")
      if step["cause"]?.isNull == false { lines.append("    going back to event \(cell("cause"))") }
      for change in step["changes"]?.array ?? [] {
        lines.append(
          "    \(AnswerText.cell(change["field"])): \(AnswerText.cell(change["before"])) → "
            + AnswerText.cell(change["after"]))
      }
    }
    if let missing = answer["missing"]?.int, missing > 0 {
      lines.append("\(missing) revisions cannot be read any more")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

import ArgumentParser
import Domain
import Inquiry

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Drafts the postmortem of the worst incident in a range.",
    discussion: """
      Says by the log alone what the ladder of severities says, when it began and
      ended, who noticed what, what changed, what may have contributed and what was
      not recorded; every line cites positions. What only people know is left as
      marked slots. The same log and range give the same bytes. A failure, of a
      request or of a call, is what neither the caller nor the request was at fault
      for, as in `replay window`.

      A file that ends with .html becomes a page of its own with charts, without
      network or script; .md becomes Markdown, as on standard output.

      The promises are those of deploy/slos.yaml unless options say otherwise.

      EXAMPLES
        replay report -o incident.html
        replay report --from -6h -o incident.md
        replay report --from 2026-11-20T13:00:00Z --to 2026-11-20T15:00:00Z --json
        replay report --from -1d --availability 99.9 --first-byte 2s -o incident.html
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where to write it: a name that ends with .html or .md.", valueName: "file"))
  var output: String?

  @Option(
    help: ArgumentHelp(
      "Percentage of requests that are promised to be served.", valueName: "percent"))
  var availability = "99.5"

  @Option(
    help: ArgumentHelp(
      "Within how long the first byte is promised to come.", valueName: "time"))
  var firstByte = "3s"

  @Option(
    help: ArgumentHelp(
      "Percentage of requests whose first byte is promised to come in time.", valueName: "percent"))
  var inTime = "95"

  func validate() throws {
    guard let output else { return }
    guard output.hasSuffix(".html") || output.hasSuffix(".md") else {
      throw ValidationError("--output \(Shown.text(output)): the name must end with .html or .md.")
    }
    guard !options.json else {
      throw ValidationError("--json writes to standard output: leave out --output.")
    }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    let objectives = Objectives(
      servedPerMillion: try Objectives.perMillion(availability, "availability"),
      inTimePerMillion: try Objectives.perMillion(inTime, "in-time"),
      firstByteMicroseconds: UInt64(try Replay.length(firstByte, "first-byte")) / 1_000)
    let log = try options.open()
    try range.note(in: log)
    let report = try Replay.report(
      log, ReportQuery(from: from, to: to, objectives: objectives), now: LogOptions.now(),
      progress: LogOptions.progress(of: log))
    guard let output else { return try options.answer(report) }
    try OutputFile.write(output.hasSuffix(".html") ? report.html : report.text, to: output)
    Terminal.output("\(report.headline)\nwritten to \(Shown.text(output))\n")
    guard report.exitCode == .same else { throw ArgumentParser.ExitCode(report.exitCode.rawValue) }
  }
}

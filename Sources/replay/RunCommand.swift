import ArgumentParser
import Inquiry

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Compares another build's decisions with this one's over recorded requests.",
    discussion: """
      Starts the other `replay` over the same log and range (`replay decisions`), lets
      both decide every recorded attempt anew, and lists what differs: how many from
      where to where, and the first in full. Nothing is sent anywhere. Ends with 1 if
      anything differs.

      EXAMPLES
        replay run --against ./next/replay --from -1d
        replay run --against ./next/replay --from 2026-11-20T13:55:00Z --json
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(help: ArgumentHelp("The other build's `replay`.", valueName: "program"))
  var against: String

  func run() throws {
    let (from, to) = try range.selectors()
    let log = try options.open()
    guard let range = try Replay.range(log, from: from, to: to, now: LogOptions.now()) else {
      throw InquiryFault(.notFound, "There is nothing in this range.")
    }
    let other = try OtherBuild(
      against,
      [
        "decisions", "--log", options.directory, "--from", "\(range.lowerBound)", "--to",
        "\(range.upperBound)",
      ])
    let report: RunReport
    do {
      report = try Replay.run(
        log, range, against: against, progress: LogOptions.progress(of: log)
      ) { () throws(InquiryFault) in try other.line() }
    } catch {
      other.end()
      throw error
    }
    other.end()
    try options.answer(report)
  }
}

struct DecisionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decisions",
    abstract: "Decides recorded requests anew and prints each decision as a line of JSON.",
    discussion: """
      What `replay run` compares two builds by. A head (`replay`, `version`, `store`,
      `first`, `last`), a line for each attempt (`at`, `attempt`, `request`, `model`,
      `outcome`), then how many there were (`decisions`). An outcome is
      "ACCOUNT PROVIDER/MODEL by RULE", "refused CODE" or "unknown: WHY".

      EXAMPLES
        replay decisions --from -5m
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  func run() throws {
    let (from, to) = try range.selectors()
    let log = try options.open()
    var stream = try RowStream(path: nil)
    let code = try Replay.decisions(
      log, from: from, to: to, now: LogOptions.now(), progress: LogOptions.progress(of: log)
    ) { (text) throws(InquiryFault) in try stream.write(text) }
    try stream.finish()
    guard code == .same else { throw ArgumentParser.ExitCode(code.rawValue) }
  }
}

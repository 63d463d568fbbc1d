import ArgumentParser
import EventStore
import Inquiry

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Compares another build's decisions, or writes a window's load to be sent again.",
    discussion: """
      --against starts the other `replay` over the same log and range (`replay decisions`), lets
      both decide every recorded attempt anew, and lists what differs: how many from
      where to where, and the first in full. Nothing is sent anywhere. Ends with 3 if
      one of the two finds the range damaged, else with 1 if anything differs.

      --plan writes when the range's requests came, for which organisation and key, of
      what shape, and which account answered them how and after how long, as lines of
      JSON for `simulator drive` (docs/replay.md names the members). No secret, prompt,
      answer or address is in it, and no file is written over; - is standard output.

      EXAMPLES
        replay run --plan load.plan --from -1h
        replay run --against ./next/replay --from -1d
        replay run --against ./next/replay --from 2026-11-20T13:55:00Z --json
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(help: ArgumentHelp("The other build's `replay`.", valueName: "program"))
  var against: String?

  @Option(
    help: ArgumentHelp("The new file of a plan.", valueName: "file"), completion: .file())
  var plan: String?

  func validate() throws {
    guard (against == nil) != (plan == nil) else {
      throw ValidationError("run takes --against PROGRAM or --plan FILE, one of the two")
    }
    if plan == "-", options.json {
      throw ValidationError("--plan -: standard output is the plan's; name a file beside --json")
    }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    let log = try options.open()
    try range.note(in: log)
    guard let range = try Replay.range(log, from: from, to: to, now: LogOptions.now()) else {
      throw InquiryFault(.notFound, "There is nothing in this range.")
    }
    if let plan { return try write(plan, of: log, range) }
    if let against { try compare(against, log, range) }
  }

  private func write(_ path: String, of log: LogReader, _ range: ClosedRange<Position>) throws {
    var stream = try RowStream(path: path == "-" ? nil : path)
    let summary: PlanSummary
    do {
      summary = try Replay.plan(log, range, progress: LogOptions.progress(of: log)) {
        (line) throws(InquiryFault) in try stream.write(line)
      }
      try stream.finish()
    } catch {
      stream.abandon()
      throw error
    }
    guard path == "-" else { return try options.answer(summary) }
    Terminal.error(summary.text)
    guard summary.exitCode == .same else {
      throw ArgumentParser.ExitCode(summary.exitCode.rawValue)
    }
  }

  private func compare(
    _ against: String, _ log: LogReader, _ range: ClosedRange<Position>
  ) throws {
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
      ) { () throws(InquiryFault) in
        try other.line()
      } exit: {
        other.end()
      }
    } catch {
      other.end()
      throw error
    }
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
    try range.note(in: log)
    var stream = try RowStream(path: nil)
    let code = try Replay.decisions(
      log, from: from, to: to, now: LogOptions.now(), progress: LogOptions.progress(of: log)
    ) { (text) throws(InquiryFault) in try stream.write(text) }
    try stream.finish()
    guard code == .same else { throw ArgumentParser.ExitCode(code.rawValue) }
  }
}

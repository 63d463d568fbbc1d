public import ArgumentParser
import Inquiry

struct StateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state",
    abstract: "Shows all that was known at a moment, or what differs between two.",
    discussion: """
      With --diff it ends with 1 if anything differs between the two moments.

      EXAMPLES
        replay state                                 now, as far as the log tells
        replay state --at -1d
        replay state --at request:<id> --part accounts    with their health
        replay state --part usage                    what was spent of which budget
        replay state --at 2:57 --json
        replay state --at -1d --diff -5m             what changed in between, and who did it
      """)

  @OptionGroup var options: LogOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The moment, inclusive; default: the log's end.", valueName: "selector"))
  var at: String?

  @Option(
    help: "Only one part: \(StateReport.Part.allCases.map(\.rawValue).joined(separator: ", ")).")
  var part: StateReport.Part?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Another moment: only what differs there, with the event that made each difference.",
      valueName: "selector"))
  var diff: String?

  func validate() throws {
    guard part == nil || diff == nil else {
      throw ValidationError("--part: not together with --diff, which shows all that differs")
    }
  }

  func run() throws {
    let (selector, other) = (try at.map { try Selector($0) }, try diff.map { try Selector($0) })
    let log = try options.open()
    if let other {
      return try options.answer(
        Replay.difference(
          log, from: selector, to: other, now: LogOptions.now(),
          progress: LogOptions.progress(of: log)))
    }
    try options.answer(
      Replay.state(
        log, at: selector, part: part, now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

extension StateReport.Part: ExpressibleByArgument {}

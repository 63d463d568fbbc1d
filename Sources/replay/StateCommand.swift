public import ArgumentParser
import Inquiry

struct StateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "state",
    abstract: "Shows the configuration as it was at a moment, and who changed it last.",
    discussion: """
      EXAMPLES
        replay state                                 now, as far as the log tells
        replay state --at -1d
        replay state --at request:<id> --part accounts
        replay state --at 2:57 --json
      """)

  @OptionGroup var options: LogOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The moment, inclusive; default: the log's end.", valueName: "selector"))
  var at: String?

  @Option(
    help: "Only one part: \(StateReport.Part.allCases.map(\.rawValue).joined(separator: ", ")).")
  var part: StateReport.Part?

  func run() throws {
    let selector = try at.map { try Selector($0) }
    let log = try options.open()
    try options.answer(
      Replay.state(
        log, at: selector, part: part, now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

extension StateReport.Part: ExpressibleByArgument {}

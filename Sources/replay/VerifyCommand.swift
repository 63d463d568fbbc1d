import ArgumentParser
import Inquiry

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Checks that the log is whole, and that its decisions can be made again.",
    discussion: """
      Two verdicts. Integrity: every byte of the range, checksums, density of
      positions and revisions, epochs, and the chain of hashes. Decisions: every
      routing decision recorded in the range is made again and compared.

      An intact chain that nobody anchored elsewhere cannot show that the whole log
      was rewritten, or that events were cut off its end: keep a position and its
      chain value somewhere else.

      EXAMPLES
        replay verify
        replay verify --from -1d --json
      """)

  @OptionGroup var options: LogOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Where to begin; default: the log's beginning.", valueName: "selector"))
  var from: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Where to end, inclusive; default: the log's end.", valueName: "selector"))
  var to: String?

  func run() throws {
    let (first, last) = (try from.map { try Selector($0) }, try to.map { try Selector($0) })
    let log = try options.open()
    try options.answer(
      Replay.verify(
        log, from: first, to: last, now: LogOptions.now(), progress: LogOptions.progress(of: log)))
  }
}

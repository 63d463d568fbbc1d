import ArgumentParser
import Inquiry

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Prints a signed checkpoint of the log, to be kept elsewhere.",
    discussion: """
      A few lines of text that say what the log was through a position. Kept where
      whoever can write the log cannot (another machine, a git repository, a mail),
      it is an anchor: `replay verify --anchor` tells whether the log is still the
      one that it was made of. It holds hashes only, no content.

      EXAMPLES
        replay checkpoint > checkpoint-$(date +%F).note
        replay checkpoint --at request:my-own-id
        replay verify --anchor checkpoint-2026-11-20.note
      """)

  @OptionGroup var options: LogOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The oldest checkpoint that covers this moment; default: the newest one.",
      valueName: "selector"))
  var at: String?

  func run() throws {
    let selector = try at.map { try Selector($0) }
    let log = try options.open()
    try options.answer(Replay.checkpoint(log, at: selector, now: LogOptions.now()))
  }
}

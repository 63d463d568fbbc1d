import ArgumentParser
import Inquiry

struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain",
    abstract: "Tells why a request went where it went, and what would have changed that.",
    discussion: """
      Each decision is made again by the gateway's own code on the configuration
      of then: every account that could have served, what stood against it, the
      event that put it in that state, and the commands that would have sent the
      request there (the fewest are marked). Ends with 1 if a decision comes out
      otherwise than recorded, with 4 if one cannot be made again, as of a request
      that no account was asked for, or whose end is not in the log.

      EXAMPLES
        replay explain 01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e    an answer's x-request-id
        replay explain request:my-own-id --json
      """)

  @OptionGroup var options: LogOptions

  @Argument(
    help: ArgumentHelp("A request's id, or the position of one of its events.", valueName: "id"))
  var target: String

  func run() throws {
    let log = try options.open()
    try options.answer(Replay.explain(log, target, progress: LogOptions.progress(of: log)))
  }
}

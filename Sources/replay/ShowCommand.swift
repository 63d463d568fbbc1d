import ArgumentParser
import Inquiry

struct ShowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show",
    abstract: "Tells the whole story of one request, or every field of one event.",
    discussion: """
      For a request: its events, its attempts with timings, and for each attempt
      the routing decision made again from the log by the gateway's own code, every
      candidate with the reason why it was or was not chosen, and the configuration
      events that were in force.

      An id that a client used more than once shows the newest request and names
      the others. Sealed parts (secrets) are never opened. Ends with 1 if a decision
      comes out otherwise than recorded, with 4 if one cannot be made again.

      EXAMPLES
        replay show 01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e    an answer's x-request-id
        replay show request:my-own-id                       the client's own id
        replay show 2:4711                                  an event, by its place
        replay show event:01932d5e-7c4b-7a01-8f6e-5d2c1b0a9f8e --json
      """)

  @OptionGroup var options: LogOptions

  @Argument(help: ArgumentHelp("A request id, an event id, or a position.", valueName: "id"))
  var target: String

  func run() throws {
    let log = try options.open()
    try options.answer(Replay.show(log, target, progress: LogOptions.progress(of: log)))
  }
}

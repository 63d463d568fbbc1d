import ArgumentParser
import Inquiry

struct BlameCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "blame",
    abstract: "Tells who set a value, when, from where, and instead of what.",
    discussion: """
      A stream is what one resource is about: alias/fast, account/mock-a1,
      credential/mock-a1, health/mock-a1, provider/mock, key/<id>, combo/smart,
      policy/acme/gpt-4o, organisation/acme, model/mock/gpt-4o, pricing, settings.

      EXAMPLES
        replay blame alias/fast
        replay blame account/mock-a1.priority
        replay blame settings --at -1d
      """)

  @OptionGroup var options: LogOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The moment, inclusive; default: the log's end.", valueName: "selector"))
  var at: String?

  @Argument(help: ArgumentHelp("A stream, or a field of one.", valueName: "stream[.field]"))
  var target: String

  func run() throws {
    let selector = try at.map { try Selector($0) }
    let log = try options.open()
    try options.answer(Replay.blame(log, target, at: selector, now: LogOptions.now()))
  }
}

struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history",
    abstract: "Lists the events of one stream, newest first, with what each changed.",
    discussion: """
      EXAMPLES
        replay history alias/fast
        replay history account/mock-a1 --limit 5 --json
      """)

  @OptionGroup var options: LogOptions

  @Option(parsing: .unconditional, help: "How many events, from 1 to 1000.") var limit = 50

  @Option(help: ArgumentHelp("Only revisions below this one.", valueName: "revision"))
  var before: UInt64?

  @Argument(help: "The stream, as `replay blame --help` lists them.") var stream: String

  func validate() throws {
    guard (1...1_000).contains(limit) else {
      throw ValidationError("limit: \(limit) is not from 1 to 1000; page on with --before")
    }
  }

  func run() throws {
    let log = try options.open()
    try options.answer(Replay.history(log, of: stream, before: before, limit: limit))
  }
}

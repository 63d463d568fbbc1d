import ArgumentParser
import Inquiry

struct WindowCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "window",
    abstract: "Shows what happened in a range: figures first, then every event in order.",
    discussion: """
      The figures are exact and cover every event that the filters match; the
      timeline shows the first --limit of them. A damaged part is printed where it
      lies, and the exit code is 3.

      EXAMPLES
        replay window                          the whole log
        replay window --from -15m              the last quarter of an hour
        replay window --from request:<id> --to 2:4711
        replay window --kind alias             edits of aliases only
        replay window --account mock/a1 --status 429 --json
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(help: "Only this kind of event, or its beginning: request, request.finished, alias.")
  var kind: String?

  @Option(help: "Only this account: its id, its name, or provider/name.")
  var account: String?

  @Option(help: "Only this key: its id or name.")
  var key: String?

  @Option(help: "Only this model: as asked, as sent upstream, or an alias's name.")
  var model: String?

  @Option(help: "Only this provider, by id.")
  var provider: String?

  @Option(help: "Only requests answered so: 429, 5xx.")
  var status: String?

  @Option(help: "Events in the timeline; 0 shows all.")
  var limit = 1_000

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit must not be negative.") }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    let query = WindowQuery(
      from: from, to: to,
      filter: WindowFilter(
        kind: kind, account: account, key: key, model: model, provider: provider,
        status: try status.map { try WindowFilter.StatusRange($0) }),
      limit: limit, isDetailed: options.json)
    let log = try options.open()
    let progress = LogOptions.progress(of: log)
    try options.answer(Replay.window(log, query, now: LogOptions.now(), progress: progress))
  }
}

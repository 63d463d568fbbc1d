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

      With --interval requests are counted by interval, the figures that jumped come
      first, and edits, cooldowns and gaps stand between the intervals. A failure, of a
      request or of a call, is what neither the caller nor the request itself was at
      fault for.

      EXAMPLES
        replay window                          the whole log
        replay window --from -15m              the last quarter of an hour
        replay window --from request:<id> --to 2:4711
        replay window --kind alias             edits of aliases only
        replay window --account mock/a1 --status 429 --json
        replay window --from -1h --interval 1m   counted by the minute, jumps first
        replay window --from -1h --baseline 7d --top 5
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @OptionGroup var filters: FilterOptions

  @Option(parsing: .unconditional, help: "Events in the timeline; 0 shows all.")
  var limit = 1_000

  @Option(
    help: ArgumentHelp(
      "Counts requests by intervals of this length: 1m, 15s.", valueName: "time"))
  var interval: String?

  @Option(
    help: ArgumentHelp(
      "Compares with what was so long before: 7d takes the seven days before the window, and of each the window's time of day.",
      valueName: "time"))
  var baseline: String?

  @Option(
    parsing: .unconditional,
    help: "Shows so many of the slowest requests and most frequent failures.")
  var top: Int?

  func validate() throws {
    guard limit >= 0 else { throw ValidationError("--limit must not be negative.") }
    guard (0...1_000).contains(top ?? 0) else {
      throw ValidationError("--top must be 0 to 1000.")
    }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    var query = WindowQuery(
      from: from, to: to, filter: try filters.filter(), limit: limit, isDetailed: options.json)
    query.interval = try interval.map { try Replay.length($0, "interval") }
    query.baseline = try baseline.map { try Replay.length($0, "baseline") }
    query.top = top ?? 0
    let log = try options.open()
    let progress = LogOptions.progress(of: log)
    try options.answer(Replay.window(log, query, now: LogOptions.now(), progress: progress))
  }
}

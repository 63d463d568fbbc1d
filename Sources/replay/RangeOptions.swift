import ArgumentParser
import EventStore
import Inquiry

/// A range of the log; shared by the verbs that look at one.
struct RangeOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where the range begins; default: the log's beginning.", valueName: "selector"))
  var from: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Where the range ends, inclusive; default: the log's end.", valueName: "selector"))
  var to: String?

  func selectors() throws -> (from: Selector?, to: Selector?) {
    let (from, to) = (try from.map { try Selector($0) }, try to.map { try Selector($0) })
    try Selector.check(from: from, to: to, now: LogOptions.now())
    return (from, to)
  }

  /// Says on standard error how many of the range's events have times outside of it: clocks are set, and what is
  /// answered of positions counts them.
  func note(in log: LogReader) throws {
    let (from, to) = try selectors()
    let count = try Replay.countOutside(log, from: from, to: to, now: LogOptions.now())
    guard count > 0 else { return }
    Terminal.error(
      "replay: of the events between --from and --to \(count) have other times, as a clock was set or they came in out "
        + "of order; they count too. Positions leave them out.\n")
  }
}

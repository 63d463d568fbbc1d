import ArgumentParser
import Inquiry

struct BisectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bisect",
    abstract: "Finds the event at which something became true, and ceased to be.",
    discussion: """
      PREDICATES
        STREAM exists                          alias/fast exists
        STREAM.FIELD = VALUE                   alias/fast.model = mock/gpt-4o
        STREAM.FIELD != VALUE                  account/mock-a1.isActive != true
        account/ID is cooling                  account/mock-a1 is cooling
        errors(FILTER) > RATE% over TIME       errors(model=mock/gpt-4o) > 5% over 5m
        pNN(FILTER) > TIME over TIME           p95(account=mock/a1) > 3s over 10m
      A filter is account=, key=, model= or provider=, several with commas, or left
      out with its brackets. `of N` at the end of the last two: at least so many
      requests within the time (20). What callers are at fault for counts neither as
      failed nor among them, as in `window`; times are those of requests that an
      account was asked for. Values are written as `replay blame` shows
      them. Ends with 1 if it became true in the window.

      EXAMPLES
        replay bisect --predicate 'alias/fast.model = mock/gpt-4o'
        replay bisect --from -1d --predicate 'errors > 5% over 5m of 50'
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(help: "What is to be found, in one of the forms above.") var predicate: String

  func run() throws {
    let (from, to) = try range.selectors()
    let log = try options.open()
    try range.note(in: log)
    try options.answer(
      Replay.bisect(
        log, predicate, from: from, to: to, now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

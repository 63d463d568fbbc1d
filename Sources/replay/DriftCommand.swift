import ArgumentParser
import Inquiry

struct DriftCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drift",
    abstract: "Finds edits that undid, overwrote or fought other edits.",
    discussion: """
      Of every edit in the window, whatever was written before it included:
        reverted             a field went back to a value from before somebody
                             else's change
        overwritten          the author had not seen what the edit replaced
        generation-fell      a credential was put in force that is not newer
                             than the last one
        health-travelled     an account's health came from another node
        lost-in-sync         a peer's edit does not hold here, though nobody
                             who had seen it took it back
        in-turns             two writers set a field in turns
        file-against-others  one of the two is the configuration file
      Each is shown with both edits, who made them and through which door. Ends
      with 1 if anything was found.

      EXAMPLES
        replay drift --from -1d
        replay drift --stream alias/fast
        replay drift --from 2026-11-20T13:55:00Z --to 2026-11-20T14:20:00Z --json
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(help: "Only edits of this stream, for example account/mock-a1.")
  var stream: String?

  func run() throws {
    let (from, to) = try range.selectors()
    let log = try options.open()
    try range.note(in: log)
    try options.answer(
      Replay.drift(
        log, from: from, to: to, stream: stream, now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

import ArgumentParser
import Inquiry

struct WhatIfCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "what-if",
    abstract: "Decides a window's requests anew on a configuration with changes.",
    discussion: """
      Says how many requests would have gone elsewhere, from where to where, what
      load each account would have had, what they would have cost, and how many
      failures that would have avoided or added, with bounds. What is recorded, what
      is decided, what is modelled and what cannot be known stands at its end.

      A field is written as `replay blame STREAM` shows it; lists with commas.

      EXAMPLES
        replay what-if --from -1h --remove account/mock-a1
        replay what-if --from -1d --set account/mock-a1.priority=9
        replay what-if --set settings.fallbackStrategy=round-robin --json
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(
    help: ArgumentHelp(
      "A field that is supposed to be another one; may be given again.",
      valueName: "stream.field=value"))
  var set: [String] = []

  @Option(
    help: ArgumentHelp(
      "A resource that is supposed not to be there; may be given again.", valueName: "stream"))
  var remove: [String] = []

  func validate() throws {
    guard !set.isEmpty || !remove.isEmpty else {
      throw ValidationError("nothing is supposed: give --set or --remove")
    }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    var suppositions: [Supposition] = []
    for text in set { suppositions.append(try Supposition.set(text)) }
    for text in remove { suppositions.append(try Supposition.remove(text)) }
    let log = try options.open()
    try options.answer(
      Replay.whatIf(
        log, suppositions, from: from, to: to, now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

import ArgumentParser
import Glibc
import Inquiry

struct WhatIfCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "what-if",
    abstract: "Decides a window's requests anew on a configuration with changes.",
    discussion: """
      Says how many requests would have gone elsewhere or been refused, from where to
      where, what load each account would have had, what they would have cost, and
      how many failures that would have avoided or added, with bounds. What is
      recorded, decided, modelled and what cannot be known stands at its end.

      A choice that hangs on what is not in the log (whose turn it was, how quick
      accounts were, a session) is drawn and counted as modelled. A failure is what
      neither the caller nor the request itself was at fault for.

      --config takes the file's word also for what was edited elsewhere, as
      `signalbox apply --overwrite` does; what it does not mention stays. Secrets in
      it are not needed: leave their variables unset.

      Ends with 1 if any request goes elsewhere, with 2 if the API would refuse the
      change, with 4 if a recorded choice cannot be made again, or one is not decided:
      limits and budgets that are supposed to be others, who would be let in, and
      what only the account that has it could answer.

      A field is written as `replay blame STREAM` shows it; lists with commas. A key
      that is removed is revoked.

      EXAMPLES
        replay what-if --from -1h --remove account/mock-a1
        replay what-if --from -1d --set account/mock-a1.priority=9
        replay what-if --from -1d --set account/mock-a1.degraded=false
        replay what-if --from -1d --config gateway.yaml
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

  @Option(
    help: ArgumentHelp(
      "A file for `signalbox apply` that is supposed to be applied, before all else.",
      valueName: "file"))
  var config: String?

  func validate() throws {
    guard !set.isEmpty || !remove.isEmpty || config != nil else {
      throw ValidationError("nothing is supposed: give --set, --remove or --config")
    }
  }

  func run() throws {
    let (from, to) = try range.selectors()
    var suppositions: [Supposition] = []
    if let config {
      let file = try SupposedFile(
        name: config, text: InputFile.text(config, limit: SupposedFile.bytesMax)
      ) { name in getenv(name).map { String(cString: $0) } }
      if !file.unset.isEmpty {
        Terminal.error(
          "replay: not set, so taken as some secret: \(file.unset.joined(separator: ", "))\n")
      }
      suppositions.append(.file(file))
    }
    for text in set { suppositions.append(try Supposition.set(text)) }
    for text in remove { suppositions.append(try Supposition.remove(text)) }
    let log = try options.open()
    try range.note(in: log)
    try options.answer(
      Replay.whatIf(
        log, suppositions, from: from, to: to, now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

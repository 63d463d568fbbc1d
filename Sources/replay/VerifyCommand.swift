import ArgumentParser
import Inquiry

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Checks that the log is whole, what vouches for it, and what it lacks.",
    discussion: """
      Four verdicts. Integrity: every byte of the range, checksums, density of
      positions and revisions, epochs, and the chain of hashes. Anchoring: every
      checkpoint in the range and every one given with --anchor is held against the
      log, signatures included; it says through where something from outside vouches,
      what only a key does that the log itself names, and what nothing covers.
      Completeness: what is known to be missing. Decisions: every routing decision
      recorded in the range is made again and compared.

      Besides, every snapshot in the range is made again from the log's beginning.
      A wrong one is named; the log is not damaged by it. And the tables in SQLite
      (DIR/views) are made anew in TMPDIR, of the log through where they are, and
      compared row by row; the first row that differs is shown as the file has it
      and as the log gives it. Of the live file nothing is changed, also while a
      gateway writes to it. Views that are behind the log are not wrong.

      A log that nobody anchored elsewhere cannot show that it was made anew as a
      whole, or that events were cut off its end: keep a checkpoint elsewhere.

      Ends with 3 if bytes are damaged, else with 1 if an anchor, a checkpoint, a
      signature, a decision, a snapshot in use or a view does not agree with the log,
      else with 4 if a decision cannot be made again. What the log itself says is missing
      changes nothing.

      EXAMPLES
        replay verify
        replay verify --from -1d --no-views --json
        replay verify --anchor checkpoint-2026-11-20.note --public-key signalbox.pub
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(
    help: ArgumentHelp(
      "A checkpoint that was kept elsewhere; may be repeated.", valueName: "file"))
  var anchor: [String] = []

  @Option(help: KeyArgument.help)
  var publicKey: [KeyArgument] = []

  @Flag(
    help: "Leave out the views, for which the log is read from its beginning, whatever the range.")
  var noViews = false

  func run() throws {
    let anchors = try anchor.map { path in
      let text = try InputFile.text(path, limit: CheckpointNote.bytesMax)
      return (name: path, note: try CheckpointNote(text, name: path))
    }
    let keys = try publicKey.map { try $0.key() }
    let (from, to) = try range.selectors()
    let log = try options.open()
    try range.note(in: log)
    try options.answer(
      Replay.verify(
        log, from: from, to: to, anchors: anchors, keys: keys, isWithViews: !noViews,
        now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

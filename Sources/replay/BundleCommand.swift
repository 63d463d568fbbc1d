import ArgumentParser
import EventStore
import Inquiry

struct BundleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bundle",
    abstract: "Hands over a window of the log as one file that answers alone.",
    discussion: """
      The file holds every event of the window, and of the time before all that was
      configured, so that every verb answers about the window as it does on the log:
      on any machine, without the directory, network or keys. The chain of hashes is
      checked whenever it is opened. The same log and window give the same bytes.

      Never in it: secrets (sealed parts), prompts and answers, which no log holds
      in the open. Clients' addresses are replaced by x, unless --with-addresses is
      given. Names of accounts, keys, models and actors stay, and so do clients' own
      request ids: look at what you hand over with --inspect and `replay window`.

      --minimize asks --keeps again and again with less, and keeps the least that gives
      the same answer. Such a bundle says so whenever it is asked: that something is
      not in it shows nothing.

      EXAMPLES
        replay bundle --from 2026-11-20T13:55:00Z --to 2026-11-20T14:20:00Z -o incident.bundle
        replay bundle --request my-own-id -o request.bundle
        replay bundle --minimize --keeps 'drift alias/fast' -o least.bundle
        replay bundle --inspect incident.bundle
        replay window --log incident.bundle
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var range: RangeOptions

  @Option(
    help: ArgumentHelp(
      "A request, by the gateway's or the client's id: the window is its life.", valueName: "id"))
  var request: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The file to make; what stands there already is left alone.", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Check a bundle and tell what it is.", valueName: "file"))
  var inspect: String?

  @Flag(help: "Leave clients' addresses readable.") var withAddresses = false

  @Flag(help: "Keep the least that still shows what --keeps names.") var minimize = false

  @Option(
    help: ArgumentHelp(
      "What must still be shown: \(Finding.forms).", valueName: "finding"))
  var keeps: String?

  func validate() throws {
    guard (output == nil) != (inspect == nil) else {
      throw ValidationError("give -o FILE to make a bundle, or --inspect FILE to look at one")
    }
    guard minimize == (keeps != nil) else {
      throw ValidationError("--minimize and --keeps, which says what must be shown, go together")
    }
  }

  func run() throws {
    if let inspect {
      let log: LogReader
      do throws(StoreError) { log = try LogReader.open(bundle: inspect) } catch {
        throw LogOptions.fault(error)
      }
      return try options.answer(Replay.inspect(log, path: inspect))
    }
    let (from, to) = try range.selectors()
    let log = try options.open()
    try range.note(in: log)
    let query = try BundleQuery(
      from: from, to: to, request: request, isWithAddresses: withAddresses, keeping: keeps)
    try options.answer(
      Replay.bundle(
        log, query, to: output ?? "", now: LogOptions.now(),
        progress: LogOptions.progress(of: log)))
  }
}

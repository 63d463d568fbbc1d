import ArgumentParser
import Glibc
import Inquiry

struct TailCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tail",
    abstract: "Shows the newest events, and with -f each further one as it comes.",
    discussion: """
      The lines are those of `replay window`. With --json each event is an object on
      one line. Following goes on over new segments and over restarts of the gateway,
      and ends at Ctrl-C or when nobody reads any more.

      EXAMPLES
        replay tail
        replay tail -f
        replay tail -f --kind request.finished --status 5xx
        replay tail -f --json | jq .fields.errorCode
      """)

  @OptionGroup var options: LogOptions

  @OptionGroup var filters: FilterOptions

  @Flag(name: .shortAndLong, help: "Go on with what is appended.")
  var follow = false

  @Option(
    name: [.customShort("n"), .long], parsing: .unconditional,
    help: "How many of the matching events that are there already, up to 100000.")
  var lines = 20

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Where to begin, instead of -n.", valueName: "selector"))
  var from: String?

  func validate() throws {
    guard (0...100_000).contains(lines) else {
      throw ValidationError("--lines: \(lines) is not from 0 to 100000")
    }
  }

  func run() throws {
    let (selector, filter) = (try from.map { try Selector($0) }, try filters.filter(isNoted: true))
    let log = try options.open()
    var tail = try LogTail(
      log, filter: filter, lines: lines, from: selector, now: LogOptions.now(),
      isDetailed: options.json)
    let interruption = follow ? Interruption() : nil
    let isJSON = options.json
    var isDamaged = false
    while true {
      var text = ""
      let isRead = try tail.read { item in
        if item.isGap { isDamaged = true }
        text += isJSON ? item.json : item.text
        if text.utf8.count >= 1 << 16 {
          guard Terminal.put(text) else { return false }
          text = ""
        }
        return interruption?.isThere != true
      }
      guard isRead, text.isEmpty || Terminal.put(text) else { break }
      guard let interruption else { break }
      try tail.wait(milliseconds: 200)
      guard !interruption.isThere, Terminal.isRead else { break }
    }
    if isDamaged { throw ArgumentParser.ExitCode(Inquiry.ExitCode.damaged.rawValue) }
  }
}

/// Ctrl-C and SIGTERM, as something to be asked for instead of an end: held back from now on.
struct Interruption {
  init() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    sigprocmask(SIG_BLOCK, &signals, nil)
  }

  /// Whether one has come.
  var isThere: Bool {
    var signals = sigset_t()
    sigpending(&signals)
    return sigismember(&signals, SIGINT) == 1 || sigismember(&signals, SIGTERM) == 1
  }
}

import ArgumentParser
import ControlPlane
import Domain
import EventStore
import Glibc

/// `signalbox accept-loss`: a person says that a damaged log may go on without what it lost.
struct AcceptLossCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accept-loss",
    abstract: "Go on without events that cannot be read any more.",
    discussion: """
      A gateway that finds its log damaged refuses to start and prints this command with everything
      that is damaged. It works only if it names exactly that. Restoring the named files from a backup
      loses nothing; try that first, and copy the directory before you accept.

      What is cut off is kept in DIR/quarantine. The loss becomes an event, with who accepted it and
      why; its positions are never used again, and `replay` shows the hole for ever.

      Among what is lost may be changes of the configuration: a key that was revoked may be valid
      again. Compare `replay state --log DIR` with what you expect before you start the gateway.

      Example:
        signalbox accept-loss --data ./data --positions 4711..4730 --reason 'disk sda, no backup'

      Exit codes: 0 accepted; 1 nothing is damaged, or failed; 3 something else is damaged than what
      was named, and nothing was accepted; 5 another process has the directory open; 2 wrong usage.
      """)

  @OptionGroup var data: DataOptions

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Every range of positions that cannot be read.", valueName: "first..last,first..last"))
  var positions: PositionRanges = PositionRanges()

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Every position at which there is damage that costs no event.", valueName: "position,position"
    ))
  var atPosition: PositionList = PositionList()

  @Option(
    name: .long, help: ArgumentHelp("Why; at most 1,024 bytes, kept in the log.", valueName: "text")
  )
  var reason: String

  func validate() throws {
    guard !positions.ranges.isEmpty || !atPosition.positions.isEmpty else {
      throw ValidationError(
        "Name what is lost with --positions, --at-position or both; `signalbox serve` prints it.")
    }
    guard !reason.isEmpty else { throw ValidationError("--reason must not be empty.") }
  }

  func run() async throws {
    do {
      let directory = try data.existingLog()
      let store = try EventStore.open(
        directory: directory, options: StoreOptions(dictionary: compressionDictionary()),
        accepting: LossAcceptance(
          positions: positions.ranges, places: atPosition.positions, actor: "local:\(getuid())",
          reason: reason))
      do {
        try report(try await store.noteRecovery(), directory)
      } catch {
        // The error that is on its way says more than one of closing would.
        try? store.close()
        throw error
      }
      try store.close()
    } catch {
      throw Console.explain(error)
    }
  }

  private func report(_ noted: [Event], _ directory: String) throws {
    var isNew = false
    for case .gateway(.lossAccepted(let loss)) in noted {
      isNew = true
      try Console.say(
        loss.first <= loss.last
          ? "accepted: positions \(loss.first)…\(loss.last) are lost (\(loss.rule) in \(loss.file))"
          : "accepted: damage at position \(loss.first) that costs no event (\(loss.rule) in"
            + " \(loss.file))")
    }
    guard isNew else {
      try Console.say("this was accepted before; nothing changed")
      return
    }
    try Console.say("noted in the log as gateway.loss_accepted")
    Console.warn(
      "signalbox: changes of the configuration may be among what is lost: look at `replay state --log"
        + " '\(directory)'` before you start the gateway; a key that was revoked may be valid"
        + " again")
  }
}

/// `4..9,12..12`: ranges of positions.
struct PositionRanges: ExpressibleByArgument {
  var ranges: [ClosedRange<Position>] = []

  init() {}

  init?(argument: String) {
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: ".", omittingEmptySubsequences: false)
      guard ends.count == 3, ends[1].isEmpty, let first = UInt64(ends[0]),
        let last = UInt64(ends[2]), 1 <= first, first <= last
      else { return nil }
      ranges.append(Position(first)...Position(last))
    }
  }
}

/// `4,9`: positions.
struct PositionList: ExpressibleByArgument {
  var positions: [Position] = []

  init() {}

  init?(argument: String) {
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let position = UInt64(part), position >= 1 else { return nil }
      positions.append(Position(position))
    }
  }
}

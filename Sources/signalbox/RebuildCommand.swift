import ArgumentParser
import ControlPlane
import Domain
import EventStore
import Glibc
import Inquiry

/// `signalbox rebuild`: the views made anew from the log, or held against it.
struct RebuildCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rebuild",
    abstract: "Make the views of requests anew from the log, or check that they are what it gives.",
    discussion: """
      DIR/views holds what follows from the log, for lists and sums to be quick. A gateway makes it anew
      by itself where it is missing or broken.

      --check changes nothing, and the gateway may run: it builds all views from the log's beginning in
      a directory of its own (TMPDIR), through where the file is, and compares table by table.
      Without it the file is thrown away and made anew; no gateway may have the directory open.

      Examples:
        signalbox rebuild --check --data ./data
        signalbox rebuild --data ./data

      Exit codes: 0 equal, or made; 1 something differs, or failed; 2 wrong usage; 3 the log is damaged;
      5 another process has the directory open.
      """)

  @OptionGroup var data: DataOptions

  @Flag(name: .long, help: "Change nothing; compare with what the log gives.")
  var check = false

  @Flag(name: .long, help: "Answer as JSON instead of text.")
  var json = false

  func run() async throws {
    do {
      let directory = try data.existingLog()
      if check {
        let log = try LogReader.open(directory: directory)
        let progress = Self.progress()
        let verdict = try Replay.compareViews(log) { progress($0.rawValue, log.last.rawValue) }
        try Console.say(json ? verdict.json.rendered.trimmed : "views " + verdict.text)
        if case .logDamaged = verdict.finding { throw ExitStatus.damaged }
        guard verdict.isSame else { throw ExitStatus.failed }
      } else {
        try await rebuild(directory)
      }
    } catch {
      throw Console.explain(error)
    }
  }

  private func rebuild(_ directory: String) async throws {
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(dictionary: compressionDictionary()))
    let reached: Position
    do {
      try await store.noteRecovery()
      reached = try Self.made(store, directory)
    } catch {
      // The error that is on its way says more than one of closing would.
      try? store.close()
      throw error
    }
    try store.close()
    try Console.say(
      json
        ? JSONTree.object([
          .init("rebuilt", .bool(true)), .init("position", .number(Int64(reached.rawValue))),
        ]).rendered.trimmed : "made anew through position \(reached)")
  }

  private static func made(_ store: EventStore, _ directory: String) throws -> Position {
    try ViewRebuild.run(
      store, directory: directory,
      provenance: Provenance(actor: "local:\(getuid())", source: .cli), progress: progress())
  }

  /// Tells on standard error, once a second, how far reading is.
  private static func progress() -> (_ position: UInt64, _ end: UInt64) -> Void {
    let clock = ContinuousClock()
    var next = clock.now + .seconds(1)
    return { position, end in
      guard clock.now >= next else { return }
      next = clock.now + .seconds(1)
      Console.warn("signalbox: reading, at position \(position) of \(end)")
    }
  }
}

extension String {
  /// Without the line break at its end, which whoever prints it adds.
  fileprivate var trimmed: String { hasSuffix("\n") ? String(dropLast()) : self }
}

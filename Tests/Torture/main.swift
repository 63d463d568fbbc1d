internal import ArgumentParser

/// Does to the log what the world may do to it, and compares what is left with what was answered.
struct TortureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "torture", abstract: "Does to the event log what the world may do to it.",
    subcommands: [
      All.self, Crash.self, Kills.self, Inject.self, Append.self, WorkCommand.self,
      Seal.self, BenchCommand.self,
    ])
}

struct Append: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Appends until it is killed, printing the id of each acknowledged event.")

  @Argument(help: "The log's directory.") var directory: String
  @Argument(help: "durable, written or queued.") var mode: String
  @Argument(help: "The high half of every event's id.") var seed: UInt64

  func run() { appendForEver(directory: directory, mode: mode, seed: String(seed)) }
}

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Appends as fast as it can and prints a table.")

  @Argument(help: "Where to make stores, DIR-tasks and so on; must not exist yet.")
  var directory: String
  @Argument(help: "One row of appends: tasks, threads, sink, bulk, written or queued.")
  var row: String?

  func run() { bench(directory: directory, only: row) }
}

TortureCommand.main()

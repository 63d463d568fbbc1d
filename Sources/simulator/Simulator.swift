import ArgumentParser

/// A fake provider for tests, benchmarks and the first run.
@main
struct Simulator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulator",
    abstract: "A provider that misbehaves on command, and a load driver.",
    subcommands: [ServeCommand.self, DriveCommand.self])
}

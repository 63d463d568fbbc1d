import ArgumentParser

/// A fake provider for tests, benchmarks and the first run.
@main
struct Simulator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulator",
    abstract: "A provider that misbehaves on command.",
    subcommands: [ServeCommand.self, DriveCommand.self])
}

/// `simulator drive`: named in the design, not built yet, and said so.
struct DriveCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drive", abstract: "Load driver; not built yet.")

  @Argument(help: "The plan.")
  var plan: String

  func run() throws {
    throw ValidationError("drive is not built yet; `make bench` loads the gateway with wrk")
  }
}

import ArgumentParser
import ConfigFile
import ControlPlane
import Surface

/// `signalbox drift`: where a configuration file and the log say different things.
struct DriftCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drift",
    abstract: "Compare a configuration file with the log; exit 1 if they differ.",
    discussion: """
      Field by field: the log's value, the file's, and who set the log's, when and by which door. Without
      FILE a running gateway compares the one that it was started with.

      Examples:
        signalbox drift --data ./data
        signalbox drift gateway.yaml --data ./data --json
      """)

  @Argument(help: "The YAML file; - for standard input.")
  var file: String?

  @OptionGroup var options: VerbOptions

  func run() async throws {
    do {
      let answer = try await compare()
      if let fault = answer["fault"]?.string {
        Console.warn("signalbox: the file cannot be compared: \(PlanText.shown(.string(fault)))")
        throw ExitStatus.failed
      }
      guard let comparison = answer["comparison"], !comparison.isNull else {
        Console.warn(
          "signalbox: the gateway was started without a configuration file; name one")
        throw ExitStatus.failed
      }
      try Console.say(
        options.json
          ? String(decoding: comparison.bytes, as: UTF8.self) : PlanText.applied(comparison))
      if comparison["drift"]?.bool ?? false { throw ExitStatus.failed }
    } catch {
      throw Console.explain(error)
    }
  }

  private func compare() async throws -> JSONValue {
    if let file {
      let plan = try ConfigurationFile.parse(
        FileText.text(file, limit: ConfigurationFile.bytesMax), environment: Environment.all)
      let applied = try ApplyCommand.compare(plan, options.data)
      return ["comparison": applied.json(isPlan: true)]
    }
    let reply = try await Administration(data: options.data)
      .send(ControlRequest(.get, "/api/config/drift"))
    guard reply.status == 200 else { throw Refused(reply) }
    return try reply.json()
  }
}

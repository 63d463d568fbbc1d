import ArgumentParser
import ConfigFile
import ControlPlane
import Domain
import EventStore
import Glibc
import Surface

/// `signalbox apply`: a declarative file becomes events, or a plan of them.
struct ApplyCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "apply",
    abstract: "Make the configuration what a file says.",
    discussion: """
      Writes only what differs; applying the same file twice writes nothing. What was edited elsewhere
      (by the API, the command line, another node) since a file set it is left as it is and told;
      --overwrite takes the file's word. What the file does not mention stays. A secret in the file seeds
      an account's first generation only.

      Works beside a running gateway, which applies it at once, and without one. The file and the
      variables that it names are read here. With --plan nothing is written.

      Examples:
        signalbox apply gateway.yaml --data ./data --plan
        UPSTREAM_KEY=sk-… signalbox apply gateway.yaml --data ./data
        signalbox apply gateway.yaml --data ./data --if-match 41    # only what the plan showed
        signalbox apply - --data ./data --json < gateway.yaml
      """)

  @Argument(help: "The YAML file; - for standard input.")
  var file: String

  @OptionGroup var data: DataOptions

  @OptionGroup var writing: WriteOptions

  @Flag(name: .long, help: "Show what would change and what that would do; write nothing.")
  var plan = false

  @Flag(name: .long, help: "Take the file's word also for what was edited elsewhere.")
  var overwrite = false

  @Flag(name: .long, help: "Print one JSON object instead of lines.")
  var json = false

  func run() async throws {
    do {
      let directory = try data.directory()
      let text = try FileText.text(file, limit: ConfigurationFile.bytesMax)
      let named = Set(try ConfigurationFile.variables(in: text))
      // Only what the file names leaves this process.
      let environment = Environment.all.filter { named.contains($0.key) }
      let request = ControlRequest(
        .post, "/api/config/apply",
        body: [
          "file": JSONValue(text), "plan": .bool(plan), "overwrite": .bool(overwrite),
          "environment": .object(
            environment.sorted { $0.key < $1.key }.map {
              JSONValue.Member($0.key, JSONValue($0.value))
            }),
        ], ifMatch: writing.ifMatch)
      try report(try await answer(to: request, text, environment, directory))
    } catch let fault as ConfigFault {
      throw Console.explain(FileText.Faulty(path: file, fault: fault))
    } catch var refused as Refused where refused.code == "invalid_configuration" {
      refused.message = "\(FileText.name(file)): \(refused.message)"
      throw Console.explain(refused)
    } catch {
      throw Console.explain(error)
    }
  }

  private func answer(
    to request: ControlRequest, _ text: String, _ environment: [String: String],
    _ directory: String
  ) async throws -> JSONValue {
    let administration = Administration(data: data, mayCreate: true)
    let reply: ControlReply
    if !plan {
      reply = try await administration.send(request)
    } else if let planned = try await ControlCaller.send(
      request, directory: directory, patience: administration.patience)
    {
      reply = planned
    } else {
      // A plan writes nothing, and so it needs no lock either.
      let file = try ConfigurationFile.parse(text, environment: environment)
      let planned = try Self.compare(
        file, data, overwrite: overwrite, effectSeconds: 5)
      if let seen = writing.ifMatch.flatMap({ UInt64($0) }), seen != planned.revision {
        throw Refusal.revisionMismatch(current: planned.revision)
      }
      return planned.json(isPlan: true)
    }
    guard reply.status == 200 else { throw Refused(reply) }
    return try reply.json()
  }

  /// What applying a file would do to the log in a directory; reads only, also beside a gateway.
  static func compare(
    _ file: ConfigurationPlan, _ data: DataOptions, overwrite: Bool = false,
    effectSeconds: Int64 = 0
  ) throws -> AppliedConfiguration {
    let directory = try data.directory()
    guard access(directory, F_OK) == 0, !FileText.isEmptyDirectory(directory) else {
      // Nothing there yet: everything of the file would be new; the key shapes fingerprints only.
      let key = try data.masterKey(in: directory) ?? .ephemeral()
      let vault = try Vault(directory: directory, masterKey: key, mayWrite: false)
      return try ControlPlane.plan(file, against: .initial, vault: vault)
    }
    let log = try LogReader.open(directory: directory)
    let state = try ControlState(reading: log)
    guard let key = try data.masterKey(in: directory) else {
      throw VaultError(
        .wrongMasterKey,
        "the master key is needed to tell which credentials differ; set SIGNALBOX_MASTER_KEY or pass"
          + " --master-key-file")
    }
    let vault = try Vault(directory: directory, masterKey: key, mayWrite: false)
    return try ControlPlane.plan(
      file, against: state, vault: vault, log: log, overwrite: overwrite,
      effect: (Edge.system.now(), effectSeconds))
  }

  private func report(_ answer: JSONValue) throws {
    try Console.say(
      json ? String(decoding: answer.bytes, as: UTF8.self) : PlanText.applied(answer))
  }
}

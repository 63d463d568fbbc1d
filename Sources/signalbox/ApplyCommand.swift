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
      Writes only what differs; applying the same file twice writes nothing. What the file does not
      mention is reported and stays. A secret in the file seeds an account's first generation only.

      Works on a directory that no gateway has open. With --plan nothing is written, and the gateway
      may run.

      Examples:
        signalbox apply gateway.yaml --data ./data --plan
        UPSTREAM_KEY=sk-… signalbox apply gateway.yaml --data ./data
        signalbox apply - --data ./data --json < gateway.yaml
      """)

  @Argument(help: "The YAML file; - for standard input.")
  var file: String

  @OptionGroup var data: DataOptions

  @Flag(name: .long, help: "Show what would change; write nothing.")
  var plan = false

  @Flag(name: .long, help: "Print one JSON object instead of lines.")
  var json = false

  func run() async throws {
    do {
      let directory = try data.directory()
      let text = try FileText.text(file, limit: ConfigurationFile.bytesMax)
      let plan = try ConfigurationFile.parse(text, environment: Environment.all)
      let result =
        self.plan
        ? try look(plan, directory) : try await write(plan, directory)
      try report(result)
    } catch let error as StoreError where error.code == .locked {
      Console.warn("signalbox: \(error)")
      Console.warn("signalbox: beside a gateway, make the change through its API")
      throw ExitStatus.locked
    } catch {
      throw Console.explain(error)
    }
  }

  private func look(
    _ file: ConfigurationPlan, _ directory: String
  ) throws -> AppliedConfiguration {
    guard access(directory, F_OK) == 0, !FileText.isEmptyDirectory(directory) else {
      // Nothing there yet: everything of the file would be new; the key shapes fingerprints only.
      let key = try data.masterKey(in: directory) ?? .ephemeral()
      let vault = try Vault(directory: directory, masterKey: key, mayWrite: false)
      return try ControlPlane.plan(file, against: .initial, vault: vault)
    }
    let state = try ControlState(reading: try LogReader.open(directory: directory))
    guard let key = try data.masterKey(in: directory) else {
      throw VaultError(
        .wrongMasterKey,
        "the master key is needed to tell which credentials differ; set SIGNALBOX_MASTER_KEY or pass"
          + " --master-key-file")
    }
    let vault = try Vault(directory: directory, masterKey: key, mayWrite: false)
    return try ControlPlane.plan(file, against: state, vault: vault)
  }

  private func write(
    _ file: ConfigurationPlan, _ directory: String
  ) async throws -> AppliedConfiguration {
    let store = try EventStore.open(
      directory: directory, options: StoreOptions(dictionary: compressionDictionary()))
    let result: AppliedConfiguration
    do {
      let key = try data.masterKey(in: directory, for: store)
      if let warning = key.warning { Console.warn("signalbox: \(warning)") }
      let control = try ControlPlane.open(
        store: store, vault: try Vault(directory: directory, masterKey: key)
      ) { _, _ in }
      try await control.noteRecovery()
      result = try await control.apply(
        file, provenance: Provenance(actor: "local:\(getuid())", source: .file))
    } catch {
      // The error that is on its way says more than one of closing would.
      try? store.close()
      throw error
    }
    try store.close()
    return result
  }

  private func report(_ result: AppliedConfiguration) throws {
    if json {
      try Console.say(String(decoding: Self.json(result, isPlan: plan).bytes, as: UTF8.self))
      return
    }
    for row in result.rows { try Console.say("\(Self.mark(row.kind)) \(row.text)") }
    for row in result.unmanaged { try Console.say("? \(row.text)") }
    let counts = PlannedChange.Kind.allCases.map { kind in
      "\(result.rows.count { $0.kind == kind }) \(kind.rawValue)"
    }
    let end = plan ? "planned, nothing written" : "\(result.events) events written"
    try Console.say("\(counts.joined(separator: ", ")); \(end)")
  }

  private static func mark(_ kind: PlannedChange.Kind) -> String {
    switch kind {
    case .added: "+"
    case .changed: "~"
    case .unchanged: "="
    }
  }

  private static func json(_ result: AppliedConfiguration, isPlan: Bool) -> JSONValue {
    [
      "plan": .bool(isPlan), "events": JSONValue(result.events),
      "changes": .array(
        result.rows.map { row in
          [
            "kind": JSONValue(row.kind.rawValue), "line": JSONValue(row.line),
            "text": JSONValue(row.text),
          ]
        }),
      "unmanaged": .array(
        result.unmanaged.map { row in
          ["what": JSONValue(row.what), "id": JSONValue(row.id), "text": JSONValue(row.text)]
        }),
    ]
  }
}

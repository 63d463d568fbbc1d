import ArgumentParser
import CFast
import ControlPlane
import Glibc

/// The gateway's program: parses the command line and puts the two planes together.
@main
struct Signalbox: AsyncParsableCommand {
  static func main() async {
    // Errors of a write, not the end of the program: nobody reads the pipe any more, or the file may not
    // become longer (RLIMIT_FSIZE).
    signal(SIGPIPE, SIG_IGN)
    signal(SIGXFSZ, SIG_IGN)
    #if !DEBUG
      // Our own modules are built without these checks; this spares them in SwiftNIO (ARCHITECTURE.md).
      cfast_skip_exclusivity_checks()
    #endif
    FreedMemory.returnLargeBlocks()
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch  where exitCode(for: error) == .validationFailure {
      // As `replay` says it; the argument parser's own is 64.
      Console.warn(fullMessage(for: error))
      Glibc.exit(ExitStatus.usage)
    } catch {
      exit(withError: error)
    }
  }

  static let configuration = CommandConfiguration(
    commandName: "signalbox",
    abstract: "An LLM gateway that writes every movement down.",
    discussion: """
      Every configuration change and every request is an event in one append-only log, which `replay`
      reads.

      Examples:
        signalbox serve --data ./data --config gateway.yaml
        signalbox apply gateway.yaml --data ./data --plan
        signalbox accounts add a2 --provider mock --api-key-env UPSTREAM_KEY --data ./data
        signalbox checkpoint --data ./data

      Verbs that administrate work beside a running gateway, through its control socket, and without
      one. They are the API's requests; the log says `local:<uid>` did it.

      Exit codes: 0 done; 1 failed or refused; 2 wrong usage; 3 the log is damaged; 5 another process
      has the data directory open; 130 ended at once by a second signal.
      """,
    version: Build.version,
    subcommands: [
      ServeCommand.self, ApplyCommand.self, ProvidersCommand.self, AccountsCommand.self,
      ModelsCommand.self, BackendsCommand.self, AliasCommand.self, ComboCommand.self,
      PoliciesCommand.self, OrganisationsCommand.self, KeysCommand.self, PricingCommand.self,
      SettingsCommand.self, SyncCommand.self, AdminCommand.self,
      HistoryCommand.self, RevertCommand.self, RestoreConfigCommand.self, DriftCommand.self,
      CheckpointCommand.self,
      RebuildCommand.self, AcceptLossCommand.self,
    ])
}

/// Which build this is.
enum Build {
  static let version = "0.1.0"

  /// With what the program was stamped with, if it was.
  static let info: BuildInfo = {
    var bytes = [UInt8](repeating: 0, count: Int(CFAST_STAMP))
    bytes.withUnsafeMutableBytes { room in
      if let start = room.baseAddress {
        cfast_build_stamp(start.assumingMemoryBound(to: CChar.self))
      }
    }
    let text = bytes.prefix { $0 != 0 }
    let lines = text.first == 1 ? [] : text.split(separator: UInt8(ascii: "\n"))
    guard lines.count == 2 else { return BuildInfo(version: version) }
    return BuildInfo(
      version: version, commit: String(decoding: lines[0], as: UTF8.self),
      buildTime: String(decoding: lines[1], as: UTF8.self))
  }()
}

/// How the program ends, beyond 0.
enum ExitStatus {
  static let failed = ExitCode(1)
  static let usage: Int32 = 2
  static let damaged = ExitCode(3)
  static let locked = ExitCode(5)
  /// As a shell shows an interrupted program.
  static let interrupted: Int32 = 130
}

import ArgumentParser
import Surface

/// `signalbox backends`: accounts as routing sees them.
struct BackendsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backends",
    abstract: "Accounts as routing sees them: healthy, cooling, degraded, and why.",
    discussion: """
      What to do about them is `accounts test`, `end-cooldown`, `degrade` and `restore`.

      Examples:
        signalbox backends list
        signalbox backends show a1
      """,
    subcommands: [ListVerb<BackendResource>.self, ShowVerb<BackendResource>.self],
    defaultSubcommand: ListVerb<BackendResource>.self)
}

enum BackendResource: AdminResource {
  static let noun = "backend"
  static let path = "/v1/admin/routing/backends"
  static let listed = "backends"
  static let reference = "id or name"
  static let columns = [
    Column("NAME", "name"), Column("PROVIDER", "provider"), Column("HEALTH", "health_status"),
    Column("REASON", "reason"), Column("COOLS UNTIL", "rate_limited_until"),
    Column(">ERRORS", "consecutive_errors"), Column("LAST CHECK", "last_check"),
    Column(">LATENCY MS", "latency_ms"), Column("ID", "backend_id"),
  ]

  static func target(_ reference: String) -> String {
    "\(path)/\(percentEncoded(reference))/health"
  }
}

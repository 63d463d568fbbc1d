public import ConfigFile
public import Domain
import EventStore
import Synchronization

/// A configuration file compared with the log, and what became of it.
public struct AppliedConfiguration: Sendable {
  /// Each thing of the file: added, changed or unchanged.
  public var rows: [PlannedChange]
  /// What the log has and the file does not mention; reported, never removed.
  public var unmanaged: [Unmanaged]
  /// Events written; 0: it was already so, or only planned.
  public var events: Int
  /// Of the whole configuration, as it was compared with (a plan) or became.
  public var revision: UInt64
}

extension ControlPlane {
  /// Commands of one batch; each gives at most three events, and a batch takes 4,096.
  private static let commandsPerBatch = 1000

  /// Makes the configuration what the file says, by the same way as every other change.
  ///
  /// A file of up to 1,000 changes enters whole or not at all. A larger one is decided whole first
  /// and then enters in parts; a crash in between leaves a part, and applying it again completes it.
  ///
  /// - Parameter ifMatch: The revision that the whole configuration must have; nil: any.
  /// - Throws: `ConfigFault` where the log has what the file cannot change, else as `execute`.
  public func apply(
    _ file: ConfigurationPlan, provenance: Provenance, ifMatch: UInt64? = nil
  ) async throws -> AppliedConfiguration {
    let first = Mutex<[PlannedChange]?>(nil)
    var events = 0
    while true {
      let vault = vault
      let isBegun = events > 0
      let outcome = try await execute(provenance: provenance) { state in
        if let ifMatch, !isBegun, ifMatch != state.configurationRevision {
          throw Refusal.revisionMismatch(current: state.configurationRevision)
        }
        let rows = try file.changes(against: state) { vault.fingerprint(Secret($0)) }
        first.withLock { if $0 == nil { $0 = rows } }
        let changes = rows.compactMap { row in
          row.command.map { command in
            Change(command, secret: row.secret.map { Secret($0.revealed) })
          }
        }
        if changes.count > Self.commandsPerBatch {
          _ = try decide(changes.map(\.command), state)
        }
        return Array(changes.prefix(Self.commandsPerBatch))
      }
      events += outcome.events.count
      // Each round takes commands away; one without events has none left.
      if outcome.events.isEmpty {
        return AppliedConfiguration(
          rows: first.withLock { $0 } ?? [], unmanaged: file.unmanaged(in: outcome.state),
          events: events, revision: outcome.state.configurationRevision)
      }
    }
  }

  /// What applying the file would do to a configuration; writes nothing.
  ///
  /// - Throws: `ConfigFault`, or `Refusal` where the rules would refuse.
  public static func plan(
    _ file: ConfigurationPlan, against state: ControlState, vault: Vault
  ) throws -> AppliedConfiguration {
    let rows = try file.changes(against: state) { vault.fingerprint(Secret($0)) }
    _ = try decide(rows.compactMap(\.command), state)
    return AppliedConfiguration(
      rows: rows, unmanaged: file.unmanaged(in: state), events: 0,
      revision: state.configurationRevision)
  }
}

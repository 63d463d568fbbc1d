public import ConfigFile
public import Domain
public import EventStore
import Inquiry
public import Surface
import Synchronization

/// A configuration file compared with the log, and what became of it.
public struct AppliedConfiguration: Sendable {
  /// Each thing of the file as the file has it: added, changed or unchanged.
  public var rows: [PlannedChange]
  /// What was edited elsewhere and left as it is.
  public var kept: [KeptElsewhere]
  /// What the log has and the file does not mention; reported, never removed.
  public var unmanaged: [Unmanaged]
  /// Events written; 0: it was already so, or only planned.
  public var events: Int
  /// Of the whole configuration, as it was compared with (a plan) or became.
  public var revision: UInt64
  /// What is different after it.
  var diff: ConfigurationDiff
  /// What a plan would do to the requests of the last 24 h; null if nobody asked.
  var effect: JSONValue = .null

  /// Whether the file and the log say different things.
  public var isDrifting: Bool {
    !kept.isEmpty || !unmanaged.isEmpty || rows.contains { $0.kind != .unchanged }
  }

  /// One line for each thing that was or would be changed.
  public var changeLines: [String] {
    diff.rows.map { row in
      let fields = row.fields.map(\.difference).filter(\.isSettable).map { field in
        row.change == "changed"
          ? "\(field.field) \(field.before.shown) → \(field.after.shown)"
          : "\(field.field) \((row.change == "added" ? field.after : field.before).shown)"
      }
      let credentials = rows.filter { $0.isCredential && $0.command?.stream == row.stream }
      let texts = fields + credentials.map(\.text)
      return "\(row.title) \(row.change): \(texts.joined(separator: "; "))"
    }
  }

  /// One line for each thing that was left as somebody else made it.
  public var keptLines: [String] {
    kept.map { one in
      let what =
        one.field.map { "\($0) left at \(one.log.shown), the file says \(one.file.shown)" }
        ?? "left as it is"
      guard let writer = one.writer else { return "\(one.title): \(what): it needs what was left" }
      return "\(one.title): \(what): edited elsewhere, by \(writer.provenance.actor) via "
        + "\(writer.provenance.source.name) at \(rfc3339(writer.time)) "
        + "(\(writer.epoch):\(writer.position))"
    }
  }

  /// Everything, as the API and `--json` give it.
  public func json(isPlan: Bool) -> JSONValue {
    [
      "plan": JSONValue(isPlan), "drift": JSONValue(isDrifting), "events": JSONValue(events),
      "changes": diff.json,
      "credentials": .array(rows.filter(\.isCredential).map { JSONValue($0.text) }),
      "kept": .array(kept.map { JSONValue($0) }),
      "rows": .array(
        rows.map { row in
          [
            "kind": JSONValue(row.kind.rawValue), "line": JSONValue(row.line),
            "text": JSONValue(row.text),
          ]
        }),
      "unmanaged": .array(
        unmanaged.map { row in
          ["what": JSONValue(row.what), "id": JSONValue(row.id), "text": JSONValue(row.text)]
        }), "effect": effect, "revision": JSONValue(revision),
    ]
  }
}

extension PlannedChange {
  /// Whether it gives something that is there a secret, or a provider a place for tokens: no field shows these.
  fileprivate var isCredential: Bool {
    switch command {
    case .account(.issueCredential), .provider(.setOAuth), .settings(.setCloudToken): true
    case _: false
    }
  }
}

extension ControlPlane {
  /// Commands of one batch; each gives at most three events, and a batch takes 4,096.
  private static let commandsPerBatch = 1000
  /// How often streams are read again because others changed them meanwhile.
  private static let readsMax = 16

  /// Makes the configuration what the file says, by the same way as every other change.
  ///
  /// What was edited elsewhere since a file set it is left as it is and told. A file of up to 1,000 changes
  /// enters whole or not at all. A larger one is decided whole first and then enters in parts; a crash in
  /// between leaves a part, and applying it again completes it.
  ///
  /// - Parameters:
  ///   - ifMatch: The revision that the whole configuration must have; nil: any.
  ///   - overwrite: Takes the file's word also for what was edited elsewhere.
  /// - Throws: `ConfigFault` where the log has what the file cannot change or the rules refuse, else as
  ///   `execute`.
  public func apply(
    _ file: ConfigurationPlan, provenance: Provenance, ifMatch: UInt64? = nil,
    overwrite: Bool = false
  ) async throws -> AppliedConfiguration {
    let first = Mutex<FilePlan?>(nil)
    var book = WriterBook()
    var reads = 0
    var events = 0
    while true {
      let (vault, known, isBegun) = (vault, book, events > 0)
      let outcome: Outcome
      do {
        outcome = try await execute(provenance: provenance) { state in
          if let ifMatch, !isBegun, ifMatch != state.configurationRevision {
            throw Refusal.revisionMismatch(current: state.configurationRevision)
          }
          let plan = try FilePlan(file, state, vault, known, overwrite: overwrite)
          first.withLock { if $0 == nil { $0 = plan } }
          return plan.merge.changes.prefix(Self.commandsPerBatch).map { resealing($0) }
        }
      } catch let unread as FileMerge.Unread {
        reads += 1
        guard reads <= Self.readsMax else { throw ControlError.conflict }
        let (log, pages) = (store.reader, book)
        book = try await streams.run {
          var book = pages
          try book.read(unread.streams, log)
          return book
        }
        continue
      }
      events += outcome.events.count
      // Each round takes commands away; one without events has none left.
      if outcome.events.isEmpty {
        guard let plan = first.withLock({ $0 }) else { throw ControlError.conflict }
        return plan.applied(file, outcome.state, events: events)
      }
    }
  }

  /// A provider's client keeps its secret where the file gives none.
  private func resealing(_ change: Change) -> Change {
    guard case .provider(.setOAuth(let id, let client?)) = change.command, client.secret != nil,
      change.secret == nil
    else { return change }
    return Change(change.command, secret: clientSecret(of: id), provenance: change.provenance)
  }

  /// What applying the file would do to a configuration; writes nothing and blocks on the disk.
  ///
  /// - Parameters:
  ///   - log: whose state it is; nil: one without events.
  ///   - effect: how long to look at the requests of the last 24 h, and when it is.
  /// - Throws: `ConfigFault`, also where the rules would refuse.
  public static func plan(
    _ file: ConfigurationPlan, against state: ControlState, vault: Vault, log: LogReader? = nil,
    overwrite: Bool = false, effect: (now: UnixNanoseconds, seconds: Int64)? = nil
  ) throws -> AppliedConfiguration {
    var book = WriterBook()
    var plan: FilePlan
    do {
      plan = try FilePlan(file, state, vault, book, overwrite: overwrite)
    } catch let unread as FileMerge.Unread {
      if let log { try book.read(unread.streams, log) }
      plan = try FilePlan(file, state, vault, book, overwrite: overwrite)
    }
    var applied = plan.applied(file, state, events: 0)
    if let effect, effect.seconds > 0, let log {
      applied.effect = try Self.effect(
        of: plan.merge.outcome, on: state, log, now: effect.now, seconds: effect.seconds)
    }
    return applied
  }

  /// Which requests of the last 24 h would go elsewhere; blocks for up to `seconds`.
  static func effect(
    of proposed: ControlState, on current: ControlState, _ log: LogReader, now: UnixNanoseconds,
    seconds: Int64
  ) throws -> JSONValue {
    let since = UnixNanoseconds(now.rawValue - 24 * 3_600 * 1_000_000_000)
    let end = ContinuousClock.now + .seconds(seconds)
    return JSONValue(
      try Replay.effect(of: proposed, on: current, in: log, since: since, now: now) {
        ContinuousClock.now >= end
      })
  }
}

/// A file against one state of the log.
private struct FilePlan: Sendable {
  var rows: [PlannedChange]
  var merge: FileMerge
  var diff: ConfigurationDiff

  init(
    _ file: ConfigurationPlan, _ state: ControlState, _ vault: Vault, _ book: WriterBook,
    overwrite: Bool
  ) throws {
    rows = try file.changes(against: state) { vault.fingerprint(Secret($0)) }
    // What the rules refuse is told by its place in the file.
    try ConfigurationPlan.check(rows, against: state)
    merge = try FileMerge(rows, state, book, overwrite: overwrite)
    let streams = Set(merge.changes.map(\.command.stream))
    diff = ConfigurationDiff(from: state, to: merge.outcome, streams: streams) { stream in
      book.fold(stream, at: state.revision(ofStream: stream))
    }
  }

  func applied(
    _ file: ConfigurationPlan, _ state: ControlState, events: Int
  ) -> AppliedConfiguration {
    AppliedConfiguration(
      rows: rows, kept: merge.kept, unmanaged: file.unmanaged(in: state), events: events,
      revision: state.configurationRevision, diff: diff)
  }
}

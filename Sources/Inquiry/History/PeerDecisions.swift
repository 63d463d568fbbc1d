import Domain
import EventStore

/// What was decided about peers' edits, as far as it was read.
struct PeerDecisions {
  private struct Field: Hashable {
    var stream: String
    var name: String
  }

  /// By exchange: where an edit was taken whose author had not seen what it replaced.
  private var unseen: [UInt128: Set<Field>] = [:]
  /// Peers' edits that do not hold here, though whoever's holds in their place had not seen them.
  private(set) var lost: [DriftReport.Finding] = []
  /// Decisions that cannot be decoded.
  private(set) var unreadable = 0

  /// Takes in an event of the log; all but decisions are nothing.
  mutating func take(_ stored: StoredEvent) {
    guard stored.kind.hasPrefix("sync.reconciled.") || stored.kind.hasPrefix("sync.mirrored.")
    else { return }
    guard let recorded = Entry(stored).recorded else {
      unreadable += 1
      return
    }
    switch recorded.event {
    case .sync(.reconciled(let it)):
      unseen[it.exchange] = unseen[it.exchange] ?? []
      for one in it.decisions where one.isConflict {
        take(
          .init(stream: one.stream, name: one.field), one.winner, ours: one.ours,
          theirs: one.theirs, it.exchange, recorded, stored)
      }
    case .sync(.mirrored(let it)):
      unseen[it.exchange] = unseen[it.exchange] ?? []
      for one in it.decisions where one.isConflict {
        take(
          .init(stream: one.stream, name: one.field), one.winner, ours: one.ours,
          theirs: one.theirs, it.exchange, recorded, stored)
      }
    case _: break
    }
  }

  private mutating func take(
    _ field: Field, _ winner: SyncEvent.Winner, ours: Image.Value, theirs: Image.Value,
    _ exchange: UInt128, _ recorded: Recorded, _ stored: StoredEvent
  ) {
    switch winner {
    case .theirs: unseen[exchange, default: []].insert(field)
    case .ours:
      lost.append(
        DriftReport.Finding(
          stream: field.stream, field: field.name, rules: [.lostInSync], before: theirs,
          after: ours, edit: ConfigurationChange(recorded, stored), base: nil,
          revision: stored.revision.rawValue, replaced: nil, replacedRevision: nil, original: nil))
    }
  }

  /// Whether the author of a peer's change had not seen what it replaced; nil: no decision says so.
  func isUnseen(_ provenance: Provenance, _ stream: String, _ field: String) -> Bool? {
    guard let exchange = provenance.correlation, let fields = unseen[exchange] else { return nil }
    return fields.contains(.init(stream: stream, name: field))
      || fields.contains(.init(stream: stream, name: ""))
  }
}

/// How far the generations of an account's credential had come, by its own stream.
///
/// The fold of the configuration takes no older one, whatever the log says; here it is noticed.
struct GenerationLadder {
  private var highest: (version: Credential.Version, change: ConfigurationChange, revision: UInt64)?
  private var homeEpoch: UInt64 = 0

  /// Takes in the next event of the stream; all but what puts a credential in force is nothing.
  mutating func take(_ recorded: Recorded, _ stored: StoredEvent) -> DriftReport.Finding? {
    let version: Credential.Version
    switch recorded.event {
    case .credential(.issued(let it)):
      version = .init(homeEpoch: it.homeEpoch, generation: it.generation)
    case .credential(.refreshed(let it)):
      version = .init(homeEpoch: homeEpoch, generation: it.generation)
    case .credential(.homeMoved(let it)):
      homeEpoch = max(homeEpoch, it.homeEpoch)
      return nil
    case _: return nil
    }
    homeEpoch = max(homeEpoch, version.homeEpoch)
    let change = ConfigurationChange(recorded, stored)
    // A higher epoch is another home: it excuses no lower number, and two secrets of one number were made apart.
    guard let before = highest,
      (version.generation, version.homeEpoch)
        <= (before.version.generation, before.version.homeEpoch)
    else {
      highest = (version, change, stored.revision.rawValue)
      return nil
    }
    return DriftReport.Finding(
      stream: stored.stream, field: "credentialGeneration", rules: [.generationFell],
      before: .number(before.version.generation), after: .number(version.generation),
      edit: change, base: recorded.provenance.base, revision: stored.revision.rawValue,
      replaced: before.change, replacedRevision: before.revision, original: nil)
  }
}

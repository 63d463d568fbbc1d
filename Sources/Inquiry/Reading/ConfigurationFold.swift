public import Domain
import EventStore

/// The configuration as the log tells it up to a position, with who changed what last.
struct ConfigurationFold {
  /// Stands for the password among the streams: it is no setting that routing knows.
  static let password = "settings/admin-password"

  private(set) var state = ControlState.initial
  /// By stream, the administrator's password apart: the event that last changed it.
  private(set) var changes: [String: ConfigurationChange] = [:]
  /// Damaged ranges on the way: what they held is missing from the state.
  private(set) var gaps: [LogGap] = []
  /// Configuration events whose bytes could not be decoded.
  private(set) var unreadable = 0

  /// Configuration events of kinds that this build does not know.
  private(set) var unknown = 0

  mutating func apply(_ gap: LogGap) { gaps.append(gap) }

  mutating func apply(_ entry: Entry) {
    guard ConfigurationFold.isRelevant(entry.stored.kind) else { return }
    guard let recorded = entry.recorded else {
      unreadable += 1
      return
    }
    state.apply(recorded)
    guard recorded.event != nil else {
      unknown += 1
      return
    }
    let isPassword = recorded.event == .settings(.adminPasswordSet)
    changes[isPassword ? ConfigurationFold.password : entry.stored.stream] = ConfigurationChange(
      stream: entry.stored.stream, kind: entry.stored.kind, place: entry.place,
      position: entry.stored.position.rawValue, time: entry.time,
      actor: recorded.provenance.actor, source: recorded.provenance.source)
  }

  /// Whether events of this kind can change the configuration; spares decoding the many that cannot.
  static func isRelevant(_ kind: String) -> Bool {
    !kind.hasPrefix("request.") && !kind.hasPrefix("gateway.")
  }

  /// Folds the log from its beginning.
  ///
  /// - Parameter isEnd: whether the position is the log's end, so that damage behind it counts.
  static func through(
    _ position: Position, isEnd: Bool = false, of log: LogReader, progress: Progress?
  ) throws(InquiryFault) -> ConfigurationFold {
    var fold = ConfigurationFold()
    let through = isEnd ? nil : position
    try log.read(from: Position(1), through: through, progress: progress) { entry in
      switch entry {
      case .gap(let gap): fold.apply(gap)
      case .event(let stored):
        // The log may have grown meanwhile.
        guard stored.position <= position else { return }
        if isRelevant(stored.kind) { fold.apply(Entry(stored)) }
      }
    }
    return fold
  }
}

/// The event that last changed a part of the configuration.
public struct ConfigurationChange: Sendable, Hashable {
  /// For example `account/mock-a1`.
  public var stream: String
  /// Wire kind.
  public var kind: String
  /// `epoch:position`.
  public var place: String
  /// In the log.
  public var position: UInt64
  /// When, by the author's clock.
  public var time: UnixNanoseconds
  /// Who.
  public var actor: String
  /// Through which door.
  public var source: Source

  var text: String {
    "\(place) \(rfc3339(time)) \(Shown.text(stream)) \(Shown.text(kind)) by \(Shown.text(actor)) "
      + "via \(source.name)"
  }

  var json: JSONTree {
    .object([
      .init("at", .text(place)), .init("time", .text(rfc3339(time))),
      .init("stream", .text(stream)), .init("kind", .text(kind)), .init("actor", .text(actor)),
      .init("source", .text(source.name)),
    ])
  }
}

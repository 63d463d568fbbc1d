import Domain
import EventStore

/// What the log has of a name that nobody knew when it was asked for.
public struct NameHistory: Sendable, Hashable {
  /// As it was asked for, or as an alias said.
  public var name: String
  /// The last event that gave the name a meaning or took one from it; nil: none did.
  public var last: ConfigurationChange?
  /// That event in words.
  public var what: String?
  /// Names that were known then and come near it.
  public var near: [String]
  /// Whether all that was configured before is there: of a bundle it need not be.
  public var isWhole: Bool

  /// Events of one provider that are looked at, the newest ones.
  private static let eventsMax: UInt64 = 4_096

  /// Looks at the name's own streams, and at those of all providers that there ever were.
  init(
    _ name: String, near: [String], _ book: SnapshotShelf.Book, before position: UInt64,
    in log: LogReader
  ) throws(InquiryFault) {
    (self.name, self.near) = (name, near)
    isWhole = log.bundle.map { $0.isHistoryWhole && !$0.isMinimised } ?? true
    let own = [aliasStream(name), comboStream(name)]
    // Of the others only those whose events can be about the name.
    let streams = book.changes.keys.filter { stream in
      switch Subject(stream: stream) {
      case .provider: true
      case .model(let id): name == id.name || name.hasSuffix("/" + id.name)
      case _: own.contains(stream)
      }
    }
    for stream in streams.sorted() {
      guard let subject = Subject(stream: stream), let change = book.changes[stream] else {
        continue
      }
      let from = change.position > last?.position ?? 0
      // Nothing of this stream is newer than what is found.
      guard from else { continue }
      try look(at: subject, isOwn: own.contains(stream), before: position, in: log)
    }
  }

  private mutating func look(
    at subject: Subject, isOwn: Bool, before position: UInt64, in log: LogReader
  ) throws(InquiryFault) {
    var state = ControlState.initial
    state.holdPlace(for: subject)
    let facts = RequestFacts(
      model: name, organisation: nil, key: nil, operation: .chatCompletions)
    func places(_ state: ControlState) -> [Resolution.Place] {
      RoutingSnapshot(state).resolution(of: facts, in: state).places
    }
    var (found, words) = (last, what)
    do throws(StoreError) {
      let end = log.revision(of: subject.stream).rawValue
      let start = end > Self.eventsMax ? end - Self.eventsMax : 1
      let first = try Replay.wholeRevision(of: subject.stream, before: start + 1, in: log)
      try log.forwards(ofStream: subject.stream, from: Revision(first)) { stored in
        guard stored.position.rawValue < position else { return false }
        let entry = Entry(stored)
        guard let recorded = entry.recorded else { return true }
        let before = state
        state.apply(recorded)
        let isTouched =
          switch subject {
          // A model that is switched off is no model of a provider that is told alone.
          case .model: true
          case .provider: places(before) != places(state)
          case _: isOwn
          }
        if isTouched, stored.position.rawValue > found?.position ?? 0 {
          found = ConfigurationChange(
            LastChange(recorded, epoch: stored.epoch.rawValue), stream: subject.stream)
          words = EventLine.text(entry, before: before)
        }
        return true
      }
    } catch { throw InquiryFault(error) }
    (last, what) = (found, words)
  }

  /// The rest of a line.
  var text: String {
    let quoted = "`\(Shown.text(name))`"
    guard let last, let what else {
      return isWhole
        ? "\(quoted) never meant anything: no event before the request gave it a meaning"
        : "\(quoted): this bundle has no event that gave it a meaning"
    }
    return "\(quoted) was last touched by \(last.place) \(rfc3339(last.time)) \(what)"
  }

  var json: JSONTree {
    .object([
      .init("name", .text(name)), .init("last", last?.json ?? .null), .init("what", .text(what)),
      .init("near", .array(near.map { .text($0) })), .init("isWhole", .bool(isWhole)),
    ])
  }
}

extension Resolution {
  private static let shownMax = 8

  /// The rest of a line: `mock/gpt-4o-mini, by an alias for mock/gpt-4o-mini`.
  var text: String {
    let places = places.prefix(Self.shownMax).map {
      "\(Shown.text($0.provider.rawValue))/\(Shown.text($0.model))"
    }
    let more = self.places.count > Self.shownMax ? ", …" : ""
    let meaning = places.isEmpty ? "nothing" : places.joined(separator: ", ") + more
    return switch step {
    case .prefix: "\(meaning), as it is written"
    case .alias: "\(meaning), by an alias for \(Shown.list(targets))"
    case .combo: "\(meaning), by a combo"
    case .policy: "\(meaning), by the policy \(Shown.list(targets))"
    case .bare: "\(meaning), by its bare name"
    case .nothing: "nothing"
    }
  }

  var json: JSONTree {
    .object([
      .init("step", .text(step.rawValue)), .init("targets", .array(targets.map { .text($0) })),
      .init(
        "models", .array(places.map { .text("\($0.provider.rawValue)/\($0.model)") })),
    ])
  }
}

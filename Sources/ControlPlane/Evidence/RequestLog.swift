import Domain
import EventStore

/// Reads requests back from the log.
///
/// Blocks on the disk: call it beside the cooperative pool.
struct RequestLog: Sendable {
  let reader: LogReader

  /// Requests looked at for one client id; more are said to be there, not read.
  static let maximumOccurrences = 1000
  /// Events read for one list of recent requests: 16,384.
  static let maximumWindow: UInt64 = 1 << 14

  /// One request with the places of its events.
  struct Entry: Sendable {
    var story: RequestStory
    /// Epoch of each position of the story.
    var epochs: [UInt64: UInt64]

    /// Position of its newest event.
    var last: UInt64 { epochs.keys.max() ?? 0 }
    var organisation: OrganisationID? {
      story.finished?.fact.organisation ?? story.dispatched?.fact.organisation
        ?? story.interrupted?.fact.organisation
    }
    var receivedAt: UnixNanoseconds? {
      story.finished?.fact.receivedAt ?? story.dispatched?.fact.receivedAt
    }

    /// `epoch:position`.
    func place(_ position: UInt64) -> String { "\(epochs[position] ?? 0):\(position)" }
  }

  /// Requests by the gateway's id or the client's own, newest first.
  ///
  /// - Parameter organisation: Only this one's are counted and found; nil: all.
  /// - Returns: at most `maximumOccurrences` among the newest `maximumWindow` events of the id, and
  ///   whether there may be more.
  func find(
    _ id: String, of organisation: OrganisationID?
  ) throws -> (entries: [Entry], hasMore: Bool) {
    var ids: [RequestID: UInt64] = [:]
    var looks: UInt64 = 0
    if let raw = parseUUID(id) {
      let request = RequestID(raw)
      if let last = try reader.positions(forKey: request.lookupKey).last {
        ids[request] = last.rawValue
      }
    }
    var hasMore = false
    // A client's id is recorded as visible ASCII of at most 128 bytes; nothing else can be found.
    if (1...128).contains(id.utf8.count) {
      let positions = try reader.positions(forKey: lookupKey(clientRequestID: id))
      for position in positions.reversed() {
        looks += 1
        guard ids.count < Self.maximumOccurrences, looks <= Self.maximumWindow else {
          hasMore = true
          break
        }
        guard let stored = try reader.event(at: position),
          let (request, owner) = Self.identity(try recorded(stored)),
          organisation == nil || owner == organisation
        else { continue }
        ids[request] = max(ids[request] ?? 0, position.rawValue)
      }
    }
    let entries = try ids.sorted { ($0.value, $0.key) > ($1.value, $1.key) }
      .map { try entry($0.key) }
      .filter { organisation == nil || $0.organisation == organisation }
    return (entries, hasMore)
  }

  /// The newest requests, and how far back was looked for them.
  struct Recent: Sendable {
    var entries: [Entry]
    /// False: fewer than asked for, and there may be older ones before `scannedTo`.
    var isComplete: Bool
    /// The oldest event looked at, `epoch:position`; nil in an empty log.
    var scannedTo: String?
  }

  /// The newest requests, at most `limit`, newest first.
  ///
  /// Looks back over a bounded window of the log, wider only where configuration and requests in
  /// flight take the room.
  func recent(_ limit: Int) throws -> Recent {
    let last = reader.last.rawValue
    var window = UInt64(limit) * 2
    while true {
      let from = last > window ? last - window + 1 : 1
      let entries = try entries(from: from, through: last)
      let isComplete = entries.count >= limit || from == 1
      if isComplete || window >= Self.maximumWindow {
        let oldest = last == 0 ? nil : try reader.event(at: Position(from))
        return Recent(
          entries: Array(entries.prefix(limit)), isComplete: isComplete,
          scannedTo: oldest.map { "\($0.epoch):\(from)" })
      }
      window = min(window * 4, Self.maximumWindow)
    }
  }

  private func entries(from: UInt64, through: UInt64) throws -> [Entry] {
    guard through >= from else { return [] }
    var found: [RequestID: Entry] = [:]
    try reader.scan(from: Position(from), through: Position(through)) { entry in
      guard case .event(let stored) = entry, stored.stream == requestStream else {
        return .continue
      }
      let event = try recorded(stored)
      if let (id, _) = Self.identity(event) {
        found[id, default: Entry(story: RequestStory(id: id), epochs: [:])].take(event, stored)
      }
      return .continue
    }
    return found.values.sorted { ($0.last, $0.story.id) > ($1.last, $1.story.id) }
  }

  private func entry(_ id: RequestID) throws -> Entry {
    var entry = Entry(story: RequestStory(id: id), epochs: [:])
    for position in try reader.positions(forKey: id.lookupKey) {
      guard let stored = try reader.event(at: position) else { continue }
      entry.take(try recorded(stored), stored)
    }
    return entry
  }

  private static func identity(_ recorded: Recorded) -> (RequestID, OrganisationID?)? {
    guard case .request(let event) = recorded.event else { return nil }
    switch event {
    case .dispatched(let fact): return (fact.id, fact.organisation)
    case .finished(let fact): return (fact.id, fact.organisation)
    case .interrupted(let fact): return (fact.id, fact.organisation)
    case .deliveryFailed(let fact): return (fact.id, nil)
    case .deniedSummary: return nil
    }
  }
}

extension RequestLog.Entry {
  fileprivate mutating func take(_ recorded: Recorded, _ stored: StoredEvent) {
    story.apply(recorded)
    epochs[stored.position.rawValue] = stored.epoch.rawValue
  }
}

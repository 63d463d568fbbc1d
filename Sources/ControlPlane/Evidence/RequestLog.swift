import Domain
import EventStore
import Inquiry
import Views

/// Reads requests back from the log.
///
/// Blocks on the disk: call it beside the cooperative pool.
struct RequestLog: Sendable {
  let reader: LogReader

  /// Requests looked at for one client id; more are said to be there, not read.
  static let maximumOccurrences = 1000
  /// Events of one client id looked at: 16,384.
  static let maximumWindow: UInt64 = 1 << 14
  /// Pages of the log (`ViewDelta`) read for one list.
  var maximumPages = 128

  /// One request with the places of its events.
  struct Entry: Sendable {
    var story: RequestStory
    /// Epoch of each position of the story.
    var epochs: [UInt64: UInt64]

    /// Whether the log says how it ended.
    var hasEnd: Bool { story.finished != nil || story.interrupted != nil }

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

  /// One page of a list of requests, and how far back was looked for it.
  struct List: Sendable {
    var entries: [Entry]
    /// False: fewer than asked for, and there may be older ones before `scannedTo`.
    var isComplete: Bool
    /// The oldest event looked at, `epoch:position`; nil in an empty log.
    var scannedTo: String?
    /// Before which position the next page begins; nil: there is no more.
    var next: UInt64?
  }

  /// Requests that a filter admits, by the place of their end, or of their beginning while they have none; newest first.
  ///
  /// Looks only at pages of the log that have a mark of what is wanted, and at those that the views do not have yet,
  /// a bounded number of them.
  ///
  /// - Parameters:
  ///   - before: Only those placed before; nil: from the end.
  ///   - marks: What a page must have; empty: every page counts.
  func list(
    _ filter: RequestFilter, marks: [[RequestMark]] = [], before: UInt64? = nil, limit: Int,
    views: ViewKeeper.Reading? = nil
  ) throws -> List {
    var end = min(before.map { $0 - 1 } ?? .max, reader.last.rawValue)
    if let until = filter.until {
      // What is later all the same is passed over one by one.
      end = min(end, try reader.lastPosition(before: until.rawValue).rawValue)
    }
    let begin =
      try filter.since.map { try reader.firstPosition(atOrAfter: $0.rawValue).rawValue } ?? 1
    var list = List(entries: [], isComplete: true)
    var looked = end + 1
    var pages = Pages(
      end: end, begin: max(1, begin), marks: marks, views: views, limit: maximumPages)
    var count = 0
    while let page = try pages.next() {
      guard count < maximumPages else {
        list.isComplete = false
        break
      }
      count += 1
      let from = max(ViewDelta.positions(ofPage: page).lowerBound, max(1, begin))
      let through = min(ViewDelta.positions(ofPage: page).upperBound, end)
      looked = from
      for candidate in try candidates(filter, from: from, through: through).reversed() {
        guard list.entries.count < limit else {
          looked = candidate.position + 1
          list.next = looked
          break
        }
        guard try mayBegin(candidate, filter) else { continue }
        let entry = try entry(candidate.id)
        // What has its end further on is listed there, once.
        guard filter.place(of: entry.story)?.position == candidate.position,
          filter.admits(entry.story)
        else { continue }
        list.entries.append(entry)
      }
      if list.next == nil, list.entries.count == limit, from > max(1, begin) { list.next = from }
      if list.next != nil { break }
    }
    if !list.isComplete { list.next = looked }
    if list.isComplete, list.next == nil { looked = max(1, begin) }
    if reader.last > .origin,
      let oldest = try reader.event(at: Position(min(looked, reader.last.rawValue)))
    {
      list.scannedTo = "\(oldest.epoch):\(oldest.position)"
    }
    return list
  }

  /// An event at which a request may be listed.
  private struct Candidate {
    var position: UInt64
    var id: RequestID
    /// Where the request began that was found without an end here.
    var beginning: UInt64?
  }

  /// Events in a range at which a request may be listed, ascending.
  private func candidates(
    _ filter: RequestFilter, from: UInt64, through: UInt64
  ) throws -> [Candidate] {
    guard through >= from else { return [] }
    var found: [Candidate] = []
    // Begun in the range and not ended in it.
    var open: [RequestID: UInt64] = [:]
    var sieve = RequestSieve(filter)
    try reader.events(from: Position(from), through: Position(through)) { stored in
      let position = stored.position.rawValue
      switch try sieve.look(at: stored) {
      case .candidate(let id):
        open[id] = nil
        found.append(Candidate(position: position, id: id))
      case .interruption(let id, let beginning):
        open[id] = nil
        found.append(Candidate(position: position, id: id, beginning: beginning))
      case .end(let id): open[id] = nil
      case .beginning(let id): open[id] = open[id] ?? position
      case .nothing: break
      }
    }
    for (id, position) in open { found.append(Candidate(position: position, id: id)) }
    return found.sorted { $0.position < $1.position }
  }

  /// Whether a candidate's beginning, where one is told and matters, is as wanted: after a crash a page is full of
  /// those, and what all the log has of each would take too long to read.
  private func mayBegin(_ candidate: Candidate, _ filter: RequestFilter) throws -> Bool {
    guard filter.isOfBeginnings, let beginning = candidate.beginning,
      let fact = try dispatched(at: beginning), fact.id == candidate.id
    else { return true }
    return filter.mayAdmit(fact)
  }

  /// The pages of the log to look at, newest first.
  private struct Pages {
    private let begin: UInt64
    private let marks: [[RequestMark]]
    private let views: ViewKeeper.Reading?
    private let limit: Int
    /// The newest page that was not given yet; nil: there is none.
    private var at: UInt64?
    private var known: [UInt64] = []
    private var hasAll = false

    init(
      end: UInt64, begin: UInt64, marks: [[RequestMark]], views: ViewKeeper.Reading?, limit: Int
    ) {
      self.limit = limit
      self.begin = ViewDelta.page(of: begin)
      self.marks = marks
      self.views = views
      at = end >= begin ? ViewDelta.page(of: end) : nil
    }

    mutating func next() throws -> UInt64? {
      guard let page = at else { return nil }
      // The page up to which the views are may have more behind.
      guard !marks.isEmpty, let views, page < ViewDelta.page(of: views.position.rawValue) else {
        at = page > begin ? page - 1 : nil
        return page
      }
      if known.isEmpty, !hasAll {
        known = try views.views.pages(
          with: marks, through: page, limit: limit
        ).reversed()
        hasAll = known.count < limit
      }
      guard let found = known.popLast(), found >= begin else {
        at = nil
        return nil
      }
      at = found > begin ? found - 1 : nil
      return found
    }
  }

  /// The beginning of a request that stands at a position; nil: another event does, or none.
  func dispatched(at position: UInt64) throws -> RequestEvent.Dispatched? {
    guard let stored = try reader.event(at: Position(position)),
      case .request(.dispatched(let fact)) = try recorded(stored).event
    else { return nil }
    return fact
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
    return identity(event)
  }

  private static func identity(_ event: RequestEvent) -> (RequestID, OrganisationID?)? {
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

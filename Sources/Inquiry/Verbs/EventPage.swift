import Domain
public import EventStore

/// A part of the log's events, read in one direction with a bounded amount of work.
public struct EventPage: Sendable {
  /// Where reading begins, and which way it goes.
  public enum Direction: Sendable, Hashable {
    /// From the event behind this position, in the log's order.
    case forwards(behind: Position)
    /// From the event before this position, the newest first; nil: from the end.
    case backwards(before: Position?)
  }

  /// An event, or a range that cannot be read.
  public struct Item: Sendable {
    /// `epoch:position`; of a range that cannot be read: its last position.
    public var place: String
    /// Its wire kind; nil: it is a range that cannot be read.
    public var kind: String?
    /// All that is known of it; sealed bytes never.
    public var json: JSONTree
  }

  /// How much one page may be, and cost.
  public struct Bounds: Sendable {
    /// Events of the page.
    public var events: Int
    /// Events looked at for it.
    public var looks: Int
    /// Bytes of the events' records, beyond which there is no further one.
    public var bytes: Int

    /// Bounds for one page.
    public init(events: Int, looks: Int = 32_768, bytes: Int = 4 << 20) {
      self.events = events
      self.looks = looks
      self.bytes = bytes
    }
  }

  /// In the order of reading.
  public internal(set) var items: [Item] = []
  /// False: the work of one page was done before the page was full, and there is more to look at.
  public internal(set) var isComplete = true
  /// The last position looked at in the direction of reading; nil: there was nothing to look at.
  public internal(set) var reached: Position?
  /// Behind, or before, which the next page begins; nil: there is no more in this direction.
  public internal(set) var next: Position?
}

extension Replay {
  /// Events that a filter admits, as many as the bounds allow.
  ///
  /// A stream's and a request's events are found by the log's index; for anything else the log is read. Times bound
  /// what is read as they do in a window: at the first event, in the log's order, that is not earlier.
  public static func events(
    in log: LogReader, _ filter: EventFilter, _ direction: EventPage.Direction,
    _ bounds: EventPage.Bounds
  ) throws(InquiryFault) -> EventPage {
    do {
      return try EventReading(log, filter, direction, bounds).read()
    } catch let fault as InquiryFault {
      throw fault
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
  }

  /// The position that `123` or `2:123` names.
  ///
  /// - Throws: `.usage` for anything else, `.notFound` if it names an event that this log does not hold.
  public static func position(_ text: String, in log: LogReader) throws(InquiryFault) -> Position {
    guard case .position(let number, let epoch)? = try? Selector(text) else {
      throw InquiryFault(
        .usage,
        "`\(Shown.text(String(text.prefix(64))))` is no position: write `123`, or `2:123` as answers show it."
      )
    }
    let last = log.last
    guard number <= last.rawValue else {
      throw InquiryFault(
        .notFound,
        "There is no event \(Shown.text(String(text.prefix(64)))): the log ends at \(last)."
      )
    }
    return try Selector.position(number, epoch: epoch).resolve(
      in: log, now: UnixNanoseconds(0), edge: .from)
  }

  /// `epoch:position` of what stands at a position, or the position alone where that cannot be read.
  public static func place(_ position: Position, in log: LogReader) throws(InquiryFault) -> String {
    let event = try reading { () throws(StoreError) in try log.event(at: position) }
    return event.map { "\($0.epoch):\(position)" } ?? "\(position)"
  }
}

/// One page being read; used by one thread, within one call.
private final class EventReading {
  /// Events of one portion when reading backwards.
  private static let portion: UInt64 = 512

  private let log: LogReader
  private let filter: EventFilter
  private let test: EventFilter.Test
  private let direction: EventPage.Direction
  private let bounds: EventPage.Bounds
  private var page = EventPage()
  private var looks = 0
  private var bytes = 0
  /// The last position looked at.
  private var at: UInt64?
  /// There is more to look at, and no room for it.
  private var isStopped = false

  init(
    _ log: LogReader, _ filter: EventFilter, _ direction: EventPage.Direction,
    _ bounds: EventPage.Bounds
  ) {
    self.log = log
    self.filter = filter
    self.direction = direction
    self.bounds = bounds
    test = EventFilter.Test(filter)
  }

  private var isFull: Bool { page.items.count >= bounds.events || bytes >= bounds.bytes }
  private var isForwards: Bool { if case .forwards = direction { true } else { false } }

  func read() throws -> EventPage {
    var (first, last): (UInt64, UInt64) = (1, log.last.rawValue)
    switch direction {
    case .forwards(let behind): first = behind.next.rawValue
    case .backwards(let before?): last = min(last, max(before.rawValue, 1) - 1)
    case .backwards(nil): break
    }
    if let from = filter.from {
      first = max(first, try log.firstPosition(atOrAfter: from.rawValue).rawValue)
    }
    if let to = filter.to {
      last = min(last, try log.lastPosition(before: to.rawValue).rawValue)
    }
    guard first <= last else { return page }
    if let stream = filter.stream, stream != requestStream {
      try readStream(stream, first, last)
    } else if let request = filter.request {
      try readRequest(request, first, last)
    } else {
      try readAll(first, last)
    }
    page.reached = Position(isStopped ? at ?? first : isForwards ? last : first)
    if isStopped { page.next = page.reached }
    page.isComplete = !isStopped || page.items.count >= bounds.events
    return page
  }

  // MARK: Ways to read

  private func readStream(_ stream: String, _ first: UInt64, _ last: UInt64) throws {
    let take = { [self] (stored: StoredEvent) -> Bool in
      let position = stored.position.rawValue
      guard (first...last).contains(position) else { return false }
      return look(at: position) { test.admits(stored) ? stored : nil }
    }
    if isForwards {
      try log.forwards(ofStream: stream, behind: Position(first - 1)) {
        (stored: StoredEvent) throws -> Bool in take(stored)
      }
    } else {
      try log.backwards(ofStream: stream, before: Position(last).next) { take($0) }
    }
  }

  private func readRequest(_ request: String, _ first: UInt64, _ last: UInt64) throws {
    let positions = try RequestLookup.positions(of: request, in: log).map(\.rawValue)
    guard positions.isEmpty else {
      let wanted = positions.filter { (first...last).contains($0) }
      for position in isForwards ? wanted : wanted.reversed() {
        let stored = try log.event(at: Position(position))
        // What goes by a client's id has events that carry only the gateway's.
        var rest = filter
        rest.request = nil
        let test = EventFilter.Test(rest)
        guard look(at: position, { stored.flatMap { test.admits($0) ? $0 : nil } }) else { return }
      }
      return
    }
    // Perhaps the id of a request that changed something: that comes after the time which such an id tells.
    var first = first
    if let made = parseUUID(request).flatMap(Self.time) {
      first = max(first, try log.firstPosition(atOrAfter: made).rawValue)
    }
    if first <= last { try readAll(first, last) }
  }

  /// The time in a UUID of version 7, in nanoseconds; nil for any other.
  private static func time(_ id: UInt128) -> Int64? {
    guard id >> 76 & 0xF == 7 else { return nil }
    return Int64(id >> 80) * 1_000_000
  }

  private func readAll(_ first: UInt64, _ last: UInt64) throws {
    if isForwards { return try readForwards(first, last) }
    var end = last
    while end >= first, !isStopped {
      let begin = max(first, end >= Self.portion ? end - Self.portion + 1 : 1)
      let found = try portion(begin, end)
      for entry in found.reversed() {
        guard !isFull else {
          isStopped = true
          return
        }
        add(entry)
        switch entry {
        case .event(let stored): at = stored.position.rawValue
        case .gap(let gap): at = max(gap.first.rawValue, begin)
        }
      }
      looks += Int(end - begin + 1)
      at = begin
      isStopped = begin > first && (isFull || looks >= bounds.looks)
      end = begin - 1
    }
  }

  private func readForwards(_ first: UInt64, _ last: UInt64) throws {
    try log.scanViews(
      from: Position(first), through: Position(last),
      gap: { gap in
        guard !isFull else {
          isStopped = true
          return .stop
        }
        add(.gap(gap))
        at = min(gap.last?.rawValue ?? last, last)
        return .continue
      },
      event: { event in
        guard !isFull, looks < bounds.looks else {
          isStopped = true
          return .stop
        }
        looks += 1
        at = event.position.rawValue
        if test.mayAdmit(event) {
          let stored = event.copied()
          if test.admits(stored) { add(.event(stored)) }
        }
        return .continue
      })
  }

  /// What is wanted of a range, in the log's order.
  private func portion(_ first: UInt64, _ last: UInt64) throws -> [LogEntry] {
    var found: [LogEntry] = []
    try log.scanViews(
      from: Position(first), through: Position(last),
      gap: { gap in
        found.append(.gap(gap))
        return .continue
      },
      event: { event in
        if test.mayAdmit(event) {
          let stored = event.copied()
          if test.admits(stored) { found.append(.event(stored)) }
        }
        return .continue
      })
    return found
  }

  // MARK: The page

  /// Looks at one event; false: there was no room for it any more.
  private func look(at position: UInt64, _ wanted: () -> StoredEvent?) -> Bool {
    guard !isFull, looks < bounds.looks else {
      isStopped = true
      return false
    }
    looks += 1
    at = position
    if let stored = wanted() { add(.event(stored)) }
    return true
  }

  private func add(_ entry: LogEntry) {
    switch entry {
    case .event(let stored):
      let entry = Entry(stored)
      bytes += stored.payload.count
      page.items.append(
        EventPage.Item(place: entry.place, kind: stored.kind, json: .object(entry.members)))
    case .gap(let gap):
      page.items.append(
        EventPage.Item(place: "\(gap.last ?? gap.first)", kind: nil, json: gap.json))
    }
  }
}

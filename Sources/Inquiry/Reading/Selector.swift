public import Domain
import EventStore

/// A way to name a moment of the log.
public enum Selector: Sendable, Hashable {
  /// `123`, or `2:123` with the epoch to be checked.
  case position(UInt64, epoch: UInt64?)
  /// An RFC 3339 time.
  case time(UnixNanoseconds)
  /// Nanoseconds before now, as in `-15m`.
  case ago(Int64)
  /// A gateway's or a client's request id.
  case request(String)
  case event(UInt128)

  /// The forms, for help texts and faults.
  public static let forms =
    "a position (`123`, `2:123`), an RFC 3339 time (`2026-11-20T14:00:00Z`), a time ago (`-15m`), "
    + "`request:<id>` or `event:<id>`"

  /// Reads a selector.
  public init(_ text: String) throws(InquiryFault) {
    if let rest = text.dropping(prefix: "request:") {
      guard (1...128).contains(rest.utf8.count) else { throw Selector.fault(text) }
      self = .request(rest)
      return
    }
    if let rest = text.dropping(prefix: "event:") {
      guard let id = parseUUID(rest) else {
        throw InquiryFault(
          .usage, "\(Selector.quoted(text)) does not name an event: an event's id is a UUID.")
      }
      self = .event(id)
      return
    }
    if text.hasPrefix("-") {
      guard let duration = parseDuration(text), duration <= 0, duration > Int64.min else {
        throw InquiryFault(
          .usage,
          "\(Selector.quoted(text)) is not a time ago: write for example `-15m`, `-2h30m`, `-90s`.")
      }
      self = .ago(-duration)
      return
    }
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    let numbers = parts.map { part in
      part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? UInt64(part) : nil
    }
    if numbers.count == 1, let position = numbers[0] {
      self = .position(position, epoch: nil)
      return
    }
    if numbers.count == 2, let epoch = numbers[0], let position = numbers[1] {
      self = .position(position, epoch: epoch)
      return
    }
    guard let time = parseRFC3339(text) else { throw Selector.fault(text) }
    self = .time(time)
  }

  private static func quoted(_ text: String) -> String {
    "`\(Shown.text(String(text.prefix(64))))`"
  }

  private static func fault(_ text: String) -> InquiryFault {
    InquiryFault(.usage, "\(quoted(text)) names no moment of the log. Write \(forms).")
  }
}

extension Selector {
  /// Refuses a range whose ends stand the wrong way round, as far as they tell that without the log.
  ///
  /// - Throws: `.usage`.
  public static func check(
    from: Selector?, to: Selector?, now: UnixNanoseconds
  ) throws(InquiryFault) {
    let isReversed: Bool =
      switch (from, to) {
      case (.position(let first, _), .position(let last, _)): first > last
      case (let from?, let to?):
        from.time(now: now).map { first in to.time(now: now).map { first > $0 } ?? false } ?? false
      case _: false
      }
    if isReversed {
      throw InquiryFault(.usage, "The range ends before it begins: exchange --from and --to.")
    }
  }

  /// Which side of a range a selector stands on.
  enum Edge {
    case from
    case to
  }

  /// The position meant: the first of the range for `.from`, the last for `.to`.
  ///
  /// Of a time that is the first event at or after it, or the last one at or before it: clocks are set, and all events with
  /// the times of a range lie in it, others perhaps too. May lie beyond the log's end or be 0; ranges are cut by the
  /// caller.
  func resolve(
    in log: LogReader, now: UnixNanoseconds, edge: Edge
  ) throws(InquiryFault) -> Position {
    switch self {
    case .position(let position, let epoch):
      if let epoch,
        let event = try reading({ () throws(StoreError) in
          try log.event(at: Position(position))
        }), event.epoch.rawValue != epoch
      {
        throw InquiryFault(
          .notFound,
          "Position \(position) is of epoch \(event.epoch), not \(epoch): what \(epoch):\(position) "
            + "named is not in this log.")
      }
      return Position(position)
    case .time(let time):
      return try Selector.position(of: time.rawValue, in: log, edge)
    case .ago(let nanoseconds):
      let (time, isTooEarly) = now.rawValue.subtractingReportingOverflow(nanoseconds)
      return try Selector.position(of: isTooEarly ? 0 : max(0, time), in: log, edge)
    case .request(let id):
      let positions = try RequestLookup.positions(of: id, in: log)
      guard let first = positions.first, let last = positions.last else {
        try Replay.refuseIfDamaged("request `\(Shown.text(id))`", behind: nil, in: log)
        throw InquiryFault(.notFound, "No event of request `\(Shown.text(id))` is in this log.")
      }
      return edge == .from ? first : last
    case .event(let id):
      let found = try reading { () throws(StoreError) in try log.position(of: EventID(id)) }
      guard let found else {
        try Replay.refuseIfDamaged("event \(uuidText(id))", behind: nil, in: log)
        throw InquiryFault(.notFound, "No event \(uuidText(id)) is in this log.")
      }
      return found
    }
  }

  private static func position(
    of time: Int64, in log: LogReader, _ edge: Edge
  ) throws(InquiryFault) -> Position {
    switch edge {
    case .from:
      return try reading { () throws(StoreError) in try log.firstPosition(atOrAfter: time) }
    case .to:
      return try reading { () throws(StoreError) in try log.lastPosition(atOrBefore: time) }
    }
  }
}

extension String {
  fileprivate func dropping(prefix: String) -> String? {
    hasPrefix(prefix) ? String(dropFirst(prefix.count)) : nil
  }
}

public import Domain
public import EventStore

/// The log's newest events in `window`'s lines, then each further one as it is appended.
public struct LogTail {
  /// A line, or why there is none.
  public enum Item: Sendable, Hashable {
    case event(WindowReport.Line)
    /// A damaged range.
    case gap(WindowReport.Line)
  }

  private let log: LogReader
  private let filter: WindowFilter
  private let isDetailed: Bool
  private var fold: ConfigurationFold
  /// The next one to be read.
  private var next: Position
  /// Whether it was told what is damaged behind the last readable event.
  private var isEndTold = false

  /// Begins where the last `lines` matching events stand, or at `from` if that is given.
  ///
  /// - Parameters:
  ///   - lines: How many of what is there already; at most 100,000.
  ///   - isDetailed: whether lines carry all fields, as JSON shows them.
  public init(
    _ log: LogReader, filter: WindowFilter, lines: Int, from: Selector?, now: UnixNanoseconds,
    isDetailed: Bool
  ) throws(InquiryFault) {
    self.log = log
    self.filter = filter
    self.isDetailed = isDetailed
    let first =
      if let from {
        max(try from.resolve(in: log, now: now, edge: .from), log.first)
      } else {
        try Self.begin(of: min(max(0, lines), 100_000), filter, in: log)
      }
    fold = try ConfigurationFold.through(
      Position(first.rawValue - 1), of: log, progress: nil)
    next = first
  }

  /// Where the last matching events begin, looked for from the end in portions that double.
  private static func begin(
    of lines: Int, _ filter: WindowFilter, in log: LogReader
  ) throws(InquiryFault) -> Position {
    let last = log.last
    guard lines > 0 else { return last.next }
    var portion = UInt64(max(lines, 1_024))
    while true {
      let from = max(
        log.first, Position(last.rawValue > portion ? last.rawValue - portion + 1 : 1))
      // Without names to be known, nothing before the portion matters.
      var fold =
        filter.isOfContent
        ? try ConfigurationFold.through(Position(from.rawValue - 1), of: log, progress: nil)
        : ConfigurationFold(of: log)
      // The places of the last ones, in a ring.
      var found: [Position] = []
      var count = 0
      try log.read(from: from, through: last, progress: nil) { item in
        guard case .event(let stored) = item, stored.position <= last else { return }
        if filter.isOfContent {
          let entry = Entry(stored)
          fold.apply(entry)
          guard filter.matches(entry, kind: stored.kind, fold.state) else { return }
        } else if !filter.matches(kind: stored.kind) {
          return
        }
        if found.count < lines {
          found.append(stored.position)
        } else {
          found[count % lines] = stored.position
        }
        count += 1
      }
      if count >= lines { return found[count % lines] }
      if from <= log.first { return found.first ?? last.next }
      portion = portion.multipliedReportingOverflow(by: 4).partialValue
    }
  }

  /// Reads what there is now, and gives it to `body` until that returns false.
  ///
  /// - Returns: whether `body` wants more.
  public mutating func read(_ body: (Item) -> Bool) throws(InquiryFault) -> Bool {
    let last = try reading { () throws(StoreError) in try log.refresh() }
    guard next <= last else { return try tellEnd(behind: last, body) }
    var (fold, next) = (fold, next)
    var isWanted = true
    do {
      try log.scan(from: next, through: last) { item in
        switch item {
        case .gap(let gap):
          fold.apply(gap)
          isWanted = body(.gap(WindowReport.Line(gap)))
        case .event(let stored):
          guard stored.position <= last else { return .stop }
          next = stored.position.next
          let entry = Entry(stored)
          let before = fold.state
          fold.apply(entry)
          guard filter.matches(entry, kind: stored.kind, fold.state) else { return .continue }
          let what = EventLine.text(entry, before: before)
          isWanted = body(
            .event(
              WindowReport.Line(
                place: entry.place, time: entry.time, what: what,
                members: isDetailed ? entry.members + [.init("text", .text(what))] : [])))
        }
        return isWanted ? .continue : .stop
      }
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
    self.fold = fold
    // What is damaged at the end is told once.
    self.next = isWanted ? max(next, last.next) : next
    return isWanted ? try tellEnd(behind: last, body) : false
  }

  private mutating func tellEnd(
    behind last: Position, _ body: (Item) -> Bool
  ) throws(InquiryFault) -> Bool {
    guard !isEndTold else { return true }
    isEndTold = true
    for gap in try Replay.gapsAtEnd(of: log, behind: last) {
      fold.apply(gap)
      guard body(.gap(WindowReport.Line(gap))) else { return false }
    }
    return true
  }

  /// Blocks until there is more to read, or the time is over.
  public func wait(milliseconds: Int) throws(InquiryFault) {
    let behind = Position(next.rawValue - 1)
    _ = try reading { () throws(StoreError) in
      try log.waitForEvents(after: behind, timeoutMilliseconds: milliseconds)
    }
  }
}

extension LogTail.Item {
  /// Whether a part of the log could not be shown.
  public var isGap: Bool { if case .gap = self { true } else { false } }

  /// For people, with a line break; the place is as wide as `window` would make it.
  public var text: String {
    switch self {
    case .gap(let line): "!! \(line.what)\n"
    case .event(let line):
      "\(line.time.map(rfc3339) ?? "")  \(line.place)  \(line.what)\n"
    }
  }

  /// For machines: one object on one line.
  public var json: String {
    switch self {
    case .gap(let line), .event(let line): JSONTree.object(line.members).line + "\n"
    }
  }
}

extension WindowReport.Line {
  /// Of a damaged range.
  fileprivate init(_ gap: LogGap) {
    self.init(place: "", time: nil, what: gap.text, members: [.init("gap", gap.json)])
  }
}

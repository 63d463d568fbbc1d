public import Domain
public import EventStore

/// Where a predicate became true, and where it ceased to be.
public struct BisectReport: InquiryReport, Hashable {
  /// A change of the predicate.
  public struct Turn: Sendable, Hashable {
    /// What it became.
    public var isTrue: Bool
    /// The event that did it; nil: the clock did.
    public var position: Position?
    /// `epoch:position`, empty for the clock.
    public var place: String
    /// When.
    public var time: UnixNanoseconds
    /// What happened, in words.
    public var what: String
    /// A rate ceased to be true because too few requests are left within its time: that shows no recovery.
    public var ranEmpty = false
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// As it was written.
  public var predicate: String
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// Just before the first position.
  public var wasTrue: Bool
  /// A bundle, other than a minimised one, begins within the time before the first position, so that requests of that
  /// time are not in it and are not counted.
  public var isCut = false
  /// In order.
  public var turns: [Turn]
  /// Turns that were left out: after so many the last one only is kept.
  public var omitted: UInt64
  /// Events that could have changed it.
  public var looked: UInt64
  /// Of a rate: the last request that counts, if its time was over before the window's end; nil: it was not.
  public var idleSince: LogCoverage.Moment?
  /// Damaged ranges up to the window's end.
  public var gaps: [LogGap]
  /// Events between the times asked for that have other times: they were looked at too.
  public var otherTimes: UInt64 = 0

  /// 1 if it became true, 3 if something up to the window's end is damaged, 4 if a bundle lacks what is to be counted.
  public var exitCode: ExitCode {
    if !gaps.isEmpty { return .damaged }
    if isCut { return .notReproducible }
    return turns.contains { $0.isTrue } ? .differs : .same
  }

  static let turnsMax = 1_000

  mutating func add(_ turn: Turn) {
    if turns.count < Self.turnsMax {
      turns.append(turn)
    } else {
      turns[Self.turnsMax - 1] = turn
      omitted += 1
    }
  }
}

extension Replay {
  /// Finds every position of a window at which a predicate changed.
  ///
  /// A predicate of one resource costs what its stream costs, however long the log is; one of rates reads the
  /// window's requests.
  public static func bisect(
    _ log: LogReader, _ text: String, from: Selector? = nil, to: Selector? = nil,
    now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> BisectReport {
    let predicate = try Predicate(text)
    let (first, last) = try bounds(of: log, from: from, to: to, now: now)
    var report = BisectReport(
      coverage: try LogCoverage(log), predicate: text, first: first, last: last, wasTrue: false,
      turns: [], omitted: 0, looked: 0, gaps: [])
    report.otherTimes = try countOutside(log, from: from, to: to, now: now)
    let isToEnd = last >= log.last
    report.gaps = try reading { () throws(StoreError) in try log.damage() }.filter {
      $0.first <= last || isToEnd
    }
    guard first <= last else { return report }
    if let subject = predicate.subject {
      // Of an account's health nothing need be known; the account must be.
      let known = if case .cooling(let id) = predicate { id.stream } else { subject.stream }
      try requireStream(known, in: log)
      try follow(predicate, of: subject, log, &report)
    } else if case .rate(let rate) = predicate {
      try follow(rate, log, &report, progress)
    }
    return report
  }

  private static func follow(
    _ predicate: Predicate, of subject: Subject, _ log: LogReader, _ report: inout BisectReport
  ) throws(InquiryFault) {
    func time(at position: UInt64) throws(InquiryFault) -> UnixNanoseconds? {
      try reading { () throws(StoreError) in try log.event(at: Position(position)) }
        .map { UnixNanoseconds($0.time) }
    }
    let beginning = try time(at: report.first.rawValue - 1) ?? UnixNanoseconds(0)
    var (state, follower) = (ControlState.initial, PredicateState(predicate))
    // A resource's own stream tells it; where it has a place in another one, that place is held.
    state.holdPlace(for: subject)
    // Health says of an account nothing but its id; lines tell it by its name.
    var named: ControlState?
    if case .health = subject {
      named = try ConfigurationFold.through(report.last, of: log, progress: nil).state
    }
    var isTrue = follower.isTrue(state, at: UnixNanoseconds(0))
    var fields: [String] = []
    var found = report
    // In a segment that has its index nobody has looked yet: the stream's revisions tell what cannot be read of it.
    var (next, isMissing, isOver) = (UInt64(1), false, false)
    /// Ends by the clock what is over at a time; before the window that is no turn of it.
    func end(at time: UnixNanoseconds) {
      guard isTrue, let end = follower.ends, end <= time else { return }
      isTrue = false
      if end > beginning {
        found.add(.init(isTrue: false, at: end))
      } else {
        found.wasTrue = false
      }
    }
    try reading { () throws(StoreError) in
      try log.forwards(ofStream: subject.stream, from: Revision(1)) { stored in
        isMissing = isMissing || stored.revision.rawValue != next
        next = stored.revision.rawValue + 1
        guard stored.position <= found.last else {
          isOver = true
          return false
        }
        let entry = Entry(stored)
        let isInside = stored.position >= found.first
        if isInside { found.looked += 1 }
        end(at: entry.time)
        let before = state
        if let recorded = entry.recorded { state.apply(recorded) }
        if fields.isEmpty { fields = state.image(of: subject)?.fields.map(\.name) ?? [] }
        let now = follower.isTrue(state, at: entry.time)
        if now != isTrue, isInside {
          found.add(.init(isTrue: now, entry, EventLine.text(entry, before: named ?? before)))
        }
        isTrue = now
        if !isInside { found.wasTrue = now }
        return true
      }
    }
    if case .field(let subject, let name, _, _) = predicate, subject != .pricing,
      !fields.isEmpty, !fields.contains(name)
    {
      throw InquiryFault(
        .notFound,
        "`\(Shown.text(subject.stream))` has no field `\(Shown.text(name))`. It has "
          + "\(fields.joined(separator: ", ")).")
    }
    if let time = try time(at: report.last.rawValue) { end(at: time) }
    isMissing = isMissing || !isOver && log.revision(of: subject.stream).rawValue >= next
    if isMissing, found.gaps.isEmpty {
      found.gaps = try gaps(behind: .origin, through: found.last, isMissing: true, in: log)
    }
    report = found
  }

  private static func follow(
    _ rate: Predicate.Rate, _ log: LogReader, _ report: inout BisectReport, _ progress: Progress?
  ) throws(InquiryFault) {
    var window = RateWindow(rate)
    var found = report
    // What ended within the span before the first position counts at it.
    let before = Position(report.first.rawValue - 1)
    var beginning: UnixNanoseconds?
    var feed = report.first
    if before > .origin {
      let event = try reading { () throws(StoreError) -> StoredEvent? in
        // Of what is damaged there the time of the first position is the nearest.
        if let event = try log.event(at: before) { return event }
        return try log.event(at: report.first)
      }
      beginning = event.map { UnixNanoseconds($0.time) }
      if let event {
        let (start, isBeforeAll) = event.time.subtractingReportingOverflow(rate.span - 1)
        // A minimised bundle has what its finding needs, and says of itself that all else may be missing.
        if log.first > Position(1), log.bundle?.isMinimised != true {
          let beginning = try reading { () throws(StoreError) in try log.event(at: log.first) }
          found.isCut = isBeforeAll || beginning.map { $0.time >= start } ?? true
        }
        feed = try reading { () throws(StoreError) in
          try log.firstPosition(atOrAfter: isBeforeAll ? .min : start)
        }
        feed = min(feed, report.first)
      }
    }
    var isTrue: Bool?
    var counted: LogCoverage.Moment?
    var (fold, start) = ConfigurationFold.start(in: log, through: Position(feed.rawValue - 1))
    let atBegin = fold.state
    try log.read(from: start, through: report.last, progress: progress) {
      (item) throws(InquiryFault) in
      if case .gap(let gap) = item,
        !found.gaps.contains(where: { $0.first == gap.first && $0.path == gap.path })
      {
        found.gaps.append(gap)
      }
      guard case .event(let stored) = item, stored.position <= found.last else { return }
      if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
      guard stored.position >= feed, stored.kind.hasPrefix("request.finished.") else { return }
      let entry = Entry(stored)
      guard case .request(.finished(let fact)) = entry.event,
        rate.filter.matches(entry, kind: stored.kind, fold.state),
        let isOver = rate.isOver(fact)
      else { return }
      guard stored.position >= found.first else {
        return window.add(isOver: isOver, at: entry.time)
      }
      if isTrue == nil, let beginning { found.wasTrue = window.isTrue(at: beginning) }
      found.looked += 1
      counted = LogCoverage.Moment(place: entry.place, time: entry.time)
      window.add(isOver: isOver, at: entry.time)
      let now = window.isTrue(at: entry.time)
      if now != isTrue ?? found.wasTrue {
        var turn = BisectReport.Turn(
          isTrue: now, entry,
          rate.text(of: window.reading) + ", with request " + uuidText(fact.id.rawValue))
        if !now, window.reading.count < rate.minimum {
          turn.ranEmpty = true
          turn.what +=
            "; fewer than the \(rate.minimum) asked for were left within \(Shown.span(rate.span)), so this shows no recovery"
        }
        found.add(turn)
      }
      isTrue = now
    }
    try rate.filter.requireNames(in: [atBegin, fold.state])
    if isTrue == nil, let beginning { found.wasTrue = window.isTrue(at: beginning) }
    if let counted, let end = try time(near: report.last, in: log),
      end.rawValue.clampedSubtracting(rate.span) > counted.time.rawValue
    {
      found.idleSince = counted
    }
    report = found
  }

  private static func time(
    near position: Position, in log: LogReader
  ) throws(InquiryFault) -> UnixNanoseconds? {
    try reading { () throws(StoreError) in try log.event(at: position) }.map {
      UnixNanoseconds($0.time)
    }
  }
}

extension Int64 {
  fileprivate func clampedSubtracting(_ other: Int64) -> Int64 {
    let (value, isOver) = subtractingReportingOverflow(other)
    return isOver ? (other > 0 ? .min : .max) : value
  }
}

extension BisectReport.Turn {
  fileprivate init(isTrue: Bool, _ entry: Entry, _ what: String) {
    self.init(
      isTrue: isTrue, position: entry.stored.position, place: entry.place, time: entry.time,
      what: what)
  }

  /// By the clock alone.
  fileprivate init(isTrue: Bool, at time: UnixNanoseconds) {
    self.init(isTrue: isTrue, position: nil, place: "", time: time, what: "its time was over")
  }
}

extension Predicate.Rate {
  fileprivate func text(of reading: (count: Int, over: Int)) -> String {
    switch figure {
    case .errors: "\(reading.over) of \(Shown.count(reading.count, "request")) failed"
    case .latency(_, let bound):
      "\(reading.over) of \(Shown.count(reading.count, "request")) took more than "
        + Shown.duration(bound)
    }
  }
}

// MARK: Renderings

extension BisectReport {
  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    guard first <= last else { return out + "window    nothing. \(coverage.text)\n" }
    out += "window    positions \(first) to \(last), "
    out += "\(Shown.count(looked, "event")) that could change it\n"
    out += "predicate \(Shown.text(predicate))\n"
    for gap in gaps { out += "gap       \(gap.text)\n" }
    if isCut {
      out +=
        "note      the bundle begins within the time before: what ended before it is not counted\n"
    }
    out += "before    \(wasTrue)\n"
    guard let turn = turns.first(where: \.isTrue) else {
      return out + "found     it never became true\(turns.isEmpty ? "" : "; it ceased to be")\n"
        + lines
    }
    out += "found     true from \(turn.place), \(rfc3339(turn.time))\n"
    if turns.last?.isTrue == true, let idle = idleSince {
      out +=
        "ended     not within the window: no request that counts ended after \(idle.place), \(rfc3339(idle.time)), which shows no recovery\n"
    }
    return out + lines
  }

  private var lines: String {
    guard !turns.isEmpty else { return "" }
    var table = TextTable("it became", "at", "time", "by")
    for turn in turns {
      table.add(
        String(turn.isTrue), turn.place.isEmpty ? "–" : turn.place, rfc3339(turn.time), turn.what)
    }
    return "\n" + table.rendered()
      + (omitted > 0 ? "  … \(Shown.count(omitted, "turn")) before the last one left out\n" : "")
  }

  /// For machines.
  public var json: JSONTree {
    var members: [JSONTree.Member] = [
      .init("replay", .text("bisect")), .init("log", coverage.json),
      .init("predicate", .text(predicate)), .init("first", .count(first.rawValue)),
      .init("last", .count(last.rawValue)), .init("otherTimes", .count(otherTimes)),
      .init("gaps", .array(gaps.map(\.json))), .init("looked", .count(looked)),
      .init("wasTrue", .bool(wasTrue)),
      .init("becameTrueAt", .text(turns.first(where: \.isTrue)?.place)),
      .init(
        "turns",
        .array(
          turns.map {
            .object([
              .init("isTrue", .bool($0.isTrue)),
              .init("at", .text($0.place.isEmpty ? nil : $0.place)),
              .init("time", .text(rfc3339($0.time))), .init("what", .text($0.what)),
              .init("ranEmpty", .bool($0.ranEmpty)),
            ])
          })), .init("omitted", .count(omitted)),
    ]
    if isCut { members.append(.init("isCut", .bool(true))) }
    if let idleSince {
      members.append(
        .init(
          "idleSince",
          .object([
            .init("at", .text(idleSince.place)), .init("time", .text(rfc3339(idleSince.time))),
          ])))
    }
    return .object(members)
  }
}

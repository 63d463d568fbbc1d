import Domain
import EventStore

/// An answer that a minimised bundle must still give.
public enum Finding: Sendable, Hashable {
  /// How a request was decided.
  case explain(String)
  /// What undid or overwrote another edit of a stream, or of one field of it.
  case drift(String)
  /// The event at which a predicate first became true.
  case bisect(Predicate, String)

  /// The forms, for help texts and faults.
  public static let forms =
    "`explain REQUEST`, `drift STREAM`, `drift STREAM.FIELD` or `bisect PREDICATE`"

  /// Reads a finding, which is written like the verb that shows it.
  ///
  /// - Throws: `.usage`.
  public init(_ text: String) throws(InquiryFault) {
    let parts = text.split(separator: " ", maxSplits: 1).map(String.init)
    switch (parts.first, parts.count) {
    case ("explain", 2): self = .explain(parts[1])
    case ("drift", 2): self = .drift(parts[1])
    case ("bisect", 2): self = .bisect(try Predicate(parts[1]), parts[1])
    default: throw Finding.fault(text)
    }
  }

  private static func fault(_ text: String) -> InquiryFault {
    InquiryFault(
      .usage,
      "`\(Shown.text(String(text.prefix(128))))` is no finding that can be kept. Write \(forms).")
  }
}

/// What a finding says, for comparison, and where it lies.
struct FoundAnswer: Equatable {
  enum Content: Equatable {
    case decisions(RequestID, key: String?, [ExplainReport.Decision])
    case drift([DriftReport.Finding])
    case turn(BisectReport.Turn)
    /// Of rates: how many requests there were may change.
    case rate(Position, UnixNanoseconds)
  }

  var content: Content
  /// The positions that verbs must look at for it.
  var first: Position
  var last: Position

  static func == (a: FoundAnswer, b: FoundAnswer) -> Bool { a.content == b.content }
}

extension Finding {
  /// What `log` says, between two selectors.
  ///
  /// - Throws: `.notFound` if it shows no such thing, and what the verb throws.
  func answer(
    in log: LogReader, from: Selector?, to: Selector?, now: UnixNanoseconds
  ) throws(InquiryFault) -> FoundAnswer {
    switch self {
    case .explain(let target):
      let report = try Replay.explain(log, target)
      let key = report.id.lookupKey
      let positions = try reading { () throws(StoreError) in try log.positions(forKey: key) }
      guard let last = positions.last(where: { $0 <= log.last }), !report.decisions.isEmpty else {
        throw InquiryFault(.notFound, "Nothing was decided for that request.")
      }
      return FoundAnswer(
        content: .decisions(report.id, key: report.key, report.decisions), first: last, last: last)
    case .drift(let target):
      let (stream, field) = Replay.split(target, in: log)
      let report = try Replay.drift(log, from: from, to: to, stream: stream, now: now)
      let found = report.findings.filter { field == nil || $0.field == field }
      guard let first = found.first, let last = found.last else { throw nothing }
      return FoundAnswer(
        content: .drift(found), first: Position(first.edit.position),
        last: Position(last.edit.position))
    case .bisect(let predicate, let text):
      return try turn(of: predicate, text, in: log, from: from, to: to, now: now)
    }
  }

  private func turn(
    of predicate: Predicate, _ text: String, in log: LogReader, from: Selector?, to: Selector?,
    now: UnixNanoseconds
  ) throws(InquiryFault) -> FoundAnswer {
    func first(_ report: BisectReport) -> (turn: BisectReport.Turn, position: Position)? {
      report.turns.first(where: \.isTrue).flatMap { turn in turn.position.map { (turn, $0) } }
    }
    let report = try Replay.bisect(log, text, from: from, to: to, now: now)
    guard let (turn, position) = first(report) else { throw nothing }
    guard case .rate(let rate) = predicate else {
      // Told with the names of the window's end, which is to be the turn.
      let end = Selector.position(position.rawValue, epoch: nil)
      let told = try Replay.bisect(log, text, from: from, to: end, now: now)
      return FoundAnswer(
        content: .turn(first(told)?.turn ?? turn), first: position, last: position)
    }
    // What counts ended later than the span before the turn.
    let (start, isBefore) = turn.time.rawValue.subtractingReportingOverflow(rate.span - 1)
    let reach = try reading { () throws(StoreError) in
      try log.firstPosition(atOrAfter: isBefore ? .min : start)
    }
    return FoundAnswer(
      content: .rate(position, turn.time), first: max(min(reach, position), log.first),
      last: position)
  }

  private var nothing: InquiryFault {
    InquiryFault(.notFound, "The window shows no such thing, so there is nothing to keep.")
  }
}

// MARK: Where a minimised bundle begins

extension Finding {
  /// What is tried to show an answer with, before anything is left out of it.
  struct Start {
    var window: ClosedRange<Position>
    /// Positions before the window that are needed, beside what was configured.
    var earlier: Set<Position> = []
    /// Positions of the window that are in the way.
    var omitted: Set<Position> = []
  }

  var isOfRate: Bool {
    if case .bisect(.rate, _) = self { true } else { false }
  }

  /// In the order in which they are to be tried; where the answer does not follow from the first one, it follows from one
  /// of the others.
  func starts(
    for answer: FoundAnswer, in window: ClosedRange<Position>, of log: LogReader
  ) throws(InquiryFault) -> [Start] {
    let narrow = answer.first...answer.last
    guard case .bisect(.rate(let rate), _) = self, case .rate(let turn, let time) = answer.content
    else { return [Start(window: narrow)] }
    // Cut off from what was before it, a rate may turn too early. It cannot with as few requests as it asks for.
    var ends: [(position: Position, isOver: Bool)] = []
    let isPastAll = time.rawValue.subtractingReportingOverflow(rate.span)
    try log.readEnds(from: narrow.lowerBound, through: turn, rate.filter, progress: nil) {
      fact, position, moment, _ in
      guard let isOver = rate.isOver(fact),
        isPastAll.overflow || moment.time.rawValue > isPastAll.partialValue
      else { return }
      ends.append((position, isOver))
    }
    let before = ends.dropLast()
    let over = before.filter(\.isOver).suffix(rate.minimum - 1)
    let others = before.filter { !$0.isOver }.suffix(rate.minimum - 1 - over.count)
    let chosen = Set((over + others + ends.suffix(1)).map(\.position))
    let few = Start(
      window: narrow, omitted: Set(ends.map(\.position).filter { !chosen.contains($0) }))
    // With all that the log itself looks at, it follows as it follows from the log.
    var wide = Start(window: min(window.lowerBound, answer.last)...answer.last)
    let base = try reading { () throws(StoreError) in
      try log.event(at: Position(wide.window.lowerBound.rawValue - 1))
    }
    if let base {
      let (start, isBeforeAll) = base.time.subtractingReportingOverflow(rate.span - 1)
      let reach = try reading { () throws(StoreError) in
        try log.firstPosition(atOrAfter: isBeforeAll ? .min : start)
      }
      try log.readEnds(
        from: reach, through: base.position, WindowFilter(), progress: nil
      ) { _, position, _, _ in wide.earlier.insert(position) }
    }
    return [few, Start(window: narrow), wide]
  }
}

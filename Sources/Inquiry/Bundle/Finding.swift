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
      let report = try Replay.bisect(log, text, from: from, to: to, now: now)
      guard let turn = report.turns.first(where: \.isTrue), let position = turn.position else {
        throw nothing
      }
      guard case .rate(let rate) = predicate else {
        return FoundAnswer(content: .turn(turn), first: position, last: position)
      }
      let (start, isBefore) = turn.time.rawValue.subtractingReportingOverflow(rate.span)
      let first = try reading { () throws(StoreError) in
        try log.firstPosition(atOrAfter: isBefore ? 0 : start)
      }
      return FoundAnswer(
        content: .rate(position, turn.time), first: max(first, report.first), last: position)
    }
  }

  private var nothing: InquiryFault {
    InquiryFault(.notFound, "The window shows no such thing, so there is nothing to keep.")
  }
}

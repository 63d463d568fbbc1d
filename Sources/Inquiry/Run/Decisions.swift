public import Domain
public import EventStore

extension Replay {
  /// Decides every recorded attempt of a range anew, each from its own inputs, and gives each as a line.
  ///
  /// - Parameters:
  ///   - first: A position.
  ///   - line: takes one decision; what it throws ends the pass.
  /// - Returns: how many there were, and the damaged ranges among them.
  static func decide(
    _ log: LogReader, from first: Position, through last: Position, progress: Progress?,
    line: (DecisionLine) throws(InquiryFault) -> Void
  ) throws(InquiryFault) -> (count: UInt64, gaps: [LogGap]) {
    // First pass: which configurations are needed, and until where each of them.
    var lastUses = LastUses()
    try log.read(from: first, through: last, progress: progress) { item in
      guard case .event(let stored) = item, stored.kind.hasPrefix("request.finished."),
        case .request(.finished(let fact)) = Entry(stored).event
      else { return }
      for attempt in fact.attempts { lastUses.note(attempt.snapshot, at: stored.position.rawValue) }
    }
    lastUses.settle()
    let wanted = lastUses.snapshots
    var (fold, start) = ConfigurationFold.start(
      in: log, through: Position(first.rawValue - 1), needed: wanted)
    var shelf = SnapshotShelf(wanted)
    shelf.begin(fold, from: start)
    var (count, gaps): (UInt64, [LogGap]) = (0, [])
    try log.read(from: start, through: last, progress: progress) { (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        if gap.last.map({ $0 >= first }) ?? true { gaps.append(gap) }
      case .event(let stored):
        let position = stored.position.rawValue
        if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
        if stored.position >= first, stored.kind.hasPrefix("request.finished."),
          case .request(.finished(let fact)) = Entry(stored).event
        {
          for decision in lines(of: fact, at: position, shelf: &shelf, fold) {
            count += 1
            try line(decision)
          }
          for attempt in fact.attempts where lastUses.isLast(attempt.snapshot, at: position) {
            shelf.drop(attempt.snapshot)
          }
        }
        if shelf.wants(position) { shelf.look(at: position, fold) }
      }
    }
    return (count, try gaps + gapsAtEnd(of: log, behind: last))
  }

  private static func lines(
    of fact: RequestEvent.Finished, at position: UInt64, shelf: inout SnapshotShelf,
    _ fold: ConfigurationFold
  ) -> [DecisionLine] {
    func line(_ index: Int, _ outcome: String) -> DecisionLine {
      DecisionLine(
        position: position, attempt: index + 1, request: uuidText(fact.id.rawValue),
        model: fact.modelAsked, outcome: outcome)
    }
    func outcome(_ book: SnapshotShelf.Book?, _ attempt: Attempt?, tried: [Tried]) -> String {
      guard let book else { return "unknown: its configuration lies in a part that is damaged" }
      if let doubt = book.doubt { return "unknown: \(doubt)" }
      let decided = route(
        book.snapshot, RemadeDecision.facts(fact, attempt), now: attempt?.now ?? fact.receivedAt,
        seed: attempt?.seed ?? 0, local: attempt?.local ?? .none, tried: tried)
      switch decided {
      case .success(let it):
        return
          "\(it.account.rawValue) \(it.provider.rawValue)/\(it.upstreamModel) by \(it.rule.name)"
      case .failure(let refusal): return "refused \(refusal.name)"
      }
    }
    if fact.attempts.isEmpty {
      guard fact.isRefusedByRouting else { return [] }
      // Of what no account was asked for, the configuration just before its record decided.
      return [line(0, outcome(shelf.current(fold), nil, tried: []))]
    }
    return fact.attempts.enumerated().map { index, attempt in
      let isEarlier = attempt.snapshot < position
      return line(
        index,
        outcome(
          isEarlier ? shelf.books[attempt.snapshot] : nil, attempt,
          tried: fact.attempts[..<index].map(\.tried)))
    }
  }

  /// Prints the decisions of a range as this build makes them: a head, a line for each, and their number.
  ///
  /// - Parameter write: takes one line with its line break.
  public static func decisions(
    _ log: LogReader, from: Selector?, to: Selector?, now: UnixNanoseconds,
    progress: Progress? = nil, write: (String) throws(InquiryFault) -> Void
  ) throws(InquiryFault) -> ExitCode {
    let range = try range(log, from: from, to: to, now: now)
    let (first, last) = (range?.lowerBound ?? Position(1), range?.upperBound ?? .origin)
    try write(
      DecisionFrame.head(
        store: uuidText(log.storeID), first: first.rawValue, last: last.rawValue) + "\n")
    let (count, gaps) = try decide(log, from: first, through: last, progress: progress) {
      (line) throws(InquiryFault) in try write(line.text + "\n")
    }
    try write(DecisionFrame.end(count) + "\n")
    return gaps.isEmpty ? .same : .damaged
  }
}

import Domain
import EventStore

// What can be told of requests of which no decision is recorded: no call was made, or the end is not in the log.
extension Replay {
  /// What would have been decided for a request that no call was made for.
  static func refusal(
    _ finished: Placed<RequestEvent.Finished>, on book: SnapshotShelf.Book,
    in log: LogReader
  ) throws(InquiryFault) -> ExplainReport.Decision {
    let fact = finished.fact
    let inputs = OtherChoice.Inputs(
      facts: RemadeDecision.facts(fact, nil), now: fact.receivedAt, seed: 0, local: .none,
      tried: [])
    let found = RemadeDecision.candidates(inputs, book)
    let today = route(
      book.snapshot, inputs.facts, now: inputs.now, seed: 0, local: .none, tried: [])
    let rule =
      switch today {
      case .failure(let refusal): RemadeDecision.text(refusal, book.state)
      case .success(let decision):
        "no account was asked: the request was refused before (\(fact.errorCode ?? "\(fact.status)")); "
          + "routing would have chosen \(EventLine.name(decision.account, book.state))"
      }
    var names: [NameHistory] = []
    if case .failure(.unknownModel(let near)) = today {
      let asked =
        [fact.modelAsked] + (book.state.aliases[fact.modelAsked].map { [$0.target] } ?? [])
      for name in asked {
        names.append(
          try NameHistory(name, near: near, book, before: finished.position, in: log))
      }
    }
    return ExplainReport.Decision(
      attempt: nil, chosen: nil,
      outcome: "refused: \(fact.status)" + (fact.errorCode.map { " \(Shown.text($0))" } ?? ""),
      rule: rule, snapshot: finished.position - 1, now: inputs.now,
      verdict: .notReproducible(
        "no decision is recorded of a request without a call; this is made on the configuration just before "
          + "its record"),
      resolution: book.snapshot.resolution(of: inputs.facts, in: book.state), names: names,
      candidates: try candidates(found, inputs, book, at: finished.position - 1, in: log),
      inForce: RemadeDecision.inForce(nil, refusing: providers(of: found, book), inputs.facts, book)
    )
  }

  /// Of a request whose end is not in the log: decisions are recorded with ends.
  ///
  /// - Throws: `.notCovered` where nothing says what the request asked for.
  static func unfinished(
    _ story: RequestStory, _ material: RequestMaterial, in log: LogReader
  ) throws(InquiryFault) -> ExplainReport {
    guard let dispatched = story.dispatched else {
      throw InquiryFault(
        .notCovered,
        "Of request \(uuidText(story.id.rawValue)) neither the beginning nor the end is "
          + (log.bundle == nil ? "in the log" : "in this bundle")
          + ", so nothing says what it asked for. `replay show` tells what is there.")
    }
    let fact = dispatched.fact
    var decisions: [ExplainReport.Decision] = []
    if let book = material.beforeRecord {
      decisions.append(try begun(dispatched, story, on: book, in: log))
    }
    return ExplainReport(
      id: story.id, clientRequestID: fact.clientRequestID, outcome: story.outcome,
      asked: .init(
        operation: fact.operation, model: fact.modelAsked, organisation: fact.organisation,
        key: fact.key),
      answer: nil, key: fact.key.map { EventLine.name($0, material.fold.state) },
      decisions: decisions, gaps: material.fold.gaps.count)
  }

  private static func begun(
    _ dispatched: Placed<RequestEvent.Dispatched>, _ story: RequestStory,
    on book: SnapshotShelf.Book, in log: LogReader
  ) throws(InquiryFault) -> ExplainReport.Decision {
    let fact = dispatched.fact
    let inputs = OtherChoice.Inputs(
      facts: RequestFacts(
        model: fact.modelAsked, organisation: fact.organisation, key: fact.key,
        operation: fact.operation), now: fact.receivedAt, seed: 0, local: .none, tried: [])
    let found = RemadeDecision.candidates(inputs, book, asked: fact.account)
    let (chosen, rule): (String?, String)
    if let account = fact.account {
      chosen = EventLine.name(account, book.state)
      rule =
        "it was being asked when the request was noted to be under way; what was asked before it, and by which rule, is "
        + "recorded with a request's end only"
    } else {
      chosen = nil
      rule =
        "the request was noted to be under way before its first call; which account was asked is recorded with its end only"
        + (found.first { $0.rejection == nil }.map { ". Routing would choose \($0.name)" } ?? "")
    }
    return ExplainReport.Decision(
      attempt: nil, chosen: chosen, outcome: ExplainReport.outcome(of: story), rule: rule,
      snapshot: dispatched.position - 1, now: inputs.now,
      verdict: .notReproducible(
        "decisions are recorded with a request's end, which is not in the log; this is made on the configuration just "
          + "before it was noted to be under way"),
      resolution: book.snapshot.resolution(of: inputs.facts, in: book.state),
      candidates: try candidates(found, inputs, book, at: dispatched.position - 1, in: log),
      inForce: RemadeDecision.inForce(
        fact.account, refusing: fact.account == nil ? providers(of: found, book) : [],
        inputs.facts, book))
  }
}

extension ExplainReport {
  fileprivate static func outcome(of story: RequestStory) -> String {
    guard let interrupted = story.interrupted else { return "no end in the log" }
    return "the gateway ended before it did, which position \(interrupted.position) says"
  }
}

extension RemadeDecision {
  /// Every account that could serve and what stands against it, without the inputs that are noted with a decision.
  ///
  /// - Parameter asked: The account that is known to have been asked; whose turn it was it tells.
  static func candidates(
    _ inputs: OtherChoice.Inputs, _ book: SnapshotShelf.Book, asked: AccountID? = nil
  ) -> [Candidate] {
    let found = Domain.candidates(
      book.snapshot, inputs.facts, now: inputs.now, seed: inputs.seed, local: inputs.local,
      tried: inputs.tried)
    let isTurn = found.contains { account, rejection in
      guard account == asked else { return false }
      return switch rejection {
      case .notDrawn, .lowerPriority, nil: true
      default: false
      }
    }
    return found.map { account, rejection in
      var rejection = rejection
      if let asked, isTurn {
        if account == asked {
          rejection = nil
        } else if rejection == nil {
          rejection = .notDrawn(chosen: asked)
        }
      }
      return Candidate(
        account: account, name: EventLine.name(account, book.state), rejection: rejection,
        reason: rejection.map { reason($0, book.state) } ?? "")
    }
  }
}

public import Domain
public import EventStore

/// Why a request went where it went: every account that could have served, what stood against it and since
/// which event, and what would have sent the request there.
public struct ExplainReport: InquiryReport, Hashable {
  /// One account and what the decision made of it.
  public struct Candidate: Sendable, Hashable {
    /// Its id.
    public var account: AccountID
    /// `provider/name`.
    public var name: String
    /// As a word; nil: chosen.
    public var rejection: String?
    /// In words, empty if chosen.
    public var reason: String
    /// The event that put it in that state; nil: none did.
    public var since: ConfigurationChange?
    /// What would have sent the request there; nil: it was chosen.
    public var otherwise: OtherChoice?
  }

  /// What a request asked for.
  public struct Asked: Sendable, Hashable {
    /// Of which form.
    public var operation: Domain.Operation
    /// As the client wrote it.
    public var model: String
    /// The tenant it belongs to.
    public var organisation: OrganisationID?
    /// The key that was presented.
    public var key: KeyID?
  }

  /// What a request got.
  public struct Answer: Sendable, Hashable {
    /// The client's.
    public var status: UInt16
    /// Whose fault a failure was; nil: it is none.
    public var errorClass: ErrorClass?
    /// The error catalogue's code.
    public var errorCode: String?
  }

  /// One decision of the request.
  public struct Decision: Sendable, Hashable {
    /// From 1; nil: no call was made, or no end is recorded, and this is the decision that would have been.
    public var attempt: Int?
    /// `provider/name` of the account that was asked; nil: none, or none is recorded.
    public var chosen: String?
    /// What came of it.
    public var outcome: String
    /// Why that account, or why none, in words.
    public var rule: String
    /// The position of the configuration that it was made on.
    public var snapshot: UInt64
    /// The clock that it was made by.
    public var now: UnixNanoseconds
    /// Whether the same inputs give the same choice today.
    public var verdict: RemadeDecision.Verdict
    /// What the name meant to this client; nil: the configuration of then cannot be read.
    public var resolution: Resolution?
    /// `provider/model` that was asked for upstream; nil: no call was made, or it is not recorded.
    public var sent: String?
    /// Of a name that nobody knew, and of what it stood for: what the log has of them.
    public var names: [NameHistory] = []
    /// In the order of consideration.
    public var candidates: [Candidate]
    /// The events that put the choice, or the refusal, in force.
    public var inForce: [ConfigurationChange]

    /// The candidate that the fewest steps would have been enough for; nil: there is none.
    public var nearest: OtherChoice? {
      let possible = candidates.compactMap(\.otherwise).filter { $0.barrier == nil }
      return possible.min { $0.steps.count < $1.steps.count }
    }
  }

  /// The gateway's id.
  public var id: RequestID
  /// The client's own id, if it sent one.
  public var clientRequestID: String?
  /// How far it got.
  public var outcome: RequestStory.Outcome
  /// What was asked for, by whom.
  public var asked: Asked
  /// What came of it; nil: its end is not in the log.
  public var answer: Answer?
  /// Who asked, by name.
  public var key: String?
  /// In order.
  public var decisions: [Decision]
  /// Damaged ranges up to the request's last event.
  public var gaps: Int

  /// 1 if a decision differs, 4 if one cannot be re-made or there is none, 3 if that is for damage.
  public var exitCode: ExitCode {
    if decisions.isEmpty { return gaps > 0 ? .damaged : .notReproducible }
    return RemadeDecision.exitCode(of: decisions.map(\.verdict))
  }
}

extension Replay {
  /// Candidates whose other fates are looked for: each costs a few decisions and routing views.
  private static let examinedMax = 64

  /// Explains every decision of a request by making it again.
  ///
  /// - Parameter target: a request's id, or a selector that names one of its events.
  /// - Throws: `.notFound` for what is no request, `.notCovered` where neither its beginning nor its end is there.
  public static func explain(
    _ log: LogReader, _ target: String, progress: Progress? = nil
  ) throws(InquiryFault) -> ExplainReport {
    let (position, _) = try find(target, in: log)
    try log.requireCovered(position)
    let stored = try reading { () throws(StoreError) in try log.event(at: position) }
    guard let stored, case .request(let event) = Entry(stored).event, let id = event.requestID
    else {
      throw InquiryFault(
        .notFound,
        "`\(Shown.text(String(target.prefix(128))))` is no request: only requests have decisions. "
          + "`replay show` tells what it is.")
    }
    let material = try RequestMaterial(id, in: log, progress)
    let story = material.story
    guard let finished = story.finished else {
      return try unfinished(story, material, in: log)
    }
    var decisions: [ExplainReport.Decision] = []
    for index in finished.fact.attempts.indices {
      let book = material.shelf.books[finished.fact.attempts[index].snapshot]
      decisions.append(try decision(finished, index, on: book, in: log))
    }
    if decisions.isEmpty, let book = material.beforeRecord {
      decisions.append(try refusal(finished, on: book, in: log))
    }
    let fact = finished.fact
    return ExplainReport(
      id: id, clientRequestID: fact.clientRequestID, outcome: story.outcome,
      asked: .init(
        operation: fact.operation, model: fact.modelAsked, organisation: fact.organisation,
        key: fact.key),
      answer: .init(status: fact.status, errorClass: fact.errorClass, errorCode: fact.errorCode),
      key: fact.key.map { EventLine.name($0, material.fold.state) },
      decisions: decisions, gaps: material.fold.gaps.count)
  }

  private static func decision(
    _ finished: Placed<RequestEvent.Finished>, _ index: Int,
    on book: SnapshotShelf.Book?, in log: LogReader
  ) throws(InquiryFault) -> ExplainReport.Decision {
    let attempt = finished.fact.attempts[index]
    let remade = RemadeDecision(finished.fact, index, at: finished.position, on: book)
    let inputs = OtherChoice.Inputs(
      facts: RemadeDecision.facts(finished.fact, attempt), now: attempt.now, seed: attempt.seed,
      local: attempt.local, tried: finished.fact.attempts[..<index].map(\.tried))
    let state = book?.state ?? .initial
    return ExplainReport.Decision(
      attempt: index + 1, chosen: EventLine.name(attempt.account, state),
      outcome: ExplainReport.outcome(attempt),
      rule: ExplainReport.rule(attempt, state, finished.fact.attempts[..<index]),
      snapshot: attempt.snapshot, now: attempt.now, verdict: remade.verdict,
      resolution: book.map { $0.snapshot.resolution(of: inputs.facts, in: $0.state) },
      sent: ExplainReport.sent(finished.fact, index, state),
      candidates: try candidates(remade.candidates, inputs, book, at: attempt.snapshot, in: log),
      inForce: remade.inForce)
  }

  /// Whose accounts stand behind the name.
  static func providers(
    of found: [RemadeDecision.Candidate], _ book: SnapshotShelf.Book
  ) -> [ProviderID] {
    var providers: [ProviderID] = []
    for candidate in found {
      guard let provider = book.state.accounts[candidate.account]?.provider,
        !providers.contains(provider)
      else { continue }
      providers.append(provider)
    }
    return providers
  }

  static func candidates(
    _ found: [RemadeDecision.Candidate], _ inputs: OtherChoice.Inputs, _ book: SnapshotShelf.Book?,
    at position: UInt64, in log: LogReader
  ) throws(InquiryFault) -> [ExplainReport.Candidate] {
    guard let book else { return [] }
    var writers = FieldWriters(log, at: position, book.changes)
    var out: [ExplainReport.Candidate] = []
    for candidate in found {
      var since: ConfigurationChange?
      if let rejection = candidate.rejection,
        let (subject, fields) = ExplainReport.place(
          of: rejection, candidate.account, inputs.facts, book.state)
      {
        since = try writers.writer(of: fields, in: subject)
      }
      let isExamined = candidate.rejection != nil && out.count < examinedMax
      out.append(
        ExplainReport.Candidate(
          account: candidate.account, name: candidate.name, rejection: candidate.rejection?.name,
          reason: candidate.reason, since: since,
          otherwise: isExamined
            ? OtherChoice.find(candidate.account, book.state, inputs) : nil))
    }
    // What is not there any more is no candidate of a decision; that it is missed is often the answer.
    let policy = book.snapshot.policy(of: inputs.facts).flatMap { book.state.policies[$0] }
    for share in policy?.accounts ?? [] where book.state.accounts[share.account] == nil {
      out.append(
        ExplainReport.Candidate(
          account: share.account, name: Shown.text(share.account.rawValue), rejection: "removed",
          reason: "removed, and the policy still names it",
          since: try writers.writer(of: [], in: .account(share.account)), otherwise: nil))
    }
    return out
  }
}

extension ExplainReport {
  /// The resource, and those of its fields, that a rejection comes from; nil: from none.
  fileprivate static func place(
    of rejection: RejectionReason, _ id: AccountID, _ facts: RequestFacts, _ state: ControlState
  ) -> (Subject, [String])? {
    let provider = state.accounts[id]?.provider
    switch rejection {
    case .disabled: return (.account(id), ["isActive"])
    case .degraded: return (.account(id), ["degraded"])
    case .lowerPriority: return (.account(id), ["priority"])
    case .providerDisabled: return provider.map { (.provider($0), ["isActive"]) }
    case .notOffered: return provider.map { (.provider($0), ["models", "excludedModels"]) }
    case .otherProtocol: return provider.map { (.provider($0), ["protocol"]) }
    case .noCredential: return (.credential(id), ["fingerprint"])
    case .credentialExpired: return (.credential(id), ["expiresAt"])
    case .cooling, .modelCooling, .probing:
      return (.health(id), ["rateLimitedUntil", "modelCooldowns", "cooldownRule"])
    case .notAllowed: return facts.key.map { (.key($0), ["allowedModels", "allowedAccounts"]) }
    case .noWeight: return (.account(id), ["weight"])
    case .notDrawn: return (.settings, ["fallbackStrategy"])
    case .laterInCombo:
      let name = state.aliases[facts.model]?.target ?? facts.model
      return state.combos[name].map { (.combo($0.name), ["models"]) }
    case .alreadyTried, .notCarried, .notOwner: return nil
    }
  }

  /// `provider/model` that an attempt asked for; of the last one the request's record says it.
  fileprivate static func sent(
    _ fact: RequestEvent.Finished, _ index: Int, _ state: ControlState
  ) -> String? {
    let attempt = fact.attempts[index]
    let account = state.accounts[attempt.account] ?? state.removedAccounts[attempt.account]
    if let model = attempt.upstreamModel, let account {
      return "\(account.provider.rawValue)/\(model)"
    }
    return index + 1 == fact.attempts.count ? fact.modelResolved : nil
  }

  fileprivate static func outcome(_ attempt: Attempt) -> String {
    var out = attempt.status.map { "status \($0)" } ?? "no answer"
    if let errorClass = attempt.errorClass {
      out += " (\(errorClass.name)" + (attempt.errorCode.map { ": \(Shown.text($0))" } ?? "") + ")"
    }
    return out
  }

  /// Why this account, in words.
  fileprivate static func rule(
    _ attempt: Attempt, _ state: ControlState, _ before: ArraySlice<Attempt>
  ) -> String {
    let left = before.isEmpty ? "" : " that was left"
    let cursor = attempt.local.cursor
    let turn = cursor.map { ", place \($0) in the group's order" } ?? ", by the decision's dice"
    switch attempt.rule {
    case .fillFirst: return "the best priority\(left)"
    case .only: return "the only one\(left) that could serve"
    case .weighted: return "its turn by weight\(turn)"
    case .combo: return "the best account of the combo's first model\(left) that could serve"
    case .roundRobin: return "the next in turn\(turn)"
    case .leastLatency:
      let figures = attempt.local.latencies.map {
        "\(EventLine.name($0.account, state)) "
          + ($0.microseconds == 0 ? "unknown" : Shown.duration($0.microseconds))
      }
      return "the quicker of two" + (figures.isEmpty ? "" : " (\(figures.joined(separator: ", ")))")
    case .sessionSticky: return "the session's own account"
    case .sessionMoved: return "the session's own account could not serve: the next by its hash"
    case .owner: return "it has what the request refers to"
    }
  }
}

// MARK: Renderings

extension ExplainReport {
  /// For people.
  public var text: String {
    var out = "request   \(uuidText(id.rawValue))\n"
    if let clientRequestID { out += "client id \(Shown.text(clientRequestID))\n" }
    out += "asked     \(asked.operation.name) \(Shown.text(asked.model))"
    if let key { out += " with key \(key)" }
    out += asked.organisation.map { " of \(Shown.text($0.rawValue))\n" } ?? "\n"
    if let answer {
      out += "answer    \(answer.status)"
      let why = [answer.errorClass?.name, answer.errorCode.map(Shown.text)].compactMap(\.self)
      out += why.isEmpty ? "\n" : " (\(why.joined(separator: ": ")))\n"
    } else {
      out += "outcome   \(outcome.text)\n"
    }
    for decision in decisions { out += "\n" + decision.text(isEnded: answer != nil) }
    if decisions.isEmpty {
      out += "\nThe configuration of then cannot be read, so nothing can be said of a decision.\n"
    }
    if gaps > 0 { out += "\nThe log is damaged before this request's end: see `replay verify`.\n" }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("explain")), .init("request", .text(uuidText(id.rawValue))),
      .init("clientRequestId", .text(clientRequestID)), .init("outcome", .text(outcome.text)),
      .init("operation", .text(asked.operation.name)), .init("model", .text(asked.model)),
      .init("organisation", .text(asked.organisation?.rawValue)),
      .init("key", .text(asked.key?.rawValue)),
      .init("status", answer.map { .number(Int64($0.status)) } ?? .null),
      .init("errorClass", .text(answer?.errorClass?.name)),
      .init("errorCode", .text(answer?.errorCode)),
      .init("decisions", .array(decisions.map(\.json))), .init("gaps", .count(gaps)),
    ])
  }
}

extension ExplainReport.Decision {
  fileprivate func text(isEnded: Bool) -> String {
    var out = attempt.map { "attempt \($0)  " } ?? (isEnded ? "no attempt  " : "no end  ")
    out += chosen.map { "\($0)  " } ?? ""
    out += outcome + "\n"
    if let resolution { out += "  model       \(resolution.text)\n" }
    if let sent { out += "  sent as     \(Shown.text(sent))\n" }
    out += "  because     \(rule)\n"
    for name in names { out += "  name        \(name.text)\n" }
    out += "  decided     on the configuration at \(snapshot), at \(rfc3339(now))\n"
    out += "  \(RemadeDecision.text(of: verdict))\n"
    if candidates.isEmpty { out += "  No account stands behind the name.\n" }
    var table = TextTable("candidate", "outcome", "since")
    for candidate in candidates {
      table.add(
        candidate.name, candidate.rejection == nil ? "chosen" : candidate.reason,
        candidate.since?.text ?? "")
    }
    if !candidates.isEmpty { out += table.rendered(indent: 4) }
    if candidates.contains(where: { $0.otherwise != nil }) {
      out += "  it would have gone elsewhere, had there been\n"
      let nearest = nearest
      var table = TextTable("to", "with")
      for choice in candidates.compactMap(\.otherwise) {
        table.add(choice.name, choice.text + (choice == nearest ? "   (the least)" : ""))
      }
      out += table.rendered(indent: 4)
    }
    if !inForce.isEmpty {
      out += "  in force\n"
      out += inForce.lines
    }
    return out
  }

  fileprivate var json: JSONTree {
    let (word, why) = RemadeDecision.words(of: verdict)
    return .object([
      .init("attempt", attempt.map { .count($0) } ?? .null), .init("chosen", .text(chosen)),
      .init("outcome", .text(outcome)), .init("because", .text(rule)),
      .init("snapshot", .count(snapshot)), .init("decidedAt", .text(rfc3339(now))),
      .init("reproduced", .text(word)), .init("why", .text(why)),
      .init("resolution", resolution?.json ?? .null), .init("sent", .text(sent)),
      .init("names", .array(names.map(\.json))),
      .init("candidates", .array(candidates.map(\.json))),
      .init("smallestChange", nearest?.json ?? .null),
      .init("inForce", .array(inForce.map(\.json))),
    ])
  }
}

extension ExplainReport.Candidate {
  fileprivate var json: JSONTree {
    .object([
      .init("account", .text(account.rawValue)), .init("name", .text(name)),
      .init("isChosen", .bool(rejection == nil)), .init("rejection", .text(rejection)),
      .init("reason", .text(reason)), .init("since", since?.json ?? .null),
      .init("otherwise", otherwise?.json ?? .null),
    ])
  }
}

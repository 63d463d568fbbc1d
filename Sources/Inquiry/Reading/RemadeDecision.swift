public import Domain

/// A recorded routing decision and what the same inputs give today, by the gateway's own `route`.
public struct RemadeDecision: Sendable, Hashable {
  /// Whether the outcome is the recorded one.
  public enum Verdict: Sendable, Hashable {
    case reproduced
    /// What differs, in words.
    case differs(String)
    /// An input is not in the log, in words.
    case notReproducible(String)
  }

  /// An account that could have served.
  public struct Candidate: Sendable, Hashable {
    /// Its id.
    public var account: AccountID
    /// `provider/name`.
    public var name: String
    /// nil: chosen.
    public var rejection: RejectionReason?
    /// The rejection in words, empty if chosen.
    public var reason: String
  }

  /// Whether the outcome is the recorded one.
  public var verdict: Verdict
  /// In the order of consideration.
  public var candidates: [Candidate]
  /// The events that put the choice in force: provider, account, credential, alias, settings.
  public var inForce: [ConfigurationChange]

  /// Re-makes the decision behind `finished.attempts[index]`.
  ///
  /// - Parameters:
  ///   - position: of the record; a snapshot cannot be later.
  ///   - book: the configuration at the attempt's snapshot; nil if that could not be read.
  ///   - isExplained: whether candidates and what was in force are wanted, beside the verdict.
  init(
    _ finished: RequestEvent.Finished, _ index: Int, at position: UInt64,
    on book: SnapshotShelf.Book?, isExplained: Bool = true
  ) {
    let attempt = finished.attempts[index]
    candidates = []
    inForce = []
    guard attempt.snapshot < position else {
      verdict = .notReproducible(
        "its snapshot \(attempt.snapshot) is not before its own record \(position)")
      return
    }
    guard let book else {
      verdict = .notReproducible("its snapshot \(attempt.snapshot) lies in a part that is damaged")
      return
    }
    let facts = RemadeDecision.facts(finished, attempt)
    let isLast = index + 1 == finished.attempts.count
    func differenceAfter(_ tried: [Tried]) -> String? {
      let outcome = route(
        book.snapshot, facts, now: attempt.now, seed: attempt.seed, local: attempt.local,
        tried: tried)
      return RemadeDecision.difference(
        outcome, attempt, isLast ? finished.modelResolved : nil, book.state)
    }
    var tried = finished.attempts[..<index].map(\.tried)
    var difference = differenceAfter(tried)
    // Earlier builds asked each account of a provider, though the request could be told to none of them.
    if difference != nil, tried.contains(where: \.isUntold) {
      let oneByOne = tried.map { Tried($0.account, model: $0.model) }
      let earlier = differenceAfter(oneByOne)
      if earlier == nil { (tried, difference) = (oneByOne, nil) }
    }
    if isExplained {
      candidates = Domain.candidates(
        book.snapshot, facts, now: attempt.now, seed: attempt.seed, local: attempt.local,
        tried: tried
      ).map { account, rejection in
        Candidate(
          account: account, name: EventLine.name(account, book.state), rejection: rejection,
          reason: rejection.map { RemadeDecision.reason($0, book.state) } ?? "")
      }
      inForce = RemadeDecision.inForce(attempt.account, facts, book)
    }
    if let doubt = book.doubt {
      verdict = .notReproducible(doubt)
    } else if let difference, let caveat = book.caveat {
      verdict = .notReproducible("\(difference); but \(caveat)")
    } else if let difference {
      verdict = .differs(difference)
    } else {
      verdict = .reproduced
    }
  }

  /// What the decision behind an attempt had to know of its request; nil: there was none.
  static func facts(_ finished: RequestEvent.Finished, _ attempt: Attempt?) -> RequestFacts {
    RequestFacts(
      model: finished.modelAsked, organisation: finished.organisation, key: finished.key,
      operation: finished.operation, session: finished.session,
      owner: attempt?.rule == .owner ? attempt?.account : nil)
  }

  private static func difference(
    _ outcome: Result<RoutingDecision, RoutingRefusal>, _ attempt: Attempt, _ resolved: String?,
    _ state: ControlState
  ) -> String? {
    let recorded = EventLine.name(attempt.account, state)
    switch outcome {
    case .failure(let refusal):
      return "recorded \(recorded), today refused: \(text(refusal, state))"
    case .success(let decision):
      if decision.account != attempt.account {
        return "recorded \(recorded), today \(EventLine.name(decision.account, state))"
      }
      if decision.rule != attempt.rule {
        return "recorded rule \(attempt.rule.name), today \(decision.rule.name)"
      }
      let model = "\(decision.provider.rawValue)/\(decision.upstreamModel)"
      if let resolved, resolved != model {
        return "recorded model \(Shown.text(resolved)), today \(Shown.text(model))"
      }
      return nil
    }
  }

  /// The last changes, up to a decision, of what it hung on.
  ///
  /// - Parameters:
  ///   - account: that was chosen; nil: the request was refused, for which its organisation may be the reason too.
  ///   - refusing: whose accounts stand behind the name and could not serve.
  static func inForce(
    _ account: AccountID?, refusing providers: [ProviderID] = [], _ facts: RequestFacts,
    _ book: SnapshotShelf.Book
  ) -> [ConfigurationChange] {
    let model = facts.model
    var streams = providers.map(\.stream)
    if let account {
      if let known = book.state.accounts[account] { streams.append(known.provider.stream) }
      streams.append(account.stream)
      streams.append(account.credentialStream)
      streams.append(account.healthStream)
    }
    if book.state.aliases[model] != nil { streams.append(aliasStream(model)) }
    if book.state.combos[model] != nil { streams.append(comboStream(model)) }
    if let key = facts.key { streams.append(key.stream) }
    if account == nil, let organisation = facts.organisation { streams.append(organisation.stream) }
    let bare = book.state.aliases[model]?.target ?? model
    for organisation in [facts.organisation, PolicyID.everyone].compactMap(\.self) {
      streams.append(PolicyID(organisation: organisation, model: bare).stream)
    }
    streams.append(settingsStream)
    return streams.compactMap { stream in
      book.changes[stream].map { ConfigurationChange($0, stream: stream) }
    }
  }

  static func reason(_ rejection: RejectionReason, _ state: ControlState) -> String {
    switch rejection {
    case .disabled: "disabled"
    case .providerDisabled: "its provider is disabled"
    case .noCredential: "no credential"
    case .degraded: "degraded by an operator"
    case .cooling(let until): "cooling until \(rfc3339(until))"
    case .modelCooling(let until): "this model of it is cooling until \(rfc3339(until))"
    case .credentialExpired(let end): "its credential expired at \(rfc3339(end))"
    case .probing:
      "its cooldown is over, and another request was finding out whether it serves again"
    case .notAllowed: "the key may not use it"
    case .notOffered: "its provider does not offer the model"
    case .noWeight: "its weight is 0"
    case .alreadyTried: "already tried by this request"
    case .notCarried: "the request cannot be told in its provider's words"
    case .lowerPriority(let better): "lower priority than \(EventLine.name(better, state))"
    case .notDrawn(let chosen):
      "it was the turn of \(EventLine.name(chosen, state))"
    case .notOwner: "another account has what the request refers to"
    case .otherProtocol: "its provider's protocol has nothing that corresponds to the endpoint"
    case .laterInCombo(let better):
      "later in the combo than \(EventLine.name(better, state))"
    }
  }

  static func text(_ refusal: RoutingRefusal, _ state: ControlState) -> String {
    switch refusal {
    case .unknownModel(let near):
      "the model is unknown" + (near.isEmpty ? "" : "; names like it: \(Shown.list(near))")
    case .modelNotAllowed: "the key may not ask for the model"
    case .ambiguousModel(let candidates): "the model is ambiguous: \(Shown.list(candidates))"
    case .noAccount(let rejected):
      "no account: "
        + rejected.map {
          "\(EventLine.name($0.account, state)) (\(reason($0.reason, state)))"
        }.joined(separator: ", ")
    }
  }

  var verdictText: String { RemadeDecision.text(of: verdict) }

  static func text(of verdict: Verdict) -> String {
    switch verdict {
    case .reproduced: "reproduced: yes"
    case .differs(let what): "reproduced: no — \(what)"
    case .notReproducible(let why): "reproduced: cannot be told — \(why)"
    }
  }

  /// 1 if one differs, 4 if one cannot be told.
  static func exitCode(of verdicts: [Verdict]) -> ExitCode {
    if verdicts.contains(where: { if case .differs = $0 { true } else { false } }) {
      return .differs
    }
    return verdicts.allSatisfy { $0 == .reproduced } ? .same : .notReproducible
  }

  /// As machines are told: a word, and why.
  static func words(of verdict: Verdict) -> (word: String, why: String?) {
    switch verdict {
    case .reproduced: ("yes", nil)
    case .differs(let what): ("no", what)
    case .notReproducible(let why): ("unknown", why)
    }
  }

  var json: JSONTree {
    let (word, why) = RemadeDecision.words(of: verdict)
    return .object([
      .init("reproduced", .text(word)), .init("why", .text(why)),
      .init(
        "candidates",
        .array(
          candidates.map {
            .object([
              .init("account", .text($0.account.rawValue)), .init("name", .text($0.name)),
              .init("isChosen", .bool($0.rejection == nil)),
              .init("rejection", .text($0.rejection?.name)), .init("reason", .text($0.reason)),
            ])
          })),
      .init("inForce", .array(inForce.map(\.json))),
    ])
  }
}

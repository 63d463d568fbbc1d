public import Domain
public import EventStore

/// Which recorded requests another configuration would have routed elsewhere.
///
/// Every decision is made anew, under the current configuration and under the proposed one, from the
/// request's own facts, clock and dice. That says what would change from now on for such requests, not
/// what happened to them.
public struct RoutingEffect: Sendable, Hashable {
  /// Where a request goes.
  public enum Outcome: Sendable, Hashable {
    /// The account, and the model that its provider is asked for.
    case account(AccountID, name: String, model: String)
    /// Why it goes nowhere, as a word of `replay`.
    case refused(String)
  }

  /// Requests of one model that go from one place to another.
  public struct Group: Sendable, Hashable {
    /// As clients wrote it.
    public var model: String
    /// Under the current configuration.
    public var before: Outcome
    /// Under the proposed one.
    public var after: Outcome
    /// How many.
    public var requests: UInt64
    /// The newest of them, at most three.
    public var examples: [RequestID]
  }

  /// Requests of this age were wanted.
  public var since: UnixNanoseconds
  /// Decided both ways.
  public var looked: UInt64 = 0
  /// Those that go elsewhere.
  public var changed: UInt64 = 0
  /// Refused before any routing (a key, a limit, a malformed body): nothing can be said of them.
  public var notRouted: UInt64 = 0
  /// Most requests first; at most `RoutingEffect.groupsMax`.
  public var groups: [Group] = []
  /// Changed requests that belong to none of `groups`.
  public var others: UInt64 = 0
  /// Whether all of the window was looked at; else time was over.
  public var isComplete = true
  /// `epoch:position` of the oldest event looked at; nil: none.
  public var scannedTo: String?
  /// Parts of the window that cannot be read, or in which requests were not recorded.
  public var gaps = 0

  /// The most groups that are told apart in an answer.
  public static let groupsMax = 50

  /// What re-made decisions cannot show, as sentences.
  public static let limits = [
    "cooldowns are those of now, not those of then",
    "a second account after a failure is not followed: only each request's first choice is re-made",
    "whether the other account would have answered is not known",
  ]
}

extension Replay {
  /// Decides the requests since a time anew under two configurations, the newest first.
  ///
  /// - Parameters:
  ///   - now: what cooldowns, and the ends of keys and credentials, are compared with: the question is what
  ///     the requests would meet if they came again from now on.
  ///   - isStopped: asked once in a while; true ends the look where it is.
  public static func effect(
    of proposed: ControlState, on current: ControlState, in log: LogReader,
    since: UnixNanoseconds, now: UnixNanoseconds, isStopped: () -> Bool
  ) throws(InquiryFault) -> RoutingEffect {
    var comparison = EffectComparison(current, proposed, since: since, now: now)
    let first = try reading { () throws(StoreError) in
      try log.firstPosition(atOrAfter: since.rawValue)
    }
    var end = log.last.rawValue
    let portion: UInt64 = 1 << 13
    while end >= max(1, first.rawValue) {
      if isStopped() {
        comparison.effect.isComplete = false
        break
      }
      let start = max(first.rawValue, end > portion ? end - portion + 1 : 1, 1)
      try comparison.look(log, start...end)
      end = start - 1
    }
    return comparison.result
  }
}

/// Two configurations side by side, and what came of the requests so far.
private struct EffectComparison {
  private struct Path: Hashable {
    var model: String
    var before: RoutingEffect.Outcome
    var after: RoutingEffect.Outcome
  }

  private struct Tally {
    var requests: UInt64 = 0
    var newest: [(position: UInt64, id: RequestID)] = []

    mutating func add(_ position: UInt64, _ id: RequestID) {
      requests += 1
      newest.append((position, id))
      newest.sort { $0.position > $1.position }
      if newest.count > 3 { newest.removeLast() }
    }
  }

  var effect: RoutingEffect
  private let current: (state: ControlState, snapshot: RoutingSnapshot)
  private let proposed: (state: ControlState, snapshot: RoutingSnapshot)
  private let now: UnixNanoseconds
  private var tallies: [Path: Tally] = [:]
  private static let finished = [
    WireKind.requestFinished, .requestFinishedV2, .requestFinishedV3,
  ].map {
    (kind: $0.rawValue, bytes: Array($0.rawValue.utf8))
  }
  private static let gaps = ["gateway.gap.", "gateway.gap_opened."].map { Array($0.utf8) }

  init(
    _ current: ControlState, _ proposed: ControlState, since: UnixNanoseconds,
    now: UnixNanoseconds
  ) {
    self.now = now
    self.current = (current, RoutingSnapshot(current))
    self.proposed = (proposed, RoutingSnapshot(proposed))
    effect = RoutingEffect(since: since)
  }

  var result: RoutingEffect {
    var effect = effect
    let sorted = tallies.sorted {
      ($1.value.requests, $0.key.model, $0.value.newest[0].position)
        < ($0.value.requests, $1.key.model, $1.value.newest[0].position)
    }
    effect.groups = sorted.prefix(RoutingEffect.groupsMax).map { path, tally in
      .init(
        model: path.model, before: named(path.before), after: named(path.after),
        requests: tally.requests, examples: tally.newest.map(\.id))
    }
    effect.others = sorted.dropFirst(RoutingEffect.groupsMax).reduce(0) { $0 + $1.value.requests }
    return effect
  }

  /// An account has one name on both sides, so that a new one alone sends nothing elsewhere.
  private func named(_ outcome: RoutingEffect.Outcome) -> RoutingEffect.Outcome {
    guard case .account(let id, _, let model) = outcome else { return outcome }
    let isKnown = current.state.accounts[id] != nil
    let name = EventLine.name(id, isKnown ? current.state : proposed.state)
    return .account(id, name: name, model: model)
  }

  mutating func look(
    _ log: LogReader, _ positions: ClosedRange<UInt64>
  ) throws(InquiryFault) {
    var oldest: String?
    do {
      try log.scanViews(
        from: Position(positions.lowerBound), through: Position(positions.upperBound)
      ) { _ in
        effect.gaps += 1
        return .continue
      } event: { view in
        if oldest == nil { oldest = "\(view.epoch):\(view.position)" }
        if Self.gaps.contains(where: { view.kind.starts(with: $0) }) { effect.gaps += 1 }
        guard view.time >= effect.since.rawValue,
          let kind = Self.finished.first(where: { view.kind.elementsEqual($0.bytes) })?.kind
        else { return .continue }
        let recorded = try? Recorded(
          position: view.position.rawValue, time: UnixNanoseconds(view.time),
          kind: kind, bytes: Array(view.payload))
        guard case .request(.finished(let fact)) = recorded?.event else {
          effect.gaps += 1
          return .continue
        }
        decide(fact, view.position.rawValue)
        return .continue
      }
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
    effect.scannedTo = oldest ?? effect.scannedTo
  }

  private mutating func decide(_ fact: RequestEvent.Finished, _ position: UInt64) {
    let attempt = fact.attempts.first
    guard attempt != nil || fact.isRefusedByRouting else {
      effect.notRouted += 1
      return
    }
    let facts = RequestFacts(
      model: fact.modelAsked, organisation: fact.organisation, key: fact.key,
      operation: fact.operation, session: fact.session)
    func outcome(_ side: (state: ControlState, snapshot: RoutingSnapshot)) -> RoutingEffect.Outcome
    {
      if let refusal = fact.refusal(by: side.state, side.snapshot, at: now) {
        return .refused(refusal)
      }
      let decided = route(
        side.snapshot, facts, now: now, seed: attempt?.seed ?? 0,
        local: attempt?.local ?? .none, tried: [])
      switch decided {
      case .success(let decision):
        return .account(decision.account, name: "", model: decision.upstreamModel)
      case .failure(let refusal): return .refused(refusal.name)
      }
    }
    effect.looked += 1
    let (before, after) = (outcome(current), outcome(proposed))
    guard before != after else { return }
    effect.changed += 1
    tallies[Path(model: fact.modelAsked, before: before, after: after), default: Tally()]
      .add(position, fact.id)
  }
}

extension RoutingRefusal {
  /// As shown by `replay`.
  var name: String {
    switch self {
    case .unknownModel: "unknown_model"
    case .ambiguousModel: "ambiguous_model"
    case .modelNotAllowed: "model_not_allowed"
    case .noAccount: "no_account"
    }
  }
}

// MARK: A moment to go back to

/// The configuration at a moment, for going back to it.
public struct ConfigurationMoment: Sendable {
  /// `epoch:position` of the last event taken in.
  public var place: String
  /// Its id.
  public var event: UInt128
  /// Its time, by the author's clock.
  public var time: UnixNanoseconds
  /// The configuration then.
  public var state: ControlState
}

extension Replay {
  /// The configuration as it was at a moment of the log.
  ///
  /// - Throws: `.usage` and `.notFound` for a selector that names no moment, `.damaged` if something that
  ///   made the configuration cannot be read.
  public static func configuration(
    at selector: Selector, in log: LogReader, now: UnixNanoseconds
  ) throws(InquiryFault) -> ConfigurationMoment {
    let position = try selector.resolve(in: log, now: now, edge: .to)
    guard position.rawValue > 0 else {
      throw InquiryFault(
        .notFound, "That is before the first event. \(try LogCoverage(log).text)")
    }
    guard position <= log.last else {
      throw InquiryFault(
        .notFound, "That is behind the last event. \(try LogCoverage(log).text)")
    }
    let fold = try ConfigurationFold.through(position, of: log, progress: nil)
    // What a person accepted is gone is no part of any configuration since.
    let gap = fold.gaps.first { !$0.isAccepted }
    guard gap == nil, fold.unreadable == 0 else {
      let what = gap?.text ?? Shown.count(fold.unreadable, "event") + " of it"
      throw InquiryFault(
        .damaged, "What the configuration was then cannot be read whole: \(what).")
    }
    let found = try reading { () throws(StoreError) in try log.event(at: position) }
    guard let stored = found else {
      throw InquiryFault(.damaged, "The event at position \(position) cannot be read.")
    }
    return ConfigurationMoment(
      place: "\(stored.epoch):\(stored.position)", event: stored.id.rawValue,
      time: UnixNanoseconds(stored.time), state: fold.state)
  }
}

public import Domain
public import EventStore

/// What another configuration would have done to the requests of a window.
///
/// Every first choice is made again, from the request's own facts, clock, dice and place in turn, on the
/// configuration of then and on the same one with the changes. Which requests move is decided; what would have
/// become of those that move is modelled, with bounds, from what others met where they would have gone.
public struct WhatIfReport: InquiryReport, Hashable {
  /// Where a request goes.
  public enum Outcome: Sendable, Hashable {
    /// `provider/name` of the account, and the model that the provider is asked for.
    case account(String, model: String)
    /// Why it goes nowhere, as a word.
    case refused(String)
  }

  /// Requests of one model that go from one place to another.
  public struct Group: Sendable, Hashable {
    /// As clients wrote it.
    public var model: String
    /// As recorded.
    public var before: Outcome
    /// With the changes.
    public var after: Outcome
    /// How many.
    public var requests: UInt64
    /// Of those, the ones whose call failed where they went.
    public var failed: UInt64
    /// The first of them, at most three.
    public var examples: [RequestID]
  }

  /// First calls of an account.
  public struct Load: Sendable, Hashable {
    /// `provider/name`.
    public var name: String
    /// As recorded.
    public var before: UInt64
    /// With the changes.
    public var after: UInt64
    /// Of the recorded ones, those that failed.
    public var failed: UInt64
  }

  /// Failures of first calls, of the requests that move.
  public struct Failures: Sendable, Hashable {
    /// Of the requests that move, the recorded calls that failed.
    public var recorded: UInt64 = 0
    /// What would be expected, by the rate that others met there.
    public var modelled: UInt64 = 0
    /// At least, at 95 % confidence in each rate.
    public var low: UInt64 = 0
    /// At most.
    public var high: UInt64 = 0
    /// Requests that go where the window has no call: nothing can be said of them but that they succeed or fail.
    public var unknowable: UInt64 = 0
    /// Requests that would be refused, which is a failure too.
    public var refused: UInt64 = 0
  }

  /// Of the requests whose tokens are known and whose model has a price on both sides, in millionths of a US
  /// dollar.
  public struct Cost: Sendable, Hashable {
    /// As recorded.
    public var before: UInt64 = 0
    /// The same tokens at the prices of where they would have gone.
    public var after: UInt64 = 0
    /// Requests without tokens or without a price on one side.
    public var unknown: UInt64 = 0
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// What is supposed, as it was written.
  public var changes: [String]
  /// Decided both ways.
  public var looked: UInt64 = 0
  /// Those that go elsewhere.
  public var moved: UInt64 = 0
  /// Refused before any routing: nothing can be said of them.
  public var notRouted: UInt64 = 0
  /// From before what is changed was there, or after.
  public var notApplicable: UInt64 = 0
  /// Whose recorded choice cannot be made again, or comes out otherwise today.
  public var notReproducible: UInt64 = 0
  /// Most requests first.
  public var groups: [Group] = []
  /// By name.
  public var loads: [Load] = []
  /// Of the requests that move.
  public var failures = Failures()
  /// Of all requests that were decided both ways.
  public var cost = Cost()
  /// Damaged ranges in the window.
  public var gaps: [LogGap] = []
  /// Where nothing moved: the nearest requests before and behind the window that what is supposed is about.
  public var outside: [LogCoverage.Moment] = []

  /// 1 if any request moves, 3 if the window is damaged, 4 if a decision in it cannot be made again.
  public var exitCode: ExitCode {
    if !gaps.isEmpty { return .damaged }
    if notReproducible > 0 { return .notReproducible }
    return moved > 0 ? .differs : .same
  }

  /// What the answer rests on, as sentences.
  public static let terms = [
    "recorded: the requests, their first choices, calls, tokens and cost",
    "decided: the first choice on the changed configuration, by the gateway's own code",
    "modelled: failures of moved requests, from the calls that the window has of the same account and model",
    "not known: second attempts, cooldowns that other failures would have brought, and other answers' lengths",
  ]
}

extension Replay {
  /// Decides the requests of a window anew on a configuration with changes.
  ///
  /// - Throws: `.usage` for a change that no configuration of the window can take.
  public static func whatIf(
    _ log: LogReader, _ suppositions: [Supposition], from: Selector? = nil, to: Selector? = nil,
    now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> WhatIfReport {
    let (first, last) = try bounds(of: log, from: from, to: to, now: now)
    var comparison = WhatIfComparison(
      suppositions,
      WhatIfReport(
        coverage: try LogCoverage(log), first: first, last: last,
        changes: suppositions.map(\.text)))
    // First pass: which configurations are needed, and until where each of them.
    var lastUse: [UInt64: UInt64] = [:]
    var hasEnds = false
    try log.read(from: first, through: last, progress: progress) { (item) throws(InquiryFault) in
      guard case .event(let stored) = item, stored.kind.hasPrefix("request.finished."),
        case .request(.finished(let fact)) = Entry(stored).event
      else { return }
      hasEnds = true
      if let attempt = fact.attempts.first { lastUse[attempt.snapshot] = stored.position.rawValue }
    }
    let wanted = Set(lastUse.keys)
    var (fold, from) = ConfigurationFold.start(
      in: log, through: Position(first.rawValue - 1), needed: wanted)
    var shelf = SnapshotShelf(wanted)
    shelf.begin(fold, from: from)
    if !hasEnds { from = last.next }
    try log.read(from: from, through: last, progress: progress) { (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        if gap.last.map({ $0 >= first }) ?? true { comparison.report.gaps.append(gap) }
      case .event(let stored):
        let position = stored.position.rawValue
        if ConfigurationFold.isRelevant(stored.kind) { fold.apply(Entry(stored)) }
        if stored.position >= first, stored.kind.hasPrefix("request.finished."),
          case .request(.finished(let fact)) = Entry(stored).event
        {
          if let snapshot = fact.attempts.first?.snapshot {
            try comparison.look(fact, on: shelf.books[snapshot])
            if lastUse[snapshot] == position { shelf.drop(snapshot) }
          } else {
            // Of what no account was asked for, the configuration just before its record decided.
            try comparison.look(fact, on: shelf.current(fold))
          }
          comparison.forget { $0 != fold.state.position && shelf.books[$0] == nil }
        }
        if shelf.wants(position) { shelf.look(at: position, fold) }
      }
    }
    var report = try comparison.result()
    if report.moved == 0, !comparison.touchesWindow {
      report.outside = try nearestTouched(suppositions, log, first, last)
    }
    return report
  }
}

/// The requests so far, decided both ways.
private struct WhatIfComparison {
  private struct Path: Hashable {
    var model: String
    var before: WhatIfReport.Outcome
    var after: WhatIfReport.Outcome
  }

  private struct Tally {
    var requests: UInt64 = 0
    var failed: UInt64 = 0
    var examples: [RequestID] = []
  }

  /// What calls of one account for one model met.
  private struct Calls {
    var made: UInt64 = 0
    var failed: UInt64 = 0
  }

  var report: WhatIfReport
  private let suppositions: [Supposition]
  /// The changed configurations, by the position of what was changed; nil: it cannot be changed so.
  private var changed: [UInt64: (state: ControlState, snapshot: RoutingSnapshot)?] = [:]
  private var tallies: [Path: Tally] = [:]
  private var loads: [String: WhatIfReport.Load] = [:]
  private var calls: [WhatIfReport.Outcome: Calls] = [:]
  private var wasApplicable = false
  /// Whether a request of the window is one that what is supposed is about.
  private(set) var touchesWindow = false

  init(_ suppositions: [Supposition], _ report: WhatIfReport) {
    self.suppositions = suppositions
    self.report = report
  }

  /// Drops the changed configurations of those that are not asked for again.
  mutating func forget(_ isOver: (UInt64) -> Bool) {
    guard changed.count > 1 else { return }
    changed = changed.filter { !isOver($0.key) }
  }

  mutating func look(
    _ fact: RequestEvent.Finished, on book: SnapshotShelf.Book?
  ) throws(InquiryFault) {
    let attempt = fact.attempts.first
    guard attempt != nil || RoutingEffect.routingCodes.contains(fact.errorCode ?? "") else {
      report.notRouted += 1
      return
    }
    guard let book, book.doubt == nil else {
      report.notReproducible += 1
      return
    }
    let facts = RemadeDecision.facts(fact, attempt)
    func outcome(_ state: ControlState, _ snapshot: RoutingSnapshot) -> (
      WhatIfReport.Outcome, (provider: ProviderID, model: String)?
    ) {
      let decided = route(
        snapshot, facts, now: attempt?.now ?? fact.receivedAt, seed: attempt?.seed ?? 0,
        local: attempt?.local ?? .none, tried: [])
      switch decided {
      case .success(let it):
        return (
          .account(EventLine.name(it.account, state), model: it.upstreamModel),
          (it.provider, it.upstreamModel)
        )
      case .failure(let refusal): return (.refused(refusal.name), nil)
      }
    }
    let (before, _) = outcome(book.state, book.snapshot)
    if let attempt {
      guard case .account(EventLine.name(attempt.account, book.state), _) = before else {
        report.notReproducible += 1
        return
      }
    }
    note(fact, book.state, before)
    if !touchesWindow {
      touchesWindow = suppositions.contains { $0.isAbout(fact, book.state) }
    }
    let position = book.snapshot.position
    if changed[position] == nil {
      let state = try book.state.supposing(suppositions)
      changed[position] = .some(state.map { ($0, RoutingSnapshot($0)) })
    }
    guard let other = changed[position] ?? nil else {
      report.notApplicable += 1
      return
    }
    wasApplicable = true
    report.looked += 1
    let (after, place) = outcome(other.state, other.snapshot)
    let failed = attempt?.errorClass != nil
    load(before, after, failed: failed)
    charge(fact, other.state, place, isMoved: before != after)
    guard before != after else { return }
    report.moved += 1
    if failed || attempt == nil { report.failures.recorded += 1 }
    var tally = tallies[Path(model: fact.modelAsked, before: before, after: after)] ?? Tally()
    tally.requests += 1
    if failed { tally.failed += 1 }
    if tally.examples.count < 3 { tally.examples.append(fact.id) }
    tallies[Path(model: fact.modelAsked, before: before, after: after)] = tally
  }

  /// What calls met, second ones too: they say something of an account all the same.
  private mutating func note(
    _ fact: RequestEvent.Finished, _ state: ControlState, _ first: WhatIfReport.Outcome
  ) {
    // The last attempt's model is that of the request.
    let last = fact.modelResolved.flatMap { name in
      name.firstIndex(of: "/").map { String(name[name.index(after: $0)...]) }
    }
    for (index, attempt) in fact.attempts.enumerated() {
      var place = first
      if index > 0 {
        let isLast = index + 1 == fact.attempts.count
        guard let model = attempt.upstreamModel ?? (isLast ? last : nil) else { continue }
        place = .account(EventLine.name(attempt.account, state), model: model)
      }
      calls[place, default: Calls()].made += 1
      if attempt.errorClass != nil { calls[place, default: Calls()].failed += 1 }
    }
  }

  private mutating func load(
    _ before: WhatIfReport.Outcome, _ after: WhatIfReport.Outcome, failed: Bool
  ) {
    func name(_ outcome: WhatIfReport.Outcome) -> String? {
      if case .account(let name, _) = outcome { name } else { nil }
    }
    if let name = name(before) {
      var load = loads[name] ?? .init(name: name, before: 0, after: 0, failed: 0)
      load.before += 1
      if failed { load.failed += 1 }
      loads[name] = load
    }
    if let name = name(after) {
      loads[name, default: .init(name: name, before: 0, after: 0, failed: 0)].after += 1
    }
  }

  private mutating func charge(
    _ fact: RequestEvent.Finished, _ state: ControlState,
    _ place: (provider: ProviderID, model: String)?, isMoved: Bool
  ) {
    // After a failure the tokens are those of another attempt than the one that is compared.
    guard fact.attempts.count == 1, fact.attempts[0].errorClass == nil, let place else {
      if !fact.attempts.isEmpty { report.cost.unknown += 1 }
      return
    }
    let price = state.pricing.prices[PriceID(provider: place.provider, model: place.model)]
    guard let before = fact.costMicroUSD, let after = price?.microUSD(of: fact.usage) else {
      report.cost.unknown += 1
      return
    }
    report.cost.before = report.cost.before.clamped(adding: before)
    report.cost.after = report.cost.after.clamped(adding: after)
  }

  mutating func result() throws(InquiryFault) -> WhatIfReport {
    if !wasApplicable, report.notApplicable > 0 {
      throw InquiryFault(
        .usage,
        "Nothing of the window can be supposed so: at no request of it was "
          + suppositions.map(\.needed).joined(separator: " and ")
          + " there. `state` at a moment of the window lists what was.",
        parameter: suppositions.first?.parameter)
    }
    report.groups = tallies.map { path, tally in
      WhatIfReport.Group(
        model: path.model, before: path.before, after: path.after, requests: tally.requests,
        failed: tally.failed, examples: tally.examples)
    }.sorted {
      ($1.requests, $0.model, $0.before.text, $0.after.text)
        < ($0.requests, $1.model, $1.before.text, $1.after.text)
    }
    report.loads = loads.values.sorted { $0.name < $1.name }
    var (low, middle, high) = (0.0, 0.0, 0.0)
    for group in report.groups {
      let count = Double(group.requests)
      guard case .account = group.after else {
        report.failures.refused += group.requests
        (low, middle, high) = (low + count, middle + count, high + count)
        continue
      }
      guard let met = calls[group.after], met.made > 0 else {
        report.failures.unknowable += group.requests
        high += count
        continue
      }
      let bounds = interval(met.failed, of: met.made)
      low += count * bounds.low
      middle += count * Double(met.failed) / Double(met.made)
      high += count * bounds.high
    }
    report.failures.low = UInt64(low.rounded(.down))
    report.failures.modelled = UInt64(middle.rounded())
    report.failures.high = UInt64(high.rounded(.up))
    return report
  }

  /// Wilson's interval of a rate at 95 %: good for few calls and for rates near 0 and 1.
  private func interval(_ failed: UInt64, of made: UInt64) -> (low: Double, high: Double) {
    let (n, p, z) = (Double(made), Double(failed) / Double(made), 1.96)
    let middle = p + z * z / (2 * n)
    let spread = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    let whole = 1 + z * z / n
    return (max(0, (middle - spread) / whole), min(1, (middle + spread) / whole))
  }
}

// MARK: Renderings

extension WhatIfReport.Outcome {
  fileprivate var text: String {
    switch self {
    case .account(let name, let model): "\(name) (\(Shown.text(model)))"
    case .refused(let why): "refused: \(why)"
    }
  }

  fileprivate var json: JSONTree {
    switch self {
    case .account(let name, let model):
      .object([.init("account", .text(name)), .init("model", .text(model))])
    case .refused(let why): .object([.init("refused", .text(why))])
    }
  }
}

extension WhatIfReport {
  /// `$1.234567`.
  private static func dollars(_ micro: UInt64) -> String {
    let fraction = String(micro % 1_000_000)
    return "$\(micro / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
  }

  private func isBefore(_ moment: LogCoverage.Moment) -> Bool {
    let position = moment.place.split(separator: ":").last.flatMap { UInt64($0) } ?? 0
    return position < first.rawValue
  }

  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    guard first <= last else { return out + "window    nothing. \(coverage.text)\n" }
    out += "window    positions \(first) to \(last)\n"
    for change in changes { out += "supposed  \(Shown.text(change))\n" }
    for gap in gaps { out += "gap       \(gap.text)\n" }
    out += "decided   \(Shown.count(looked, "request")) again, \(moved) of them go elsewhere\n"
    if notRouted > 0 {
      out += "left out  \(notRouted) that were refused before any routing\n"
    }
    if let before = outside.first {
      let all = outside.map { "\($0.place) (\(rfc3339($0.time)))" }
      out +=
        "elsewhere no request of the window is about what is supposed; \(all.joined(separator: " and ")) "
        + (outside.count > 1 ? "are" : "is") + ", the nearest: widen the window, for example to "
        + (isBefore(before) ? "--from" : "--to") + " \(before.place)\n"
    }
    if notApplicable > 0 {
      out += "left out  \(notApplicable) from when what is changed was not there\n"
    }
    if notReproducible > 0 {
      out += "left out  \(notReproducible) whose recorded choice cannot be made again\n"
    }
    if moved > 0 {
      out += "\nmoved\n"
      var table = TextTable("model", "from", "to", ">requests", ">failed there", "for example")
      for group in groups {
        table.add(
          Shown.text(group.model), group.before.text, group.after.text, String(group.requests),
          String(group.failed), group.examples.first.map { uuidText($0.rawValue) } ?? "")
      }
      out += table.rendered()
      out += "\nfailures of the requests that move\n"
      out += "  recorded   \(failures.recorded)\n"
      out += "  modelled   \(failures.modelled), from \(failures.low) to \(failures.high)\n"
      if failures.refused > 0 { out += "  refused    \(failures.refused) of them would be\n" }
      if failures.unknowable > 0 {
        out += "  not known  \(failures.unknowable) go where the window has no call\n"
      }
    }
    if !loads.isEmpty {
      out += "\nfirst calls\n"
      var table = TextTable("account", ">recorded", ">failed", ">supposed")
      for load in loads {
        table.add(load.name, String(load.before), String(load.failed), String(load.after))
      }
      out += table.rendered()
    }
    out += "\ncost\n  recorded   \(Self.dollars(cost.before))\n"
    out += "  supposed   \(Self.dollars(cost.after)), for the same tokens\n"
    if cost.unknown > 0 {
      out += "  not known  \(cost.unknown) without tokens or price, or that failed over\n"
    }
    out += "\nwhat this is\n"
    for term in Self.terms { out += "  \(term)\n" }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("what-if")), .init("log", coverage.json),
      .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
      .init("supposed", .array(changes.map { .text($0) })),
      .init("gaps", .array(gaps.map(\.json))), .init("decided", .count(looked)),
      .init("moved", .count(moved)), .init("notRouted", .count(notRouted)),
      .init("notApplicable", .count(notApplicable)),
      .init("notReproducible", .count(notReproducible)),
      .init(
        "outside",
        .array(
          outside.map {
            .object([.init("at", .text($0.place)), .init("time", .text(rfc3339($0.time)))])
          })),
      .init(
        "groups",
        .array(
          groups.map { group in
            .object([
              .init("model", .text(group.model)), .init("from", group.before.json),
              .init("to", group.after.json), .init("requests", .count(group.requests)),
              .init("failed", .count(group.failed)),
              .init("examples", .array(group.examples.map { .text(uuidText($0.rawValue)) })),
            ])
          })),
      .init(
        "failures",
        .object([
          .init("recorded", .count(failures.recorded)),
          .init("modelled", .count(failures.modelled)), .init("low", .count(failures.low)),
          .init("high", .count(failures.high)), .init("refused", .count(failures.refused)),
          .init("unknowable", .count(failures.unknowable)),
        ])),
      .init(
        "accounts",
        .array(
          loads.map {
            .object([
              .init("account", .text($0.name)), .init("recorded", .count($0.before)),
              .init("failed", .count($0.failed)), .init("supposed", .count($0.after)),
            ])
          })),
      .init(
        "cost",
        .object([
          .init("recordedMicroUsd", .count(cost.before)),
          .init("supposedMicroUsd", .count(cost.after)), .init("unknown", .count(cost.unknown)),
        ])), .init("terms", .array(Self.terms.map { .text($0) })),
    ])
  }
}

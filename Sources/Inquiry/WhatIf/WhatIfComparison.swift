import Domain

/// The requests so far, decided both ways.
struct WhatIfComparison {
  /// Where a request goes, by what it is whatever it is called.
  private enum Place: Hashable {
    case account(AccountID, model: String)
    case refused(String)
  }

  private struct Path: Hashable {
    var model: String
    var before: Place
    var after: Place
  }

  private struct Tally {
    var requests: UInt64 = 0
    var failed: UInt64 = 0
    var callers: UInt64 = 0
    var modelled: UInt64 = 0
    var examples: [RequestID] = []
  }

  /// How requests ended that came to one account for one model; callers' faults are none of them.
  private struct Met {
    var requests: UInt64 = 0
    var failed: UInt64 = 0
  }

  /// What is supposed, at one configuration.
  private typealias Changed = (state: ControlState, snapshot: RoutingSnapshot)

  var report: WhatIfReport
  private let suppositions: [Supposition]
  /// The changed configurations, by the position of what was changed; nil: it cannot be changed so.
  private var changed: [UInt64: Changed?] = [:]
  private var tallies: [Path: Tally] = [:]
  private var loads: [AccountID: WhatIfReport.Load] = [:]
  private var met: [Place: Met] = [:]
  private var names: [AccountID: String] = [:]
  private var wasApplicable = false
  /// Why it cannot be supposed at some configuration, the first time.
  private var fault: InquiryFault?
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

  /// - Parameters:
  ///   - book: the configuration of its first attempt, or just before its record.
  ///   - others: of a request that no account was asked for, other configurations that were in force since it came.
  mutating func look(
    _ fact: RequestEvent.Finished, on book: SnapshotShelf.Book?,
    or others: [SnapshotShelf.Book] = []
  ) {
    record(fact, book)
    if let state = book?.state, !touchesWindow {
      touchesWindow = suppositions.contains { $0.isAbout(fact, state) }
    }
    let attempt = fact.attempts.first
    guard attempt != nil || fact.isRefusedByRouting else {
      return lookAtRefused(fact, on: book)
    }
    guard !fact.isForUnknownOwner else { return leaveOut(fact, \.undecided.owner) }
    guard var book, book.doubt == nil else { return leaveOut(fact, \.notReproducible) }
    let facts = RemadeDecision.facts(fact, attempt)
    var now = attempt?.now ?? fact.receivedAt
    var noted = NotedLocal(attempt?.local ?? .none)
    if attempt == nil {
      let books = [book] + others.filter { $0.doubt == nil }
      guard let found = Refusing(fact, facts, among: books) else {
        return leaveOut(fact, \.notReproducible)
      }
      (book, now, noted) = (found.book, found.now, NotedLocal(found.local))
    }
    let before = place(
      route(book.snapshot, facts, now: now, seed: attempt?.seed ?? 0, local: &noted, tried: []),
      book.state)
    switch (before, attempt?.account) {
    case (.account(let id, _), .some(let recorded)) where id == recorded: break
    case (.refused, .none): break
    case (.account, _), (.refused, .some): return leaveOut(fact, \.notReproducible)
    }
    note(fact, before)
    guard let other = change(book) else { return leaveOut(fact, \.notApplicable) }

    let receivedAt = fact.receivedAt
    let refusal = fact.refusal(by: other.state, other.snapshot, at: receivedAt)
    if let refusal, fact.refusal(by: book.state, book.snapshot, at: receivedAt) != refusal {
      return settle(fact, before, .refused(refusal), nil, book, other)
    }
    guard fact.bounds(in: book.state) == fact.bounds(in: other.state) else {
      return leaveOut(fact, \.undecided.limits)
    }
    var local = noted.supposed
    let decided = route(
      other.snapshot, facts, now: now, seed: attempt?.seed ?? 0, local: &local, tried: [])
    var unknown = local.unknown
    if other.snapshot.settings.fallbackStrategy == .sessionSticky, fact.session == nil,
      attempt == nil || book.snapshot.settings.fallbackStrategy != .sessionSticky
    {
      unknown.insert(.session)
    }
    var why: WhatIfReport.Why?
    if !unknown.isEmpty {
      // What nobody noted matters only where more than one account could have had the turn.
      let isDrawn = candidates(
        other.snapshot, facts, now: now, seed: attempt?.seed ?? 0,
        local: noted.noted, tried: []
      ).contains { if case .notDrawn = $0.rejection { true } else { false } }
      why = WhatIfReport.Why.allCases.first { unknown.contains($0) && (isDrawn || $0 == .probe) }
    }
    settle(fact, before, place(decided, other.state), why, book, other)
  }

  /// Of a request that was refused before any routing it is known only whether it would be again.
  private mutating func lookAtRefused(
    _ fact: RequestEvent.Finished, on book: SnapshotShelf.Book?
  ) {
    guard let book, book.doubt == nil, let other = change(book) else {
      report.notRouted += 1
      return
    }
    let (was, will) = (
      fact.refusal(by: book.state, book.snapshot, at: fact.receivedAt),
      fact.refusal(by: other.state, other.snapshot, at: fact.receivedAt)
    )
    let isBodyBound =
      fact.errorCode == "body_too_large"
      && book.state.settings.maxBodyBytes < other.state.settings.maxBodyBytes
    if will == nil, was != nil || isBodyBound {
      report.undecided.letIn += 1
    } else if will == nil, fact.bounds(in: book.state) != fact.bounds(in: other.state) {
      report.undecided.limits += 1
    } else {
      report.notRouted += 1
    }
  }

  private mutating func change(_ book: SnapshotShelf.Book) -> Changed? {
    let position = book.snapshot.position
    if let known = changed[position] { return known }
    var made: Changed?
    do throws(InquiryFault) {
      if let state = try book.state.supposing(suppositions) {
        made = (state, RoutingSnapshot(state))
        wasApplicable = true
      }
    } catch {
      fault = fault ?? error
    }
    changed[position] = .some(made)
    return made
  }

  private mutating func place(
    _ decided: Result<RoutingDecision, RoutingRefusal>, _ state: ControlState
  ) -> Place {
    switch decided {
    case .success(let it):
      if names[it.account] == nil { names[it.account] = EventLine.name(it.account, state) }
      return .account(it.account, model: it.upstreamModel)
    case .failure(let refusal): return .refused(refusal.name)
    }
  }

  // MARK: What is recorded

  private mutating func record(_ fact: RequestEvent.Finished, _ book: SnapshotShelf.Book?) {
    report.cost.before = report.cost.before.clamped(adding: fact.costMicroUSD ?? 0)
    guard let first = fact.attempts.first else { return }
    if let state = book?.state { names[first.account] = EventLine.name(first.account, state) }
    loads[first.account, default: .init(name: "")].before += 1
    if first.verdict == .failed { loads[first.account]?.failed += 1 }
  }

  /// How it ended is told of every account that it came to, whether first or not.
  private mutating func note(_ fact: RequestEvent.Finished, _ first: Place) {
    guard fact.verdict != .callers, !fact.attempts.isEmpty else { return }
    // The last attempt's model is that of the request.
    let last = fact.modelResolved.flatMap(PriceID.init(resolved:))
    var places: Set<Place> = [first]
    for (index, attempt) in fact.attempts.enumerated().dropFirst() {
      let isLast = index + 1 == fact.attempts.count
      guard let model = attempt.upstreamModel ?? (isLast ? last?.model : nil) else { continue }
      places.insert(.account(attempt.account, model: model))
    }
    for place in places {
      met[place, default: Met()].requests += 1
      if fact.verdict == .failed { met[place]?.failed += 1 }
    }
  }

  // MARK: What is supposed

  /// Nothing is said of where the request would go.
  private mutating func leaveOut(
    _ fact: RequestEvent.Finished, _ count: WritableKeyPath<WhatIfReport, UInt64>
  ) {
    report[keyPath: count] += 1
    costIsUnknown(fact)
    if let first = fact.attempts.first { loads[first.account]?.undecided += 1 }
  }

  private mutating func settle(
    _ fact: RequestEvent.Finished, _ before: Place, _ after: Place, _ why: WhatIfReport.Why?,
    _ book: SnapshotShelf.Book, _ other: Changed
  ) {
    if case .account(let id, _) = after {
      loads[id, default: .init(name: "")].after += 1
    }
    charge(fact, before, after, book.state.pricing, other.state)
    let isMoved = before != after
    if let why {
      report.modelled.requests += 1
      report.modelled.why[why, default: 0] += 1
      if isMoved { report.modelled.moved += 1 }
    } else {
      report.looked += 1
      if isMoved { report.moved += 1 }
    }
    guard isMoved else { return }
    let path = Path(model: fact.modelAsked, before: before, after: after)
    var tally = tallies[path] ?? Tally()
    tally.requests += 1
    switch fact.verdict {
    case .served: break
    case .failed: tally.failed += 1
    case .callers: tally.callers += 1
    }
    if why != nil { tally.modelled += 1 }
    if tally.examples.count < 3 { tally.examples.append(fact.id) }
    tallies[path] = tally
  }

  private mutating func costIsUnknown(_ fact: RequestEvent.Finished) {
    report.cost.unknown += 1
    report.cost.unknownBefore = report.cost.unknownBefore.clamped(adding: fact.costMicroUSD ?? 0)
  }

  private mutating func charge(
    _ fact: RequestEvent.Finished, _ before: Place, _ after: Place, _ old: Pricing,
    _ state: ControlState
  ) {
    guard case .account(let id, let model) = after else { return }
    let new = state.pricing
    var cost: UInt64?
    if before == after {
      let served = fact.modelResolved.flatMap(PriceID.init(resolved:))
      let isSame = served.map { old.prices[$0] == new.prices[$0] } ?? true
      cost =
        isSame ? fact.costMicroUSD : served.flatMap { new.prices[$0]?.microUSD(of: fact.usage) }
    } else if fact.attempts.count == 1, fact.attempts[0].errorClass == nil,
      let provider = state.accounts[id]?.provider
    {
      // After a failure the tokens are those of another attempt than the one that is compared.
      cost = new.prices[PriceID(provider: provider, model: model)]?.microUSD(of: fact.usage)
    }
    guard let cost else { return costIsUnknown(fact) }
    report.cost.after = report.cost.after.clamped(adding: cost)
  }

  // MARK: The answer

  /// - Parameter state: of the window's end, where what is supposed is tried if no request did.
  mutating func result(at state: ControlState) throws(InquiryFault) -> WhatIfReport {
    if !wasApplicable, let fault { throw fault }
    if !wasApplicable, report.notApplicable > 0 {
      throw InquiryFault(
        .usage,
        "Nothing of the window can be supposed so: at no request of it was "
          + suppositions.map(\.needed).joined(separator: " and ")
          + " there. `state` at a moment of the window lists what was.",
        parameter: suppositions.first?.parameter)
    }
    if !wasApplicable { _ = try state.supposing(suppositions) }
    report.groups = tallies.map { path, tally in
      WhatIfReport.Group(
        model: path.model, before: outcome(path.before), after: outcome(path.after),
        requests: tally.requests, failed: tally.failed, callers: tally.callers,
        modelled: tally.modelled, examples: tally.examples)
    }.sorted {
      ($1.requests, $0.model, $0.before.text, $0.after.text)
        < ($0.requests, $1.model, $1.before.text, $1.after.text)
    }
    report.loads = loads.sorted { $0.key < $1.key }.map { id, load in
      var load = load
      load.name = name(id)
      return load
    }.sorted { $0.name < $1.name }
    weigh()
    return report
  }

  private func name(_ id: AccountID) -> String { names[id] ?? Shown.text(id.rawValue) }

  private func outcome(_ place: Place) -> WhatIfReport.Outcome {
    switch place {
    case .account(let id, let model): .account(name(id), model: model)
    case .refused(let why): .refused(why)
    }
  }

  private mutating func weigh() {
    var failures = WhatIfReport.Failures()
    // In an order of its own, as sums of fractions hang on it.
    let sorted = tallies.sorted {
      ($0.key.model, outcome($0.key.before).text, outcome($0.key.after).text, $0.value.requests)
        < ($1.key.model, outcome($1.key.before).text, outcome($1.key.after).text, $1.value.requests)
    }
    var (low, middle, high) = (0.0, 0.0, 0.0)
    for (path, tally) in sorted {
      failures.recorded += tally.failed
      failures.callers += tally.callers
      guard case .account = path.after else {
        failures.refused += tally.requests
        let count = Double(tally.requests)
        (low, middle, high) = (low + count, middle + count, high + count)
        continue
      }
      // What callers were at fault for they would be elsewhere.
      let count = Double(tally.requests - tally.callers)
      guard let met = met[path.after], met.requests > 0 else {
        failures.unknowable += tally.requests - tally.callers
        high += count
        continue
      }
      let bounds = interval(met.failed, of: met.requests)
      low += count * bounds.low
      middle += count * Double(met.failed) / Double(met.requests)
      high += count * bounds.high
    }
    failures.low = UInt64(low.rounded(.down))
    failures.modelled = UInt64(middle.rounded())
    failures.high = UInt64(high.rounded(.up))
    report.failures = failures
  }

  /// Wilson's interval of a rate at 95 %: good for few requests and for rates near 0 and 1.
  private func interval(_ failed: UInt64, of all: UInt64) -> (low: Double, high: Double) {
    let (n, p, z) = (Double(all), Double(failed) / Double(all), 1.96)
    let middle = p + z * z / (2 * n)
    let spread = z * (p * (1 - p) / n + z * z / (4 * n * n)).squareRoot()
    let whole = 1 + z * z / n
    return (max(0, (middle - spread) / whole), min(1, (middle + spread) / whole))
  }
}

extension PriceID {
  /// Of `provider/model` as a request records it; nil: it is not so.
  fileprivate init?(resolved: String) {
    guard let slash = resolved.firstIndex(of: "/") else { return nil }
    self.init(
      provider: ProviderID(String(resolved[..<slash])),
      model: String(resolved[resolved.index(after: slash)...]))
  }
}

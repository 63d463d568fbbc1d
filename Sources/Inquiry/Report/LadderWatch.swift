import Domain

/// Follows the ladder's conditions along the log, in steps of 15 seconds; an hour of steps is all that it holds.
struct LadderWatch {
  static let step: Int64 = 15_000_000_000
  private static let hour = 240
  private static let namesMax = 200
  private static let episodesMax = 2_000

  /// A share of what was looked at, and where the first and the last of that part stand.
  private struct Tally {
    var share = Share.none
    var first: LogCoverage.Moment?
    var last: LogCoverage.Moment?

    mutating func add(_ isPart: Bool, _ moment: LogCoverage.Moment) {
      share.whole += 1
      guard isPart else { return }
      share.part += 1
      if first == nil { first = moment }
      last = moment
    }
  }

  private struct Step {
    var failed = Tally()
    /// First bytes beyond the promise, and beyond one and a half times and twice that.
    var late = Tally()
    var later: UInt64 = 0
    var latest: UInt64 = 0
    var providers: [String: Tally] = [:]
    var organisations: [String: Tally] = [:]
  }

  private struct Key: Hashable {
    var rule: LadderRule
    var subject: String
  }

  private struct Holding {
    var began: LogCoverage.Moment
    var since: Int64
    var last: LogCoverage.Moment
    var rang: Int64?
  }

  private let objectives: Objectives
  private var ring = [Step](repeating: Step(), count: LadderWatch.hour)
  /// The number of the step that is being filled; nil: none is.
  private var current: Int64?
  /// The last step in which anything happened.
  private var busy: Int64 = .min
  private var providers: Set<String> = []
  private var organisations: Set<String> = []
  private var holding: [Key: Holding] = [:]
  /// Those that held long enough.
  private(set) var episodes: [Episode] = []
  /// Beyond those.
  private(set) var omitted: UInt64 = 0

  init(_ objectives: Objectives) { self.objectives = objectives }

  mutating func add(
    _ it: RequestEvent.Finished, at moment: LogCoverage.Moment, _ state: ControlState
  ) {
    advance(to: moment.time)
    guard let current else { return }
    busy = current
    let slot = Self.slot(current)
    let verdict = it.verdict
    if verdict != .callers {
      ring[slot].failed.add(verdict == .failed, moment)
      if let organisation = it.organisation?.rawValue,
        Self.isKept(organisation, &organisations)
      {
        ring[slot].organisations[organisation, default: Tally()].add(verdict == .failed, moment)
      }
    }
    if !it.attempts.isEmpty, let time = it.firstByteMicroseconds {
      let bound = objectives.firstByteMicroseconds
      ring[slot].late.add(time > bound, moment)
      if time > bound.clamped(adding: bound / 2) { ring[slot].later += 1 }
      if time > bound.clamped(adding: bound) { ring[slot].latest += 1 }
    }
    for attempt in it.attempts {
      if let errorClass = attempt.errorClass, [.client, .request].contains(errorClass) { continue }
      let account = state.accounts[attempt.account] ?? state.removedAccounts[attempt.account]
      guard let provider = account?.provider.rawValue, Self.isKept(provider, &providers) else {
        continue
      }
      ring[slot].providers[provider, default: Tally()].add(attempt.errorClass != nil, moment)
    }
  }

  /// Something that another one noticed: an account out, the gateway not running.
  mutating func note(_ episode: Episode) {
    if episodes.count < Self.episodesMax { episodes.append(episode) } else { omitted += 1 }
  }

  /// Ends the steps that are over at a time; what goes back in time belongs to the step that is being filled.
  mutating func advance(to time: UnixNanoseconds) {
    let target = time.rawValue / Self.step
    guard var at = current else {
      current = target
      return
    }
    while at < target {
      judge(at)
      at += 1
      // Where nothing happened for an hour nothing can hold.
      if holding.isEmpty, at - busy > Int64(Self.hour) {
        at = target
        ring = [Step](repeating: Step(), count: Self.hour)
      } else {
        ring[Self.slot(at)] = Step()
      }
      current = at
    }
  }

  /// Ends all; what still holds goes on.
  mutating func end(at time: UnixNanoseconds) {
    guard let current else { return }
    advance(to: time)
    judge(self.current ?? current)
    for (key, held) in holding.sorted(by: {
      ($0.key.rule.rawValue, $0.key.subject) < ($1.key.rule.rawValue, $1.key.subject)
    }) {
      finish(key, held, goesOn: true)
    }
    holding = [:]
  }

  private static func slot(_ step: Int64) -> Int { Int(step % Int64(hour) + Int64(hour)) % hour }

  private static func isKept(_ name: String, _ names: inout Set<String>) -> Bool {
    if names.contains(name) { return true }
    guard names.count < namesMax else { return false }
    names.insert(name)
    return true
  }

  // MARK: Conditions

  private func sum(
    _ at: Int64, _ steps: Int, _ share: (Step) -> Share
  ) -> Share {
    var total = Share.none
    for back in 0..<Int64(steps) { total = total + share(ring[Self.slot(at - back)]) }
    return total
  }

  private mutating func judge(_ at: Int64) {
    let minute: Int64 = 60_000_000_000
    let failed: (Step) -> Share = { $0.failed.share }
    let late: (Step) -> Share = { $0.late.share }
    let failures: (Step) -> Tally = { $0.failed }
    let lates: (Step) -> Tally = { $0.late }
    let (f1, f5, f60) = (sum(at, 4, failed), sum(at, 20, failed), sum(at, 240, failed))
    let (l1, l5, l60) = (sum(at, 4, late), sum(at, 20, late), sum(at, 240, late))
    let isEnough = f5.part >= 3
    let (fail, tardy) = (objectives.failuresPerMillion, objectives.latePerMillion)
    judge(
      .mostRequestsFailing, isEnough && f1.isOver(500_000), at, for: 5 * minute, 500_000, failures)
    judge(.highErrorRate, isEnough && f5.isOver(50_000), at, for: 5 * minute, 50_000, failures)
    judge(
      .availabilityBurn6, isEnough && f5.isOver(6 * fail) && f1.isOver(6 * fail), at,
      for: 5 * minute, 6 * fail, failures)
    judge(
      .availabilityBurn2, f60.part >= 3 && f60.isOver(2 * fail) && f5.isOver(2 * fail), at,
      for: 10 * minute, 2 * fail, failures)
    judge(
      .latencyBurn6, l5.part >= 3 && l5.isOver(6 * tardy) && l1.isOver(6 * tardy), at,
      for: 5 * minute, 6 * tardy, lates)
    judge(
      .latencyBurn2, l60.part >= 3 && l60.isOver(2 * tardy) && l5.isOver(2 * tardy), at,
      for: 10 * minute, 2 * tardy, lates)
    // The promised quantile lies beyond a bound where more than the rest do.
    let later = sum(at, 20) { Share(part: $0.later, whole: $0.late.share.whole) }
    let latest = sum(at, 20) { Share(part: $0.latest, whole: $0.late.share.whole) }
    let isFar = l5.part >= 3 && latest.isOver(tardy)
    judge(.latencyFarOverSlo, isFar, at, for: 5 * minute, tardy, lates)
    judge(
      .latencyOverSlo, l5.part >= 3 && !isFar && later.isOver(tardy), at, for: 15 * minute, tardy,
      lates)
    for name in providers.sorted() {
      let calls = sum(at, 40) { $0.providers[name]?.share ?? .none }
      judge(
        .providerSuccessLow, of: name, calls.part >= 3 && calls.isOver(50_000), at,
        for: 10 * minute,
        50_000
      ) { $0.providers[name] ?? Tally() }
    }
    for name in organisations.sorted() {
      let share = sum(at, 20) { $0.organisations[name]?.share ?? .none }
      judge(
        .organisationOut, of: name, share.part >= 3 && share.isOver(500_000), at, for: 5 * minute,
        500_000
      ) { $0.organisations[name] ?? Tally() }
    }
  }

  private mutating func judge(
    _ rule: LadderRule, of subject: String = "", _ isTrue: Bool, _ at: Int64, for needed: Int64,
    _ perMillion: UInt64, _ tally: (Step) -> Tally
  ) {
    let key = Key(rule: rule, subject: subject)
    let now = (at + 1) * Self.step
    let here = tally(ring[Self.slot(at)])
    guard isTrue else {
      if let held = holding.removeValue(forKey: key) { finish(key, held, goesOn: false) }
      return
    }
    if var held = holding[key] {
      if here.share.isOver(perMillion), let last = here.last { held.last = last }
      if held.rang == nil, now - held.since >= needed { held.rang = now }
      holding[key] = held
      return
    }
    // It began with the first step of those on end that each exceed the bound; steps without requests do not count.
    var began = here.first
    var last = here.last
    for back in 0..<Int64(Self.hour) {
      let step = tally(ring[Self.slot(at - back)])
      if step.share.whole == 0 { continue }
      guard step.share.isOver(perMillion) || began == nil else { break }
      if let first = step.first { began = first }
      if last == nil { last = step.last }
    }
    guard let began, let last else { return }
    holding[key] = Holding(began: began, since: now, last: last, rang: nil)
  }

  private mutating func finish(_ key: Key, _ held: Holding, goesOn: Bool) {
    guard let rang = held.rang else { return }
    note(
      Episode(
        rule: key.rule, subject: key.subject, began: held.began, rang: UnixNanoseconds(rang),
        last: held.last, goesOn: goesOn))
  }
}

extension Share {
  /// Whether more than so many of a million are of the part.
  func isOver(_ perMillion: UInt64) -> Bool {
    Int128(part) * 1_000_000 > Int128(perMillion) * Int128(whole)
  }
}

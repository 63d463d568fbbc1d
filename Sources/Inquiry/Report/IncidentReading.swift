import Domain
import EventStore

extension IncidentReport {
  private static let minute: Int64 = 60_000_000_000
  private static let incidentsMax = 200
  /// How long before the incident edits are looked at.
  public static let lookBack: Int64 = 60 * minute

  /// First reading: which rungs of the ladder were reached, when.
  mutating func climb(_ log: LogReader, _ progress: Progress?) throws(InquiryFault) {
    var watch = LadderWatch(objectives)
    let (from, through) = (first, last)
    let isToEnd = through >= log.last
    var (fold, start) = ConfigurationFold.start(in: log, through: Position(from.rawValue - 1))
    var lanes: AccountLanes?
    var (ends, gaps) = (Ends?.none, [LogGap]())
    var before: LogCoverage.Moment?
    var (ended, refused): (UInt64, UInt64) = (0, 0)
    try log.read(from: start, through: isToEnd ? nil : through, progress: progress) { item in
      switch item {
      case .gap(let gap):
        fold.apply(gap)
        if gap.last.map({ $0 >= from }) ?? true { gaps.append(gap) }
      case .event(let stored):
        guard stored.position <= through else { return }
        let isInside = stored.position >= from
        guard isInside || ConfigurationFold.isRelevant(stored.kind) else { return }
        let entry = Entry(stored)
        let moment = LogCoverage.Moment(place: entry.place, time: entry.time)
        if isInside, lanes == nil {
          lanes = AccountLanes(from: entry.time)
          lanes?.begin(fold.state, at: entry.time)
        }
        fold.apply(entry)
        guard isInside else { return }
        if ends == nil { ends = Ends(first: moment, last: moment) }
        switch entry.event {
        case .request(.finished(let fact)):
          watch.add(fact, at: moment, fold.state)
          ended += 1
          switch fact.verdict {
          case .served: break
          case .failed: failedSpan = Ends(first: failedSpan?.first ?? moment, last: moment)
          case .callers:
            refused += 1
            refusedSpan = Ends(first: refusedSpan?.first ?? moment, last: moment)
          }
        case .gateway(.started(let it)):
          // Who stops a gateway knows that it does not run.
          if let before, !it.previousStopWasClean,
            moment.time.rawValue - before.time.rawValue >= 45_000_000_000
          {
            let rang = UnixNanoseconds(before.time.rawValue + 45_000_000_000)
            watch.note(
              Episode(
                rule: .notRunning, subject: "", began: before, rang: rang, last: moment,
                goesOn: false))
          }
        case let event: lanes?.apply(event, fold.state, moment)
        }
        ends?.last = moment
        before = moment
      }
    }
    self.gaps = gaps
    self.ends = ends
    guard let ends else { return }
    watch.end(at: ends.last.time)
    lanes?.end(at: ends.last.time)
    for (_, lane) in (lanes?.lanes ?? [:]).sorted(by: { $0.key < $1.key }) {
      for episode in Self.unhealthy(lane, until: ends.last.time) { watch.note(episode) }
    }
    let all = Incident.all(of: watch.episodes)
    incidents = Array(all.prefix(Self.incidentsMax))
    main = all.min {
      ($0.severity.rawValue, $1.length, $0.began.time)
        < ($1.severity.rawValue, $0.length, $1.began.time)
    }
    isAboutRefusals = main == nil && refused >= 3 && refused * 2 > ended
  }

  /// Times of five minutes or more in which an account cooled or was taken out by an event of the window.
  private static func unhealthy(
    _ lane: AccountLanes.Lane, until end: UnixNanoseconds
  ) -> [Episode] {
    lane.segments.compactMap { segment in
      guard segment.state == .cooling || segment.state == .out, let place = segment.place,
        segment.to.rawValue - segment.from.rawValue >= 5 * minute
      else { return nil }
      let began = LogCoverage.Moment(place: place, time: segment.from)
      return Episode(
        rule: .accountUnhealthy, subject: lane.name, began: began,
        rang: UnixNanoseconds(segment.from.rawValue + 5 * minute),
        last: LogCoverage.Moment(place: segment.endPlace ?? place, time: segment.to),
        goesOn: segment.to >= end)
    }
  }

  /// Second reading: the incident with what surrounds it.
  mutating func look(_ log: LogReader, _ progress: Progress?) throws(InquiryFault) {
    guard let ends else { return }
    // Failures too few or too short for a rung have their causes too.
    let began =
      main?.began ?? (isAboutRefusals ? refusedSpan : failedSpan)?.first ?? ends.first
    let over = main?.goesOn ?? true ? ends.last : main?.last ?? ends.last
    if main != nil {
      impactFirst = max(first, try Self.position(began.place))
      impactLast = min(last, try Self.position(over.place))
    }
    let pad =
      main == nil
      ? max(began.time.rawValue - ends.first.time.rawValue, 0)
      : min(
        60 * Self.minute,
        max(5 * Self.minute, (over.time.rawValue - began.time.rawValue) / 3))
    let from = max(ends.first.time, UnixNanoseconds(began.time.rawValue - pad))
    let to = min(ends.last.time, UnixNanoseconds(over.time.rawValue + pad))
    let length = IntervalSeries.niceLength(
      forSpan: max(1, to.rawValue - from.rawValue), into: 90)
    series = IntervalSeries(length: length)
    try series.cover(from, max(from, to))
    let lookFrom = UnixNanoseconds(
      max(0, began.time.rawValue - Self.lookBack))
    let start = try reading { () throws(StoreError) in
      try log.firstPosition(atOrAfter: lookFrom.rawValue)
    }
    let through = try reading { () throws(StoreError) in
      to >= ends.last.time ? last : try log.firstPosition(atOrAfter: to.rawValue + 1)
    }
    var pass = IncidentPass(
      report: self, from: from, to: to, began: began,
      lookFrom: max(log.first, min(start, impactFirst)))
    try pass.read(log, through: min(last, max(through, impactLast)), progress)
    self = try pass.finish(log, progress)
  }

  static func position(_ place: String) throws(InquiryFault) -> Position {
    guard let colon = place.lastIndex(of: ":"),
      let number = UInt64(place[place.index(after: colon)...])
    else { throw InquiryFault(.log, "`\(Shown.text(place))` is no position.") }
    return Position(number)
  }
}

import Domain
import EventStore

/// The second reading, as far as it has come.
struct IncidentPass {
  /// An edit and what was counted when it was made.
  struct Edit {
    var stream: String
    var moment: LogCoverage.Moment
    var position: UInt64
    var what: String
    var who: String
    /// What it may have changed, the narrowest first.
    var parts: [String]
    var atEdit: [Share]
    /// When the next edit of the same stream came; nil: none did.
    var atNext: [Share]?
    /// It took an account or a provider out of service.
    var takesOut: Bool
  }

  var report: IncidentReport
  let from: UnixNanoseconds
  let to: UnixNanoseconds
  let began: LogCoverage.Moment
  let lookFrom: Position
  var edits: [Edit] = []
  /// Failures by part of what is configured, from the beginning of looking.
  var counted: [String: Share] = [:]
  var atBegan: [String: Share] = [:]
  var atLast: [String: Share] = [:]
  private var hasBegun = false
  private var isOver = false
  private var lastOfStream: [String: Int] = [:]
  var starts: [(fact: GatewayEvent.Started, moment: LogCoverage.Moment, counted: Share)] = []
  /// The first failed call of each account in the incident.
  var firstFailedCall: [String: LogCoverage.Moment] = [:]
  /// Credentials in force whose time ended while looking.
  var expired: [AccountID: (name: String, at: UnixNanoseconds)] = [:]
  private var focusFirst: LogCoverage.Moment?
  private var focusLast: LogCoverage.Moment?
  /// The last stop that the gateway announced, and its row in the timeline.
  private var stopped: (moment: LogCoverage.Moment, row: Int?)?
  /// As long a stop as a ping would notice.
  private static let noticeable: Int64 = 45_000_000_000
  private static let editsMax = 1_000
  private static let partsMax = 20_000

  init(
    report: IncidentReport, from: UnixNanoseconds, to: UnixNanoseconds,
    began: LogCoverage.Moment, lookFrom: Position
  ) {
    self.report = report
    self.from = from
    self.to = to
    self.began = began
    self.lookFrom = lookFrom
    self.report.lanes = AccountLanes(from: from)
  }

  mutating func read(
    _ log: LogReader, through: Position, _ progress: Progress?
  ) throws(InquiryFault) {
    try findBuild(log)
    var (fold, start) = ConfigurationFold.start(in: log, through: Position(lookFrom.rawValue - 1))
    var hasLanes = false
    try log.read(from: start, through: through, progress: progress) {
      (item) throws(InquiryFault) in
      switch item {
      case .gap(let gap): fold.apply(gap)
      case .event(let stored):
        guard stored.position <= through else { return }
        let isLooked = stored.position >= lookFrom
        guard isLooked || ConfigurationFold.isRelevant(stored.kind) else { return }
        let entry = Entry(stored)
        let before = fold.state
        fold.apply(entry)
        guard isLooked else { return }
        let moment = LogCoverage.Moment(place: entry.place, time: entry.time)
        if report.lookedFrom == nil { report.lookedFrom = moment }
        if !hasLanes, entry.time >= from {
          hasLanes = true
          report.lanes.begin(before, at: entry.time)
        }
        if hasLanes { report.lanes.apply(entry.event, fold.state, moment) }
        try take(entry, moment, before, fold.state)
      }
    }
    report.lanes.end(at: to)
    if !isOver { atLast = counted }
    if let focusFirst, let focusLast {
      report.focus = IncidentReport.Ends(first: focusFirst, last: focusLast)
    }
    report.unrecorded.openSince = fold.openGap
    for account in fold.state.accounts.values.sorted(by: { $0.id < $1.id }) {
      let last = report.main?.last.time ?? to
      if let end = account.credential.expiresAt,
        end.rawValue >= began.time.rawValue - 900_000_000_000,
        end <= last
      {
        expired[account.id] = (EventLine.name(account.id, fold.state), end)
      }
    }
  }

  /// The build that ran when looking begins.
  private mutating func findBuild(_ log: LogReader) throws(InquiryFault) {
    var found: IncidentReport.Build?
    do {
      try log.backwards(ofStream: gatewayStream, before: lookFrom) { stored in
        let entry = Entry(stored)
        guard case .gateway(.started(let it)) = entry.event else { return true }
        found = IncidentReport.Build(
          version: it.version, recording: it.recording,
          moment: LogCoverage.Moment(place: entry.place, time: entry.time))
        return false
      }
    } catch let error as StoreError {
      throw InquiryFault(error)
    } catch {
      throw InquiryFault(.log, "The log could not be read.")
    }
    if let found { report.builds = [found] }
  }

  private mutating func take(
    _ entry: Entry, _ moment: LogCoverage.Moment, _ before: ControlState, _ after: ControlState
  ) throws(InquiryFault) {
    let position = entry.stored.position
    if !hasBegun, position >= report.impactFirst {
      hasBegun = true
      atBegan = counted
    }
    if !isOver, position > report.impactLast {
      isOver = true
      atLast = counted
    }
    let isInFocus = moment.time >= from && moment.time <= to
    if isInFocus {
      if focusFirst == nil { focusFirst = moment }
      focusLast = moment
    }
    let isImpact = position >= report.impactFirst && position <= report.impactLast
    guard let event = entry.event else {
      if isInFocus, entry.recorded == nil {
        report.doubts.append(
          .init(place: moment.place, what: EventLine.text(entry, before: before)))
      }
      return
    }
    switch event {
    case .request(let event):
      try take(event, entry, moment, after, isInFocus: isInFocus, isImpact: isImpact)
    case .gateway(let event):
      take(event, moment)
      if isInFocus { tell(.gateway, entry, moment, before) }
      if case .stopped = event {
        stopped = (moment, isInFocus ? report.timeline.count - 1 : nil)
      } else if case .started = event, let stop = stopped {
        tellPlanned(stop, until: moment)
        stopped = nil
      }
    case .health:
      if isInFocus { tell(.health, entry, moment, before) }
    case .access, .sync, .syncToken: break
    case .provider(.modelsDiscovered): break
    default: takeEdit(entry, moment, before, isInFocus: isInFocus)
    }
  }

  private mutating func take(
    _ event: RequestEvent, _ entry: Entry, _ moment: LogCoverage.Moment, _ state: ControlState,
    isInFocus: Bool, isImpact: Bool
  ) throws(InquiryFault) {
    switch event {
    case .finished(let it):
      let verdict = it.verdict
      if verdict != .callers || report.isAboutRefusals {
        let isFailure = verdict == (report.isAboutRefusals ? .callers : .failed)
        count("all", isFailure)
        count("model/\(it.modelAsked)", isFailure)
        if let key = it.key { count("key/\(key.rawValue)", isFailure) }
        if let organisation = it.organisation {
          count("organisation/\(organisation.rawValue)", isFailure)
        }
        if let sent = it.modelResolved { count("sent/\(sent)", isFailure) }
      }
      for attempt in it.attempts where attempt.verdict != .callers {
        let isFailure = attempt.verdict == .failed
        count("account/\(attempt.account.rawValue)", isFailure)
        if let account = state.accounts[attempt.account] ?? state.removedAccounts[attempt.account] {
          count("provider/\(account.provider.rawValue)", isFailure)
        }
      }
      if isInFocus { try report.series.add(it, at: moment) }
      guard isImpact else { return }
      report.impact.add(it, report.objectives, state)
      report.top.add(it, at: moment, position: entry.stored.position.rawValue, state)
      for attempt in it.attempts where attempt.verdict == .failed {
        let name = EventLine.name(attempt.account, state)
        if firstFailedCall[name] == nil, firstFailedCall.count < 2_000 {
          firstFailedCall[name] = moment
        }
      }
    case .interrupted: if isImpact { report.impact.interrupted += 1 }
    case .deliveryFailed: if isImpact { report.impact.undelivered += 1 }
    case .deniedSummary(let it):
      if isImpact {
        report.impact.deniedInSummaries = report.impact.deniedInSummaries.clamped(adding: it.count)
      }
    case .dispatched: break
    }
  }

  private mutating func take(_ event: GatewayEvent, _ moment: LogCoverage.Moment) {
    switch event {
    case .started(let it):
      starts.append((it, moment, counted["all"] ?? .none))
      if starts.count > 200 { starts.removeFirst() }
      report.builds.append(.init(version: it.version, recording: it.recording, moment: moment))
      if report.builds.count > 50 { report.builds.remove(at: 1) }
    case .gap(let it):
      report.doubts.append(
        .init(
          place: moment.place,
          what:
            "records of up to \(it.boundMilliseconds) ms before here may be missing: \(Shown.text(it.reason))"
        ))
    case .tailTruncated(let it):
      report.doubts.append(
        .init(
          place: moment.place,
          what: "recovery set aside \(Shown.count(it.bytes, "byte")) that were never acknowledged"))
    case .lossAccepted(let it):
      report.doubts.append(
        .init(
          place: moment.place, what: "the loss of positions \(it.first)…\(it.last) was accepted"))
    case .gapOpened(let it):
      report.doubts.append(
        .init(
          place: moment.place,
          what: "from here on outcomes may be missing: \(Shown.text(it.reason))"))
    case .gapClosed: report.unrecorded.apply(.gateway(event))
    case .restored:
      report.doubts.append(
        .init(
          place: moment.place,
          what:
            "the data directory is a copy or a backup: what was written after it was made is not here"
        ))
    case .stopped, .checkpointSigned, .viewRebuilt, .identified: break
    }
    if report.doubts.count > 200 { report.doubts.removeLast() }
  }

  private mutating func takeEdit(
    _ entry: Entry, _ moment: LogCoverage.Moment, _ before: ControlState, isInFocus: Bool
  ) {
    guard let recorded = entry.recorded else { return }
    let stream = entry.stored.stream
    let parts = Self.parts(of: stream, before)
    let values = parts.map { counted[$0] ?? .none }
    if let last = lastOfStream[stream], edits[last].atNext == nil { edits[last].atNext = values }
    let who = Self.who(recorded.provenance)
    if edits.count < Self.editsMax {
      lastOfStream[stream] = edits.count
      edits.append(
        Edit(
          stream: stream, moment: moment, position: entry.stored.position.rawValue,
          what: Self.line(entry, before), who: who, parts: parts, atEdit: values, atNext: nil,
          takesOut: recorded.event.map(Self.takesOut) ?? false))
    }
    if recorded.provenance.source != .system {
      if let at = report.actors.firstIndex(where: { $0.name == who }) {
        report.actors[at].edits += 1
        report.actors[at].last = moment
      } else if report.actors.count < 100 {
        report.actors.append(.init(name: who, edits: 1, first: moment, last: moment))
      }
    }
    if isInFocus { tell(.edit, entry, moment, before) }
  }

  /// Says of an announced stop how long it lasted, where somebody outside would have noticed.
  private mutating func tellPlanned(
    _ stop: (moment: LogCoverage.Moment, row: Int?), until start: LogCoverage.Moment
  ) {
    let length = start.time.rawValue - stop.moment.time.rawValue
    guard length >= Self.noticeable, let row = stop.row, report.timeline.indices.contains(row),
      report.timeline[row].place == stop.moment.place
    else { return }
    report.timeline[row].what += "; planned stop, started again after \(Shown.length(length))"
  }

  private mutating func tell(
    _ kind: IncidentReport.TimelineRow.Kind, _ entry: Entry, _ moment: LogCoverage.Moment,
    _ before: ControlState
  ) {
    guard report.timeline.count < 20_000 else {
      report.timelineOmitted += 1
      return
    }
    let provenance = entry.recorded?.provenance
    report.timeline.append(
      .init(
        kind: kind, time: moment.time, place: moment.place, what: Self.line(entry, before),
        who: kind == .gateway ? "" : provenance.map(Self.who) ?? ""))
  }

  /// What happened, without who did it.
  private static func line(_ entry: Entry, _ before: ControlState) -> String {
    let line = EventLine.text(entry, before: before)
    guard let provenance = entry.recorded?.provenance else { return line }
    let end = " — by \(Shown.text(provenance.actor)) via \(provenance.source.name)"
    return line.hasSuffix(end) ? String(line.dropLast(end.count)) : line
  }

  static func who(_ provenance: Provenance) -> String {
    provenance.source == .system
      ? "" : "\(Shown.text(provenance.actor)) via \(provenance.source.name)"
  }

  private mutating func count(_ part: String, _ isFailure: Bool) {
    guard counted[part] != nil || counted.count < Self.partsMax else { return }
    counted[part, default: .none].whole += 1
    if isFailure { counted[part]?.part += 1 }
  }

  private static func takesOut(_ event: Event) -> Bool {
    switch event {
    case .account(.disabled), .account(.degraded), .account(.removed), .credential(.revoked),
      .provider(.disabled), .provider(.removed):
      true
    default: false
    }
  }

  /// What an edit of a stream may have changed, the narrowest first.
  private static func parts(of stream: String, _ state: ControlState) -> [String] {
    switch Subject(stream: stream) {
    case .alias(let name), .combo(let name): ["model/\(name)"]
    case .policy(let id): ["model/\(id.model)", "organisation/\(id.organisation.rawValue)"]
    case .account(let id), .credential(let id), .health(let id):
      ["account/\(id.rawValue)"]
        + (state.accounts[id].map { ["provider/\($0.provider.rawValue)"] } ?? []) + ["all"]
    case .provider(let id): ["provider/\(id.rawValue)", "all"]
    case .model(let id): ["sent/\(id.provider.rawValue)/\(id.name)"]
    case .key(let id): ["key/\(id.rawValue)"]
    case .organisation(let id): ["organisation/\(id.rawValue)"]
    case .settings, .pricing, nil: ["all"]
    }
  }
}

extension IncidentReport.Impact {
  mutating func add(
    _ it: RequestEvent.Finished, _ objectives: Objectives, _ state: ControlState
  ) {
    figures.add(it)
    if !it.attempts.isEmpty, let time = it.firstByteMicroseconds,
      time > objectives.firstByteMicroseconds
    {
      late += 1
    }
    for attempt in it.attempts where attempt.verdict != .callers {
      let isFailure = attempt.verdict == .failed
      accounts.add(EventLine.name(attempt.account, state), isFailure: isFailure)
      let account = state.accounts[attempt.account] ?? state.removedAccounts[attempt.account]
      providers.add(account?.provider.rawValue ?? "–", isFailure: isFailure)
    }
    let verdict = it.verdict
    guard verdict != .callers else {
      return refusals.add(Self.code(of: it), isFailure: false)
    }
    if verdict == .failed, it.attempts.isEmpty { uncalled += 1 }
    organisations.add(it.organisation?.rawValue ?? "–", isFailure: verdict == .failed)
    models.add(it.modelAsked.isEmpty ? "–" : it.modelAsked, isFailure: verdict == .failed)
    if verdict == .failed { codes.add(Self.code(of: it), isFailure: true) }
  }

  private static func code(of it: RequestEvent.Finished) -> String {
    (it.errorCode ?? it.ending.name) + (it.errorClass.map { " (\($0.name))" } ?? "")
  }
}

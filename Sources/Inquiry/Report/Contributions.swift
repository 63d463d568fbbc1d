import Domain
import EventStore

// What may have contributed, by rules over what was counted; each says its rule and its numbers.
extension IncidentPass {
  private static let contributionsMax = 12
  private static let timelineMax = 300
  private static let minute: Int64 = 60_000_000_000

  /// The report with all that follows from what was read.
  func finish(_ log: LogReader, _ progress: Progress?) throws(InquiryFault) -> IncidentReport {
    var report = report
    let drift = try Replay.drift(
      log, from: .position(lookFrom.rawValue, epoch: nil),
      to: .position(report.impactLast.rawValue, epoch: nil), now: to, progress: progress)
    let fought = Dictionary(
      drift.findings.map { ($0.edit.position, $0) }, uniquingKeysWith: { a, _ in a })
    let changes = ChangePoint.find(in: report.series)
    if report.main != nil || report.failedSpan != nil || report.isAboutRefusals {
      var found: [IncidentReport.Contribution] = []
      let cures = edits.compactMap { edit in helped(edit).map { (edit, $0) } }
      for edit in edits {
        guard let it = contribution(edit, fought[edit.position]) else { continue }
        found.append(weighed(it, edit, cures.map(\.0)))
      }
      found +=
        calls(report) + cooldowns(report) + lifeEvents(report) + loads(changes) + credentials()
      report.contributions = Array(
        Self.together(
          found.sorted { ($1.score, $0.time, $0.what) < ($0.score, $1.time, $1.what) }
        ).prefix(Self.contributionsMax))
      report.helped = Array(
        cures.map(\.1).sorted { $0.time < $1.time }.prefix(Self.contributionsMax))
    }
    tell(&report, changes)
    return report
  }

  // MARK: Edits

  /// What is looked into.
  private var word: String { report.isAboutRefusals ? "was refused" : "failed" }
  private var words: String { report.isAboutRefusals ? "were refused" : "failed" }

  /// Edits of one batch for which the same speaks are one row, at the place of the likeliest of them.
  private static func together(
    _ sorted: [IncidentReport.Contribution]
  ) -> [IncidentReport.Contribution] {
    struct Batch: Hashable {
      var rule: IncidentReport.Contribution.Rule
      var time: UnixNanoseconds
      var who: String
      var evidence: String
    }
    var rows: [IncidentReport.Contribution] = []
    var known: [Batch: (row: Int, more: Int)] = [:]
    for it in sorted {
      guard !it.who.isEmpty else {
        rows.append(it)
        continue
      }
      let batch = Batch(rule: it.rule, time: it.time, who: it.who, evidence: it.evidence)
      guard let (row, more) = known[batch] else {
        known[batch] = (rows.count, 0)
        rows.append(it)
        continue
      }
      known[batch] = (row, more + 1)
      rows[row].places.append(it.places[0])
    }
    for (row, more) in known.values where more > 0 {
      rows[row].what += ", and \(Shown.count(UInt64(more), "edit")) at once with it"
    }
    return rows
  }

  private func contribution(
    _ edit: Edit, _ drift: DriftReport.Finding?
  ) -> IncidentReport.Contribution? {
    let place = edit.position
    guard place <= report.impactLast.rawValue, !edit.who.isEmpty else { return nil }
    let isBefore = place <= report.impactFirst.rawValue
    var turned: (share: (before: Share, after: Share), part: String)?
    var used = false
    for (at, part) in edit.parts.enumerated() {
      let start = isBefore ? Share.none : (atBegan[part] ?? .none)
      let before = edit.atEdit[at] - start
      let after = (edit.atNext?[at] ?? atLast[part] ?? .none) - edit.atEdit[at]
      if ((atLast[part] ?? .none) - (atBegan[part] ?? .none)).part > 0 { used = true }
      let differs =
        after.isAbove(before)
        && (after.differs(from: before)
          || before.whole < 5 && after.part >= 3 && after.isOver(500_000))
      if differs, turned == nil { turned = ((before, after), part) }
    }
    let distance = began.time.rawValue - edit.moment.time.rawValue
    let minutes = Int(distance.magnitude / UInt64(Self.minute))
    var (score, rule, evidence): (Int, IncidentReport.Contribution.Rule, String)
    let ended = report.main?.episodes.first {
      $0.rule == .accountUnhealthy && $0.began.place == edit.moment.place
    }
    if let turned {
      (score, rule) = (isBefore ? 200 - min(100, minutes) : 110, .editTurned)
      evidence =
        "of \(Self.name(turned.part)) \(turned.share.before.text) \(words) before it, "
        + "\(turned.share.after.text) after it"
    } else if let ended {
      // The condition is that what this edit took out could not be used.
      (score, rule) = (isBefore ? 180 : 105, .editOut)
      evidence = "\(ended.name) began with it"
    } else if edit.takesOut, isBefore, minutes < 15 {
      (score, rule) = (90 - minutes, .editOut)
      evidence = "it took out of service what requests may have needed"
    } else if isBefore, used, minutes < 15, !isSetup(edit) {
      (score, rule) = (40 - minutes, .editNear)
      evidence =
        "it touched what \(word); what \(word) before and after it does not differ by more than chance"
    } else if drift != nil {
      (score, rule, evidence) = (25, .drift, "nothing that \(word) speaks for it")
    } else {
      return nil
    }
    evidence += "; " + self.distance(distance)
    var places = [edit.moment.place]
    if let drift {
      score += 20
      let rules = drift.rules.map(\.text).joined(separator: ", ")
      if let replaced = drift.replaced {
        places.append(replaced.place)
        evidence +=
          "; it goes against the edit \(replaced.place) by \(Shown.text(replaced.actor)) via \(replaced.source.name): \(rules)"
      } else {
        evidence += "; it goes against an edit in a peer's log: \(rules)"
      }
      places += drift.original.map { [$0.place] } ?? []
    }
    return .init(
      rule: rule, score: score, time: edit.moment.time, places: places, what: edit.what,
      who: edit.who, evidence: evidence)
  }

  /// Moved up if the same resource was changed again and it got better, down if it got better though nobody touched
  /// it: edits of one moment have the same figures behind them.
  private func weighed(
    _ it: IncidentReport.Contribution, _ edit: Edit, _ cures: [Edit]
  ) -> IncidentReport.Contribution {
    var it = it
    let next = edits.first { $0.stream == edit.stream && $0.position > edit.position }
    if let next, let cure = cures.first(where: { $0.position == next.position }) {
      it.score += 60
      it.places.append(cure.moment.place)
      it.evidence += "; it got better when this was changed again at \(cure.moment.place)"
    } else if next == nil, cures.contains(where: { $0.position > edit.position }) {
      it.score -= 60
      it.evidence += "; it got better while this was still in force"
    }
    return it
  }

  /// Made before anybody asked for what it is about, and served well since: that is how things were set up.
  private func isSetup(_ edit: Edit) -> Bool {
    guard edit.atEdit.allSatisfy({ $0.whole == 0 }) else { return false }
    for (at, part) in edit.parts.enumerated() {
      let until = (atBegan[part] ?? .none) - edit.atEdit[at]
      if until.whole >= 5, !until.isOver(500_000) { return true }
    }
    return false
  }

  private func helped(_ edit: Edit) -> IncidentReport.Contribution? {
    guard edit.position > report.impactFirst.rawValue, !edit.who.isEmpty else { return nil }
    for (at, part) in edit.parts.enumerated() {
      let before = edit.atEdit[at] - (atBegan[part] ?? .none)
      let after = (edit.atNext?[at] ?? counted[part] ?? .none) - edit.atEdit[at]
      // By half at least: what another edit ended later lowers the share behind this one too.
      guard before.isAbove(Share(part: 2 * after.part, whole: after.whole)),
        after.differs(from: before)
      else { continue }
      return .init(
        rule: .editHelped, score: 0, time: edit.moment.time, places: [edit.moment.place],
        what: edit.what, who: edit.who,
        evidence: "of \(Self.name(part)) \(before.text) \(words) before it, \(after.text) after it")
    }
    return nil
  }

  /// `requests for fast`, `calls of mock-a1`.
  private static func name(_ part: String) -> String {
    guard let slash = part.firstIndex(of: "/") else { return "all requests" }
    let name = Shown.text(String(part[part.index(after: slash)...]))
    return switch part[..<slash] {
    case "model": "requests for \(name)"
    case "sent": "requests sent as \(name)"
    case "key": "requests of key \(name)"
    case "organisation": "requests of \(name)"
    case "account": "calls of account \(name)"
    case "provider": "calls of provider \(name)"
    default: "all requests"
    }
  }

  private func distance(_ nanoseconds: Int64) -> String {
    let start =
      report.isAboutRefusals
      ? "before the first refusal"
      : report.impact.figures.failed > 0 ? "before the first failure" : "before it began"
    return nanoseconds == 0
      ? "as it began"
      : "\(Shown.length(nanoseconds)) " + (nanoseconds > 0 ? start : "after it began")
  }

  // MARK: What nobody edited

  private func calls(_ report: IncidentReport) -> [IncidentReport.Contribution] {
    let all = report.impact.figures.failedCalls
    return report.impact.accounts.rows.prefix(20).compactMap { row in
      guard row.failed >= 3, let first = firstFailedCall[row.name] else { return nil }
      let ids = report.lanes.lanes.filter { $0.value.name == row.name }.keys.sorted()
      let part = ids.first.map { "account/\($0.rawValue)" } ?? ""
      let before = atBegan[part] ?? .none
      guard row.share.isAbove(before), row.share.differs(from: before) || before.whole < 5 else {
        return nil
      }
      return .init(
        rule: .callsFailed, score: 60 + Int(min(30, row.failed * 30 / max(1, all))),
        time: first.time, places: [first.place], what: "calls of \(row.name) failed", who: "",
        evidence:
          "\(row.share.text) failed in the incident, \(before.text) in the hour before; "
          + "\(Share(part: row.failed, whole: all).percent) of all failed calls")
    }
  }

  /// Accounts that cooled on end for half of the incident or more, while most requests failed for want of one.
  private func cooldowns(_ report: IncidentReport) -> [IncidentReport.Contribution] {
    let failed = report.impact.figures.failed
    // Where most failures were of calls, what failed the calls is to be told.
    guard failed > 0, report.impact.uncalled * 2 >= failed else { return [] }
    let end = (report.main?.last.time ?? to).rawValue
    return report.lanes.lanes.values.compactMap { lane in
      let long = lane.segments.first { segment in
        let covered =
          min(segment.to.rawValue, end) - max(segment.from.rawValue, began.time.rawValue)
        return segment.state == .cooling && segment.place != nil
          && covered >= (end - began.time.rawValue) / 2
      }
      guard let long, let place = long.place else { return nil }
      return .init(
        rule: .cooling, score: 85, time: long.from, places: [place],
        what: "\(lane.name) cooled for \(Shown.length(long.to.rawValue - long.from.rawValue))",
        who: "",
        evidence:
          "\(Share(part: report.impact.uncalled, whole: failed).text) of the failed requests found no account to ask; "
          + distance(began.time.rawValue - long.from.rawValue))
    }
  }

  private func lifeEvents(_ report: IncidentReport) -> [IncidentReport.Contribution] {
    var found: [IncidentReport.Contribution] = []
    for (at, start) in starts.enumerated() where start.moment.time <= (report.main?.last.time ?? to)
    {
      let last = at > 0 ? starts[at - 1].fact.version : report.builds.first?.version
      let before = start.counted
      let after = (atLast["all"] ?? .none) - before
      let distance = began.time.rawValue - start.moment.time.rawValue
      if let last, last != start.fact.version, distance < 60 * Self.minute {
        let isTurn = after.isAbove(before) && after.differs(from: before)
        found.append(
          .init(
            rule: .newBuild, score: isTurn ? 150 : 45, time: start.moment.time,
            places: [start.moment.place],
            what: "build \(Shown.text(start.fact.version)) started, behind \(Shown.text(last))",
            who: "",
            evidence:
              "of all requests \(before.text) \(words) before it, \(after.text) after it; "
              + self.distance(distance)))
      }
      if !start.fact.previousStopWasClean {
        found.append(
          .init(
            rule: .notRunning, score: 95, time: start.moment.time, places: [start.moment.place],
            what: "the gateway had ended without stopping, and was started again", who: "",
            evidence:
              "\(Shown.count(start.fact.interruptedRequests, "request")) in flight had no end"))
      }
    }
    for episode in report.main?.episodes ?? [] where episode.rule == .notRunning {
      found.append(
        .init(
          rule: .notRunning, score: 120, time: episode.began.time,
          places: [episode.began.place, episode.last.place], what: "the gateway did not run",
          who: "",
          evidence: "no event for "
            + Shown.length(episode.last.time.rawValue - episode.began.time.rawValue)
            + ", then it started"))
    }
    for doubt in report.doubts where doubt.what.hasPrefix("from here on") {
      found.append(
        .init(
          rule: .notRecorded, score: 50, time: began.time, places: [doubt.place],
          what: "the log could not take requests' outcomes", who: "", evidence: doubt.what))
    }
    return found
  }

  private func loads(_ changes: [ChangePoint]) -> [IncidentReport.Contribution] {
    changes.compactMap { change in
      guard change.figure == .rate, change.isRise, let moment = change.moment else { return nil }
      let distance = began.time.rawValue - moment.time.rawValue
      guard distance < 15 * Self.minute, distance > -Self.minute else { return nil }
      return .init(
        rule: .load, score: 55, time: moment.time, places: [moment.place], what: change.text,
        who: "", evidence: self.distance(distance))
    }
  }

  private func credentials() -> [IncidentReport.Contribution] {
    expired.sorted { $0.key < $1.key }.compactMap { id, it in
      guard let first = firstFailedCall[it.name] else { return nil }
      return .init(
        rule: .credentialExpired, score: 130, time: it.at, places: [first.place],
        what: "the credential of \(it.name) ended at \(rfc3339(it.at))", who: "",
        evidence: "calls of it failed from \(first.place) on")
    }
  }

  // MARK: The timeline

  private static let batchShown = 8

  /// Edits that one hand made in one batch, which have one time, in one row.
  static func batched(
    _ rows: [IncidentReport.TimelineRow]
  ) -> [IncidentReport.TimelineRow] {
    var out: [IncidentReport.TimelineRow] = []
    var rest = rows[...]
    while let first = rest.popFirst() {
      var batch = [first]
      while first.kind == .edit, let next = rest.first, next.kind == .edit,
        next.time == first.time, next.who == first.who
      {
        batch.append(next)
        rest.removeFirst()
      }
      var row = first
      if batch.count > 1 {
        let more = batch.count > batchShown ? "; …" : ""
        row.what =
          "\(batch.count) edits at once, \(first.place) … \(batch[batch.count - 1].place): "
          + batch.prefix(batchShown).map(\.what).joined(separator: "; ") + more
      }
      out.append(row)
    }
    return out
  }

  private func tell(_ report: inout IncidentReport, _ changes: [ChangePoint]) {
    var rows = Self.batched(report.timeline)
    if let main = report.main {
      // Conditions that share a moment share a row.
      func add(
        _ time: (Episode) -> UnixNanoseconds, _ place: (Episode) -> String, _ what: String,
        _ episodes: [Episode]
      ) {
        let groups = Dictionary(grouping: episodes, by: { place($0) + "\(time($0).rawValue)" })
        for group in groups.values {
          rows.append(
            .init(
              kind: .ladder, time: time(group[0]), place: place(group[0]),
              what: what + group.map(\.name).joined(separator: ", "), who: ""))
        }
      }
      add({ $0.began.time }, { $0.began.place }, "begins to hold: ", main.episodes)
      add({ $0.rang }, { _ in "" }, "has held long enough to ring: ", main.episodes)
      add(
        { $0.last.time }, { $0.last.place }, "last event of: ",
        main.episodes.filter { !$0.goesOn })
    }
    // The jumps of single classes of errors are those of failures again.
    for change in changes where [.rate, .failed, .firstByte].contains(change.figure) {
      rows.append(
        .init(
          kind: .change, time: change.moment?.time ?? change.start,
          place: change.moment?.place ?? "", what: change.text, who: ""))
    }
    for gap in report.gaps where gap.first <= report.impactLast {
      guard let time = gap.minTime else { continue }
      rows.append(
        .init(kind: .gap, time: UnixNanoseconds(time), place: "", what: gap.text, who: ""))
    }
    func position(_ row: IncidentReport.TimelineRow) -> UInt64 {
      row.place.split(separator: ":").last.flatMap { UInt64($0) } ?? 0
    }
    let sorted = rows.sorted {
      ($0.time, $0.kind.rawValue, position($0), $0.what)
        < ($1.time, $1.kind.rawValue, position($1), $1.what)
    }
    guard sorted.count > Self.timelineMax else {
      report.timeline = sorted
      return
    }
    // What people did and what the ladder says stay longest; health and jumps go first.
    let order: [IncidentReport.TimelineRow.Kind] = [
      .ladder, .gap, .gateway, .edit, .change, .health,
    ]
    var room = Self.timelineMax
    var kept: Set<Int> = []
    for kind in order {
      for (at, row) in sorted.enumerated() where row.kind == kind && room > 0 {
        kept.insert(at)
        room -= 1
      }
    }
    report.timeline = sorted.enumerated().filter { kept.contains($0.offset) }.map(\.element)
    report.timelineOmitted += UInt64(sorted.count - report.timeline.count)
  }
}

extension Share {
  /// What came after an earlier reading.
  static func - (a: Share, b: Share) -> Share {
    Share(
      part: a.part >= b.part ? a.part - b.part : 0,
      whole: a.whole >= b.whole ? a.whole - b.whole : 0)
  }
}

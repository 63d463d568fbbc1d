public import Domain
public import EventStore

/// Everything of one request: its events, its attempts, and each routing decision made again.
public struct RequestReport: InquiryReport, Hashable {
  /// The gateway's id.
  public var id: RequestID
  /// The client's own id, if it sent one.
  public var clientRequestID: String?
  /// Requests that carry the id asked for: clients may repeat theirs.
  public var occurrences: Int
  /// The other requests of that id, newest first.
  public var others: [RequestID]
  /// How far the request got.
  public var outcome: RequestStory.Outcome
  /// Its events in order.
  public var events: [WindowReport.Line]
  /// Its end, if it is in the log.
  public var finished: RequestEvent.Finished?
  /// One for each attempt.
  public var decisions: [RemadeDecision]
  /// `provider/name` of each attempt's account.
  public var accountNames: [String]
  /// Damaged ranges up to the request's last event.
  public var gaps: Int

  /// 1 if a decision differs, 4 if one cannot be re-made.
  public var exitCode: ExitCode { RemadeDecision.exitCode(of: decisions.map(\.verdict)) }
}

/// One event with all its fields.
public struct EventReport: InquiryReport, Hashable {
  /// The event on one line.
  public var line: WindowReport.Line

  /// Always 0: an event as it stands in the log.
  public var exitCode: ExitCode { .same }
}

extension Replay {
  /// The whole story of a request or an event.
  ///
  /// - Parameter target: a selector without a time, or a bare request or event id.
  public static func show(
    _ log: LogReader, _ target: String, progress: Progress? = nil
  ) throws(InquiryFault) -> any InquiryReport {
    let (position, requested) = try find(target, in: log)
    guard position <= log.last, position.rawValue > 0 else {
      throw InquiryFault(.notFound, "Position \(position) is not in this log. \(try coverage(log))")
    }
    try log.requireCovered(position)
    let stored = try reading { () throws(StoreError) in try log.event(at: position) }
    guard let stored else {
      throw InquiryFault(.damaged, "Position \(position) cannot be read: the log is damaged there.")
    }
    let entry = Entry(stored)
    if case .request(let event) = entry.event, let id = event.requestID {
      return try story(of: id, askedFor: requested, in: log, progress)
    }
    let fold = try ConfigurationFold.through(
      Position(position.rawValue - 1), of: log, progress: progress)
    return EventReport(line: line(entry, fold.state))
  }

  private static func coverage(_ log: LogReader) throws(InquiryFault) -> String {
    try LogCoverage(log).text
  }

  static func line(_ entry: Entry, _ before: ControlState) -> WindowReport.Line {
    let what = EventLine.text(entry, before: before)
    return WindowReport.Line(
      place: entry.place, time: entry.time, what: what,
      members: entry.members + [.init("text", .text(what))])
  }

  /// The position meant, and the request id if one was named: the newest event that carries it.
  static func find(
    _ target: String, in log: LogReader
  ) throws(InquiryFault) -> (Position, String?) {
    func newest(_ id: String) throws(InquiryFault) -> Position? {
      try RequestLookup.positions(of: id, in: log).last
    }
    if let selector = try? Selector(target) {
      switch selector {
      case .position, .event:
        return (try selector.resolve(in: log, now: UnixNanoseconds(0), edge: .from), nil)
      case .request(let id):
        return (try selector.resolve(in: log, now: UnixNanoseconds(0), edge: .to), id)
      case .time, .ago: break
      }
    }
    if (1...128).contains(target.utf8.count), let found = try newest(target) {
      return (found, target)
    }
    if let id = parseUUID(target) {
      let found = try reading { () throws(StoreError) in try log.position(of: EventID(id)) }
      if let found { return (found, nil) }
    }
    try refuseIfDamaged("`\(Shown.text(String(target.prefix(128))))`", behind: nil, in: log)
    throw InquiryFault(
      .notFound,
      "No request, event or position `\(Shown.text(String(target.prefix(128))))`. Write a request id "
        + "(the gateway's or the client's), an event id, `request:<id>`, `event:<id>`, or a position "
        + "(`123`, `2:123`). \(try coverage(log))")
  }

  /// Refuses to say that something is not there while parts of the log cannot be read.
  ///
  /// - Parameter position: It can only stand behind this; nil: anywhere.
  static func refuseIfDamaged(
    _ what: String, behind position: Position?, in log: LogReader
  ) throws(InquiryFault) {
    let gaps = try reading { () throws(StoreError) in try log.damage() }.filter { gap in
      let last = gap.last ?? Position(.max)
      // Some damage costs no position.
      return last >= gap.first && last > position ?? .origin
    }
    guard let first = gaps.first else { return }
    throw InquiryFault(
      .damaged,
      "What can be read of the log does not hold \(what), and not all can be read, so it may stand there: "
        + first.text + (gaps.count > 1 ? ", and \(gaps.count - 1) more" : "")
        + ". `replay verify` names all of it.")
  }

  private static func story(
    of newest: RequestID, askedFor requested: String?, in log: LogReader, _ progress: Progress?
  ) throws(InquiryFault) -> RequestReport {
    let others = try requested.map { id throws(InquiryFault) in
      try otherRequests(than: newest, called: id, in: log)
    }
    let material = try RequestMaterial(newest, in: log, progress)
    let (story, finished, fold) = (material.story, material.story.finished, material.fold)
    let attempts = finished?.fact.attempts ?? []
    var decisions: [RemadeDecision] = []
    if let finished {
      for index in attempts.indices {
        decisions.append(
          RemadeDecision(
            finished.fact, index, at: finished.position,
            on: material.shelf.books[attempts[index].snapshot]))
      }
    }
    return RequestReport(
      id: newest,
      clientRequestID: finished?.fact.clientRequestID ?? story.dispatched?.fact.clientRequestID
        ?? story.interrupted?.fact.clientRequestID,
      occurrences: 1 + (others?.count ?? 0), others: others ?? [], outcome: story.outcome,
      events: material.lines, finished: finished?.fact, decisions: decisions,
      accountNames: attempts.map { EventLine.name($0.account, fold.state) },
      gaps: fold.gaps.count)
  }

  /// Other requests whose events carry the same id, newest first; at most 1,000 events are looked at.
  private static func otherRequests(
    than newest: RequestID, called id: String, in log: LogReader
  ) throws(InquiryFault) -> [RequestID] {
    var out: [RequestID] = []
    for position in try RequestLookup.positions(of: id, in: log).reversed().prefix(1_000) {
      let stored = try reading { () throws(StoreError) in try log.event(at: position) }
      guard let stored, case .request(let event) = Entry(stored).event,
        let other = event.requestID, other != newest, !out.contains(other)
      else { continue }
      out.append(other)
    }
    return out
  }
}

// MARK: Renderings

extension RequestStory.Outcome {
  /// In words.
  var text: String {
    switch self {
    case .unknown: "unknown"
    case .inFlight: "in flight: its end is not in the log"
    case .ended(let ending): ending.name
    case .deliveryFailed: "delivery_failed"
    case .interrupted: "interrupted"
    }
  }
}

extension RequestReport {
  /// For people.
  public var text: String {
    var out = "request   \(uuidText(id.rawValue))\n"
    if let clientRequestID { out += "client id \(Shown.text(clientRequestID))\n" }
    out += "outcome   \(outcome.text)\n"
    if occurrences > 1 {
      out += "others    \(others.map { uuidText($0.rawValue) }.joined(separator: ", "))\n"
    }
    if let it = finished {
      out +=
        "asked     \(it.operation.name) \(Shown.text(it.modelAsked))"
        + (it.isStream ? ", stream" : "") + (it.remoteAddress.isEmpty ? "" : ", from ")
        + Shown.text(it.remoteAddress) + "\n"
      if let key = it.key {
        out +=
          "key       \(Shown.text(key.rawValue))"
          + (it.organisation.map { " of \(Shown.text($0.rawValue))" } ?? "") + "\n"
      }
      out += "resolved  \(it.modelResolved.map(Shown.text) ?? "–")\n"
      out += "answer    \(it.status)"
      let why = [it.errorClass?.name, it.errorCode.map(Shown.text)].compactMap(\.self)
      if !why.isEmpty { out += " (\(why.joined(separator: ": ")))" }
      out += ", \(it.requestBytes) bytes in, \(it.responseBytes) bytes out\n"
      out += "tokens    \(EventLine.tokens(it.usage) ?? "not reported")\n"
      out +=
        "timing    queue \(Shown.duration(it.queueMicroseconds)), first byte "
        + (it.firstByteMicroseconds.map(Shown.duration) ?? "–")
        + ", total \(Shown.duration(it.totalMicroseconds))\n"
    }
    out += "\nevents\n"
    for line in events {
      out += "  \(line.time.map { rfc3339($0) } ?? "")  \(line.place)  \(line.what)\n"
    }
    for (index, attempt) in (finished?.attempts ?? []).enumerated() {
      out += "\n" + self.text(attempt, index)
    }
    if finished?.attempts.isEmpty == true {
      out += "\nNo upstream call was made, so no routing decision is recorded.\n"
    }
    if gaps > 0 { out += "\nThe log is damaged before this request's end: see `replay verify`.\n" }
    return out
  }

  private func text(_ attempt: Attempt, _ index: Int) -> String {
    var out = "attempt \(index + 1)  \(accountNames[index])  "
    out += attempt.status.map { "status \($0)" } ?? "no answer"
    if let errorClass = attempt.errorClass {
      out += " (\(errorClass.name)" + (attempt.errorCode.map { ": \(Shown.text($0))" } ?? "") + ")"
    }
    out += "\n  timing      connect \(attempt.connectMicroseconds.map(Shown.duration) ?? "–")"
    out += ", first byte \(attempt.firstByteMicroseconds.map(Shown.duration) ?? "–")"
    out += ", total \(Shown.duration(attempt.totalMicroseconds))\n"
    out += "  decision    rule \(attempt.rule.name), snapshot \(attempt.snapshot), at "
    out += "\(rfc3339(attempt.now)), seed \(attempt.seed)\n"
    guard decisions.indices.contains(index) else { return out }
    let decision = decisions[index]
    out += "  \(decision.verdictText)\n"
    if !decision.candidates.isEmpty {
      var table = TextTable("candidate", "outcome")
      for candidate in decision.candidates {
        table.add(candidate.name, candidate.rejection == nil ? "chosen" : candidate.reason)
      }
      out += table.rendered(indent: 4)
    }
    if !decision.inForce.isEmpty {
      out += "  in force\n"
      out += decision.inForce.lines
    }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("show")), .init("request", .text(uuidText(id.rawValue))),
      .init("clientRequestId", .text(clientRequestID)), .init("outcome", .text(outcome.text)),
      .init("occurrences", .count(occurrences)),
      .init("others", .array(others.map { .text(uuidText($0.rawValue)) })),
      .init("events", .array(events.map { .object($0.members) })),
      .init(
        "attempts",
        .array(
          (finished?.attempts ?? []).enumerated().map { index, attempt in
            .object(
              [
                .init("number", .count(index + 1)), .init("name", .text(accountNames[index])),
              ] + EventFields.attempt(attempt)
                + [
                  .init(
                    "decision",
                    decisions.indices.contains(index) ? decisions[index].json : .null)
                ])
          })),
      .init("gaps", .count(gaps)),
    ])
  }
}

extension EventReport {
  /// For people.
  public var text: String {
    var out = line.what + "\n\n"
    for member in line.members where member.name != "text" {
      out += EventReport.rows(member.name, member.value)
    }
    return out
  }

  /// Leaves of the tree, one a line.
  private static func rows(_ name: String, _ value: JSONTree) -> String {
    switch value {
    case .object(let members) where !members.isEmpty:
      return members.map { rows("\(name).\($0.name)", $0.value) }.joined()
    case .array(let elements) where !elements.isEmpty:
      return elements.enumerated().map { rows("\(name)[\($0)]", $1) }.joined()
    case .object, .array: return row(name, "none")
    case .null: return row(name, "–")
    case .bool(let value): return row(name, value ? "yes" : "no")
    case .number(let value):
      return row(name, name == "sealedBytes" && value > 0 ? "sealed, \(value) bytes" : "\(value)")
    case .text(let text): return row(name, Shown.text(text))
    }
  }

  private static func row(_ name: String, _ value: String) -> String {
    name + String(repeating: " ", count: max(1, 32 - name.count)) + value + "\n"
  }

  /// For machines.
  public var json: JSONTree {
    .object([.init("replay", .text("show"))] + line.members)
  }
}

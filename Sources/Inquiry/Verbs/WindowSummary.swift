import Domain

/// Figures of a window, exact: every event of it is counted, whatever the timeline shows.
public struct WindowSummary: Sendable, Hashable {
  /// Events that the filter matched.
  public private(set) var events: UInt64 = 0
  /// Requests that ended in the window.
  public private(set) var finished: UInt64 = 0
  /// Requests that a recovery found without an end.
  public private(set) var interrupted: UInt64 = 0
  /// Answers recorded as completed whose end could not be sent.
  public private(set) var deliveryFailed: UInt64 = 0
  /// Requests counted in summaries of denials.
  public private(set) var deniedInSummaries: UInt64 = 0
  /// By `Ending.name`.
  public private(set) var endings: [String: UInt64] = [:]
  /// By status.
  public private(set) var statuses: [UInt16: UInt64] = [:]
  /// By `ErrorClass.name`.
  public private(set) var errorClasses: [String: UInt64] = [:]
  /// By `provider/name`: attempts made with the account.
  public private(set) var accounts: [String: Row] = [:]
  /// By the model sent upstream; `(none)` where none was.
  public private(set) var models: [String: Row] = [:]
  private var open: Set<RequestID> = []
  private static let unresolved = "(none)"
  private static let other = "(other)"
  private static let namesMax = 1_000

  /// Requests seen in flight whose end is not in the window.
  public var inFlightAtEnd: Int { open.count }

  /// Calls of one account or model.
  public struct Row: Sendable, Hashable {
    /// Attempts of an account; requests of a model.
    public private(set) var count: UInt64 = 0
    /// Those that failed, and neither the caller nor the request was at fault.
    public private(set) var failures: UInt64 = 0
    /// Those that their callers or they themselves were at fault for.
    public private(set) var callers: UInt64 = 0
    /// As reported.
    public private(set) var tokensIn: UInt64 = 0
    /// As reported.
    public private(set) var tokensOut: UInt64 = 0
    private var times = LatencyFigures()

    mutating func add(_ verdict: RequestVerdict, usage: TokenUsage?, microseconds total: UInt64) {
      count += 1
      switch verdict {
      case .served: break
      case .failed: failures += 1
      case .callers: callers += 1
      }
      tokensIn = tokensIn.clamped(adding: usage?.input ?? 0)
      tokensOut = tokensOut.clamped(adding: usage?.output ?? 0)
      times.record(total)
    }

    /// The least total time that at least `percent` of the calls did not exceed (nearest rank); beyond 4,096 calls the
    /// end of its bucket, which is less than 0.8 % wide.
    public func percentile(_ percent: Int) -> UInt64? { times.percentile(percent) }

    /// As shown: `≤` where it is the end of a bucket.
    fileprivate func shown(_ percent: Int) -> String {
      percentile(percent).map { (times.isExact ? "" : "≤ ") + Shown.duration($0) } ?? "–"
    }
  }

  mutating func add(_ entry: Entry, _ state: ControlState) {
    events += 1
    guard case .request(let event) = entry.event else { return }
    switch event {
    case .dispatched(let it): open.insert(it.id)
    case .interrupted(let it):
      interrupted += 1
      open.remove(it.id)
    case .deliveryFailed: deliveryFailed += 1
    case .deniedSummary(let it): deniedInSummaries = deniedInSummaries.clamped(adding: it.count)
    case .finished(let it):
      open.remove(it.id)
      add(it, state)
    }
  }

  private mutating func add(_ it: RequestEvent.Finished, _ state: ControlState) {
    finished += 1
    endings[it.ending.name, default: 0] += 1
    statuses[it.status, default: 0] += 1
    if let errorClass = it.errorClass { errorClasses[errorClass.name, default: 0] += 1 }
    for (index, attempt) in it.attempts.enumerated() {
      let isLast = index + 1 == it.attempts.count
      accounts[kept(EventLine.name(attempt.account, state), accounts), default: Row()].add(
        attempt.verdict, usage: isLast ? it.usage : nil,
        microseconds: attempt.totalMicroseconds)
    }
    guard it.operation.isInference else { return }
    // Names that clients made up share a row: there is no end of them.
    models[kept(it.modelResolved ?? WindowSummary.unresolved, models), default: Row()].add(
      it.verdict, usage: it.usage,
      microseconds: it.totalMicroseconds)
  }
}

extension WindowSummary {
  /// The name under which a row is kept: beyond so many they share one.
  private func kept(_ name: String, _ rows: [String: Row]) -> String {
    rows[name] == nil && rows.count >= Self.namesMax ? Self.other : name
  }
}

extension UInt64 {
  /// The sum, or the greatest number there is: a mutated log must not trap its reader.
  func clamped(adding other: UInt64) -> UInt64 {
    let (sum, isOver) = addingReportingOverflow(other)
    return isOver ? .max : sum
  }
}

// MARK: Renderings

extension WindowSummary {
  var text: String {
    var out = "requests  \(finished)"
    if finished > 0 { out += ": " + list(endings.sorted { $0.key < $1.key }) { $0 } }
    out += "\n"
    if !statuses.isEmpty {
      out += "statuses  " + list(statuses.sorted { $0.key < $1.key }) { String($0) } + "\n"
    }
    if !errorClasses.isEmpty {
      out += "errors    " + list(errorClasses.sorted { $0.key < $1.key }) { $0 } + "\n"
    }
    let rest = [
      (UInt64(inFlightAtEnd), "in flight at the end"), (interrupted, "interrupted"),
      (deliveryFailed, "delivery failed"), (deniedInSummaries, "denied in summaries"),
    ].filter { $0.0 > 0 }
    if !rest.isEmpty {
      out += "besides   " + rest.map { "\($0.0) \($0.1)" }.joined(separator: ", ") + "\n"
    }
    out += table("account", "attempts", accounts)
    out += table("model", "requests", models)
    return out
  }

  private func list<Name>(_ counts: [(key: Name, value: UInt64)], _ show: (Name) -> String)
    -> String
  {
    counts.map { "\($0.value) × \(show($0.key))" }.joined(separator: ", ")
  }

  private func table(_ heading: String, _ counted: String, _ rows: [String: Row]) -> String {
    guard !rows.isEmpty else { return "" }
    var table = TextTable(
      heading, ">\(counted)", ">failures", ">callers' fault", ">tokens in", ">tokens out", ">p50",
      ">p95")
    for (name, row) in rows.sorted(by: { $0.key < $1.key }) {
      table.add(
        Shown.text(name), String(row.count), String(row.failures), String(row.callers),
        String(row.tokensIn), String(row.tokensOut), row.shown(50), row.shown(95))
    }
    return "\n" + table.rendered()
  }

  var json: JSONTree {
    .object([
      .init("events", .count(events)), .init("finished", .count(finished)),
      .init("inFlightAtEnd", .count(inFlightAtEnd)), .init("interrupted", .count(interrupted)),
      .init("deliveryFailed", .count(deliveryFailed)),
      .init("deniedInSummaries", .count(deniedInSummaries)),
      .init("endings", .object(endings.sorted { $0.key < $1.key }.map { .init($0, .count($1)) })),
      .init(
        "statuses",
        .object(statuses.sorted { $0.key < $1.key }.map { .init(String($0), .count($1)) })),
      .init(
        "errorClasses",
        .object(errorClasses.sorted { $0.key < $1.key }.map { .init($0, .count($1)) })),
      .init("accounts", rows("account", accounts)), .init("models", rows("model", models)),
    ])
  }

  private func rows(_ name: String, _ rows: [String: Row]) -> JSONTree {
    .array(
      rows.sorted { $0.key < $1.key }.map { key, row in
        .object([
          .init(name, .text(key)), .init("count", .count(row.count)),
          .init("failures", .count(row.failures)), .init("callersFault", .count(row.callers)),
          .init("tokensIn", .count(row.tokensIn)),
          .init("tokensOut", .count(row.tokensOut)),
          .init("p50Microseconds", .count(row.percentile(50))),
          .init("p95Microseconds", .count(row.percentile(95))),
        ])
      })
  }
}

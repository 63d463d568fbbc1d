public import Domain
public import EventStore

/// A bundle, as it was made or as it was found.
public struct BundleReport: InquiryReport, Hashable {
  /// The file.
  public var path: String
  /// What it covers, and of which log.
  public var coverage: LogCoverage
  /// What it says of itself.
  public var facts: BundleFacts
  /// The newest checkpoint in it that is signed with the key that it names; nil: nothing in it is signed.
  public var signed: Signature?

  /// What vouches for a bundle's window.
  public struct Signature: Sendable, Hashable {
    /// `epoch:position` of the last event that it covers.
    public var place: String
    /// That position.
    public var position: UInt64
    /// 64 hexadecimal digits; which key it is must be known from elsewhere.
    public var key: String
  }

  /// What is damaged in the log right behind the window, so that more may have happened than it shows.
  public var behind: [LogGap] = []

  /// 3 if the window ends where the log is damaged; else 0: it is whole, or there is no such report.
  public var exitCode: ExitCode { behind.isEmpty ? .same : .damaged }
}

/// Which window goes into a bundle.
public struct BundleQuery: Sendable {
  /// Where the window begins; nil: with the log, or with the request.
  public var from: Selector?
  /// Where it ends, inclusive; nil: with the log, or with the request.
  public var to: Selector?
  /// A request that the window is to be of; nil: none.
  public var request: String?
  /// Whether clients' addresses stay readable.
  public var isWithAddresses = false
  /// What the least of the window is to show; nil: all of the window is kept.
  public var finding: (what: Finding, text: String)?

  /// A query.
  public init(
    from: Selector? = nil, to: Selector? = nil, request: String? = nil,
    isWithAddresses: Bool = false, keeping finding: String? = nil
  ) throws(InquiryFault) {
    self.finding = try finding.map { (text) throws(InquiryFault) in (try Finding(text), text) }
    self.from = from
    self.to = to
    self.request = request
    self.isWithAddresses = isWithAddresses
  }
}

extension Replay {
  /// Writes a window of a log into one file, with all of the past that explains it.
  ///
  /// - Parameters:
  ///   - path: Where; nothing may stand there.
  ///   - now: What `-15m` counts from.
  /// - Throws: `.usage` for an empty or too long window and a path that is taken, `.damaged` for a window
  ///   that cannot all be read.
  public static func bundle(
    _ log: LogReader, _ query: BundleQuery, to path: String, now: UnixNanoseconds,
    progress: Progress? = nil
  ) throws(InquiryFault) -> BundleReport {
    let window = try window(of: query, in: log, now: now)
    let plan =
      if let (finding, text) = query.finding {
        try least(finding, text, window, query, log, now: now, progress)
      } else {
        try BundlePlan(window, of: log, isWithAddresses: query.isWithAddresses, progress)
      }
    do throws(StoreError) {
      _ = try log.writeBundle(plan, to: path, progress: progress)
    } catch {
      throw error.code == .invalidDraft
        ? InquiryFault(.usage, "\(error.path.map { "\($0): " } ?? "")\(error.message).")
        : InquiryFault(error)
    }
    // What was written is what somebody else will open.
    var report = try inspect(
      try reading { () throws(StoreError) in try LogReader.open(bundle: path) }, path: path)
    report.behind = try gapsAtEnd(of: log, behind: window.upperBound)
    return report
  }

  /// The least of a window that shows a finding.
  private static func least(
    _ finding: Finding, _ text: String, _ window: ClosedRange<Position>, _ query: BundleQuery,
    _ log: LogReader, now: UnixNanoseconds, _ progress: Progress?
  ) throws(InquiryFault) -> BundlePlan {
    func selector(_ position: Position) -> Selector { .position(position.rawValue, epoch: nil) }
    let answer = try finding.answer(
      in: log, from: selector(window.lowerBound), to: selector(window.upperBound), now: now)
    // What a rate was counted from may lie before the window.
    guard window.contains(answer.last), finding.isOfRate || window.contains(answer.first) else {
      throw InquiryFault(
        .usage,
        "The finding lies at positions \(answer.first) to \(answer.last), outside of the window.")
    }
    for start in try finding.starts(for: answer, in: window, of: log) {
      let plan = try BundlePlan(
        start.window, of: log, isWithAddresses: query.isWithAddresses, also: start.earlier, progress
      )
      var minimisation = Minimisation(finding, answer, of: log, plan: plan, now: now) { _, _ in
        progress?(answer.last)
      }
      guard let (least, kept) = try minimisation.least(without: start.omitted) else { continue }
      let count = window.upperBound.rawValue - window.lowerBound.rawValue + 1
      var found = least
      found.note =
        "\(text.prefix(1_024)): \(Shown.count(kept, "event")) kept of positions \(window.lowerBound) to "
        + "\(window.upperBound), which are \(count)"
      return found
    }
    throw InquiryFault(
      .notCovered, "The finding does not follow from the window and the configuration before it.")
  }

  /// Tells what a bundle is, which was checked as a whole when it was opened.
  ///
  /// - Throws: `.usage` for what is no bundle.
  public static func inspect(
    _ log: LogReader, path: String
  ) throws(InquiryFault) -> BundleReport {
    guard let facts = log.bundle else {
      throw InquiryFault(.usage, "\(path) is a log's directory and no bundle.")
    }
    var signed: BundleReport.Signature?
    var check = StatementCheck(log)
    var found: [LogCheckpoint] = []
    try LogCheckpoint.backwards(in: log) {
      found.append($0)
      return true
    }
    for it in found where it.fact.position > facts.base.rawValue && signed == nil {
      guard let key = it.signer(store: log.storeID), try check.compare(it.fact) == .same else {
        continue
      }
      signed = BundleReport.Signature(
        place: it.covered, position: it.fact.position, key: key.text)
    }
    return BundleReport(
      path: path, coverage: try LogCoverage(log), facts: facts, signed: signed)
  }

  private static func window(
    of query: BundleQuery, in log: LogReader, now: UnixNanoseconds
  ) throws(InquiryFault) -> ClosedRange<Position> {
    let request = query.request.map { Selector.request($0) }
    let from = try (query.from ?? request)?.resolve(in: log, now: now, edge: .from) ?? log.first
    let to = try (query.to ?? request)?.resolve(in: log, now: now, edge: .to) ?? log.last
    let (first, last) = (max(from, log.first), min(to, log.last))
    guard first <= last else {
      throw InquiryFault(.usage, "The window is empty. \(try LogCoverage(log).text)")
    }
    let count = last.rawValue - first.rawValue + 1
    guard count <= LogReader.bundleEventsMax else {
      throw InquiryFault(
        .usage,
        "The window has \(count) events and a bundle at most \(LogReader.bundleEventsMax): narrow it with --from "
          + "and --to.")
    }
    return first...last
  }
}

extension BundlePlan {
  /// A window with what explains it: all that was ever configured before, the event just before it, and those
  /// that its requests go back to.
  ///
  /// - Parameter also: more of what stands before it.
  init(
    _ window: ClosedRange<Position>, of log: LogReader, isWithAddresses: Bool,
    also: Set<Position> = [], _ progress: Progress?
  ) throws(InquiryFault) {
    let base = Position(window.lowerBound.rawValue - 1)
    var earlier = also
    var isWhole = log.bundle?.isHistoryWhole ?? true
    try log.read(from: Position(1), through: base, progress: progress) { entry in
      switch entry {
      case .gap: isWhole = false
      case .event(let stored):
        if stored.position <= base, ConfigurationFold.isRelevant(stored.kind) {
          earlier.insert(stored.position)
        }
      }
    }
    var wanted: Set<Position> = [base]
    var requests: Set<RequestID> = []
    var firstTime: Int64?
    try log.read(from: window.lowerBound, through: window.upperBound, progress: progress) {
      entry in
      guard case .event(let stored) = entry, stored.kind.hasPrefix("request."),
        case .request(let event) = Entry(stored).event
      else { return }
      firstTime = firstTime ?? stored.time
      switch event {
      case .finished(let fact):
        for attempt in fact.attempts { wanted.insert(Position(attempt.snapshot)) }
        if fact.receivedAt.rawValue <= firstTime ?? .max { requests.insert(fact.id) }
      case .interrupted(let fact): requests.insert(fact.id)
      case .deliveryFailed(let fact): requests.insert(fact.id)
      case .dispatched, .deniedSummary: break
      }
    }
    for request in requests {
      let positions = try reading { () throws(StoreError) in
        try log.positions(forKey: request.lookupKey)
      }
      wanted.formUnion(positions)
    }
    for position in wanted where position.rawValue > 0 && position <= base {
      let event = try reading { () throws(StoreError) in try log.event(at: position) }
      if event != nil { earlier.insert(position) }
    }
    self.init(window: window, earlier: earlier.sorted(), isHistoryWhole: isWhole)
    // What lacks something stays what it is, however it is cut.
    isMinimised = log.bundle?.isMinimised ?? false
    note = log.bundle?.note ?? ""
    if !isWithAddresses {
      alter = { (event, record) throws(StoreError) in
        try Redaction.withoutAddresses(event, record)
      }
    }
  }
}

extension BundleReport {
  /// For people.
  public var text: String {
    var out = "bundle    \(Shown.text(path)), \(facts.bytes) bytes\n"
    out += "digest    \(facts.digest)\n"
    out += "store     \(coverage.storeID)\n"
    out += "window    positions \(facts.first) to \(facts.last), "
    out += Shown.count(facts.events + facts.withheld, "event")
    out += facts.withheld > 0 ? ", \(facts.withheld) of them left out\n" : "\n"
    if let first = coverage.first, let last = coverage.last {
      out += "times     \(rfc3339(first.time)) … \(rfc3339(last.time))\n"
    }
    for line in coverage.bundleLines { out += "holds     \(line)\n" }
    for gap in behind { out += "gap       behind the window, \(gap.text)\n" }
    out += "lacks     sealed parts: secrets never leave the log\n"
    if let signed {
      out += "signed    through \(signed.place) by a checkpoint under the key \(signed.key)\n"
    } else {
      out +=
        "signed    no: the window holds no checkpoint. Compare the digest with what its maker says.\n"
    }
    out += "use       replay window --log \(Shown.text(path)), and likewise every other verb\n"
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("bundle")), .init("file", .text(path)), .init("log", coverage.json),
      .init("bytes", .count(facts.bytes)), .init("digest", .text(facts.digest.description)),
      .init("first", .count(facts.first.rawValue)), .init("last", .count(facts.last.rawValue)),
      .init("events", .count(facts.events)), .init("withheld", .count(facts.withheld)),
      .init("earlier", .count(facts.earlier)), .init("altered", .count(facts.altered)),
      .init("isHistoryWhole", .bool(facts.isHistoryWhole)),
      .init("isMinimised", .bool(facts.isMinimised)), .init("note", .text(facts.note)),
      .init("behind", .array(behind.map(\.json))),
      .init(
        "signed",
        signed.map {
          .object([.init("through", .text($0.place)), .init("key", .text($0.key))])
        } ?? .null),
    ])
  }
}

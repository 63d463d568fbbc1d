public import Domain
public import EventStore

/// Whether the log is whole, what outside of it vouches for it, what it lacks, whether its decisions can be
/// made again, and whether the snapshots and views beside it are what it gives: separate verdicts.
public struct VerifyVerdict: InquiryReport, Hashable {
  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Checksums, density, epochs, revisions and the chain of the range.
  public var integrity: VerifyReport
  /// What vouches for the range.
  public var anchoring = Anchoring()
  /// What is known to be missing from the range.
  public var completeness = Completeness()
  /// Whether the snapshots in the range are what the log gives.
  public var snapshots = SnapshotVerdict()
  /// Whether the tables in SQLite are what the log gives, whatever the range.
  public var views = ViewVerdict(.none("nobody looked"))
  /// Places of records whose bytes are not what their kind says; at most 10 are named.
  public var unreadable: [String]
  /// How many there are.
  public var unreadableCount: UInt64
  /// Records of kinds that this build does not know: kept, not judged.
  public var unknownKinds: UInt64
  /// Decisions made again.
  public var remade: UInt64
  /// Of these, those with another outcome.
  public var differing: UInt64
  /// Recorded decisions whose inputs are not in the log.
  public var notReproducible: UInt64
  /// The first ten that differ.
  public var differences: [Finding]
  /// The first ten that could not be made again.
  public var reasons: [Finding]

  /// One decision.
  public struct Finding: Sendable, Hashable {
    /// `epoch:position` of the record.
    public var place: String
    /// The request's id.
    public var request: String
    /// From 1.
    public var attempt: Int
    /// In words.
    public var what: String
  }

  /// Nothing is damaged and everything could be decoded.
  public var isWhole: Bool { integrity.isIntact && unreadableCount == 0 }

  /// 3 before 1 before 4; what the log states to be missing is no fault of it, nor is a snapshot that
  /// nothing uses, nor are views that nobody made.
  public var exitCode: ExitCode {
    if !isWhole { return .damaged }
    if differing > 0 || anchoring.verdict == .failed || snapshots.wrong > 0 || views.isWrong {
      return .differs
    }
    return notReproducible > 0 ? .notReproducible : .same
  }
}

extension Replay {
  /// Checks a range: every byte of it, what vouches for it, every routing decision and snapshot in it; and the views
  /// of the whole log.
  ///
  /// No snapshot is trusted: what they hold is made again from the log's beginning, as are the views.
  ///
  /// - Parameters:
  ///   - anchors: Checkpoints that were kept elsewhere, each with its file's name.
  ///   - keys: Public keys that did not come from the log; no other one may then have signed.
  ///   - isWithViews: Whether the views are compared, for which the log is read from its beginning to where they are,
  ///     whatever the range.
  ///   - now: What `-15m` counts from.
  public static func verify(
    _ log: LogReader, from: Selector? = nil, to: Selector? = nil,
    anchors: [(name: String, note: CheckpointNote)] = [], keys: [VerifyingKey] = [],
    isWithViews: Bool = true, now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> VerifyVerdict {
    let end = log.last
    let first = max(log.first, try from?.resolve(in: log, now: now, edge: .from) ?? log.first)
    let last = min(end, try to?.resolve(in: log, now: now, edge: .to) ?? end)
    let isToEnd = last == end
    // To the very end: bytes behind the last readable event are judged too.
    let report = try reading { () throws(StoreError) in
      try log.verify(from: first, through: isToEnd ? nil : last, progress: progress)
    }
    let coverage = try LogCoverage(log)
    for case .position(let position, _) in [from, to].compactMap({ $0 })
    where position > end.rawValue && report.isIntact {
      // Whoever knows such a position asks whether it is still there.
      throw InquiryFault(.notFound, "Position \(position) is not in this log. \(coverage.text)")
    }
    var verdict = VerifyVerdict(
      coverage: coverage, integrity: report, unreadable: [], unreadableCount: 0,
      unknownKinds: 0, remade: 0, differing: 0, notReproducible: 0, differences: [], reasons: [])

    // First pass: which snapshots are needed, and until where each of them.
    var lastUses = LastUses()
    var anchoring = AnchoringCheck()
    var completeness = CompletenessCheck()
    var kinds = KindTable()
    var record = RequestRecord()
    try log.readViews(from: first, through: last, progress: progress, gap: { _ in }) { view in
      let kind = kinds.row(of: view.kind)
      if kind.isEnd, record.read(kind.kind, view.payload) {
        completeness.end(record.outline.id)
        for attempt in record.outline.attempts {
          lastUses.note(attempt.snapshot, at: view.position.rawValue)
        }
        return
      }
      let entry = Entry(view.copied())
      verdict.count(entry)
      anchoring.apply(entry)
      completeness.apply(entry)
    }
    lastUses.settle()
    verdict.anchoring = try anchoring.judge(
      log, range: first.rawValue..<max(first.rawValue, last.next.rawValue), isToEnd: isToEnd,
      gaps: report.gaps, anchors: anchors,
      keys: keys)
    verdict.completeness = completeness.result(
      gaps: report.gaps, end: log.last.rawValue,
      missingThrough: verdict.anchoring.missingThrough)

    // Second pass: every view that was routed on is kept from where it stood until its last use.
    var snapshots = SnapshotCheck(log, from: first, through: last, isToEnd: isToEnd)
    let used = lastUses.snapshots
    var shelf = SnapshotShelf(used)
    var fold = ConfigurationFold(of: log)
    var decisions = DecisionCheck()
    shelf.look(at: 0, fold)
    let through = used.isEmpty ? snapshots.through ?? .origin : last
    try log.readViews(
      from: Position(1), through: through, progress: progress,
      gap: { gap in
        snapshots.apply(gap)
        fold.apply(gap)
      },
      event: { view in
        let position = view.position.rawValue
        let kind = kinds.row(of: view.kind)
        snapshots.apply(view, kind.kind)
        if kind.isRelevant {
          fold.apply(Entry(view.copied()))
        } else if kind.isEnd, view.position >= first, record.read(kind.kind, view.payload) {
          let attempts = record.outline.attempts
          if decisions.isReproduced(record.outline, view.payload, at: position, on: shelf) {
            verdict.remade += UInt64(attempts.count)
          } else {
            verdict.judge(Entry(view.copied()), shelf)
          }
          for attempt in attempts where lastUses.isLast(attempt.snapshot, at: position) {
            shelf.drop(attempt.snapshot)
          }
        }
        if shelf.wants(position) { shelf.look(at: position, fold) }
      })
    verdict.snapshots = snapshots.finish()
    // Last, since it may have to read what was appended meanwhile.
    verdict.views =
      isWithViews
      ? try compareViews(log, progress: progress)
      : ViewVerdict(.none("left out, as asked"))
    return verdict
  }
}

extension VerifyVerdict {
  fileprivate mutating func count(_ entry: Entry) {
    switch entry.content {
    case .unreadable(let failure):
      unreadableCount += 1
      if unreadable.count < 10 {
        unreadable.append(
          "\(entry.place) \(Shown.text(failure.kind)): \(failure.reason.rawValue) at byte "
            + "\(failure.offset)")
      }
    case .recorded(let recorded):
      if recorded.event == nil { unknownKinds += 1 }
    }
  }

  fileprivate mutating func judge(_ entry: Entry, _ shelf: SnapshotShelf) {
    guard case .request(.finished(let finished)) = entry.event else { return }
    for (index, attempt) in finished.attempts.enumerated() {
      let decision = RemadeDecision(
        finished, index, at: entry.stored.position.rawValue, on: shelf.books[attempt.snapshot],
        isExplained: false)
      func finding(_ what: String) -> Finding {
        Finding(
          place: entry.place, request: uuidText(finished.id.rawValue), attempt: index + 1,
          what: what)
      }
      switch decision.verdict {
      case .reproduced: remade += 1
      case .differs(let what):
        remade += 1
        differing += 1
        if differences.count < 10 { differences.append(finding(what)) }
      case .notReproducible(let why):
        notReproducible += 1
        if reasons.count < 10 { reasons.append(finding(why)) }
      }
    }
  }

  /// For people.
  public var text: String {
    var out = "store      \(coverage.storeID)\n"
    for line in coverage.bundleLines { out += "bundle     \(line)\n" }
    if integrity.first <= integrity.last {
      out += "range      \(integrity.first) … \(integrity.last)\n"
    } else {
      out += "range      nothing. \(coverage.text)\n"
    }
    out += "\nintegrity  \(isWhole ? "ok" : "DAMAGED"): "
    out += Shown.count(integrity.events, "event") + " in " + Shown.count(integrity.blocks, "block")
    out += ", \(integrity.bytes) bytes read\n"
    out += "  chain    \(integrity.chain.text)\n"
    for gap in integrity.gaps { out += "  gap      \(gap.text)\n" }
    for fault in integrity.revisionFaults { out += "  fault    \(Shown.text(fault))\n" }
    for line in unreadable { out += "  fault    \(line)\n" }
    if unreadableCount > UInt64(unreadable.count) {
      out += "  fault    \(unreadableCount) records cannot be decoded\n"
    }
    if unknownKinds > 0 {
      out += "  note     \(Shown.count(unknownKinds, "record")) of kinds this build does not know\n"
    }
    out += "\n" + anchoring.text
    out += "\n" + completeness.text
    let word =
      differing > 0 ? "DIFFER" : notReproducible > 0 ? "not all reproducible" : "ok"
    out += "\ndecisions  \(word): \(remade) made again, \(differing) differ"
    if notReproducible > 0 { out += ", \(notReproducible) cannot be made again" }
    out += "\n"
    for it in differences { out += "  differs  \(it.text)\n" }
    for it in reasons { out += "  unknown  \(it.text)\n" }
    out += "\n" + snapshots.text
    out += "\nviews      \(views.text)\n"
    out += "\nlimits     \(anchoring.limits)\n"
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("verify")), .init("log", coverage.json),
      .init(
        "integrity",
        .object([
          .init("isIntact", .bool(isWhole)), .init("first", .count(integrity.first.rawValue)),
          .init("last", .count(integrity.last.rawValue)),
          .init("events", .count(integrity.events)), .init("blocks", .count(integrity.blocks)),
          .init("bytes", .count(integrity.bytes)), .init("chain", .text(integrity.chain.text)),
          .init("gaps", .array(integrity.gaps.map(\.json))),
          .init("revisionFaults", EventFields.texts(integrity.revisionFaults)),
          .init("unreadableRecords", .count(unreadableCount)),
          .init("firstUnreadable", EventFields.texts(unreadable)),
          .init("unknownKinds", .count(unknownKinds)),
        ])),
      .init("anchoring", anchoring.json), .init("completeness", completeness.json),
      .init(
        "decisions",
        .object([
          .init("remade", .count(remade)), .init("differing", .count(differing)),
          .init("notReproducible", .count(notReproducible)),
          .init("differences", .array(differences.map(\.json))),
          .init("reasons", .array(reasons.map(\.json))),
        ])), .init("snapshots", snapshots.json),
      .init("views", views.json),
      .init("limits", .text(anchoring.limits)),
    ])
  }
}

extension VerifyVerdict.Finding {
  fileprivate var text: String { "\(place) request \(request) attempt \(attempt): \(what)" }

  fileprivate var json: JSONTree {
    .object([
      .init("at", .text(place)), .init("request", .text(request)),
      .init("attempt", .count(attempt)), .init("what", .text(what)),
    ])
  }
}

extension Digest {
  /// 64 hexadecimal digits.
  var text: String {
    [words.0, words.1, words.2, words.3].map { word in
      let hex = String(word, radix: 16)
      return String(repeating: "0", count: 16 - hex.count) + hex
    }.joined()
  }
}

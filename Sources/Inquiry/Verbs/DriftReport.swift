public import Domain
public import EventStore

/// Edits that undid, overwrote or fought other edits.
public struct DriftReport: InquiryReport, Hashable {
  /// What was noticed.
  public enum Rule: String, Sendable, CaseIterable {
    /// A field went back to a value that it had had before somebody else changed it.
    case reverted
    /// The author had not seen the change that it replaced: by the revision that it named, or, where it named none,
    /// since it had last written before that; of what came from a peer, by what was decided about it.
    case overwritten
    /// A credential was put in force whose generation is not above the last one.
    case generationFell = "generation-fell"
    /// An account's health came from another node.
    case healthTravelled = "health-travelled"
    /// A peer's edit does not hold here, though whoever's holds in its place had not seen it.
    case lostInSync = "lost-in-sync"
    /// Two writers set a field in turns, four times or more.
    case inTurns = "in-turns"
    /// One of the two writers is the file, the other is not.
    case fileAgainstOthers = "file-against-others"
  }

  /// An edit and the one whose outcome it replaced.
  public struct Finding: Sendable, Hashable {
    /// For example `alias/fast`.
    public var stream: String
    /// By the name that answers give it.
    public var field: String
    /// At least one, in the order of `Rule`.
    public var rules: [Rule]
    /// What the field was, or what the peer made it.
    public var before: Image.Value
    /// What it became, or what it stayed although the peer had made it otherwise.
    public var after: Image.Value
    /// The edit that did it.
    public var edit: ConfigurationChange
    /// The revision of the stream that it was made on; nil: the author named none.
    public var base: UInt64?
    /// Its own revision.
    public var revision: UInt64
    /// The edit whose outcome it replaced; nil: it is in the peer's log alone.
    public var replaced: ConfigurationChange?
    /// The revision of that one.
    public var replacedRevision: UInt64?
    /// The edit that had given the value before that; nil: the value is a new one.
    public var original: ConfigurationChange?
  }

  /// What the log holds altogether.
  public var coverage: LogCoverage
  /// Positions looked at, cut to the log.
  public var first: Position
  /// The last one.
  public var last: Position
  /// Edits of operators and credentials in the range.
  public var edits: UInt64
  /// In the order of the log.
  public var findings: [Finding]
  /// Damaged ranges in the window.
  public var gaps: [LogGap]
  /// Edits that this build cannot read.
  public var unreadable: Int
  /// Events between the times asked for that have other times: they were looked at too.
  public var otherTimes: UInt64 = 0

  /// 1 if anything was found, 3 if a part of the window is damaged.
  public var exitCode: ExitCode {
    if !gaps.isEmpty || unreadable > 0 { return .damaged }
    return findings.isEmpty ? .same : .differs
  }
}

extension Replay {
  /// Looks for edits of a window that undid, overwrote or fought others, those before the window included.
  ///
  /// - Parameter stream: only this stream; nil: all of operators' intent and of credentials.
  public static func drift(
    _ log: LogReader, from: Selector? = nil, to: Selector? = nil, stream: String? = nil,
    now: UnixNanoseconds, progress: Progress? = nil
  ) throws(InquiryFault) -> DriftReport {
    let (first, last) = try bounds(of: log, from: from, to: to, now: now)
    var report = DriftReport(
      coverage: try LogCoverage(log), first: first, last: last, edits: 0, findings: [], gaps: [],
      unreadable: 0)
    report.otherTimes = try countOutside(log, from: from, to: to, now: now)
    if let stream { try requireStream(stream, in: log) }
    var streams: Set<String> = []
    var peers = PeerDecisions()
    try log.read(from: first, through: last, progress: progress) { entry in
      switch entry {
      case .gap(let gap): report.gaps.append(gap)
      case .event(let stored):
        peers.take(stored)
        guard stream.map({ $0 == stored.stream }) ?? true else { return }
        if isEdit(stored) {
          report.edits += 1
          streams.insert(stored.stream)
        } else if isHealthOfPeer(stored) {
          streams.insert(stored.stream)
        }
      }
    }
    report.gaps += try gapsAtEnd(of: log, behind: last)
    report.unreadable += peers.unreadable
    report.findings = peers.lost.filter { lost in stream.map { $0 == lost.stream } ?? true }
    for stream in streams.sorted() {
      guard let subject = Subject(stream: stream) else { continue }
      try look(at: subject, peers, log, &report)
    }
    report.findings.sort {
      ($0.edit.position, $0.stream, $0.field) < ($1.edit.position, $1.stream, $1.field)
    }
    return report
  }

  private static func isEdit(_ stored: StoredEvent) -> Bool {
    guard ConfigurationFold.isRelevant(stored.kind), let subject = Subject(stream: stored.stream)
    else { return false }
    if case .health = subject { return false }
    return true
  }

  /// What is known of an account's health is its own gateway's alone; ours never writes such a thing.
  private static func isHealthOfPeer(_ stored: StoredEvent) -> Bool {
    guard case .health = Subject(stream: stored.stream) else { return false }
    return (try? Provenance(ofPayload: stored.payload))?.source == .peer
  }

  private static func look(
    at subject: Subject, _ peers: PeerDecisions, _ log: LogReader, _ report: inout DriftReport
  ) throws(InquiryFault) {
    var history = FieldHistory(subject)
    var generations = GenerationLadder()
    var (findings, unreadable) = ([DriftReport.Finding](), 0)
    let (first, last) = (report.first, report.last)
    try reading { () throws(StoreError) in
      try log.forwards(ofStream: subject.stream, from: Revision(1)) { stored in
        guard stored.position <= last else { return false }
        guard let recorded = Entry(stored).recorded else {
          if stored.position >= first { unreadable += 1 }
          return true
        }
        let revision = stored.revision.rawValue
        let changes = history.apply(
          recorded, epoch: stored.epoch.rawValue, revision: revision)
        let fallen = generations.take(recorded, stored)
        if stored.position >= first {
          if let fallen { findings.append(fallen) }
          findings += changes.compactMap {
            DriftReport.Finding($0, subject, revision, history.lastRevisions, peers)
          }
        }
        history.note(Author(recorded.provenance), revision)
        return true
      }
    }
    report.findings += findings
    report.unreadable += unreadable
  }
}

extension DriftReport.Finding {
  /// nil: nothing is to be said of the change.
  fileprivate init?(
    _ change: FieldHistory.Change, _ subject: Subject, _ revision: UInt64,
    _ lastRevisions: [Author: UInt64], _ peers: PeerDecisions
  ) {
    guard let before = change.before else { return nil }
    let stream = subject.stream
    let provenance = change.after.writer.provenance
    let (author, other) = (Author(provenance), Author(before.writer.provenance))
    var rules: [DriftReport.Rule] = []
    // How refreshes go is nobody's edit.
    if case .credential = subject, Self.courseOfRefreshes.contains(change.field) { return nil }
    if case .health = subject {
      // A gateway may say of an account today what it said of it yesterday.
      guard author.source == .peer else { return nil }
      rules = [.healthTravelled]
    } else {
      if change.original != nil, author != other { rules.append(.reverted) }
      // Who wrote after that change has had it in front of them. Of somebody who never wrote before and names no
      // revision nothing is known: people look before they edit.
      let seen = provenance.base ?? lastRevisions[author]
      // A peer's author saw what was in its own log, which ours knows by what was decided.
      if let isUnseen = peers.isUnseen(provenance, stream, change.field) {
        if isUnseen { rules.append(.overwritten) }
      } else if author != other, let seen, seen < before.revision {
        rules.append(.overwritten)
      }
      if author != other, Self.isInTurns(change.recent) { rules.append(.inTurns) }
      guard !rules.isEmpty else { return nil }
      if (author.source == .file) != (other.source == .file) { rules.append(.fileAgainstOthers) }
    }
    self.init(
      stream: stream, field: change.field, rules: rules, before: before.value,
      after: change.after.value, edit: ConfigurationChange(change.after.writer, stream: stream),
      base: provenance.base, revision: revision,
      replaced: ConfigurationChange(before.writer, stream: stream),
      replacedRevision: before.revision,
      original: change.original.map { ConfigurationChange($0.writer, stream: stream) })
  }

  private static let courseOfRefreshes: Set<String> = [
    "standing", "openAttempt", "failures", "lastFailure", "retryAt",
  ]

  /// The last four were set by two writers, each in turn.
  private static func isInTurns(_ recent: ArraySlice<FieldHistory.Setting>) -> Bool {
    let authors = recent.suffix(4).map { Author($0.writer.provenance) }
    return authors.count == 4 && authors[0] == authors[2] && authors[1] == authors[3]
      && authors[0] != authors[1]
  }
}

// MARK: Renderings

extension DriftReport.Rule {
  /// What the later edit did.
  var text: String {
    switch self {
    case .reverted: "went back to an earlier value"
    case .overwritten: "written without having seen what it replaced"
    case .generationFell: "a credential was put in force that is not newer than the last one"
    case .healthTravelled: "an account's health came from another node"
    case .lostInSync: "a peer's edit does not hold here, though nobody who had seen it took it back"
    case .inTurns: "two writers set it in turns"
    case .fileAgainstOthers: "the file and another door disagree"
    }
  }
}

extension DriftReport {
  private func count(of rule: Rule) -> Int { findings.count { $0.rules.contains(rule) } }

  /// For people.
  public var text: String {
    var out = "store     \(coverage.storeID)\n"
    guard first <= last else { return out + "window    nothing. \(coverage.text)\n" }
    out += "window    positions \(first) to \(last), \(Shown.count(edits, "edit"))\n"
    for gap in gaps { out += "gap       \(gap.text)\n" }
    if unreadable > 0 {
      out += "damaged   \(Shown.count(unreadable, "edit")) cannot be decoded\n"
    }
    guard !findings.isEmpty else {
      return out + "found     nothing: no edit undid, overwrote or fought another\n"
    }
    out += "found     \(Shown.count(findings.count, "change"))\n"
    for rule in Rule.allCases where count(of: rule) > 0 {
      out += "          \(count(of: rule)) \(rule.rawValue): \(rule.text)\n"
    }
    for finding in findings { out += "\n" + finding.text }
    return out
  }

  /// For machines.
  public var json: JSONTree {
    .object([
      .init("replay", .text("drift")), .init("log", coverage.json),
      .init("first", .count(first.rawValue)), .init("last", .count(last.rawValue)),
      .init("edits", .count(edits)), .init("otherTimes", .count(otherTimes)),
      .init("gaps", .array(gaps.map(\.json))), .init("unreadable", .count(unreadable)),
      .init("rules", .object(Rule.allCases.map { .init($0.rawValue, .count(count(of: $0))) })),
      .init("findings", .array(findings.map(\.json))),
    ])
  }
}

extension DriftReport.Finding {
  fileprivate var text: String {
    var out = Shown.text(stream) + (field.isEmpty ? "" : " \(field)")
    out += ": \(before.shown) → \(after.shown)"
    out += "   \(rules.map(\.rawValue).joined(separator: ", "))\n"
    out += "  edit      \(edit.text), revision \(revision), "
    out += base.map { "made on revision \($0)\n" } ?? "made on no stated revision\n"
    if let replaced, let replacedRevision {
      out += "  replaced  \(replaced.text), revision \(replacedRevision)\n"
    } else {
      out += "  replaced  an edit that is in the peer's log\n"
    }
    if let original { out += "  as set by \(original.text)\n" }
    return out
  }

  fileprivate var json: JSONTree {
    .object([
      .init("stream", .text(stream)), .init("field", .text(field)),
      .init("rules", .array(rules.map { .text($0.rawValue) })), .init("before", before.json),
      .init("after", after.json), .init("revision", .count(revision)),
      .init("base", base.map { .count($0) } ?? .null), .init("edit", edit.json),
      .init("replaced", replaced?.json ?? .null),
      .init("replacedRevision", replacedRevision.map { .count($0) } ?? .null),
      .init("original", original?.json ?? .null),
    ])
  }
}

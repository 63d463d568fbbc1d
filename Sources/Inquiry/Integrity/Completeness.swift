import Domain
import EventStore

/// What is known to be missing from a range: a log cannot show what nobody ever wrote into it.
public struct Completeness: Sendable, Hashable {
  /// The worst that is known.
  public enum Verdict: String, Sendable, CaseIterable {
    /// Positions are dense and no event speaks of a loss.
    case complete
    /// Events state what is or may be missing; everything else is there.
    case stated
    /// Recorded events are gone or cannot be read.
    case missing
  }

  /// Positions in damaged ranges with both ends known.
  public var unreadablePositions: UInt64 = 0
  /// The log's end cannot be read, and nobody witnessed that it was ever acknowledged.
  public var hasUnprovenTail = false
  /// The log's end cannot be read although it was acknowledged.
  public var hasUnreadableEnd = false
  /// Events at the end that an anchor vouches for and that are gone.
  public var cutOff: UInt64 = 0
  /// Stops of the machine that may have taken records.
  public var possibleGaps: UInt64 = 0
  /// Times in which outcomes were not recorded and whose end is known.
  public var closedGaps: UInt64 = 0
  /// Of these, those with an unknown count.
  public var uncountedGaps: UInt64 = 0
  /// Outcomes missing in the others.
  public var missingOutcomes: UInt64 = 0
  /// Positions of `gap_opened` without an end in the range, ascending; at most 10.
  public var openGaps: [UInt64] = []
  /// Unfinished appends that recovery set aside.
  public var truncatedTails: UInt64 = 0
  /// Their bytes.
  public var truncatedBytes: UInt64 = 0
  /// Losses that a person accepted.
  public var acceptedLosses: UInt64 = 0
  /// Positions concerned by those.
  public var acceptedPositions: UInt64 = 0
  /// Lives of the gateway that recorded no request at all (`--recording off`).
  public var unrecordedLives: UInt64 = 0
  /// Refused requests that are told as counts only.
  public var summarisedRequests: UInt64 = 0
  /// Requests that were dispatched and have no end: under way, or lost with a crash.
  public var openRequests: UInt64 = 0
  /// The first ten of the events that speak of a loss: place, time and words.
  public var statements: [String] = []

  /// The worst that is known.
  public var verdict: Verdict {
    if unreadablePositions > 0 || hasUnreadableEnd || hasUnprovenTail || cutOff > 0 {
      return .missing
    }
    let stated = [
      possibleGaps, closedGaps, UInt64(openGaps.count), truncatedTails, acceptedLosses,
      unrecordedLives, summarisedRequests, openRequests,
    ]
    return stated.contains { $0 > 0 } ? .stated : .complete
  }
}

/// Reads a range for what it says of losses.
struct CompletenessCheck {
  private var out = Completeness()
  private var inFlight = InFlight()
  private var opened: Set<UInt64> = []

  /// A request's end, by its id alone.
  mutating func end(_ request: RequestID) { inFlight.end(request) }

  mutating func apply(_ entry: Entry) {
    guard let recorded = entry.recorded, let event = recorded.event else { return }
    switch event {
    case .request(.deniedSummary(let it)): out.summarisedRequests += it.count
    case .request: inFlight.apply(recorded)
    case .gateway(let event): apply(event, entry)
    case .provider, .account, .credential, .health, .model, .alias, .combo, .policy, .organisation,
      .key, .settings, .pricing, .access, .sync, .syncToken:
      break
    }
  }

  private mutating func apply(_ event: GatewayEvent, _ entry: Entry) {
    switch event {
    case .started(let it):
      guard it.recording == .off else { return }
      out.unrecordedLives += 1
    case .gap: out.possibleGaps += 1
    case .gapOpened: opened.insert(entry.stored.position.rawValue)
    case .gapClosed(let it):
      opened.remove(it.opened)
      out.closedGaps += 1
      if let count = it.count { out.missingOutcomes += count } else { out.uncountedGaps += 1 }
    case .tailTruncated(let it):
      out.truncatedTails += 1
      out.truncatedBytes += it.bytes
    case .lossAccepted(let it):
      out.acceptedLosses += 1
      if it.first <= it.last { out.acceptedPositions += it.last - it.first + 1 }
    case .stopped, .checkpointSigned, .viewRebuilt, .identified, .restored: return
    }
    guard out.statements.count < 10 else { return }
    let words = EventLine.text(entry, before: .initial)
    out.statements.append("\(entry.place) \(rfc3339(entry.time)) \(words)")
  }

  /// - Parameter end: the last readable position of the log.
  func result(
    gaps: [LogGap], end: UInt64, missingThrough: UInt64?
  ) -> Completeness {
    var out = out
    for gap in gaps {
      if gap.isUnprovenTail {
        out.hasUnprovenTail = true
      } else if let last = gap.last {
        if last >= gap.first { out.unreadablePositions += last.rawValue - gap.first.rawValue + 1 }
      } else {
        out.hasUnreadableEnd = true
      }
    }
    if let missingThrough, missingThrough > end { out.cutOff = missingThrough - end }
    out.openGaps = Array(opened.sorted().prefix(10))
    out.openRequests = UInt64(inFlight.open.count)
    return out
  }
}

extension Completeness {
  var text: String {
    var out = "complete   "
    switch verdict {
    case .complete:
      out += "as far as the log tells: no position is missing, no event speaks of a loss\n"
    case .stated: out += "but for what the log itself says is missing\n"
    case .missing: out += "NO: recorded events are missing\n"
    }
    func line(_ text: String) { out += "  missing  \(text)\n" }
    if unreadablePositions > 0 {
      line("\(Shown.count(unreadablePositions, "position")) cannot be read")
    }
    if hasUnreadableEnd { line("what followed the last readable position") }
    if hasUnprovenTail {
      line("perhaps the last append: its bytes are no block, and nothing proves it")
    }
    if cutOff > 0 { line("\(Shown.count(cutOff, "event")) at the end that an anchor vouches for") }
    for it in statements { out += "  stated   \(it)\n" }
    var counts: [String] = []
    func add(_ number: UInt64, _ text: String) { if number > 0 { counts.append(text) } }
    add(possibleGaps, "\(Shown.count(possibleGaps, "stop")) that may have taken records")
    add(
      closedGaps,
      "\(Shown.count(closedGaps, "gap")) with \(Shown.count(missingOutcomes, "outcome")) missing")
    add(uncountedGaps, "\(uncountedGaps) of these with an unknown number")
    add(UInt64(openGaps.count), "open since \(openGaps.map(String.init).joined(separator: ", "))")
    add(
      truncatedTails,
      "\(Shown.count(truncatedTails, "unfinished append")) set aside (\(truncatedBytes) bytes)")
    add(
      acceptedLosses,
      "\(Shown.count(acceptedLosses, "accepted loss", "accepted losses")) (\(Shown.count(acceptedPositions, "position")))"
    )
    add(
      unrecordedLives,
      "\(Shown.count(unrecordedLives, "life", "lives")) of the gateway without recording")
    add(
      summarisedRequests,
      "\(Shown.count(summarisedRequests, "refused request")) told as a number only")
    if !counts.isEmpty { out += "  counted  \(counts.joined(separator: "; "))\n" }
    if openRequests > 0 {
      out +=
        "  open     \(Shown.count(openRequests, "request")) dispatched without an end in the range: "
        + "under way, or cut by a crash\n"
    }
    return out
  }

  var json: JSONTree {
    .object([
      .init("verdict", .text(verdict.rawValue)),
      .init("unreadablePositions", .count(unreadablePositions)),
      .init("hasUnreadableEnd", .bool(hasUnreadableEnd)),
      .init("hasUnprovenTail", .bool(hasUnprovenTail)), .init("cutOff", .count(cutOff)),
      .init("possibleGaps", .count(possibleGaps)), .init("closedGaps", .count(closedGaps)),
      .init("uncountedGaps", .count(uncountedGaps)),
      .init("missingOutcomes", .count(missingOutcomes)),
      .init("openGaps", .array(openGaps.map { .count($0) })),
      .init("truncatedTails", .count(truncatedTails)),
      .init("truncatedBytes", .count(truncatedBytes)),
      .init("acceptedLosses", .count(acceptedLosses)),
      .init("acceptedPositions", .count(acceptedPositions)),
      .init("unrecordedLives", .count(unrecordedLives)),
      .init("summarisedRequests", .count(summarisedRequests)),
      .init("openRequests", .count(openRequests)),
      .init("statements", EventFields.texts(statements)),
    ])
  }
}

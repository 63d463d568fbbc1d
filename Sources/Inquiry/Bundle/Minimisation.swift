import Domain
import EventStore

/// Finds the least of a window that still gives an answer, by leaving events out and asking again.
///
/// Whole streams are tried first, then ever smaller groups of events (delta debugging), always in the same
/// order: the same log gives the same bundle. What remains is least in that no single event of it can go.
struct Minimisation {
  private let log: LogReader
  private let finding: Finding
  private let wanted: FoundAnswer
  private let now: UnixNanoseconds
  private let progress: (Int, Int) -> Void
  /// What all attempts have in common.
  private var plan: BundlePlan
  private(set) var attempts = 0

  /// After so many looks what was reached is good enough.
  private static let attemptsMax = 20_000

  /// - Parameter progress: Told how many events are left, and how many were looked at.
  init(
    _ finding: Finding, _ wanted: FoundAnswer, of log: LogReader, plan: BundlePlan,
    now: UnixNanoseconds, progress: @escaping (Int, Int) -> Void
  ) {
    self.log = log
    self.finding = finding
    self.wanted = wanted
    self.now = now
    self.plan = plan
    self.progress = progress
    self.plan.isMinimised = true
  }

  /// The plan that keeps `kept` only, of the positions through the window's end.
  private func plan(keeping kept: [Position]) -> BundlePlan {
    var plan = plan
    let window = plan.window
    plan.earlier = kept.filter { $0 < window.lowerBound }
    let inside = Set(kept.filter { window.contains($0) })
    // Both ends stay, so that every answer can say what it covers.
    for number in window.lowerBound.rawValue...window.upperBound.rawValue {
      let position = Position(number)
      if position != window.lowerBound, position != window.upperBound, !inside.contains(position) {
        plan.withheld.insert(position)
      }
    }
    plan.isHistoryWhole = false
    return plan
  }

  private mutating func holds(_ kept: [Position]) -> Bool {
    attempts += 1
    progress(kept.count, attempts)
    do {
      let bundle = try log.bundled(plan(keeping: kept))
      return try finding.answer(in: bundle, from: nil, to: nil, now: now) == wanted
    } catch {
      return false
    }
  }

  /// The least plan, and how many events it keeps; nil: not even all of it gives the answer.
  ///
  /// - Parameter omitted: left out from the beginning.
  mutating func least(
    without omitted: Set<Position>
  ) throws(InquiryFault) -> (plan: BundlePlan, kept: Int)? {
    let window = plan.window
    var candidates = plan.earlier
    for number in window.lowerBound.rawValue...window.upperBound.rawValue {
      candidates.append(Position(number))
    }
    let ends: Set<Position> = [window.lowerBound, window.upperBound]
    candidates.removeAll { ends.contains($0) || omitted.contains($0) }
    guard holds(candidates) else { return nil }
    candidates = try withoutStreams(candidates)
    candidates = reduced(candidates)
    return (plan(keeping: candidates), candidates.count + ends.count)
  }

  /// Leaves out one stream after the other, the one with most events first.
  private mutating func withoutStreams(
    _ all: [Position]
  ) throws(InquiryFault) -> [Position] {
    var positions: [String: [Position]] = [:]
    for position in all {
      let event = try reading { () throws(StoreError) in try log.event(at: position) }
      positions[event?.stream ?? "", default: []].append(position)
    }
    let streams = positions.sorted { ($1.value.count, $0.key) < ($0.value.count, $1.key) }
    var kept = all
    for (_, events) in streams {
      let gone = Set(events)
      let rest = kept.filter { !gone.contains($0) }
      if holds(rest) { kept = rest }
    }
    return kept
  }

  /// Delta debugging: leaves out ever smaller groups until no single event can go.
  private mutating func reduced(_ all: [Position]) -> [Position] {
    var kept = all
    var size = kept.count / 2
    while size >= 1, attempts < Self.attemptsMax {
      var start = 0
      var isSmaller = false
      while start < kept.count, attempts < Self.attemptsMax {
        let end = min(start + size, kept.count)
        var rest = kept
        rest.removeSubrange(start..<end)
        if holds(rest) {
          kept = rest
          isSmaller = true
        } else {
          start = end
        }
      }
      // Once more through single events if the last pass took some out.
      if size > 1 { size /= 2 } else if !isSmaller { break }
    }
    return kept
  }
}

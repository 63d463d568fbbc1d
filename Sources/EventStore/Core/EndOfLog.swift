/// What a log shows behind its last readable event, and what witnesses say should be there.
struct EndOfLog {
  /// Everything through here was acknowledged as durable, as far as anything left says.
  let witness: UInt64
  /// What is wrong; nil if nothing is.
  ///
  /// `last` is nil for bytes that the tail rule may cut.
  let gap: LogGap?

  /// - Parameter mayCutFollower: the machine stopped since the log was written, and so may have kept a
  ///   later block and lost an earlier one, neither of which was durable.
  init(
    _ loader: LogLoader, directory: String, manifest: Manifest?, time: Int64?,
    mayCutFollower: Bool = false
  ) {
    let synced = manifest?.synced ?? 0
    let tail = loader.tail
    witness = max(synced, loader.witness, tail?.witness ?? 0)
    let first = loader.next
    if let bad = loader.openGap ?? tail.map({ Self.gap($0, directory, time) }) {
      // Whole segments are damage in any case: the next one was begun only after a sync.
      let isCut =
        loader.openGap == nil && first > witness && (tail?.follower == nil || mayCutFollower)
      var gap = bad
      gap.isUnprovenTail = isCut
      if !isCut {
        gap.last = Position(max(witness, loader.claimed, tail?.claimed ?? 0, first))
        gap.message =
          first <= witness
          ? "events that were acknowledged as durable cannot be read"
          : "a whole block stands behind what cannot be read"
      }
      self.gap = gap
    } else if synced >= first, let manifest {
      gap = LogGap(
        path: directory + "/" + manifest.name, offset: 48, first: Position(first),
        last: Position(synced), minTime: time, maxTime: nil, rule: "manifest.synced",
        message: "the log ends before what was acknowledged as durable", isUnprovenTail: false)
    } else {
      gap = nil
    }
  }

  private static func gap(_ tail: LogLoader.Tail, _ directory: String, _ time: Int64?) -> LogGap {
    LogGap(
      path: directory + "/seg/" + tail.segment, offset: tail.offset, first: Position(tail.first),
      last: nil, minTime: time, maxTime: nil, rule: tail.rule,
      message: "an append that a crash cut short, or damage to the last group",
      isUnprovenTail: false)
  }
}

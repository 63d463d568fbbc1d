import Domain
import EventStore

/// What damage may hide of a stream: nobody can tell of bytes that cannot be read whose they were.
extension Replay {
  /// Damaged ranges that may hold events of a stream behind those of it that were read.
  ///
  /// Between two events of a stream their revisions tell what is missing; behind the last one nothing does.
  ///
  /// - Parameters:
  ///   - position: Of the last event that was read.
  ///   - end: Behind which nothing counts; nil: to the very end of the log.
  ///   - isMissing: Whether the log's index knows of more, which are then looked for.
  static func gaps(
    behind position: Position, through end: Position?, isMissing: Bool, in log: LogReader
  ) throws(InquiryFault) -> [LogGap] {
    // What a minimised bundle leaves out is not damaged.
    guard log.bundle?.isMinimised != true else { return [] }
    let end = end ?? Position(.max)
    var gaps = try reading { () throws(StoreError) in try log.damage() }.filter { gap in
      let last = gap.last ?? Position(.max)
      // Some damage costs no position.
      return last >= gap.first && last > position && gap.first <= end
    }
    if gaps.isEmpty, isMissing {
      // In a segment that has its index nobody has looked yet.
      try log.readViews(
        from: position.next, through: min(end, log.last), progress: nil, gap: { gaps.append($0) },
        event: { _ in })
    }
    return gaps
  }

  /// What is damaged behind a range that ends with the last event that can be read: it may have gone on.
  ///
  /// - Parameter end: The range's last position, cut to the log.
  static func gapsAtEnd(
    of log: LogReader, behind end: Position
  ) throws(InquiryFault) -> [LogGap] {
    guard end >= log.last else { return [] }
    return try reading { () throws(StoreError) in try log.damage() }.filter { $0.first > end }
  }

  /// Refuses to say of a stream that it has no event while parts of the log cannot be read.
  ///
  /// - Throws: `.damaged`; `.notFound` in a whole log.
  static func requireStream(_ stream: String, in log: LogReader) throws(InquiryFault) {
    if log.revision(of: stream) == .none {
      try refuseIfDamaged("an event of `\(Shown.text(stream))`", behind: nil, in: log)
    }
    _ = try lastRevision(of: stream, in: log)
  }
}

import Domain

/// Tells which unauthenticated requests are recorded one by one and which are counted: beyond 10 a second
/// from one address they become one summary a second.
///
/// Bounded: addresses beyond the table's bound share one row.
struct UnauthenticatedMeter: Sendable {
  static let perSecond = 10
  static let addressesMax = 4096
  /// Stands for all addresses that found no row.
  static let overflowAddress = "other"

  private struct Row {
    var windowStart: Int64
    var admitted: Int
    var suppressed: UInt64
    var suppressedSinceWall: Int64
  }

  private var rows: [String: Row] = [:]

  /// Whether there is anything to be swept.
  var isEmpty: Bool { rows.isEmpty }

  /// Counts one request; true if it is to be recorded by itself.
  mutating func admit(_ address: String, monotonic now: Int64, wall: Int64) -> Bool {
    let name =
      rows[address] != nil || rows.count < Self.addressesMax ? address : Self.overflowAddress
    var row =
      rows[name] ?? Row(windowStart: now, admitted: 0, suppressed: 0, suppressedSinceWall: 0)
    if now - row.windowStart >= 1_000_000_000, row.suppressed == 0 {
      row.windowStart = now
      row.admitted = 0
    }
    defer { rows[name] = row }
    if row.admitted < Self.perSecond {
      row.admitted += 1
      return true
    }
    if row.suppressed == 0 { row.suppressedSinceWall = wall }
    row.suppressed += 1
    return false
  }

  /// The summaries of windows that are over, sorted by address; `everything`: also of those that are not.
  mutating func sweep(
    monotonic now: Int64, everything: Bool = false
  ) -> [RequestEvent.DeniedSummary] {
    var summaries: [RequestEvent.DeniedSummary] = []
    for (address, row) in rows where everything || now - row.windowStart >= 1_000_000_000 {
      if row.suppressed > 0 {
        summaries.append(
          RequestEvent.DeniedSummary(
            remoteAddress: address, since: UnixNanoseconds(row.suppressedSinceWall),
            count: row.suppressed))
      }
      rows[address] = nil
    }
    return summaries.sorted { $0.remoteAddress < $1.remoteAddress }
  }
}

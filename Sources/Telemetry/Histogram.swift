/// How often something took how long, in the buckets of one metric.
public struct Histogram: Sendable, Hashable {
  /// The bounds of the buckets.
  public let buckets: Metric.Buckets
  /// By bucket, not summed up; the last one is what is beyond all bounds.
  public private(set) var counts: [UInt64]
  /// All of them together, in microseconds; stays at its greatest value where there is more.
  public private(set) var sum: UInt64 = 0

  /// None was measured.
  public init(_ buckets: Metric.Buckets) {
    self.buckets = buckets
    counts = [UInt64](repeating: 0, count: buckets.microseconds.count + 1)
  }

  /// What others counted.
  ///
  /// - Parameter counts: by bucket, one more than there are bounds; missing ones are 0.
  public init(_ buckets: Metric.Buckets, counts: [UInt64], sum: UInt64) {
    self.init(buckets)
    for (at, count) in counts.prefix(self.counts.count).enumerated() { self.counts[at] = count }
    self.sum = sum
  }

  /// How many were measured.
  public var count: UInt64 { counts.reduce(0, +) }

  /// Counts one.
  public mutating func record(microseconds: UInt64) { record(microseconds, buckets.microseconds) }

  /// - Parameter bounds: of `buckets`, by those who have them at hand.
  mutating func record(_ microseconds: UInt64, _ bounds: [UInt64]) {
    var at = 0
    while at < bounds.count, microseconds > bounds[at] { at += 1 }
    counts[at] += 1
    sum = sum.saturated(adding: microseconds)
  }

  /// Counts what another one of the same buckets counted.
  public mutating func add(_ other: Histogram) {
    for (at, count) in other.counts.enumerated() { counts[at] += count }
    sum = sum.saturated(adding: other.sum)
  }
}

extension UInt64 {
  /// The sum, or the greatest value where that is too much.
  func saturated(adding other: UInt64) -> UInt64 {
    let (sum, isBeyond) = addingReportingOverflow(other)
    return isBeyond ? .max : sum
  }
}

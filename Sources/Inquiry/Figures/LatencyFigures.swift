/// Times of calls: each of them up to a bound, beyond it in buckets, so that any number takes bounded memory.
///
/// A bucket is less than 0.8 % wide; what is read from buckets is the bucket's upper end.
public struct LatencyFigures: Sendable, Hashable {
  /// So many times are kept as they are.
  private let exactMax: Int
  /// While there are no more than `exactMax`.
  private var values: [UInt64] = []
  /// By bucket, once there are more.
  private var buckets: [UInt16: UInt64] = [:]
  /// Times recorded.
  public private(set) var count: UInt64 = 0

  /// None yet.
  public init(exactMax: Int = 4_096) { self.exactMax = exactMax }

  /// Whether every time is kept, so that percentiles are those of the times themselves.
  public var isExact: Bool { buckets.isEmpty }

  /// Takes in one time, in microseconds.
  public mutating func record(_ microseconds: UInt64) {
    count += 1
    if buckets.isEmpty, values.count < exactMax {
      values.append(microseconds)
      return
    }
    spread()
    buckets[Self.bucket(of: microseconds), default: 0] += 1
  }

  /// Takes in what another one has.
  public mutating func add(_ other: LatencyFigures) {
    for value in other.values { record(value) }
    guard !other.buckets.isEmpty else { return }
    spread()
    for (bucket, number) in other.buckets {
      buckets[bucket, default: 0] += number
      count += number
    }
  }

  /// The least time that at least `percent` of the calls did not exceed (nearest rank); nil: there are none.
  ///
  /// - Parameter percent: 1…100; others are cut to it.
  public func percentile(_ percent: Int) -> UInt64? {
    guard count > 0 else { return nil }
    let rank = (count * UInt64(min(100, max(1, percent))) + 99) / 100
    if isExact { return values.sorted()[Int(rank) - 1] }
    var seen: UInt64 = 0
    for (bucket, number) in buckets.sorted(by: { $0.key < $1.key }) {
      seen += number
      if seen >= rank { return Self.end(of: bucket) }
    }
    return nil
  }

  /// How many took longer than `bound`; of those in the bound's own bucket, none.
  public func count(above bound: UInt64) -> UInt64 {
    let bucket = Self.bucket(of: bound)
    return UInt64(values.count { $0 > bound })
      + buckets.reduce(0) { $0 + ($1.key > bucket ? $1.value : 0) }
  }

  private mutating func spread() {
    for value in values { buckets[Self.bucket(of: value), default: 0] += 1 }
    values = []
  }

  /// Below 128 each number has its own, above 128 share an octave.
  private static func bucket(of value: UInt64) -> UInt16 {
    guard value >= 128 else { return UInt16(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return UInt16((exponent - 6) * 128 + Int(value >> UInt64(exponent - 7) & 127))
  }

  private static func end(of bucket: UInt16) -> UInt64 {
    guard bucket >= 128 else { return UInt64(bucket) }
    let shift = UInt64(bucket / 128) - 1
    return (UInt64(128 + bucket % 128) << shift) + ((1 << shift) - 1)
  }
}

/// How often calls took how long, to within 3.2 %.
///
/// Sixteen buckets between a number of microseconds and its double; below 16 each has its own.
public struct LatencyHistogram: Sendable, Hashable {
  /// Calls by bucket.
  private var counts: [UInt16: UInt32] = [:]

  /// No call.
  public init() {}

  /// Calls counted.
  public var total: UInt64 { counts.values.reduce(0) { $0 + UInt64($1) } }

  /// Counts one call.
  public mutating func record(microseconds: UInt64) {
    add(1, to: Self.bucket(of: microseconds))
  }

  /// Counts what another one counted.
  public mutating func add(_ other: LatencyHistogram) {
    for (bucket, count) in other.counts { add(count, to: bucket) }
  }

  /// The time in microseconds within which this share of the calls ended; nil: there were none.
  ///
  /// - Parameter permille: 500 is the median; 0…1000.
  public func quantile(permille: UInt64) -> UInt64? {
    let total = total
    guard total > 0 else { return nil }
    let rank = max(1, (total * min(permille, 1000) + 999) / 1000)
    var seen: UInt64 = 0
    for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
      seen += UInt64(count)
      if seen >= rank { return Self.middle(of: bucket) }
    }
    return nil
  }

  private mutating func add(_ count: UInt32, to bucket: UInt16) {
    let (sum, overflow) = counts[bucket, default: 0].addingReportingOverflow(count)
    counts[bucket] = overflow ? .max : sum
  }

  private static func bucket(of value: UInt64) -> UInt16 {
    guard value >= 16 else { return UInt16(value) }
    let exponent = 63 - value.leadingZeroBitCount
    return UInt16((exponent - 3) * 16 + Int(value >> (exponent - 4) & 15))
  }

  private static func middle(of bucket: UInt16) -> UInt64 {
    guard bucket >= 16 else { return UInt64(bucket) }
    let shift = Int(bucket / 16) - 1
    let low = UInt64(16 + bucket % 16) << shift
    return low + (UInt64(1) << shift) / 2
  }

  // MARK: Bytes

  /// Six bytes a bucket, ascending: its number, then the count, both little-endian.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(counts.count * 6)
    for (bucket, count) in counts.sorted(by: { $0.key < $1.key }) {
      for shift in [0, 8] { bytes.append(UInt8(truncatingIfNeeded: bucket >> shift)) }
      for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
    }
    return bytes
  }

  /// - Throws: `ViewFault` where the bytes are none that `bytes` gives.
  init(bytes: [UInt8]) throws {
    guard bytes.count % 6 == 0 else { throw ViewFault.damaged("a histogram has odd bytes") }
    for at in stride(from: 0, to: bytes.count, by: 6) {
      let bucket = UInt16(bytes[at]) | UInt16(bytes[at + 1]) << 8
      let count = (2..<6).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << (8 * ($1 - 2)) }
      guard bucket < 61 * 16, counts.updateValue(count, forKey: bucket) == nil else {
        throw ViewFault.damaged("a histogram has an impossible bucket")
      }
    }
  }

  /// Many histograms added up from their bytes.
  struct Sum {
    private var counts = [UInt64](repeating: 0, count: 61 * 16)

    /// - Throws: `ViewFault` where the bytes are none that `bytes` gives.
    mutating func add(_ bytes: [UInt8]) throws {
      guard bytes.count % 6 == 0 else { throw ViewFault.damaged("a histogram has odd bytes") }
      for at in stride(from: 0, to: bytes.count, by: 6) {
        let bucket = Int(bytes[at]) | Int(bytes[at + 1]) << 8
        guard bucket < counts.count else {
          throw ViewFault.damaged("a histogram has an impossible bucket")
        }
        counts[bucket] &+=
          UInt64(bytes[at + 2]) | UInt64(bytes[at + 3]) << 8 | UInt64(bytes[at + 4]) << 16
          | UInt64(bytes[at + 5]) << 24
      }
    }

    var histogram: LatencyHistogram {
      var sum = LatencyHistogram()
      for (bucket, count) in counts.enumerated() where count > 0 {
        sum.add(UInt32(clamping: count), to: UInt16(bucket))
      }
      return sum
    }
  }
}

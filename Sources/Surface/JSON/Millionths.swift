import Domain

/// Amounts with at most six decimals, exact: as whole millionths, with no binary fraction between.
extension JSONValue {
  /// A number of so many millionths, in its shortest form: 12500000 is `12.5`.
  public init(millionths: UInt64) { self = .number(decimalText(millionths: millionths)) }

  /// The number in millionths; nil if this is none, is below 0, is no whole number of them or is too large.
  public var millionths: UInt64? {
    guard case .number(let text) = self else { return nil }
    let isNegative = text.utf8.first == UInt8(ascii: "-")
    let parts = text.utf8.dropFirst(isNegative ? 1 : 0)
      .split(maxSplits: 1, omittingEmptySubsequences: false) { $0 | 0x20 == UInt8(ascii: "e") }
    let halves = parts[0].split(
      separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
    var digits = halves.flatMap { $0 }
    var places = halves.count > 1 ? halves[1].count : 0
    while digits.last == UInt8(ascii: "0") {
      digits.removeLast()
      places -= 1
    }
    // Nothing but zeros is 0, whatever stands behind it or before it.
    guard !digits.isEmpty else { return 0 }
    guard !isNegative else { return nil }
    if parts.count > 1 {
      guard let exponent = Int32(Substring(parts[1])) else { return nil }
      places -= Int(exponent)
    }
    let zeros = 6 - places
    guard 0...19 ~= zeros else { return nil }
    let whole = digits + [UInt8](repeating: UInt8(ascii: "0"), count: zeros)
    return UInt64(String(decoding: whole, as: UTF8.self))
  }
}

extension ObjectReader {
  /// An amount of `range` millionths that may be absent, null or there; never rounded.
  public mutating func givenAmount(
    _ name: String, in range: ClosedRange<UInt64>
  ) throws(FieldFault) -> Given<UInt64> {
    let bounds =
      "\(decimalText(millionths: range.lowerBound)) to \(decimalText(millionths: range.upperBound))"
    return try given(name, "a number from \(bounds) with at most 6 decimals") { value in
      value.millionths.flatMap { range.contains($0) ? $0 : nil }
    }
  }
}

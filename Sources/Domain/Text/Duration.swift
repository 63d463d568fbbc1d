/// A duration in nanoseconds from a text like `90s`, `-15m`, `2h30m`, `1d`, `250ms`.
///
/// One or more whole numbers, each with a unit (`d h m s ms us ns`), from the largest unit to the smallest, each
/// at most once; a leading `-` or `+` holds for all. nil for anything else, and for what exceeds 64 bits.
public func parseDuration(_ text: String) -> Int64? {
  // Seven units of at most 20 digits each fit well below this.
  guard text.utf8.count <= 160 else { return nil }
  var rest = text.utf8[...]
  let isNegative = rest.first == UInt8(ascii: "-")
  if isNegative || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
  var total: Int64 = 0
  var lastUnit = Int64.max
  guard !rest.isEmpty else { return nil }
  while !rest.isEmpty {
    let digits = rest.prefix { 0x30...0x39 ~= $0 }
    rest = rest.dropFirst(digits.count)
    let letters = rest.prefix { 0x61...0x7A ~= $0 }
    rest = rest.dropFirst(letters.count)
    guard let number = Int64(Substring(digits)), let unit = nanoseconds(Substring(letters)),
      unit < lastUnit
    else { return nil }
    lastUnit = unit
    let (part, isOver) = number.multipliedReportingOverflow(by: unit)
    let (sum, isOverToo) = total.addingReportingOverflow(part)
    guard !isOver, !isOverToo else { return nil }
    total = sum
  }
  return isNegative ? -total : total
}

private func nanoseconds(_ unit: Substring) -> Int64? {
  switch unit {
  case "d": 86_400_000_000_000
  case "h": 3_600_000_000_000
  case "m": 60_000_000_000
  case "s": 1_000_000_000
  case "ms": 1_000_000
  case "us": 1_000
  case "ns": 1
  case _: nil
  }
}

/// Millionths as a decimal number in its shortest form: 12500000 is `12.5`.
///
/// Exact: no binary fraction comes between. Amounts of US dollars are kept this way.
public func decimalText(millionths: UInt64) -> String {
  let (whole, rest) = millionths.quotientAndRemainder(dividingBy: 1_000_000)
  guard rest > 0 else { return String(whole) }
  var decimals = String(String(rest + 1_000_000).dropFirst())
  while decimals.utf8.last == 0x30 { decimals.removeLast() }
  return "\(whole).\(decimals)"
}

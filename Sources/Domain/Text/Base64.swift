/// The bytes in base64 (RFC 4648 §4), padded.
public func base64Text(_ bytes: some Sequence<UInt8>) -> String {
  var out: [UInt8] = []
  var bits: UInt32 = 0
  var pending = 0
  for byte in bytes {
    bits = bits << 8 | UInt32(byte)
    pending += 1
    guard pending == 3 else { continue }
    for shift in [18, 12, 6, 0] as [UInt32] { out.append(base64Digits[Int(bits >> shift & 63)]) }
    (bits, pending) = (0, 0)
  }
  if pending > 0 {
    bits <<= UInt32(8 * (3 - pending))
    for shift in [18, 12, 6, 0].prefix(pending + 1) as ArraySlice<UInt32> {
      out.append(base64Digits[Int(bits >> shift & 63)])
    }
    out.append(contentsOf: repeatElement(UInt8(ascii: "="), count: 3 - pending))
  }
  return String(decoding: out, as: UTF8.self)
}

/// The bytes of a padded base64 text; nil for anything that `base64Text` would write otherwise.
public func parseBase64(_ text: some StringProtocol) -> [UInt8]? {
  let digits = Array(text.utf8)
  guard digits.count % 4 == 0 else { return nil }
  let padding = digits.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
  var out: [UInt8] = []
  var bits: UInt32 = 0
  for (index, digit) in digits.dropLast(padding).enumerated() {
    guard let value = base64Value(digit) else { return nil }
    bits = bits << 6 | UInt32(value)
    if index & 3 != 0 { out.append(UInt8(truncatingIfNeeded: bits >> UInt32(6 - 2 * (index & 3)))) }
  }
  // One text for the same bytes: what the last digit has beyond them is zero.
  return base64Text(out).utf8.elementsEqual(digits) ? out : nil
}

private let base64Digits = Array(
  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

private func base64Value(_ digit: UInt8) -> UInt8? {
  switch digit {
  case 0x41...0x5A: digit - 0x41
  case 0x61...0x7A: digit - 0x47
  case 0x30...0x39: digit + 4
  case UInt8(ascii: "+"): 62
  case UInt8(ascii: "/"): 63
  case _: nil
  }
}

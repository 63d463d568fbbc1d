/// The id as 36 lower-case characters, `01234567-89ab-7cde-8f01-23456789abcd`.
public func uuidText(_ id: UInt128) -> String {
  String(unsafeUninitializedCapacity: 36) { buffer in
    var digits = id
    for index in stride(from: 35, through: 0, by: -1) {
      if index == 8 || index == 13 || index == 18 || index == 23 {
        buffer[index] = UInt8(ascii: "-")
      } else {
        let digit = UInt8(truncatingIfNeeded: digits & 0xF)
        buffer[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
        digits >>= 4
      }
    }
    return 36
  }
}

/// The id written as 8-4-4-4-12 hexadecimal digits of either case; nil for anything else.
public func parseUUID(_ text: String) -> UInt128? {
  let bytes = text.utf8
  guard bytes.count == 36 else { return nil }
  var id: UInt128 = 0
  for (index, byte) in bytes.enumerated() {
    if index == 8 || index == 13 || index == 18 || index == 23 {
      guard byte == UInt8(ascii: "-") else { return nil }
      continue
    }
    let digit: UInt8
    switch byte {
    case 0x30...0x39: digit = byte - 0x30
    case 0x41...0x46: digit = byte - 0x37
    case 0x61...0x66: digit = byte - 0x57
    default: return nil
    }
    id = id << 4 | UInt128(digit)
  }
  return id
}

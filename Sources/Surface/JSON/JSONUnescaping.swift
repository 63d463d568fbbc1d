/// The bytes that a checked JSON string stands for, without a buffer.
///
/// Escaped halves of surrogate pairs come out as their three-byte form (which is not UTF-8), so that
/// two strings are the same exactly if their bytes are.
struct JSONUnescaping: IteratorProtocol {
  /// Between the quotes.
  private let bytes: UnsafeRawBufferPointer
  private var index = 0
  /// Bytes still to come of the last escape, the next in the lowest eight bits.
  private var pending: UInt32 = 0
  private var pendingCount = 0
  /// An escape stood for half a surrogate pair: the bytes are not text.
  private(set) var metHalfSurrogate = false

  init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  mutating func next() -> UInt8? {
    if pendingCount > 0 {
      let byte = UInt8(truncatingIfNeeded: pending)
      pending >>= 8
      pendingCount -= 1
      return byte
    }
    guard index < bytes.count else { return nil }
    let byte = bytes[index]
    guard byte == UInt8(ascii: "\\") else {
      index += 1
      return byte
    }
    let kind = bytes[index + 1]
    index += 2
    switch kind {
    case UInt8(ascii: "b"): return 0x08
    case UInt8(ascii: "f"): return 0x0C
    case UInt8(ascii: "n"): return 0x0A
    case UInt8(ascii: "r"): return 0x0D
    case UInt8(ascii: "t"): return 0x09
    case UInt8(ascii: "u"): return hexEscape()
    default: return kind
    }
  }

  /// Steps over what stands for itself up to the next escape; nothing while an escape's bytes are still to come.
  mutating func plainRun() -> UnsafeRawBufferPointer {
    guard pendingCount == 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
    let start = index
    let ones: UInt64 = 0x0101_0101_0101_0101
    while index &+ 8 <= bytes.count {
      let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self))
      let slashes = word ^ (0x5C &* ones)
      let marks = (slashes &- ones) & ~slashes & (0x80 &* ones)
      if marks != 0 {
        index &+= marks.trailingZeroBitCount >> 3
        return UnsafeRawBufferPointer(rebasing: bytes[start..<index])
      }
      index &+= 8
    }
    while index < bytes.count, bytes[index] != UInt8(ascii: "\\") { index &+= 1 }
    return UnsafeRawBufferPointer(rebasing: bytes[start..<index])
  }

  private mutating func hexEscape() -> UInt8 {
    var scalar = codeUnit(at: index)
    index += 4
    if scalar & 0xFC00 == 0xD800, index + 6 <= bytes.count,
      bytes[index] == UInt8(ascii: "\\"), bytes[index + 1] == UInt8(ascii: "u")
    {
      let low = codeUnit(at: index + 2)
      if low & 0xFC00 == 0xDC00 {
        scalar = 0x10000 + (scalar & 0x3FF) << 10 + (low & 0x3FF)
        index += 6
      }
    }
    if scalar & 0xFFFF_F800 == 0xD800 { metHalfSurrogate = true }
    switch scalar {
    case 0..<0x80:
      return UInt8(scalar)
    case 0x80..<0x800:
      put(0x80 | scalar & 0x3F)
      return UInt8(0xC0 | scalar >> 6)
    case 0x800..<0x10000:
      put(0x80 | scalar & 0x3F)
      put(0x80 | scalar >> 6 & 0x3F)
      return UInt8(0xE0 | scalar >> 12)
    default:
      put(0x80 | scalar & 0x3F)
      put(0x80 | scalar >> 6 & 0x3F)
      put(0x80 | scalar >> 12 & 0x3F)
      return UInt8(0xF0 | scalar >> 18)
    }
  }

  /// Puts a byte before those pending.
  private mutating func put(_ byte: UInt32) {
    pending = pending << 8 | byte
    pendingCount += 1
  }

  private func codeUnit(at start: Int) -> UInt32 {
    var unit: UInt32 = 0
    for position in start..<start + 4 {
      unit = unit << 4 | UInt32(hexValue(bytes[position]) ?? 0)
    }
    return unit
  }
}

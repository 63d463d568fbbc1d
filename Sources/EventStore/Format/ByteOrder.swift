internal import Glibc

// Integers of the format are little-endian at any alignment; identities and hashes are raw bytes.

extension UnsafeRawBufferPointer {
  func u16(_ at: Int) -> UInt16 {
    UInt16(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt16.self))
  }
  func u32(_ at: Int) -> UInt32 {
    UInt32(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt32.self))
  }
  func u64(_ at: Int) -> UInt64 {
    UInt64(littleEndian: loadUnaligned(fromByteOffset: at, as: UInt64.self))
  }
  func i64(_ at: Int) -> Int64 { Int64(bitPattern: u64(at)) }
  func uuid(_ at: Int) -> UInt128 {
    UInt128(bigEndian: loadUnaligned(fromByteOffset: at, as: UInt128.self))
  }
  func digest(_ at: Int) -> Digest {
    func word(_ i: Int) -> UInt64 {
      UInt64(bigEndian: loadUnaligned(fromByteOffset: at + 8 * i, as: UInt64.self))
    }
    return Digest(words: (word(0), word(1), word(2), word(3)))
  }
  /// Whether both hold the same bytes; unlike `elementsEqual`, not one after the other.
  func isEqual(to other: UnsafeRawBufferPointer) -> Bool {
    guard count == other.count else { return false }
    guard let own = baseAddress, let others = other.baseAddress else { return true }
    return memcmp(own, others, count) == 0
  }
  /// The bytes of `range` as a buffer of their own.
  func slice(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: self[range])
  }
}

extension UnsafeMutableRawBufferPointer {
  func put(_ value: UInt16, _ at: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt16.self)
  }
  func put(_ value: UInt32, _ at: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt32.self)
  }
  func put(_ value: UInt64, _ at: Int) {
    storeBytes(of: value.littleEndian, toByteOffset: at, as: UInt64.self)
  }
  func put(_ value: Int64, _ at: Int) { put(UInt64(bitPattern: value), at) }
  func putUUID(_ value: UInt128, _ at: Int) {
    storeBytes(of: value.bigEndian, toByteOffset: at, as: UInt128.self)
  }
  func put(_ value: Digest, _ at: Int) {
    storeBytes(of: value.words.0.bigEndian, toByteOffset: at, as: UInt64.self)
    storeBytes(of: value.words.1.bigEndian, toByteOffset: at + 8, as: UInt64.self)
    storeBytes(of: value.words.2.bigEndian, toByteOffset: at + 16, as: UInt64.self)
    storeBytes(of: value.words.3.bigEndian, toByteOffset: at + 24, as: UInt64.self)
  }
}

/// Bytes that a varint of `value` takes: 1…10.
func varintSize(_ value: UInt64) -> Int {
  value < 0x80 ? 1 : (70 - value.leadingZeroBitCount) / 7
}

/// `value` rounded up to a multiple of eight.
func aligned8(_ value: Int) -> Int { (value + 7) & ~7 }

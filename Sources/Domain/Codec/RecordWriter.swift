/// Appends fields to a buffer in the log's encoding.
///
/// Unsigned numbers are LEB128 varints, signed ones zig-zag varints, texts UTF-8 behind their length in
/// bytes, ids raw and big-endian. `RecordReader` is its mirror and accepts nothing else.
struct RecordWriter {
  private(set) var bytes: [UInt8]

  init() {
    bytes = []
    bytes.reserveCapacity(128)
  }

  /// Takes over a buffer to append to; leaves `buffer` empty until `give(back:)`.
  init(taking buffer: inout [UInt8]) {
    bytes = []
    swap(&bytes, &buffer)
  }

  /// Hands the buffer back, with what was appended.
  mutating func give(back buffer: inout [UInt8]) { swap(&bytes, &buffer) }

  @inline(__always)
  mutating func byte(_ value: UInt8) { bytes.append(value) }

  @inline(__always)
  mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(truncatingIfNeeded: rest))
  }

  mutating func zigzag(_ value: Int64) {
    varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
  }

  mutating func time(_ value: UnixNanoseconds) { zigzag(value.rawValue) }

  mutating func flag(_ value: Bool) { byte(value ? 1 : 0) }

  mutating func id(_ value: UInt128) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  mutating func text(_ value: String) {
    let utf8 = value.utf8
    varint(UInt64(utf8.count))
    let copied: Void? = utf8.withContiguousStorageIfAvailable { bytes.append(contentsOf: $0) }
    if copied == nil { bytes.append(contentsOf: utf8) }
  }

  /// Bytes behind their number.
  mutating func data(_ value: [UInt8]) {
    varint(UInt64(value.count))
    bytes.append(contentsOf: value)
  }

  mutating func fingerprint(_ value: Fingerprint) { bytes.append(contentsOf: value.rawValue) }

  mutating func count(_ value: Int) { varint(UInt64(value)) }
}

extension UInt64 {
  /// This bit if the condition holds, else none: how optional fields are announced.
  @inline(__always)
  func when(_ condition: Bool) -> UInt64 { condition ? self : 0 }
}

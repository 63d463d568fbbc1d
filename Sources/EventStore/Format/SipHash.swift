/// SipHash-2-4: a hash that nobody without the key can aim at.
///
/// Lookup keys come from clients; the tables of a segment must not become slow because somebody chose
/// keys that share a bucket, and must mean the same in every process.
struct SipHash: Sendable {
  private let key: (UInt64, UInt64)

  init(key: (UInt64, UInt64)) { self.key = key }

  /// The hash of a store's tables: its key follows from the store's identity, so that an index built again
  /// has the same bytes.
  init(storeID: UInt128) {
    let name = Array("signalbox index".utf8)
    let digest = withUnsafeTemporaryAllocation(byteCount: name.count + 16, alignment: 8) { room in
      room.copyBytes(from: name)
      room.putUUID(storeID, name.count)
      return Digest.sha256(UnsafeRawBufferPointer(room))
    }
    // As the first 16 bytes read little-endian.
    key = (digest.words.0.byteSwapped, digest.words.1.byteSwapped)
  }

  func callAsFunction(_ id: UInt128) -> UInt64 {
    withUnsafeBytes(of: id.bigEndian) { self($0) }
  }

  func callAsFunction(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var v0 = key.0 ^ 0x736F_6D65_7073_6575
    var v1 = key.1 ^ 0x646F_7261_6E64_6F6D
    var v2 = key.0 ^ 0x6C79_6765_6E65_7261
    var v3 = key.1 ^ 0x7465_6462_7974_6573

    @inline(__always) func round() {
      v0 &+= v1
      v1 = (v1 << 13 | v1 >> 51) ^ v0
      v0 = v0 << 32 | v0 >> 32
      v2 &+= v3
      v3 = (v3 << 16 | v3 >> 48) ^ v2
      v0 &+= v3
      v3 = (v3 << 21 | v3 >> 43) ^ v0
      v2 &+= v1
      v1 = (v1 << 17 | v1 >> 47) ^ v2
      v2 = v2 << 32 | v2 >> 32
    }

    var at = 0
    while at + 8 <= bytes.count {
      let word = bytes.u64(at)
      v3 ^= word
      round()
      round()
      v0 ^= word
      at += 8
    }
    var last = UInt64(bytes.count & 0xFF) << 56
    for offset in 0..<(bytes.count - at) {
      last |= UInt64(bytes[at + offset]) << UInt64(8 * offset)
    }
    v3 ^= last
    round()
    round()
    v0 ^= last
    v2 ^= 0xFF
    for _ in 0..<4 { round() }
    return v0 ^ v1 ^ v2 ^ v3
  }
}

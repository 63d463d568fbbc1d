internal import CFast

/// CRC-32C of `bytes`, continuing from `crc`.
func crc32c(_ bytes: UnsafeRawBufferPointer, from crc: UInt32 = 0) -> UInt32 {
  cfast_crc32c(crc, bytes.baseAddress, bytes.count)
}

/// The value every checksum of a store's blocks begins with, so that a block of another store is not
/// taken for one of ours: CRC-32C of the 16 bytes of the store's identity.
func checksumSeed(_ storeID: UInt128) -> UInt32 {
  withUnsafeBytes(of: storeID.bigEndian) { crc32c($0) }
}

extension Digest {
  /// SHA-256 of `bytes`.
  static func sha256(_ bytes: UnsafeRawBufferPointer) -> Digest {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
      cfast_sha256(bytes.baseAddress, bytes.count, nil, 0, digest.baseAddress)
      return UnsafeRawBufferPointer(digest).digest(0)
    }
  }

  /// SHA-256 of `bytes` and the 32 bytes of `suffix` behind them.
  static func sha256(_ bytes: UnsafeRawBufferPointer, suffix: Digest) -> Digest {
    // The suffix, then the result in its place.
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { room in
      room.put(suffix, 0)
      cfast_sha256(bytes.baseAddress, bytes.count, room.baseAddress, 32, room.baseAddress)
      return UnsafeRawBufferPointer(room).digest(0)
    }
  }

  /// SHA-256 of no bytes: stands for an absent sealed part.
  static let ofNothing = sha256(UnsafeRawBufferPointer(start: nil, count: 0))

  /// The chain value after an event with this leaf: SHA-256(self ‖ leaf).
  func chained(_ leaf: Digest) -> Digest {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { room in
      room.put(self, 0)
      return Digest.sha256(UnsafeRawBufferPointer(room), suffix: leaf)
    }
  }

  /// The 32 bytes.
  public var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { room, count in
      UnsafeMutableRawBufferPointer(room).put(self, 0)
      count = 32
    }
  }
}

extension Digest: CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  public var description: String { hexadecimal(bytes) }
}

/// Lower-case hexadecimal digits of `bytes`.
func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}

/// The 8-4-4-4-12 form of an identity.
func uuidText(_ value: UInt128) -> String {
  let text = Array(withUnsafeBytes(of: value.bigEndian) { hexadecimal($0) }.utf8)
  let parts = [0..<8, 8..<12, 12..<16, 16..<20, 20..<32].map {
    String(decoding: text[$0], as: UTF8.self)
  }
  return parts.joined(separator: "-")
}

/// Reads the 8-4-4-4-12 form.
func parseUUIDText(_ text: Substring) -> UInt128? {
  let parts = text.split(separator: "-", omittingEmptySubsequences: false)
  guard parts.map(\.utf8.count) == [8, 4, 4, 4, 12] else { return nil }
  let joined = parts.joined()
  guard joined.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) }) else {
    return nil
  }
  return UInt128(joined, radix: 16)
}

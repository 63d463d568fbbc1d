/// The first bytes of a snapshot: whose it is, of what, and what its payload must be.
package struct SnapshotHeader: Sendable, Hashable {
  package var storeID: UInt128
  /// The last event in it.
  package var position: UInt64
  /// Epoch of the event at `position`.
  package var epoch: UInt64
  /// The chain value at `position`.
  package var chain: Digest
  /// The payload's bytes, and those of them that the file holds.
  package var rawBytes: UInt64
  package var storedBytes: UInt64
  /// SHA-256 of the stored bytes, so that nothing damaged is ever unpacked.
  package var digest: Digest
  package var isCompressed: Bool
  /// Which projector made it: 1…255 bytes of UTF-8 each.
  package var projector: [UInt8]
  package var version: [UInt8]

  /// "SBXSNP" and the two bytes that a text-mode copy would change.
  static let magic: [UInt8] = [0x53, 0x42, 0x58, 0x53, 0x4E, 0x50, 0x0D, 0x0A]
  static let format: UInt16 = 1
  static let fixedBytes = 128
  static let maxBytes = aligned8(fixedBytes + 2 * 255 + 4)
  /// LZ4 makes at most this many bytes of one.
  private static let expansion: UInt64 = 255

  /// Length of the header in the file: a multiple of eight.
  package var encodedBytes: Int {
    aligned8(Self.fixedBytes + projector.count + version.count + 4)
  }

  package func encoded() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: encodedBytes)
    bytes.withUnsafeMutableBytes { room in
      room.copyBytes(from: Self.magic)
      room.put(Self.format, 8)
      room.put(UInt16(room.count), 10)
      room[12] = isCompressed ? SegmentHeader.codecLZ4 : 0
      room[13] = SegmentHeader.hashSHA256
      room[14] = UInt8(projector.count)
      room[15] = UInt8(version.count)
      room.putUUID(storeID, 16)
      room.put(position, 32)
      room.put(epoch, 40)
      room.put(chain, 48)
      room.put(rawBytes, 80)
      room.put(storedBytes, 88)
      room.put(digest, 96)
      let names = UnsafeMutableRawBufferPointer(rebasing: room[Self.fixedBytes...])
      names.copyBytes(from: projector + version)
      let end = room.count - 4
      room.put(crc32c(UnsafeRawBufferPointer(room).slice(0..<end)), end)
    }
    return bytes
  }

  /// Reads the header at the beginning of `bytes`, which may hold more than that.
  init(_ bytes: UnsafeRawBufferPointer) throws(RuleBroken) {
    guard bytes.count >= Self.fixedBytes + 8 else { throw RuleBroken("snapshot.incomplete-header") }
    guard bytes.prefix(8).elementsEqual(Self.magic) else { throw RuleBroken("snapshot.magic") }
    guard bytes.u16(8) == Self.format else { throw RuleBroken("snapshot.format") }
    let length = Int(bytes.u16(10))
    let names = Int(bytes[14]) + Int(bytes[15])
    guard length == aligned8(Self.fixedBytes + names + 4), bytes[14] > 0, bytes[15] > 0 else {
      throw RuleBroken("snapshot.header-length")
    }
    guard bytes.count >= length else { throw RuleBroken("snapshot.incomplete-header") }
    guard crc32c(bytes.slice(0..<(length - 4))) == bytes.u32(length - 4) else {
      throw RuleBroken("snapshot.header-crc")
    }
    guard bytes[12] <= SegmentHeader.codecLZ4, bytes[13] == SegmentHeader.hashSHA256 else {
      throw RuleBroken("snapshot.format")
    }
    isCompressed = bytes[12] == SegmentHeader.codecLZ4
    storeID = bytes.uuid(16)
    position = bytes.u64(32)
    epoch = bytes.u64(40)
    chain = bytes.digest(48)
    rawBytes = bytes.u64(80)
    storedBytes = bytes.u64(88)
    digest = bytes.digest(96)
    let split = Self.fixedBytes + Int(bytes[14])
    projector = Array(bytes.slice(Self.fixedBytes..<split))
    version = Array(bytes.slice(split..<(Self.fixedBytes + names)))
    // Before any memory is taken for the payload.
    let isPossible =
      position > 0 && max(position, epoch) < Limits.numbers
      && rawBytes <= UInt64(Limits.snapshotBytes) && storedBytes <= rawBytes
      && (isCompressed ? rawBytes <= storedBytes * Self.expansion : rawBytes == storedBytes)
    guard isPossible else { throw RuleBroken("snapshot.bounds") }
  }

  package init(
    storeID: UInt128, position: UInt64, epoch: UInt64, chain: Digest, rawBytes: UInt64,
    storedBytes: UInt64, digest: Digest, isCompressed: Bool, projector: [UInt8], version: [UInt8]
  ) {
    self.storeID = storeID
    self.position = position
    self.epoch = epoch
    self.chain = chain
    self.rawBytes = rawBytes
    self.storedBytes = storedBytes
    self.digest = digest
    self.isCompressed = isCompressed
    self.projector = projector
    self.version = version
  }
}

/// Names of snapshot files: the position as 20 digits, then ".snap".
enum SnapshotName {
  /// Of the directory that they stand in.
  static let directory = "snapshots"
  private static let ending = ".snap"

  static func of(_ position: UInt64) -> String {
    let digits = String(position)
    return String(repeating: "0", count: 20 - digits.utf8.count) + digits + ending
  }

  /// The position that `name` gives; nil if it is no snapshot's name.
  static func position(_ name: String) -> UInt64? {
    guard name.utf8.count == 20 + ending.utf8.count, name.hasSuffix(ending) else { return nil }
    let digits = name.prefix(20)
    guard digits.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
    return UInt64(digits)
  }
}

/// What stands before the body of each block; a block is one group commit.
///
/// A *witness block* has no events: it proves that everything before it was on stable storage.
struct BlockHeader: Sendable, Hashable {
  var epoch: UInt64
  var first: UInt64
  var count: UInt32
  /// Length of the body before compression.
  var rawBytes: UInt32
  /// Length of the body in the file, without padding.
  var storedBytes: UInt32
  var bodyChecksum: UInt32
  var minTime: Int64
  var maxTime: Int64
  var chainBefore: Digest
  /// The last position that was on stable storage when the block was built.
  var durableUpTo: UInt64
  var isCompressed: Bool
  /// The body is of the kind that bundles have; `ReducedRecord`.
  var isReduced = false

  /// "SBLK" in the file.
  static let magic: UInt32 = 0x4B4C_4253
  static let bytes = 104
  /// Bit 0 of the incompatible flags: the body is LZ4.
  static let flagLZ4: UInt8 = 1
  /// Bit 1: the body is reduced; never in a log's directory.
  static let flagReduced: UInt8 = 2

  /// The last position of its events; `first` − 1 for a witness block.
  var last: UInt64 { first + UInt64(count) - 1 }
  /// It holds no event.
  var isWitness: Bool { count == 0 }
  /// Length in the file with padding to a multiple of eight.
  var extent: Int { Self.bytes + aligned8(Int(storedBytes)) }

  func encode(into room: UnsafeMutableRawBufferPointer, seed: UInt32) {
    room.put(Self.magic, 0)
    room.put(UInt16(Self.bytes), 4)
    room[6] = 0
    room[7] = (isCompressed ? Self.flagLZ4 : 0) | (isReduced ? Self.flagReduced : 0)
    room.put(epoch, 8)
    room.put(first, 16)
    room.put(count, 24)
    room.put(rawBytes, 28)
    room.put(storedBytes, 32)
    room.put(bodyChecksum, 36)
    room.put(minTime, 40)
    room.put(maxTime, 48)
    room.put(chainBefore, 56)
    room.put(durableUpTo, 88)
    room.put(UInt32(0), 96)
    room.put(
      crc32c(UnsafeRawBufferPointer(room).slice(0..<(Self.bytes - 4)), from: seed), Self.bytes - 4)
  }

  /// Why bytes are not a header of this store.
  enum Fault: Error, Hashable {
    case damaged(String)
    case unknownFlags(UInt8)
  }

  /// Reads the header at the beginning of `bytes`, which may hold more than that.
  ///
  /// - Parameter isOfBundle: Whether the body must, or else must not, be reduced.
  init(
    _ bytes: UnsafeRawBufferPointer, seed: UInt32, isOfBundle: Bool = false
  ) throws(Fault) {
    guard bytes.count >= Self.bytes else {
      // A whole magic cut short is an unfinished write; anything else never was a header.
      throw .damaged("block.incomplete-header")
    }
    guard bytes.u32(0) == Self.magic else {
      throw .damaged(bytes.u64(0) == 0 ? "block.zero" : "block.magic")
    }
    guard bytes.u16(4) == UInt16(Self.bytes) else { throw .damaged("block.header-length") }
    guard crc32c(bytes.slice(0..<(Self.bytes - 4)), from: seed) == bytes.u32(Self.bytes - 4) else {
      throw .damaged("block.header-crc")
    }
    let flags = bytes[7]
    guard flags & ~Self.flagLZ4 == (isOfBundle ? Self.flagReduced : 0) else {
      throw .unknownFlags(flags)
    }
    isCompressed = flags & Self.flagLZ4 != 0
    isReduced = isOfBundle
    epoch = bytes.u64(8)
    first = bytes.u64(16)
    count = bytes.u32(24)
    rawBytes = bytes.u32(28)
    storedBytes = bytes.u32(32)
    bodyChecksum = bytes.u32(36)
    minTime = bytes.i64(40)
    maxTime = bytes.i64(48)
    chainBefore = bytes.digest(56)
    durableUpTo = bytes.u64(88)
    guard Int(count) <= Limits.eventsPerBlock, first > 0,
      first < Limits.numbers, epoch < Limits.numbers, Int(rawBytes) <= Limits.blockBytes,
      storedBytes <= rawBytes, isCompressed || storedBytes == rawBytes, durableUpTo < first,
      count > 0 || isWellFormedWitness
    else { throw .damaged("block.bounds") }
  }

  /// The block without events that stands where position `next` would.
  static func witness(epoch: UInt64, next: UInt64, chain: Digest) -> BlockHeader {
    BlockHeader(
      epoch: epoch, first: next, count: 0, rawBytes: 0, storedBytes: 0, bodyChecksum: 0,
      minTime: 0, maxTime: 0, chainBefore: chain, durableUpTo: next - 1, isCompressed: false)
  }

  /// One encoding only, as for everything else in the log.
  private var isWellFormedWitness: Bool {
    self == .witness(epoch: epoch, next: first, chain: chainBefore)
  }

  init(
    epoch: UInt64, first: UInt64, count: UInt32, rawBytes: UInt32, storedBytes: UInt32,
    bodyChecksum: UInt32, minTime: Int64, maxTime: Int64, chainBefore: Digest, durableUpTo: UInt64,
    isCompressed: Bool, isReduced: Bool = false
  ) {
    self.epoch = epoch
    self.first = first
    self.count = count
    self.rawBytes = rawBytes
    self.storedBytes = storedBytes
    self.bodyChecksum = bodyChecksum
    self.minTime = minTime
    self.maxTime = maxTime
    self.chainBefore = chainBefore
    self.durableUpTo = durableUpTo
    self.isCompressed = isCompressed
    self.isReduced = isReduced
  }
}

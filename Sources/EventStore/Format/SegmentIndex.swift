/// The tables of a finished segment: the footer of a sealed file, or the sidecar of one that is not sealed
/// yet.
///
/// Derived from the events alone, so it can be lost and built again, byte for byte. This value is the
/// trailer, which says where the sections are; docs/file-format.md gives the layout.
struct SegmentIndex: Sendable, Hashable {
  /// The parts, in the order in which they stand in the file.
  enum Section: Int, CaseIterable, Sendable {
    /// Each block's place, count and greatest time.
    case blocks
    /// Streams by name with their revisions.
    case streams
    /// For each stream the blocks that hold it.
    case runs
    /// Which hashes the segment certainly does not have.
    case filter
    /// Where each bucket begins.
    case directory
    /// Hash → block, for ids and lookup keys.
    case buckets
    /// The blocks of those keys that many blocks have.
    case lists
  }

  struct Extent: Sendable, Hashable {
    var bytes: UInt32 = 0
    var checksum: UInt32 = 0
  }

  var storeID: UInt128
  var ordinal: UInt64
  var first: UInt64
  var last: UInt64
  var blocks: UInt64
  /// Epoch of the last event.
  var epoch: UInt64
  var minTime: Int64
  var maxTime: Int64
  var minID: UInt128
  var maxID: UInt128
  var chainBefore: Digest
  var chainAfter: Digest
  /// Over the leaves of the events, in order.
  var merkleRoot: Digest
  /// Length of the segment's header and blocks.
  var endOfBlocks: UInt64
  /// Bytes of the blocks' bodies before compression.
  var rawBytes: UInt64
  var sections: [Extent]
  /// Bytes of an entry in a bucket.
  var entryBytes: Int
  /// Low bits of an entry that hold a block's or list's number.
  var valueBits: Int

  /// "SBXIDX" and two bytes that a text-mode copy would change: before the first section and in the trailer.
  static let magic: [UInt8] = [0x53, 0x42, 0x58, 0x49, 0x44, 0x58, 0x0D, 0x0A]
  static let version: UInt32 = 1
  static let trailerBytes = 296
  /// Entries of a bucket, on average.
  static let bucketEntries = 128
  /// Bits that the filter spends on a hash, and bits that it sets for one.
  static let filterBitsPerHash = 10
  static let filterProbes = 6
  static let filterLineBytes = 64
  /// A hash that more blocks than this have gets a list.
  static let entriesPerHash = 4
  /// Bits of the hash that an entry keeps beside those that its bucket implies.
  static let remainderBitsMin = 10

  var count: UInt64 { last - first + 1 }

  /// Length of the whole index: magic, sections, trailer.
  var encodedBytes: UInt64 {
    sections.reduce(UInt64(Self.magic.count + Self.trailerBytes)) { $0 + UInt64($1.bytes) }
  }

  /// Where a section begins, counted from the beginning of the index.
  func offset(of section: Section) -> UInt64 {
    sections[..<section.rawValue].reduce(UInt64(Self.magic.count)) { $0 + UInt64($1.bytes) }
  }

  func extent(of section: Section) -> Extent { sections[section.rawValue] }

  func encodeTrailer(into room: UnsafeMutableRawBufferPointer) {
    room.copyBytes(from: Self.magic)
    room.put(Self.version, 8)
    room.put(UInt32(Self.trailerBytes), 12)
    room.putUUID(storeID, 16)
    room.put(ordinal, 32)
    room.put(first, 40)
    room.put(last, 48)
    room.put(blocks, 56)
    room.put(epoch, 64)
    room.put(minTime, 72)
    room.put(maxTime, 80)
    room.putUUID(minID, 88)
    room.putUUID(maxID, 104)
    room.put(chainBefore, 120)
    room.put(chainAfter, 152)
    room.put(merkleRoot, 184)
    room.put(endOfBlocks, 216)
    room.put(rawBytes, 224)
    for (number, section) in sections.enumerated() {
      room.put(section.bytes, 232 + 8 * number)
      room.put(section.checksum, 236 + 8 * number)
    }
    room[288] = UInt8(entryBytes)
    room[289] = UInt8(valueBits)
    room.put(UInt16(0), 290)
    let end = Self.trailerBytes - 4
    room.put(crc32c(UnsafeRawBufferPointer(room).slice(0..<end)), end)
  }

  /// Reads a trailer.
  ///
  /// - Throws: the rule that it breaks, without the name of the file's kind before it.
  init(trailer bytes: UnsafeRawBufferPointer) throws(RuleBroken) {
    guard bytes.count == Self.trailerBytes else { throw RuleBroken("incomplete-trailer") }
    guard bytes.prefix(8).elementsEqual(Self.magic) else { throw RuleBroken("magic") }
    guard bytes.u32(8) == Self.version, bytes.u32(12) == UInt32(Self.trailerBytes) else {
      throw RuleBroken("version")
    }
    let end = Self.trailerBytes - 4
    guard crc32c(bytes.slice(0..<end)) == bytes.u32(end) else { throw RuleBroken("trailer-crc") }
    storeID = bytes.uuid(16)
    ordinal = bytes.u64(32)
    first = bytes.u64(40)
    last = bytes.u64(48)
    blocks = bytes.u64(56)
    epoch = bytes.u64(64)
    minTime = bytes.i64(72)
    maxTime = bytes.i64(80)
    minID = bytes.uuid(88)
    maxID = bytes.uuid(104)
    chainBefore = bytes.digest(120)
    chainAfter = bytes.digest(152)
    merkleRoot = bytes.digest(184)
    endOfBlocks = bytes.u64(216)
    rawBytes = bytes.u64(224)
    sections = Section.allCases.map { section in
      Extent(
        bytes: bytes.u32(232 + 8 * section.rawValue),
        checksum: bytes.u32(236 + 8 * section.rawValue))
    }
    entryBytes = Int(bytes[288])
    valueBits = Int(bytes[289])
    guard max(ordinal, last, epoch, endOfBlocks, rawBytes) < Limits.numbers, first > 0,
      first <= last, blocks > 0, blocks <= last - first + 1, minID <= maxID, minTime <= maxTime,
      (2...6).contains(entryBytes), (1...31).contains(valueBits),
      (Self.remainderBitsMin...32).contains(remainderBits),
      extent(of: .filter).bytes > 0, Int(extent(of: .filter).bytes) % Self.filterLineBytes == 0,
      extent(of: .directory).bytes >= 8, extent(of: .directory).bytes % 4 == 0
    else { throw RuleBroken("bounds") }
  }

  init(
    header: SegmentHeader, last: UInt64, blocks: UInt64, epoch: UInt64, times: ClosedRange<Int64>,
    ids: ClosedRange<UInt128>, chainAfter: Digest, merkleRoot: Digest, endOfBlocks: UInt64,
    rawBytes: UInt64, sections: [Extent], entryBytes: Int, valueBits: Int
  ) {
    storeID = header.storeID
    ordinal = header.ordinal
    first = header.first
    self.last = last
    self.blocks = blocks
    self.epoch = epoch
    minTime = times.lowerBound
    maxTime = times.upperBound
    minID = ids.lowerBound
    maxID = ids.upperBound
    chainBefore = header.chainBefore
    self.chainAfter = chainAfter
    self.merkleRoot = merkleRoot
    self.endOfBlocks = endOfBlocks
    self.rawBytes = rawBytes
    self.sections = sections
    self.entryBytes = entryBytes
    self.valueBits = valueBits
  }

  // MARK: Hashes

  /// Bits of the hash that an entry keeps.
  var remainderBits: Int { 8 * entryBytes - 1 - valueBits }

  var bucketCount: Int { Int(extent(of: .directory).bytes) / 4 - 1 }

  /// The bucket of `hash`: by its upper half, so that equally many hashes fall to each.
  static func bucket(_ hash: UInt64, of count: Int) -> Int {
    // The parentheses matter: a shift binds closer than a product.
    Int(((hash >> 32) * UInt64(count)) >> 32)
  }

  /// What an entry keeps of `hash`: of its lower half the first bits.
  static func remainder(_ hash: UInt64, bits: Int) -> UInt64 {
    (hash & 0xFFFF_FFFF) >> UInt64(32 - bits)
  }

  /// The bit that a hash sets as its `probe`th in its line of the filter.
  static func filterBit(_ hash: UInt64, _ probe: Int) -> Int {
    Int((hash &* 0x9E37_79B9_7F4A_7C15) >> UInt64(55 - 9 * probe)) & 511
  }

  /// False only if the segment does not have `hash`.
  static func mayHold(_ hash: UInt64, filter: UnsafeRawBufferPointer) -> Bool {
    let line = bucket(hash, of: filter.count / filterLineBytes) * filterLineBytes
    for probe in 0..<filterProbes {
      let bit = filterBit(hash, probe)
      if filter[line + bit >> 3] & (1 << UInt8(bit & 7)) == 0 { return false }
    }
    return true
  }
}

/// The first bytes of a segment: all that is needed to read it without any other file.
package struct SegmentHeader: Sendable, Hashable {
  package var storeID: UInt128
  package var ordinal: UInt64
  package var first: UInt64
  package var created: Int64
  /// Epoch in which the segment was begun.
  package var epoch: UInt64
  package var chainBefore: Digest
  package var dictionary: [UInt8]

  /// "SBXSEG" and the two bytes that a text-mode copy would change.
  static let magic: [UInt8] = [0x53, 0x42, 0x58, 0x53, 0x45, 0x47, 0x0D, 0x0A]
  static let major: UInt16 = 1
  static let minor: UInt16 = 0
  static let codecLZ4: UInt8 = 1
  static let hashSHA256: UInt8 = 1
  static let fixedBytes = 104
  static let maxBytes = aligned8(fixedBytes + Limits.dictionaryBytes + 4)

  /// Length of the header in the file: a multiple of eight.
  package var encodedBytes: Int { aligned8(Self.fixedBytes + dictionary.count + 4) }

  package func encoded() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: encodedBytes)
    bytes.withUnsafeMutableBytes { room in
      room.copyBytes(from: Self.magic)
      room.put(Self.major, 8)
      room.put(Self.minor, 10)
      room.put(UInt32(room.count), 12)
      room.putUUID(storeID, 16)
      room.put(ordinal, 32)
      room.put(first, 40)
      room.put(created, 48)
      room[56] = Self.codecLZ4
      room[57] = Self.hashSHA256
      room.put(UInt32(dictionary.count), 60)
      room.put(chainBefore, 64)
      room.put(epoch, 96)
      UnsafeMutableRawBufferPointer(rebasing: room[Self.fixedBytes...]).copyBytes(from: dictionary)
      let end = room.count - 4
      room.put(crc32c(UnsafeRawBufferPointer(room).slice(0..<end)), end)
    }
    return bytes
  }

  /// Why a header cannot be used.
  enum Fault: Error, Hashable {
    /// Damaged; the check that failed.
    case damaged(String)
    /// Whole, but written by a build that knows more.
    case unknownFormat(String)
  }

  /// Reads the header at the beginning of `bytes`, which may hold more than that.
  init(_ bytes: UnsafeRawBufferPointer) throws(Fault) {
    guard bytes.count >= Self.fixedBytes + 8 else { throw .damaged("segment.incomplete-header") }
    guard bytes.prefix(8).elementsEqual(Self.magic) else { throw .damaged("segment.magic") }
    let length = Int(bytes.u32(12))
    guard length >= Self.fixedBytes + 8, length <= Self.maxBytes, length % 8 == 0 else {
      throw .damaged("segment.header-length")
    }
    guard bytes.count >= length else { throw .damaged("segment.incomplete-header") }
    guard crc32c(bytes.slice(0..<(length - 4))) == bytes.u32(length - 4) else {
      throw .damaged("segment.header-crc")
    }
    let (major, minor) = (bytes.u16(8), bytes.u16(10))
    guard major == Self.major, minor <= Self.minor else {
      throw .unknownFormat("format \(major).\(minor); this build knows \(Self.major).\(Self.minor)")
    }
    guard bytes[56] == Self.codecLZ4, bytes[57] == Self.hashSHA256 else {
      throw .unknownFormat("codec \(bytes[56]) or hash \(bytes[57]) is unknown to this build")
    }
    let dictionaryBytes = Int(bytes.u32(60))
    guard dictionaryBytes <= Limits.dictionaryBytes,
      aligned8(Self.fixedBytes + dictionaryBytes + 4) == length
    else { throw .damaged("segment.dictionary-length") }
    storeID = bytes.uuid(16)
    ordinal = bytes.u64(32)
    first = bytes.u64(40)
    created = bytes.i64(48)
    epoch = bytes.u64(96)
    guard max(ordinal, first, epoch) < Limits.numbers else { throw .damaged("segment.bounds") }
    chainBefore = bytes.digest(64)
    dictionary = Array(bytes.slice(Self.fixedBytes..<(Self.fixedBytes + dictionaryBytes)))
  }

  package init(
    storeID: UInt128, ordinal: UInt64, first: UInt64, created: Int64, epoch: UInt64,
    chainBefore: Digest, dictionary: [UInt8]
  ) {
    self.storeID = storeID
    self.ordinal = ordinal
    self.first = first
    self.created = created
    self.epoch = epoch
    self.chainBefore = chainBefore
    self.dictionary = dictionary
  }
}

/// Names of segment files: the first position as 20 digits, then what the file is.
package enum SegmentName {
  package enum Kind: String, Sendable, CaseIterable {
    /// As the writer appends.
    case raw = ".esl"
    /// Packed again when it was finished, with its index as a footer.
    case sealed = ".sealed"
    /// The index of a finished `raw` one.
    case index = ".idx"
  }

  package static func of(_ first: UInt64, _ kind: Kind = .raw) -> String {
    let digits = String(first)
    return String(repeating: "0", count: 20 - digits.utf8.count) + digits + kind.rawValue
  }

  /// The first position that `name` gives; nil if it is no name of a raw segment.
  static func first(_ name: String) -> UInt64? {
    guard let (first, kind) = parse(name), kind == .raw else { return nil }
    return first
  }

  /// What `name` says; nil if it is no segment's.
  static func parse(_ name: String) -> (first: UInt64, kind: Kind)? {
    guard name.utf8.count > 20 else { return nil }
    let digits = name.utf8.prefix(20)
    guard digits.allSatisfy({ (48...57).contains($0) }),
      let kind = Kind(rawValue: String(decoding: name.utf8.dropFirst(20), as: UTF8.self)),
      let first = UInt64(String(decoding: digits, as: UTF8.self))
    else { return nil }
    return (first, kind)
  }
}
